/* Mixed models with the repetitions in runs: link and response scale, variances, the aligned rank
 * transform. See analysis/protocol.h.
 *
 * A mean m on the link scale is h(m) on that of the response (h = exp, expm1, square), its standard
 * error h'(m) se (delta method), its limits are h of the limits. For a difference of two the
 * covariance comes from the variance of the difference on the link scale. */
#include "analysis/protocol_parts.h"

#include "analysis/layout.h"
#include "core/str.h"
#include "stats/student.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static double back(const char *link, double m)
{
    if (!link)
        return m;
    return strcmp(link, "log") == 0 ? exp(m) : strcmp(link, "log1p") == 0 ? expm1(m) : m * m;
}

static double slope(const char *link, double m)
{
    if (!link)
        return 1;
    return strcmp(link, "sqrt") == 0 ? 2 * m : exp(m);
}

/* "log1p(energy) ~ …" of "energy ~ …" */
static void linked(const struct pji_protocol_question *q, struct pji_str *out)
{
    const char *rest = strchr(q->mixed, '~');
    if (q->link && rest)
        pji_str_addf(out, "%s(`%s`) %s", q->link, q->response, rest);
    else
        pji_str_add(out, q->mixed);
}

static double number(const json_t *o, const char *key)
{
    const json_t *v = json_object_get(o, key);
    return json_is_number(v) ? json_number_value(v) : (double)NAN;
}

/* ---- omnibus ---- */

static pj_status put_terms(struct pji_answer_job *job, const json_t *answer, const char *group,
                           const char *test, const char *family, const char *scale,
                           const char *const *keys, struct pj_error *err)
{
    size_t from = pji_job_count(job, "omnibus");
    const char *term;
    json_t *v;
    json_object_foreach(json_object_get(answer, group), term, v)
    {
        json_t *row = pji_job_row(job, "omnibus", test, family, answer);
        pji_row_term(row, answer, term);
        pji_row_text(row, "scale", scale);
        pji_row_text(row, "statistic", "F");
        pji_row_take(row, v, keys);
        double f = number(row, "value");
        double df1 = number(row, "df1");
        double df2 = number(row, "df2");
        /* effect sizes from F and its degrees of freedom (between units where the design says) */
        pji_put(row, "eta2_partial", f * df1 / (f * df1 + df2));
        pji_put(row, "omega2_partial", (f - 1) * df1 / ((f - 1) * df1 + df1 + df2 + 1));
    }
    return pji_job_adjust(job, "omnibus", from, err);
}

static pj_status put_tests(struct pji_answer_job *job, const json_t *answer, const json_t *ranks,
                           struct pj_error *err)
{
    static const char *const sat[] = {
        "F:value", "num_df:df1", "den_df_satterthwaite:df2", "ss", "ms", "p_satterthwaite:p", NULL};
    static const char *const kr[] = {"F_kr:value", "num_df:df1", "den_df_kr:df2", "p_kr:p", NULL};
    static const char *const art[] = {"F:value", "df1", "df2_kr:df2", "p_kr:p", NULL};
    const char *scale = job->question->link ? job->question->link : "raw";
    pj_status rc = put_terms(job, answer, "lmm_type3", "mixed model, type III (Satterthwaite)",
                             "parametric", scale, sat, err);
    if (!rc)
        rc = put_terms(job, answer, "lmm_type3", "mixed model, type III (Kenward-Roger)",
                       "parametric", scale, kr, err);
    return rc ? rc
              : put_terms(job, ranks, "art", "aligned rank transform (Kenward-Roger)", "rank",
                          "ranks", art, err);
}

static void put_variance(struct pji_answer_job *job, const json_t *answer)
{
    static const char *const keys[] = {
        "n",   "groups",   "var_group",      "var_residual", "sd_group",    "sd_residual",
        "icc", "singular", "reml_criterion", "aic",          "r2_marginal", "r2_conditional",
        NULL};
    const json_t *lmm = json_object_get(answer, "lmm");
    json_t *row = pji_job_row(job, "variance", "mixed model (REML)", NULL, NULL);
    pji_row_text(row, "scale", job->question->link ? job->question->link : "raw");
    pji_row_take(row, lmm, keys);
    /* the optimum is the root of the derivative: there is no iteration that could stop early */
    pji_row_text(row, "converged", json_object_get(lmm, "var_group") ? "yes" : "no");
}

