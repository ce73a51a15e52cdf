/* report/plot_bars.c - one number for each row: effects with intervals (forest), energy stacked by
 * domain.
 */
#include "report/groups.h"

#include "core/array.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- forest ---- */

struct effect_texts {
    const char **labels;
    size_t *counts;
    struct pji_span span;
    size_t missing;
};

static pj_status read_effects(struct effect_texts *t, const struct pji_plot_effect *effects,
                              size_t n, double reference, struct pj_error *err)
{
    *t = (struct effect_texts){0};
    pji_span_init(&t->span);
    pji_span_add(&t->span, reference);
    t->labels = pji_zalloc(n + 1, sizeof *t->labels, err);
    t->counts = pji_zalloc(n + 1, sizeof *t->counts, err);
    if (t->labels == NULL || t->counts == NULL)
        return PJ_ENOMEM;
    for (size_t i = 0; i < n; i++) {
        t->labels[i] = effects[i].label;
        t->counts[i] = effects[i].n;
        t->missing += isfinite(effects[i].value) ? 0 : 1;
        if (!isfinite(effects[i].value))
            continue;
        pji_span_add(&t->span, effects[i].value);
        pji_span_add(&t->span, effects[i].lo);
        pji_span_add(&t->span, effects[i].hi);
    }
    return n > t->missing ? PJ_OK : pji_fail(err, PJ_EINVAL, "no effect has a value to draw");
}

static size_t effect_rows(struct pji_picture *p, const struct pji_plot_effect *effects, size_t n)
{
    size_t block = pji_picture_data(p);
    for (size_t i = 0; i < n; i++) {
        const struct pji_plot_effect *e = &effects[i];
        if (isfinite(e->value))
            pji_picture_row(p,
                            (const double[]){e->value, (double)(n - i),
                                             isfinite(e->lo) ? e->lo : e->value,
                                             isfinite(e->hi) ? e->hi : e->value},
                            4);
    }
    pji_picture_data_end(p);
    return block;
}

static void plot_effects(struct pji_picture *p, const struct pji_plot_effect *effects, size_t n,
                         double reference)
{
    size_t line = pji_picture_path(
        p, (const struct pji_xy[]){{reference, 0.5}, {reference, (double)n + 0.5}}, 2);
    size_t block = effect_rows(p, effects, n);
    char how[96];
    for (size_t i = 0; i < n; i++) {
        if (isfinite(effects[i].value))
            continue;
        snprintf(how, sizeof how, "at graph 0.5,first %zu center font ',9' textcolor rgb '#666666'",
                 n - i);
        pji_picture_label(p, "no conclusion", how);
    }
    pji_picture_plot(p, "$d%zu using 1:2 with lines lw 1.2 dt 2 lc rgb '#444444' notitle", line);
    pji_picture_plot(p,
                     "$d%zu using 1:2:3:4 with xerrorbars pt 5 ps 0.7 lw 1.8 lc rgb '%s' notitle",
                     block, pji_picture_colour(0));
}

pj_status pji_plot_forest(struct pji_plots *plots, const struct pji_plot *plot,
                          const struct pji_plot_effect *effects, size_t n, double reference,
                          struct pj_error *err)
{
    struct effect_texts t;
    struct pji_rows rows;
    struct pji_axis axis = {.title = plot->x_axis};
    pj_status status = read_effects(&t, effects, n, reference, err);
    if (status == PJ_OK) {
        pji_picture_n(plots, t.counts, n, 0);
        pji_rows_plan(&rows, t.labels, n);
        if (rows.row > 34 && n > 1)
            rows.row = rows.max_lines > 2 ? rows.row : 34;
        pji_span_axis(&t.span, plot->log_x, &axis);
        struct pji_picture *p = pji_picture_start(
            plots, plot, "Square and bar: estimate with its 95 % interval; broken line: no effect.",
            rows.body, err);
        status = p != NULL ? PJ_OK : PJ_ENOMEM;
        if (p != NULL) {
            pji_rows_panel(p, &rows, &axis, t.labels, t.counts, 0);
            plot_effects(p, effects, n, reference);
            pji_picture_panel_end(p);
            pji_picture_end(p);
        }
    }
    free(t.labels);
    free(t.counts);
    return status;
}

/* ---- stack ---- */

