/* report/picture.c - see picture.h. */
#include "report/picture.h"

#include "core/array.h"
#include "core/num.h"
#include "report/groups.h"
#include "report/pictures.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TITLE_COLUMNS = 86, TITLE_LINE = 17, CAPTION_COLUMNS = 122, CAPTION_LINE = 13 };

static const char *const colours[PJI_PICTURE_COLOURS] = {
    "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#F0E442"};
static const char *const tints[PJI_PICTURE_COLOURS] = {"#BFDCEC", "#F5D7BF", "#BFE7DC", "#F2DDE9",
                                                       "#F9E7BF", "#D5EDFA", "#BFBFBF", "#FBF8D0"};

const char *pji_picture_colour(size_t i)
{
    return colours[i % PJI_PICTURE_COLOURS];
}

const char *pji_picture_tint(size_t i)
{
    return tints[i % PJI_PICTURE_COLOURS];
}

static void add_num(struct pji_str *out, double value)
{
    if (isfinite(value))
        pji_str_add_num(out, value);
    else
        pji_str_add(out, "NaN");
}

/* ---- the picture ---- */

static size_t count_lines(const struct pji_str *text, size_t lines)
{
    return text->len > 0 ? lines : 0;
}

/* Title above and caption below, at fixed places of the picture; their heights. */
static void add_texts(struct pji_picture *p, const struct pji_plot *plot, const char *caption,
                      double body_height)
{
    struct pji_str title = {0};
    struct pji_str foot = {0};
    size_t lines =
        pji_picture_wrap(&title, plot->title != NULL ? plot->title : "", TITLE_COLUMNS, 3);
    p->top = 8 + (double)TITLE_LINE * (double)count_lines(&title, lines);
    lines = pji_picture_wrap(&foot, caption, CAPTION_COLUMNS, 6);
    p->foot = 14 + (double)CAPTION_LINE * (double)count_lines(&foot, lines);
    enum { LONG_TITLE = 68, SECOND_LINE = 14 };
    bool two_lines = plot->x_axis != NULL && pji_text_letters(plot->x_axis) > LONG_TITLE;
    p->height = ceil(p->top + body_height + p->foot + (two_lines ? SECOND_LINE : 0));
    if (title.len > 0) {
        pji_str_add(&p->body, "set label ");
        pji_picture_quote(&p->body, pji_str_text(&title));
        pji_str_addf(&p->body, " at screen 0.0125,screen ");
        add_num(&p->body, 1 - 14 / p->height);
        pji_str_add(&p->body, " left font ',12' front\n");
    }
    if (foot.len > 0) {
        pji_str_add(&p->body, "set label ");
        pji_picture_quote(&p->body, pji_str_text(&foot));
        pji_str_addf(&p->body, " at screen 0.0125,screen ");
        add_num(&p->body, (p->foot - 14) / p->height);
        pji_str_add(&p->body, " left font ',9' textcolor rgb '#444444' front\n");
    }
    pji_str_fini(&title);
    pji_str_fini(&foot);
}

static void add_sentence(struct pji_str *out, const char *text)
{
    if (text == NULL || text[0] == '\0')
        return;
    pji_str_addf(out, "%s%s", out->len > 0 ? " " : "", text);
    if (strchr(".!?", out->text[out->len - 1]) == NULL)
        pji_str_addc(out, '.');
}

struct pji_picture *pji_picture_start(struct pji_plots *plots, const struct pji_plot *plot,
                                      const char *more_caption, double body_height,
                                      struct pj_error *err)
{
    struct pji_str caption = {0};
    if (pji_array_reserve(&plots->pictures, &plots->cap, plots->n + 1, sizeof *plots->pictures,
                          err) != PJ_OK)
        return NULL;
    struct pji_picture *p = &plots->pictures[plots->n];
    *p = (struct pji_picture){.id = pji_dup(plot->id, err)};
    if (p->id == NULL)
        return NULL;
    plots->n++;
    add_sentence(&caption, plot->caption);
    add_sentence(&caption, more_caption);
    add_sentence(&caption, plots->n_text);
    add_texts(p, plot, pji_str_text(&caption), body_height);
    pji_str_fini(&caption);
    return p;
}

void pji_picture_drop(struct pji_plots *plots)
{
    struct pji_picture *p = &plots->pictures[--plots->n];
    free(p->id);
    pji_str_fini(&p->data);
    pji_str_fini(&p->body);
}

void pji_picture_n(struct pji_plots *plots, const size_t *n, size_t groups, size_t missing)
{
    char *text = plots->n_text;
    size_t size = sizeof plots->n_text;
    size_t lo = groups > 0 ? n[0] : 0;
    size_t hi = lo;
    size_t all = 0;
    for (size_t g = 0; g < groups; g++) {
        lo = n[g] < lo ? n[g] : lo;
        hi = n[g] > hi ? n[g] : hi;
        all += n[g];
    }
    int len = 0;
    if (groups <= 1)
        len = snprintf(text, size, "n = %zu", all);
    else if (lo == hi)
        len = snprintf(text, size, "n = %zu in each of %zu groups", lo, groups);
    else
        len = snprintf(text, size, "n = %zu to %zu in %zu groups, %zu in all", lo, hi, groups, all);
    if (missing > 0 && len > 0 && (size_t)len < size)
        snprintf(text + len, size - (size_t)len, "; %zu missing value%s not shown", missing,
                 missing == 1 ? " is" : "s are");
}

