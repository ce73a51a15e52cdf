/* lab/study.h - the study file (YAML) as a checked structure. docs/study-file.md is its manual.
 *
 * Values below `engine`, `load` and `task` may name a factor as ${factor} (or $factor when it is
 * the whole value): the trial's level is filled in as text; $${ stands for a literal ${. Errors
 * carry file:line:column, the offending text and a suggestion; all of them are collected (at most
 * PJI_STUDY_PROBLEMS), the first one in the file is the pj_error.
 *
 * A study may come over the network (agent/): whatever in it names a file, a program or an address
 * must pass agent/policy.c, which knows the settings of engines, items of tasks and times of the
 * load.
 */
#ifndef PJI_LAB_STUDY_H
#define PJI_LAB_STUDY_H

#include "core/yaml.h"
#include "engine/engine.h"
#include "evidence/gates.h"
#include "load/arrival.h"
#include "task/score.h"

#include <stdint.h>

enum { PJI_STUDY_PROBLEMS = 20 };

/* What is wrong (errors) or doubtful (warnings) in a study file, in the order of the file. */
struct pji_problem {
    size_t line, column;
    char *text; /* "file:line:column: sentence" */
};
struct pji_problems {
    struct pji_problem *items;
    size_t n, cap;
};

struct pji_factor {
    char *name;
    char **levels; /* text as written; nested: each text once, in the order of the file */
    size_t n;
    bool nested;   /* its levels depend on those of the factor `parent`, which comes before it */
    size_t parent; /* index; nested only */
    bool *allowed; /* nested: [parent level * n + level]; else NULL */
};

/* One exclusion: the product of these level sets. levels[f][l] for factor f, level l. */
struct pji_exclusion {
    bool **levels; /* NULL for a factor that is not named: any level */
};

struct pji_task_spec {
    char *name;       /* "energy", "accuracy"; default: "task" */
    char *items_path; /* as written; this, prompt, gold and choices name no factor */
    char *prompt;     /* template text; "{prompt}" when the file says nothing */
    char *gold;       /* key of the gold label, NULL: unscored */
    char **choices;   /* accepted answers, in order; n_choices 0: distinct gold labels */
    size_t n_choices;
    char **labels;       /* gold label of the file that each choice stands for; NULL: the choices */
    char *examples_path; /* as written: items shown with their answers before the one asked */
    enum pji_scorer_kind scorer;
    char *positive; /* binary: the choice that counts as positive */
    char *answer_after;
    double tolerance;
    bool steady;                 /* window: only its steady part is measured (lab/parts.h) */
    const struct pji_yaml *node; /* the mapping itself: pji_study_task reads it */
    size_t n_items;              /* that are asked; known after pji_study_check_items */
};

struct pji_phases {
    int64_t warmup_ns, idle_ns, cooldown_ns;
    bool settle;                            /* cooldown: {until: settled}: before each trial */
    int64_t settle_most_ns, settle_over_ns; /* longest wait; what is looked back on */
};

/* Idle power of the machine, before and after each block; zeroed: not asked for. */
struct pji_baseline {
    bool asked;
    int64_t idle_ns;  /* length of one */
    int64_t every_ns; /* and inside a block, before a trial, when the last one is older */
};

struct pji_limits {
    int64_t engine_start_ns, request_ns, trial_ns, engine_stop_ns, meter_ns;
    int64_t attempts; /* failed attempts of one trial before the runner gives it up */
};

/* Where trials run: here, or on a testbed through its agent (docs/agent-api.md). */
struct pji_executor {
    bool agent;
    bool plain_http;      /* unencrypted to another machine, said explicitly */
    char *url;            /* "https://testbed:7411" */
    char *token_file;     /* below the study's folder unless absolute; NULL: token_env */
    char *token_env;      /* name of the variable that holds the token */
    char *ca_file;        /* certificates to trust, NULL: the system's */
    int64_t heartbeat_ns; /* between two questions to the agent */
    int64_t reply_ns;     /* how long one answer may take */
    int64_t lost_ns;      /* no answer for so long: the attempt is failed(agent_lost) */
};

struct pji_study {
    char *path, *dir; /* the study file and its folder */
    char *text;       /* its bytes, stored with the study */
    size_t text_len;
    struct pji_yaml_doc doc;
    char *name, *question;
    struct pji_factor *factors;
    size_t n_factors;
    struct pji_exclusion *exclusions;
    size_t n_exclusions;
    int64_t repetitions;
    uint64_t seed;
    bool *interleave; /* one flag for each factor whose levels run next to each other; NULL: none */
    char *blocks;     /* "repetition" (default: each block holds every cell once) or "none" */
    const struct pji_engine_ops *engine;
    const struct pji_yaml *engine_node, *load_node; /* load_node NULL: none */
    struct pji_task_spec *tasks;
    size_t n_tasks;
    struct pji_phases phases;
    struct pji_baseline baseline;
    struct pji_limits limits;
    struct pji_executor executor;
    char *times_path; /* used in the place of load's `times`; NULL: as written */
    struct pji_gate_limits gates;
    int64_t meter_interval_ns;
    char *analysis; /* section analysis as JSON with sorted keys, NULL: none was declared */
    struct pji_problems errors, warnings;
};

