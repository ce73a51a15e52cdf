/* cli/records_match.h - the records of one attempt in two stores, row by row. */
#ifndef PJI_CLI_RECORDS_MATCH_H
#define PJI_CLI_RECORDS_MATCH_H

#include "cli/records_check.h"

struct pji_match {
    struct pji_store *stored, *again; /* the study; what its files gave */
    int64_t attempt, again_attempt, trial;
    struct pji_verified *out;
    struct pji_records_checked *checked;
};

pj_status pji_records_match(const struct pji_match *match, struct pj_error *err);

#endif
