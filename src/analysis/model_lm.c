/* The linear model: coefficients, analysis of variance, contrasts. See analysis/model.h. */
#include "analysis/model.h"

#include "analysis/layout.h"
#include "core/array.h"
#include "core/str.h"
#include "stats/anova.h"
#include "stats/lm.h"
#include "stats/student.h"

#include <math.h>
#include <stdlib.h>

struct fit {
    struct pji_design design;
    struct pji_lm lm;
    pj_status condition;
};

static pj_status fit_init(struct fit *fit, const struct pji_model *model, enum pji_coding coding,
                          struct pj_error *err)
{
    pj_status rc = pji_design_init(&fit->design, &model->terms, coding, err);
    if (rc)
        return rc;
    fit->condition = pji_lm_fit(&fit->lm, &fit->design.x, model->terms.intercept, model->y, err);
    if (fit->condition < 0) {
        pji_design_fini(&fit->design);
        return fit->condition;
    }
    return PJ_OK;
}

static void fit_fini(struct fit *fit)
{
    pji_lm_fini(&fit->lm);
    pji_design_fini(&fit->design);
}

static pj_status coefficients(const struct pji_model *model, const struct fit *fit, json_t *into,
                              json_t *omitted, struct pj_error *err)
{
    const struct pji_lm *lm = &fit->lm;
    for (size_t j = 0; j < lm->p; j++) {
        char *name = pji_model_column_name(model, &fit->design, j);
        if (!name)
            return pji_fail(err, PJ_ENOMEM, "out of memory while naming coefficients");
        if (isnan(lm->beta[j])) {
            struct pji_str path = {0};
            pji_str_addf(&path, "lm/coef/%s", name);
            pji_omit_at(omitted, &path, PJI_STATS_DEFICIENT);
            pji_str_fini(&path);
        } else {
            double t = lm->beta[j] / lm->se[j];
            double half =
                isnan(t) ? (double)NAN : pji_t_quantile(0.975, lm->df_residual) * lm->se[j];
            json_t *o = json_object();
            pji_put(o, "estimate", lm->beta[j]);
            pji_put(o, "se", lm->se[j]);
            pji_put(o, "t", t);
            pji_put(o, "p", pji_t_two_sided(t, lm->df_residual));
            pji_put(o, "ci95_low", lm->beta[j] - half);
            pji_put(o, "ci95_high", lm->beta[j] + half);
            pji_put_object(into, name, o);
        }
        free(name);
    }
    return PJ_OK;
}

pj_status pji_model_lm(const struct pji_model *model, json_t **out, json_t *omitted,
                       struct pj_error *err)
{
    struct fit fit;
    pj_status rc = fit_init(&fit, model, PJI_CODING_TREATMENT, err);
    if (rc)
        return rc;
    if (fit.condition && fit.condition != PJI_STATS_DEFICIENT)
        pji_omit(omitted, "lm/F", fit.condition);
    const struct pji_lm *lm = &fit.lm;
    json_t *o = *out = json_object();
    pji_put_count(o, "n", lm->n);
    pji_put(o, "df_residual", lm->df_residual);
    pji_put(o, "sigma", lm->sigma);
    pji_put(o, "r2", lm->r2);
    pji_put(o, "adj_r2", lm->adj_r2);
    pji_put(o, "F", lm->F);
    pji_put(o, "df1", lm->df1);
    pji_put(o, "df2", lm->df2);
    pji_put(o, "p", lm->p_value);
    pji_put(o, "loglik", lm->loglik);
    pji_put(o, "aic", lm->aic);
    pji_put(o, "bic", lm->bic);
    json_t *coef = json_object();
    rc = coefficients(model, &fit, coef, omitted, err);
    pji_put_object(o, "coef", coef);
    fit_fini(&fit);
    return rc;
}

