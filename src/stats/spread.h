/* stats/spread.h - are the variances of groups equal?
 *
 * Levene (1960): one-way ANOVA of |y - group mean|; Brown and Forsythe (1974,
 * doi:10.1080/01621459.1974.10482955): of |y - group median|. Bartlett (1937): likelihood ratio
 * with correction. Fligner and Killeen (1976) in the median-centred form of Conover, Johnson and
 * Johnson (1981, doi:10.1080/00401706.1981.10487680): normal scores of the ranks of
 * |y - group median|.
 */
#ifndef PJI_STATS_SPREAD_H
#define PJI_STATS_SPREAD_H

#include "stats/groups.h"

enum pji_centre { PJI_CENTRE_MEAN, PJI_CENTRE_MEDIAN };

struct pji_levene {
    double F, df1, df2, p;
};

/* Conditions of pji_oneway, of the distances; those that differ by rounding only are constant. */
pj_status pji_levene(const struct pji_groups *groups, enum pji_centre centre,
                     struct pji_levene *out, struct pj_error *err);

struct pji_spread_chisq {
    double statistic, df, p;
};

/* PJI_STATS_FEW: fewer than two groups or a group with one value; PJI_STATS_CONSTANT: a group
 * without variation. */
pj_status pji_bartlett(const struct pji_groups *groups, struct pji_spread_chisq *out,
                       struct pj_error *err);

/* PJI_STATS_FEW: fewer than two groups; PJI_STATS_CONSTANT: all distances equal. */
pj_status pji_fligner_killeen(const struct pji_groups *groups, struct pji_spread_chisq *out,
                              struct pj_error *err);

#endif
