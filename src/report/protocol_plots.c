#include "report/protocol_plots.h"

#include "analysis/frame.h"
#include "core/array.h"
#include "core/str.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct job {
    struct pji_plots *plots;
    const struct pji_protocol *protocol;
    const struct pji_protocol_data *data;
    const struct pji_protocol_question *question;
    const json_t *tables;
};

static const char *const describe = "Descriptive_Data_Exploration";
static const char *const assume = "Assumptions_Verification";
static const char *const test = "Statistical_Tests";

static void name_picture(struct pji_str *out, const struct job *job, const char *folder,
                         const char *kind)
{
    pji_str_addf(out, "plots/%s/%s/%s_%s", folder, job->question->id, job->question->id, kind);
}

/* a picture that has nothing to show is left out; other failures go up */
static pj_status tolerate(pj_status rc, const struct pj_error *why, struct pj_error *err)
{
    return rc && rc != PJ_EINVAL ? pji_fail(err, rc, "%s", why->text) : PJ_OK;
}

/* ---- groups of one column ---- */

struct groups {
    struct pji_frame frame;
    struct pji_factor factor;
    double *values; /* group after group */
    double *other;  /* of a second column in the same order, or NULL */
    size_t *start;
    size_t k;
};

static void groups_fini(struct groups *g)
{
    pji_factor_fini(&g->factor);
    pji_frame_fini(&g->frame);
    free(g->values);
    free(g->other);
    free(g->start);
}

static pj_status order_of(const struct pji_protocol_data *p, const char *column,
                          struct pji_level_order *order, bool *found, struct pj_error *err)
{
    *found = false;
    for (size_t i = 0; i < p->n_levels; i++) {
        size_t len = strlen(column);
        if (strncmp(p->levels[i], column, len) != 0 || p->levels[i][len] != '=')
            continue;
        *found = true;
        return pji_level_order_parse(order, p->levels[i], err);
    }
    return PJ_OK;
}

static pj_status make_factor(struct groups *g, const struct pji_protocol_data *p,
                             const struct pji_table *t, const char *by, struct pj_error *err)
{
    struct pji_level_order order;
    bool ordered = false;
    size_t col = 0;
    bool *keep = pji_zalloc(t->rows + 1, sizeof *keep, err);
    if (!keep)
        return PJ_ENOMEM;
    for (size_t i = 0; i < t->rows; i++)
        keep[i] = true;
    pj_status rc = pji_frame_init(&g->frame, t, keep, err);
    free(keep);
    if (!rc)
        rc = pji_table_find(t, by, &col, err);
    if (!rc)
        rc = order_of(p, by, &order, &ordered, err);
    if (rc)
        return rc;
    rc = pji_frame_factor(&g->frame, col, ordered ? &order : NULL, &g->factor, err);
    if (ordered)
        pji_level_order_fini(&order);
    return rc;
}

static pj_status sorted_column(const struct groups *g, const struct pji_table *t, const char *name,
                               double **out, struct pj_error *err)
{
    size_t col = 0;
    double *raw = NULL;
    size_t *at = pji_zalloc(g->k + 1, sizeof *at, err);
    *out = pji_zalloc(g->frame.n + 1, sizeof **out, err);
    pj_status rc = at && *out ? pji_table_find(t, name, &col, err) : PJ_ENOMEM;
    if (!rc)
        rc = pji_frame_numbers(&g->frame, col, PJI_FN_NONE, &raw, err);
    for (size_t i = 0; !rc && i < g->k; i++)
        at[i] = g->start[i];
    for (size_t i = 0; !rc && i < g->frame.n; i++)
        (*out)[at[g->factor.code[i]]++] = raw[i];
    free(raw);
    free(at);
    return rc;
}

static pj_status groups_init(struct groups *g, const struct job *job, const struct pji_table *t,
                             const char *y, const char *x, struct pj_error *err)
{
    memset(g, 0, sizeof *g);
    pj_status rc = make_factor(g, job->data, t, job->question->by, err);
    if (rc)
        return rc;
    g->k = g->factor.k;
    g->start = pji_zalloc(g->k + 2, sizeof *g->start, err);
    if (!g->start)
        return PJ_ENOMEM;
    for (size_t i = 0; i < g->frame.n; i++)
        g->start[g->factor.code[i] + 1]++;
    for (size_t i = 0; i < g->k; i++)
        g->start[i + 1] += g->start[i];
    rc = sorted_column(g, t, y, &g->values, err);
    if (!rc && x)
        rc = sorted_column(g, t, x, &g->other, err);
    return rc;
}

typedef pj_status draw_fn(struct pji_plots *plots, const struct pji_plot *plot,
                          const struct pji_sample *groups, size_t n, struct pj_error *err);

