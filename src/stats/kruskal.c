#include "stats/kruskal.h"

#include "core/array.h"
#include "stats/gammadist.h"
#include "stats/normal.h"
#include "stats/rank.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void mean_ranks(struct pji_kruskal *k, const struct pji_groups *groups, const double *rank)
{
    for (size_t i = 0; i < groups->n; i++) {
        k->mean_rank[groups->code[i]] += rank[i];
        k->count[groups->code[i]] += 1;
    }
    for (size_t g = 0; g < groups->k; g++)
        k->mean_rank[g] /= k->count[g];
}

static pj_status test(struct pji_kruskal *k, double cubes)
{
    double n = (double)k->n;
    if (k->n < 2)
        return PJI_STATS_FEW;
    k->tie_correction = 1 - cubes / (n * n * n - n);
    k->variance = n * (n + 1) / 12 - cubes / (12 * (n - 1));
    if (k->k < 2)
        return PJI_STATS_FEW;
    if (!(k->tie_correction > 0))
        return PJI_STATS_CONSTANT;
    long double between = 0;
    for (size_t g = 0; g < k->k; g++) {
        long double shift = (long double)k->mean_rank[g] - (long double)(n + 1) / 2;
        between += (long double)k->count[g] * shift * shift;
    }
    k->H = (double)(between / (long double)k->variance);
    k->df = (double)k->k - 1;
    k->p = pji_chisq_upper(k->H, k->df);
    k->epsilon2_rank = k->H / (n - 1);
    if (k->n == k->k)
        return PJI_STATS_SATURATED;
    k->eta2_H = (k->H - k->df) / (n - (double)k->k);
    return PJ_OK;
}

pj_status pji_kruskal(const struct pji_groups *groups, struct pji_kruskal *out,
                      struct pj_error *err)
{
    const double none = (double)NAN;
    *out = (struct pji_kruskal){.n = groups->n,
                                .k = groups->k,
                                .H = none,
                                .df = none,
                                .p = none,
                                .epsilon2_rank = none,
                                .eta2_H = none,
                                .tie_correction = none,
                                .variance = none};
    struct pji_split split;
    pj_status rc = pji_split_init(&split, groups, err); /* checks the input */
    if (rc)
        return rc;
    pji_split_fini(&split);
    double *rank = pji_zalloc(groups->n + 1, sizeof *rank, err);
    out->mean_rank = pji_zalloc(groups->k + 1, sizeof *out->mean_rank, err);
    out->count = pji_zalloc(groups->k + 1, sizeof *out->count, err);
    struct pji_ties ties;
    rc = rank && out->mean_rank && out->count ? pji_rank(groups->y, groups->n, rank, &ties, err)
                                              : PJ_ENOMEM;
    if (!rc) {
        mean_ranks(out, groups, rank);
        rc = test(out, ties.cubes);
    }
    free(rank);
    if (rc < 0)
        pji_kruskal_fini(out);
    return rc;
}

void pji_kruskal_fini(struct pji_kruskal *kruskal)
{
    free(kruskal->mean_rank);
    free(kruskal->count);
    kruskal->mean_rank = NULL;
    kruskal->count = NULL;
}

pj_status pji_dunn(const struct pji_kruskal *kruskal, size_t i, size_t j, struct pji_dunn *out)
{
    *out = (struct pji_dunn){(double)NAN, (double)NAN};
    double square = kruskal->variance * (1 / kruskal->count[i] + 1 / kruskal->count[j]);
    if (!(square > 0) || !(kruskal->tie_correction > 0))
        return PJI_STATS_CONSTANT;
    out->z = (kruskal->mean_rank[i] - kruskal->mean_rank[j]) / sqrt(square);
    out->p = pji_normal_two_sided(out->z);
    return PJ_OK;
}
