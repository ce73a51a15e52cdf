/* report/report.h - the report of a study: terminal text, page, CSV and pictures from one summary.
 */
#ifndef PJI_REPORT_REPORT_H
#define PJI_REPORT_REPORT_H

#include "core/log.h"
#include "report/doc.h"
#include "store/store.h"

struct pji_report_files {
    const char *dir; /* folder for report.html, report.md, *.csv, *.tex, pictures (created); NULL:
                        no files */
    bool undrawn;    /* write the files as if the pictures were drawn; the page has none in it */
    const char *no_pictures; /* NULL, or why none are to be drawn */
    int width;               /* columns of the terminal text */
    bool colour;
    const struct pji_log *log;
};

/* Writes the files and appends the terminal text to `text`. *conclusive: false when trials are
 * open, failed or invalid in a way that forbids the comparison (program exit code 3). */
pj_status pji_report_make(struct pji_store *store, const struct pji_report_files *files,
                          struct pji_str *text, bool *conclusive, struct pj_error *err);
/* The same as blocks (always to be given to pji_doc_fini); writes the files, no text. */
pj_status pji_report_doc(struct pji_doc *doc, struct pji_store *store,
                         const struct pji_report_files *files, bool *conclusive,
                         struct pj_error *err);

#endif
