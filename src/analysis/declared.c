#include "analysis/declared.h"

#include "analysis/analyse_parts.h"
#include "core/digest.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char *text_of(const json_t *o, const char *key)
{
    const char *text = json_string_value(json_object_get(o, key));
    return text ? text : "";
}

/* the request in the terms of pji_analysis */
static void translate(struct pji_declared *d)
{
    const json_t *factors = json_object_get(d->plan, "factors");
    const json_t *tests = json_object_get(d->plan, "tests");
    size_t i;
    json_t *v;
    json_array_foreach(factors, i, v)
    {
        if (d->factors < sizeof d->factor / sizeof *d->factor)
            d->factor[d->factors++] = json_string_value(v);
    }
    json_array_foreach(tests, i, v)
        pji_str_addf(&d->tests, "%s%s", i ? "," : "", json_string_value(v));
    bool blocks = strcmp(text_of(d->plan, "blocks"), "block") == 0;
    d->paired = blocks && d->factors == 1;
    if (d->factors == 1)
        return;
    pji_str_addf(&d->model, "`%s` ~ ", text_of(d->plan, "response"));
    for (i = 0; i < d->factors; i++)
        pji_str_addf(&d->model, "%s`%s`", i ? " * " : "", d->factor[i]);
    if (blocks)
        pji_str_add(&d->model, " + (1|block)");
}

pj_status pji_declared_read(struct pji_declared *declared, struct pji_store *store,
                            struct pj_error *err)
{
    char *text = NULL;
    char *digest = NULL;
    *declared = (struct pji_declared){.factors = 0};
    pj_status rc = pji_store_get_meta(store, "analysis_plan", &text, err);
    if (rc == PJI_STORE_NONE)
        return PJ_OK;
    if (!rc)
        rc = pji_store_get_meta(store, "analysis_sha256", &digest, err);
    if (!rc)
        rc = pji_sha256_bytes(text, strlen(text), declared->sha256, err);
    if (!rc)
        declared->plan = json_loads(text, 0, NULL);
    if (rc == PJI_STORE_NONE || (!rc && (!declared->plan || strcmp(declared->sha256, digest) != 0)))
        rc = pji_fail(err, PJ_ECORRUPT,
                      "the analysis plan stored with the study does not have its digest: it was "
                      "changed after the study was created");
    if (!rc && declared->plan)
        translate(declared);
    free(text);
    free(digest);
    if (rc)
        pji_declared_fini(declared);
    return rc;
}

void pji_declared_fini(struct pji_declared *declared)
{
    json_decref(declared->plan);
    pji_str_fini(&declared->model);
    pji_str_fini(&declared->tests);
    *declared = (struct pji_declared){.factors = 0};
}

void pji_declared_request(const struct pji_declared *declared, struct pji_analysis *request)
{
    if (declared->factors == 1) {
        request->response = text_of(declared->plan, "response");
        request->by = declared->factor[0];
        request->paired_by = declared->paired ? "block" : NULL;
    } else {
        request->model = pji_str_text(&declared->model);
        request->factor = declared->factor;
        request->factors = declared->factors;
    }
    request->tests = declared->tests.len > 0 ? pji_str_text(&declared->tests) : NULL;
    pji_declared_judge(declared, request);
}

void pji_declared_judge(const struct pji_declared *declared, struct pji_analysis *request)
{
    if (!declared->plan)
        return;
    request->alpha = json_number_value(json_object_get(declared->plan, "alpha"));
    if (!request->adjust)
        request->adjust = text_of(declared->plan, "adjust");
}

static bool same(const char *a, const char *b)
{
    return strcmp(a ? a : "", b ? b : "") == 0;
}

/* what of the request is not as declared; NULL: nothing */
static const char *departure(const struct pji_declared *d, const struct pji_analysis *r)
{
    struct pji_analysis plan = {.where = NULL};
    if (!d->plan)
        return "the study declared no analysis before it ran";
    pji_declared_request(d, &plan);
    if (r->filtered || r->n_levels > 0)
        return "rows or levels were chosen after the data were there";
    if (!same(r->model, plan.model) || !same(r->response, plan.response))
        return "the response or the model is not the declared one";
    if (!same(r->by, plan.by) || r->correlate)
        return "the factor is not the declared one";
    if (!same(r->paired_by, plan.paired_by))
        return "the blocks are not the declared ones";
    if (!same(r->tests, plan.tests))
        return "the tests are not the declared ones";
    if (r->adjust && strcasecmp(r->adjust, plan.adjust) != 0)
        return "the adjustment of p-values is not the declared one";
    return NULL;
}

json_t *pji_declared_label(const struct pji_declared *declared, const struct pji_analysis *request)
{
    const char *why = departure(declared, request);
    json_t *o = json_object();
    json_object_set_new(o, "status", json_string(why ? "exploratory" : "planned"));
    if (why)
        json_object_set_new(o, "reason", json_string(why));
    if (declared->plan) {
        json_object_set(o, "declared", declared->plan);
        json_object_set_new(o, "sha256", json_string(declared->sha256));
    }
    return o;
}

/* Tukey's adjustment is one of all pairwise contrasts of means: refused where a plan has none */
static pj_status check_tukey(const json_t *plan, struct pj_error *err)
{
    const json_t *tests = json_object_get(plan, "tests");
    bool contrasts = json_array_size(tests) == 0;
    size_t i;
    json_t *v;
    if (strcmp(text_of(plan, "adjust"), "Tukey") != 0)
        return PJ_OK;
    json_array_foreach(tests, i, v) contrasts =
        contrasts || strcmp(json_string_value(v), "contrast") == 0;
    if (strcmp(text_of(plan, "blocks"), "block") == 0)
        return pji_fail(err, PJ_EINVAL,
                        "adjust: Tukey compares means with a common variance and does not go with "
                        "blocks: use Holm");
    if (!contrasts)
        return pji_fail(err, PJ_EINVAL,
                        "adjust: Tukey adjusts pairwise contrasts of means: add contrast to tests, "
                        "or use Holm for rank tests");
    return PJ_OK;
}

pj_status pji_declared_check_tests(const char *plan_json, struct pj_error *err)
{
    json_t *plan = plan_json ? json_loads(plan_json, 0, NULL) : NULL;
    size_t i;
    json_t *v;
    pj_status rc = PJ_OK;
    json_array_foreach(json_object_get(plan, "tests"), i, v)
    {
        if (!rc)
            rc = pji_route_check_tests(json_string_value(v), err);
    }
    if (!rc && plan)
        rc = check_tukey(plan, err);
    json_decref(plan);
    return rc;
}
