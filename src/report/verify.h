/* report/verify.h - is every number of a report what the records say? The report is made again from
 * the records and compared token by token; pictures are drawn again and compared byte by byte.
 */
#ifndef PJI_REPORT_VERIFY_H
#define PJI_REPORT_VERIFY_H

#include "core/log.h"
#include "report/doc.h"
#include "store/store.h"

struct pji_difference {
    char *file;
    size_t line;                /* 1-based; 0: the file as a whole */
    char *where;                /* "table comparisons, row "a", column "ratio"" */
    char *printed, *recomputed; /* NULL: the file as a whole; `where` says what is wrong with it */
    char *records;              /* what it is recomputed from, "" for fixed text */
};

struct pji_verified {
    struct pji_difference *differences;
    size_t n, cap;
    size_t files; /* compared */
    size_t bad_files;
    size_t numbers;   /* in them */
    char made_by[64]; /* version that made the page, "" when no page was given */
};

/* `report` is a folder or one file of a report. `scratch` is an empty folder of the caller, which
 * also removes it. PJ_EINVAL: nothing of a report is there. */
pj_status pji_verify(struct pji_verified *out, const char *report, struct pji_store *store,
                     const char *scratch, const struct pji_log *log, struct pj_error *err);
/* Adds a difference found elsewhere. printed NULL: the file as a whole, and `where` says what is
 * wrong with it. */
pj_status pji_verify_add(struct pji_verified *out, const char *name, size_t line, const char *where,
                         const char *printed, const char *recomputed, const char *records,
                         struct pj_error *err);
void pji_verified_fini(struct pji_verified *verified);

#endif
