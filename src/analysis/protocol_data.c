/* The tables of a protocol: see analysis/protocol.h. Tables are made as CSV text and read back, so
 * that every number has passed the one reader, and means are those of stats/. */
#include "analysis/protocol.h"

#include "analysis/frame.h"
#include "analysis/where.h"
#include "core/array.h"
#include "core/csv.h"
#include "core/num.h"
#include "stats/moments.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* line: of each row in the file it came from, for messages; NULL: none */
static pj_status read_back(struct pji_table *table, const struct pji_str *text, const char *name,
                           const size_t *line, struct pj_error *err)
{
    pj_status rc = pji_str_ok(text, err);
    if (rc)
        return rc;
    FILE *file = fmemopen(text->text, text->len, "r");
    if (!file)
        return pji_fail_errno(err, errno, "the derived table of %s cannot be read back", name);
    rc = pji_table_read(table, file, name, ',', err);
    fclose(file);
    for (size_t row = 0; !rc && line && row < table->rows; row++)
        table->line[row] = line[row];
    return rc;
}

/* ---- values of derived columns ---- */

static pj_status number_at(const struct pji_table *t, size_t row, const char *name, double *out,
                           struct pj_error *err)
{
    size_t col;
    pj_status rc = pji_table_find(t, name, &col, err);
    return rc ? rc : pji_table_number(t, row, col, out, err);
}

/* a level's name: numbers are named by the number */
static void level_text(const char *cell, struct pji_str *out)
{
    double x;
    if (!pji_num_parse(cell, strlen(cell), &x, NULL))
        pji_str_add_num(out, x);
    else
        pji_str_add(out, cell);
}

/* "Gen{generation}_{model_size}" */
static pj_status fill_template(const struct pji_table *t, size_t row, const char *template_text,
                               struct pji_str *out, struct pj_error *err)
{
    for (const char *p = template_text; *p;) {
        size_t len = strcspn(p, "{");
        pji_str_addn(out, p, len);
        p += len;
        if (*p == '\0')
            break;
        len = strcspn(++p, "}");
        char *name = pji_dupn(p, len, err);
        size_t col;
        if (!name)
            return PJ_ENOMEM;
        pj_status rc = pji_table_find(t, name, &col, err);
        free(name);
        if (rc)
            return rc;
        level_text(pji_table_cell(t, row, col), out);
        p += len + (p[len] == '}');
    }
    return PJ_OK;
}

static pj_status strip_suffix(const struct pji_table *t, size_t row,
                              const struct pji_protocol_derived *d, struct pji_str *out,
                              struct pj_error *err)
{
    size_t col;
    pj_status rc = pji_table_find(t, d->a, &col, err);
    if (rc)
        return rc;
    const char *cell = pji_table_cell(t, row, col);
    size_t len = strlen(cell);
    size_t end = strlen(d->b);
    double x;
    if (len > end && strcmp(cell + len - end, d->b) == 0)
        len -= end;
    rc = pji_num_parse(cell, len, &x, err);
    if (!rc)
        pji_str_add_num(out, x);
    else
        pji_error_prefix(err, "%s:%zu, column '%s'", t->name, t->line[row], d->a);
    return rc;
}

static pj_status derive(const struct pji_table *t, size_t row, const struct pji_protocol_derived *d,
                        struct pji_str *out, struct pj_error *err)
{
    double a = 0;
    double b = 0;
    pj_status rc = PJ_OK;
    switch (d->kind) {
    case PJI_DERIVE_TEXT:
        return fill_template(t, row, d->a, out, err);
    case PJI_DERIVE_STRIP:
        return strip_suffix(t, row, d, out, err);
    case PJI_DERIVE_COPY:
        rc = number_at(t, row, d->a, &a, err);
        if (!rc)
            pji_str_add_num(out, a);
        return rc;
    case PJI_DERIVE_RATIO:
        break;
    }
    rc = number_at(t, row, d->a, &a, err);
    if (!rc)
        rc = number_at(t, row, d->b, &b, err);
    if (!rc && !(b > 0) && !(b < 0))
        return pji_fail(err, PJ_EINVAL, "%s:%zu: '%s' is 0, so %s/%s has no value", t->name,
                        t->line[row], d->b, d->a, d->b);
    if (!rc)
        pji_str_add_num(out, a / b);
    return rc;
}