static void put_row(json_t *o, const struct pji_anova_row *r)
{
    pji_put(o, "ss", r->ss);
    pji_put(o, "df", r->df);
    pji_put(o, "ms", r->ms);
    pji_put(o, "F", r->F);
    pji_put(o, "p", r->p);
    pji_put(o, "eta2_partial", r->eta2_partial);
    pji_put(o, "eta2", r->eta2);
    pji_put(o, "omega2_partial", r->omega2_partial);
    pji_put(o, "epsilon2_partial", r->epsilon2_partial);
    pji_put(o, "cohens_f_partial", r->cohens_f_partial);
}

static pj_status anova(const struct pji_model *model, enum pji_anova_type type, const char *key,
                       json_t *into, json_t *omitted, struct pj_error *err)
{
    size_t terms = model->terms.terms;
    struct pji_anova_row *rows = pji_zalloc(terms + 1, sizeof *rows, err);
    if (!rows)
        return PJ_ENOMEM;
    pj_status rc = pji_anova(&model->terms, model->y, type, rows, err);
    struct pji_str path = {0};
    pji_str_addf(&path, "factorial/%s", key);
    if (rc > 0)
        pji_omit_at(omitted, &path, rc);
    json_t *table = json_object();
    for (size_t t = 0; rc >= 0 && t < terms; t++) {
        char *name = pji_model_term_name(model, model->terms.term[t]);
        if (!name) {
            rc = pji_fail(err, PJ_ENOMEM, "out of memory while naming terms");
        } else if (rows[t].df > 0) {
            json_t *o = json_object();
            put_row(o, &rows[t]);
            pji_put_object(table, name, o);
        } else if (rc == PJ_OK) {
            pji_str_clear(&path);
            pji_str_addf(&path, "factorial/%s/%s", key, name);
            pji_omit_at(omitted, &path, PJI_STATS_DEFICIENT);
        }
        free(name);
    }
    if (rc != PJI_STATS_DEFICIENT)
        pji_put_object(into, key, table);
    else
        json_decref(table);
    pji_str_fini(&path);
    free(rows);
    return rc < 0 ? rc : PJ_OK;
}

pj_status pji_model_factorial(const struct pji_model *model, json_t **out, json_t *omitted,
                              struct pj_error *err)
{
    struct fit fit;
    pj_status rc = fit_init(&fit, model, PJI_CODING_SUM, err);
    if (rc)
        return rc;
    json_t *o = *out = json_object();
    pji_put_count(o, "n", fit.lm.n);
    pji_put(o, "df_residual", fit.lm.df_residual);
    pji_put(o, "ss_residual", fit.lm.rss);
    pji_put(o, "sigma", fit.lm.sigma);
    pji_put(o, "r2", fit.lm.r2);
    pji_put(o, "adj_r2", fit.lm.adj_r2);
    fit_fini(&fit);
    rc = anova(model, PJI_ANOVA_I, "typeI", o, omitted, err);
    if (!rc)
        rc = anova(model, PJI_ANOVA_II, "typeII", o, omitted, err);
    if (!rc)
        rc = anova(model, PJI_ANOVA_III, "typeIII", o, omitted, err);
    return rc;
}

pj_status pji_model_contrast(const struct pji_model *model, const struct pji_model_spec *spec,
                             json_t **out, json_t *omitted, struct pj_error *err)
{
    struct fit fit;
    pj_status rc = fit_init(&fit, model, PJI_CODING_TREATMENT, err);
    if (rc)
        return rc;
    struct pji_estimator estimator;
    struct pji_matrix cov = {NULL, 0, 0};
    rc = pji_lm_estimator(&fit.lm, &estimator, &cov, err);
    struct pji_emm_table table = {model,
                                  &fit.design,
                                  &estimator,
                                  spec,
                                  PJI_TABLE_POLY | PJI_TABLE_PAIRWISE | PJI_TABLE_HEDGES,
                                  fit.lm.sigma,
                                  fit.lm.df_residual,
                                  "contrast"};
    if (!rc)
        rc = pji_emm_table(&table, out, omitted, err);
    pji_matrix_fini(&cov);
    fit_fini(&fit);
    return rc;
}
