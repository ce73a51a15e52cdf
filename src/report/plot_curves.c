/* report/plot_curves.c - distributions as curves: density, empirical distribution function, Q-Q. Up
 * to eight groups share a panel; more get one each, with the others in grey behind where that is
 * not too much to draw.
 */
#include "report/groups.h"

#include "core/array.h"

#include <math.h>
#include <stdlib.h>

enum { HEIGHT = 290, BEHIND_MOST = 60000 /* points of all grey curves of a picture */ };

typedef pj_status curve_fn(const struct pji_ready *r, size_t g, bool log_axis,
                           struct pji_path *path, struct pj_error *err);

static pj_status density(const struct pji_ready *r, size_t g, bool log_axis, struct pji_path *path,
                         struct pj_error *err)
{
    for (size_t i = 0; log_axis && i < r->counts[g]; i++)
        r->values[g][i] = log10(r->values[g][i]);
    pj_status status = pji_coords_density(r->values[g], r->counts[g], false, path, err);
    for (size_t i = 0; log_axis && i < r->counts[g]; i++)
        r->values[g][i] = pow(10, r->values[g][i]);
    for (size_t k = 0; log_axis && status == PJ_OK && k < path->n; k++)
        path->points[k].x = pow(10, path->points[k].x);
    return status;
}

static pj_status ecdf(const struct pji_ready *r, size_t g, bool log_axis, struct pji_path *path,
                      struct pj_error *err)
{
    (void)log_axis;
    return pji_coords_ecdf(r->values[g], r->counts[g], path, err);
}

struct curves {
    struct pji_path *paths; /* of each group */
    struct pji_axis x, y;
    size_t points;
};

static void curves_fini(struct curves *c, size_t n)
{
    for (size_t g = 0; c->paths != NULL && g < n; g++)
        pji_path_fini(&c->paths[g]);
    free(c->paths);
}

static pj_status curves_make(struct curves *c, const struct pji_ready *r,
                             const struct pji_plot *plot, curve_fn *fn, struct pj_error *err)
{
    struct pji_span x = r->span;
    struct pji_span y;
    *c = (struct curves){.x = {.title = plot->x_axis}, .y = {.title = plot->y_axis}};
    bool log_axis = plot->log_x && r->span.positive;
    pji_span_init(&y);
    pji_span_add(&y, 0);
    c->paths = pji_zalloc(r->n + 1, sizeof *c->paths, err);
    pj_status status = c->paths != NULL ? PJ_OK : PJ_ENOMEM;
    for (size_t g = 0; g < r->n && status == PJ_OK; g++) {
        status = fn(r, g, log_axis, &c->paths[g], err);
        c->points += c->paths[g].n;
        for (size_t k = 0; k < c->paths[g].n; k++) {
            pji_span_add(&x, c->paths[g].points[k].x);
            pji_span_add(&y, c->paths[g].points[k].y);
        }
    }
    pji_span_axis(&x, log_axis, &c->x);
    if (!log_axis && fn == density && x.any) { /* the tail of a density may lie below 0 */
        c->x.lo = fmin(c->x.lo, x.lo);
        c->x.hi = fmax(c->x.hi, x.hi);
    }
    pji_span_axis(&y, false, &c->y);
    c->y.lo = 0;
    return status;
}

static void one_panel(struct pji_picture *p, const struct pji_ready *r, const struct curves *c,
                      double key)
{
    struct pji_frame frame = {.left = pji_axis_room(&c->y, HEIGHT - 46),
                              .right = PJI_PICTURE_WIDTH - 16,
                              .top = p->top + key + 4,
                              .bottom = p->top + key + HEIGHT - 42};
    size_t blocks[PJI_PICTURE_COLOURS];
    for (size_t g = 0; g < r->n; g++)
        blocks[g] = pji_picture_path(p, c->paths[g].points, c->paths[g].n);
    pji_picture_panel(p, &frame, &c->x, &c->y);
    pji_picture_grid(p, true, true);
    if (r->n > 1)
        pji_key_put(p, r->labels, r->n, PJI_KEY_LINE);
    for (size_t g = 0; g < r->n; g++) {
        if (c->paths[g].n > 0)
            pji_picture_plot(p, "$d%zu using 1:2 with lines lw 2 dt %d lc rgb '%s' notitle",
                             blocks[g], pji_key_dash(g), pji_picture_colour(g));
    }
    pji_picture_panel_end(p);
}

static size_t all_curves(struct pji_picture *p, const struct pji_ready *r, const struct curves *c)
{
    size_t block = pji_picture_data(p);
    for (size_t g = 0; g < r->n; g++) {
        for (size_t k = 0; k < c->paths[g].n; k++)
            pji_picture_row(p, (const double[]){c->paths[g].points[k].x, c->paths[g].points[k].y},
                            2);
        pji_picture_blank(p);
    }
    pji_picture_data_end(p);
    return block;
}

static void many_panels(struct pji_picture *p, const struct pji_ready *r, const struct curves *c,
                        const struct pji_grid *grid)
{
    struct pji_axis x = c->x;
    struct pji_axis y = c->y;
    bool behind = c->points > 0 && c->points * r->n <= BEHIND_MOST;
    size_t all = behind ? all_curves(p, r, c) : 0;
    pji_grid_titles(p, grid, x.title, y.title);
    x.title = y.title = NULL;
    for (size_t g = 0; g < r->n; g++) {
        size_t own = c->paths[g].n > 0 ? pji_picture_path(p, c->paths[g].points, c->paths[g].n) : 0;
        pji_grid_panel(p, grid, g, r->labels[g], &x, &y);
        if (behind)
            pji_picture_plot(p, "$d%zu using 1:2 with lines lw 0.5 lc rgb '#cccccc' notitle", all);
        if (c->paths[g].n > 0)
            pji_picture_plot(p, "$d%zu using 1:2 with lines lw 2 lc rgb '%s' notitle", own,
                             pji_picture_colour(0));
        pji_picture_panel_end(p);
    }
}

