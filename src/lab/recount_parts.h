/* lab/recount_parts.h - the pieces of recount (room-internal). */
#ifndef PJI_LAB_RECOUNT_PARTS_H
#define PJI_LAB_RECOUNT_PARTS_H

#include "lab/records.h"
#include "lab/recount.h"

enum { MOST_PHASES = 1024 };

/* An answer as the records have it, and then as it was scored again; texts belong to recounting. */
struct told_answer {
    size_t task;
    char *item, *answer, *gold;
    bool parsable, correct;
};

struct recounting {
    const struct pji_recount *r;
    struct pji_trial_data data;
    const char *phase_task[MOST_PHASES]; /* of each phase of data */
    int64_t ramp_start_ns;               /* of the window that comes next; 0: it has no ramp */
    struct pji_task_spec *specs;         /* those of the study, without their gold labels */
    struct pji_workload_task *tasks;
    struct told_answer *told; /* in the order of the records */
    size_t n_told, cap_told;
    char **texts; /* owned; names of phases, tasks and items */
    size_t n_texts, cap_texts;
};

/* A copy that lives as long as w; NULL: no memory. */
char *pji_recount_keep(struct recounting *w, const char *text, struct pj_error *err);

/* Takes down an answer of the records; one of an unknown task is passed over. */
pj_status pji_recount_told(struct recounting *w, const struct pji_answer_row *row,
                           struct pj_error *err);
/* Scores the answers of a task again from the texts of its requests, after
 * pji_recount_requests, and writes them with the figures they make. phase: its window, or NULL. */
pj_status pji_recount_answers(struct recounting *w, size_t task, const struct pji_phase_data *phase,
                              size_t *correct, struct pj_error *err);

/* The requests as requests.jsonl has them, in the place of what the database says of them; what is
 * in one only is noted. An attempt without that file keeps those of the database. */
pj_status pji_recount_requests(struct recounting *w, struct pj_error *err);

#endif
