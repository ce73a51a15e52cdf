/* report/plot_interaction.c - means of the cells of two factors: one along x, a line for each level
 * of the other. The factor with more levels goes along x when lines would be too many to tell
 * apart; where both have many, each line gets a panel.
 */
#include "report/groups.h"

#include "core/array.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { HEIGHT = 250, LEFT = 62, RIGHT = 16, TURNED_LETTERS = 26 };

struct layout {
    const struct pji_plot_cells *cells;
    bool swapped;
    size_t n_x, n_lines;
    const char *const *x_levels;
    const char *const *lines;
    struct pji_axis x, y;
    size_t missing;
    size_t *counts;
    size_t n_counts;
    bool rows; /* the levels stand below each other: their names are too long for an x axis */
};

static const struct pji_plot_cell *cell_at(const struct layout *l, size_t x, size_t line)
{
    const struct pji_plot_cells *c = l->cells;
    return &c->cells[l->swapped ? line * c->n_b + x : x * c->n_b + line];
}

static pj_status plan(struct layout *l, const struct pji_plot *plot,
                      const struct pji_plot_cells *cells, struct pj_error *err)
{
    struct pji_span span;
    *l = (struct layout){.cells = cells};
    l->swapped = cells->n_b > PJI_PICTURE_COLOURS && cells->n_a <= PJI_PICTURE_COLOURS;
    l->n_x = l->swapped ? cells->n_b : cells->n_a;
    l->n_lines = l->swapped ? cells->n_a : cells->n_b;
    l->x_levels = l->swapped ? cells->b_levels : cells->a_levels;
    l->lines = l->swapped ? cells->a_levels : cells->b_levels;
    l->counts = pji_zalloc(cells->n_a * cells->n_b + 1, sizeof *l->counts, err);
    if (l->counts == NULL)
        return PJ_ENOMEM;
    pji_span_init(&span);
    for (size_t i = 0; i < cells->n_a * cells->n_b; i++) {
        if (!isfinite(cells->cells[i].mean)) {
            l->missing++;
            continue;
        }
        l->counts[l->n_counts++] = cells->cells[i].n;
        pji_span_add(&span, cells->cells[i].mean);
        pji_span_add(&span, cells->cells[i].lo);
        pji_span_add(&span, cells->cells[i].hi);
    }
    if (!span.any)
        return pji_fail(err, PJ_EINVAL, "there is nothing to draw for %s: no cell has a mean",
                        plot->id);
    l->x = (struct pji_axis){
        .lo = 0.5, .hi = (double)l->n_x + 0.5, .title = l->swapped ? cells->b_name : plot->x_axis};
    l->y = (struct pji_axis){.title = plot->y_axis};
    pji_span_axis(&span, plot->log_y, &l->y);
    return PJ_OK;
}

/* How far the lines stand apart, so that intervals at one level do not cover each other. */
static double dodge(const struct layout *l, size_t line)
{
    double step = fmin(0.07, 0.5 / (double)l->n_lines);
    return step * ((double)line - (double)(l->n_lines - 1) / 2);
}

static size_t line_rows(struct pji_picture *p, const struct layout *l, size_t line, double off)
{
    size_t block = pji_picture_data(p);
    for (size_t x = 0; x < l->n_x; x++) {
        const struct pji_plot_cell *c = cell_at(l, x, line);
        if (!isfinite(c->mean)) {
            pji_picture_blank(p);
            continue;
        }
        double lo = isfinite(c->lo) ? c->lo : c->mean;
        double hi = isfinite(c->hi) ? c->hi : c->mean;
        if (l->rows)
            pji_picture_row(p, (const double[]){c->mean, (double)(l->n_x - x) - off, lo, hi}, 4);
        else
            pji_picture_row(p, (const double[]){(double)(x + 1) + off, c->mean, lo, hi}, 4);
    }
    pji_picture_data_end(p);
    return block;
}

static bool has_any(const struct layout *l, size_t line)
{
    for (size_t x = 0; x < l->n_x; x++) {
        if (isfinite(cell_at(l, x, line)->mean))
            return true;
    }
    return false;
}

static void plot_line(struct pji_picture *p, size_t block, bool rows, int shape, int dash,
                      const char *colour)
{
    pji_picture_plot(p, "$d%zu using 1:2 with lines lw 1.4 dt %d lc rgb '%s' notitle", block, dash,
                     colour);
    pji_picture_plot(p, "$d%zu using 1:2:3:4 with %s pt %d ps 0.8 lw 1.4 lc rgb '%s' notitle",
                     block, rows ? "xerrorbars" : "yerrorbars", shape, colour);
}

/* Names of levels below the axis: side by side where they fit, else turned; units below. */
struct names {
    bool turned;
    size_t longest, letters;
    double below, left;
};

static void plan_names(struct names *names, const struct layout *l)
{
    double room = (double)(PJI_PICTURE_WIDTH - LEFT - RIGHT) / (double)l->n_x;
    size_t longest = 0;
    for (size_t x = 0; x < l->n_x; x++) {
        size_t n = pji_text_letters(l->x_levels[x]);
        longest = n > longest ? n : longest;
    }
    *names = (struct names){.longest = longest, .letters = longest, .below = 44, .left = LEFT};
    size_t side_by_side = (size_t)((room - 6) / 5.8);
    if (longest <= side_by_side)
        return;
    if (side_by_side >= 12) { /* in lines */
        names->letters = side_by_side;
        names->below = 34 + 12 * 3;
        return;
    }
    names->turned = true;
    names->letters = longest < TURNED_LETTERS ? longest : TURNED_LETTERS;
    names->below = 34 + (double)names->letters * 5.6 * 0.71;
    names->left = fmax(LEFT, 12 + (double)names->letters * 5.6 * 0.71 - room / 2);
}

