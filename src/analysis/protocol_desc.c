/* What is described before anything is tested: see analysis/protocol.h. */
#include "analysis/protocol_parts.h"

#include "analysis/by.h"
#include "analysis/frame.h"
#include "core/array.h"

#include <stdlib.h>
#include <string.h>

/* ---- descriptives ---- */

struct groups {
    const struct pji_table *table;
    struct pji_frame frame;
    struct pji_factor cell;
    size_t col[PJI_PROTOCOL_LIST];
    struct pji_factor part[PJI_PROTOCOL_LIST]; /* the factors whose combinations the cells are */
    size_t n;
};

static void groups_fini(struct groups *g)
{
    for (size_t i = 0; i < g->n; i++)
        pji_factor_fini(&g->part[i]);
    pji_factor_fini(&g->cell);
    pji_frame_fini(&g->frame);
}

static pj_status groups_init(struct groups *g, const struct pji_table *table,
                             const struct pji_protocol_list *within, struct pj_error *err)
{
    memset(g, 0, sizeof *g);
    g->table = table;
    bool *keep = pji_zalloc(table->rows + 1, sizeof *keep, err);
    if (!keep)
        return PJ_ENOMEM;
    for (size_t i = 0; i < table->rows; i++)
        keep[i] = true;
    pj_status rc = pji_frame_init(&g->frame, table, keep, err);
    free(keep);
    for (size_t i = 0; !rc && i < within->n; i++) {
        rc = pji_table_find(table, within->item[i], &g->col[i], err);
        if (!rc)
            rc = pji_frame_factor(&g->frame, g->col[i], NULL, &g->part[i], err);
        g->n += rc ? 0 : 1;
    }
    return rc ? rc : pji_frame_cross(&g->frame, g->col, within->n, &g->cell, err);
}

/* name of the level of factor `part` in cell `c` */
static const char *level_in(const struct groups *g, size_t part, size_t c)
{
    size_t row = 0;
    while (g->cell.code[row] != c)
        row++;
    return g->part[part].level[g->part[part].code[row]];
}

static pj_status describe(struct pji_answer_job *job, const struct groups *g, const char *variable,
                          struct pj_error *err)
{
    static const char *const keys[] = {"n",
                                       "mean",
                                       "median",
                                       "var",
                                       "sd",
                                       "min",
                                       "max",
                                       "q1",
                                       "q3",
                                       "cv",
                                       "ci95_low",
                                       "ci95_high",
                                       "geometric_mean",
                                       "mad",
                                       "skewness_g1",
                                       NULL};
    double *y = NULL;
    json_t *o = NULL;
    size_t col;
    pj_status rc = pji_table_find(g->table, variable, &col, err);
    if (!rc)
        rc = pji_frame_numbers(&g->frame, col, PJI_FN_NONE, &y, err);
    if (rc)
        return rc;
    struct pji_by by = {y, g->cell.code, g->frame.n, g->cell.k, (const char *const *)g->cell.level};
    rc = pji_by_descriptive(&by, &o, NULL, err);
    for (size_t c = 0; !rc && c < g->cell.k; c++) {
        json_t *row = pji_job_row(job, "desc", NULL, NULL, NULL);
        pji_row_text(row, "variable", variable);
        pji_row_text(row, "rows", g->table == &job->data->runs ? "runs" : "rows");
        for (size_t i = 0; i < g->n; i++)
            pji_row_text(row, job->question->within.item[i], level_in(g, i, c));
        pji_row_take(row, json_object_get(o, g->cell.level[c]), keys);
    }
    json_decref(o);
    free(y);
    return rc;
}

static pj_status describe_table(struct pji_answer_job *job, const struct pji_table *table,
                                struct pj_error *err)
{
    struct groups g;
    size_t col;
    pj_status rc = groups_init(&g, table, &job->question->within, err);
    for (size_t i = 0; !rc && i < job->question->describe.n; i++) {
        const char *variable = job->question->describe.item[i];
        /* what is derived of runs does not exist in rows */
        if (table == job->table || pji_table_find(table, variable, &col, NULL) == PJ_OK)
            rc = describe(job, &g, variable, err);
    }
    groups_fini(&g);
    return rc;
}

