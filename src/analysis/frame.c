#include "analysis/frame.h"

#include "core/array.h"
#include "core/num.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

pj_status pji_frame_init(struct pji_frame *frame, const struct pji_table *table, const bool *keep,
                         struct pj_error *err)
{
    *frame = (struct pji_frame){table, NULL, 0};
    frame->row = pji_zalloc(table->rows + 1, sizeof *frame->row, err);
    if (!frame->row)
        return PJ_ENOMEM;
    for (size_t r = 0; r < table->rows; r++) {
        if (keep[r])
            frame->row[frame->n++] = r;
    }
    return PJ_OK;
}

void pji_frame_fini(struct pji_frame *frame)
{
    free(frame->row);
    *frame = (struct pji_frame){NULL, NULL, 0};
}

pj_status pji_level_order_parse(struct pji_level_order *order, const char *text,
                                struct pj_error *err)
{
    memset(order, 0, sizeof *order);
    const char *equals = strchr(text, '=');
    if (!equals || equals == text || equals[1] == '\0')
        return pji_fail(err, PJ_EINVAL, "--levels takes COLUMN=FIRST,SECOND,…, not '%s'", text);
    order->column = pji_dupn(text, (size_t)(equals - text), err);
    pj_status rc = order->column ? PJ_OK : PJ_ENOMEM;
    size_t cap = 0;
    for (const char *p = equals + 1; !rc;) {
        size_t len = strcspn(p, ",");
        rc = pji_array_reserve(&order->level, &cap, order->k + 1, sizeof *order->level, err);
        if (!rc) {
            order->level[order->k] = pji_dupn(p, len, err);
            rc = order->level[order->k] ? PJ_OK : PJ_ENOMEM;
            order->k += rc ? 0 : 1;
        }
        if (p[len] == '\0')
            break;
        p += len + 1;
    }
    if (rc)
        pji_level_order_fini(order);
    return rc;
}

void pji_level_order_fini(struct pji_level_order *order)
{
    for (size_t i = 0; i < order->k; i++)
        free(order->level[i]);
    free(order->level);
    free(order->column);
    memset(order, 0, sizeof *order);
}

/* equal as text, or as numbers when both are */
static bool same_level(const char *a, const char *b)
{
    double x;
    double y;
    if (strcmp(a, b) == 0)
        return true;
    return !pji_num_parse(a, strlen(a), &x, NULL) && !pji_num_parse(b, strlen(b), &y, NULL) &&
           x == y;
}

void pji_keep_present(const struct pji_table *table, size_t col, bool *keep, size_t *left_out)
{
    for (size_t r = 0; r < table->rows; r++) {
        if (keep[r] && pji_table_missing(pji_table_cell(table, r, col))) {
            keep[r] = false;
            (*left_out)++;
        }
    }
}

pj_status pji_keep_listed(const struct pji_table *table, size_t col,
                          const struct pji_level_order *order, bool *keep, size_t *left_out,
                          struct pj_error *err)
{
    bool *seen = pji_zalloc(order->k + 1, sizeof *seen, err);
    if (!seen)
        return PJ_ENOMEM;
    for (size_t r = 0; r < table->rows; r++) {
        if (!keep[r])
            continue;
        size_t l = 0;
        while (l < order->k && !same_level(order->level[l], pji_table_cell(table, r, col)))
            l++;
        if (l < order->k) {
            seen[l] = true;
        } else {
            keep[r] = false;
            (*left_out)++;
        }
    }
    pj_status rc = PJ_OK;
    for (size_t l = 0; !rc && l < order->k; l++) {
        if (!seen[l])
            rc = pji_fail(err, PJ_EINVAL, "--levels lists '%s', which no row of column '%s' has",
                          order->level[l], order->column);
    }
    free(seen);
    return rc;
}

static pj_status transform(const struct pji_frame *frame, size_t i, size_t col,
                           enum pji_function function, double *x, struct pj_error *err)
{
    static const char *const names[] = {"", "log", "log1p", "sqrt", "factor"};
    double value = *x;
    switch (function) {
    case PJI_FN_NONE:
    case PJI_FN_FACTOR:
        return PJ_OK;
    case PJI_FN_LOG:
        *x = log(value);
        break;
    case PJI_FN_LOG1P:
        *x = log1p(value);
        break;
    case PJI_FN_SQRT:
        *x = sqrt(value);
        break;
    }
    if (isfinite(*x))
        return PJ_OK;
    return pji_fail(err, PJ_EINVAL,
                    "%s:%zu: %s(%s) of %g does not exist; leave the row out with "
                    "--where",
                    frame->table->name, frame->table->line[frame->row[i]], names[function],
                    frame->table->column[col], value);
}

pj_status pji_frame_numbers(const struct pji_frame *frame, size_t col, enum pji_function function,
                            double **out, struct pj_error *err)
{
    *out = pji_zalloc(frame->n + 1, sizeof **out, err);
    if (!*out)
        return PJ_ENOMEM;
    for (size_t i = 0; i < frame->n; i++) {
        pj_status rc = pji_table_number(frame->table, frame->row[i], col, &(*out)[i], err);
        if (!rc)
            rc = transform(frame, i, col, function, &(*out)[i], err);
        if (rc) {
            free(*out);
            *out = NULL;
            return rc;
        }
    }
    return PJ_OK;
}
