/* report/axis.c - ranges and tics of a picture, written out in full: gnuplot chooses none of them.
 * Steps are 1, 2 or 5 times a power of ten, as many as have room for their labels.
 */
#include "report/picture.h"

#include "core/num.h"
#include "report/groups.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Units that a letter of a tic, the gap between two and a line of them take. */
struct room {
    double letter, gap, line;
    int font;
};
enum { TITLE_LETTER = 6 /* units that a letter of a title takes */ };
static const struct room large = {7, 14, 24, 10};
static const struct room small = {5.2, 8, 17, 8};

void pji_span_init(struct pji_span *span)
{
    *span = (struct pji_span){.positive = true};
}

void pji_span_add(struct pji_span *span, double value)
{
    if (!isfinite(value))
        return;
    span->lo = span->any ? fmin(span->lo, value) : value;
    span->hi = span->any ? fmax(span->hi, value) : value;
    span->any = true;
    span->positive = span->positive && value > 0;
}

void pji_span_axis(const struct pji_span *span, bool log_wanted, struct pji_axis *axis)
{
    double lo = span->any ? span->lo : 0;
    double hi = span->any ? span->hi : 1;
    axis->log = log_wanted && span->any && span->positive;
    if (axis->log) {
        double widen = fmax(pow(hi / lo, 0.04), 1.05);
        axis->lo = lo / widen;
        axis->hi = hi * widen;
        return;
    }
    if (!(hi > lo)) {
        double half = fabs(lo) > 0 ? 0.05 * fabs(lo) : 0.5;
        lo -= half;
        hi += half;
    }
    double pad = 0.04 * (hi - lo);
    axis->lo = lo >= 0 && lo < 0.3 * hi ? 0 : lo - pad;
    axis->hi = hi + pad;
    if (lo < 0 && hi <= 0 && hi > 0.3 * lo)
        axis->hi = 0;
}

static void tic_text(double value, double step, double largest, char text[PJI_NUM_TEXT])
{
    int decimals = step < 1 ? (int)ceil(-log10(step) - 1e-9) : 0;
    if (largest < 1e6 && decimals <= 5) {
        pji_num_format_fixed(value, decimals, text);
        return;
    }
    if (value > -step / 2 && value < step / 2) {
        snprintf(text, PJI_NUM_TEXT, "0");
        return;
    }
    int exponent = (int)floor(log10(fabs(value)) + 1e-12);
    int digits = exponent - (int)floor(log10(step) + 1e-9);
    pji_num_format_fixed(value / pow(10, exponent), digits > 0 ? digits : 0, text);
    size_t len = strlen(text);
    snprintf(text + len, PJI_NUM_TEXT - len, "e%d", exponent);
}

static double nice_step(double rough)
{
    double power = pow(10, floor(log10(rough)));
    double part = rough / power;
    if (part <= 1.0000001)
        return power;
    if (part <= 2.0000001)
        return 2 * power;
    return part <= 5.0000001 ? 5 * power : 10 * power;
}

static void add_tic(struct pji_str *out, double value, const char *text, size_t *n)
{
    pji_str_addf(out, "%s'%s' ", (*n)++ > 0 ? ", " : "", text);
    pji_str_add_num(out, value);
}

/* Is there room for labels of a step along a side of `length` units? */
static bool fits(const struct pji_axis *axis, double step, double length, const struct room *room,
                 bool along)
{
    char a[PJI_NUM_TEXT];
    char b[PJI_NUM_TEXT];
    double largest = fmax(fabs(axis->lo), fabs(axis->hi));
    tic_text(ceil(axis->lo / step) * step, step, largest, a);
    tic_text(floor(axis->hi / step) * step, step, largest, b);
    size_t letters = strlen(a) > strlen(b) ? strlen(a) : strlen(b);
    double each = along ? (double)letters * room->letter + room->gap : room->line;
    return ((axis->hi - axis->lo) / step) * each <= length;
}

static void linear_tics(struct pji_str *out, const struct pji_axis *axis, double length,
                        const struct room *room, bool along)
{
    char text[PJI_NUM_TEXT];
    size_t n = 0;
    double step = nice_step((axis->hi - axis->lo) / 12);
    while (!fits(axis, step, length, room, along) && (axis->hi - axis->lo) / step > 1)
        step = nice_step(step * 1.5);
    double largest = fmax(fabs(axis->lo), fabs(axis->hi));
    double first = ceil(axis->lo / step - 1e-9);
    for (double k = first; k * step <= axis->hi + 1e-9 * step && n < 40; k++) {
        tic_text(k * step, step, largest, text);
        add_tic(out, k * step, text, &n);
    }
}

/* Powers of ten, or within less than two of them 1, 2, 5. */
static void log_tics(struct pji_str *out, const struct pji_axis *axis, double length,
                     const struct room *room, bool along)
{
    static const double parts[] = {1, 2, 5};
    char text[PJI_NUM_TEXT];
    size_t n = 0;
    double decades = log10(axis->hi / axis->lo);
    if (decades < 0.8) {
        linear_tics(out, axis, length, room, along);
        return;
    }
    double each = along ? 6 * room->letter + room->gap : room->line;
    size_t used = decades * 3 * each <= length ? 3 : 1;
    int stride = (int)fmax(1, ceil(decades * each / length));
    for (int e = (int)floor(log10(axis->lo)); e <= (int)ceil(log10(axis->hi)) && n < 40; e++) {
        for (size_t k = 0; k < used; k++) {
            double value = parts[k] * pow(10, e);
            if (value < axis->lo || value > axis->hi || e % stride != 0)
                continue;
            if (e >= -4 && e < 6)
                pji_num_format_fixed(value, e < 0 ? -e : 0, text);
            else
                snprintf(text, sizeof text, "%.0fe%d", parts[k], e);
            add_tic(out, value, text, &n);
        }
    }
}

