#include "analysis/assumptions.h"

#include "analysis/by.h"
#include "analysis/layout.h"
#include "analysis/paired.h"
#include "stats/spread.h"

#include <stdlib.h>
#include <string.h>

static const char *const scales[] = {"raw", "log", "sqrt"};
enum { SCALES = 3 };

struct verdict {
    bool known, normal, equal;
};

static const struct pji_transform *transform(const char *name)
{
    size_t i = 0;
    while (strcmp(pji_transforms[i].name, name) != 0)
        i++;
    return &pji_transforms[i];
}

static pj_status spread_of(const double *y, size_t n, const size_t *code, size_t k, double alpha,
                           json_t *o, struct verdict *v, struct pj_error *err)
{
    struct pji_groups groups = {y, code, n, k};
    struct pji_levene l;
    v->equal = true;
    if (k < 2)
        return PJ_OK;
    pj_status rc = pji_levene(&groups, PJI_CENTRE_MEDIAN, &l, err);
    if (rc < 0)
        return rc;
    if (rc == PJ_OK) {
        pji_put(o, "levene_F", l.F);
        pji_put(o, "levene_p", l.p);
        v->equal = l.p >= alpha;
    }
    return PJ_OK;
}

static pj_status one_scale(const char *scale, const json_t *normality, const double *y, size_t n,
                           const size_t *code, size_t k, double alpha, json_t *into,
                           struct verdict *v, struct pj_error *err)
{
    const json_t *shapiro = json_object_get(normality, scale);
    double *t = NULL;
    pj_status rc = pji_transform_apply(transform(scale), y, n, &t, err);
    if (rc)
        return rc < 0 ? rc : PJ_OK; /* not defined for these values */
    json_t *o = json_object();
    const json_t *p = json_object_get(shapiro, "p");
    if (p) {
        json_object_set(o, "shapiro_W", json_object_get(shapiro, "W"));
        json_object_set(o, "shapiro_p", (json_t *)(uintptr_t)p);
        v->known = true;
        v->normal = json_number_value(p) >= alpha;
    }
    rc = spread_of(t, n, code, k, alpha, o, v, err);
    if (v->known)
        pji_put_bool(o, "normal", v->normal);
    if (json_object_get(o, "levene_p"))
        pji_put_bool(o, "equal_variances", v->equal);
    pji_put_object(into, scale, o);
    free(t);
    return rc;
}

static void recommend(const struct verdict *v, json_t *o)
{
    size_t both = 0;
    size_t normal = 0;
    size_t known = 0;
    while (both < SCALES && !(v[both].known && v[both].normal && v[both].equal))
        both++;
    while (normal < SCALES && !(v[normal].known && v[normal].normal))
        normal++;
    while (known < SCALES && !v[known].known)
        known++;
    const char *route = "rank";
    const char *scale = "raw";
    const char *reason = "residuals are not normal on any scale";
    if (known == SCALES) {
        reason = "normality cannot be tested (too few, too many or constant residuals)";
    } else if (both < SCALES) {
        route = "parametric";
        scale = scales[both];
        reason = "residuals are normal and variances equal on this scale";
    } else if (normal < SCALES) {
        route = "welch";
        scale = scales[normal];
        reason = "residuals are normal on this scale, variances differ";
    }
    json_object_set_new(o, "recommended_scale", json_string(scale));
    json_object_set_new(o, "route", json_string(route));
    json_object_set_new(o, "reason", json_string(reason));
}

pj_status pji_assumptions(const double *y, const struct pji_terms *terms, const size_t *code,
                          size_t k, double alpha, json_t **out, struct pj_error *err)
{
    struct verdict v[SCALES] = {{false, false, false}};
    json_t *normality = NULL;
    json_t *by_scale = json_object();
    *out = NULL;
    pj_status rc = pji_shapiro_residuals(y, terms, &normality, NULL, err);
    for (size_t i = 0; !rc && i < SCALES; i++)
        rc = one_scale(scales[i], normality, y, terms->n, code, k, alpha, by_scale, &v[i], err);
    if (!rc) {
        *out = json_object();
        recommend(v, *out);
        json_object_update(*out, by_scale);
    }
    json_decref(normality);
    json_decref(by_scale);
    return rc;
}
