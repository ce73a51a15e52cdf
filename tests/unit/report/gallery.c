#include "gallery.h"

#include "core/prng.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { MOST = 30, EACH = 24, STEPS = 600, DOMAINS = 4 };

const char *const gallery_kinds[] = {"box",   "box-log", "violin",      "density",     "ecdf",
                                     "qq",    "scatter", "scatter-log", "interaction", "forest",
                                     "trace", "stack",   "pareto",      NULL};

struct gallery {
    size_t n;
    char names[MOST][96];
    const char *labels[MOST];
    double values[MOST][EACH];
    double tokens[MOST][EACH];
    struct pji_sample samples[MOST];
};

static void fill(struct gallery *g, size_t n)
{
    static const char *const few[] = {"quantisation=none", "quantisation=Q4_K_M, {a}_b^c 50% `x`"};
    struct pji_prng prng;
    pji_prng_init(&prng, 20, "gallery");
    g->n = n;
    for (size_t i = 0; i < n; i++) {
        if (n == 2)
            snprintf(g->names[i], sizeof g->names[i], "%s", few[i]);
        else
            snprintf(g->names[i], sizeof g->names[i],
                     "generation=llama-3.%zu, size=%zuB, task=common-sense reasoning", i % 10,
                     (size_t)7 << (i / 10));
        g->labels[i] = g->names[i];
        for (size_t k = 0; k < EACH; k++) {
            g->values[i][k] = (120 + 9 * (double)i) * exp(0.16 * pji_prng_normal(&prng));
            g->tokens[i][k] = g->values[i][k] * (1.4 + 0.3 * pji_prng_normal(&prng));
            g->tokens[i][k] = fmax(g->tokens[i][k], 20);
        }
        double mean = 0;
        for (size_t k = 0; k < EACH; k++)
            mean += g->values[i][k] / EACH;
        g->samples[i] = (struct pji_sample){.label = g->labels[i],
                                            .values = g->values[i],
                                            .n = EACH - i % 3,
                                            .has_mean = true,
                                            .mean = mean,
                                            .lo = mean * 0.93,
                                            .hi = mean * 1.07};
    }
}

static struct pji_plot named(const char *prefix, const char *kind, char id[128])
{
    snprintf(id, 128, "%s-%s", prefix, kind);
    return (struct pji_plot){.id = id};
}

static pj_status add_samples(struct pji_plots *plots, const char *prefix, const struct gallery *g,
                             struct pj_error *err)
{
    char id[128];
    struct pji_plot plot = named(prefix, "box", id);
    plot.title = "Energy of the measured window by treatment";
    plot.x_axis = "energy of the window, J";
    pj_status status = pji_plot_box(plots, &plot, g->samples, g->n, err);
    plot = named(prefix, "box-log", id);
    plot.x_axis = "energy of the window, J";
    plot.log_x = true;
    if (status == PJ_OK)
        status = pji_plot_box(plots, &plot, g->samples, g->n, err);
    plot = named(prefix, "violin", id);
    plot.x_axis = "energy of the window, J";
    if (status == PJ_OK)
        status = pji_plot_violin(plots, &plot, g->samples, g->n, err);
    plot = named(prefix, "density", id);
    plot.x_axis = "energy of the window, J";
    plot.y_axis = "density, 1/J";
    if (status == PJ_OK)
        status = pji_plot_density(plots, &plot, g->samples, g->n, err);
    plot = named(prefix, "ecdf", id);
    plot.x_axis = "energy of the window, J";
    plot.y_axis = "share of trials";
    if (status == PJ_OK)
        status = pji_plot_ecdf(plots, &plot, g->samples, g->n, err);
    plot = named(prefix, "qq", id);
    plot.title = "Is the energy of each treatment normal?";
    plot.y_axis = "energy of the window, J";
    if (status == PJ_OK)
        status = pji_plot_qq(plots, &plot, g->samples, g->n, err);
    return status;
}

static pj_status add_scatter(struct pji_plots *plots, const char *prefix, const struct gallery *g,
                             struct pj_error *err)
{
    char id[128];
    struct pji_plot_points points[MOST];
    for (size_t i = 0; i < g->n; i++)
        points[i] = (struct pji_plot_points){g->labels[i], g->tokens[i], g->values[i], EACH};
    struct pji_plot plot = named(prefix, "scatter", id);
    plot.x_axis = "output tokens";
    plot.y_axis = "energy of the window, J";
    pj_status status = pji_plot_scatter(plots, &plot, points, g->n, true, err);
    plot = named(prefix, "scatter-log", id);
    plot.x_axis = "output tokens";
    plot.y_axis = "energy of the window, J";
    plot.log_x = plot.log_y = true;
    return status == PJ_OK ? pji_plot_scatter(plots, &plot, points, g->n, true, err) : status;
}

