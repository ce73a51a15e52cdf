/* store/store.h - a study on disk: DIR/study.sqlite (schema version 1) and DIR/artefacts/.
 *
 * One SQLite file: foreign keys, WAL, synchronous=FULL (journal_mode=DELETE on a network file
 * system, said once through the log). A clean close checkpoints and leaves one self-contained file.
 * Read-only opening works on a read-only copy, also of a study whose runner was killed. A lock file
 * (flock on DIR/lock, holding pid and start time for the message) refuses a second writer.
 * A full disk is PJ_ENOSPC everywhere. Not thread-safe on one object.
 *
 * Nothing here computes: analysis reads records through these functions.
 */
#ifndef PJI_STORE_STORE_H
#define PJI_STORE_STORE_H

#include "core/log.h"
#include "core/str.h"
#include "perjoule/energy.h"

#include <stdbool.h>
#include <stdint.h>

enum { PJI_STORE_SCHEMA = 1 };

struct pji_store;

enum pji_store_mode { PJI_STORE_READ, PJI_STORE_WRITE };

/* Creates DIR (which must not exist) with an empty store, opened for writing. */
pj_status pji_store_create(struct pji_store **out, const char *dir, const struct pji_log *log,
                           struct pj_error *err);
/* Opens DIR. PJ_EBUSY when another process writes (WRITE only); PJ_EINVAL for a newer schema. */
pj_status pji_store_open(struct pji_store **out, const char *dir, enum pji_store_mode mode,
                         const struct pji_log *log, struct pj_error *err);
/* WRITE: checkpoints into one file and releases the lock. NULL is fine. */
pj_status pji_store_close(struct pji_store *store, struct pj_error *err);
const char *pji_store_dir(const struct pji_store *store);
/* Call it after the folder was renamed while open (a study is built under a temporary name): the
 * database is closed and opened again under the new name; the lock is kept throughout. */
pj_status pji_store_moved(struct pji_store *store, const char *dir, struct pj_error *err);

/* Before a study is built as OUT.building-PID: removes such folders that dead processes left, and
 * says through the log which are left because their builder may be alive. */
void pji_store_clear_leftovers(const char *out, const struct pji_log *log);

/* Who writes DIR now? Takes no lock that a writer would notice; works on a read-only copy. */
struct pji_store_holder {
    bool alive;  /* a process holds the lock at this moment: the rest is what it wrote there */
    int64_t pid; /* 0: not told */
    uint64_t start_ticks;
    char host[65];
};
pj_status pji_store_holder(const char *dir, struct pji_store_holder *holder, struct pj_error *err);

/* A transaction around several calls: one durable step. When a call inside fails, roll back: SQLite
 * may have undone everything already (a full disk), and further calls are refused until then. */
pj_status pji_store_begin(struct pji_store *store, struct pj_error *err);
pj_status pji_store_commit(struct pji_store *store, struct pj_error *err);
void pji_store_rollback(struct pji_store *store);

/* ---- meta: one text for each key: "study", "question", "study_file" (its bytes), "study_path",
 * "seed", "plan_sha256", "tool", "created_wall_ns", … ---- */
pj_status pji_store_put_meta(struct pji_store *store, const char *key, const char *value,
                             struct pj_error *err);
/* PJI_STORE_NONE when there is no such key. Caller frees. */
enum { PJI_STORE_NONE = 1 };
pj_status pji_store_get_meta(struct pji_store *store, const char *key, char **value,
                             struct pj_error *err);
/* Size of the database alone. */
pj_status pji_store_size(struct pji_store *store, double *size_b, struct pj_error *err);

/* ---- plan ---- */
pj_status pji_store_add_factor(struct pji_store *store, const char *name, const char *const *levels,
                               size_t n, struct pj_error *err);
/* One more level of a factor that is there, behind the others. */
pj_status pji_store_add_level(struct pji_store *store, const char *factor, const char *level,
                              struct pj_error *err);

enum pji_trial_state {
    PJI_TRIAL_PLANNED,
    PJI_TRIAL_RUNNING,
    PJI_TRIAL_DONE,
    PJI_TRIAL_FAILED,  /* reason: "engine_start", "meter_lost", "disk", "timeout", … */
    PJI_TRIAL_INVALID, /* reason: gate codes, comma-separated */
    PJI_TRIAL_SKIPPED
};
const char *pji_trial_state_name(enum pji_trial_state state);