/* ---- means and contrasts ---- */

static void put_means(struct pji_answer_job *job, const json_t *answer, const char *spec,
                      const json_t *table)
{
    const char *link = job->question->link;
    const char *level;
    json_t *v;
    json_object_foreach(json_object_get(table, "means"), level, v)
    {
        double m = number(v, "emmean");
        json_t *row = pji_job_row(job, "emmeans", "mixed model (Satterthwaite)", NULL, answer);
        json_object_del(row, "forbidden_by"); /* a mean is no test */
        pji_row_text(row, "spec", spec);
        pji_row_text(row, "level", level);
        pji_row_take(row, v,
                     (const char *const[]){"emmean", "se", "df", "ci95_low:link_ci95_low",
                                           "ci95_high:link_ci95_high", NULL});
        pji_put(row, "response", back(link, m));
        pji_put(row, "response_se", slope(link, m) * number(v, "se"));
        pji_put(row, "response_ci95_low", back(link, number(v, "ci95_low")));
        pji_put(row, "response_ci95_high", back(link, number(v, "ci95_high")));
    }
}

/* "3 - 2 | BoolQ" → means "3,BoolQ" and "2,BoolQ" */
static bool means_of(const json_t *means, const char *contrast, const json_t **a, const json_t **b)
{
    const char *minus = strstr(contrast, " - ");
    const char *bar = strstr(contrast, " | ");
    struct pji_str first = {0};
    struct pji_str second = {0};
    if (!minus || (bar && bar < minus))
        return false;
    size_t end = bar ? (size_t)(bar - minus) - 3 : strlen(minus + 3);
    pji_str_addn(&first, contrast, (size_t)(minus - contrast));
    pji_str_addn(&second, minus + 3, end);
    if (bar) {
        pji_str_addf(&first, ",%s", bar + 3);
        pji_str_addf(&second, ",%s", bar + 3);
    }
    *a = json_object_get(means, pji_str_text(&first));
    *b = json_object_get(means, pji_str_text(&second));
    pji_str_fini(&first);
    pji_str_fini(&second);
    return *a && *b;
}

/* the difference on the scale of the response */
static void put_response(json_t *row, const char *link, const json_t *a, const json_t *b,
                         const json_t *difference)
{
    double ma = number(a, "emmean");
    double mb = number(b, "emmean");
    double va = pow(number(a, "se"), 2);
    double vb = pow(number(b, "se"), 2);
    double covariance = (va + vb - pow(number(difference, "se"), 2)) / 2;
    double ga = slope(link, ma);
    double gb = slope(link, mb);
    double estimate = back(link, ma) - back(link, mb);
    double se = sqrt(fmax(0, ga * ga * va + gb * gb * vb - 2 * ga * gb * covariance));
    double df = number(difference, "df");
    double half = pji_t_quantile(0.975, df) * se;
    pji_put(row, "estimate", estimate);
    pji_put(row, "se", se);
    pji_put(row, "df", df);
    pji_put(row, "t", estimate / se);
    pji_put(row, "p", pji_t_two_sided(estimate / se, df));
    pji_put(row, "ci95_low", estimate - half);
    pji_put(row, "ci95_high", estimate + half);
    pji_put(row, "ratio", back(link, ma) / back(link, mb));
}

/* what stands behind " | " of a contrast, "" without */
static const char *within_of(const json_t *row)
{
    const char *name = json_string_value(json_object_get(row, "contrast"));
    const char *bar = name ? strstr(name, " | ") : NULL;
    return bar ? bar : "";
}

/* rows from … within one level of another factor are a family */
static pj_status adjust_within(struct pji_answer_job *job, const char *kind, size_t from,
                               struct pj_error *err)
{
    const json_t *rows = json_object_get(job->tables, kind);
    pj_status rc = PJ_OK;
    for (size_t i = from; !rc && i < json_array_size(rows); i++) {
        json_t *first = json_array_get(rows, i);
        if (json_object_get(first, "p_BH"))
            continue;
        json_t *part = json_array();
        for (size_t j = i; j < json_array_size(rows); j++) {
            if (strcmp(within_of(json_array_get(rows, j)), within_of(first)) == 0)
                json_array_append(part, json_array_get(rows, j));
        }
        struct pji_answer_job family = *job;
        family.tables = json_pack("{s:o}", kind, part);
        rc = pji_job_adjust(&family, kind, 0, err);
        json_decref(family.tables);
    }
    return rc;
}