static pj_status draw_samples(const struct job *job, const struct pji_sample *samples, size_t n,
                              const char *axis, struct pj_error *err)
{
    static const struct {
        const char *const *folder;
        const char *kind;
        draw_fn *draw;
        bool y;
    } pictures[] = {
        {&describe, "box", pji_plot_box, false},
        {&describe, "violin", pji_plot_violin, false},
        {&assume, "qq", pji_plot_qq, true},
        {&assume, "density", pji_plot_density, false},
    };
    pj_status rc = PJ_OK;
    for (size_t i = 0; !rc && i < sizeof pictures / sizeof *pictures; i++) {
        struct pji_str id = {0};
        struct pji_str density = {0};
        struct pj_error why = {0};
        pji_str_addf(&density, "density, 1/(%s)", job->question->unit);
        name_picture(&id, job, *pictures[i].folder, pictures[i].kind);
        struct pji_plot plot = {.id = pji_str_text(&id),
                                .title = job->question->title,
                                .x_axis = pictures[i].y ? "standard normal quantile" : axis,
                                .y_axis = pictures[i].y ? axis : pji_str_text(&density)};
        rc = pictures[i].draw(job->plots, &plot, samples, n, &why);
        rc = tolerate(rc, &why, err);
        pji_str_fini(&id);
        pji_str_fini(&density);
    }
    return rc;
}

static pj_status draw_response(const struct job *job, const struct pji_table *t,
                               struct pj_error *err)
{
    const struct pji_protocol_question *q = job->question;
    struct groups g;
    struct pji_str axis = {0};
    pji_str_addf(&axis, "%s, %s", q->response, q->unit);
    pj_status rc = groups_init(&g, job, t, q->response, NULL, err);
    struct pji_sample *samples = rc ? NULL : pji_zalloc(g.k + 1, sizeof *samples, err);
    if (!rc && !samples)
        rc = PJ_ENOMEM;
    for (size_t i = 0; !rc && i < g.k; i++)
        samples[i] = (struct pji_sample){.label = g.factor.level[i],
                                         .values = g.values + g.start[i],
                                         .n = g.start[i + 1] - g.start[i]};
    if (!rc)
        rc = draw_samples(job, samples, g.k, pji_str_text(&axis), err);
    free(samples);
    groups_fini(&g);
    pji_str_fini(&axis);
    return rc;
}

/* "energy, J"; a variable without a unit alone */
static void name_axis(struct pji_str *out, const struct pji_protocol *p, const char *variable)
{
    const char *unit = pji_protocol_unit(p, variable);
    pji_str_addf(out, "%s%s%s", variable, unit ? ", " : "", unit ? unit : "");
}

static pj_status draw_scatter(const struct job *job, const struct pji_table *t,
                              struct pj_error *err)
{
    const struct pji_protocol_question *q = job->question;
    struct groups g;
    struct pji_str id = {0};
    struct pji_str x_axis = {0};
    struct pji_str y_axis = {0};
    struct pj_error why = {0};
    if (q->correlate.n != 2)
        return PJ_OK;
    pj_status rc = groups_init(&g, job, t, q->correlate.item[0], q->correlate.item[1], err);
    struct pji_plot_points *points = rc ? NULL : pji_zalloc(g.k + 1, sizeof *points, err);
    if (!rc && !points)
        rc = PJ_ENOMEM;
    for (size_t i = 0; !rc && i < g.k; i++)
        points[i] = (struct pji_plot_points){g.factor.level[i], g.other + g.start[i],
                                             g.values + g.start[i], g.start[i + 1] - g.start[i]};
    if (!rc) {
        name_picture(&id, job, test, "scatter");
        name_axis(&x_axis, job->protocol, q->correlate.item[1]);
        name_axis(&y_axis, job->protocol, q->correlate.item[0]);
        struct pji_plot plot = {.id = pji_str_text(&id),
                                .title = q->title,
                                .caption = "Points are repetitions",
                                .x_axis = pji_str_text(&x_axis),
                                .y_axis = pji_str_text(&y_axis)};
        rc = pji_plot_scatter(job->plots, &plot, points, g.k, true, &why);
        rc = tolerate(rc, &why, err);
    }
    free(points);
    groups_fini(&g);
    pji_str_fini(&id);
    pji_str_fini(&x_axis);
    pji_str_fini(&y_axis);
    return rc;
}

/* ---- how many values stand behind a level ---- */

struct counts {
    struct groups by;
    struct pji_factor second; /* of means_within "by|second"; k = 0 without */
};

