/* The mixed model with a random intercept: see analysis/model.h. */
#include "analysis/model.h"

#include "analysis/layout.h"
#include "core/array.h"
#include "core/str.h"
#include "stats/lmm.h"
#include "stats/lmm_inference.h"
#include "stats/student.h"
#include "stats/type3.h"

#include <math.h>
#include <stdlib.h>

struct fit {
    struct pji_design design;
    struct pji_lmm lmm;
    struct pji_satterthwaite satterthwaite;
    struct pji_kenward_roger kenward_roger;
    bool has_kr;
};

static bool complete(pj_status rc)
{
    return rc == PJ_OK || rc == PJI_STATS_SINGULAR || rc == PJI_STATS_DEFICIENT;
}

static void fit_fini(struct fit *fit)
{
    pji_satterthwaite_fini(&fit->satterthwaite);
    if (fit->has_kr)
        pji_kenward_roger_fini(&fit->kenward_roger);
    pji_lmm_fini(&fit->lmm);
    pji_design_fini(&fit->design);
}

/* 0 with everything fitted, or the condition for which nothing was (recorded as omission) */
static pj_status fit_init(struct fit *fit, const struct pji_model *model, const char *path,
                          json_t *omitted, struct pj_error *err)
{
    *fit = (struct fit){.has_kr = false};
    if (!model->group)
        return pji_fail(err, PJ_EINVAL, "a mixed model needs a random intercept");
    pj_status rc = pji_design_init(&fit->design, &model->terms, PJI_CODING_TREATMENT, err);
    if (rc)
        return rc;
    rc = pji_lmm_fit(&fit->lmm, &fit->design.x, model->y, model->group, model->groups, true, err);
    if (!complete(rc)) {
        if (rc > 0) {
            pji_omit(omitted, path, rc);
            pji_lmm_fini(&fit->lmm);
        }
        pji_design_fini(&fit->design);
        return rc;
    }
    rc = pji_satterthwaite_init(&fit->satterthwaite, &fit->lmm, err);
    if (!rc) {
        rc = pji_kenward_roger_init(&fit->kenward_roger, &fit->lmm, err);
        fit->has_kr = rc == PJ_OK;
    }
    if (rc)
        fit_fini(fit);
    return rc;
}

/* *fit: the one that is kept, else a new one (kept when there is where) */
static pj_status fit_take(struct fit **fit, const struct pji_model *model, const char *path,
                          json_t *omitted, struct pj_error *err)
{
    *fit = model->fits ? model->fits->mixed : NULL;
    if (*fit)
        return PJ_OK;
    struct fit *made = pji_zalloc(1, sizeof *made, err);
    if (!made)
        return PJ_ENOMEM;
    pj_status rc = fit_init(made, model, path, omitted, err);
    if (rc) {
        free(made);
        return rc;
    }
    if (model->fits)
        model->fits->mixed = made;
    *fit = made;
    return PJ_OK;
}

static void fit_free(struct fit *fit)
{
    if (fit)
        fit_fini(fit);
    free(fit);
}

static void fit_drop(struct fit *fit, const struct pji_model *model)
{
    if (!model->fits)
        fit_free(fit);
}

void pji_model_fits_fini(struct pji_model_fits *fits)
{
    fit_free(fits->mixed);
    fits->mixed = NULL;
}

static pj_status coefficient(const struct fit *fit, size_t column, double *l, json_t *o,
                             struct pj_error *err)
{
    struct pji_estimator sat = pji_satterthwaite_estimator(&fit->satterthwaite);
    struct pji_estimator kr = pji_kenward_roger_estimator(&fit->kenward_roger);
    /* coefficients of the kept columns are numbers of this parametrisation, estimable or not */
    struct pji_matrix nothing = {NULL, fit->lmm.p, 0};
    sat.null = &nothing;
    kr.null = &nothing;
    struct pji_estimate a;
    struct pji_estimate b;
    l[column] = 1;
    pj_status rc = pji_estimate(&sat, l, 0.95, &a, err);
    if (!rc)
        rc = pji_estimate(&kr, l, 0.95, &b, err);
    l[column] = 0;
    if (rc)
        return rc;
    pji_put(o, "estimate", a.estimate);
    pji_put(o, "se", a.se);
    pji_put(o, "df_satterthwaite", a.df);
    pji_put(o, "t", a.t);
    pji_put(o, "p_satterthwaite", a.p);
    pji_put(o, "se_kr", b.se);
    pji_put(o, "df_kr", b.df);
    pji_put(o, "t_kr", b.t);
    pji_put(o, "p_kr", b.p);
    return PJ_OK;
}

