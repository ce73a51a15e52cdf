/* stats/emm.h - estimated marginal means and contrasts of a fitted linear (mixed) model.
 *
 * The reference grid has every combination of the factors' levels and of the given values of each
 * covariate; a marginal mean averages the model's prediction over the grid with equal weights
 * (S. R. Searle, F. M. Speed, G. A. Milliken 1980, doi:10.1080/00031305.1980.10483031). All of
 * them, and their contrasts, are linear functions l'beta.
 */
#ifndef PJI_STATS_EMM_H
#define PJI_STATS_EMM_H

#include "stats/condition.h"
#include "stats/design.h"

/* Values of the covariates in the grid: for variable v, count[v] values (usually one: the mean).
 * Entries of factors and of variables that no term uses are ignored. */
struct pji_grid {
    const double *value[PJI_VARIABLES];
    size_t count[PJI_VARIABLES];
};

/* rows: one row of coefficients (p columns of the design) for each combination of levels of the
 * factors in `spec` (indices of variables), the first one varying fastest. PJ_EINVAL when spec
 * names a covariate, a factor that no term uses, or one twice. */
pj_status pji_emm_rows(const struct pji_design *design, const size_t *spec, size_t specs,
                       const struct pji_grid *grid, struct pji_matrix *rows, struct pj_error *err);

/* The same for one factor within each combination of the levels of the factors in by[], and where
 * factors are nested (stats/nesting.h): what is averaged over is averaged within what it is nested
 * in; what is asked for brings that with it. */
struct pji_emm_cells {
    struct pji_matrix rows;    /* one for each marginal mean */
    size_t key[PJI_VARIABLES]; /* the variables whose levels name a mean, the first fastest */
    size_t keys;
    size_t *level;            /* mean * keys + key */
    size_t by[PJI_VARIABLES]; /* means are compared with those that agree in these */
    size_t bys;
};

/* PJI_STATS_TOO_LARGE: nested factors in a grid of more than 40 million numbers. */
pj_status pji_emm_cells_init(struct pji_emm_cells *cells, const struct pji_design *design,
                             size_t factor, const size_t *by, size_t bys,
                             const struct pji_grid *grid, struct pj_error *err);
void pji_emm_cells_fini(struct pji_emm_cells *cells);

enum pji_contrast {
    PJI_CONTRAST_CONSECUTIVE, /* 2 - 1, 3 - 2, … */
    PJI_CONTRAST_POLYNOMIAL, /* orthogonal polynomials, smallest integers, degree 1 … min(6, k-1) */
    PJI_CONTRAST_PAIRWISE    /* 1 - 2, 1 - 3, …, 2 - 3, … */
};

size_t pji_contrast_count(enum pji_contrast kind, size_t k);
/* Coefficients of contrast `index` of k means. Polynomials are those of Fisher and Yates' tables
 * (Gram polynomials on 0 … k - 1 divided by their greatest common divisor), leading coefficient
 * positive; k up to 200. */
void pji_contrast_row(enum pji_contrast kind, size_t k, size_t index, double *coefficient);
/* The pair of a consecutive or pairwise contrast: coefficient +1 and -1. */
void pji_contrast_pair(enum pji_contrast kind, size_t k, size_t index, size_t *plus, size_t *minus);

/* What is needed of a fit to estimate l'beta. */
struct pji_estimator {
    size_t p;
    const double *beta;            /* NaN where not estimable */
    const struct pji_matrix *cov;  /* p by p, zero for coefficients that are not estimable */
    const struct pji_matrix *null; /* null space of the design, p by p - rank */
    double (*df)(const struct pji_estimator *self, const double *l);
    const void *ctx;
};

struct pji_estimate {
    double estimate, se, df, t, p, low, high;
};

/* Unadjusted p and interval. PJI_STATS_DEFICIENT: l'beta is not estimable or l has a NaN (nothing
 * given);
 * PJI_STATS_CONSTANT: no standard error (estimate only). */
pj_status pji_estimate(const struct pji_estimator *fit, const double *l, double level,
                       struct pji_estimate *out, struct pj_error *err);

/* The estimator of a linear model; cov (p by p) is made here and freed by the caller. */
struct pji_lm;
pj_status pji_lm_estimator(const struct pji_lm *lm, struct pji_estimator *out,
                           struct pji_matrix *cov, struct pj_error *err);

#endif