static size_t stack_rows(struct pji_picture *p, const struct pji_plot_stack *stack, size_t domain,
                         bool *drawn)
{
    size_t block = pji_picture_data(p);
    *drawn = false;
    for (size_t g = 0; g < stack->n_groups; g++) {
        const double *energy_j = &stack->energy_j[g * stack->n_domains];
        double from = 0;
        for (size_t d = 0; d < domain; d++)
            from += isfinite(energy_j[d]) && energy_j[d] > 0 ? energy_j[d] : 0;
        if (!isfinite(energy_j[domain]) || !(energy_j[domain] > 0))
            continue;
        double y = (double)(stack->n_groups - g);
        double to = from + energy_j[domain];
        pji_picture_row(p, (const double[]){(from + to) / 2, y, from, to, y - 0.32, y + 0.32}, 6);
        *drawn = true;
    }
    pji_picture_data_end(p);
    return block;
}

static size_t stack_span(const struct pji_plot_stack *stack, struct pji_span *span)
{
    size_t missing = 0;
    pji_span_init(span);
    for (size_t g = 0; g < stack->n_groups; g++) {
        double sum = 0;
        for (size_t d = 0; d < stack->n_domains; d++) {
            double energy_j = stack->energy_j[g * stack->n_domains + d];
            missing += isfinite(energy_j) ? 0 : 1;
            sum += isfinite(energy_j) && energy_j > 0 ? energy_j : 0;
        }
        pji_span_add(span, sum);
    }
    return missing;
}

/* "missing: gpu" behind the bar of a group whose domain has no value. */
static void mark_missing(struct pji_picture *p, const struct pji_plot_stack *stack)
{
    struct pji_str text = {0};
    char how[96];
    for (size_t g = 0; g < stack->n_groups; g++) {
        double sum = 0;
        pji_str_clear(&text);
        for (size_t d = 0; d < stack->n_domains; d++) {
            double energy_j = stack->energy_j[g * stack->n_domains + d];
            if (!isfinite(energy_j))
                pji_str_addf(&text, "%s%s", text.len > 0 ? ", " : "missing: ", stack->domains[d]);
            else
                sum += energy_j;
        }
        snprintf(how, sizeof how,
                 "at first %.9g,first %zu left offset 0.5,0 font ',8' textcolor rgb '#666666'", sum,
                 stack->n_groups - g);
        if (text.len > 0)
            pji_picture_label(p, pji_str_text(&text), how);
    }
    pji_str_fini(&text);
}

static pj_status check_stack(const struct pji_plot *plot, const struct pji_plot_stack *stack,
                             struct pj_error *err)
{
    if (stack->n_domains > PJI_PICTURE_COLOURS)
        return pji_fail(err, PJ_EINVAL, "%s: %zu domains are more than %d colours can tell apart",
                        plot->id, stack->n_domains, PJI_PICTURE_COLOURS);
    for (size_t i = 0; i < stack->n_groups * stack->n_domains; i++) {
        if (isfinite(stack->energy_j[i]) && stack->energy_j[i] > 0)
            return PJ_OK;
    }
    return pji_fail(err, PJ_EINVAL, "there is nothing to draw for %s: no energy", plot->id);
}

pj_status pji_plot_stack(struct pji_plots *plots, const struct pji_plot *plot,
                         const struct pji_plot_stack *stack, struct pj_error *err)
{
    struct pji_rows rows;
    struct pji_span span;
    struct pji_axis axis = {.title = plot->x_axis};
    pj_status status = check_stack(plot, stack, err);
    if (status != PJ_OK)
        return status;
    size_t *ones = pji_zalloc(stack->n_groups, sizeof *ones, err);
    if (ones == NULL)
        return PJ_ENOMEM;
    for (size_t g = 0; g < stack->n_groups; g++)
        ones[g] = stack->group_n != NULL ? stack->group_n[g] : 1;
    pji_picture_n(plots, ones, stack->n_groups, stack_span(stack, &span));
    pji_rows_plan(&rows, stack->groups, stack->n_groups);
    pji_span_axis(&span, false, &axis);
    axis.lo = 0; /* a bar starts at nothing */
    double key = pji_key_height(stack->domains, stack->n_domains);
    struct pji_picture *p = pji_picture_start(plots, plot, NULL, rows.body + key, err);
    if (p != NULL) {
        pji_rows_panel(p, &rows, &axis, stack->groups, ones, key);
        pji_key_put(p, stack->domains, stack->n_domains, PJI_KEY_BOX);
        mark_missing(p, stack);
        for (size_t d = 0; d < stack->n_domains; d++) {
            bool drawn = false;
            size_t block = stack_rows(p, stack, d, &drawn);
            if (drawn)
                pji_picture_plot(p,
                                 "$d%zu using 1:2:3:4:5:6 with boxxyerror fs solid 1 border lc rgb "
                                 "'#ffffff' fc rgb '%s' lw 0.5 notitle",
                                 block, pji_picture_colour(d));
        }
        pji_picture_panel_end(p);
        pji_picture_end(p);
    }
    free(ones);
    return p != NULL ? PJ_OK : PJ_ENOMEM;
}