/* t with these columns added; t is replaced */
static pj_status add_derived(struct pji_table *t, const struct pji_protocol_derived *derived,
                             size_t n, struct pj_error *err)
{
    for (size_t d = 0; d < n; d++) { /* each may use those before it */
        struct pji_str text = {0};
        struct pji_table next = {.rows = 0};
        size_t old = t->cols; /* a column of the same name is replaced */
        for (size_t c = 0; c < t->cols; c++) {
            if (strcmp(t->column[c], derived[d].name) == 0)
                old = c;
            else
                pji_csv_add(&text, t->column[c], ',', text.len == 0);
        }
        pji_csv_add(&text, derived[d].name, ',', false);
        pji_str_addc(&text, '\n');
        pj_status rc = PJ_OK;
        for (size_t row = 0; !rc && row < t->rows; row++) {
            struct pji_str value = {0};
            bool first = true;
            for (size_t c = 0; c < t->cols; c++) {
                if (c == old)
                    continue;
                pji_csv_add(&text, pji_table_cell(t, row, c), ',', first);
                first = false;
            }
            rc = derive(t, row, &derived[d], &value, err);
            pji_csv_add(&text, pji_str_text(&value), ',', first);
            pji_str_addc(&text, '\n');
            pji_str_fini(&value);
        }
        if (!rc)
            rc = read_back(&next, &text, t->name, t->line, err);
        pji_str_fini(&text);
        if (rc)
            return rc;
        pji_table_fini(t);
        *t = next;
    }
    return PJ_OK;
}

/* ---- the rows ---- */

struct source {
    size_t col[PJI_PROTOCOL_COLUMNS]; /* in the input; (size_t)-1: made from others, or left out */
};

static bool has(const struct pji_table *t, const char *name, size_t *col)
{
    return pji_table_find(t, name, col, NULL) == PJ_OK;
}

static pj_status find_columns(const struct pji_protocol *p, const struct pji_table *t,
                              struct source *s, struct pj_error *err)
{
    for (size_t c = 0; c < p->columns; c++) {
        const struct pji_protocol_column *column = &p->column[c];
        bool found = has(t, column->name, &s->col[c]);
        for (size_t a = 0; !found && a < column->aliases.n; a++)
            found = has(t, column->aliases.item[a], &s->col[c]);
        if (found)
            continue;
        s->col[c] = (size_t)-1;
        if (!column->optional && column->from.n == 0) {
            pj_status rc = pji_table_find(t, column->name, &s->col[c], err);
            pji_error_prefix(err, "protocol '%s'", p->name);
            return rc;
        }
    }
    return PJ_OK;
}

/* one cell of the kept table: plain numbers, also where a decimal comma was declared */
static pj_status put_cell(const struct pji_protocol_column *c, const struct pji_table *t,
                          size_t row, size_t col, struct pji_str *text, bool first, size_t *comma,
                          struct pj_error *err)
{
    const char *cell = pji_table_cell(t, row, col);
    size_t len = strlen(cell);
    double x = 0;
    if (!c->number || pji_table_missing(cell)) {
        pji_csv_add(text, cell, ',', first);
        return PJ_OK;
    }
    bool plain = !t->decimal_comma && !pji_num_parse(cell, len, &x, NULL);
    pj_status rc = PJ_OK;
    if (!plain && (c->decimal_comma || t->decimal_comma)) {
        rc = pji_num_parse_comma(cell, len, &x, err);
        *comma += strchr(cell, ',') != NULL;
    } else if (!plain) {
        rc = pji_num_parse(cell, len, &x, err);
    }
    if (rc) {
        pji_error_prefix(err, "%s:%zu, column '%s'", t->name, t->line[row], t->column[col]);
        return rc;
    }
    char number[PJI_NUM_TEXT];
    pji_num_format(x, number);
    pji_csv_add(text, number, ',', first);
    return PJ_OK;
}