static pj_status put_consecutive(struct pji_answer_job *job, const json_t *answer, const char *spec,
                                 const json_t *table, const char *method, struct pj_error *err)
{
    static const char *const keys[] = {"estimate",  "se",       "df",        "t", "p",
                                       "p_bh:p_BH", "ci95_low", "ci95_high", NULL};
    const char *link = job->question->link;
    const json_t *means = json_object_get(table, "means");
    struct pji_str test = {0};
    const char *name;
    json_t *v;
    pji_str_addf(&test, "mixed model (%s)", method);
    json_object_foreach(json_object_get(table, "consec"), name, v)
    {
        json_t *row = pji_job_row(job, "consec", pji_str_text(&test), "parametric", answer);
        pji_row_term(row, answer, spec);
        pji_row_text(row, "contrast", name);
        pji_row_text(row, "scale", link ? link : "raw");
        pji_row_take(row, v, keys);
    }
    size_t from = pji_job_count(job, "consec");
    json_object_foreach(link ? json_object_get(table, "consec") : NULL, name, v)
    {
        const json_t *a;
        const json_t *b;
        if (!means_of(means, name, &a, &b))
            continue;
        json_t *row = pji_job_row(job, "consec", pji_str_text(&test), "parametric", answer);
        pji_row_term(row, answer, spec);
        pji_row_text(row, "contrast", name);
        pji_row_text(row, "scale", "response");
        put_response(row, link, a, b, v);
    }
    pji_str_fini(&test);
    return adjust_within(job, "consec", from, err);
}

static pj_status put_model(struct pji_answer_job *job, const json_t *answer, struct pj_error *err)
{
    static const char *const methods[] = {"satterthwaite", "kenward-roger"};
    static const char *const names[] = {"Satterthwaite", "Kenward-Roger"};
    const char *spec;
    json_t *v;
    pj_status rc = PJ_OK;
    json_object_foreach(json_object_get(answer, "lmm_emmeans"), spec, v)
    {
        put_means(job, answer, spec, json_object_get(v, methods[0]));
        for (size_t i = 0; !rc && i < 2; i++)
            rc = put_consecutive(job, answer, spec, json_object_get(v, methods[i]), names[i], err);
    }
    return rc;
}

static void put_ranks(struct pji_answer_job *job, const json_t *answer)
{
    static const char *const kinds[] = {"consec", "pairwise"};
    static const char *const keys[] = {"estimate",  "se",       "df",        "t", "p",
                                       "p_bh:p_BH", "ci95_low", "ci95_high", NULL};
    const char *factor;
    json_t *table;
    json_object_foreach(json_object_get(answer, "art_contrast"), factor, table)
    {
        for (size_t i = 0; i < 2; i++) {
            const char *name;
            json_t *v;
            json_object_foreach(json_object_get(table, kinds[i]), name, v)
            {
                json_t *row =
                    pji_job_row(job, kinds[i], "aligned ranks (Kenward-Roger)", "rank", answer);
                pji_row_term(row, answer, factor);
                pji_row_text(row, "contrast", name);
                pji_row_text(row, "scale", "ranks");
                pji_row_take(row, v, keys);
            }
        }
    }
}

