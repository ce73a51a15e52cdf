/* One response in the groups of one factor, paired or not: see analysis/analyse.h. */
#include "analysis/analyse_parts.h"

#include "analysis/assumptions.h"
#include "analysis/by.h"
#include "analysis/by_extra.h"
#include "analysis/finding.h"
#include "analysis/layout.h"
#include "analysis/paired.h"
#include "core/array.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct grouped {
    struct pji_frame frame;
    struct pji_factor factor;
    double *y;
    struct pji_by by;
};

static void grouped_fini(struct grouped *g)
{
    pji_frame_fini(&g->frame);
    pji_factor_fini(&g->factor);
    free(g->y);
}

/* rows with a value in every one of the columns, and listed levels only */
static pj_status choose_rows(struct pji_route *route, const char *const *names, size_t n,
                             size_t *cols, struct pj_error *err)
{
    for (size_t i = 0; i < n; i++) {
        pj_status rc = pji_table_find(route->table, names[i], &cols[i], err);
        if (rc)
            return rc;
        pji_keep_present(route->table, cols[i], route->keep, &route->left_out);
        const struct pji_level_order *order = pji_order_of(&route->options, names[i]);
        if (order)
            rc = pji_keep_listed(route->table, cols[i], order, route->keep, &route->left_out, err);
        if (rc)
            return rc;
    }
    return PJ_OK;
}

static pj_status grouped_init(struct grouped *g, struct pji_route *route, size_t response,
                              size_t by, struct pj_error *err)
{
    memset(g, 0, sizeof *g);
    pj_status rc = pji_frame_init(&g->frame, route->table, route->keep, err);
    if (!rc && g->frame.n == 0)
        rc = pji_fail(err, PJ_EINVAL, "%s: no row is left to analyse", route->table->name);
    if (!rc)
        rc = pji_frame_numbers(&g->frame, response, PJI_FN_NONE, &g->y, err);
    if (!rc)
        rc = pji_frame_factor(&g->frame, by, pji_order_of(&route->options, route->request->by),
                              &g->factor, err);
    if (!rc && g->factor.k < 2)
        rc = pji_fail(err, PJ_EINVAL,
                      "column '%s' has one level ('%s') in the %zu rows used: there is nothing to "
                      "compare",
                      route->request->by, g->factor.level[0], g->frame.n);
    g->by = (struct pji_by){g->y, g->factor.code, g->frame.n, g->factor.k,
                            (const char *const *)g->factor.level};
    route->used = g->frame.n;
    return rc;
}

static const struct {
    const char *group;
    pji_by_fn *fn;
} by_groups[] = {
    {"descriptive", pji_by_descriptive}, {"shapiro", pji_by_shapiro}, {"levene", pji_by_levene},
    {"oneway", pji_by_oneway},           {"kruskal", pji_by_kruskal}, {"dunn", pji_by_dunn},
    {"wilcoxon", pji_by_wilcoxon},       {"cliff", pji_by_cliff},     {"ttest", pji_by_ttest},
};

static pj_status one_factor(const struct grouped *g, struct pji_route *route, struct pj_error *err)
{
    struct pji_variable variable = {g->by.code, g->by.k, NULL};
    uint32_t term = 1;
    const char *name = route->request->by;
    const char *const *level = g->by.levels;
    struct pji_model model = {.y = g->y,
                              .terms = {&variable, 1, &term, 1, true, g->by.n},
                              .name = &name,
                              .level = &level};
    struct pji_model_spec spec = {0, NULL, 0};
    pj_status rc = PJ_OK;
    json_t *o = NULL;
    if (pji_route_wants(route, "shapiro_residuals")) {
        rc = pji_shapiro_residuals(g->y, &model.terms, &o, route->omitted, err);
        pji_put_object(route->out, "shapiro_residuals", o);
        o = NULL;
    }
    if (!rc && pji_route_wants(route, "assumptions")) {
        rc = pji_assumptions(g->y, &model.terms, g->by.code, g->by.k, pji_route_alpha(route), &o,
                             err);
        pji_put_object(route->out, "assumptions", o);
        o = NULL;
    }
    if (!rc && pji_route_wants(route, "contrast")) {
        rc = pji_model_contrast(&model, &spec, &o, route->omitted, err);
        pji_put_object(route->out, "contrast", o);
        o = NULL;
    }
    if (!rc && pji_route_wants(route, "lm")) {
        rc = pji_model_lm(&model, &o, route->omitted, err);
        pji_put_object(route->out, "lm", o);
    }
    return rc;
}

