/* report/groups.h - samples made ready to draw, and rows of groups (room-internal to the plot
 * files).
 */
#ifndef PJI_REPORT_GROUPS_H
#define PJI_REPORT_GROUPS_H

#include "report/picture.h"

struct pji_ready {
    size_t n;            /* groups */
    double **values;     /* ascending and finite, of each group */
    size_t *counts;      /* how many */
    const char **labels; /* borrowed */
    struct pji_span span;
    size_t missing;
};

/* Sorts every sample and says their n in the caption of the next picture. PJ_EINVAL without any
 * value. */
pj_status pji_ready_make(struct pji_ready *ready, struct pji_plots *plots,
                         const struct pji_plot *plot, const struct pji_sample *groups, size_t n,
                         struct pj_error *err);
void pji_ready_fini(struct pji_ready *ready);

/* How groups stand below each other: letters, lines and height by their number and names. */
struct pji_rows {
    size_t n, columns, max_lines;
    int font;
    double left; /* units for the names */
    double row;  /* units of one row */
    double body; /* of all rows with the axis below */
};
void pji_rows_plan(struct pji_rows *rows, const char *const *labels, size_t n);
/* The panel of the rows: values along x, names on the left, "n = …" on the right (n NULL: none). */
void pji_rows_panel(struct pji_picture *p, const struct pji_rows *rows, const struct pji_axis *x,
                    const char *const *labels, const size_t *counts, double above);

/* The key above the panels, in as many lines as it needs. */
enum pji_key_style { PJI_KEY_BOX, PJI_KEY_TINT, PJI_KEY_LINE, PJI_KEY_POINT };
double pji_key_height(const char *const *labels, size_t n);
void pji_key_put(struct pji_picture *p, const char *const *labels, size_t n,
                 enum pji_key_style style);
int pji_key_shape(size_t i); /* gnuplot's point type of the i-th series */
int pji_key_dash(size_t i);  /* and its dash type */

/* Small panels of one size, row by row. */
struct pji_grid {
    size_t n, columns;
    double width, height; /* of one with its name and tics */
    double name;          /* of the name above */
    size_t letters, lines;
    int font;
    double body; /* of all with the title of the x axis */
};
void pji_grid_plan(struct pji_grid *grid, const char *const *labels, size_t n);
/* Titles of the axes around all panels. */
void pji_grid_titles(struct pji_picture *p, const struct pji_grid *grid, const char *x,
                     const char *y);
void pji_grid_panel(struct pji_picture *p, const struct pji_grid *grid, size_t i, const char *label,
                    const struct pji_axis *x, const struct pji_axis *y);

size_t pji_text_letters(const char *text);

#endif
