/* report/key.c - the key above the panels and the grid of small panels. The key is ours because
 * gnuplot's lets long names run out of the picture.
 */
#include "report/groups.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { KEY_LINE = 16, KEY_LETTERS = 60, KEY_MARK = 18, KEY_EDGE = 8 };

static const int shapes[PJI_PICTURE_COLOURS] = {7, 5, 9, 13, 11, 6, 4, 8};

int pji_key_shape(size_t i)
{
    return shapes[i % PJI_PICTURE_COLOURS];
}

int pji_key_dash(size_t i)
{
    return (int)(i % 4) + 1;
}

static double key_width(const char *label)
{
    size_t n = pji_text_letters(label);
    return KEY_MARK + 5 + (double)(n < KEY_LETTERS ? n : KEY_LETTERS) * 5.7 + 14;
}

static bool breaks(double at, double width)
{
    return at + width > PJI_PICTURE_WIDTH && at > KEY_EDGE;
}

double pji_key_height(const char *const *labels, size_t n)
{
    double at = KEY_EDGE;
    double lines = n > 0 ? 1 : 0;
    for (size_t i = 0; i < n; i++) {
        double width = key_width(labels[i]);
        if (breaks(at, width)) {
            at = KEY_EDGE;
            lines++;
        }
        at += width;
    }
    return lines > 0 ? lines * KEY_LINE + 8 : 0;
}

static void add_place(struct pji_picture *p, double x, double y)
{
    pji_str_add(&p->body, "screen ");
    pji_str_add_num(&p->body, x / PJI_PICTURE_WIDTH);
    pji_str_add(&p->body, ",screen ");
    pji_str_add_num(&p->body, 1 - y / p->height);
}

static void add_mark(struct pji_picture *p, double at, double y, size_t i, enum pji_key_style style)
{
    const char *colour = pji_picture_colour(i);
    switch (style) {
    case PJI_KEY_BOX:
    case PJI_KEY_TINT:
        pji_str_add(&p->body, "set object rectangle from ");
        add_place(p, at + 4, y - 5);
        pji_str_add(&p->body, " to ");
        add_place(p, at + KEY_MARK - 2, y + 5);
        pji_str_addf(&p->body, " fillcolor rgb '%s' fillstyle solid 1 border lc rgb '%s' front\n",
                     style == PJI_KEY_BOX ? colour : pji_picture_tint(i), colour);
        break;
    case PJI_KEY_LINE:
        pji_str_add(&p->body, "set arrow from ");
        add_place(p, at, y);
        pji_str_add(&p->body, " to ");
        add_place(p, at + KEY_MARK, y);
        pji_str_addf(&p->body, " nohead front lw 2 dt %d lc rgb '%s'\n", pji_key_dash(i), colour);
        break;
    case PJI_KEY_POINT:
        pji_str_add(&p->body, "set label '' at ");
        add_place(p, at + KEY_MARK / 2.0, y);
        pji_str_addf(&p->body, " point pt %d ps 0.9 lc rgb '%s' front\n", pji_key_shape(i), colour);
        break;
    }
}

void pji_key_put(struct pji_picture *p, const char *const *labels, size_t n,
                 enum pji_key_style style)
{
    double at = KEY_EDGE;
    double y = p->top + 6;
    struct pji_str cut = {0};
    for (size_t i = 0; i < n; i++) {
        double width = key_width(labels[i]);
        if (breaks(at, width)) {
            at = KEY_EDGE;
            y += KEY_LINE;
        }
        add_mark(p, at, y, i, style);
        pji_str_clear(&cut);
        pji_picture_wrap(&cut, labels[i], KEY_LETTERS, 1);
        pji_str_add(&p->body, "set label ");
        pji_picture_quote(&p->body, pji_str_text(&cut));
        pji_str_add(&p->body, " at ");
        add_place(p, at + KEY_MARK + 5, y);
        pji_str_add(&p->body, " left font ',9' front\n");
        at += width;
    }
    pji_str_fini(&cut);
}

/* ---- the grid ---- */

enum { GRID_LEFT = 20, GRID_RIGHT = 6, TICS_LEFT = 36, TICS_BELOW = 27, NAME_LINE = 11 };

void pji_grid_plan(struct pji_grid *grid, const char *const *labels, size_t n)
{
    struct pji_str text = {0};
    static const size_t most[] = {1, 4, 9, 16};
    *grid = (struct pji_grid){.n = n, .columns = 5, .font = 9};
    for (size_t c = 4; c >= 1; c--)
        grid->columns = n <= most[c - 1] ? c : grid->columns;
    if (n == 2 || n == 3)
        grid->columns = n;
    grid->width = (double)(PJI_PICTURE_WIDTH - GRID_LEFT - GRID_RIGHT) / (double)grid->columns;
    grid->font = grid->columns > 3 ? 8 : 9;
    grid->letters = (size_t)((grid->width - 14) / (grid->font * 0.6));
    for (size_t i = 0; i < n; i++) {
        pji_str_clear(&text);
        size_t used = pji_picture_wrap(&text, labels[i], grid->letters, 4);
        grid->lines = used > grid->lines ? used : grid->lines;
    }
    pji_str_fini(&text);
    grid->name = (double)grid->lines * NAME_LINE + 6;
    double plot = fmin(0.72 * (grid->width - TICS_LEFT), 300);
    grid->height = grid->name + fmax(plot, 72) + TICS_BELOW;
    size_t rows = (n + grid->columns - 1) / grid->columns;
    grid->body = grid->height * (double)rows + 22;
}

void pji_grid_titles(struct pji_picture *p, const struct pji_grid *grid, const char *x,
                     const char *y)
{
    double bottom = p->height - p->foot;
    double middle = (p->top + bottom - 22) / 2;
    (void)grid;
    p->many = true;
    pji_str_add(&p->body, "set multiplot\nset label ");
    pji_picture_quote(&p->body, x != NULL ? x : "");
    pji_str_add(&p->body, " at ");
    add_place(p, PJI_PICTURE_WIDTH / 2.0, bottom - 10);
    pji_str_add(&p->body, " center font ',10'\nset label ");
    pji_picture_quote(&p->body, y != NULL ? y : "");
    pji_str_add(&p->body, " at ");
    add_place(p, 11, middle);
    pji_str_add(&p->body, " center rotate by 90 font ',10'\n");
}

void pji_grid_panel(struct pji_picture *p, const struct pji_grid *grid, size_t i, const char *label,
                    const struct pji_axis *x, const struct pji_axis *y)
{
    struct pji_str text = {0};
    double left = GRID_LEFT + (double)(i % grid->columns) * grid->width;
    size_t row = i / grid->columns;
    double top = p->top + (double)row * grid->height;
    struct pji_frame frame = {.left = left + TICS_LEFT,
                              .right = left + grid->width - 6,
                              .top = top + grid->name,
                              .bottom = top + grid->height - TICS_BELOW};
    pji_picture_wrap(&text, label, grid->letters, 4);
    pji_str_add(&p->body, "set label ");
    pji_picture_quote(&p->body, pji_str_text(&text));
    pji_str_add(&p->body, " at ");
    add_place(p, left + 8, top + 5);
    pji_str_addf(&p->body, " left font ',%d'\n", grid->font);
    pji_picture_panel(p, &frame, x, y);
    pji_picture_grid(p, true, true);
    pji_str_fini(&text);
}
