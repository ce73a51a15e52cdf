/* Which questions of a protocol are the analysis that a study declared: see analysis/declared.h. */
#include "analysis/declared.h"

#include "core/array.h"

#include <string.h>
#include <strings.h>

struct reading {
    const struct pji_declared *declared;
    const struct pji_protocol *protocol;
    const struct pji_protocol_data *data;
    const struct pji_table *study;
    size_t trials; /* done in the study */
};

static const char *text_of(const json_t *o, const char *key)
{
    const char *text = json_string_value(json_object_get(o, key));
    return text ? text : "";
}

/* the column of the study that a name of the protocol stands for; NULL: it is made of others */
static const char *origin_of(const struct reading *r, const char *name)
{
    const struct pji_protocol *p = r->protocol;
    size_t col;
    for (size_t i = 0; i < p->n_derived; i++) {
        if (strcmp(p->derived[i].name, name) == 0)
            return p->derived[i].kind == PJI_DERIVE_COPY ? origin_of(r, p->derived[i].a) : NULL;
    }
    for (size_t i = 0; i < p->n_run_derived; i++) {
        if (strcmp(p->run_derived[i].name, name) == 0)
            return NULL;
    }
    if (pji_table_find(r->study, name, &col, NULL) == PJ_OK)
        return name;
    for (size_t c = 0; c < p->columns; c++) {
        for (size_t a = 0; strcmp(p->column[c].name, name) == 0 && a < p->column[c].aliases.n;
             a++) {
            if (pji_table_find(r->study, p->column[c].aliases.item[a], &col, NULL) == PJ_OK)
                return p->column[c].aliases.item[a];
        }
    }
    return NULL;
}

static bool is_declared_factor(const struct reading *r, const char *name)
{
    const char *column = origin_of(r, name);
    for (size_t i = 0; column && i < r->declared->factors; i++) {
        if (strcmp(r->declared->factor[i], column) == 0)
            return true;
    }
    return false;
}

/* the question's factor and those within which it is looked at are the declared ones */
static bool same_factors(const struct reading *r, const struct pji_protocol_question *q)
{
    size_t n = 1;
    if (!is_declared_factor(r, q->by))
        return false;
    for (size_t i = 0; i < q->within.n; i++) {
        if (!is_declared_factor(r, q->within.item[i]))
            return false;
        n += strcmp(q->within.item[i], q->by) != 0;
    }
    return n == r->declared->factors;
}

/* names of a protocol's tests that are a part of a group of results */
static const char *group_of(const char *test)
{
    bool contrast = strcmp(test, "consecutive") == 0 || strcmp(test, "polynomial") == 0;
    return contrast ? "contrast" : test;
}

static bool same_tests(const struct reading *r, const struct pji_protocol_question *q)
{
    const json_t *tests = json_object_get(r->declared->plan, "tests");
    size_t i;
    json_t *v;
    if (json_array_size(tests) == 0)
        return true;
    for (size_t t = 0; t < q->tests.n; t++) {
        bool found = false;
        json_array_foreach(tests, i, v) found =
            found || strcmp(json_string_value(v), group_of(q->tests.item[t])) == 0;
        if (!found)
            return false;
    }
    json_array_foreach(tests, i, v)
    {
        const char *name = json_string_value(v);
        bool found = strcmp(name, "descriptive") == 0 || strcmp(name, "assumptions") == 0;
        for (size_t t = 0; t < q->tests.n; t++)
            found = found || strcmp(name, group_of(q->tests.item[t])) == 0;
        if (!found)
            return false;
    }
    return true;
}

static bool same_blocks(const struct reading *r, const struct pji_protocol_question *q)
{
    bool blocks = strcmp(text_of(r->declared->plan, "blocks"), "block") == 0;
    bool random = q->mixed && strchr(q->mixed, '|');
    return blocks ? q->mixed && strstr(q->mixed, "|block)") : !random;
}

/* what of the question is not as declared; NULL: nothing */
static const char *departure(const struct reading *r, const struct pji_protocol_question *q)
{
    const json_t *plan = r->declared->plan;
    const char *response = origin_of(r, q->response);
    if (!plan)
        return "the study declared no analysis before it ran";
    if (r->data->rows.rows != r->trials)
        return "rows were chosen after the data were there";
    if (!response || strcmp(response, text_of(plan, "response")) != 0)
        return "the response is not the declared one";
    if (!same_factors(r, q))
        return "the factors are not the declared ones";
    if (!same_blocks(r, q))
        return "the blocks are not the declared ones";
    if (q->on_runs && r->data->runs.rows != r->data->rows.rows)
        return "means of several trials are analysed, not the trials";
    if (!same_tests(r, q))
        return "the tests are not the declared ones";
    if (strcasecmp(text_of(plan, "adjust"), "BH") != 0)
        return "the adjustment of p-values is not the declared one";
    return NULL;
}

void pji_declared_label_answers(const struct pji_declared *declared,
                                const struct pji_protocol *protocol,
                                const struct pji_protocol_data *data, const struct pji_table *study,
                                size_t trials, json_t *answers)
{
    struct reading r = {declared, protocol, data, study, trials};
    size_t i;
    json_t *answer;
    json_array_foreach(answers, i, answer)
    {
        const char *why = departure(&r, &protocol->question[i]);
        json_t *o = json_object();
        json_object_set_new(o, "status", json_string(why ? "exploratory" : "planned"));
        if (why)
            json_object_set_new(o, "reason", json_string(why));
        if (declared->plan) {
            json_object_set(o, "declared", declared->plan);
            json_object_set_new(o, "sha256", json_string(declared->sha256));
        }
        json_object_set_new(answer, "plan", o);
    }
}