struct pji_trial {
    int64_t id;         /* 1…n in planned order */
    int64_t cell;       /* 0-based index of the treatment combination */
    int64_t block;      /* 1-based */
    int64_t repetition; /* 1-based within the cell */
    enum pji_trial_state state;
    const char *reason;        /* "" when none; borrowed during the visit */
    int64_t attempts;          /* attempts started so far */
    int64_t failures;          /* of them ended failed or invalid, and not by our own death */
    const char *const *levels; /* one text for each factor, in factor order; borrowed */
};
pj_status pji_store_add_trial(struct pji_store *store, const struct pji_trial *trial,
                              struct pj_error *err);

/* Visitors: what they are given is borrowed for the call; non-zero ends the visit and is returned.
 * They may call any function of the store except close and rollback. */
typedef pj_status pji_store_factor_fn(void *context, const char *name, const char *const *levels,
                                      size_t n, struct pj_error *err);
typedef pj_status pji_store_trial_fn(void *context, const struct pji_trial *trial,
                                     struct pj_error *err);
pj_status pji_store_each_factor(struct pji_store *store, pji_store_factor_fn *fn, void *context,
                                struct pj_error *err);
pj_status pji_store_each_trial(struct pji_store *store, pji_store_trial_fn *fn, void *context,
                               struct pj_error *err);

/* ---- attempts: each state change is one durable transaction of its own unless one is open ---- */

/* planned/failed/… -> running: a new attempt, whose id is returned. */
pj_status pji_store_start_attempt(struct pji_store *store, int64_t trial_id, const char *nonce,
                                  int64_t t_ns, int64_t wall_ns, int64_t *attempt,
                                  struct pj_error *err);
/* running -> state with reason (needed for FAILED and INVALID). PJI_TRIAL_PLANNED gives the trial
 * back to the plan: the attempt is kept as failed with the reason. `own_death`: the attempt was cut
 * off by our own end and counts against no limit (set by resume). A trial becomes `done` only when
 * every declared artefact of the attempt has a digest: else PJ_ESTATE. */
pj_status pji_store_end_attempt(struct pji_store *store, int64_t attempt,
                                enum pji_trial_state state, const char *reason, bool own_death,
                                int64_t t_ns, int64_t wall_ns, struct pj_error *err);
/* A done attempt turned out invalid from what was measured after it: its state, and the trial's
 * where it is the latest, become `invalid` with this gate code (added to those that are there). */
pj_status pji_store_invalidate(struct pji_store *store, int64_t attempt, const char *code,
                               struct pj_error *err);
struct pji_attempt_row {
    int64_t id, trial_id;
    int64_t number; /* 1-based within the trial */
    const char *nonce;
    enum pji_trial_state state;
    const char *reason;
    bool own_death;
    int64_t start_ns, start_wall_ns;
    int64_t end_ns, end_wall_ns; /* 0 while running */
};
/* Attempts of a trial (0: of all trials) in the order they were started. */
typedef pj_status pji_store_attempt_row_fn(void *context, const struct pji_attempt_row *row,
                                           struct pj_error *err);
pj_status pji_store_each_attempt(struct pji_store *store, int64_t trial_id,
                                 pji_store_attempt_row_fn *fn, void *context, struct pj_error *err);
/* Attempts still `running` (their runner died). */
typedef pj_status pji_store_attempt_fn(void *context, int64_t attempt, int64_t trial_id,
                                       struct pj_error *err);
pj_status pji_store_each_running(struct pji_store *store, pji_store_attempt_fn *fn, void *context,
                                 struct pj_error *err);
/* The attempt that a trial's state comes from (its latest); PJI_STORE_NONE when none. */
pj_status pji_store_last_attempt(struct pji_store *store, int64_t trial_id, int64_t *attempt,
                                 struct pj_error *err);

/* ---- processes we started: role "engine", "keeper", "meter"; for cleaning up after a crash ----
 */
struct pji_process_row {
    int64_t attempt;
    const char *role;
    int64_t pid;
    uint64_t start_ticks;
    const char *boot_id; /* pids mean nothing after a reboot */
};
pj_status pji_store_add_process(struct pji_store *store, const struct pji_process_row *row,
                                struct pj_error *err);
typedef pj_status pji_store_process_fn(void *context, const struct pji_process_row *row,
                                       struct pj_error *err);
pj_status pji_store_each_process(struct pji_store *store, int64_t attempt, pji_store_process_fn *fn,
                                 void *context, struct pj_error *err);

/* ---- records of an attempt ---- */

