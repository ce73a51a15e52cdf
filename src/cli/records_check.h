/* cli/records_check.h - are the records of a study what its files say? Digests of all artefacts;
 * requests, energies and figures of every trial that is done or invalid, made again from its files
 * (lab/recount.h, raw/recount.h) and compared one by one.
 */
#ifndef PJI_CLI_RECORDS_CHECK_H
#define PJI_CLI_RECORDS_CHECK_H

#include "report/verify.h"
#include "store/store.h"

struct pji_records_checked {
    size_t trials;        /* made again */
    size_t artefacts;     /* whose digest was computed */
    size_t numbers;       /* compared */
    size_t unchecked;     /* numbers of figures that no file holds the makings of */
    struct pji_str names; /* of those figures, each once */
    char why_none[160];   /* why no trial could be made again; "" */
};

/* Differences are added to `out`. scratch: an empty folder of the caller. */
pj_status pji_records_check(struct pji_store *store, const char *scratch, struct pji_verified *out,
                            struct pji_records_checked *checked, struct pj_error *err);

#endif
