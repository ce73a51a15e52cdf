/* Answering the questions of a protocol: see analysis/protocol.h. */
#include "analysis/protocol_parts.h"

#include "analysis/layout.h"
#include "core/array.h"
#include "stats/adjust.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool known(const json_t *findings, const json_t *finding)
{
    size_t i;
    json_t *f;
    json_array_foreach(findings, i, f)
    {
        if (json_equal(json_object_get(f, "finding"), json_object_get(finding, "finding")))
            return true;
    }
    return false;
}

/* adds what is new; the codes of those that forbid go into the answer, and what all of them spare
 */
static void take_findings(struct pji_answer_job *job, json_t *answer, bool keep)
{
    struct pji_str codes = {0};
    size_t forbidding = 0;
    size_t i;
    json_t *f;
    json_array_foreach(json_object_get(answer, "findings"), i, f)
    {
        if (keep && !known(job->findings, f))
            json_array_append(job->findings, f);
        if (!json_is_true(json_object_get(f, "forbids_conclusion")))
            continue;
        pji_str_addf(&codes, "%s%s", codes.len > 0 ? "," : "",
                     json_string_value(json_object_get(f, "code")));
        if (forbidding++ == 0 && json_object_get(f, "spares"))
            json_object_set(answer, "spares", json_object_get(f, "spares"));
        else
            json_object_del(answer, "spares");
    }
    pji_row_text(answer, "forbidden_by", pji_str_text(&codes));
    pji_str_fini(&codes);
}

/* columns of the design: labels of the protocol, but not those that name or mark rows, nor those of
 * which the question's own factor is made */
static size_t design_of(const struct pji_answer_job *job, const char **out)
{
    const struct pji_protocol *p = job->protocol;
    size_t n = 0;
    for (size_t c = 0; c < p->columns && n < PJI_PROTOCOL_COLUMNS; c++) {
        const struct pji_protocol_column *column = &p->column[c];
        struct pji_str braced = {0};
        bool part = false;
        pji_str_addf(&braced, "{%s}", column->name);
        for (size_t d = 0; d < p->n_derived; d++)
            part = part || (strcmp(p->derived[d].name, job->question->by) == 0 &&
                            p->derived[d].kind == PJI_DERIVE_TEXT &&
                            strstr(p->derived[d].a, pji_str_text(&braced)));
        pji_str_fini(&braced);
        if (!column->number && !column->optional && !part && strcmp(column->name, p->run) != 0 &&
            strcmp(column->name, "repetition") != 0)
            out[n++] = column->name;
    }
    return n;
}

/* the orders of levels of those columns that the table has */
static pj_status levels_of(const struct pji_protocol_data *p, const struct pji_table *table,
                           const char **levels, size_t *n, struct pj_error *err)
{
    size_t col;
    for (size_t i = 0; i < p->n_levels; i++) {
        char *column = pji_dupn(p->levels[i], strcspn(p->levels[i], "="), err);
        if (!column)
            return PJ_ENOMEM;
        if (pji_table_find(table, column, &col, NULL) == PJ_OK)
            levels[(*n)++] = p->levels[i];
        free(column);
    }
    return PJ_OK;
}

static pj_status ask(struct pji_answer_job *job, const struct pji_table *table,
                     const struct pji_analysis *request, bool keep, json_t **out,
                     struct pj_error *err)
{
    const struct pji_protocol *p = job->protocol;
    const char *levels[PJI_PROTOCOL_LIST];
    const char *factor[PJI_PROTOCOL_COLUMNS];
    const char *design[PJI_PROTOCOL_COLUMNS];
    struct pji_analysis r = *request;
    bool conclusive = true;
    *out = NULL;
    pj_status rc = levels_of(job->data, table, levels, &r.n_levels, err);
    if (rc)
        return rc;
    r.levels = levels;
    for (size_t c = 0; c < p->columns && r.model; c++) {
        if (!p->column[c].number)
            factor[r.factors++] = p->column[c].name;
    }
    r.factor = factor;
    r.n_design = design_of(job, design);
    r.design = design;
    rc = pji_analyse(table, &r, out, &conclusive, err);
    if (rc) {
        pji_error_prefix(err, "%s", job->question->id);
        return rc;
    }
    job->conclusive = job->conclusive && (conclusive || !keep);
    take_findings(job, *out, keep);
    return PJ_OK;
}

pj_status pji_job_ask(struct pji_answer_job *job, const struct pji_table *table,
                      const struct pji_analysis *request, json_t **out, struct pj_error *err)
{
    return ask(job, table, request, true, out, err);
}

pj_status pji_job_look(struct pji_answer_job *job, const struct pji_table *table,
                       const struct pji_analysis *request, json_t **out, struct pj_error *err)
{
    return ask(job, table, request, false, out, err);
}

void pji_row_term(json_t *row, const json_t *answer, const char *term)
{
    size_t i;
    json_t *v;
    pji_row_text(row, "term", term);
    json_array_foreach(json_object_get(answer, "spares"), i, v)
    {
        if (strcmp(json_string_value(v), term) == 0)
            pji_row_text(row, "forbidden_by", "");
    }
}

void pji_row_text(json_t *row, const char *key, const char *value)
{
    json_object_set_new(row, key, json_string(value));
}

