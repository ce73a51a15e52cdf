/* stats/correlation.h - Pearson, Spearman and Kendall.
 *
 * Pearson: t on n - 2 df; interval by Fisher's z = atanh r with sd 1/sqrt(n - 3).
 * Spearman: Pearson of mid-ranks; S = (n^3 - n)(1 - rho)/6; p from t on n - 2 df, exactly by
 * enumeration (n <= 9), and by the Edgeworth series of AS 89 (D. J. Best and D. E. Roberts 1975,
 * doi:10.2307/2347111) for larger n. Kendall: tau-b; z from the tie-corrected variance of
 * concordant minus discordant pairs (M. G. Kendall 1970), exact p without ties. Concordance counted
 * by merge sort in O(n log n) (W. R. Knight 1966, doi:10.1080/01621459.1966.10480879).
 */
#ifndef PJI_STATS_CORRELATION_H
#define PJI_STATS_CORRELATION_H

#include "stats/condition.h"

#include <stdbool.h>
#include <stddef.h>

struct pji_pearson {
    double r, t, df, p, low, high; /* interval missing for n < 4 or |r| = 1 */
};

/* PJI_STATS_FEW: n < 3; PJI_STATS_CONSTANT: x or y does not vary; PJI_STATS_UNDEFINED: |r| = 1 to
 * rounding (r given, p = 0, no t, no interval). */
pj_status pji_pearson(const double *x, const double *y, size_t n, double level,
                      struct pji_pearson *out, struct pj_error *err);

struct pji_spearman {
    double rho, S, p_t;
    bool ties;
    double p_exact; /* no ties and n <= 9 */
    double p_as89;  /* no ties and 10 <= n <= 1290 */
};

/* PJI_STATS_FEW: n < 3; PJI_STATS_CONSTANT: x or y does not vary. */
pj_status pji_spearman(const double *x, const double *y, size_t n, struct pji_spearman *out,
                       struct pj_error *err);

struct pji_kendall {
    double tau_b, z, p_normal;
    bool ties;
    double p_exact; /* no ties and n < exact_below */
};

/* PJI_STATS_FEW: n < 2; PJI_STATS_CONSTANT: x or y does not vary. */
pj_status pji_kendall(const double *x, const double *y, size_t n, size_t exact_below,
                      struct pji_kendall *out, struct pj_error *err);

#endif
