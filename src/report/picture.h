/* report/picture.h - one picture while its script is written (room-internal to the plot files).
 *
 * Lengths are in picture units, of which 640 are the width. A picture has datablocks, then panels;
 * a panel has a frame, axes with their own tics, and a list of things to plot. Every range and tic
 * is written out, so that all formats look the same and labels never run into each other.
 */
#ifndef PJI_REPORT_PICTURE_H
#define PJI_REPORT_PICTURE_H

#include "core/str.h"
#include "report/plot.h"

enum { PJI_PICTURE_WIDTH = 640, PJI_PICTURE_COLOURS = 8 };

struct pji_picture {
    char *id;
    double height;
    double top;          /* what the title takes; the first panel begins below */
    double foot;         /* what the caption takes */
    struct pji_str data; /* datablocks $d0, $d1, … */
    struct pji_str body;
    size_t n_data;
    size_t n_items; /* of the panel's plot command */
    bool many;      /* several panels */
};

struct pji_axis {
    double lo, hi;
    bool log;
    const char *title; /* NULL: none */
    bool no_tics;
};

struct pji_frame {
    double left, right, top, bottom; /* edges in units from the left and from the top */
};

const char *pji_picture_colour(size_t i);
const char *pji_picture_tint(size_t i); /* the same, light, for areas */

/* Starts a picture of a body height (without title, caption); NULL: out of memory. */
struct pji_picture *pji_picture_start(struct pji_plots *plots, const struct pji_plot *plot,
                                      const char *more_caption, double body_height,
                                      struct pj_error *err);
/* Forgets the picture that was started last (its data could not be made). */
void pji_picture_drop(struct pji_plots *plots);
/* The n of groups, said in the caption: call before pji_picture_start. `missing` values are not in
 * the picture. */
void pji_picture_n(struct pji_plots *plots, const size_t *n, size_t groups, size_t missing);

/* ---- datablocks ---- */
size_t pji_picture_data(struct pji_picture *p); /* the number of the new block */
void pji_picture_row(struct pji_picture *p, const double *values, size_t n);
void pji_picture_blank(struct pji_picture *p); /* an empty line: a new piece */
void pji_picture_data_end(struct pji_picture *p);
/* A path as a block. */
size_t pji_picture_path(struct pji_picture *p, const struct pji_xy *points, size_t n);

/* ---- panels ---- */
void pji_picture_panel(struct pji_picture *p, const struct pji_frame *frame,
                       const struct pji_axis *x, const struct pji_axis *y);
/* Groups along the y axis, the first on top at y = n. */
struct pji_names {
    size_t columns, max_lines;
    int font;
    double left;      /* where the axis stands */
    double line, row; /* units of a line and of a row */
};
void pji_picture_rows(struct pji_picture *p, const char *const *labels, size_t n,
                      const struct pji_names *names);
void pji_picture_grid(struct pji_picture *p, bool x, bool y);
/* A text in the panel's own coordinates: x,y as gnuplot writes them ("first 3, graph 1"). */
void pji_picture_label(struct pji_picture *p, const char *text, const char *how);
void pji_picture_plot(struct pji_picture *p, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* " title '…'" for the item just added. */
void pji_picture_title(struct pji_picture *p, const char *text);
void pji_picture_panel_end(struct pji_picture *p);
void pji_picture_end(struct pji_picture *p);

/* ---- texts ---- */
void pji_picture_quote(struct pji_str *out, const char *text); /* as a gnuplot expression */
/* Breaks a text into lines of at most `columns`, at blanks where it can, and cuts what is longer
 * than `max_lines` with "…". Appends; the number of lines. */
size_t pji_picture_wrap(struct pji_str *out, const char *text, size_t columns, size_t max_lines);

/* ---- ranges ---- */
struct pji_span {
    double lo, hi;
    bool any;
    bool positive; /* every value so far was > 0 */
};
void pji_span_init(struct pji_span *span);
void pji_span_add(struct pji_span *span, double value); /* not finite: ignored */
/* A little wider than the values; from 0 where they are near it and not negative. */
/* Units that the tics and the title of a y axis take. */
double pji_axis_room(const struct pji_axis *axis, double length);
void pji_span_axis(const struct pji_span *span, bool log, struct pji_axis *axis);

#endif