static void put_combination(const struct pji_protocol_column *c, const struct pji_protocol *p,
                            const struct source *s, const struct pji_table *t, size_t row,
                            struct pji_str *text, bool first)
{
    struct pji_str value = {0};
    for (size_t i = 0; i < c->from.n; i++) {
        for (size_t j = 0; j < p->columns; j++) {
            if (strcmp(p->column[j].name, c->from.item[i]) != 0 || s->col[j] == (size_t)-1)
                continue;
            pji_str_add(&value, i ? "," : "");
            level_text(pji_table_cell(t, row, s->col[j]), &value);
        }
    }
    pji_csv_add(text, pji_str_text(&value), ',', first);
    pji_str_fini(&value);
}

static pj_status copy_row(const struct pji_protocol *p, const struct source *s,
                          const struct pji_table *t, size_t row, struct pji_str *text,
                          size_t *comma, struct pj_error *err)
{
    bool first = true;
    pj_status rc = PJ_OK;
    for (size_t c = 0; !rc && c < p->columns; c++) {
        if (s->col[c] != (size_t)-1)
            rc = put_cell(&p->column[c], t, row, s->col[c], text, first, comma, err);
        else if (p->column[c].from.n > 0)
            put_combination(&p->column[c], p, s, t, row, text, first);
        else
            continue;
        first = false;
    }
    pji_str_addc(text, '\n');
    return rc;
}

/* the protocol's columns under its names, all rows */
static pj_status take_columns(struct pji_table *out, const struct pji_protocol *p,
                              const struct pji_table *t, size_t *comma, struct pj_error *err)
{
    struct source s;
    struct pji_str text = {0};
    pj_status rc = find_columns(p, t, &s, err);
    if (rc)
        return rc;
    for (size_t c = 0; c < p->columns; c++) {
        if (s.col[c] != (size_t)-1 || p->column[c].from.n > 0)
            pji_csv_add(&text, p->column[c].name, ',', text.len == 0);
    }
    pji_str_addc(&text, '\n');
    for (size_t row = 0; !rc && row < t->rows; row++)
        rc = copy_row(p, &s, t, row, &text, comma, err);
    if (!rc)
        rc = read_back(out, &text, t->name, t->line, err);
    pji_str_fini(&text);
    return rc;
}

/* rows for which keep holds and whose numbers are there */
static pj_status keep_rows(const struct pji_protocol *p, struct pji_table *t, size_t *left_out,
                           struct pj_error *err)
{
    size_t col;
    bool *keep = pji_zalloc(t->rows + 1, sizeof *keep, err);
    if (!keep)
        return PJ_ENOMEM;
    for (size_t row = 0; row < t->rows; row++)
        keep[row] = true;
    pj_status rc = PJ_OK;
    /* without the column of states there is nothing to leave out */
    if (p->keep) {
        struct pj_error why = {0};
        rc = pji_where_apply(t, p->keep, keep, &why);
        for (size_t c = 0; rc && c < p->columns; c++) {
            if (p->column[c].optional && !has(t, p->column[c].name, &col) &&
                strstr(p->keep, p->column[c].name))
                rc = PJ_OK;
        }
        if (rc)
            rc = pji_fail(err, rc, "protocol '%s', keep: %s", p->name, why.text);
    }
    for (size_t c = 0; !rc && c < p->columns; c++) {
        if (p->column[c].number && has(t, p->column[c].name, &col)) {
            for (size_t row = 0; row < t->rows; row++)
                keep[row] = keep[row] && !pji_table_missing(pji_table_cell(t, row, col));
        }
    }
    struct pji_str text = {0};
    size_t n = 0;
    size_t *line = pji_zalloc(t->rows + 1, sizeof *line, err);
    if (!line)
        rc = PJ_ENOMEM;
    for (size_t c = 0; c < t->cols; c++)
        pji_csv_add(&text, t->column[c], ',', c == 0);
    pji_str_addc(&text, '\n');
    for (size_t row = 0; !rc && row < t->rows; row++) {
        if (keep[row])
            line[n++] = t->line[row];
        *left_out += !keep[row];
        for (size_t c = 0; keep[row] && c < t->cols; c++)
            pji_csv_add(&text, pji_table_cell(t, row, c), ',', c == 0);
        if (keep[row])
            pji_str_addc(&text, '\n');
    }
    struct pji_table kept = {.rows = 0};
    if (!rc)
        rc = read_back(&kept, &text, t->name, line, err);
    if (!rc) {
        pji_table_fini(t);
        *t = kept;
    }
    pji_str_fini(&text);
    free(keep);
    free(line);
    return rc;
}

