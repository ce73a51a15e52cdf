/* report/gnuplot.h - runs gnuplot on scripts that report/picture.c wrote (room-internal). */
#ifndef PJI_REPORT_GNUPLOT_H
#define PJI_REPORT_GNUPLOT_H

#include "core/str.h"

#include <stdint.h>

/* Runs `n` scripts at the same time, one gnuplot each, in the folder `dir`. */
pj_status pji_gnuplot_run(const struct pji_str *scripts, size_t n, const char *dir,
                          struct pj_error *err);

/* Writes the resolution into a PNG (chunk pHYs): viewers and LaTeX then know its size on paper. */
pj_status pji_png_stamp(const char *path, int dpi, struct pj_error *err);
/* Sets the creation date of a PDF to a wall time, UTC. */
pj_status pji_pdf_stamp(const char *path, int64_t wall_ns, struct pj_error *err);

#endif
