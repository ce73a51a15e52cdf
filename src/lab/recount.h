/* lab/recount.h - the records of an attempt made again from what it left as files: requests from
 * requests.jsonl, energies from trace.jsonl, figures from both, by the code that made them the
 * first time; answers are scored again. Times of phases, gold labels and what the machine did
 * meanwhile have no file of their own: the first two are taken from the records, the last is left
 * out.
 */
#ifndef PJI_LAB_RECOUNT_H
#define PJI_LAB_RECOUNT_H

#include "lab/study.h"
#include "store/store.h"

/* Called for a record that no file bears out, in words. */
typedef pj_status pji_recount_note_fn(void *context, const char *words, struct pj_error *err);

struct pji_recount {
    struct pji_store *from;
    const struct pji_attempt_row *attempt; /* of `from` */
    const struct pji_study *study;
    const char *const *levels; /* of its trial, one for each factor */
    struct pji_store *into;
    int64_t into_attempt; /* running */
    pji_recount_note_fn *note;
    void *context;
};

pj_status pji_recount_attempt(const struct pji_recount *recount, struct pj_error *err);

#endif