static pj_status draw_curves(struct pji_plots *plots, const struct pji_plot *plot,
                             const struct pji_sample *groups, size_t n, curve_fn *fn,
                             const char *more, struct pj_error *err)
{
    struct pji_ready r;
    struct curves c = {0};
    struct pji_grid grid;
    pj_status status = pji_ready_make(&r, plots, plot, groups, n, err);
    if (status != PJ_OK)
        return status;
    status = curves_make(&c, &r, plot, fn, err);
    bool one = n <= PJI_PICTURE_COLOURS;
    double key = one && n > 1 ? pji_key_height(r.labels, n) : 0;
    pji_grid_plan(&grid, r.labels, n);
    if (status == PJ_OK && c.points == 0)
        status = pji_fail(err, PJ_EINVAL,
                          "there is nothing to draw for %s: no group has two different values",
                          plot->id);
    if (status == PJ_OK) {
        struct pji_picture *p =
            pji_picture_start(plots, plot, more, one ? HEIGHT + key : grid.body, err);
        status = p != NULL ? PJ_OK : PJ_ENOMEM;
        if (p != NULL && one)
            one_panel(p, &r, &c, key);
        else if (p != NULL)
            many_panels(p, &r, &c, &grid);
        if (p != NULL)
            pji_picture_end(p);
    }
    curves_fini(&c, n);
    pji_ready_fini(&r);
    return status;
}

pj_status pji_plot_density(struct pji_plots *plots, const struct pji_plot *plot,
                           const struct pji_sample *groups, size_t n, struct pj_error *err)
{
    return draw_curves(plots, plot, groups, n, density, "Gaussian kernel, Silverman's bandwidth.",
                       err);
}

pj_status pji_plot_ecdf(struct pji_plots *plots, const struct pji_plot *plot,
                        const struct pji_sample *groups, size_t n, struct pj_error *err)
{
    return draw_curves(plots, plot, groups, n, ecdf, "Share of values at or below x.", err);
}

/* ---- Q-Q ---- */

static void qq_panel(struct pji_picture *p, const struct pji_grid *grid, size_t g,
                     const char *label, const struct pji_qq *qq)
{
    struct pji_span xs;
    struct pji_span ys;
    struct pji_axis x = {0};
    struct pji_axis y = {0};
    pji_span_init(&xs);
    pji_span_init(&ys);
    for (size_t i = 0; i < qq->points.n; i++) {
        pji_span_add(&xs, qq->points.points[i].x);
        pji_span_add(&ys, qq->points.points[i].y);
    }
    pji_span_axis(&xs, false, &x);
    pji_span_axis(&ys, false, &y);
    if (ys.any && ys.hi > ys.lo) { /* shape is the question here, not the distance to 0 */
        y.lo = ys.lo - 0.06 * (ys.hi - ys.lo);
        y.hi = ys.hi + 0.06 * (ys.hi - ys.lo);
    }
    size_t points = qq->points.n > 0 ? pji_picture_path(p, qq->points.points, qq->points.n) : 0;
    size_t line = pji_picture_path(p, (const struct pji_xy[]){qq->from, qq->to}, 2);
    pji_grid_panel(p, grid, g, label, &x, &y);
    if (qq->has_line)
        pji_picture_plot(p, "$d%zu using 1:2 with lines lw 1.4 lc rgb '%s' notitle", line,
                         pji_picture_colour(1));
    if (qq->points.n > 0)
        pji_picture_plot(p, "$d%zu using 1:2 with points pt 6 ps 0.5 lw 0.8 lc rgb '%s' notitle",
                         points, pji_picture_colour(0));
    pji_picture_panel_end(p);
}

pj_status pji_plot_qq(struct pji_plots *plots, const struct pji_plot *plot,
                      const struct pji_sample *groups, size_t n, struct pj_error *err)
{
    struct pji_ready r;
    struct pji_grid grid;
    pj_status status = pji_ready_make(&r, plots, plot, groups, n, err);
    if (status != PJ_OK)
        return status;
    pji_grid_plan(&grid, r.labels, n);
    struct pji_picture *p = pji_picture_start(
        plots, plot, "Line through the quartiles; points of a normal sample follow it.", grid.body,
        err);
    status = p != NULL ? PJ_OK : PJ_ENOMEM;
    if (p != NULL)
        pji_grid_titles(p, &grid, plot->x_axis != NULL ? plot->x_axis : "standard normal quantile",
                        plot->y_axis);
    for (size_t g = 0; g < n && status == PJ_OK; g++) {
        struct pji_qq qq;
        status = pji_coords_qq(r.values[g], r.counts[g], &qq, err);
        if (status == PJ_OK)
            qq_panel(p, &grid, g, r.labels[g], &qq);
        pji_qq_fini(&qq);
    }
    if (status == PJ_OK)
        pji_picture_end(p);
    else if (p != NULL)
        pji_picture_drop(plots);
    pji_ready_fini(&r);
    return status;
}