static void add_axis(struct pji_picture *p, char name, const struct pji_axis *axis, double length,
                     double title_room)
{
    struct pji_str title = {0};
    const struct room *room = p->many ? &small : &large;
    pji_str_addf(&p->body, "%s logscale %c\nset %crange [", axis->log ? "set" : "unset", name,
                 name);
    pji_str_add_num(&p->body, axis->lo);
    pji_str_addc(&p->body, ':');
    pji_str_add_num(&p->body, axis->hi);
    pji_str_addf(&p->body, "]\nset %clabel ", name);
    pji_picture_wrap(&title, axis->title != NULL ? axis->title : "",
                     (size_t)fmax(20, title_room / TITLE_LETTER), 2);
    pji_picture_quote(&p->body, pji_str_text(&title));
    pji_str_fini(&title);
    pji_str_addf(&p->body, " offset 0,%s\n", name == 'x' ? "0.3" : "0");
    if (axis->no_tics) {
        pji_str_addf(&p->body, "set format %c ''\nunset %ctics\n", name, name);
        return;
    }
    pji_str_addf(&p->body, "set %ctics nomirror out scale 0.5 font ',%d' (", name, room->font);
    if (axis->log)
        log_tics(&p->body, axis, length, room, name == 'x');
    else
        linear_tics(&p->body, axis, length, room, name == 'x');
    pji_str_add(&p->body, ")\n");
}

static void add_margin(struct pji_picture *p, char side, double share)
{
    pji_str_addf(&p->body, "set %cmargin at screen ", side);
    pji_str_add_num(&p->body, share);
    pji_str_addc(&p->body, '\n');
}

void pji_picture_panel(struct pji_picture *p, const struct pji_frame *frame,
                       const struct pji_axis *x, const struct pji_axis *y)
{
    add_margin(p, 'l', frame->left / PJI_PICTURE_WIDTH);
    add_margin(p, 'r', frame->right / PJI_PICTURE_WIDTH);
    add_margin(p, 't', 1 - frame->top / p->height);
    add_margin(p, 'b', 1 - frame->bottom / p->height);
    pji_str_add(&p->body, "set border 3 lw 0.8 lc rgb '#444444'\nset bars small\nunset key\n"
                          "set clip one\nset clip two\n");
    double middle = (frame->left + frame->right) / 2;
    double beside = fmin(middle, PJI_PICTURE_WIDTH - middle);
    add_axis(p, 'x', x, frame->right - frame->left, 2 * beside);
    add_axis(p, 'y', y, frame->bottom - frame->top, frame->bottom - frame->top);
}

/* Names are labels: the text of a tic is a format, which gnuplot cuts after 50 bytes. */
void pji_picture_rows(struct pji_picture *p, const char *const *labels, size_t n,
                      const struct pji_names *names)
{
    struct pji_str text = {0};
    pji_str_add(&p->body, "set ytics nomirror scale 0 (");
    for (size_t i = 0; i < n; i++)
        pji_str_addf(&p->body, "%s'' %zu", i > 0 ? ", " : "", n - i);
    pji_str_add(&p->body, ")\n");
    for (size_t i = 0; i < n; i++) {
        pji_str_clear(&text);
        size_t lines = pji_picture_wrap(&text, labels[i], names->columns, names->max_lines);
        double up = ((double)lines - 1) / 2 * names->line / names->row;
        pji_str_add(&p->body, "set label ");
        pji_picture_quote(&p->body, pji_str_text(&text));
        pji_str_add(&p->body, " at screen ");
        pji_str_add_num(&p->body, (names->left - 7) / PJI_PICTURE_WIDTH);
        pji_str_add(&p->body, ",first ");
        pji_str_add_num(&p->body, (double)(n - i) + up);
        pji_str_addf(&p->body, " right font ',%d'\n", names->font);
    }
    pji_str_fini(&text);
}

double pji_axis_room(const struct pji_axis *axis, double length)
{
    struct pji_str text = {0};
    size_t widest = 0;
    size_t from = 0;
    if (axis->log)
        log_tics(&text, axis, length, &large, false);
    else
        linear_tics(&text, axis, length, &large, false);
    for (size_t i = 0; i < text.len; i++) { /* texts stand between quotes */
        if (text.text[i] != '\'')
            continue;
        widest = from > 0 && i - from > widest ? i - from : widest;
        from = from > 0 ? 0 : i + 1;
    }
    pji_str_fini(&text);
    size_t title = axis->title != NULL ? pji_text_letters(axis->title) : 0;
    bool two_lines = (double)title * TITLE_LETTER > length;
    return (double)widest * large.letter + (title == 0 ? 12 : two_lines ? 48 : 34);
}