/* what is computed only when it is asked for */
static pj_status extras(const struct grouped *g, struct pji_route *route, struct pj_error *err)
{
    const struct pji_analysis *r = route->request;
    double alpha = pji_route_alpha(route);
    pj_status rc = PJ_OK;
    json_t *o = NULL;
    if (pji_route_names(route, "equivalence") && !r->equivalence)
        return pji_fail(err, PJ_EINVAL,
                        "the test equivalence needs limits: --equivalence LOW,HIGH");
    if (r->equivalence) {
        rc = pji_by_equivalence(&g->by, r->low, r->high, alpha, &o, route->omitted, err);
        pji_put_object(route->out, "equivalence", o);
        o = NULL;
    }
    if (!rc && pji_route_names(route, "bootstrap")) {
        rc = pji_by_bootstrap(&g->by, r->seed, &o, route->omitted, err);
        pji_put_object(route->out, "bootstrap", o);
        o = NULL;
    }
    if (!rc && pji_route_names(route, "power")) {
        rc = pji_by_power(&g->by, alpha, 0.8, &o, route->omitted, err);
        pji_put_object(route->out, "power", o);
    }
    return rc;
}

static void judge(struct pji_route *route)
{
    json_t *oneway = json_object_get(route->out, "oneway");
    if (oneway && !json_object_get(oneway, "F"))
        pji_route_find(route, true,
                       "no test between the groups of '%s' is possible: the values do not vary "
                       "within groups, or there are too few",
                       route->request->by);
}

static pj_status blocks(const struct grouped *g, struct pji_route *route, struct pj_error *err);

pj_status pji_route_by(struct pji_route *route, struct pj_error *err)
{
    const struct pji_analysis *r = route->request;
    const char *names[2] = {r->response, r->by};
    size_t cols[2];
    struct grouped g;
    pj_status rc = choose_rows(route, names, 2, cols, err);
    if (rc)
        return rc;
    rc = grouped_init(&g, route, cols[0], cols[1], err);
    if (!rc && r->paired_by)
        rc = blocks(&g, route, err);
    for (size_t i = 0; !rc && !r->paired_by && i < sizeof by_groups / sizeof *by_groups; i++) {
        json_t *o = NULL;
        if (!pji_route_wants(route, by_groups[i].group))
            continue;
        rc = by_groups[i].fn(&g.by, &o, route->omitted, err);
        pji_put_object(route->out, by_groups[i].group, o);
    }
    if (!rc && !r->paired_by)
        rc = one_factor(&g, route, err);
    if (!rc && !r->paired_by)
        rc = extras(&g, route, err);
    if (!rc && !r->paired_by)
        rc = pji_route_examine(route, &g.frame, cols[0], &cols[1], 1, PJI_NO_COLUMN, err);
    if (!rc)
        judge(route);
    grouped_fini(&g);
    return rc;
}

/* ---- blocks ---- */

struct block_table {
    double *mean; /* block * treatments + treatment: mean of the values there */
    double *count;
    size_t blocks, complete, most;
};

static pj_status fill_blocks(const struct grouped *g, const struct pji_factor *block,
                             struct block_table *t, struct pj_error *err)
{
    size_t cells = block->k * g->by.k;
    t->mean = pji_zalloc(cells + 1, sizeof *t->mean, err);
    t->count = pji_zalloc(cells + 1, sizeof *t->count, err);
    if (!t->mean || !t->count)
        return PJ_ENOMEM;
    for (size_t i = 0; i < g->by.n; i++) {
        size_t cell = block->code[i] * g->by.k + g->by.code[i];
        t->mean[cell] += g->y[i];
        t->count[cell] += 1;
    }
    for (size_t b = 0; b < block->k; b++) {
        bool complete = true;
        for (size_t j = 0; j < g->by.k; j++) {
            double count = t->count[b * g->by.k + j];
            complete = complete && count > 0;
            t->most = count > (double)t->most ? (size_t)count : t->most;
        }
        if (!complete)
            continue;
        for (size_t j = 0; j < g->by.k; j++)
            t->mean[t->complete * g->by.k + j] =
                t->mean[b * g->by.k + j] / t->count[b * g->by.k + j];
        t->complete++;
    }
    t->blocks = block->k;
    return PJ_OK;
}

