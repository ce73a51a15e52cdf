/* analysis/coords.h - what a picture of samples needs as coordinates. Whoever draws computes
 * nothing: every quartile, density, step, line and band comes from here.
 *
 * Quartiles are of type 7 (stats/quantile.h). Whiskers reach to the furthest value within 1.5
 * interquartile ranges of the box (J. W. Tukey 1977, Exploratory Data Analysis). Densities use the
 * Gaussian kernel with bandwidth 0.9 min(sd, IQR/1.34) n^-1/5 (B. W. Silverman 1986, eq. 3.31), by
 * direct summation. Normal plotting positions are (i - a)/(n + 1 - 2a) with a = 3/8 up to ten
 * values and 1/2 beyond (G. Blom 1958); the line goes through both pairs of quartiles.
 */
#ifndef PJI_ANALYSIS_COORDS_H
#define PJI_ANALYSIS_COORDS_H

#include "core/error.h"

#include <stdbool.h>
#include <stddef.h>

/* One group of values as the caller has it; values that are not finite are left out everywhere. */
struct pji_sample {
    const char *label;
    const double *values;
    size_t n;
    bool has_mean; /* draw the mean and, where they are finite, the ends of its interval */
    double mean, lo, hi;
};

struct pji_xy {
    double x, y;
};

/* Points of a curve; the caller frees with pji_path_fini. */
struct pji_path {
    struct pji_xy *points;
    size_t n;
};
void pji_path_fini(struct pji_path *path);

/* The finite values in ascending order (caller frees *out, which is NULL when *n is 0). */
pj_status pji_coords_sorted(const struct pji_sample *sample, double **out, size_t *n,
                            struct pj_error *err);

struct pji_box {
    size_t n; /* 0: nothing else is set */
    double q1, median, q3;
    double whisker_lo, whisker_hi; /* data values */
};
void pji_coords_box(const double *sorted, size_t n, struct pji_box *box);

enum { PJI_DENSITY_POINTS = 128 };
/* Density of ascending values from 3 bandwidths below the lowest to 3 above the highest, or
 * (`trimmed`) between them. An empty path when there are fewer than two different values. */
pj_status pji_coords_density(const double *sorted, size_t n, bool trimmed, struct pji_path *path,
                             struct pj_error *err);

/* Corners of the empirical distribution function, from (lowest, 0) to (highest, 1): horizontal and
 * vertical lines only. */
pj_status pji_coords_ecdf(const double *sorted, size_t n, struct pji_path *path,
                          struct pj_error *err);

/* x: quantiles of the standard normal, y: values; the line as its value at x = lo and x = hi. */
struct pji_qq {
    struct pji_path points;
    bool has_line; /* false below two values */
    struct pji_xy from, to;
};
pj_status pji_coords_qq(const double *sorted, size_t n, struct pji_qq *qq, struct pj_error *err);
void pji_qq_fini(struct pji_qq *qq);

/* Straight line by least squares with the pointwise 95 % interval of the mean response. Pairs that
 * are not finite are left out. n: pairs used. */
struct pji_trend {
    size_t n;
    double intercept, slope;
    struct pji_trend_at {
        double x, y, lo, hi; /* lo, hi NaN where there is no interval (n = 2) */
    } * at;                  /* n_at of them in ascending x */
    size_t n_at;             /* 0: no trend (fewer than two different x) */
};
pj_status pji_coords_trend(const double *x, const double *y, size_t n, struct pji_trend *trend,
                           struct pj_error *err);
void pji_trend_fini(struct pji_trend *trend);

/* on_front[i]: no other point costs no more and is worth no less, being better in one of the two.
 * Points that are not finite are never on the front. */
void pji_coords_front(const double *cost, const double *worth, size_t n, bool *on_front);

#endif
