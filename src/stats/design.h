/* stats/design.h - the columns of a linear model.
 *
 * A model is a list of terms, each a set of variables; a variable is a factor (codes) or a
 * covariate (numbers). Coding of a factor inside a term (J. M. Chambers and T. J. Hastie,
 * Statistical Models in S, 1992, section 2.4.1): k - 1 contrasts when a term before this one
 * contains all its other variables (the intercept counts as the empty term), an indicator for each
 * level otherwise; without an intercept the first factor of the first term that has one gets all
 * its indicators. In a term the first variable varies fastest.
 */
#ifndef PJI_STATS_DESIGN_H
#define PJI_STATS_DESIGN_H

#include "stats/matrix.h"

#include <stdbool.h>
#include <stdint.h>

enum { PJI_VARIABLES = 32 };

struct pji_variable {
    const size_t *code; /* factor: level of each row, 0 … levels - 1; NULL for a covariate */
    size_t levels;
    const double *x; /* covariate: value of each row */
};

struct pji_terms {
    const struct pji_variable *variable;
    size_t variables;     /* at most PJI_VARIABLES */
    const uint32_t *term; /* bit v: variable v takes part */
    size_t terms;
    bool intercept;
    size_t n; /* rows */
};

/* Treatment: level 1 is the reference. Sum: the last level is minus the others, so that main
 * effects are deviations from the mean of level means. Indicator: every level its own column in
 * every term (rank deficient on purpose). */
enum pji_coding { PJI_CODING_TREATMENT, PJI_CODING_SUM, PJI_CODING_INDICATOR };

struct pji_design {
    struct pji_terms model; /* borrowed arrays */
    enum pji_coding coding;
    struct pji_matrix x;
    size_t *first;  /* of each term, its first column; first[terms] is the number of columns */
    uint32_t *full; /* of each term, the factors that are coded by all indicators */
};

/* PJ_EINVAL: no rows, a term with an unknown variable, a factor with fewer than two levels or a
 * code out of range, a covariate that is not finite. */
pj_status pji_design_init(struct pji_design *design, const struct pji_terms *model,
                          enum pji_coding coding, struct pj_error *err);
void pji_design_fini(struct pji_design *design);

/* A point of the design: for each variable its level or its value. */
struct pji_point {
    size_t code[PJI_VARIABLES];
    double x[PJI_VARIABLES];
};

/* The row of the design at a point: row has x.cols elements. */
void pji_design_row(const struct pji_design *design, const struct pji_point *point, double *row);

/* The variables of a term, covariates included, whose margin no term before it contains: factors
 * among them are coded by all of their levels. A missing intercept does not count here. */
uint32_t pji_design_full(const struct pji_design *design, size_t term);

/* The term of a column, terms when it is the intercept. */
size_t pji_design_term(const struct pji_design *design, size_t column);
/* Of a column of a term, which level (0-based, into all levels) each factor stands for; for
 * treatment and indicator coding. Undefined for variables outside the term. */
void pji_design_levels(const struct pji_design *design, size_t column, size_t *level);

#endif