static void counts_fini(struct counts *c)
{
    pji_factor_fini(&c->second);
    groups_fini(&c->by);
}

static pj_status counts_init(struct counts *c, const struct job *job, const struct pji_table *t,
                             struct pj_error *err)
{
    const char *spec = job->question->means_within;
    const char *bar = spec ? strchr(spec, '|') : NULL;
    size_t col = 0;
    memset(c, 0, sizeof *c);
    pj_status rc = make_factor(&c->by, job->data, t, job->question->by, err);
    if (!rc && bar)
        rc = pji_table_find(t, bar + 1, &col, err);
    if (!rc && bar)
        rc = pji_frame_factor(&c->by.frame, col, NULL, &c->second, err);
    return rc;
}

/* values of a level, with `second` (may be NULL) of a level within one of the other factor */
static size_t count_of(const struct counts *c, const char *level, size_t len, const char *second)
{
    size_t n = 0;
    for (size_t i = 0; i < c->by.frame.n; i++) {
        const char *name = c->by.factor.level[c->by.factor.code[i]];
        bool other =
            second && c->second.k > 0 && strcmp(c->second.level[c->second.code[i]], second) != 0;
        n += !other && strlen(name) == len && strncmp(name, level, len) == 0;
    }
    return n;
}

/* of "3 - 2" or "3 - 2 | BoolQ": values of both levels */
static size_t count_contrast(const struct counts *c, const char *contrast)
{
    const char *minus = strstr(contrast, " - ");
    const char *bar = strstr(contrast, " | ");
    const char *second = bar ? bar + 3 : NULL;
    size_t end = bar ? (size_t)(bar - minus) - 3 : strlen(minus + 3);
    return count_of(c, contrast, (size_t)(minus - contrast), second) +
           count_of(c, minus + 3, end, second);
}

/* ---- effects ---- */

static double number(const json_t *row, const char *key)
{
    const json_t *v = json_object_get(row, key);
    return json_is_number(v) ? json_number_value(v) : (double)NAN;
}

static bool is(const json_t *row, const char *key, const char *value)
{
    const char *text = json_string_value(json_object_get(row, key));
    return text && strcmp(text, value) == 0;
}

enum { MAX_EFFECTS = 64 };

/* differences with intervals on a scale that has a unit; delta: Cliff's instead */
static size_t list_effects(const struct job *job, bool delta, struct pji_plot_effect *out)
{
    size_t n = 0;
    size_t i;
    json_t *row;
    bool response = job->question->link != NULL;
    json_array_foreach(json_object_get(job->tables, "consec"), i, row)
    {
        const char *name = json_string_value(json_object_get(row, "contrast"));
        const char *prefix = delta ? "delta_ci95_" : "ci95_";
        char lo[32], hi[32];
        snprintf(lo, sizeof lo, "%slow", prefix);
        snprintf(hi, sizeof hi, "%shigh", prefix);
        double value = number(row, delta ? "cliffs_delta" : "estimate");
        if (!isfinite(value) || n == MAX_EFFECTS || !name || !strstr(name, " - "))
            continue;
        if (!delta && !is(row, "scale", response ? "response" : "raw"))
            continue;
        if (strstr(json_string_value(json_object_get(row, "test")), "Kenward"))
            continue; /* the same differences once */
        if (json_object_get(row, "term") && !strchr(name, '|') &&
            !is(row, "term", job->question->by))
            continue;
        out[n++] = (struct pji_plot_effect){name, value, number(row, lo), number(row, hi), 0};
    }
    return n;
}

static pj_status draw_forest(const struct job *job, const struct counts *counts,
                             struct pj_error *err)
{
    struct pji_plot_effect effect[MAX_EFFECTS];
    struct pji_str id = {0};
    struct pji_str axis = {0};
    struct pj_error why = {0};
    bool delta = false;
    size_t n = list_effects(job, false, effect);
    if (n == 0) {
        delta = true;
        n = list_effects(job, true, effect);
    }
    if (n == 0)
        return PJ_OK;
    for (size_t i = 0; i < n; i++)
        effect[i].n = count_contrast(counts, effect[i].label);
    name_picture(&id, job, test, "forest");
    if (delta)
        pji_str_add(&axis, "Cliff's delta");
    else
        pji_str_addf(&axis, "difference of %s, %s", job->question->response, job->question->unit);
    struct pji_plot plot = {.id = pji_str_text(&id),
                            .title = job->question->title,
                            .caption = "Planned comparisons; n of both levels",
                            .x_axis = pji_str_text(&axis)};
    pj_status rc = pji_plot_forest(job->plots, &plot, effect, n, 0, &why);
    rc = tolerate(rc, &why, err);
    pji_str_fini(&id);
    pji_str_fini(&axis);
    return rc;
}

