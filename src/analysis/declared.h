/* analysis/declared.h - the analysis that a study declared before it ran (docs/study-file.md,
 * section analysis), and what else was looked at.
 *
 * What the declared plan says is "planned"; every other look at the same study is "exploratory" and
 * labelled so in text and JSON: its p-values were chosen after the data were seen.
 */
#ifndef PJI_ANALYSIS_DECLARED_H
#define PJI_ANALYSIS_DECLARED_H

#include "analysis/analyse.h"
#include "analysis/protocol.h"
#include "store/store.h"

struct pji_declared {
    json_t *plan; /* NULL: the study declared none */
    char sha256[65];
    /* the request that the plan makes; borrowed by pji_declared_request */
    const char *factor[16];
    size_t factors;
    struct pji_str model, tests;
    bool paired;
};

/* PJ_ECORRUPT when the stored plan does not have its digest. */
pj_status pji_declared_read(struct pji_declared *declared, struct pji_store *store,
                            struct pj_error *err);
void pji_declared_fini(struct pji_declared *declared);

/* Fills the request (response, by, paired_by, model, factor, tests, alpha, adjust) from the plan.
 */
void pji_declared_request(const struct pji_declared *declared, struct pji_analysis *request);

/* Only how it judges, for another look at the study: alpha, and the adjustment unless one is asked
 * for. */
void pji_declared_judge(const struct pji_declared *declared, struct pji_analysis *request);

/* {"status": "planned" or "exploratory", "reason", "declared", "sha256"} for an analysis that was
 * made. */
json_t *pji_declared_label(const struct pji_declared *declared, const struct pji_analysis *request);

/* Adds "plan" in the same form to every answer of a protocol (analysis/protocol.h). study: the
 * table that the protocol was answered from; trials: how many of the study's are done. */
void pji_declared_label_answers(const struct pji_declared *declared,
                                const struct pji_protocol *protocol,
                                const struct pji_protocol_data *data, const struct pji_table *study,
                                size_t trials, json_t *answers);

/* PJ_EINVAL: the tests of a plan name one that there is not, or its adjustment does not fit them.
 */
pj_status pji_declared_check_tests(const char *plan_json, struct pj_error *err);

#endif