struct pji_phase_row {
    const char *name; /* "load", "warmup", "idle", "measure", "quality", "cooldown" */
    const char *task; /* task of a measure phase, "" otherwise */
    int64_t start_ns, end_ns;
};
pj_status pji_store_add_phase(struct pji_store *store, int64_t attempt,
                              const struct pji_phase_row *row, struct pj_error *err);

struct pji_energy_row {
    const char *phase;
    const char *task;
    const char *name;   /* channel name, or "total" */
    const char *domain; /* ledger domain, or the total's label */
    const char *set;    /* total: channel names it added, comma-separated; else "" */
    bool in_total;
    struct pj_energy energy;
};
pj_status pji_store_add_energy(struct pji_store *store, int64_t attempt,
                               const struct pji_energy_row *row, struct pj_error *err);

struct pji_request_row {
    const char *phase, *task;
    int64_t sequence; /* order of scheduling within the phase, from 0 */
    int64_t stream;   /* closed loop: which of the N */
    const char *item; /* item id */
    int64_t scheduled_ns, sent_ns;
    int64_t first_token_ns, last_token_ns;               /* 0: none */
    int64_t prompt_tokens, cached_tokens, output_tokens; /* from the server's usage; -1: not told */
    const char *finish;                                  /* "stop", "length", "" */
    const char *text_sha256; /* of the output text, "" when there is none */
    const char *text;        /* output text (kept for scoring), may be NULL */
    const char *error;       /* "" when the request succeeded */
    const int64_t *token_ns; /* arrival of each chunk that carried text */
    size_t n_tokens;
};
pj_status pji_store_add_request(struct pji_store *store, int64_t attempt,
                                const struct pji_request_row *row, struct pj_error *err);

struct pji_answer_row {
    const char *task, *item;
    const char *answer; /* normalised choice, "" when unparsable */
    const char *gold;
    bool parsable, correct;
};
pj_status pji_store_add_answer(struct pji_store *store, int64_t attempt,
                               const struct pji_answer_row *row, struct pj_error *err);

/* What of its window's energy a request is given, by a rule (docs/metrics.md): always modelled. The
 * table may be absent (an attempt of an earlier perjoule): then there are none. */
struct pji_share_row {
    const char *phase, *task;
    int64_t sequence; /* of the request */
    int64_t end_ns;   /* when its answer was over, or it had failed */
    double energy_j, u_ind_j, u_com_j;
};
pj_status pji_store_add_share(struct pji_store *store, int64_t attempt,
                              const struct pji_share_row *row, struct pj_error *err);
/* In order of phase, task and sequence. */
typedef pj_status pji_store_share_fn(void *context, const struct pji_share_row *row,
                                     struct pj_error *err);
pj_status pji_store_each_share(struct pji_store *store, int64_t attempt, pji_store_share_fn *fn,
                               void *context, struct pj_error *err);

/* One derived figure of a trial, e.g. "j_per_token" with its uncertainty; a missing one has NaN and
 * a reason. `name` carries its unit (ARCHITECTURE.md). */
struct pji_metric_row {
    const char *task, *name;
    double value;
    double u_ind, u_com; /* 0 where the figure is exact (a count) */
    const char *origin;  /* energy origin name, "" for figures without energy */
    const char *reason;
};
/* The row of energy / count, with its uncertainty; missing with the energy's reason, or with
 * `no_count` where the count is 0 or unknown (NaN). Borrows its texts. */
struct pji_metric_row pji_metric_per(const char *task, const char *name,
                                     const struct pj_energy *energy, double count,
                                     const char *no_count);
pj_status pji_store_add_metric(struct pji_store *store, int64_t attempt,
                               const struct pji_metric_row *row, struct pj_error *err);

/* Gate outcome: code, "invalid" | "flag" | "note", and a sentence. */
struct pji_gate_row {
    const char *code, *consequence, *detail;
};
pj_status pji_store_add_gate(struct pji_store *store, int64_t attempt,
                             const struct pji_gate_row *row, struct pj_error *err);

/* What is wrong or noteworthy with the study as a whole, found when its records came in: not with
 * one trial, for which there are gates. The table may be absent (a study of an earlier perjoule):
 * then there are none. */
struct pji_finding_row {
    const char *code;        /* "counter_wrapped" */
    const char *subject;     /* what it is about: a factor, a run, a column, "study" */
    const char *consequence; /* "forbids" a conclusion, "flag", "note" */
    const char *detail;      /* one or two sentences: the reason, and what follows from it */
    const char *figures;     /* its numbers: a JSON object, keys with units */
};
pj_status pji_store_add_finding(struct pji_store *store, const struct pji_finding_row *row,
                                struct pj_error *err);