/* ---- interaction ---- */

enum { MOST = 32 };

struct cells {
    const char *a[MOST], *b[MOST];
    char *text[64];
    size_t n_a, n_b, texts;
    struct pji_plot_cell cell[MOST * MOST];
};

static size_t level_at(const char **levels, size_t *n, const char *level)
{
    size_t i = 0;
    while (i < *n && strcmp(levels[i], level) != 0)
        i++;
    if (i == *n && *n < 32)
        levels[(*n)++] = level;
    return i;
}

/* "3.1,BoolQ": the first part is a line, the second stands along x */
static pj_status read_cells(const struct job *job, struct cells *c, struct pj_error *err)
{
    const char *spec = job->question->means_within;
    size_t i;
    json_t *row;
    for (size_t j = 0; j < (size_t)MOST * MOST; j++)
        c->cell[j] = (struct pji_plot_cell){(double)NAN, (double)NAN, (double)NAN, 0};
    json_array_foreach(json_object_get(job->tables, "emmeans"), i, row)
    {
        const char *level = json_string_value(json_object_get(row, "level"));
        const char *comma = level ? strchr(level, ',') : NULL;
        if (!is(row, "spec", spec) || !comma || c->texts == 64)
            continue;
        char *first = pji_dupn(level, (size_t)(comma - level), err);
        if (!first)
            return PJ_ENOMEM;
        c->text[c->texts++] = first;
        size_t b = level_at(c->b, &c->n_b, first);
        size_t a = level_at(c->a, &c->n_a, comma + 1);
        if (a < 32 && b < 32)
            c->cell[a * 32 + b] =
                (struct pji_plot_cell){number(row, "response"), number(row, "response_ci95_low"),
                                       number(row, "response_ci95_high"), 0};
    }
    return PJ_OK;
}

static pj_status draw_interaction(const struct job *job, const struct counts *counts,
                                  struct pj_error *err)
{
    struct pji_str id = {0};
    struct pji_str axis = {0};
    struct pj_error why = {0};
    if (!job->question->means_within)
        return PJ_OK;
    struct cells *c = pji_zalloc(1, sizeof *c, err);
    struct pji_plot_cell *packed = pji_zalloc((size_t)MOST * MOST, sizeof *packed, err);
    pj_status rc = c && packed ? read_cells(job, c, err) : PJ_ENOMEM;
    for (size_t a = 0; !rc && a < c->n_a; a++) {
        for (size_t b = 0; b < c->n_b; b++) {
            packed[a * c->n_b + b] = c->cell[a * 32 + b];
            packed[a * c->n_b + b].n = count_of(counts, c->b[b], strlen(c->b[b]), c->a[a]);
        }
    }
    if (!rc && c->n_a > 1 && c->n_b > 1) {
        name_picture(&id, job, test, "interaction");
        pji_str_addf(&axis, "%s, %s", job->question->response, job->question->unit);
        struct pji_plot plot = {.id = pji_str_text(&id),
                                .title = job->question->title,
                                .caption = "Marginal means of the mixed model on the scale of the "
                                           "response",
                                .x_axis = strchr(job->question->means_within, '|') + 1,
                                .y_axis = pji_str_text(&axis)};
        struct pji_plot_cells cells = {c->a, c->b, c->n_a, c->n_b, job->question->by, packed};
        rc = tolerate(pji_plot_interaction(job->plots, &plot, &cells, &why), &why, err);
    }
    for (size_t i = 0; c && i < c->texts; i++)
        free(c->text[i]);
    free(c);
    free(packed);
    pji_str_fini(&id);
    pji_str_fini(&axis);
    return rc;
}

pj_status pji_protocol_plots(struct pji_plots *plots, const struct pji_protocol *protocol,
                             const struct pji_protocol_data *data, const json_t *answers,
                             struct pj_error *err)
{
    pj_status rc = PJ_OK;
    for (size_t i = 0; !rc && i < protocol->questions; i++) {
        const struct pji_protocol_question *q = &protocol->question[i];
        const struct pji_table *t = q->on_runs ? &data->runs : &data->rows;
        struct counts counts;
        struct job job = {plots, protocol, data, q,
                          json_object_get(json_array_get(answers, i), "tables")};
        rc = counts_init(&counts, &job, t, err);
        if (!rc)
            rc = draw_response(&job, t, err);
        if (!rc)
            rc = draw_forest(&job, &counts, err);
        if (!rc)
            rc = draw_interaction(&job, &counts, err);
        counts_fini(&counts);
        if (!rc)
            rc = draw_scatter(&job, &data->rows, err);
    }
    return rc;
}