/* ---- the runs ---- */

/* mean of a column over the rows of one run */
static pj_status run_mean(const struct pji_table *t, const struct pji_factor *run, size_t which,
                          size_t col, double *work, double *out, struct pj_error *err)
{
    size_t n = 0;
    for (size_t row = 0; row < t->rows; row++) {
        if (run->code[row] != which)
            continue;
        pj_status rc = pji_table_number(t, row, col, &work[n], err);
        if (rc)
            return rc;
        n++;
    }
    *out = pji_mean(work, n);
    return PJ_OK;
}

/* a text column goes along when all rows of the run agree, else its cell is empty */
static const char *run_label(const struct pji_table *t, const struct pji_factor *run, size_t which,
                             size_t col)
{
    const char *label = NULL;
    for (size_t row = 0; row < t->rows; row++) {
        const char *cell = pji_table_cell(t, row, col);
        if (run->code[row] != which)
            continue;
        if (label && strcmp(label, cell) != 0)
            return "";
        label = cell;
    }
    return label ? label : "";
}

/* is the column a number of the protocol (then it is averaged) or a label? */
static bool averaged(const struct pji_protocol *p, const char *name)
{
    for (size_t c = 0; c < p->columns; c++) {
        if (strcmp(p->column[c].name, name) == 0)
            return p->column[c].number;
    }
    for (size_t d = 0; d < p->n_derived; d++) {
        if (strcmp(p->derived[d].name, name) == 0)
            return p->derived[d].kind != PJI_DERIVE_TEXT;
    }
    return false;
}

static pj_status put_run(const struct pji_protocol *p, const struct pji_table *t,
                         const struct pji_factor *run, size_t which, double *work,
                         struct pji_str *text, struct pj_error *err)
{
    pj_status rc = PJ_OK;
    for (size_t c = 0; !rc && c < t->cols; c++) {
        char number[PJI_NUM_TEXT];
        double mean = 0;
        if (!averaged(p, t->column[c])) {
            pji_csv_add(text, run_label(t, run, which, c), ',', c == 0);
            continue;
        }
        rc = run_mean(t, run, which, c, work, &mean, err);
        pji_num_format(mean, number);
        pji_csv_add(text, number, ',', c == 0);
    }
    pji_str_addc(text, '\n');
    return rc;
}

static pj_status make_runs(struct pji_table *out, const struct pji_protocol *p,
                           const struct pji_table *t, struct pj_error *err)
{
    size_t col = 0;
    struct pji_frame frame = {0};
    struct pji_factor run = {0};
    struct pji_str text = {0};
    double *work = pji_zalloc(t->rows + 1, sizeof *work, err);
    bool *keep = pji_zalloc(t->rows + 1, sizeof *keep, err);
    pj_status rc = work && keep ? pji_table_find(t, p->run, &col, err) : PJ_ENOMEM;
    for (size_t row = 0; !rc && row < t->rows; row++)
        keep[row] = true;
    if (!rc)
        rc = pji_frame_init(&frame, t, keep, err);
    if (!rc)
        rc = pji_frame_factor(&frame, col, NULL, &run, err);
    for (size_t c = 0; c < t->cols; c++)
        pji_csv_add(&text, t->column[c], ',', c == 0);
    pji_str_addc(&text, '\n');
    for (size_t which = 0; !rc && which < run.k; which++)
        rc = put_run(p, t, &run, which, work, &text, err);
    if (!rc)
        rc = read_back(out, &text, t->name, NULL, err);
    free(work);
    free(keep);
    pji_factor_fini(&run);
    pji_frame_fini(&frame);
    pji_str_fini(&text);
    return rc;
}