typedef pj_status pji_store_finding_fn(void *, const struct pji_finding_row *, struct pj_error *);
pj_status pji_store_each_finding(struct pji_store *store, pji_store_finding_fn *fn, void *context,
                                 struct pj_error *err);

/* Manifest: what the machine, engine and model were. attempt 0: of the whole study. */
pj_status pji_store_put_fact(struct pji_store *store, int64_t attempt, const char *key,
                             const char *value, struct pj_error *err);

/* Artefacts: declared first, then stored (moved below DIR/artefacts/<attempt>/<name>, fsynced and
 * digested). `name` is one path component of [A-Za-z0-9._-]. */
pj_status pji_store_declare_artefact(struct pji_store *store, int64_t attempt, const char *name,
                                     struct pj_error *err);
/* Path where the running attempt writes it; caller frees. Creates the folder. */
pj_status pji_store_artefact_path(struct pji_store *store, int64_t attempt, const char *name,
                                  char **path, struct pj_error *err);
pj_status pji_store_seal_artefact(struct pji_store *store, int64_t attempt, const char *name,
                                  struct pj_error *err);
/* Copies the file `source` in as artefact `name` of the running attempt, digested on the way:
 * declared and sealed. It is durable only after pji_store_sync: for studies that are built under a
 * temporary name. *path (may be NULL) gets the copy's path; caller frees. */
pj_status pji_store_copy_artefact(struct pji_store *store, int64_t attempt, const char *name,
                                  const char *source, char **path, struct pj_error *err);
/* Everything below the study's folder is on the disk. */
pj_status pji_store_sync(struct pji_store *store, struct pj_error *err);
struct pji_artefact_row {
    int64_t attempt;
    const char *name;
    const char *path;   /* relative to DIR */
    int64_t size_b;     /* -1 while only declared */
    const char *sha256; /* "" while only declared */
};

/* ---- visiting records of one attempt (attempt 0 for facts: the study's) ---- */
typedef pj_status pji_store_phase_fn(void *, const struct pji_phase_row *, struct pj_error *);
typedef pj_status pji_store_energy_fn(void *, const struct pji_energy_row *, struct pj_error *);
typedef pj_status pji_store_request_fn(void *, const struct pji_request_row *, struct pj_error *);
typedef pj_status pji_store_answer_fn(void *, const struct pji_answer_row *, struct pj_error *);
typedef pj_status pji_store_metric_fn(void *, const struct pji_metric_row *, struct pj_error *);
typedef pj_status pji_store_gate_fn(void *, const struct pji_gate_row *, struct pj_error *);
typedef pj_status pji_store_fact_fn(void *, const char *key, const char *value, struct pj_error *);
typedef pj_status pji_store_artefact_fn(void *, const struct pji_artefact_row *, struct pj_error *);
pj_status pji_store_each_phase(struct pji_store *store, int64_t attempt, pji_store_phase_fn *fn,
                               void *context, struct pj_error *err);
pj_status pji_store_each_energy(struct pji_store *store, int64_t attempt, pji_store_energy_fn *fn,
                                void *context, struct pj_error *err);
pj_status pji_store_each_request(struct pji_store *store, int64_t attempt, pji_store_request_fn *fn,
                                 void *context, struct pj_error *err);
pj_status pji_store_each_answer(struct pji_store *store, int64_t attempt, pji_store_answer_fn *fn,
                                void *context, struct pj_error *err);
pj_status pji_store_each_metric(struct pji_store *store, int64_t attempt, pji_store_metric_fn *fn,
                                void *context, struct pj_error *err);
pj_status pji_store_each_gate(struct pji_store *store, int64_t attempt, pji_store_gate_fn *fn,
                              void *context, struct pj_error *err);
pj_status pji_store_each_fact(struct pji_store *store, int64_t attempt, pji_store_fact_fn *fn,
                              void *context, struct pj_error *err);
pj_status pji_store_each_artefact(struct pji_store *store, int64_t attempt,
                                  pji_store_artefact_fn *fn, void *context, struct pj_error *err);

/* Adds every record of an attempt of another store (phases, energies, requests and their shares,
 * answers, metrics, gates, facts; neither processes nor artefacts) to a running attempt of this
 * one. Call it inside a transaction. */
pj_status pji_store_copy_records(struct pji_store *to, int64_t attempt, struct pji_store *from,
                                 int64_t from_attempt, struct pj_error *err);

#endif