static pj_status add_effects(struct pji_plots *plots, const char *prefix, const struct gallery *g,
                             struct pj_error *err)
{
    static const char *const sizes[] = {"small", "medium", "large"};
    char id[128];
    struct pji_plot_cell cells[3 * MOST];
    struct pji_plot_effect effects[MOST];
    for (size_t i = 0; i < 3 * g->n; i++) {
        double mean = 100 + 40 * (double)(i / g->n) + 6 * (double)(i % g->n);
        cells[i] = (struct pji_plot_cell){mean, mean - 9, mean + 9, 10};
    }
    cells[1] = (struct pji_plot_cell){(double)NAN, (double)NAN, (double)NAN, 0};
    struct pji_plot_cells all = {sizes, g->labels, 3, g->n, "treatment", cells};
    struct pji_plot plot = named(prefix, "interaction", id);
    plot.x_axis = "model size";
    plot.y_axis = "mean energy of the window, J";
    pj_status status = pji_plot_interaction(plots, &plot, &all, err);
    for (size_t i = 0; i < g->n; i++) {
        double ratio = 0.8 + 0.02 * (double)i;
        effects[i] = (struct pji_plot_effect){g->labels[i], ratio, ratio * 0.94, ratio * 1.08, 12};
    }
    if (g->n > 2)
        effects[3].value = (double)NAN;
    plot = named(prefix, "forest", id);
    plot.x_axis = "ratio of energy per token to the first treatment";
    return status == PJ_OK ? pji_plot_forest(plots, &plot, effects, g->n, 1, err) : status;
}

static pj_status add_trace(struct pji_plots *plots, const char *prefix, size_t n,
                           struct pj_error *err)
{
    static const char *const kinds[] = {"load", "warmup", "idle", "measure energy"};
    static double t_s[STEPS];
    static double power_w[STEPS];
    static struct pji_curve_phase phases[MOST];
    char id[128];
    for (size_t i = 0; i < STEPS; i++) {
        t_s[i] = 0.1 * (double)(i + 1);
        power_w[i] = 60 + 140 * (double)((i * 4 * n / STEPS / 2) % 2) + 8 * sin((double)i);
    }
    for (size_t i = 0; i < n; i++) {
        phases[i].start_s = 60.0 * (double)i / (double)n + 0.4;
        phases[i].end_s = 60.0 * (double)(i + 1) / (double)n - 0.2;
        snprintf(phases[i].name, sizeof phases[i].name, "%s", kinds[(i + 2) % 4]);
    }
    struct pji_curve curve = {
        .t_s = t_s, .power_w = power_w, .n = STEPS, .phases = phases, .n_phases = n};
    struct pji_plot plot = named(prefix, "trace", id);
    plot.caption = "Power of trial 7 with its phases";
    return pji_plot_trace(plots, &plot, &curve, err);
}

static pj_status add_costs(struct pji_plots *plots, const char *prefix, const struct gallery *g,
                           struct pj_error *err)
{
    static const char *const domains[] = {"package", "dram", "gpu 0", "modelled rest"};
    char id[128];
    double energy_j[MOST * DOMAINS];
    struct pji_plot_choice choices[MOST];
    for (size_t i = 0; i < g->n * DOMAINS; i++)
        energy_j[i] = 30 + 20 * (double)(i % DOMAINS) + (double)i;
    energy_j[6] = (double)NAN;
    struct pji_plot_stack stack = {g->labels, NULL, domains, g->n, DOMAINS, energy_j};
    struct pji_plot plot = named(prefix, "stack", id);
    plot.x_axis = "mean energy of the window, J";
    pj_status status = pji_plot_stack(plots, &plot, &stack, err);
    for (size_t i = 0; i < g->n; i++) {
        double cost = 1.5 + 0.4 * (double)((i * 7) % 30);
        double worth = 0.4 + 0.5 * (1 - exp(-(double)((i * 11) % 30) / 9.0));
        choices[i] = (struct pji_plot_choice){g->labels[i], cost,         cost * 0.95,  cost * 1.05,
                                              worth,        worth - 0.03, worth + 0.03, 40};
    }
    plot = named(prefix, "pareto", id);
    plot.x_axis = "energy per answer, J";
    plot.y_axis = "accuracy, share of items";
    return status == PJ_OK ? pji_plot_pareto(plots, &plot, choices, g->n, err) : status;
}

pj_status gallery_add(struct pji_plots *plots, const char *prefix, size_t groups,
                      struct pj_error *err)
{
    static struct gallery g;
    fill(&g, groups);
    pj_status status = add_samples(plots, prefix, &g, err);
    if (status == PJ_OK)
        status = add_scatter(plots, prefix, &g, err);
    if (status == PJ_OK)
        status = add_effects(plots, prefix, &g, err);
    if (status == PJ_OK)
        status = add_trace(plots, prefix, groups, err);
    if (status == PJ_OK)
        status = add_costs(plots, prefix, &g, err);
    return status;
}
