#include "stats/wilcoxon.h"

#include "core/array.h"
#include "stats/moments.h"
#include "stats/normal.h"
#include "stats/pairwise.h"
#include "stats/quantile.h"
#include "stats/rank.h"
#include "stats/rankdist.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* two-sided normal p of a deviation, drawn towards 0 by the correction but not past it */
static double normal_p(double deviation, double sd, double correction)
{
    double z = (deviation - copysign(deviation == 0 ? 0 : correction, deviation)) / sd;
    return fmin(1, 2 * fmin(pji_normal_cdf(z), pji_normal_upper(z)));
}

static pj_status exact_sum(const double *x, const double *y, double level, struct pji_rank_sum *out,
                           struct pj_error *err)
{
    struct pji_rankdist dist;
    pj_status rc = pji_rankdist_sum(out->n1, out->n2, &dist, err);
    if (rc)
        return rc == PJI_STATS_TOO_LARGE ? PJ_OK : rc;
    size_t pairs = out->n1 * out->n2;
    out->has_exact = true;
    out->p_exact = pji_rankdist_two_sided(&dist, out->W);
    size_t low = pji_rankdist_quantile(&dist, (1 - level) / 2);
    low = low == 0 ? 1 : low;
    out->hl_low = pji_difference_select(x, out->n1, y, out->n2, low);
    out->hl_high = pji_difference_select(x, out->n1, y, out->n2, pairs + 1 - low);
    pji_rankdist_fini(&dist);
    return PJ_OK;
}

/* both[] holds x then y; ranks[] has the same length */
static pj_status rank_sum(double *both, double *ranks, size_t exact_below, double level,
                          struct pji_rank_sum *out, struct pj_error *err)
{
    size_t total = out->n1 + out->n2;
    double n1 = (double)out->n1;
    double n2 = (double)out->n2;
    double n = n1 + n2;
    struct pji_ties ties;
    pj_status rc = pji_rank(both, total, ranks, &ties, err);
    if (rc)
        return rc;
    out->ties = ties.any;
    out->W = pji_sum(ranks, out->n1) - n1 * (n1 + 1) / 2;
    pji_sort(both, out->n1);
    pji_sort(both + out->n1, out->n2);
    out->hodges_lehmann = pji_difference_median(both, out->n1, both + out->n1, out->n2);
    double variance = n1 * n2 / 12 * (n + 1 - ties.cubes / (n * (n - 1)));
    if (!(variance > 1e-9 * n1 * n2))
        return PJI_STATS_CONSTANT;
    out->p_normal_cc = normal_p(out->W - n1 * n2 / 2, sqrt(variance), 0.5);
    out->p_normal_nocc = normal_p(out->W - n1 * n2 / 2, sqrt(variance), 0);
    if (ties.any || out->n1 >= exact_below || out->n2 >= exact_below)
        return PJ_OK;
    return exact_sum(both, both + out->n1, level, out, err);
}

pj_status pji_rank_sum(const double *x, size_t n1, const double *y, size_t n2, size_t exact_below,
                       double level, struct pji_rank_sum *out, struct pj_error *err)
{
    const double none = (double)NAN;
    *out = (struct pji_rank_sum){.n1 = n1,
                                 .n2 = n2,
                                 .W = none,
                                 .p_normal_cc = none,
                                 .p_normal_nocc = none,
                                 .hodges_lehmann = none,
                                 .p_exact = none,
                                 .hl_low = none,
                                 .hl_high = none};
    if (!(level > 0 && level < 1))
        return pji_fail(err, PJ_EINVAL, "a confidence level of %g is not between 0 and 1", level);
    pj_status rc = pji_check_finite(x, n1, "rank-sum test, first sample", err);
    if (!rc)
        rc = pji_check_finite(y, n2, "rank-sum test, second sample", err);
    if (rc)
        return rc;
    if (n1 == 0 || n2 == 0)
        return PJI_STATS_FEW;
    double *both = pji_zalloc(2 * (n1 + n2), sizeof *both, err);
    if (!both)
        return PJ_ENOMEM;
    memcpy(both, x, n1 * sizeof *both);
    memcpy(both + n1, y, n2 * sizeof *both);
    rc = rank_sum(both, both + n1 + n2, exact_below, level, out, err);
    free(both);
    return rc;
}

static pj_status exact_signed(struct pji_signed_rank *out, struct pj_error *err)
{
    struct pji_rankdist dist;
    pj_status rc = pji_rankdist_signed(out->n, &dist, err);
    if (rc)
        return rc == PJI_STATS_TOO_LARGE ? PJ_OK : rc;
    out->has_exact = true;
    out->p_exact = pji_rankdist_two_sided(&dist, out->V);
    pji_rankdist_fini(&dist);
    return PJ_OK;
}

/* work holds three arrays of n: the sorted differences, |d| without zeros, ranks */
static pj_status signed_rank(const double *d, double *work, size_t exact_below,
                             struct pji_signed_rank *out, struct pj_error *err)
{
    size_t n = out->n;
    double *sorted = work;
    double *size = work + n;
    double *rank = work + 2 * n;
    memcpy(sorted, d, n * sizeof *sorted);
    pji_sort(sorted, n);
    out->pseudo_median = pji_walsh_median(sorted, n);
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        if (d[i] != 0)
            size[kept++] = fabs(d[i]);
    }
    out->zeros = n - kept;
    struct pji_ties ties;
    pj_status rc = pji_rank(size, kept, rank, &ties, err);
    if (rc)
        return rc;
    out->V = 0;
    for (size_t i = 0, at = 0; i < n; i++) {
        if (d[i] > 0)
            out->V += rank[at];
        at += d[i] != 0;
    }
    if (kept == 0)
        return PJI_STATS_CONSTANT;
    double m = (double)kept;
    double sd = sqrt(m * (m + 1) * (2 * m + 1) / 24 - ties.cubes / 48);
    out->p_normal_cc = normal_p(out->V - m * (m + 1) / 4, sd, 0.5);
    out->p_normal_nocc = normal_p(out->V - m * (m + 1) / 4, sd, 0);
    if (out->zeros > 0 || ties.any || n >= exact_below)
        return PJ_OK;
    return exact_signed(out, err);
}

pj_status pji_signed_rank(const double *d, size_t n, size_t exact_below,
                          struct pji_signed_rank *out, struct pj_error *err)
{
    const double none = (double)NAN;
    *out = (struct pji_signed_rank){.n = n,
                                    .V = none,
                                    .p_normal_cc = none,
                                    .p_normal_nocc = none,
                                    .pseudo_median = none,
                                    .p_exact = none};
    pj_status rc = pji_check_finite(d, n, "signed-rank test", err);
    if (rc)
        return rc;
    if (n == 0)
        return PJI_STATS_FEW;
    double *work = pji_zalloc(3 * n, sizeof *work, err);
    if (!work)
        return PJ_ENOMEM;
    rc = signed_rank(d, work, exact_below, out, err);
    free(work);
    return rc;
}
