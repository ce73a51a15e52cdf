/* One linear model: see analysis/analyse.h. */
#include "analysis/analyse_parts.h"

#include "analysis/assumptions.h"
#include "analysis/finding.h"
#include "analysis/layout.h"

#include <stdlib.h>
#include <string.h>

struct spec {
    char *key; /* as given, without blanks */
    size_t factor;
    size_t by[PJI_FORMULA_VARIABLES];
    size_t bys;
};

static pj_status find_factor(const struct pji_built *b, const char *word, size_t len, size_t *out,
                             struct pj_error *err)
{
    char *name = pji_dupn(word, len, err);
    if (!name)
        return PJ_ENOMEM;
    size_t v = pji_formula_find(&b->formula, name);
    pj_status rc = PJ_OK;
    if (v == b->formula.variables || !b->variable[v].code)
        rc = pji_fail(err, PJ_EINVAL, "--emmeans: '%s' is not a factor of the model", name);
    *out = v;
    free(name);
    return rc;
}

/* "A" or "A|B" or "A|B*C"; also "~ A | B" */
static pj_status parse_spec(const struct pji_built *b, const char *text, struct spec *spec,
                            struct pj_error *err)
{
    struct pji_str key = {0};
    memset(spec, 0, sizeof *spec);
    for (const char *p = text; *p; p++) {
        if (*p != ' ' && *p != '~')
            pji_str_addc(&key, *p);
    }
    if (pji_str_ok(&key, err)) {
        pji_str_fini(&key);
        return PJ_ENOMEM;
    }
    spec->key = pji_str_take(&key);
    if (!spec->key)
        return pji_fail(err, PJ_EINVAL, "--emmeans needs a factor, as in 'A' or 'A|B'");
    size_t len = strcspn(spec->key, "|");
    pj_status rc = find_factor(b, spec->key, len, &spec->factor, err);
    const char *p = spec->key + len;
    while (!rc && *p) {
        p++;
        len = strcspn(p, "*,+:");
        if (spec->bys == PJI_FORMULA_VARIABLES)
            return pji_fail(err, PJ_EINVAL, "--emmeans '%s' has too many factors", text);
        rc = find_factor(b, p, len, &spec->by[spec->bys++], err);
        p += len;
    }
    for (size_t i = 0; !rc && i < spec->bys; i++) {
        if (spec->by[i] == spec->factor)
            rc = pji_fail(err, PJ_EINVAL, "--emmeans '%s' has a factor on both sides", text);
    }
    return rc;
}

/* results of one marginal table under its key */
static pj_status table_of(struct pji_route *route, const struct pji_built *b,
                          const struct spec *spec, json_t *into, struct pj_error *err)
{
    struct pji_model_spec s = {spec->factor, spec->by, spec->bys};
    json_t *o = NULL;
    if (!b->model.group) {
        pj_status rc = pji_model_contrast(&b->model, &s, &o, route->omitted, err);
        pji_put_object(into, spec->key, o);
        return rc;
    }
    static const char *const names[] = {"satterthwaite", "kenward-roger"};
    static const enum pji_ddf methods[] = {PJI_DDF_SATTERTHWAITE, PJI_DDF_KENWARD_ROGER};
    json_t *both = json_object();
    pj_status rc = PJ_OK;
    for (size_t i = 0; !rc && i < 2; i++) {
        rc = pji_model_lmm_emmeans(&b->model, &s, methods[i], &o, route->omitted, err);
        pji_put_object(both, names[i], o);
        o = NULL;
    }
    pji_put_object(into, spec->key, both);
    return rc;
}

static bool is_used_factor(const struct pji_built *b, size_t v)
{
    uint32_t used = 0;
    for (size_t t = 0; t < b->formula.terms; t++)
        used |= b->formula.term[t];
    return used >> v & 1 && b->variable[v].code;
}

/* every factor alone, then what was asked for */
static pj_status marginal(struct pji_route *route, const struct pji_built *b, struct pj_error *err)
{
    const struct pji_analysis *r = route->request;
    const char *group = b->model.group ? "lmm_emmeans" : "contrast";
    if (!pji_route_wants(route, group))
        return PJ_OK;
    json_t *into = json_object();
    pj_status rc = PJ_OK;
    for (size_t v = 0; !rc && v < b->formula.variables; v++) {
        struct spec spec = {.key = b->formula.variable[v].name, .factor = v};
        if (is_used_factor(b, v))
            rc = table_of(route, b, &spec, into, err);
    }
    for (size_t i = 0; !rc && i < r->n_emmeans; i++) {
        struct spec spec;
        rc = parse_spec(b, r->emmeans[i], &spec, err);
        if (!rc)
            rc = table_of(route, b, &spec, into, err);
        free(spec.key);
    }
    if (!rc && json_object_size(into) > 0)
        json_object_set(route->out, group, into);
    json_decref(into);
    return rc;
}

typedef pj_status model_fn(const struct pji_model *model, json_t **out, json_t *omitted,
                           struct pj_error *err);

