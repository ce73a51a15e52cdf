/* lab/audit.h - what a plan can and cannot tell apart: aliases of factors, degrees of freedom of
 * the planned tests, the smallest difference that they find. Pure.
 *
 * The main effects of two factors are aliased where the graph of their levels, joined by the cells
 * that have both, falls into several parts: with a and b levels in c parts, their columns have rank
 * a + b - c instead of a + b - 1, so c - 1 contrasts belong to both alike. More than two factors
 * can be aliased together without any pair being so; that is found by the rank of the columns of
 * all main effects (their Gram matrix over the cells, by pivoted Cholesky), when there are at most
 * PJI_AUDIT_COLUMNS of them.
 */
#ifndef PJI_LAB_AUDIT_H
#define PJI_LAB_AUDIT_H

#include "lab/design.h"

enum { PJI_AUDIT_COLUMNS = 400 };

/* The test of a factor's main effect beside all other main effects. */
struct pji_factor_test {
    size_t levels;  /* that some cell has */
    size_t df;      /* contrasts that no other factor shares; SIZE_MAX: not searched */
    double least_n; /* trials of the two rarest levels, harmonic mean: of each of two groups */
    bool balanced;  /* each of its levels meets the levels of every other factor equally often */
};

struct pji_alias {
    bool *factors;   /* n_factors flags: those that are aliased with each other */
    size_t rank, of; /* of the columns that these factors have with the intercept */
};

struct pji_plan_audit {
    struct pji_factor_test *tests; /* n_factors */
    struct pji_alias *aliases;
    size_t n_aliases, cap_aliases, n_factors;
    size_t rank;              /* of intercept and all main effects; SIZE_MAX: not searched */
    int64_t residual_df;      /* of trials: blocks and cell means (all interactions) taken out */
    int64_t cell_residual_df; /* one value for each cell: main effects taken out; -1: not known */
    int64_t pair_df;          /* two treatments compared within blocks; 0: no such comparison */
};

pj_status pji_plan_audit_make(struct pji_plan_audit *audit, const struct pji_study *study,
                              const struct pji_plan *plan, struct pj_error *err);
void pji_plan_audit_fini(struct pji_plan_audit *audit);

/* The smallest relative difference found with probability `goal` at two-sided `alpha`, when trials
 * of one cell scatter by the coefficient of variation cv. NaN: there is no such test. */
double pji_plan_audit_detect_pair(const struct pji_plan_audit *audit, double cv, double alpha,
                                  double goal);
double pji_plan_audit_detect_factor(const struct pji_plan_audit *audit, size_t factor, double cv,
                                    double alpha, double goal);

#endif
