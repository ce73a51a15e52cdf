/* analysis/finding.h - what speaks against a conclusion: one table of checks, each with its code,
 * the gravest consequence it can have and its meaning.
 *
 * Every check answers one of three: it fires (with a sentence, figures and a consequence), it is
 * clean, or it is not checkable with these data (with the reason). `forbid`: the p-values of the
 * tests between groups are withheld and the exit code is 3; `warn` and `note` are printed beside
 * the results. Thresholds stand in struct pji_finding_limits. docs/statistics.md is the manual.
 */
#ifndef PJI_ANALYSIS_FINDING_H
#define PJI_ANALYSIS_FINDING_H

#include "analysis/roles.h"
#include "analysis/summary.h"
#include "core/str.h"

#include <jansson.h>

enum pji_consequence { PJI_CONSEQUENCE_NOTE, PJI_CONSEQUENCE_WARN, PJI_CONSEQUENCE_FORBID };
enum pji_finding_state { PJI_FINDING_CLEAN, PJI_FINDING_FIRES, PJI_FINDING_NOT_CHECKABLE };

struct pji_finding_limits {
    double p;          /* of a check's own test: below, the check fires (0.001) */
    double icc;        /* share of variance between units that matters (0.05) */
    double modelled;   /* share of modelled energies above which most are (0.5) */
    double shift;      /* relative change of a mean that matters (0.01) */
    double r;          /* correlation with temperature or order that matters (0.2) */
    double tail;       /* deviations from the median, in robust sd, that are far (10) */
    double confounded; /* share of the order that the factor explains (0.5) */
};
struct pji_finding_limits pji_finding_limits_default(void);

/* What a check may look at. */
struct pji_evidence {
    const struct pji_table *table;
    const struct pji_frame *frame; /* the rows used */
    const double *y;               /* the response in them, as in the table */
    size_t response;               /* its column */
    const size_t *factor;          /* columns whose effect is tested */
    size_t factors;
    struct pji_factor group; /* combinations of their levels; k = 1 without factors */
    struct pji_factor cell;  /* combinations with the other design columns and the unit */
    size_t random;           /* column of the random intercept, or PJI_NO_COLUMN */
    /* A correlation instead of a comparison: nothing is concluded from differences between the
     * groups (levels of `stratum`). factor is then `correlated` where it looks like a factor. */
    bool correlation;
    size_t correlated, stratum; /* columns; stratum may be PJI_NO_COLUMN */
    struct pji_roles roles;
    const struct pji_summary *summary; /* of a study, or NULL */
    struct pji_finding_limits limits;
};

struct pji_finding {
    enum pji_finding_state state;
    enum pji_consequence consequence;
    struct pji_str text; /* the sentence, or the reason why it is clean or not checkable */
    json_t *figures;     /* object */
    json_t *spares;      /* array: tested factors of which it says nothing */
};

typedef pj_status pji_check_fn(const struct pji_evidence *evidence, struct pji_finding *finding,
                               struct pj_error *err);

struct pji_check {
    const char *code;
    enum pji_consequence most; /* the gravest consequence */
    const char *meaning;
    pji_check_fn *fn;
};

/* The i-th check; NULL past the last. */
const struct pji_check *pji_check_at(size_t i);
const char *pji_consequence_name(enum pji_consequence consequence);

/* For checks: what they answer. */
void pji_finding_fire(struct pji_finding *finding, enum pji_consequence consequence,
                      const char *format, ...) __attribute__((format(printf, 3, 4)));
void pji_finding_clean(struct pji_finding *finding, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void pji_finding_unknown(struct pji_finding *finding, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

pji_check_fn pji_check_aliased, pji_check_nested,
    pji_check_pseudo_replication; /* finding_design.c */
pji_check_fn pji_check_identical_outputs, pji_check_modelled, pji_check_invalid_trials,
    pji_check_below_baseline;                                         /* finding_records.c */
pji_check_fn pji_check_mixed_windows;                                 /* finding_windows.c */
pji_check_fn pji_check_drift, pji_check_temperature, pji_check_tails; /* finding_noise.c */
pji_check_fn pji_check_meter;                                         /* finding_meter.c */

/* Fills group, cell and roles from table, frame, response, factor(s) and the named design columns;
 * the rest is set by the caller before. unit: column of the units, NULL: recognised by name. */
pj_status pji_evidence_init(struct pji_evidence *evidence, const char *unit,
                            const char *const *named, size_t n_named, struct pj_error *err);
void pji_evidence_fini(struct pji_evidence *evidence);

/* Runs every check: findings (array) gets those that fire, checks (object) gets code → state and
 * reason of all. *forbidding is set when one forbids. */
pj_status pji_findings_run(const struct pji_evidence *evidence, json_t *findings, json_t *checks,
                           bool *forbidding, struct pj_error *err);

/* Of what was concluded (analysis/conclusion.h): how many comparisons were made together, and does
 * what they say depend on it? Adds itself like the others. */
void pji_finding_multiple(const json_t *conclusion, json_t *findings, json_t *checks);

/* Adds one answer: to checks always, to findings when it fires. */
void pji_finding_add(const char *code, const struct pji_finding *finding, json_t *findings,
                     json_t *checks);

/* y minus the mean of its cell; caller frees. *df: values minus cells. */
pj_status pji_cell_residuals(const struct pji_evidence *evidence, double **out, double *df,
                             struct pj_error *err);

#endif