static pj_status signed_pairs(const struct grouped *g, const struct block_table *t,
                              struct pji_route *route, struct pj_error *err)
{
    size_t k = g->by.k;
    double *x = pji_zalloc(2 * t->complete + 2, sizeof *x, err);
    if (!x)
        return PJ_ENOMEM;
    double *y = x + t->complete + 1;
    json_t *pairs = json_object();
    pj_status rc = PJ_OK;
    for (size_t i = 0; !rc && i < k; i++) {
        for (size_t j = i + 1; !rc && j < k; j++) {
            struct pji_str name = {0};
            json_t *o = NULL;
            for (size_t b = 0; b < t->complete; b++) {
                x[b] = t->mean[b * k + i];
                y[b] = t->mean[b * k + j];
            }
            pji_str_addf(&name, "%s - %s", g->by.levels[i], g->by.levels[j]);
            rc = pji_paired_signedrank(x, y, t->complete, &o, route->omitted, err);
            if (!rc)
                rc = pji_str_ok(&name, err);
            pji_put_object(pairs, pji_str_text(&name), o);
            pji_str_fini(&name);
        }
    }
    free(x);
    /* with two treatments the only pair is the result */
    if (!rc && k == 2) {
        json_t *only = json_object_iter_value(json_object_iter(pairs));
        json_object_set(route->out, "signedrank", only);
        json_decref(pairs);
    } else {
        pji_put_object(route->out, "signedrank", pairs);
    }
    return rc;
}

/* every pair of treatments, of answers that are right (1) or wrong (0) */
static pj_status yes_or_no(const struct grouped *g, const struct block_table *t,
                           struct pji_route *route, struct pj_error *err)
{
    size_t k = g->by.k;
    if (!pji_all_yes_or_no(t->mean, t->complete * k)) {
        if (pji_route_names(route, "mcnemar"))
            return pji_fail(err, PJ_EINVAL,
                            "mcnemar compares answers that are 0 or 1, one in each block: '%s' has "
                            "other values",
                            route->request->response);
        return PJ_OK;
    }
    double *x = pji_zalloc(2 * t->complete + 2, sizeof *x, err);
    if (!x)
        return PJ_ENOMEM;
    double *y = x + t->complete + 1;
    json_t *pairs = json_object();
    pj_status rc = PJ_OK;
    for (size_t i = 0; !rc && i < k; i++) {
        for (size_t j = i + 1; !rc && j < k; j++) {
            struct pji_str name = {0};
            for (size_t b = 0; b < t->complete; b++) {
                x[b] = t->mean[b * k + i];
                y[b] = t->mean[b * k + j];
            }
            pji_str_addf(&name, "%s - %s", g->by.levels[i], g->by.levels[j]);
            rc = pji_str_ok(&name, err);
            if (!rc)
                rc = pji_paired_mcnemar(x, y, t->complete, pji_str_text(&name), pairs,
                                        route->omitted);
            pji_str_fini(&name);
        }
    }
    free(x);
    pji_put_object(route->out, "mcnemar", pairs);
    return rc;
}

static pj_status paired_tests(const struct grouped *g, const struct block_table *t,
                              struct pji_route *route, struct pj_error *err)
{
    if (t->most > 1)
        pji_route_find(route, false,
                       "blocks of '%s' have up to %zu values of one treatment: their means are "
                       "compared",
                       route->request->paired_by, t->most);
    if (t->complete < t->blocks)
        pji_route_find(route, t->complete < 2,
                       "%zu of %zu blocks of '%s' lack a treatment and are left out",
                       t->blocks - t->complete, t->blocks, route->request->paired_by);
    pj_status rc = PJ_OK;
    if (pji_route_wants(route, "signedrank"))
        rc = signed_pairs(g, t, route, err);
    if (!rc && pji_route_wants(route, "mcnemar"))
        rc = yes_or_no(g, t, route, err);
    if (!rc && pji_route_wants(route, "friedman")) {
        json_t *o = NULL;
        rc = pji_paired_friedman(t->mean, t->complete, g->by.levels, g->by.k, &o, route->omitted,
                                 err);
        pji_put_object(route->out, "friedman", o);
    }
    return rc;
}