static pj_status add(struct pji_route *route, const struct pji_built *b, const char *group,
                     model_fn *fn, struct pj_error *err)
{
    json_t *o = NULL;
    if (!pji_route_wants(route, group))
        return PJ_OK;
    pj_status rc = fn(&b->model, &o, route->omitted, err);
    pji_put_object(route->out, group, o);
    return rc;
}

static pj_status aligned(struct pji_route *route, const struct pji_built *b, struct pj_error *err)
{
    pj_status rc = add(route, b, "art", pji_model_art, err);
    json_t *art = json_object_get(route->out, "art");
    if (art && json_object_size(art) == 0) { /* not a full factorial of factors */
        json_object_del(route->out, "art");
        return rc;
    }
    if (!pji_route_wants(route, "art_contrast"))
        return rc;
    json_t *contrasts = json_object();
    for (size_t v = 0; !rc && v < b->formula.variables; v++) {
        json_t *o = NULL;
        if (!is_used_factor(b, v))
            continue;
        rc = pji_model_art_contrast(&b->model, v, &o, route->omitted, err);
        pji_put_object(contrasts, b->formula.variable[v].name, o);
    }
    if (!rc && json_object_size(contrasts) > 0)
        json_object_set(route->out, "art_contrast", contrasts);
    json_decref(contrasts);
    return rc;
}

/* of the response as it stands in the table, whatever the formula makes of it */
static pj_status assume(struct pji_route *route, const struct pji_built *b, const size_t *factor,
                        size_t factors, size_t response, struct pj_error *err)
{
    struct pji_factor cell = {0};
    double *y = NULL;
    json_t *o = NULL;
    if (!pji_route_wants(route, "assumptions") || b->formula.terms == 0)
        return PJ_OK;
    pj_status rc = pji_frame_numbers(&b->frame, response, PJI_FN_NONE, &y, err);
    if (!rc && factors > 0)
        rc = pji_frame_cross(&b->frame, factor, factors, &cell, err);
    if (!rc)
        rc = pji_assumptions(y, &b->model.terms, cell.code, factors > 0 ? cell.k : 1,
                             pji_route_alpha(route), &o, err);
    pji_put_object(route->out, "assumptions", o);
    pji_factor_fini(&cell);
    free(y);
    return rc;
}

static pj_status examine(struct pji_route *route, const struct pji_built *b, struct pj_error *err)
{
    size_t response;
    size_t factor[PJI_FORMULA_VARIABLES];
    size_t n = 0;
    size_t random = PJI_NO_COLUMN;
    pj_status rc = pji_table_find(route->table, b->formula.response.column, &response, err);
    for (size_t v = 0; !rc && v < b->formula.variables; v++) {
        if (is_used_factor(b, v))
            rc = pji_table_find(route->table, b->formula.variable[v].column, &factor[n++], err);
    }
    if (!rc && b->formula.random)
        rc = pji_table_find(route->table, b->formula.random, &random, err);
    if (!rc)
        rc = assume(route, b, factor, n, response, err);
    return rc ? rc : pji_route_examine(route, &b->frame, response, factor, n, random, err);
}

static void judge(struct pji_route *route, const struct pji_built *b)
{
    const json_t *lmm = json_object_get(route->out, "lmm");
    const json_t *lm = json_object_get(route->out, "lm");
    if (lmm && !json_object_get(lmm, "fixed"))
        pji_route_find(route, true,
                       "the mixed model cannot be fitted: '%s' has too few groups or rows, or the "
                       "fixed effects explain every group",
                       b->formula.random);
    else if (lmm && json_is_true(json_object_get(lmm, "singular")))
        pji_route_find(route, false,
                       "the variance between groups of '%s' is estimated as zero (singular fit)",
                       b->formula.random);
    if (lm && b->formula.terms > 0 && !json_object_get(lm, "F"))
        pji_route_find(route, true,
                       "the model has no test: no residual degree of freedom, or no variation "
                       "around the fit");
}

pj_status pji_route_model(struct pji_route *route, struct pj_error *err)
{
    struct pji_built b;
    struct pji_model_fits fits = {NULL};
    pj_status rc =
        pji_built_init(&b, route->table, route->keep, route->request->model, &route->options, err);
    if (rc)
        return rc;
    route->used = b.frame.n;
    route->left_out += b.left_out;
    bool mixed = b.model.group != NULL;
    b.model.fits = &fits;
    if (!mixed) {
        rc = add(route, &b, "factorial", pji_model_factorial, err);
        if (!rc)
            rc = add(route, &b, "lm", pji_model_lm, err);
    } else {
        rc = add(route, &b, "lmm", pji_model_lmm, err);
        if (!rc)
            rc = add(route, &b, "lmm_type3", pji_model_lmm_type3, err);
    }
    if (!rc && b.formula.terms > 0)
        rc = marginal(route, &b, err);
    if (!rc && b.formula.terms > 0)
        rc = aligned(route, &b, err);
    if (!rc)
        judge(route, &b);
    if (!rc)
        rc = examine(route, &b, err);
    pji_model_fits_fini(&fits);
    pji_built_fini(&b);
    return rc;
}
