#include "stats/friedman.h"

#include "core/array.h"
#include "stats/gammadist.h"
#include "stats/moments.h"
#include "stats/rank.h"

#include <math.h>
#include <stdlib.h>

static pj_status test(struct pji_friedman *f, double cubes)
{
    double b = (double)f->blocks;
    double k = (double)f->treatments;
    if (f->blocks < 1 || f->treatments < 2)
        return PJI_STATS_FEW;
    long double between = 0;
    for (size_t j = 0; j < f->treatments; j++) {
        long double shift = (long double)f->rank_sum[j] - (long double)(b * (k + 1) / 2);
        between += shift * shift;
    }
    double scale = b * k * (k + 1) - cubes / (k - 1);
    if (!(scale > 1e-9))
        return PJI_STATS_CONSTANT;
    f->chi2 = (double)(12 * between / (long double)scale);
    f->df = k - 1;
    f->p = pji_chisq_upper(f->chi2, f->df);
    f->kendalls_w = f->chi2 / (b * (k - 1));
    return PJ_OK;
}

pj_status pji_friedman(const double *y, size_t blocks, size_t treatments, struct pji_friedman *out,
                       struct pj_error *err)
{
    const double none = (double)NAN;
    *out = (struct pji_friedman){blocks, treatments, none, none, none, none, NULL};
    pj_status rc = pji_check_finite(y, blocks * treatments, "Friedman test", err);
    if (rc)
        return rc;
    double *rank = pji_zalloc(treatments + 1, sizeof *rank, err);
    out->rank_sum = pji_zalloc(treatments + 1, sizeof *out->rank_sum, err);
    if (!rank || !out->rank_sum)
        rc = PJ_ENOMEM;
    double cubes = 0;
    for (size_t b = 0; !rc && b < blocks; b++) {
        struct pji_ties ties;
        rc = pji_rank(y + b * treatments, treatments, rank, &ties, err);
        for (size_t j = 0; !rc && j < treatments; j++)
            out->rank_sum[j] += rank[j];
        cubes += rc ? 0 : ties.cubes;
    }
    free(rank);
    if (!rc)
        rc = test(out, cubes);
    if (rc < 0)
        pji_friedman_fini(out);
    return rc;
}

void pji_friedman_fini(struct pji_friedman *friedman)
{
    free(friedman->rank_sum);
    friedman->rank_sum = NULL;
}
