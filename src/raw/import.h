/* raw/import.h - a folder of raw runs becomes a study. docs/greenlab.md is the manual.
 *
 * The study is built under a temporary name beside `out` and renamed when everything is on the
 * disk: there is a whole study or none. One run after the other is read and written, so that memory
 * holds one run's samples (and for the findings some numbers of each run). A run whose files are
 * missing, torn or wrong is `failed` with the reason, in words through the log; the others stand.
 */
#ifndef PJI_RAW_IMPORT_H
#define PJI_RAW_IMPORT_H

#include "core/error.h"
#include "core/log.h"

#include <stdbool.h>
#include <stddef.h>

struct pji_import_options {
    const char *dir, *out;
    const char *runs_table; /* NULL: looked for */
    const char *published;  /* table of published figures, NULL: none */
    bool decimal_comma;
    const struct pji_log *log; /* each failed run and what was assumed, one sentence each */
};

struct pji_import_result {
    size_t runs, done, failed, invalid, findings;
    size_t forbids; /* findings that forbid a conclusion */
};

/* PJ_EINVAL for bad input (also when not one run could be read: then nothing is left behind),
 * PJ_EBUSY when `out` exists. */
pj_status pji_import_greenlab(const struct pji_import_options *options,
                              struct pji_import_result *result, struct pj_error *err);

#endif