/* columns named with commas between them, at most 8 */
static pj_status find_listed(const struct pji_table *table, const char *list, size_t *cols,
                             size_t *n, struct pj_error *err)
{
    *n = 0;
    for (const char *p = list;;) {
        size_t len = strcspn(p, ",");
        char *name = pji_dupn(p, len, err);
        if (!name)
            return PJ_ENOMEM;
        pj_status rc = *n < 8 ? pji_table_find(table, name, &cols[*n], err)
                              : pji_fail(err, PJ_EINVAL, "--paired-by takes at most 8 columns");
        (*n)++;
        free(name);
        if (rc || p[len] == '\0')
            return rc;
        p += len + 1;
    }
}

static pj_status examine_blocks(const struct grouped *g, struct pji_route *route, size_t block,
                                struct pj_error *err)
{
    size_t response;
    size_t by;
    pj_status rc = pji_table_find(route->table, route->request->response, &response, err);
    if (!rc)
        rc = pji_table_find(route->table, route->request->by, &by, err);
    return rc ? rc : pji_route_examine(route, &g->frame, response, &by, 1, block, err);
}

static pj_status blocks(const struct grouped *g, struct pji_route *route, struct pj_error *err)
{
    size_t cols[8];
    size_t n;
    struct pji_factor block;
    struct block_table table = {NULL, NULL, 0, 0, 0};
    pj_status rc = find_listed(route->table, route->request->paired_by, cols, &n, err);
    if (!rc)
        rc = pji_frame_cross(&g->frame, cols, n, &block, err);
    if (rc)
        return rc;
    rc = fill_blocks(g, &block, &table, err);
    if (!rc)
        rc = paired_tests(g, &table, route, err);
    if (!rc) /* means of blocks are compared, so the block stands for the units */
        rc = examine_blocks(g, route, cols[0], err);
    free(table.mean);
    free(table.count);
    pji_factor_fini(&block);
    return rc;
}

/* ---- correlation ---- */

pj_status pji_route_correlate(struct pji_route *route, struct pj_error *err)
{
    const struct pji_analysis *r = route->request;
    const char *names[3] = {r->response, r->correlate, r->by};
    size_t cols[3];
    struct pji_frame frame;
    struct pji_factor factor;
    double *y = NULL;
    double *x = NULL;
    json_t *o = NULL;
    memset(&factor, 0, sizeof factor);
    pj_status rc = choose_rows(route, names, r->by ? 3 : 2, cols, err);
    if (rc)
        return rc;
    rc = pji_frame_init(&frame, route->table, route->keep, err);
    if (!rc && frame.n == 0)
        rc = pji_fail(err, PJ_EINVAL, "%s: no row is left to analyse", route->table->name);
    if (!rc)
        rc = pji_frame_numbers(&frame, cols[0], PJI_FN_NONE, &y, err);
    if (!rc)
        rc = pji_frame_numbers(&frame, cols[1], PJI_FN_NONE, &x, err);
    if (!rc && r->by)
        rc = pji_frame_factor(&frame, cols[2], pji_order_of(&route->options, r->by), &factor, err);
    size_t *zero = rc ? NULL : pji_zalloc(frame.n + 1, sizeof *zero, err);
    if (!rc && !zero)
        rc = PJ_ENOMEM;
    if (!rc) {
        static const char *const all[] = {"all"};
        struct pji_by by = {y, r->by ? factor.code : zero, frame.n, r->by ? factor.k : 1,
                            r->by ? (const char *const *)factor.level : all};
        rc = pji_by_correlation(&by, x, &o, route->omitted, err);
        pji_put_object(route->out, "correlation", o);
        route->used = frame.n;
    }
    if (!rc)
        rc = pji_route_examine(route, &frame, cols[0], &cols[1], r->by ? 2 : 1, PJI_NO_COLUMN, err);
    free(zero);
    free(x);
    free(y);
    pji_factor_fini(&factor);
    pji_frame_fini(&frame);
    return rc;
}
