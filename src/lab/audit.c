#include "lab/audit.h"

#include "core/array.h"
#include "stats/power.h"
#include "stats/root.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct work {
    const struct pji_study *study;
    const struct pji_plan *plan;
    size_t *first;   /* column of each factor's first level; first[n_factors]: columns */
    double *gram;    /* indicators of all levels over the cells, first[n] squared; NULL: too many */
    double *scratch; /* of the same size */
    size_t *pick;    /* columns of a submatrix */
};

static size_t level_of(const struct work *w, size_t cell, size_t factor)
{
    return w->plan->cell_levels[cell * w->plan->n_factors + factor];
}

/* ---- pairs: parts of the graph of two factors' levels ---- */

static size_t root_of(size_t *parent, size_t node)
{
    while (parent[node] != node)
        node = parent[node] = parent[parent[node]];
    return node;
}

static size_t count_parts(const struct work *w, size_t a, size_t b, size_t *parent)
{
    size_t na = w->study->factors[a].n, nb = w->study->factors[b].n, parts = 0;
    for (size_t i = 0; i < na + nb; i++)
        parent[i] = SIZE_MAX; /* no cell has the level */
    for (size_t c = 0; c < w->plan->n_cells; c++) {
        size_t x = level_of(w, c, a), y = na + level_of(w, c, b);
        parent[x] = parent[x] == SIZE_MAX ? x : parent[x];
        parent[y] = parent[y] == SIZE_MAX ? y : parent[y];
        parent[root_of(parent, x)] = root_of(parent, y);
    }
    for (size_t i = 0; i < na + nb; i++)
        parts += parent[i] == i;
    return parts;
}

static pj_status add_alias(struct pji_plan_audit *audit, const bool *factors, size_t rank,
                           size_t of, struct pj_error *err)
{
    pj_status st = pji_array_reserve(&audit->aliases, &audit->cap_aliases, audit->n_aliases + 1,
                                     sizeof *audit->aliases, err);
    if (st)
        return st;
    struct pji_alias *alias = &audit->aliases[audit->n_aliases];
    *alias = (struct pji_alias){.rank = rank, .of = of};
    alias->factors = pji_zalloc(audit->n_factors + 1, sizeof *alias->factors, err);
    if (!alias->factors)
        return PJ_ENOMEM;
    audit->n_aliases++;
    memcpy(alias->factors, factors, audit->n_factors * sizeof *factors);
    return PJ_OK;
}

static pj_status find_pairs(struct pji_plan_audit *audit, const struct work *w,
                            struct pj_error *err)
{
    size_t n = audit->n_factors, most = 0;
    for (size_t f = 0; f < n; f++)
        most = w->study->factors[f].n > most ? w->study->factors[f].n : most;
    size_t *parent = pji_zalloc(2 * most + 1, sizeof *parent, err);
    bool *both = parent ? pji_zalloc(n + 1, sizeof *both, err) : NULL;
    pj_status st = both ? PJ_OK : PJ_ENOMEM;
    for (size_t a = 0; a < n && st == PJ_OK; a++) {
        for (size_t b = a + 1; b < n && st == PJ_OK; b++) {
            size_t la = audit->tests[a].levels, lb = audit->tests[b].levels;
            if (la < 2 || lb < 2)
                continue;
            size_t parts = count_parts(w, a, b, parent);
            both[a] = both[b] = true;
            if (parts > 1)
                st = add_alias(audit, both, la + lb - parts, la + lb - 1, err);
            both[a] = both[b] = false;
        }
    }
    free(both);
    free(parent);
    return st;
}

/* ---- all main effects: rank of the Gram matrix ---- */

/* Rank of the submatrix of the columns of the chosen factors (never 0: some cell exists). */
static size_t rank_of(const struct work *w, const bool *factors)
{
    size_t width = w->first[w->plan->n_factors], n = 0, rank = 0;
    double *m = w->scratch, largest = 0;
    for (size_t f = 0; f < w->plan->n_factors; f++)
        for (size_t i = w->first[f]; i < w->first[f + 1] && factors[f]; i++)
            w->pick[n++] = i;
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++)
            m[i * n + j] = w->gram[w->pick[i] * width + w->pick[j]];
    for (size_t i = 0; i < n; i++)
        largest = fmax(largest, m[i * n + i]);
    for (size_t step = 0; step < n; step++) {
        size_t pivot = 0;
        for (size_t i = 1; i < n; i++)
            pivot = m[i * n + i] > m[pivot * n + pivot] ? i : pivot;
        double d = m[pivot * n + pivot];
        if (!(d > 1e-9 * largest))
            break;
        rank++;
        for (size_t i = 0; i < n; i++) {
            double factor = m[i * n + pivot] / d;
            for (size_t j = 0; j < n && factor != 0.0 && i != pivot; j++)
                m[i * n + j] -= factor * m[pivot * n + j];
        }
        for (size_t i = 0; i < n; i++)
            m[i * n + pivot] = m[pivot * n + i] = 0.0;
    }
    return rank;
}

