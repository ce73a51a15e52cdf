/* Tests between the groups of one factor, and the analysis of variance of several: see
 * analysis/protocol.h. */
#include "analysis/protocol_parts.h"

#include "analysis/layout.h"
#include "core/str.h"

#include <stdlib.h>
#include <string.h>

static bool wants(const struct pji_answer_job *job, const char *test)
{
    for (size_t i = 0; i < job->question->tests.n; i++) {
        if (strcmp(job->question->tests.item[i], test) == 0)
            return true;
    }
    return false;
}

/* ---- omnibus ---- */

static void put_oneway(struct pji_answer_job *job, const json_t *answer, const char *scale)
{
    static const char *const keys[] = {"F:value",
                                       "df1",
                                       "df2",
                                       "p",
                                       "eta2",
                                       "omega2",
                                       "epsilon2",
                                       "cohens_f",
                                       "eta2_ci90_low",
                                       "eta2_ci90_high",
                                       NULL};
    static const char *const welch[] = {"welch_F:value", "welch_df1:df1", "welch_df2:df2",
                                        "welch_p:p",     "omega2",        NULL};
    const json_t *o = json_object_get(answer, "oneway");
    json_t *row = pji_job_row(job, "omnibus", "one-way ANOVA", "parametric", answer);
    pji_row_text(row, "term", job->question->by);
    pji_row_text(row, "scale", scale);
    pji_row_text(row, "statistic", "F");
    pji_row_take(row, o, keys);
    row = pji_job_row(job, "omnibus", "Welch ANOVA", "welch", answer);
    pji_row_text(row, "term", job->question->by);
    pji_row_text(row, "scale", scale);
    pji_row_text(row, "statistic", "F");
    pji_row_take(row, o, welch);
}

static void put_kruskal(struct pji_answer_job *job, const json_t *answer)
{
    static const char *const keys[] = {"H:value", "df:df1", "p", "epsilon2_rank", "eta2_H", NULL};
    json_t *row = pji_job_row(job, "omnibus", "Kruskal-Wallis", "rank", answer);
    pji_row_text(row, "term", job->question->by);
    pji_row_text(row, "scale", "ranks");
    pji_row_text(row, "statistic", "H");
    pji_row_take(row, json_object_get(answer, "kruskal"), keys);
}

/* ---- contrasts ---- */

static const char *const contrast_keys[] = {"estimate", "se",        "df",
                                            "t",        "p",         "p_bh:p_BH",
                                            "ci95_low", "ci95_high", "hedges_g_study:hedges_g",
                                            NULL};

static void put_contrasts(struct pji_answer_job *job, const json_t *answer, const json_t *contrasts,
                          const char *kind, const char *test, const char *scale)
{
    const char *name;
    json_t *v;
    json_object_foreach((json_t *)(uintptr_t)contrasts, name, v)
    {
        json_t *row = pji_job_row(job, kind, test, "parametric", answer);
        pji_row_text(row, "contrast", name);
        pji_row_text(row, "scale", scale);
        pji_row_take(row, v, contrast_keys);
    }
}

/* ---- pairs ---- */

/* is "A - B" one of the planned pairs, or (none planned) of successive levels? */
static bool planned(const struct pji_answer_job *job, const json_t *levels, const char *pair)
{
    const struct pji_protocol_list *pairs = &job->question->pairs;
    for (size_t i = 0; i < pairs->n; i++) {
        if (strcmp(pairs->item[i], pair) == 0)
            return true;
    }
    const char *before = NULL;
    const char *level;
    json_t *v;
    bool found = false;
    json_object_foreach((json_t *)(uintptr_t)levels, level, v)
    {
        struct pji_str name = {0};
        pji_str_addf(&name, "%s - %s", before ? before : "", level);
        found = found || (before && strcmp(pji_str_text(&name), pair) == 0);
        pji_str_fini(&name);
        before = level;
    }
    return pairs->n == 0 && found;
}

static void put_dunn(struct pji_answer_job *job, const json_t *answer, const char *kind)
{
    static const char *const keys[] = {"z",      "p", "p_bh:p_BH", "p_bh_no_running_min",
                                       "p_holm", NULL};
    const json_t *levels = json_object_get(answer, "descriptive");
    const char *pair;
    json_t *v;
    json_object_foreach(json_object_get(answer, "dunn"), pair, v)
    {
        if (strcmp(kind, "consec") == 0 && !planned(job, levels, pair))
            continue;
        json_t *row = pji_job_row(job, kind, "Dunn", "rank", answer);
        pji_row_text(row, "contrast", pair);
        pji_row_text(row, "scale", "ranks");
        pji_row_take(row, v, keys);
        pji_row_take(row, json_object_get(json_object_get(answer, "cliff"), pair),
                     (const char *const[]){"delta:cliffs_delta", "ci95_low:delta_ci95_low",
                                           "ci95_high:delta_ci95_high", NULL});
    }
}

