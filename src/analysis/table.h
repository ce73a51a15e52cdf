/* analysis/table.h - a table of text cells, from CSV or from the export of a study.
 *
 * Every record has as many fields as the header (else PJ_EINVAL with the line). Cells keep their
 * text, blanks around it trimmed; what they mean is decided by who reads them.
 */
#ifndef PJI_ANALYSIS_TABLE_H
#define PJI_ANALYSIS_TABLE_H

#include "core/str.h"

#include <stdbool.h>
#include <stdio.h>

struct pji_table {
    char *name; /* of the file, for messages */
    size_t rows, cols;
    char **column;       /* names */
    size_t *line;        /* of each row in the file, 1-based */
    size_t *offset;      /* of cell (row, col) in text: offset[row * cols + col] */
    struct pji_str text; /* all cells, each ended by a NUL */
    size_t cap_offset, cap_line;
    bool decimal_comma; /* numbers are written with a comma */
};

/* Reads CSV from `file` (borrowed). A header and at least one row; column names must differ. */
pj_status pji_table_read(struct pji_table *table, FILE *file, const char *name, char separator,
                         struct pj_error *err);
void pji_table_fini(struct pji_table *table);

const char *pji_table_cell(const struct pji_table *table, size_t row, size_t col);

/* Index of a column, or PJ_EINVAL with the nearest name. */
pj_status pji_table_find(const struct pji_table *table, const char *name, size_t *col,
                         struct pj_error *err);

/* Empty or NA: there is no value. */
bool pji_table_missing(const char *cell);

/* Does every present cell of the column (among rows where keep is true, or all if NULL) read as a
 * number? A column without any present cell does not. */
bool pji_table_numeric(const struct pji_table *table, size_t col, const bool *keep);

/* The number in a cell; PJ_EINVAL names file, line and column. */
pj_status pji_table_number(const struct pji_table *table, size_t row, size_t col, double *value,
                           struct pj_error *err);

#endif
