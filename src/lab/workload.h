/* lab/workload.h - the tasks of a study made ready: items read once, prompts rendered, and for each
 * trial the requests in their seeded order.
 *
 * The order of the items is drawn from stream "items/<task>/<repetition>" of the study's seed: the
 * same for every treatment of one repetition, another for the next repetition.
 */
#ifndef PJI_LAB_WORKLOAD_H
#define PJI_LAB_WORKLOAD_H

#include "lab/study.h"
#include "task/task.h"

struct pji_workload_task {
    const struct pji_task_spec *spec; /* borrowed from the study */
    struct pji_items items;
    char **prompts; /* rendered, one for each item */
    char **choices; /* as in the study, or the distinct gold labels */
    size_t n_choices;
};

struct pji_workload {
    struct pji_workload_task *tasks;
    size_t n;
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
    bool fixed_length;             /* ignore_eos: every answer must have max_tokens */
    struct pji_task_values values; /* what the specs borrow from */
    char *extra;                   /* owned; likewise */
};

/* levels: the trial's, one for each factor. engine_extra: see engine/engine.h, request_extra. */
pj_status pji_task_run_make(struct pji_task_run *run, const struct pji_study *study,
                            const struct pji_workload_task *task, const char *const *levels,
                            int64_t repetition, const char *engine_extra, struct pj_error *err);
void pji_task_run_fini(struct pji_task_run *run);

#endif
