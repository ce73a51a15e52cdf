/* raw/findings_parts.h - what the files that look for findings share. */
#ifndef PJI_RAW_FINDINGS_PARTS_H
#define PJI_RAW_FINDINGS_PARTS_H

#include "raw/findings.h"

#include <jansson.h>

struct pji_findings {
    struct pji_store *store;
    const struct pji_raw_outcome *outcomes;
    size_t n;
    const struct pji_raw_plan *plan;
    const struct pji_import_options *options;
    struct pji_import_result *result;
    struct pj_error *err;
};

/* Stores one and counts it; takes over `figures` (NULL: out of memory). */
pj_status pji_finding_put(struct pji_findings *f, const char *code, const char *subject,
                          const char *consequence, json_t *figures, const char *format, ...)
    __attribute__((format(printf, 6, 7)));

/* outputs.c: what the same question was answered in each repetition. */
pj_status pji_findings_outputs(struct pji_findings *f);
/* published_findings.c: what the published table says, when there is one. */
pj_status pji_findings_published(struct pji_findings *f);

#endif
