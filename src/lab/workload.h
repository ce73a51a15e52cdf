/* lab/workload.h - the tasks of a study made ready: items read once, prompts rendered, and for each
 * trial the requests in their seeded order.
 *
 * The order of the items is drawn from stream "items/<task>/<repetition>" of the study's seed: the
 * same for every treatment of one repetition, another for the next repetition. A load of more
 * requests than items goes round the items again in the same order. The due times of an open loop
 * are drawn from stream "arrivals/<task>/<repetition>", so treatments of one repetition share them
 * too.
 */
#ifndef PJI_LAB_WORKLOAD_H
#define PJI_LAB_WORKLOAD_H

#include "lab/study.h"
#include "load/times.h"
#include "task/task.h"

struct pji_workload_task {
    const struct pji_task_spec *spec; /* borrowed from the study */
    struct pji_items items;
    char **prompts; /* rendered, one for each item */
    char **members; /* what a program gets of each item (program.h); NULL: a server is asked */
    char **choices; /* as in the study, or the distinct gold labels */
    size_t n_choices;
    const struct pji_times *times; /* of the workload */
    struct pji_items examples;     /* few-shot; n 0: none */
    char **example_prompts;        /* rendered, one for each example */
};

struct pji_workload {
    struct pji_workload_task *tasks;
    size_t n;
    struct pji_times times; /* the trace to replay; n 0: none */
};

/* Reads every items file of the study (relative paths start at the study's folder). */
pj_status pji_workload_read(struct pji_workload *workload, const struct pji_study *study,
                            struct pj_error *err);
void pji_workload_fini(struct pji_workload *workload);

/* The requests of one task in one trial. */
struct pji_task_run {
    const struct pji_workload_task *task;
    struct pji_request_spec *specs; /* n; texts borrowed from workload or owned below */
    size_t *items;                  /* item index of each spec */
    size_t n;
    int64_t max_tokens;
    struct pji_load_values load;
    int64_t *due_ns;                      /* open loop: offset of each request; NULL: closed loop */
    char schedule_sha256[PJI_SHA256_HEX]; /* of due_ns (load/arrival.h); "": closed loop */
    bool fixed_length;                    /* ignore_eos: every answer must have max_tokens */
    struct pji_task_values values;        /* what the specs borrow from */
    char *extra;                          /* owned; likewise */
    char **prompts;                       /* owned, with shots: one for each item; else NULL */
};

/* levels: the trial's, one for each factor. engine_extra: see engine/engine.h, request_extra. */
pj_status pji_task_run_make(struct pji_task_run *run, const struct pji_study *study,
                            const struct pji_workload_task *task, const char *const *levels,
                            int64_t repetition, const char *engine_extra, struct pj_error *err);
/* How many requests that makes, of n_items items, without making them. */
size_t pji_workload_requests(const struct pji_workload_task *task,
                             const struct pji_load_values *load, size_t n_items);
void pji_task_run_fini(struct pji_task_run *run);

#endif
