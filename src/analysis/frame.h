/* analysis/frame.h - columns of a table as the statistics take them: numbers and factors.
 *
 * A frame is a set of rows of a table. Levels of a factor that no row has are dropped. Order of
 * levels: as listed by the user (rows of other levels are left out); else, when every level reads
 * as a number, by number, and the levels are named by the number ("2.0" is "2"); else alphabetical
 * without regard to case, lower case first where that is all that differs.
 */
#ifndef PJI_ANALYSIS_FRAME_H
#define PJI_ANALYSIS_FRAME_H

#include "analysis/formula.h"
#include "analysis/table.h"

struct pji_factor {
    char **level;
    size_t k;
    size_t *code; /* of each row of the frame */
};

/* User's orders of levels: --levels 'G=L,M,H'. */
struct pji_level_order {
    char *column;
    char **level;
    size_t k;
};

struct pji_frame {
    const struct pji_table *table;
    size_t *row; /* rows of the table, ascending */
    size_t n;
};

/* The rows for which keep is true. */
pj_status pji_frame_init(struct pji_frame *frame, const struct pji_table *table, const bool *keep,
                         struct pj_error *err);
void pji_frame_fini(struct pji_frame *frame);

/* "G=L,M,H"; the caller frees with pji_level_order_fini. */
pj_status pji_level_order_parse(struct pji_level_order *order, const char *text,
                                struct pj_error *err);
void pji_level_order_fini(struct pji_level_order *order);

/* keep[row] becomes false where a column has no value, or (with an order of its levels) another
 * level than those listed; *left_out counts them. PJ_EINVAL: a listed level occurs nowhere. */
void pji_keep_present(const struct pji_table *table, size_t col, bool *keep, size_t *left_out);
pj_status pji_keep_listed(const struct pji_table *table, size_t col,
                          const struct pji_level_order *order, bool *keep, size_t *left_out,
                          struct pj_error *err);

/* Numbers of a column, transformed; PJ_EINVAL names the cell that is not a number or outside the
 * function's domain. The caller frees. */
pj_status pji_frame_numbers(const struct pji_frame *frame, size_t col, enum pji_function function,
                            double **out, struct pj_error *err);

/* Factor from one column; order may be NULL. */
pj_status pji_frame_factor(const struct pji_frame *frame, size_t col,
                           const struct pji_level_order *order, struct pji_factor *out,
                           struct pj_error *err);
/* Combinations of several columns, levels "a,b", the last column varying fastest. */
pj_status pji_frame_cross(const struct pji_frame *frame, const size_t *cols, size_t n_cols,
                          struct pji_factor *out, struct pj_error *err);
void pji_factor_fini(struct pji_factor *factor);

#endif
