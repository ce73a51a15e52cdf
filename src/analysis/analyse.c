#include "analysis/analyse_parts.h"

#include "analysis/conclusion.h"
#include "analysis/finding.h"
#include "analysis/layout.h"
#include "analysis/where.h"
#include "core/array.h"
#include "core/json.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

const char *const pji_route_groups[] = {
    "assumptions",  "descriptive", "shapiro",     "shapiro_residuals", "levene",
    "oneway",       "kruskal",     "dunn",        "wilcoxon",          "cliff",
    "ttest",        "contrast",    "lm",          "factorial",         "art",
    "art_contrast", "lmm",         "lmm_type3",   "lmm_emmeans",       "signedrank",
    "friedman",     "correlation", "equivalence", "bootstrap",         "power",
    "mcnemar",      NULL};

/* is `group` among the words of "a,b,c"? */
static bool listed(const char *list, const char *group)
{
    size_t len = strlen(group);
    for (const char *p = list;;) {
        size_t word = strcspn(p, ",");
        if (word == len && strncmp(p, group, len) == 0)
            return true;
        if (p[word] == '\0')
            return false;
        p += word + 1;
    }
}

bool pji_route_wants(const struct pji_route *route, const char *group)
{
    const char *tests = route->request->tests;
    return !tests || strcmp(tests, "all") == 0 || listed(tests, group);
}

double pji_route_alpha(const struct pji_route *route)
{
    return route->request->alpha > 0 ? route->request->alpha : 0.05;
}

bool pji_route_names(const struct pji_route *route, const char *group)
{
    const char *tests = route->request->tests;
    return tests && listed(tests, group);
}

void pji_route_find(struct pji_route *route, bool forbidding, const char *format, ...)
{
    struct pji_str text = {0};
    va_list args;
    va_start(args, format);
    pji_str_addv(&text, format, args);
    va_end(args);
    json_t *o = json_object();
    json_object_set_new(o, "code", json_string(forbidding ? "not_computable" : "limited"));
    json_object_set_new(o, "consequence", json_string(forbidding ? "forbid" : "warn"));
    json_object_set_new(o, "finding", json_string(pji_str_text(&text)));
    json_object_set_new(o, "forbids_conclusion", json_boolean(forbidding));
    json_array_append_new(route->findings, o);
    if (text.failed)
        pji_omit_at(route->omitted, &text, PJI_STATS_FEW);
    pji_str_fini(&text);
    route->conclusive = route->conclusive && !forbidding;
}

/* what the p-values say together; in the results when an adjustment was asked for */
static pj_status conclude(struct pji_route *route, struct pj_error *err)
{
    const struct pji_adjustment *adjustment;
    json_t *conclusion = NULL;
    pj_status rc = pji_adjustment_find(route->request->adjust, &adjustment, err);
    if (!rc)
        rc = pji_conclude(route->out, adjustment, pji_route_alpha(route), &conclusion, err);
    if (rc)
        return rc;
    pji_finding_multiple(conclusion, route->findings, route->checks);
    if (route->request->adjust) {
        if (json_object_size(json_object_get(conclusion, "families")) == 0)
            pji_route_find(route, false,
                           "no result has p-values that could be adjusted after %s: what was "
                           "computed is not a family of comparisons",
                           adjustment->long_name);
        json_object_set(route->out, "conclusion", conclusion);
    }
    json_decref(conclusion);
    return PJ_OK;
}

pj_status pji_route_examine(struct pji_route *route, const struct pji_frame *frame, size_t response,
                            const size_t *factor, size_t factors, size_t random,
                            struct pj_error *err)
{
    const struct pji_summary *s = route->request->summary;
    const char *named[PJI_DESIGN_COLUMNS];
    size_t n_named = 0;
    bool forbidding = false;
    struct pji_evidence e = {.table = route->table,
                             .frame = frame,
                             .response = response,
                             .factor = factor,
                             .factors = factors,
                             .random = random,
                             .correlation = route->request->correlate != NULL,
                             .correlated = PJI_NO_COLUMN,
                             .stratum = PJI_NO_COLUMN,
                             .summary = s,
                             .limits = pji_finding_limits_default()};
    double *y = NULL;
    if (e.correlation) { /* factor: x, then the strata if there are any */
        e.correlated = factor[0];
        e.stratum = factors > 1 ? factor[1] : PJI_NO_COLUMN;
    }
    for (size_t i = 0; s && i < s->n_factors && i < PJI_DESIGN_COLUMNS; i++)
        named[n_named++] = s->factors[i].key;
    for (size_t i = 0; i < route->request->n_design && n_named < PJI_DESIGN_COLUMNS; i++)
        named[n_named++] = route->request->design[i];
    pj_status rc = pji_frame_numbers(frame, response, PJI_FN_NONE, &y, err);
    e.y = y;
    if (!rc)
        rc = pji_evidence_init(&e, route->request->unit, named, n_named, err);
    if (!rc) {
        rc = pji_findings_run(&e, route->findings, route->checks, &forbidding, err);
        pji_evidence_fini(&e);
    }
    if (!rc)
        rc = conclude(route, err);
    free(y);
    route->conclusive = route->conclusive && !forbidding;
    return rc;
}