static pj_status put_wilcoxon(struct pji_answer_job *job, const json_t *answer, const char *kind,
                              struct pj_error *err)
{
    static const char *const keys[] = {
        "n1",          "n2",           "W", "p_normal_cc:p", "p_exact", "hodges_lehmann",
        "hl_ci95_low", "hl_ci95_high", NULL};
    static const char *const effect[] = {"delta:cliffs_delta", "ci95_low:delta_ci95_low",
                                         "ci95_high:delta_ci95_high", "vargha_delaney_A", NULL};
    const json_t *levels = json_object_get(answer, "descriptive");
    const char *pair;
    json_t *v;
    size_t from = pji_job_count(job, kind);
    json_object_foreach(json_object_get(answer, "wilcoxon"), pair, v)
    {
        if (strcmp(kind, "consec") == 0 && !planned(job, levels, pair))
            continue;
        json_t *row = pji_job_row(job, kind, "Wilcoxon", "rank", answer);
        pji_row_text(row, "contrast", pair);
        pji_row_text(row, "scale", "ranks");
        pji_row_take(row, v, keys);
        pji_row_take(row, json_object_get(json_object_get(answer, "cliff"), pair), effect);
        pji_row_take(row, json_object_get(json_object_get(answer, "ttest"), pair),
                     (const char *const[]){"hedges_g", NULL});
    }
    return pji_job_adjust(job, kind, from, err);
}

static pj_status put_welch(struct pji_answer_job *job, const json_t *answer, struct pj_error *err)
{
    static const char *const keys[] = {"diff:estimate",
                                       "welch_t:t",
                                       "welch_df:df",
                                       "welch_p:p",
                                       "welch_ci95_low:ci95_low",
                                       "welch_ci95_high:ci95_high",
                                       "hedges_g",
                                       "hedges_g_ci95_low",
                                       "hedges_g_ci95_high",
                                       NULL};
    const char *pair;
    json_t *v;
    size_t from = pji_job_count(job, "pairwise");
    json_object_foreach(json_object_get(answer, "ttest"), pair, v)
    {
        json_t *row = pji_job_row(job, "pairwise", "Welch t", "welch", answer);
        pji_row_text(row, "contrast", pair);
        pji_row_text(row, "scale", "raw");
        pji_row_take(row, v, keys);
    }
    return pji_job_adjust(job, "pairwise", from, err);
}

/* planned pairs of a linear contrast when the levels are not successive */
static void put_planned(struct pji_answer_job *job, const json_t *answer)
{
    const char *pair;
    json_t *v;
    if (job->question->pairs.n == 0)
        return;
    json_object_foreach(json_object_get(json_object_get(answer, "contrast"), "pairwise"), pair, v)
    {
        if (!planned(job, NULL, pair))
            continue;
        json_t *row = pji_job_row(job, "consec", "t, pooled variance", "parametric", answer);
        pji_row_text(row, "contrast", pair);
        pji_row_text(row, "scale", "raw");
        pji_row_take(row, v, contrast_keys);
    }
}

/* the recommended scale when it is not the raw one: the same model there */
static pj_status on_scale(struct pji_answer_job *job, struct pj_error *err)
{
    static const char *const keys[] = {"F:value",
                                       "df:df1",
                                       "p",
                                       "eta2_partial:eta2",
                                       "omega2_partial:omega2",
                                       "cohens_f_partial:cohens_f",
                                       NULL};
    const struct pji_protocol_question *q = job->question;
    const char *scale = json_string_value(json_object_get(job->assumptions, "recommended_scale"));
    const char *route = json_string_value(json_object_get(job->assumptions, "route"));
    if (!scale || !route || strcmp(scale, "raw") == 0 || strcmp(route, "parametric") != 0)
        return PJ_OK;
    struct pji_str formula = {0};
    pji_str_addf(&formula, "%s(`%s`) ~ factor(`%s`)", scale, q->response, q->by);
    struct pji_analysis r = {.model = pji_str_text(&formula), .tests = "factorial,contrast"};
    json_t *o = NULL;
    pj_status rc = pji_job_ask(job, job->table, &r, &o, err);
    const char *term;
    json_t *v;
    json_object_foreach(rc ? NULL : json_object_get(json_object_get(o, "factorial"), "typeI"), term,
                        v)
    {
        json_t *row = pji_job_row(job, "omnibus", "one-way ANOVA", "parametric", o);
        pji_row_text(row, "term", q->by);
        pji_row_text(row, "scale", scale);
        pji_row_text(row, "statistic", "F");
        pji_row_take(row, v, keys);
        pji_row_take(row, json_object_get(o, "factorial"),
                     (const char *const[]){"df_residual:df2", NULL});
    }
    json_object_foreach(rc ? NULL : json_object_get(o, "contrast"), term, v)
        put_contrasts(job, o, json_object_get(v, "consec"), "consec", "t, pooled variance", scale);
    if (!rc)
        json_decref(o);
    pji_str_fini(&formula);
    return rc;
}