/* ---- datablocks ---- */

size_t pji_picture_data(struct pji_picture *p)
{
    pji_str_addf(&p->data, "$d%zu << EOD\n", p->n_data);
    return p->n_data++;
}

void pji_picture_row(struct pji_picture *p, const double *values, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (i > 0)
            pji_str_addc(&p->data, ' ');
        add_num(&p->data, values[i]);
    }
    pji_str_addc(&p->data, '\n');
}

void pji_picture_blank(struct pji_picture *p)
{
    pji_str_addc(&p->data, '\n');
}

void pji_picture_data_end(struct pji_picture *p)
{
    pji_str_add(&p->data, "EOD\n");
}

size_t pji_picture_path(struct pji_picture *p, const struct pji_xy *points, size_t n)
{
    size_t block = pji_picture_data(p);
    for (size_t i = 0; i < n; i++)
        pji_picture_row(p, (const double[]){points[i].x, points[i].y}, 2);
    pji_picture_data_end(p);
    return block;
}

/* ---- panels ---- */

void pji_picture_label(struct pji_picture *p, const char *text, const char *how)
{
    pji_str_add(&p->body, "set label ");
    pji_picture_quote(&p->body, text);
    pji_str_addf(&p->body, " %s\n", how);
}

void pji_picture_grid(struct pji_picture *p, bool x, bool y)
{
    pji_str_addf(&p->body, "set grid %s %s back lt 1 lc rgb '#dddddd' lw 0.5\n",
                 x ? "xtics" : "noxtics", y ? "ytics" : "noytics");
}

void pji_picture_plot(struct pji_picture *p, const char *format, ...)
{
    va_list args;
    pji_str_add(&p->body, p->n_items++ == 0 ? "plot " : ", ");
    va_start(args, format);
    pji_str_addv(&p->body, format, args);
    va_end(args);
}

void pji_picture_title(struct pji_picture *p, const char *text)
{
    pji_str_add(&p->body, " title ");
    pji_picture_quote(&p->body, text);
}

void pji_picture_panel_end(struct pji_picture *p)
{
    if (p->n_items == 0)
        pji_str_add(&p->body, "plot NaN notitle"); /* axes and labels only */
    p->n_items = 0;
    pji_str_add(&p->body, "\nunset label\nunset object\nunset arrow\nunset key\n");
}

void pji_picture_end(struct pji_picture *p)
{
    if (p->many)
        pji_str_add(&p->body, "unset multiplot\n");
}

/* ---- texts ---- */

/* Single quotes: gnuplot runs no command and expands no macro in them; a new line is joined in. */
void pji_picture_quote(struct pji_str *out, const char *text)
{
    size_t len = strlen(text);
    pji_str_addc(out, '\'');
    for (size_t i = 0; i < len;) {
        size_t good = pji_utf8_span(text + i, len - i);
        for (size_t k = i; k < i + good; k++) {
            if (text[k] == '\'')
                pji_str_add(out, "''");
            else if (text[k] == '\n')
                pji_str_add(out, "'.\"\\n\".'");
            else
                pji_str_addc(out, (unsigned char)text[k] < 0x20 || text[k] == 0x7F ? ' ' : text[k]);
        }
        i += good;
        if (i < len) { /* a byte that is no UTF-8 */
            pji_str_addc(out, '?');
            i++;
        }
    }
    pji_str_addc(out, '\'');
}

static size_t char_bytes(const char *text)
{
    size_t n = text[0] != '\0' ? 1 : 0;
    while (n > 0 && ((unsigned char)text[n] & 0xC0) == 0x80)
        n++;
    return n;
}

/* Bytes of the next line of at most `columns` characters; *skip: blanks to leave out after it. */
static size_t line_bytes(const char *text, size_t columns, size_t *skip)
{
    size_t at = 0;
    size_t last_blank = 0;
    *skip = 0;
    for (size_t column = 0; text[at] != '\0' && text[at] != '\n'; column++) {
        if (text[at] == ' ')
            last_blank = at;
        if (column == columns) {
            if (last_blank > 0) {
                *skip = 1;
                return last_blank;
            }
            return at;
        }
        at += char_bytes(text + at);
    }
    *skip = text[at] == '\n' ? 1 : 0;
    return at;
}

size_t pji_picture_wrap(struct pji_str *out, const char *text, size_t columns, size_t max_lines)
{
    size_t lines = 0;
    while (text[0] != '\0') {
        size_t skip = 0;
        size_t n = line_bytes(text, columns, &skip);
        if (lines > 0)
            pji_str_addc(out, '\n');
        if (lines + 1 == max_lines && text[n] != '\0') {
            n = line_bytes(text, columns - 1, &skip);
            pji_str_addn(out, text, n);
            pji_str_add(out, "…");
            return lines + 1;
        }
        pji_str_addn(out, text, n);
        text += n + skip;
        lines++;
    }
    return lines;
}