/* Contrasts of factor f that the others do not share. The intercept is in the span of any factor's
 * indicators; alone, a factor has one column less than levels for itself. */
static size_t free_df(const struct work *w, bool *others, size_t f)
{
    bool none = true;
    others[f] = false;
    for (size_t g = 0; g < w->plan->n_factors; g++)
        none = none && !others[g];
    size_t without = none ? 1 : rank_of(w, others);
    others[f] = true;
    size_t with = rank_of(w, others);
    others[f] = false;
    return with - without;
}

/* An alias of f that no pair explains: the fewest factors, found by leaving out one by one. */
static pj_status add_joint(struct pji_plan_audit *audit, const struct work *w, size_t f, bool *set,
                           struct pj_error *err)
{
    size_t of = 1;
    for (size_t g = 0; g < audit->n_factors; g++)
        set[g] = g != f && audit->tests[g].levels > 1;
    size_t df = free_df(w, set, f);
    for (size_t g = 0; g < audit->n_factors; g++) {
        if (!set[g])
            continue;
        set[g] = false;
        if (free_df(w, set, f) > df)
            set[g] = true;
    }
    set[f] = true;
    for (size_t i = 0; i < audit->n_aliases; i++)
        if (memcmp(audit->aliases[i].factors, set, audit->n_factors * sizeof *set) == 0)
            return PJ_OK;
    for (size_t g = 0; g < audit->n_factors; g++)
        of += set[g] ? audit->tests[g].levels - 1 : 0;
    return add_alias(audit, set, rank_of(w, set), of, err);
}

static bool in_pair(const struct pji_plan_audit *audit, size_t n_pairs, size_t f)
{
    for (size_t i = 0; i < n_pairs; i++)
        if (audit->aliases[i].factors[f])
            return true;
    return false;
}

/* Each of its levels meets every level of the other factors in equally many cells. */
static bool is_balanced(const struct work *w, size_t f)
{
    size_t width = w->first[w->plan->n_factors];
    for (size_t m = 0; m < width; m++) {
        double first = (double)NAN;
        if (m >= w->first[f] && m < w->first[f + 1])
            continue;
        for (size_t l = w->first[f]; l < w->first[f + 1]; l++) {
            double count = w->gram[l * width + m];
            if (!(w->gram[l * width + l] > 0))
                continue;
            first = isnan(first) ? count : first;
            if (count < first || count > first)
                return false;
        }
    }
    return true;
}

static pj_status find_joint(struct pji_plan_audit *audit, const struct work *w,
                            struct pj_error *err)
{
    size_t n = audit->n_factors, n_pairs = audit->n_aliases;
    bool *set = pji_zalloc(n + 1, sizeof *set, err);
    pj_status st = set ? PJ_OK : PJ_ENOMEM;
    for (size_t f = 0; f < n && st == PJ_OK; f++) {
        for (size_t g = 0; g < n; g++)
            set[g] = true;
        audit->tests[f].balanced = is_balanced(w, f);
        audit->tests[f].df = free_df(w, set, f);
        if (audit->tests[f].df + 1 < audit->tests[f].levels && !in_pair(audit, n_pairs, f))
            st = add_joint(audit, w, f, set, err);
    }
    for (size_t g = 0; g < n && st == PJ_OK; g++)
        set[g] = true;
    if (st == PJ_OK)
        audit->rank = n > 0 ? rank_of(w, set) : 1;
    free(set);
    return st;
}

static pj_status make_gram(struct work *w, struct pj_error *err)
{
    size_t n = w->plan->n_factors, width = w->first[n];
    w->gram = pji_zalloc(width * width + 1, sizeof *w->gram, err);
    w->scratch = pji_zalloc(width * width + 1, sizeof *w->scratch, err);
    w->pick = pji_zalloc(width + 1, sizeof *w->pick, err);
    if (!w->gram || !w->scratch || !w->pick)
        return PJ_ENOMEM;
    for (size_t c = 0; c < w->plan->n_cells; c++)
        for (size_t f = 0; f < n; f++)
            for (size_t g = 0; g < n; g++)
                w->gram[(w->first[f] + level_of(w, c, f)) * width + w->first[g] +
                        level_of(w, c, g)] += 1;
    return PJ_OK;
}

/* ---- degrees of freedom ---- */