void pji_row_take(json_t *row, const json_t *from, const char *const *keys)
{
    for (size_t i = 0; keys[i]; i++) {
        char source[64];
        const char *colon = strchr(keys[i], ':');
        size_t len = colon ? (size_t)(colon - keys[i]) : strlen(keys[i]);
        memcpy(source, keys[i], len);
        source[len] = '\0';
        json_t *v = json_object_get(from, source);
        if (v)
            json_object_set(row, colon ? colon + 1 : source, v);
    }
}

json_t *pji_job_row(struct pji_answer_job *job, const char *kind, const char *test,
                    const char *family, const json_t *answer)
{
    json_t *table = json_object_get(job->tables, kind);
    if (!table) {
        table = json_array();
        json_object_set_new(job->tables, kind, table);
    }
    json_t *row = json_object();
    json_array_append_new(table, row);
    if (test)
        pji_row_text(row, "test", test);
    if (family) {
        const char *route = json_string_value(json_object_get(job->assumptions, "route"));
        pji_row_text(row, "route", family);
        pji_row_text(row, "chosen", route && strcmp(route, family) == 0 ? "yes" : "no");
    }
    if (answer)
        json_object_set(row, "forbidden_by", json_object_get(answer, "forbidden_by"));
    return row;
}

size_t pji_job_count(const struct pji_answer_job *job, const char *kind)
{
    return json_array_size(json_object_get(job->tables, kind));
}

pj_status pji_job_adjust(struct pji_answer_job *job, const char *kind, size_t from,
                         struct pj_error *err)
{
    const json_t *table = json_object_get(job->tables, kind);
    size_t n = json_array_size(table);
    double *p = pji_zalloc(n + 1, sizeof *p, err);
    if (!p)
        return PJ_ENOMEM;
    for (size_t i = from; i < n; i++) {
        const json_t *v = json_object_get(json_array_get(table, i), "p");
        p[i] = v ? json_number_value(v) : (double)NAN;
    }
    pj_status rc =
        n > from ? pji_adjust_p(PJI_ADJUST_BH, p + from, n - from, p + from, err) : PJ_OK;
    for (size_t i = from; !rc && i < n; i++)
        pji_put(json_array_get(table, i), "p_BH", p[i]);
    free(p);
    return rc;
}

/* findings about the protocol's own reading of the table */
static void note_reading(struct pji_answer_job *job)
{
    const struct pji_protocol_data *d = job->data;
    struct pji_str text = {0};
    if (d->comma == 0)
        return;
    pji_str_addf(&text,
                 "%zu numbers are written with a decimal comma, as the protocol declares: a reader "
                 "that takes the comma for a thousands mark gets values 100 times too large",
                 d->comma);
    json_t *o = json_object();
    pji_row_text(o, "code", "decimal_comma");
    pji_row_text(o, "consequence", "note");
    pji_row_text(o, "finding", pji_str_text(&text));
    json_object_set_new(o, "forbids_conclusion", json_false());
    json_array_append_new(job->findings, o);
    pji_str_fini(&text);
}

static json_t *texts(const struct pji_protocol_list *list)
{
    json_t *out = json_array();
    for (size_t i = 0; i < list->n; i++)
        json_array_append_new(out, json_string(list->item[i]));
    return out;
}

static pj_status answer(struct pji_answer_job *job, json_t *out, struct pj_error *err)
{
    static pj_status (*const steps[])(struct pji_answer_job *, struct pj_error *) = {
        pji_job_assume,    pji_job_describe, pji_job_groups,
        pji_job_factorial, pji_job_mixed,    pji_job_correlate};
    const struct pji_protocol_question *q = job->question;
    pj_status rc = PJ_OK;
    note_reading(job);
    for (size_t i = 0; !rc && i < sizeof steps / sizeof *steps; i++)
        rc = steps[i](job, err);
    if (rc)
        return rc;
    pji_row_text(out, "id", q->id);
    pji_row_text(out, "title", q->title);
    pji_row_text(out, "response", q->response);
    pji_row_text(out, "by", q->by);
    pji_row_text(out, "unit", q->unit);
    pji_row_text(out, "rows", q->on_runs ? "runs" : "rows");
    pji_put_count(out, "n", job->table->rows);
    json_object_set(out, "assumptions", job->assumptions);
    json_object_set(out, "tables", job->tables);
    json_object_set(out, "findings", job->findings);
    json_object_set_new(out, "remarks", texts(&q->remarks));
    return PJ_OK;
}

pj_status pji_protocol_run(const struct pji_protocol *protocol,
                           const struct pji_protocol_data *data, json_t **out, bool *conclusive,
                           struct pj_error *err)
{
    pj_status rc = PJ_OK;
    *out = json_array();
    *conclusive = true;
    for (size_t i = 0; !rc && i < protocol->questions; i++) {
        const struct pji_protocol_question *q = &protocol->question[i];
        struct pji_answer_job job = {.protocol = protocol,
                                     .data = data,
                                     .question = q,
                                     .table = q->on_runs ? &data->runs : &data->rows,
                                     .tables = json_object(),
                                     .findings = json_array(),
                                     .conclusive = true};
        json_t *o = json_object();
        rc = answer(&job, o, err);
        json_array_append_new(*out, o);
        *conclusive = *conclusive && job.conclusive;
        json_decref(job.tables);
        json_decref(job.findings);
        json_decref(job.assumptions);
    }
    if (rc) {
        json_decref(*out);
        *out = NULL;
    }
    return rc;
}
