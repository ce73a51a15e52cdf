#include "stats/mcnemar.h"

#include "stats/beta.h"
#include "stats/gammadist.h"

#include <math.h>

double pji_binomial_cdf(size_t k, size_t n, double p)
{
    if (!(p >= 0 && p <= 1))
        return (double)NAN;
    if (k >= n)
        return 1;
    /* P(X <= k) = I_(1-p)(n - k, k + 1), DLMF 8.17.5 */
    struct pji_tails t = pji_beta_tails((long double)(n - k), (long double)k + 1,
                                        1 - (long double)p, (long double)p);
    return (double)t.lower;
}

pj_status pji_mcnemar(size_t b, size_t c, struct pji_mcnemar *out)
{
    const double none = (double)NAN;
    *out = (struct pji_mcnemar){none, none, none, none, none};
    double total = (double)b + (double)c;
    if (!(total > 0))
        return PJI_STATS_FEW;
    double gap = fabs((double)b - (double)c);
    double corrected = gap > 1 ? gap - 1 : 0;
    out->chi2 = gap * gap / total;
    out->p = pji_chisq_upper(out->chi2, 1);
    out->chi2_cc = corrected * corrected / total;
    out->p_cc = pji_chisq_upper(out->chi2_cc, 1);
    out->p_exact = fmin(1, 2 * pji_binomial_cdf(b < c ? b : c, b + c, 0.5));
    return PJ_OK;
}