static pj_status coefficients(const struct pji_model *model, const struct fit *fit, json_t *into,
                              json_t *omitted, struct pj_error *err)
{
    double *l = calloc(fit->lmm.p + 1, sizeof *l);
    pj_status rc = l ? PJ_OK : pji_fail(err, PJ_ENOMEM, "out of memory for the coefficients");
    for (size_t j = 0; rc >= 0 && j < fit->lmm.p; j++) {
        char *name = pji_model_column_name(model, &fit->design, j);
        struct pji_str path = {0};
        pji_str_addf(&path, "lmm/fixed/%s", name ? name : "");
        if (!name) {
            rc = pji_fail(err, PJ_ENOMEM, "out of memory for the coefficients");
        } else if (isnan(fit->lmm.beta[j])) {
            pji_omit_at(omitted, &path, PJI_STATS_DEFICIENT);
        } else {
            json_t *o = json_object();
            rc = coefficient(fit, j, l, o, err);
            pji_put_object(into, name, o);
        }
        pji_str_fini(&path);
        free(name);
    }
    free(l);
    return rc < 0 ? rc : PJ_OK;
}

static void put_summary(json_t *o, const struct pji_lmm *m)
{
    pji_put_count(o, "n", m->n);
    pji_put_count(o, "groups", m->groups);
    pji_put_count(o, "p_fixed", m->rank);
    pji_put(o, "var_group", m->var_group);
    pji_put(o, "var_residual", m->var_residual);
    pji_put(o, "sd_group", sqrt(m->var_group));
    pji_put(o, "sd_residual", sqrt(m->var_residual));
    pji_put(o, "theta", m->theta);
    pji_put_bool(o, "singular", m->singular);
    pji_put(o, "icc", m->icc);
    pji_put(o, m->reml ? "reml_criterion" : "deviance", m->criterion);
    pji_put(o, "loglik", m->loglik);
    pji_put(o, "aic", m->aic);
    pji_put(o, "bic", m->bic);
    pji_put(o, "r2_marginal", m->r2_marginal);
    pji_put(o, "r2_conditional", m->r2_conditional);
}

pj_status pji_model_lmm(const struct pji_model *model, json_t **out, json_t *omitted,
                        struct pj_error *err)
{
    struct fit *fit;
    *out = json_object();
    pj_status rc = fit_take(&fit, model, "lmm", omitted, err);
    if (rc)
        return rc < 0 ? rc : PJ_OK;
    put_summary(*out, &fit->lmm);
    json_t *fixed = json_object();
    rc = coefficients(model, fit, fixed, omitted, err);
    pji_put_object(*out, "fixed", fixed);
    json_t *blup = json_object();
    for (size_t g = 0; g < model->groups; g++)
        pji_put(blup, model->group_level[g], fit->lmm.blup[g]);
    pji_put_object(*out, "blup", blup);
    fit_drop(fit, model);
    return rc;
}

