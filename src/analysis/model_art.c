/* The aligned rank transform of a model's factors: see analysis/model.h. */
#include "analysis/model.h"

#include "analysis/layout.h"
#include "core/array.h"
#include "core/str.h"
#include "stats/anova.h"
#include "stats/art.h"
#include "stats/lm.h"
#include "stats/lmm_inference.h"
#include "stats/type3.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The full factorial of the model's factors: all subsets in the order of their size, then of their
 * first factors. */
struct factorial {
    struct pji_model model; /* y is replaced by the ranks */
    uint32_t factors;
    uint32_t *term;
    double *aligned;
    double *ranks;
};

static void factorial_fini(struct factorial *f)
{
    free(f->term);
    free(f->aligned);
    free(f->ranks);
}

static size_t list_subsets(uint32_t all, size_t size, uint32_t *out, size_t at)
{
    /* ascending masks of one size: first factors first for two, as good as any for more */
    for (uint32_t mask = 1; mask != 0 && mask <= all; mask++) {
        if ((mask & ~all) == 0 && (size_t)__builtin_popcount(mask) == size)
            out[at++] = mask;
    }
    return at;
}

/* PJI_STATS_UNDEFINED when the model has covariates or is not the full factorial */
static pj_status factorial_init(struct factorial *f, const struct pji_model *model,
                                struct pj_error *err)
{
    *f = (struct factorial){.model = *model};
    f->model.fits = NULL; /* another response */
    const struct pji_terms *m = &model->terms;
    for (size_t t = 0; t < m->terms; t++)
        f->factors |= m->term[t];
    size_t count = (size_t)__builtin_popcount(f->factors);
    for (size_t v = 0; v < m->variables; v++) {
        if (f->factors >> v & 1 && !m->variable[v].code)
            return PJI_STATS_UNDEFINED;
    }
    if (count == 0 || count > 6 || m->terms != ((size_t)1 << count) - 1 || !m->intercept)
        return PJI_STATS_UNDEFINED;
    f->term = pji_zalloc((size_t)1 << count, sizeof *f->term, err);
    f->aligned = pji_zalloc(m->n + 1, sizeof *f->aligned, err);
    f->ranks = pji_zalloc(m->n + 1, sizeof *f->ranks, err);
    if (!f->term || !f->aligned || !f->ranks) {
        factorial_fini(f);
        return PJ_ENOMEM;
    }
    size_t terms = 0;
    for (size_t size = 1; size <= count; size++)
        terms = list_subsets(f->factors, size, f->term, terms);
    f->model.terms.term = f->term;
    f->model.terms.terms = terms;
    f->model.y = f->ranks;
    return PJ_OK;
}

static void put_ranks(json_t *o, const struct factorial *f)
{
    size_t n = f->model.terms.n;
    long double absolute = 0;
    long double square = 0;
    for (size_t i = 0; i < n; i++) {
        absolute += fabsl((long double)f->aligned[i]);
        square += (long double)f->ranks[i] * (long double)f->ranks[i];
    }
    pji_put(o, "aligned_sum_abs", (double)absolute);
    pji_put(o, "aligned_first", f->aligned[0]);
    pji_put(o, "rank_first", f->ranks[0]);
    pji_put(o, "rank_sumsq", (double)square);
}

static pj_status fixed_row(const struct factorial *f, size_t term, json_t *o, struct pj_error *err)
{
    size_t terms = f->model.terms.terms;
    struct pji_anova_row *rows = pji_zalloc(terms + 1, sizeof *rows, err);
    if (!rows)
        return PJ_ENOMEM;
    struct pji_design design;
    struct pji_lm lm;
    pj_status rc = pji_design_init(&design, &f->model.terms, PJI_CODING_SUM, err);
    if (rc) {
        free(rows);
        return rc;
    }
    pj_status fit = pji_lm_fit(&lm, &design.x, true, f->ranks, err);
    rc = fit < 0 ? fit : pji_anova(&f->model.terms, f->ranks, PJI_ANOVA_III, rows, err);
    if (!rc) {
        pji_put(o, "F", rows[term].F);
        pji_put(o, "df1", rows[term].df);
        pji_put(o, "df2", lm.df_residual);
        pji_put(o, "p", rows[term].p);
        pji_put(o, "ss", rows[term].ss);
        pji_put(o, "ss_residual", lm.rss);
    }
    if (fit >= 0)
        pji_lm_fini(&lm);
    pji_design_fini(&design);
    free(rows);
    return rc;
}

struct mixed {
    struct pji_design design;
    struct pji_lmm lmm;
    struct pji_kenward_roger kr;
};

static void mixed_fini(struct mixed *m)
{
    pji_kenward_roger_fini(&m->kr);
    pji_lmm_fini(&m->lmm);
    pji_design_fini(&m->design);
}

/* 0 when fitted; a condition when there is no fit */
static pj_status mixed_init(struct mixed *m, const struct pji_model *model, struct pj_error *err)
{
    memset(m, 0, sizeof *m);
    pj_status rc = pji_design_init(&m->design, &model->terms, PJI_CODING_TREATMENT, err);
    if (rc)
        return rc;
    rc = pji_lmm_fit(&m->lmm, &m->design.x, model->y, model->group, model->groups, true, err);
    if (rc == PJI_STATS_SINGULAR || rc == PJI_STATS_DEFICIENT)
        rc = PJ_OK;
    if (!rc)
        rc = pji_kenward_roger_init(&m->kr, &m->lmm, err);
    if (rc)
        mixed_fini(m);
    return rc;
}

