#include "analysis/table.h"

#include "core/array.h"
#include "core/csv.h"
#include "core/num.h"

#include <stdlib.h>
#include <string.h>

static bool blank(char c)
{
    return c == ' ' || c == '\t';
}

/* appends the trimmed text and its NUL; returns where it starts */
static size_t keep(struct pji_table *t, const char *text, size_t len)
{
    while (len > 0 && blank(text[0])) {
        text++;
        len--;
    }
    while (len > 0 && blank(text[len - 1]))
        len--;
    size_t at = t->text.len;
    pji_str_addn(&t->text, text, len);
    pji_str_addn(&t->text, "", 1);
    return at;
}

static pj_status take_header(struct pji_table *t, const struct pji_csv_row *row,
                             struct pj_error *err)
{
    t->cols = row->n;
    t->column = pji_zalloc(row->n + 1, sizeof *t->column, err);
    if (!t->column)
        return PJ_ENOMEM;
    for (size_t c = 0; c < row->n; c++) {
        t->column[c] = pji_dupn(row->fields[c], row->lens[c], err);
        if (!t->column[c])
            return PJ_ENOMEM;
        for (size_t b = 0; b < c; b++) {
            if (strcmp(t->column[b], t->column[c]) == 0)
                return pji_fail(err, PJ_EINVAL, "%s: two columns are named '%s'", t->name,
                                t->column[c]);
        }
    }
    return PJ_OK;
}

static pj_status take_row(struct pji_table *t, const struct pji_csv_row *row, struct pj_error *err)
{
    if (row->n == 1 && row->lens[0] == 0)
        return PJ_OK; /* an empty line */
    if (row->n != t->cols)
        return pji_fail(err, PJ_EINVAL, "%s:%zu: %zu fields where the header has %zu", t->name,
                        row->line, row->n, t->cols);
    pj_status rc = pji_array_reserve(&t->offset, &t->cap_offset, (t->rows + 1) * t->cols,
                                     sizeof *t->offset, err);
    if (!rc)
        rc = pji_array_reserve(&t->line, &t->cap_line, t->rows + 1, sizeof *t->line, err);
    if (rc)
        return rc;
    for (size_t c = 0; c < t->cols; c++)
        t->offset[t->rows * t->cols + c] = keep(t, row->fields[c], row->lens[c]);
    t->line[t->rows++] = row->line;
    return pji_str_ok(&t->text, err);
}

pj_status pji_table_read(struct pji_table *table, FILE *file, const char *name, char separator,
                         struct pj_error *err)
{
    struct pji_csv *csv = NULL;
    struct pji_csv_row row;
    memset(table, 0, sizeof *table);
    table->name = pji_dup(name, err);
    pj_status rc = table->name ? pji_csv_open(&csv, file, name, separator, err) : PJ_ENOMEM;
    if (!rc)
        rc = pji_csv_read(csv, &row, err);
    if (rc == PJI_CSV_END)
        rc = pji_fail(err, PJ_EINVAL, "%s: the table is empty, it needs a header", name);
    if (!rc)
        rc = take_header(table, &row, err);
    while (!rc) {
        rc = pji_csv_read(csv, &row, err);
        if (!rc)
            rc = take_row(table, &row, err);
    }
    if (rc == PJI_CSV_END)
        rc = table->rows > 0
                 ? PJ_OK
                 : pji_fail(err, PJ_EINVAL, "%s: the table has a header and no row", name);
    pji_csv_close(csv);
    if (rc)
        pji_table_fini(table);
    return rc;
}

void pji_table_fini(struct pji_table *table)
{
    for (size_t c = 0; table->column && c < table->cols; c++)
        free(table->column[c]);
    free(table->column);
    free(table->name);
    free(table->line);
    free(table->offset);
    pji_str_fini(&table->text);
    memset(table, 0, sizeof *table);
}

const char *pji_table_cell(const struct pji_table *table, size_t row, size_t col)
{
    return table->text.text + table->offset[row * table->cols + col];
}

pj_status pji_table_find(const struct pji_table *table, const char *name, size_t *col,
                         struct pj_error *err)
{
    for (size_t c = 0; c < table->cols; c++) {
        if (strcmp(table->column[c], name) == 0) {
            *col = c;
            return PJ_OK;
        }
    }
    const char **names = pji_zalloc(table->cols + 1, sizeof *names, err);
    if (!names)
        return PJ_ENOMEM;
    for (size_t c = 0; c < table->cols; c++)
        names[c] = table->column[c];
    const char *nearest = pji_str_nearest(name, names);
    free(names);
    if (nearest)
        return pji_fail(err, PJ_EINVAL, "%s has no column '%s', did you mean '%s'?", table->name,
                        name, nearest);
    return pji_fail(err, PJ_EINVAL, "%s has no column '%s'", table->name, name);
}

bool pji_table_missing(const char *cell)
{
    return cell[0] == '\0' || strcmp(cell, "NA") == 0;
}

static pj_status number(const struct pji_table *t, const char *cell, double *value,
                        struct pj_error *err)
{
    return t->decimal_comma ? pji_num_parse_comma(cell, strlen(cell), value, err)
                            : pji_num_parse(cell, strlen(cell), value, err);
}

bool pji_table_numeric(const struct pji_table *table, size_t col, const bool *keep_row)
{
    bool any = false;
    for (size_t r = 0; r < table->rows; r++) {
        const char *cell = pji_table_cell(table, r, col);
        double value;
        if ((keep_row && !keep_row[r]) || pji_table_missing(cell))
            continue;
        if (number(table, cell, &value, NULL))
            return false;
        any = true;
    }
    return any;
}

pj_status pji_table_number(const struct pji_table *table, size_t row, size_t col, double *value,
                           struct pj_error *err)
{
    pj_status rc = number(table, pji_table_cell(table, row, col), value, err);
    if (rc)
        pji_error_prefix(err, "%s:%zu, column '%s'", table->name, table->line[row],
                         table->column[col]);
    return rc;
}
