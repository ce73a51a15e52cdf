/* lab/recount_parts.h - the pieces of recount (room-internal). */
#ifndef PJI_LAB_RECOUNT_PARTS_H
#define PJI_LAB_RECOUNT_PARTS_H

#include "lab/records.h"
#include "lab/recount.h"

enum { MOST_PHASES = 1024 };

struct answer_counts {
    size_t answers, parsable, correct;
};

struct recounting {
    const struct pji_recount *r;
    struct pji_trial_data data;
    const char *phase_task[MOST_PHASES]; /* of each phase of data */
    int64_t ramp_start_ns;               /* of the window that comes next; 0: it has no ramp */
    struct pji_task_spec *specs;         /* those of the study, without their gold labels */
    struct pji_workload_task *tasks;
    struct answer_counts *answers;
    char **texts; /* owned; names of phases, tasks and items */
    size_t n_texts, cap_texts;
};

/* The requests as requests.jsonl has them, in the place of what the database says of them; what is
 * in one only is noted. An attempt without that file keeps those of the database. */
pj_status pji_recount_requests(struct recounting *w, struct pj_error *err);

#endif
