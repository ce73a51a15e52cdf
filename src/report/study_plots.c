/* report/study_plots.c - which pictures a study's report has: the headline figure by treatment, its
 * ratios, energy by domain, accuracy against energy, the power of one trial.
 */
#include "report/study_plots.h"

#include "core/array.h"
#include "report/figures.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SKIPPED = 1 };

struct study {
    const struct pji_summary *s;
    const char *task, *name, *axis;
    struct pji_plots *plots;
};

static pj_status add_distribution(const struct study *st, struct pj_error *err)
{
    const struct pji_summary *s = st->s;
    struct pji_sample *groups = pji_zalloc(s->n_treatments + 1, sizeof *groups, err);
    if (groups == NULL)
        return PJ_ENOMEM;
    for (size_t t = 0; t < s->n_treatments; t++) {
        const struct pji_figure *f = pji_summary_figure(&s->treatments[t], st->task, st->name);
        groups[t].label = s->treatments[t].label;
        if (f != NULL)
            groups[t] = (struct pji_sample){.label = s->treatments[t].label,
                                            .values = f->values,
                                            .n = f->n,
                                            .has_mean = f->n > 0,
                                            .mean = f->mean,
                                            .lo = f->lo,
                                            .hi = f->hi};
    }
    struct pji_plot plot = {.id = "distribution", .x_axis = st->axis};
    pj_status status = pji_plot_box(st->plots, &plot, groups, s->n_treatments, err);
    free(groups);
    return status;
}

static pj_status add_effects(const struct study *st, struct pj_error *err)
{
    const struct pji_summary *s = st->s;
    struct pji_str axis = {0};
    struct pji_str caption = {0};
    size_t n = 0;
    struct pji_plot_effect *effects = pji_zalloc(s->n_comparisons + 1, sizeof *effects, err);
    if (effects == NULL)
        return PJ_ENOMEM;
    for (size_t i = 0; i < s->n_comparisons; i++) {
        const struct pji_comparison *c = &s->comparisons[i];
        if (strcmp(c->task, st->task) == 0 && strcmp(c->name, st->name) == 0)
            effects[n++] = (struct pji_plot_effect){.label = s->treatments[c->other].label,
                                                    .value = c->ratio,
                                                    .lo = c->lo,
                                                    .hi = c->hi,
                                                    .n = c->n_blocks};
    }
    const struct pji_figure_name *title = pji_figure_name_find(st->name);
    pji_str_addf(&axis, "ratio of %s (no unit)", title != NULL ? title->words : st->name);
    pji_str_addf(&caption, "Compared with %s", s->treatments[0].label);
    struct pji_plot plot = {
        .id = "effects", .x_axis = pji_str_text(&axis), .caption = pji_str_text(&caption)};
    pj_status status =
        n > 0 ? pji_plot_forest(st->plots, &plot, effects, n, 1, err) : (pj_status)SKIPPED;
    pji_str_fini(&axis);
    pji_str_fini(&caption);
    free(effects);
    return status;
}

static pj_status add_domains(const struct study *st, struct pj_error *err)
{
    const struct pji_summary *s = st->s;
    const struct pji_domains *d = NULL;
    for (size_t i = 0; i < s->n_domains; i++)
        d = strcmp(s->domains[i].task, st->task) == 0 ? &s->domains[i] : d;
    if (d == NULL || d->n < 2)
        return SKIPPED;
    const char **labels = pji_zalloc(s->n_treatments + 1, sizeof *labels, err);
    size_t *counts = pji_zalloc(s->n_treatments + 1, sizeof *counts, err);
    pj_status status = labels != NULL && counts != NULL ? PJ_OK : PJ_ENOMEM;
    for (size_t t = 0; t < s->n_treatments && status == PJ_OK; t++) {
        labels[t] = s->treatments[t].label;
        counts[t] = s->treatments[t].done;
    }
    struct pji_plot_stack stack = {.groups = labels,
                                   .group_n = counts,
                                   .domains = (const char *const *)d->names,
                                   .n_groups = s->n_treatments,
                                   .n_domains = d->n,
                                   .energy_j = d->energy_j};
    struct pji_plot plot = {.id = "domains", .x_axis = "mean energy of the window, J"};
    if (status == PJ_OK)
        status = pji_plot_stack(st->plots, &plot, &stack, err);
    free(labels);
    free(counts);
    return status;
}

