/* report/groups.c - see groups.h. */
#include "report/groups.h"

#include "core/array.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RIGHT = 58 /* for "n = …" */, AXIS = 48 /* tics and title below */, FEW = 12 };

pj_status pji_ready_make(struct pji_ready *ready, struct pji_plots *plots,
                         const struct pji_plot *plot, const struct pji_sample *groups, size_t n,
                         struct pj_error *err)
{
    *ready = (struct pji_ready){.n = n};
    pji_span_init(&ready->span);
    ready->values = pji_zalloc(n + 1, sizeof *ready->values, err);
    ready->counts = pji_zalloc(n + 1, sizeof *ready->counts, err);
    ready->labels = pji_zalloc(n + 1, sizeof *ready->labels, err);
    pj_status status =
        ready->values != NULL && ready->counts != NULL && ready->labels != NULL ? PJ_OK : PJ_ENOMEM;
    for (size_t g = 0; g < n && status == PJ_OK; g++) {
        status = pji_coords_sorted(&groups[g], &ready->values[g], &ready->counts[g], err);
        ready->labels[g] = groups[g].label != NULL ? groups[g].label : "";
        ready->missing += groups[g].n - ready->counts[g];
        for (size_t i = 0; i < ready->counts[g]; i++)
            pji_span_add(&ready->span, ready->values[g][i]);
    }
    if (status == PJ_OK && !ready->span.any)
        status = pji_fail(err, PJ_EINVAL, "there is nothing to draw for %s: no value", plot->id);
    if (status != PJ_OK)
        pji_ready_fini(ready);
    else
        pji_picture_n(plots, ready->counts, n, ready->missing);
    return status;
}

void pji_ready_fini(struct pji_ready *ready)
{
    for (size_t g = 0; ready->values != NULL && g < ready->n; g++)
        free(ready->values[g]);
    free(ready->values);
    free(ready->counts);
    free(ready->labels);
    *ready = (struct pji_ready){0};
}

/* ---- rows ---- */

size_t pji_text_letters(const char *text)
{
    size_t n = 0;
    for (const char *c = text; *c != '\0'; c++)
        n += ((unsigned char)*c & 0xC0) != 0x80 ? 1 : 0;
    return n;
}

static size_t letters(const char *text, size_t len)
{
    size_t n = 0;
    for (size_t i = 0; i < len; i++)
        n += ((unsigned char)text[i] & 0xC0) != 0x80 ? 1 : 0;
    return n;
}

static size_t widest_line(const char *text)
{
    size_t widest = 0;
    while (*text != '\0') {
        size_t len = strcspn(text, "\n");
        size_t n = letters(text, len);
        widest = n > widest ? n : widest;
        text += len + (text[len] == '\n' ? 1 : 0);
    }
    return widest;
}

void pji_rows_plan(struct pji_rows *rows, const char *const *labels, size_t n)
{
    struct pji_str text = {0};
    size_t widest = 0;
    size_t lines = 1;
    bool few = n <= FEW;
    *rows = (struct pji_rows){
        .n = n, .columns = few ? 32 : 42, .max_lines = few ? 3 : 2, .font = few ? 10 : 9};
    for (size_t i = 0; i < n; i++) {
        pji_str_clear(&text);
        size_t used = pji_picture_wrap(&text, labels[i], rows->columns, rows->max_lines);
        size_t wide = widest_line(pji_str_text(&text));
        lines = used > lines ? used : lines;
        widest = wide > widest ? wide : widest;
    }
    pji_str_fini(&text);
    rows->left = 20 + (double)widest * rows->font * 0.6;
    double needed = (double)lines * (rows->font + 3) + 5;
    double wanted = n <= 4 ? 52 : few ? 34 : 25;
    rows->row = needed > wanted ? needed : wanted;
    rows->body = (double)n * rows->row + AXIS;
}

void pji_rows_panel(struct pji_picture *p, const struct pji_rows *rows, const struct pji_axis *x,
                    const char *const *labels, const size_t *counts, double above)
{
    char text[64];
    char how[96];
    struct pji_frame frame = {.left = rows->left,
                              .right = PJI_PICTURE_WIDTH - (counts != NULL ? RIGHT : 16),
                              .top = p->top + above,
                              .bottom = p->top + above + (double)rows->n * rows->row};
    struct pji_axis y = {.lo = 0.5, .hi = (double)rows->n + 0.5, .no_tics = true};
    pji_picture_panel(p, &frame, x, &y);
    struct pji_names names = {.columns = rows->columns,
                              .max_lines = rows->max_lines,
                              .font = rows->font,
                              .left = rows->left,
                              .line = rows->font + 2.5,
                              .row = rows->row};
    pji_picture_rows(p, labels, rows->n, &names);
    for (size_t i = 0; counts != NULL && i < rows->n; i++) {
        snprintf(text, sizeof text, "n = %zu", counts[i]);
        snprintf(how, sizeof how,
                 "at graph 1,first %zu left offset 0.8,0 font ',9' textcolor rgb '#444444'",
                 rows->n - i);
        pji_picture_label(p, text, how);
    }
    pji_picture_grid(p, true, false);
}