static void put_names(struct pji_picture *p, const struct layout *l, const struct names *names,
                      double bottom)
{
    struct pji_str text = {0};
    pji_str_add(&p->body, "set xtics nomirror out scale 0.5 (");
    for (size_t x = 0; x < l->n_x; x++)
        pji_str_addf(&p->body, "%s'' %zu", x > 0 ? ", " : "", x + 1);
    pji_str_add(&p->body, ")\n");
    for (size_t x = 0; x < l->n_x; x++) {
        pji_str_clear(&text);
        pji_picture_wrap(&text, l->x_levels[x], names->letters, names->turned ? 1 : 3);
        pji_str_add(&p->body, "set label ");
        pji_picture_quote(&p->body, pji_str_text(&text));
        pji_str_addf(&p->body, " at first %zu,screen ", x + 1);
        pji_str_add_num(&p->body, 1 - (bottom + 14) / p->height);
        pji_str_addf(&p->body, " %s font ',9'\n", names->turned ? "right rotate by 45" : "center");
    }
    pji_str_fini(&text);
}

static void one_panel(struct pji_picture *p, const struct layout *l, const struct names *names,
                      double key)
{
    struct pji_frame frame = {.left = fmax(names->left, pji_axis_room(&l->y, HEIGHT - 46)),
                              .right = PJI_PICTURE_WIDTH - RIGHT,
                              .top = p->top + key + 4,
                              .bottom = p->top + key + HEIGHT};
    struct pji_axis x = l->x;
    char how[96];
    x.title = NULL;
    pji_picture_panel(p, &frame, &x, &l->y);
    put_names(p, l, names, frame.bottom);
    snprintf(how, sizeof how, "at screen 0.5,screen %.6f center font ',11'",
             (p->foot + 10) / p->height);
    pji_picture_label(p, l->x.title != NULL ? l->x.title : "", how);
    pji_picture_grid(p, false, true);
    if (l->n_lines > 1)
        pji_key_put(p, l->lines, l->n_lines, PJI_KEY_POINT);
    for (size_t line = 0; line < l->n_lines; line++) {
        if (has_any(l, line))
            plot_line(p, line_rows(p, l, line, dodge(l, line)), false, pji_key_shape(line),
                      pji_key_dash(line), pji_picture_colour(line));
    }
    pji_picture_panel_end(p);
}

/* The same with the levels below each other. */
static void rows_panel(struct pji_picture *p, const struct layout *l, const struct pji_rows *rows,
                       double key)
{
    struct pji_axis values = l->y;
    pji_rows_panel(p, rows, &values, l->x_levels, NULL, key);
    pji_picture_grid(p, true, true);
    if (l->n_lines > 1)
        pji_key_put(p, l->lines, l->n_lines, PJI_KEY_POINT);
    for (size_t line = 0; line < l->n_lines; line++) {
        if (has_any(l, line))
            plot_line(p, line_rows(p, l, line, dodge(l, line)), true, pji_key_shape(line),
                      pji_key_dash(line), pji_picture_colour(line));
    }
    pji_picture_panel_end(p);
}

static void many_panels(struct pji_picture *p, const struct layout *l, const struct pji_grid *grid)
{
    struct pji_axis x = l->x;
    struct pji_axis y = l->y;
    pji_grid_titles(p, grid, l->x.title, l->y.title);
    x.title = y.title = NULL;
    for (size_t line = 0; line < l->n_lines; line++) {
        pji_grid_panel(p, grid, line, l->lines[line], &x, &y);
        if (has_any(l, line))
            plot_line(p, line_rows(p, l, line, 0), false, 7, 1, pji_picture_colour(0));
        pji_picture_panel_end(p);
    }
}

/* "Along x: 1 small, 2 medium, …" */
static void number_levels(struct pji_str *out, const struct layout *l)
{
    pji_str_add(out, "Along x:");
    for (size_t x = 0; x < l->n_x; x++)
        pji_str_addf(out, "%s %zu %s", x > 0 ? "," : "", x + 1, l->x_levels[x]);
    pji_str_add(out, ". ");
}

pj_status pji_plot_interaction(struct pji_plots *plots, const struct pji_plot *plot,
                               const struct pji_plot_cells *cells, struct pj_error *err)
{
    struct layout l;
    struct names names;
    struct pji_rows rows;
    struct pji_grid grid;
    struct pji_str more = {0};
    pj_status status = plan(&l, plot, cells, err);
    if (status == PJ_OK) {
        bool one = l.n_lines <= PJI_PICTURE_COLOURS;
        double key = one && l.n_lines > 1 ? pji_key_height(l.lines, l.n_lines) : 0;
        plan_names(&names, &l);
        pji_rows_plan(&rows, l.x_levels, l.n_x);
        l.rows = one && names.turned && names.longest > TURNED_LETTERS;
        double body = l.rows ? rows.body : HEIGHT + names.below;
        pji_grid_plan(&grid, l.lines, l.n_lines);
        if (!one)
            number_levels(&more, &l);
        pji_str_add(&more, "Means of the cells with 95 % intervals.");
        pji_picture_n(plots, l.counts, l.n_counts, 0);
        struct pji_picture *p =
            pji_picture_start(plots, plot, pji_str_text(&more), one ? body + key : grid.body, err);
        status = p != NULL ? PJ_OK : PJ_ENOMEM;
        if (p != NULL && l.rows)
            rows_panel(p, &l, &rows, key);
        else if (p != NULL && one)
            one_panel(p, &l, &names, key);
        else if (p != NULL)
            many_panels(p, &l, &grid);
        if (p != NULL)
            pji_picture_end(p);
    }
    pji_str_fini(&more);
    free(l.counts);
    return status;
}