pj_status pji_route_check_tests(const char *tests, struct pj_error *err)
{
    for (const char *p = tests; p && strcmp(tests, "all") != 0;) {
        size_t len = strcspn(p, ",");
        char *word = pji_dupn(p, len, err);
        if (!word)
            return PJ_ENOMEM;
        size_t i = 0;
        while (pji_route_groups[i] && strcmp(pji_route_groups[i], word) != 0)
            i++;
        const char *nearest = pji_str_nearest(word, pji_route_groups);
        pj_status rc = PJ_OK;
        if (!pji_route_groups[i] && nearest)
            rc = pji_fail(err, PJ_EINVAL, "no test is named '%s': did you mean '%s'?", word,
                          nearest);
        else if (!pji_route_groups[i])
            rc = pji_fail(err, PJ_EINVAL, "no test is named '%s'", word);
        free(word);
        if (rc || p[len] == '\0')
            return rc;
        p += len + 1;
    }
    return PJ_OK;
}

static pj_status check_request(const struct pji_analysis *r, struct pj_error *err)
{
    if (r->model && (r->response || r->by || r->paired_by || r->correlate))
        return pji_fail(err, PJ_EINVAL,
                        "--model names response and factors itself: it does not go "
                        "with --response, --by, --paired-by or --correlate");
    if (!r->model && !r->response)
        return pji_fail(err, PJ_EINVAL,
                        "an analysis needs --response Y with --by G, or --model FORMULA");
    if (r->equivalence && !(r->low < r->high))
        return pji_fail(err, PJ_EINVAL, "the limits of equivalence are not in ascending order");
    if (r->equivalence && (r->model || r->correlate || r->paired_by))
        return pji_fail(err, PJ_EINVAL, "--equivalence goes with --response and --by");
    if (!r->model && !r->by && !r->correlate)
        return pji_fail(err, PJ_EINVAL, "--response %s needs --by G or --correlate X", r->response);
    if (r->paired_by && !r->by)
        return pji_fail(err, PJ_EINVAL, "--paired-by needs --by G: the treatments of each block");
    if (!r->model && (r->factors > 0 || r->n_emmeans > 0))
        return pji_fail(err, PJ_EINVAL, "--factor and --emmeans belong to --model");
    const struct pji_adjustment *adjustment;
    pj_status rc = pji_adjustment_find(r->adjust, &adjustment, err);
    return rc ? rc : pji_route_check_tests(r->tests, err);
}

static void finish(struct pji_route *route)
{
    json_t *rows = json_object();
    pji_put_count(rows, "used", route->used);
    pji_put_count(rows, "left_out", route->left_out);
    pji_put_object(route->out, "rows", rows);
    if (json_object_size(route->checks) > 0)
        json_object_set(route->out, "checks", route->checks);
    if (json_object_size(route->omitted) > 0)
        json_object_set(route->out, "omitted", route->omitted);
    if (json_array_size(route->findings) > 0)
        json_object_set(route->out, "findings", route->findings);
}

static pj_status run(struct pji_route *route, struct pj_error *err)
{
    const struct pji_analysis *r = route->request;
    pj_status rc = PJ_OK;
    if (r->where)
        rc = pji_where_apply(route->table, r->where, route->keep, err);
    if (!rc && r->model)
        return pji_route_model(route, err);
    if (!rc && r->correlate)
        rc = pji_route_correlate(route, err);
    if (!rc && r->by && !r->correlate)
        rc = pji_route_by(route, err);
    return rc;
}

static pj_status parse_levels(const struct pji_analysis *r, struct pji_level_order *order,
                              size_t *count, struct pj_error *err)
{
    pj_status rc = PJ_OK;
    for (*count = 0; !rc && *count < r->n_levels;) {
        rc = pji_level_order_parse(&order[*count], r->levels[*count], err);
        *count += rc ? 0 : 1;
    }
    return rc;
}

pj_status pji_analyse(const struct pji_table *table, const struct pji_analysis *request,
                      json_t **out, bool *conclusive, struct pj_error *err)
{
    struct pji_route route = {.table = table, .request = request, .conclusive = true};
    struct pji_level_order *order = NULL;
    size_t orders = 0;
    *out = NULL;
    pj_status rc = check_request(request, err);
    if (rc)
        return rc;
    route.keep = pji_zalloc(table->rows + 1, sizeof *route.keep, err);
    order = pji_zalloc(request->n_levels + 1, sizeof *order, err);
    route.out = json_object();
    route.omitted = json_object();
    route.findings = json_array();
    route.checks = json_object();
    if (!route.keep || !order || !route.out || !route.omitted || !route.findings || !route.checks) {
        rc = PJ_ENOMEM;
        goto out;
    }
    for (size_t i = 0; i < table->rows; i++)
        route.keep[i] = true;
    rc = parse_levels(request, order, &orders, err);
    route.options = (struct pji_build_options){request->factor, request->factors, order, orders};
    if (!rc)
        rc = run(&route, err);
    if (!rc)
        rc = pji_omissions_ok(route.omitted, err);
    if (!rc)
        rc = pji_omissions_ok(route.checks, err);
    if (!rc) {
        finish(&route);
        *out = json_incref(route.out);
        *conclusive = route.conclusive;
    }
out:
    for (size_t i = 0; i < orders; i++)
        pji_level_order_fini(&order[i]);
    free(order);
    free(route.keep);
    json_decref(route.out);
    json_decref(route.omitted);
    json_decref(route.findings);
    json_decref(route.checks);
    return rc;
}