/* Reads and checks everything that can be checked before anything starts. After a failure only
 * the problems may be read; pji_study_fini in every case. */
pj_status pji_study_read(struct pji_study *study, const char *path, struct pj_error *err);
/* The same from text (a study stored earlier), without the items files: `path` is used in messages
 * and to find `dir`. */
pj_status pji_study_parse(struct pji_study *study, const char *text, size_t len, const char *path,
                          struct pj_error *err);
void pji_study_fini(struct pji_study *study);
/* The part of pji_study_read that looks at other files: every items file that a trial will need is
 * there, each item has its gold label and every field that the prompt names. */
pj_status pji_study_check_items(struct pji_study *study, struct pj_error *err);

/* The text of a scalar with ${factor} filled in from levels (one for each factor); caller frees.
 * NULL levels: any level (for checking). */
pj_status pji_study_fill(const struct pji_study *study, const struct pji_yaml *scalar,
                         const char *const *levels, char **out, struct pj_error *err);
/* The engine's settings with levels filled in; freed with pji_settings_free. */
pj_status pji_study_settings(const struct pji_study *study, const char *const *levels,
                             struct pji_setting **out, size_t *n, struct pj_error *err);
void pji_settings_free(struct pji_setting *settings, size_t n);

/* What a reasoning model is told: chat_template_kwargs.enable_thinking of the request. */
enum pji_thinking { PJI_THINKING_UNSAID, PJI_THINKING_OFF, PJI_THINKING_ON };

/* window: steady; the same for all tasks of a study. */
bool pji_study_steady(const struct pji_study *study);

/* A task with levels filled in and defaults applied. */
struct pji_task_values {
    const char *name; /* borrowed from the study */
    char *items_path; /* relative ones start at the folder of the study file */
    char *prompt;     /* template text */
    char *gold;       /* key of the gold label, NULL: unscored */
    char **choices;
    size_t n_choices; /* 0: the distinct gold labels */
    int64_t max_tokens;
    int64_t limit; /* items used, 0: all */
    bool ignore_eos;
    char *stop;         /* NULL: none */
    double temperature; /* of sampling (no unit) */
    uint64_t seed;
    enum pji_api api;
    int64_t shots; /* examples before each item */
    enum pji_thinking thinking;
    char *extra; /* further members of the request as the text of a JSON object, NULL: none */
};
/* levels NULL: any level. Freed with pji_task_values_fini in every case. */
pj_status pji_study_task(const struct pji_study *study, size_t index, const char *const *levels,
                         struct pji_task_values *out, struct pj_error *err);
void pji_task_values_fini(struct pji_task_values *values);

/* Latencies that a request must keep to count as good (docs/metrics.md); 0: no limit. */
struct pji_slo {
    int64_t ttft_ns, tpot_ns, e2e_ns;
};

struct pji_load_values {
    struct pji_arrival arrival; /* its times are not filled in: pji_workload holds them */
    int64_t concurrency;        /* most requests in flight; 0: any number (open loop) */
    int64_t requests; /* of each task; 0: one for each item, or for each time of a trace */
    struct pji_slo slo;
};
pj_status pji_study_load(const struct pji_study *study, const char *const *levels,
                         struct pji_load_values *out, struct pj_error *err);
/* The trace to replay, which names no factor: *path is NULL when there is none. Caller frees path;
 * field is borrowed, NULL: not stated. */
pj_status pji_study_times(const struct pji_study *study, char **path, const char **field,
                          double *unit_ns, struct pj_error *err);

/* Calls fn once for each combination of the levels of the `used` factors (one flag for each factor)
 * that some cell of the design has, in the order of the design; the other factors are at the levels
 * of the first such cell. A non-zero result ends it and is returned. */
typedef pj_status pji_combination_fn(void *context, const char *const *levels,
                                     struct pj_error *err);
pj_status pji_study_each_combination(const struct pji_study *study, const bool *used,
                                     pji_combination_fn *fn, void *context, struct pj_error *err);
/* Sets used[f] for each factor that the node or anything below it names. */
void pji_study_uses(const struct pji_study *study, const struct pji_yaml *node, bool *used);

/* Duration text: "250ms", "10s", "1.5s", "5m", "2h"; not negative, at most 1000 hours. */
pj_status pji_duration_parse(const char *text, int64_t *out_ns, struct pj_error *err);

#endif