/* "a,BoolQ - b,BoolQ": the cells differ in their first part only, and by one step of it */
static bool one_step(const struct pji_answer_job *job, const char *pair, const char **rest)
{
    const char *minus = strstr(pair, " - ");
    const char *comma_a = strchr(pair, ',');
    const char *comma_b = minus ? strchr(minus, ',') : NULL;
    if (!minus || !comma_a || comma_a > minus || !comma_b ||
        (size_t)(minus - comma_a) != strlen(comma_b) ||
        strncmp(comma_a, comma_b, strlen(comma_b)) != 0)
        return false;
    const json_t *rows = json_object_get(job->tables, "emmeans");
    struct pji_str a = {0};
    struct pji_str b = {0};
    const char *before = "";
    size_t i;
    json_t *row;
    bool found = false;
    pji_str_addn(&a, pair, (size_t)(comma_a - pair));
    pji_str_addn(&b, minus + 3, (size_t)(comma_b - minus) - 3);
    json_array_foreach(rows, i, row) /* the means of the factor are in the order of its levels */
    {
        const char *level = json_string_value(json_object_get(row, "level"));
        const char *spec = json_string_value(json_object_get(row, "spec"));
        if (strcmp(spec, job->question->by) != 0)
            continue;
        found = found ||
                (strcmp(before, pji_str_text(&a)) == 0 && strcmp(level, pji_str_text(&b)) == 0);
        before = level;
    }
    pji_str_fini(&a);
    pji_str_fini(&b);
    *rest = comma_b + 1;
    return found;
}

/* Successive levels within each level of the other factor, on ranks aligned for the combination
 * (ART-C). p_BH: within that level; p_BH_all: over all pairs of cells. */
static pj_status put_cells(struct pji_answer_job *job, struct pj_error *err)
{
    static const char *const keys[] = {"estimate",      "se",       "df",        "t", "p",
                                       "p_bh:p_BH_all", "ci95_low", "ci95_high", NULL};
    const struct pji_protocol_question *q = job->question;
    struct pji_str formula = {0};
    json_t *o = NULL;
    const char *pair;
    json_t *v;
    if (!q->rank_cells)
        return PJ_OK;
    pji_str_addf(&formula, "`%s` ~ `%s` + (1|`%s`)", q->response, q->rank_cells,
                 job->protocol->run);
    struct pji_analysis r = {.model = pji_str_text(&formula), .tests = "art_contrast"};
    pj_status rc = pji_job_look(job, &job->data->rows, &r, &o, err);
    const json_t *table = json_object_get(json_object_get(o, "art_contrast"), q->rank_cells);
    size_t from = pji_job_count(job, "consec");
    json_object_foreach(rc ? NULL : json_object_get(table, "pairwise"), pair, v)
    {
        const char *rest;
        if (!one_step(job, pair, &rest))
            continue;
        struct pji_str name = {0};
        json_t *row =
            pji_job_row(job, "consec", "aligned ranks of cells (Kenward-Roger)", "rank", o);
        pji_str_addf(&name, "%.*s - %.*s | %s", (int)strcspn(pair, ","), pair,
                     (int)strcspn(strstr(pair, " - ") + 3, ","), strstr(pair, " - ") + 3, rest);
        pji_row_text(row, "term", q->means_within ? q->means_within : q->rank_cells);
        pji_row_text(row, "contrast", pji_str_text(&name));
        pji_row_text(row, "scale", "ranks");
        pji_row_take(row, v, keys);
        pji_str_fini(&name);
    }
    json_decref(o);
    pji_str_fini(&formula);
    return rc ? rc : adjust_within(job, "consec", from, err);
}

pj_status pji_job_mixed(struct pji_answer_job *job, struct pj_error *err)
{
    const struct pji_protocol_question *q = job->question;
    struct pji_str formula = {0};
    json_t *o = NULL;
    json_t *ranks = NULL;
    if (!q->mixed)
        return PJ_OK;
    linked(q, &formula);
    struct pji_analysis r = {.model = pji_str_text(&formula),
                             .tests = "lmm,lmm_type3,lmm_emmeans",
                             .emmeans = &q->means_within,
                             .n_emmeans = q->means_within ? 1 : 0};
    struct pji_analysis aligned = {.model = q->mixed, .tests = "art,art_contrast"};
    pj_status rc = pji_job_ask(job, &job->data->rows, &r, &o, err);
    if (!rc)
        rc = pji_job_ask(job, &job->data->rows, &aligned, &ranks, err);
    if (!rc)
        rc = put_tests(job, o, ranks, err);
    if (!rc) {
        put_variance(job, o);
        rc = put_model(job, o, err);
    }
    if (!rc)
        put_ranks(job, ranks);
    if (!rc)
        rc = put_cells(job, err);
    json_decref(o);
    json_decref(ranks);
    pji_str_fini(&formula);
    return rc;
}