static pj_status mixed_row(const struct factorial *f, size_t term, json_t *o, struct pj_error *err)
{
    struct mixed m;
    struct pji_lmm_test test;
    struct pji_matrix l = {NULL, 0, 0};
    pj_status rc = mixed_init(&m, &f->model, err);
    if (rc)
        return rc;
    pji_put(o, "var_group", m.lmm.var_group);
    pji_put(o, "var_residual", m.lmm.var_residual);
    rc = pji_type3_rows(&m.design, m.lmm.kept, m.lmm.rank, term, &l, err);
    if (!rc)
        rc = pji_kenward_roger_test(&m.kr, &l, &test, err);
    if (!rc) {
        pji_put(o, "F", test.F);
        pji_put(o, "df1", test.num_df);
        pji_put(o, "df2_kr", test.den_df);
        pji_put(o, "p_kr", test.p);
    }
    pji_matrix_fini(&l);
    mixed_fini(&m);
    return rc;
}

pj_status pji_model_art(const struct pji_model *model, json_t **out, json_t *omitted,
                        struct pj_error *err)
{
    struct factorial f;
    *out = json_object();
    pj_status rc = factorial_init(&f, model, err);
    if (rc) {
        if (rc > 0)
            pji_omit(omitted, "art", rc);
        return rc < 0 ? rc : PJ_OK;
    }
    for (size_t t = 0; rc >= 0 && t < f.model.terms.terms; t++) {
        char *name = pji_model_term_name(&f.model, f.term[t]);
        json_t *o = json_object();
        rc = name ? pji_art_ranks(&f.model.terms, f.factors, f.term[t], model->y, f.aligned,
                                  f.ranks, err)
                  : pji_fail(err, PJ_ENOMEM, "out of memory for the terms");
        if (!rc) {
            put_ranks(o, &f);
            rc = model->group ? mixed_row(&f, t, o, err) : fixed_row(&f, t, o, err);
        }
        if (rc > 0) {
            struct pji_str path = {0};
            pji_str_addf(&path, "art/%s", name);
            pji_omit_at(omitted, &path, rc);
            pji_str_fini(&path);
        }
        if (rc >= 0)
            pji_put_object(*out, name, o);
        else
            json_decref(o);
        free(name);
    }
    factorial_fini(&f);
    return rc < 0 ? rc : PJ_OK;
}

static pj_status fixed_contrast(const struct factorial *f, struct pji_emm_table *table,
                                json_t **out, json_t *omitted, struct pj_error *err)
{
    struct pji_design design;
    struct pji_lm lm;
    struct pji_estimator estimator;
    struct pji_matrix cov = {NULL, 0, 0};
    pj_status rc = pji_design_init(&design, &f->model.terms, PJI_CODING_TREATMENT, err);
    if (rc)
        return rc;
    pj_status fit = pji_lm_fit(&lm, &design.x, true, f->ranks, err);
    rc = fit < 0 ? fit : pji_lm_estimator(&lm, &estimator, &cov, err);
    table->design = &design;
    table->fit = &estimator;
    if (!rc)
        rc = pji_emm_table(table, out, omitted, err);
    table->design = NULL; /* both end here */
    table->fit = NULL;
    pji_matrix_fini(&cov);
    if (fit >= 0)
        pji_lm_fini(&lm);
    pji_design_fini(&design);
    return rc;
}

static pj_status mixed_contrast(const struct factorial *f, struct pji_emm_table *table,
                                json_t **out, json_t *omitted, struct pj_error *err)
{
    struct mixed m;
    pj_status rc = mixed_init(&m, &f->model, err);
    if (rc) {
        if (rc > 0)
            pji_omit(omitted, table->path, rc);
        return rc < 0 ? rc : PJ_OK;
    }
    struct pji_estimator estimator = pji_kenward_roger_estimator(&m.kr);
    table->design = &m.design;
    table->fit = &estimator;
    rc = pji_emm_table(table, out, omitted, err);
    table->design = NULL; /* both end here */
    table->fit = NULL;
    mixed_fini(&m);
    return rc;
}

pj_status pji_model_art_contrast(const struct pji_model *model, size_t factor, json_t **out,
                                 json_t *omitted, struct pj_error *err)
{
    struct factorial f;
    *out = NULL;
    if (factor >= model->terms.variables)
        return pji_fail(err, PJ_EINVAL, "contrasts of a factor that the model does not have");
    pj_status rc = factorial_init(&f, model, err);
    if (rc > 0)
        pji_omit(omitted, "art_contrast", rc);
    if (!rc) {
        rc = pji_art_ranks(&f.model.terms, f.factors, UINT32_C(1) << factor, model->y, f.aligned,
                           f.ranks, err);
        struct pji_model_spec spec = {factor, NULL, 0};
        struct pji_emm_table table = {
            .model = &f.model, .spec = &spec, .parts = PJI_TABLE_PAIRWISE, .path = "art_contrast"};
        if (!rc)
            rc = model->group ? mixed_contrast(&f, &table, out, omitted, err)
                              : fixed_contrast(&f, &table, out, omitted, err);
        factorial_fini(&f);
    }
    if (rc >= 0 && !*out)
        *out = json_object();
    return rc < 0 ? rc : PJ_OK;
}