/* the rows of the question, then for one on runs their repetitions as well */
pj_status pji_job_describe(struct pji_answer_job *job, struct pj_error *err)
{
    pj_status rc = describe_table(job, job->table, err);
    if (!rc && job->question->on_runs)
        rc = describe_table(job, &job->data->rows, err);
    return rc;
}

/* ---- assumptions ---- */

static void put_scales(struct pji_answer_job *job, const char *rows, size_t n, const json_t *a)
{
    static const char *const scales[] = {"raw", "log", "sqrt"};
    static const char *const keys[] = {"shapiro_W", "shapiro_p",       "levene_F", "levene_p",
                                       "normal",    "equal_variances", NULL};
    const char *best = json_string_value(json_object_get(a, "recommended_scale"));
    for (size_t i = 0; i < 3; i++) {
        json_t *row = pji_job_row(job, "assumption_summary", NULL, NULL, NULL);
        pji_row_text(row, "variable", job->question->response);
        pji_row_text(row, "rows", rows);
        json_object_set_new(row, "n", json_integer((json_int_t)n));
        pji_row_text(row, "scale", scales[i]);
        pji_row_take(row, json_object_get(a, scales[i]), keys);
        pji_row_text(row, "recommended", best && strcmp(best, scales[i]) == 0 ? "yes" : "no");
        pji_row_take(row, a, (const char *const[]){"route", "reason", NULL});
    }
}

/* the rows of the question choose the route; the repetitions are shown beside them */
pj_status pji_job_assume(struct pji_answer_job *job, struct pj_error *err)
{
    const struct pji_protocol_question *q = job->question;
    struct pji_analysis by = {.response = q->response, .by = q->by, .tests = "assumptions"};
    struct pji_analysis model = {.model = q->mixed, .tests = "assumptions"};
    json_t *o = NULL;
    pj_status rc = pji_job_ask(job, job->table, q->mixed && !q->on_runs ? &model : &by, &o, err);
    if (rc)
        return rc;
    job->assumptions = json_incref(json_object_get(o, "assumptions"));
    json_decref(o);
    put_scales(job, q->on_runs ? "runs" : "rows", job->table->rows, job->assumptions);
    size_t col;
    if (!q->on_runs || pji_table_find(&job->data->rows, q->response, &col, NULL))
        return PJ_OK;
    rc = pji_job_look(job, &job->data->rows, &by, &o, err);
    if (!rc)
        put_scales(job, "rows", job->data->rows.rows, json_object_get(o, "assumptions"));
    if (!rc)
        json_decref(o);
    return rc;
}

/* ---- correlation ---- */

static pj_status correlate(struct pji_answer_job *job, bool runs, struct pj_error *err)
{
    static const char *const keys[] = {"n",
                                       "spearman_rho",
                                       "spearman_t_p:p",
                                       "spearman_as89_p:p",
                                       "spearman_exact_p:p",
                                       "kendall_tau_b",
                                       "pearson_r",
                                       "pearson_ci95_low",
                                       "pearson_ci95_high",
                                       NULL};
    const struct pji_protocol_question *q = job->question;
    const struct pji_table *table = runs ? &job->data->runs : &job->data->rows;
    struct pji_analysis r = {
        .response = q->correlate.item[0], .correlate = q->correlate.item[1], .by = q->by};
    json_t *o = NULL;
    const char *level;
    json_t *v;
    size_t from = pji_job_count(job, "correlation");
    pj_status rc = pji_job_ask(job, table, &r, &o, err);
    if (rc)
        return rc;
    json_object_foreach(json_object_get(o, "correlation"), level, v)
    {
        json_t *row = pji_job_row(job, "correlation", "Spearman", NULL, o);
        pji_row_text(row, "y", q->correlate.item[0]);
        pji_row_text(row, "x", q->correlate.item[1]);
        pji_row_text(row, "rows", runs ? "runs" : "rows");
        pji_row_text(row, q->by, level);
        pji_row_take(row, v, keys); /* p: exact where there is one, else by series, else by t */
    }
    json_decref(o);
    return pji_job_adjust(job, "correlation", from, err);
}

pj_status pji_job_correlate(struct pji_answer_job *job, struct pj_error *err)
{
    if (job->question->correlate.n == 0)
        return PJ_OK;
    pj_status rc = correlate(job, false, err);
    return rc ? rc : correlate(job, true, err);
}
