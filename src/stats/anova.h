/* stats/anova.h - sums of squares of the terms of a linear model, types I, II and III.
 *
 * The sum of squares of a term is what its columns add to a smaller model, by the effects of one
 * QR: I    to the terms before it; II   to all terms that do not contain it (marginality; F. Yates
 * 1934); III  to all other terms, factors in sum coding: the hypothesis that the term's parameters
 * are zero when level means are weighted equally. All use the residual mean square of the whole
 * model (J. Fox, Applied Regression Analysis, 2016, chapter 8). With SSe, MSe, N: eta2_partial =
 * SS/(SS + SSe), eta2 = SS/(sum of SS of this type + SSe), omega2_partial = (SS - df MSe)/(SS + (N
 * - df) MSe), epsilon2_partial = (SS - df MSe)/ (SS + SSe), cohens_f_partial = sqrt(SS/SSe).
 */
#ifndef PJI_STATS_ANOVA_H
#define PJI_STATS_ANOVA_H

#include "stats/condition.h"
#include "stats/design.h"

enum pji_anova_type { PJI_ANOVA_I, PJI_ANOVA_II, PJI_ANOVA_III };

struct pji_anova_row {
    double ss, df, ms, F, p;
    double eta2_partial, eta2, omega2_partial, epsilon2_partial, cohens_f_partial;
};

/* One row for each term of the model, in its order; a term that adds no dimension has df 0 and
 * nothing else. Conditions: PJI_STATS_DEFICIENT for type III of a design with empty cells or
 * aliased terms (all rows missing: the hypotheses are not defined by the coding alone);
 * PJI_STATS_SATURATED or PJI_STATS_CONSTANT: no residual, rows have ss, df and ms only. */
pj_status pji_anova(const struct pji_terms *model, const double *y, enum pji_anova_type type,
                    struct pji_anova_row *rows, struct pj_error *err);

/* What the columns `added` explain of y beyond the columns `base` of x: sum of squares and its
 * degrees of freedom. */
pj_status pji_added_ss(const struct pji_matrix *x, const size_t *base, size_t n_base,
                       const size_t *added, size_t n_added, const double *y, double *ss, double *df,
                       struct pj_error *err);

#endif
