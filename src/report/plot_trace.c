/* report/plot_trace.c - power over time with the phases shaded. Each kind of phase has one colour;
 * the key names them, so that short phases need no room for their names.
 */
#include "report/groups.h"
#include "report/pictures.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { HEIGHT = 270, MOST_STEPS = 4000, KIND = 48 };

struct kinds {
    char text[PJI_PICTURE_COLOURS][KIND];
    const char *names[PJI_PICTURE_COLOURS];
    size_t n;
};

/* Index of the phase's name; more names than colours share the last one. */
static size_t kind_of(struct kinds *kinds, const char *name)
{
    for (size_t i = 0; i < kinds->n; i++) {
        if (strcmp(kinds->text[i], name) == 0)
            return i;
    }
    if (kinds->n + 1 >= PJI_PICTURE_COLOURS) {
        snprintf(kinds->text[PJI_PICTURE_COLOURS - 1], KIND, "other phases");
        kinds->n = PJI_PICTURE_COLOURS;
        return PJI_PICTURE_COLOURS - 1;
    }
    snprintf(kinds->text[kinds->n], KIND, "%s", name);
    return kinds->n++;
}

static void find_kinds(struct kinds *kinds, const struct pji_curve *curve)
{
    *kinds = (struct kinds){0};
    for (size_t i = 0; i < curve->n_phases; i++)
        kind_of(kinds, curve->phases[i].name);
    for (size_t i = 0; i < kinds->n; i++)
        kinds->names[i] = kinds->text[i];
}

static void shade(struct pji_picture *p, const struct pji_curve *curve, struct kinds *kinds)
{
    for (size_t i = 0; i < curve->n_phases; i++) {
        const struct pji_curve_phase *phase = &curve->phases[i];
        pji_str_add(&p->body, "set object rectangle from first ");
        pji_str_add_num(&p->body, phase->start_s);
        pji_str_add(&p->body, ",graph 0 to first ");
        pji_str_add_num(&p->body, phase->end_s);
        pji_str_addf(&p->body,
                     ",graph 1 fillcolor rgb '%s' fillstyle solid 1 noborder behind clip\n",
                     pji_picture_tint(kind_of(kinds, phase->name)));
    }
}

/* A value holds for its whole step. Beyond what a page can show, steps are joined to their mean by
 * energy: the area below the curve stays the same. */
static size_t power_rows(struct pji_picture *p, const struct pji_curve *curve, struct pji_span *y)
{
    size_t joined = curve->n / MOST_STEPS + 1;
    size_t block = pji_picture_data(p);
    double from_s = curve->start_s;
    for (size_t i = 0; i < curve->n; i += joined) {
        size_t last = i + joined < curve->n ? i + joined - 1 : curve->n - 1;
        double energy_j = 0;
        double at_s = from_s;
        for (size_t k = i; k <= last; k++) {
            energy_j += curve->power_w[k] * (curve->t_s[k] - at_s);
            at_s = curve->t_s[k];
        }
        double power_w = at_s > from_s ? energy_j / (at_s - from_s) : curve->power_w[i];
        pji_span_add(y, power_w);
        pji_picture_row(p, (const double[]){from_s, power_w}, 2);
        pji_picture_row(p, (const double[]){at_s, power_w}, 2);
        from_s = at_s;
    }
    pji_picture_data_end(p);
    return block;
}

pj_status pji_plot_trace(struct pji_plots *plots, const struct pji_plot *plot,
                         const struct pji_curve *curve, struct pj_error *err)
{
    struct kinds kinds;
    struct pji_span y_span;
    if (curve->n == 0)
        return pji_fail(err, PJ_EINVAL, "there is nothing to draw for %s: no power", plot->id);
    find_kinds(&kinds, curve);
    double key = pji_key_height(kinds.names, kinds.n);
    snprintf(plots->n_text, sizeof plots->n_text, "n = %zu step%s between readings", curve->n,
             curve->n == 1 ? "" : "s");
    struct pji_picture *p = pji_picture_start(plots, plot, NULL, HEIGHT + key, err);
    if (p == NULL)
        return PJ_ENOMEM;
    pji_span_init(&y_span);
    pji_span_add(&y_span, 0);
    size_t power = power_rows(p, curve, &y_span);
    struct pji_axis x = {.lo = fmin(0, curve->start_s),
                         .hi = curve->t_s[curve->n - 1],
                         .title = plot->x_axis != NULL ? plot->x_axis : "time, s"};
    struct pji_axis y = {.title = plot->y_axis != NULL ? plot->y_axis
                                  : curve->modelled    ? "modelled power, W"
                                                       : "power, W"};
    for (size_t i = 0; i < curve->n_phases; i++)
        x.hi = fmax(x.hi, curve->phases[i].end_s);
    pji_span_axis(&y_span, false, &y);
    struct pji_frame frame = {.left = pji_axis_room(&y, HEIGHT - 46),
                              .right = PJI_PICTURE_WIDTH - 18,
                              .top = p->top + key + 4,
                              .bottom = p->top + key + HEIGHT - 42};
    pji_picture_panel(p, &frame, &x, &y);
    pji_picture_grid(p, false, true);
    shade(p, curve, &kinds);
    pji_key_put(p, kinds.names, kinds.n, PJI_KEY_TINT);
    pji_picture_plot(p, "$d%zu using 1:2 with lines lw 1.3 lc rgb '#000000' notitle", power);
    pji_picture_panel_end(p);
    pji_picture_end(p);
    return PJ_OK;
}
