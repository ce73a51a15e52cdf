/* Factors: see analysis/frame.h. */
#include "analysis/frame.h"

#include "core/array.h"
#include "core/num.h"

#include <stdlib.h>
#include <string.h>

struct cell {
    const char *text;
    double number;
    size_t at; /* position in the frame */
};

static int by_number(const void *left, const void *right)
{
    const struct cell *a = left;
    const struct cell *b = right;
    return (a->number > b->number) - (a->number < b->number);
}

static unsigned char folded(char c)
{
    return (unsigned char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

/* without case first, then lower case before upper case */
static int text_order(const char *a, const char *b)
{
    size_t i = 0;
    while (a[i] && folded(a[i]) == folded(b[i]))
        i++;
    if (folded(a[i]) != folded(b[i]))
        return folded(a[i]) < folded(b[i]) ? -1 : 1;
    return -strcmp(a, b);
}

static int by_text(const void *left, const void *right)
{
    return text_order(((const struct cell *)left)->text, ((const struct cell *)right)->text);
}

static char *level_name(const struct cell *cell, bool numeric, struct pj_error *err)
{
    char text[PJI_NUM_TEXT];
    if (!numeric)
        return pji_dup(cell->text, err);
    pji_num_format(cell->number, text);
    return pji_dup(text, err);
}

/* levels and codes of sorted cells */
static pj_status number_levels(struct cell *cells, size_t n, bool numeric, struct pji_factor *out,
                               struct pj_error *err)
{
    int (*order)(const void *, const void *) = numeric ? by_number : by_text;
    qsort(cells, n, sizeof *cells, order);
    size_t cap = 0;
    for (size_t i = 0; i < n; i++) {
        if (i == 0 || order(&cells[i - 1], &cells[i]) != 0) {
            pj_status rc =
                pji_array_reserve(&out->level, &cap, out->k + 1, sizeof *out->level, err);
            if (rc)
                return rc;
            out->level[out->k] = level_name(&cells[i], numeric, err);
            if (!out->level[out->k])
                return PJ_ENOMEM;
            out->k++;
        }
        out->code[cells[i].at] = out->k - 1;
    }
    return PJ_OK;
}

static size_t position(const struct pji_level_order *order, const char *level)
{
    double x;
    double y;
    for (size_t l = 0; l < order->k; l++) {
        const char *listed = order->level[l];
        if (strcmp(listed, level) == 0)
            return l;
        if (!pji_num_parse(listed, strlen(listed), &x, NULL) &&
            !pji_num_parse(level, strlen(level), &y, NULL) && x == y)
            return l;
    }
    return order->k;
}

/* puts the levels into the user's order */
static pj_status rearrange(struct pji_factor *f, size_t n, const struct pji_level_order *order,
                           struct pj_error *err)
{
    size_t *to = pji_zalloc(f->k + 1, sizeof *to, err);
    char **level = pji_zalloc(f->k + 1, sizeof *level, err);
    pj_status rc = to && level ? PJ_OK : PJ_ENOMEM;
    size_t next = 0;
    for (size_t l = 0; !rc && l < order->k; l++) {
        for (size_t i = 0; i < f->k; i++) {
            if (position(order, f->level[i]) == l) {
                to[i] = next;
                level[next++] = f->level[i];
            }
        }
    }
    if (!rc && next != f->k)
        rc = pji_fail(err, PJ_EINVAL, "--levels lists %zu levels of '%s', the rows have %zu", next,
                      order->column, f->k);
    if (!rc) {
        memcpy(f->level, level, f->k * sizeof *level);
        for (size_t i = 0; i < n; i++)
            f->code[i] = to[f->code[i]];
    }
    free(to);
    free(level);
    return rc;
}

pj_status pji_frame_factor(const struct pji_frame *frame, size_t col,
                           const struct pji_level_order *order, struct pji_factor *out,
                           struct pj_error *err)
{
    memset(out, 0, sizeof *out);
    struct cell *cells = pji_zalloc(frame->n + 1, sizeof *cells, err);
    out->code = pji_zalloc(frame->n + 1, sizeof *out->code, err);
    pj_status rc = cells && out->code ? PJ_OK : PJ_ENOMEM;
    bool numeric = true;
    for (size_t i = 0; !rc && i < frame->n; i++) {
        cells[i].text = pji_table_cell(frame->table, frame->row[i], col);
        cells[i].at = i;
        numeric =
            numeric && !pji_table_number(frame->table, frame->row[i], col, &cells[i].number, NULL);
    }
    if (!rc)
        rc = number_levels(cells, frame->n, numeric, out, err);
    if (!rc && order)
        rc = rearrange(out, frame->n, order, err);
    free(cells);
    if (rc)
        pji_factor_fini(out);
    return rc;
}

/* names of the combinations that occur, and for each combination its number among them */
static pj_status name_crossed(const struct pji_factor *a, const struct pji_factor *b,
                              const size_t *both, size_t n, size_t *number, char **level,
                              size_t *used, struct pj_error *err)
{
    size_t k = a->k * b->k;
    for (size_t i = 0; i < n; i++)
        number[both[i]] = 1;
    *used = 0;
    for (size_t c = 0; c < k; c++) {
        struct pji_str name = {0};
        if (!number[c])
            continue;
        pji_str_addf(&name, "%s,%s", a->level[c / b->k], b->level[c % b->k]);
        level[*used] = pji_str_take(&name);
        if (!level[*used])
            return pji_fail(err, PJ_ENOMEM, "out of memory for the levels");
        number[c] = (*used)++;
    }
    return PJ_OK;
}

/* a becomes a crossed with b */
static pj_status cross(struct pji_factor *a, const struct pji_factor *b, size_t n,
                       struct pj_error *err)
{
    size_t used = 0;
    struct pji_factor crossed = {pji_zalloc(a->k * b->k + 1, sizeof(char *), err), 0,
                                 pji_zalloc(n + 1, sizeof(size_t), err)};
    size_t *number = pji_zalloc(a->k * b->k + 1, sizeof *number, err);
    pj_status rc = crossed.level && crossed.code && number ? PJ_OK : PJ_ENOMEM;
    for (size_t i = 0; !rc && i < n; i++)
        crossed.code[i] = a->code[i] * b->k + b->code[i];
    if (!rc)
        rc = name_crossed(a, b, crossed.code, n, number, crossed.level, &used, err);
    crossed.k = used;
    for (size_t i = 0; !rc && i < n; i++)
        crossed.code[i] = number[crossed.code[i]];
    free(number);
    if (rc) {
        pji_factor_fini(&crossed);
        return rc;
    }
    pji_factor_fini(a);
    *a = crossed;
    return PJ_OK;
}

pj_status pji_frame_cross(const struct pji_frame *frame, const size_t *cols, size_t n_cols,
                          struct pji_factor *out, struct pj_error *err)
{
    pj_status rc = pji_frame_factor(frame, cols[0], NULL, out, err);
    for (size_t c = 1; !rc && c < n_cols; c++) {
        struct pji_factor next;
        rc = pji_frame_factor(frame, cols[c], NULL, &next, err);
        if (rc)
            break;
        rc = cross(out, &next, frame->n, err);
        pji_factor_fini(&next);
    }
    if (rc)
        pji_factor_fini(out);
    return rc;
}

void pji_factor_fini(struct pji_factor *factor)
{
    for (size_t l = 0; factor->level && l < factor->k; l++)
        free(factor->level[l]);
    free(factor->level);
    free(factor->code);
    memset(factor, 0, sizeof *factor);
}