static pj_status count_levels(struct pji_plan_audit *audit, const struct work *w, size_t f,
                              struct pj_error *err)
{
    struct pji_factor_test *test = &audit->tests[f];
    size_t n = w->study->factors[f].n;
    double per_cell = (double)w->plan->n_trials / (double)w->plan->n_cells;
    double least = (double)INFINITY, next = (double)INFINITY;
    size_t *count = pji_zalloc(n + 1, sizeof *count, err);
    if (!count)
        return PJ_ENOMEM;
    for (size_t c = 0; c < w->plan->n_cells; c++)
        count[level_of(w, c, f)]++;
    *test = (struct pji_factor_test){.df = SIZE_MAX};
    for (size_t l = 0; l < n; l++) {
        double trials = (double)count[l] * per_cell;
        if (count[l] == 0)
            continue;
        test->levels++;
        if (trials < least) {
            next = least;
            least = trials;
        } else {
            next = fmin(next, trials);
        }
    }
    test->least_n = isfinite(next) ? 2.0 / (1.0 / least + 1.0 / next) : (double)NAN;
    free(count);
    return PJ_OK;
}

/* Without exclusions and nesting every level meets every other one equally often. */
static bool is_full(const struct pji_study *study, const struct pji_plan *plan)
{
    size_t product = 1;
    for (size_t f = 0; f < study->n_factors; f++)
        product *= study->factors[f].n;
    return product == plan->n_cells;
}

static void count_df(struct pji_plan_audit *audit, const struct pji_plan *plan)
{
    audit->residual_df =
        (int64_t)plan->n_trials - (int64_t)plan->n_cells - ((int64_t)plan->n_blocks - 1);
    audit->cell_residual_df =
        audit->rank == SIZE_MAX ? -1 : (int64_t)plan->n_cells - (int64_t)audit->rank;
    audit->pair_df = plan->n_cells > 1 ? (int64_t)plan->n_blocks - 1 : 0;
}

pj_status pji_plan_audit_make(struct pji_plan_audit *audit, const struct pji_study *study,
                              const struct pji_plan *plan, struct pj_error *err)
{
    size_t n = study->n_factors;
    struct work w = {.study = study, .plan = plan};
    *audit = (struct pji_plan_audit){.n_factors = n, .rank = SIZE_MAX};
    audit->tests = pji_zalloc(n + 1, sizeof *audit->tests, err);
    w.first = pji_zalloc(n + 1, sizeof *w.first, err);
    pj_status st = audit->tests && w.first ? PJ_OK : PJ_ENOMEM;
    for (size_t f = 0; f < n && st == PJ_OK; f++) {
        w.first[f + 1] = w.first[f] + study->factors[f].n;
        st = count_levels(audit, &w, f, err);
        audit->tests[f].balanced = is_full(study, plan);
    }
    if (st == PJ_OK)
        st = find_pairs(audit, &w, err);
    if (st == PJ_OK && w.first[n] <= PJI_AUDIT_COLUMNS) {
        st = make_gram(&w, err);
        if (st == PJ_OK)
            st = find_joint(audit, &w, err);
    }
    if (st == PJ_OK)
        count_df(audit, plan);
    free(w.first);
    free(w.gram);
    free(w.scratch);
    free(w.pick);
    if (st)
        pji_plan_audit_fini(audit);
    return st;
}

void pji_plan_audit_fini(struct pji_plan_audit *audit)
{
    for (size_t i = 0; i < audit->n_aliases; i++)
        free(audit->aliases[i].factors);
    free(audit->aliases);
    free(audit->tests);
    *audit = (struct pji_plan_audit){0};
}

/* ---- the smallest difference ---- */

struct target {
    double df, alpha, goal;
};

static double excess(double ncp, const void *context)
{
    const struct target *t = context;
    return pji_power_t(ncp, t->df, t->alpha) - t->goal;
}

/* Two trials of one block differ with sd sqrt(2) cv. */
double pji_plan_audit_detect_pair(const struct pji_plan_audit *audit, double cv, double alpha,
                                  double goal)
{
    if (audit->pair_df < 1)
        return (double)NAN;
    return pji_detectable_paired((double)audit->pair_df + 1, alpha, goal) * sqrt(2.0) * cv;
}

double pji_plan_audit_detect_factor(const struct pji_plan_audit *audit, size_t factor, double cv,
                                    double alpha, double goal)
{
    const struct pji_factor_test *test = &audit->tests[factor];
    struct target target = {(double)audit->residual_df, alpha, goal};
    if (audit->residual_df < 1 || test->levels < 2)
        return (double)NAN;
    double ncp = pji_root_monotone(excess, &target, 1.0, 1.0, 1);
    return ncp * sqrt(2.0 / test->least_n) * cv;
}