static pj_status type3_row(const struct fit *fit, size_t term, json_t *o, struct pj_error *err)
{
    struct pji_matrix l = {NULL, 0, 0};
    struct pji_lmm_test sat;
    struct pji_lmm_test kr;
    pj_status rc = pji_type3_rows(&fit->design, fit->lmm.kept, fit->lmm.rank, term, &l, err);
    if (!rc)
        rc = pji_satterthwaite_test(&fit->satterthwaite, &l, &sat, err);
    if (!rc)
        rc = pji_kenward_roger_test(&fit->kenward_roger, &l, &kr, err);
    pji_matrix_fini(&l);
    if (rc)
        return rc;
    double ms = sat.F * fit->lmm.var_residual;
    pji_put(o, "ss", ms * sat.num_df);
    pji_put(o, "ms", ms);
    pji_put(o, "num_df", sat.num_df);
    pji_put(o, "den_df_satterthwaite", sat.den_df);
    pji_put(o, "F", sat.F);
    pji_put(o, "p_satterthwaite", sat.p);
    pji_put(o, "F_kr", kr.F);
    pji_put(o, "den_df_kr", kr.den_df);
    pji_put(o, "p_kr", kr.p);
    return PJ_OK;
}

pj_status pji_model_lmm_type3(const struct pji_model *model, json_t **out, json_t *omitted,
                              struct pj_error *err)
{
    struct fit *fit;
    *out = json_object();
    pj_status rc = fit_take(&fit, model, "lmm_type3", omitted, err);
    if (rc)
        return rc < 0 ? rc : PJ_OK;
    for (size_t t = 0; rc >= 0 && t < model->terms.terms; t++) {
        char *name = pji_model_term_name(model, model->terms.term[t]);
        json_t *o = json_object();
        rc = name ? type3_row(fit, t, o, err)
                  : pji_fail(err, PJ_ENOMEM, "out of memory for the terms");
        struct pji_str path = {0};
        pji_str_addf(&path, "lmm_type3/%s", name ? name : "");
        if (rc == 0)
            pji_put_object(*out, name, o);
        else
            json_decref(o);
        if (rc > 0)
            pji_omit_at(omitted, &path, PJI_STATS_DEFICIENT);
        pji_str_fini(&path);
        free(name);
    }
    fit_drop(fit, model);
    return rc < 0 ? rc : PJ_OK;
}

pj_status pji_model_lmm_emmeans(const struct pji_model *model, const struct pji_model_spec *spec,
                                enum pji_ddf ddf, json_t **out, json_t *omitted,
                                struct pj_error *err)
{
    struct fit *fit;
    pj_status rc = fit_take(&fit, model, "lmm_emmeans", omitted, err);
    if (rc > 0)
        *out = json_object();
    if (rc)
        return rc < 0 ? rc : PJ_OK;
    struct pji_estimator estimator = ddf == PJI_DDF_SATTERTHWAITE
                                         ? pji_satterthwaite_estimator(&fit->satterthwaite)
                                         : pji_kenward_roger_estimator(&fit->kenward_roger);
    struct pji_emm_table table = {.model = model,
                                  .design = &fit->design,
                                  .fit = &estimator,
                                  .spec = spec,
                                  .parts = PJI_TABLE_POLY,
                                  .path = "lmm_emmeans"};
    rc = pji_emm_table(&table, out, omitted, err);
    fit_drop(fit, model);
    return rc;
}

pj_status pji_model_lmm_ml(const struct pji_model *model, json_t **out, json_t *omitted,
                           struct pj_error *err)
{
    struct pji_design design;
    struct pji_lmm m;
    *out = json_object();
    pj_status rc = pji_design_init(&design, &model->terms, PJI_CODING_TREATMENT, err);
    if (rc)
        return rc;
    rc = pji_lmm_fit(&m, &design.x, model->y, model->group, model->groups, false, err);
    if (complete(rc)) {
        pji_put(*out, "loglik", m.loglik);
        pji_put(*out, "deviance", m.criterion);
        pji_put_count(*out, "n_par", m.rank + 2);
        pji_put(*out, "aic", m.aic);
        pji_put(*out, "bic", m.bic);
        pji_put(*out, "var_group", m.var_group);
        pji_put(*out, "var_residual", m.var_residual);
    } else if (rc > 0) {
        pji_omit(omitted, "lmm_ml", rc);
    }
    if (rc >= 0)
        pji_lmm_fini(&m);
    pji_design_fini(&design);
    return rc < 0 ? rc : PJ_OK;
}
