/* lab/program.h - tasks for a program that answers items (load/jsonl.h): what it gets of each item,
 * and what its answers say that they contain.
 */
#ifndef PJI_LAB_PROGRAM_H
#define PJI_LAB_PROGRAM_H

#include "lab/workload.h"

/* Fills task->members: the task's name and each item's object without its gold label, which no
 * program may see. */
pj_status pji_program_members(struct pji_workload_task *task, struct pj_error *err);

/* Sums of the counts of a window's answers; zero-initialise. */
struct pji_tally {
    struct pji_count *sums;
    uint64_t *answers; /* that told this one */
    size_t n, cap, answers_cap;
    uint64_t ok; /* answers that succeeded */
};
/* Failed requests count nowhere. */
pj_status pji_tally_add(struct pji_tally *tally, const struct pji_request_record *record,
                        struct pj_error *err);
/* Calls fn for each name; NaN where some answer did not tell it. */
typedef pj_status pji_tally_fn(void *context, const char *name, double sum, const char *why_none);
pj_status pji_tally_each(const struct pji_tally *tally, pji_tally_fn *fn, void *context);
void pji_tally_fini(struct pji_tally *tally);

#endif