/* Accuracy against the headline figure, both of one task: the first that is scored. */
static pj_status add_choice(const struct study *st, struct pj_error *err)
{
    const struct pji_summary *s = st->s;
    size_t n = 0;
    const char *task = pji_report_scored_task(s, st->name);
    if (strcmp(st->name, "dur_s") == 0 || task == NULL)
        return SKIPPED;
    struct pji_plot_choice *choices = pji_zalloc(s->n_treatments + 1, sizeof *choices, err);
    if (choices == NULL)
        return PJ_ENOMEM;
    for (size_t t = 0; t < s->n_treatments; t++) {
        const struct pji_treatment *treatment = &s->treatments[t];
        const struct pji_figure *f = pji_summary_figure(treatment, task, st->name);
        const struct pji_score *score = pji_report_score(treatment, task);
        if (f == NULL || f->n == 0 || score == NULL)
            continue;
        const struct pji_accuracy *a = &score->accuracy;
        choices[n++] = (struct pji_plot_choice){.label = treatment->label,
                                                .cost = f->mean,
                                                .cost_lo = f->lo,
                                                .cost_hi = f->hi,
                                                .worth = a->accuracy,
                                                .worth_lo = a->wilson_lo,
                                                .worth_hi = a->wilson_hi,
                                                .n = f->n};
    }
    struct pji_plot plot = {
        .id = "choice", .x_axis = st->axis, .y_axis = "accuracy, share of distinct items"};
    pj_status status =
        n > 0 ? pji_plot_pareto(st->plots, &plot, choices, n, err) : (pj_status)SKIPPED;
    free(choices);
    return status;
}

static pj_status add_trace(const struct study *st, struct pji_store *store, size_t *steps,
                           struct pj_error *err)
{
    struct pji_curve curve;
    if (st->s->example_attempt == 0)
        return SKIPPED;
    pj_status status = pji_curve_make(&curve, store, st->s->example_attempt, err);
    if (status != PJ_OK)
        return status;
    *steps = curve.n;
    struct pji_plot plot = {.id = "trace"};
    status = curve.n > 0 ? pji_plot_trace(st->plots, &plot, &curve, err) : (pj_status)SKIPPED;
    pji_curve_fini(&curve);
    return status;
}

pj_status pji_study_plots(const struct pji_summary *summary, struct pji_store *store,
                          const char *dir, bool undrawn, struct pji_drawn *drawn,
                          struct pj_error *err)
{
    struct study st = {.s = summary};
    struct pj_error why = {0};
    struct pji_plots_how how = {.dir = dir,
                                .formats = PJI_PLOT_SVG | PJI_PLOT_PNG | PJI_PLOT_PDF,
                                .stamp_wall_ns = summary->created_wall_ns};
    *drawn = (struct pji_drawn){0};
    pj_status status = pji_plots_open(&st.plots, &how, err);
    if (status != PJ_OK)
        return status;
    st.task = pji_report_headline(summary, &st.name);
    if (st.task != NULL) {
        const struct pji_figure_name *title = pji_figure_name_find(st.name);
        st.axis = title != NULL ? title->axis : st.name;
        drawn->distribution = add_distribution(&st, NULL) == PJ_OK;
        drawn->ratios = add_effects(&st, NULL) == PJ_OK;
        drawn->domains = add_domains(&st, NULL) == PJ_OK;
        drawn->choice = add_choice(&st, NULL) == PJ_OK;
    }
    drawn->trace = add_trace(&st, store, &drawn->steps, NULL) == PJ_OK;
    status = undrawn ? PJ_OK : pji_plots_draw(st.plots, &why);
    pji_plots_close(st.plots);
    if (status != PJ_OK) {
        *drawn = (struct pji_drawn){.why_none = status == PJ_ENOTFOUND
                                                    ? "gnuplot is missing (install gnuplot-nox)"
                                                    : "gnuplot failed"};
        if (status != PJ_ENOTFOUND)
            (void)pji_fail(err, status, "%s", why.text);
    }
    return status == PJ_ENOTFOUND ? PJ_OK : status;
}