/* ---- orders of levels ---- */

static bool in_list(const struct pji_level_order *order, const char *level)
{
    for (size_t i = 0; i < order->k; i++) {
        if (strcmp(order->level[i], level) == 0)
            return true;
    }
    return false;
}

/* "G=L,M,H" of the levels that occur: those listed in their order, then the others in theirs */
static pj_status order_levels(const struct pji_table *t, const char *listed, char **out,
                              struct pj_error *err)
{
    struct pji_level_order order;
    struct pji_frame frame = {0};
    struct pji_factor have = {0};
    struct pji_str text = {0};
    size_t col = 0;
    size_t n = 0;
    bool *keep = pji_zalloc(t->rows + 1, sizeof *keep, err);
    pj_status rc = keep ? pji_level_order_parse(&order, listed, err) : PJ_ENOMEM;
    if (rc) {
        free(keep);
        return rc;
    }
    for (size_t row = 0; row < t->rows; row++)
        keep[row] = true;
    rc = pji_table_find(t, order.column, &col, err);
    if (!rc)
        rc = pji_frame_init(&frame, t, keep, err);
    if (!rc)
        rc = pji_frame_factor(&frame, col, NULL, &have, err);
    struct pji_level_order present = {NULL, have.level, have.k};
    pji_str_addf(&text, "%s=", order.column);
    for (size_t i = 0; !rc && i < order.k; i++) {
        if (in_list(&present, order.level[i]))
            pji_str_addf(&text, "%s%s", n++ ? "," : "", order.level[i]);
    }
    for (size_t i = 0; !rc && i < have.k; i++) {
        if (!in_list(&order, have.level[i]))
            pji_str_addf(&text, "%s%s", n++ ? "," : "", have.level[i]);
    }
    if (!rc)
        rc = pji_str_ok(&text, err);
    *out = rc ? NULL : pji_str_take(&text);
    pji_str_fini(&text);
    pji_factor_fini(&have);
    pji_frame_fini(&frame);
    pji_level_order_fini(&order);
    free(keep);
    return rc;
}

pj_status pji_protocol_data_make(struct pji_protocol_data *data,
                                 const struct pji_protocol *protocol, const struct pji_table *table,
                                 struct pj_error *err)
{
    memset(data, 0, sizeof *data);
    pj_status rc = take_columns(&data->rows, protocol, table, &data->comma, err);
    if (!rc)
        rc = keep_rows(protocol, &data->rows, &data->left_out, err);
    if (!rc)
        rc = add_derived(&data->rows, protocol->derived, protocol->n_derived, err);
    if (!rc)
        rc = make_runs(&data->runs, protocol, &data->rows, err);
    if (!rc)
        rc = add_derived(&data->runs, protocol->run_derived, protocol->n_run_derived, err);
    for (size_t i = 0; !rc && i < protocol->n_levels; i++) {
        rc = order_levels(&data->rows, protocol->levels[i], &data->levels[i], err);
        data->n_levels += rc ? 0 : 1;
    }
    if (rc)
        pji_protocol_data_fini(data);
    return rc;
}

void pji_protocol_data_fini(struct pji_protocol_data *data)
{
    for (size_t i = 0; i < data->n_levels; i++)
        free(data->levels[i]);
    pji_table_fini(&data->rows);
    pji_table_fini(&data->runs);
    memset(data, 0, sizeof *data);
}
