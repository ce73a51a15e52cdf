/* report/doc.h - a report as a list of blocks, before it becomes a terminal text, a page or files.
 *
 * One composition (report/compose.c), many renderings: each rendering is a file that walks the
 * blocks. Table cells carry what a person reads and, where it is a number, its full-precision text
 * for CSV. A text or a cell whose numbers come from records names its source: which statistic of
 * which figure over which trials.
 */
#ifndef PJI_REPORT_DOC_H
#define PJI_REPORT_DOC_H

#include "core/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

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

/* Where numbers come from. */
struct pji_source {
    char *statistic; /* key of a definition: "mean", "ratio", "count", … (report/figures.h) */
    char *figure;    /* key of a figure: "j_per_token"; "" when it is about trials themselves */
    char *task;      /* "" for none */
    int64_t *trials; /* ascending order of the plan */
    size_t n_trials;
};

struct pji_cell {
    char *text;    /* for people */
    char *raw;     /* for CSV; NULL: the same as text */
    size_t source; /* 1-based; 0: no number of the records */
};

struct pji_column {
    char *title;
    char *name; /* CSV column name */
    bool right; /* numbers: right-aligned */
};

struct pji_block {
    enum pji_block_kind kind;
    char *id;   /* TABLE, FIGURE: file name without suffix; a text may have one too */
    char *text; /* TABLE: caption */
    size_t source;
    bool page_only;   /* a table for the page and CSV, not for a terminal or a pull request */
    char row_mark[4]; /* a row of the page is named by it and the first cell: "t" gives #t12 */
    struct pji_column *columns;
    size_t n_columns;
    struct pji_cell *cells; /* n_rows * n_columns, row by row */
    size_t n_rows, cap_cells;
    size_t n_cells;
};

struct pji_doc {
    struct pji_block *blocks;
    size_t n, cap;
    struct pji_source *sources;
    size_t n_sources, cap_sources;
    bool no_images;   /* the page names its pictures but holds none */
    size_t source;    /* of what is added next, 0: none */
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

/* Names the last block. */
void pji_doc_name(struct pji_doc *doc, const char *id);
/* What is added from here on comes from these trials, until the next call. */
void pji_doc_source(struct pji_doc *doc, const char *statistic, const char *figure,
                    const char *task, const int64_t *trials, size_t n);
void pji_doc_no_source(struct pji_doc *doc);
/* "mean of j_per_token, task energy, trials 1, 3, 5"; sources are numbered from 1. */
void pji_doc_source_text(const struct pji_doc *doc, size_t source, struct pji_str *out);

/* ---- renderings ---- */

/* For a terminal of `width` columns; colour when the caller's stream is a terminal. */
void pji_doc_text(const struct pji_doc *doc, int width, bool colour, struct pji_str *out);
/* GitHub's Markdown for a pull request; pictures by relative name. */
void pji_doc_markdown(const struct pji_doc *doc, struct pji_str *out);
/* One table for LaTeX with booktabs; a paragraph as text. Every special character is escaped. */
void pji_doc_latex_table(const struct pji_block *table, struct pji_str *out);
void pji_doc_latex_text(const char *text, struct pji_str *out);
/* One self-contained page; figures are read from `dir`/<id>.svg and embedded. */
pj_status pji_doc_html(const struct pji_doc *doc, const char *title, const char *dir,
                       struct pji_str *out, struct pj_error *err);
/* One table as CSV (RFC 4180, CRLF). */
void pji_doc_csv(const struct pji_block *table, struct pji_str *out);

/* Columns that a UTF-8 text takes on a terminal. */
size_t pji_text_width(const char *text);

#endif
