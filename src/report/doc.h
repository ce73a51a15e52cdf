/* report/doc.h - a report as a list of blocks, before it becomes a terminal text, a page or files.
 *
 * One composition (report/compose.c), many renderings: each rendering is a file that walks the
 * blocks. Table cells carry what a person reads and, where it is a number, its full-precision text
 * for CSV.
 */
#ifndef PJI_REPORT_DOC_H
#define PJI_REPORT_DOC_H

#include "core/str.h"

#include <stdbool.h>
#include <stddef.h>

enum pji_block_kind {
    PJI_BLOCK_TITLE,     /* text */
    PJI_BLOCK_HEADING,   /* text */
    PJI_BLOCK_LEAD,      /* text: the answer */
    PJI_BLOCK_PARAGRAPH, /* text */
    PJI_BLOCK_WARNING,   /* text: what forbids or weakens a conclusion */
    PJI_BLOCK_TABLE,
    PJI_BLOCK_DATA,   /* a table for CSV alone */
    PJI_BLOCK_FIGURE, /* id: file name without suffix; text: caption */
    PJI_BLOCK_CODE    /* text: a command to type */
};

struct pji_cell {
    char *text; /* for people */
    char *raw;  /* for CSV; NULL: the same as text */
};

struct pji_column {
    char *title;
    char *name; /* CSV column name */
    bool right; /* numbers: right-aligned */
};

struct pji_block {
    enum pji_block_kind kind;
    char *id;   /* TABLE, FIGURE: file name without suffix */
    char *text; /* TABLE: caption */
    struct pji_column *columns;
    size_t n_columns;
    struct pji_cell *cells; /* n_rows * n_columns, row by row */
    size_t n_rows, cap_cells;
    size_t n_cells;
};

struct pji_doc {
    struct pji_block *blocks;
    size_t n, cap;
    pj_status status; /* sticky: PJ_ENOMEM after a failed addition */
};

void pji_doc_fini(struct pji_doc *doc);
/* Adds a text block; format as printf. */
void pji_doc_add(struct pji_doc *doc, enum pji_block_kind kind, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void pji_doc_figure(struct pji_doc *doc, const char *id, const char *caption);
/* Starts a table; then columns, then cells row by row go to the last block. */
void pji_doc_table(struct pji_doc *doc, const char *id, const char *caption);
/* The same for a table that only becomes CSV. */
void pji_doc_data(struct pji_doc *doc, const char *id);
void pji_doc_column(struct pji_doc *doc, const char *title, const char *name, bool right);
void pji_doc_cell(struct pji_doc *doc, const char *text);
void pji_doc_cellf(struct pji_doc *doc, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* A number for people with `digits` significant digits, in full for CSV; NaN: a dash and nothing.
 */
void pji_doc_num(struct pji_doc *doc, double value, int digits);

/* ---- renderings ---- */

/* For a terminal of `width` columns; colour when the caller's stream is a terminal. */
void pji_doc_text(const struct pji_doc *doc, int width, bool colour, struct pji_str *out);
/* One self-contained page; figures are read from `dir`/<id>.svg and embedded. */
pj_status pji_doc_html(const struct pji_doc *doc, const char *title, const char *dir,
                       struct pji_str *out, struct pj_error *err);
/* One table as CSV (RFC 4180, CRLF). */
void pji_doc_csv(const struct pji_block *table, struct pji_str *out);

/* Columns that a UTF-8 text takes on a terminal. */
size_t pji_text_width(const char *text);

#endif