static pj_status put_groups(struct pji_answer_job *job, const json_t *answer, struct pj_error *err)
{
    const json_t *contrast = json_object_get(answer, "contrast");
    pj_status rc = PJ_OK;
    if (wants(job, "oneway"))
        put_oneway(job, answer, "raw");
    if (wants(job, "kruskal"))
        put_kruskal(job, answer);
    if (wants(job, "consecutive"))
        put_contrasts(job, answer, json_object_get(contrast, "consec"), "consec",
                      "t, pooled variance", "raw");
    if (wants(job, "polynomial"))
        put_contrasts(job, answer, json_object_get(contrast, "poly"), "consec",
                      "polynomial contrast", "raw");
    put_planned(job, answer);
    if (wants(job, "oneway"))
        put_contrasts(job, answer, json_object_get(contrast, "pairwise"), "pairwise",
                      "t, pooled variance", "raw");
    if (wants(job, "oneway"))
        rc = put_welch(job, answer, err);
    if (!rc && wants(job, "dunn")) {
        put_dunn(job, answer, "consec");
        put_dunn(job, answer, "pairwise");
    }
    if (!rc && wants(job, "wilcoxon"))
        rc = put_wilcoxon(job, answer, "consec", err);
    if (!rc && wants(job, "wilcoxon"))
        rc = put_wilcoxon(job, answer, "pairwise", err);
    return rc ? rc : on_scale(job, err);
}

pj_status pji_job_groups(struct pji_answer_job *job, struct pj_error *err)
{
    const struct pji_protocol_question *q = job->question;
    struct pji_analysis r = {.response = q->response,
                             .by = q->by,
                             .tests = "descriptive,oneway,kruskal,dunn,wilcoxon,cliff,ttest,"
                                      "contrast"};
    json_t *o = NULL;
    if (q->tests.n == 0)
        return PJ_OK;
    pj_status rc = pji_job_ask(job, job->table, &r, &o, err);
    if (!rc)
        rc = put_groups(job, o, err);
    json_decref(o);
    return rc;
}

/* ---- several factors ---- */

pj_status pji_job_factorial(struct pji_answer_job *job, struct pj_error *err)
{
    static const char *const types[] = {"typeI", "typeII", "typeIII"};
    static const char *const names[] = {"ANOVA type I", "ANOVA type II", "ANOVA type III"};
    static const char *const keys[] = {"F:value",
                                       "df:df1",
                                       "p",
                                       "eta2_partial",
                                       "omega2_partial",
                                       "epsilon2_partial",
                                       "cohens_f_partial:cohens_f",
                                       NULL};
    struct pji_analysis r = {.model = job->question->factorial, .tests = "factorial"};
    json_t *o = NULL;
    if (!r.model)
        return PJ_OK;
    pj_status rc = pji_job_ask(job, job->table, &r, &o, err);
    for (size_t i = 0; !rc && i < 3; i++) {
        const json_t *factorial = json_object_get(o, "factorial");
        size_t from = pji_job_count(job, "omnibus");
        const char *term;
        json_t *v;
        json_object_foreach(json_object_get(factorial, types[i]), term, v)
        {
            json_t *row = pji_job_row(job, "omnibus", names[i], "parametric", o);
            pji_row_term(row, o, term);
            pji_row_text(row, "scale", "raw");
            pji_row_text(row, "statistic", "F");
            pji_row_take(row, v, keys);
            pji_row_take(row, factorial, (const char *const[]){"df_residual:df2", NULL});
        }
        rc = pji_job_adjust(job, "omnibus", from, err);
    }
    json_decref(o);
    return rc;
}
