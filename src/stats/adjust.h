/* stats/adjust.h - p-values adjusted for m comparisons made together.
 *
 * Sorted p(1) <= … <= p(m):
 *   BH          min over j >= i of m p(j)/j   (Y. Benjamini and Y. Hochberg 1995)
 *   BY          the same times sum of 1/i     (Y. Benjamini and D. Yekutieli 2001)
 *   HOLM        max over j <= i of (m - j + 1) p(j)   (S. Holm 1979)
 *   HOCHBERG    min over j >= i of (m - j + 1) p(j)   (Y. Hochberg 1988)
 *   HOMMEL      closed testing with Simes' test (G. Hommel 1988; S. P. Wright 1992)
 *   BONFERRONI  m p
 *   BH_RAW      m p(i)/i without the running minimum: what the Dunn test programs print
 * all at most 1. Tukey's adjustment needs the design: pji_tukey_upper(|t| sqrt 2, means, df).
 */
#ifndef PJI_STATS_ADJUST_H
#define PJI_STATS_ADJUST_H

#include "stats/condition.h"

#include <stddef.h>

enum pji_adjust {
    PJI_ADJUST_NONE,
    PJI_ADJUST_BH,
    PJI_ADJUST_BY,
    PJI_ADJUST_HOLM,
    PJI_ADJUST_HOCHBERG,
    PJI_ADJUST_HOMMEL,
    PJI_ADJUST_BONFERRONI,
    PJI_ADJUST_BH_RAW
};

/* p[0..m) in [0, 1]: PJ_EINVAL otherwise. A missing p (NaN) stays missing and does not count
 * among the m. out may be p. */
pj_status pji_adjust_p(enum pji_adjust method, const double *p, size_t m, double *out,
                       struct pj_error *err);

#endif
