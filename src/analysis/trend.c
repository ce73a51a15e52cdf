/* analysis/trend.c - a straight line through points with the interval of its mean response:
 * y(x) ± t(0.975; n - 2) s sqrt(1/n + (x - mean)^2 / Sxx) (N. R. Draper and H. Smith 1998, Applied
 * Regression Analysis, 3.1).
 */
#include "analysis/coords.h"

#include "core/array.h"
#include "stats/moments.h"
#include "stats/student.h"

#include <math.h>
#include <stdlib.h>

enum { GRID = 61 };

struct sums {
    size_t n;
    double mean_x, mean_y, sxx, sxy, rss;
    double from, to;
};

/* The finite pairs, moved together; their number. */
static size_t compact(const double *x, const double *y, size_t n, double *kept_x, double *kept_y)
{
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        if (!isfinite(x[i]) || !isfinite(y[i]))
            continue;
        kept_x[kept] = x[i];
        kept_y[kept++] = y[i];
    }
    return kept;
}

static void sum_up(struct sums *s, const double *x, const double *y, size_t n)
{
    *s = (struct sums){.n = n};
    if (n == 0)
        return;
    s->mean_x = pji_mean(x, n);
    s->mean_y = pji_mean(y, n);
    s->from = s->to = x[0];
    for (size_t i = 0; i < n; i++) {
        s->sxx += (x[i] - s->mean_x) * (x[i] - s->mean_x);
        s->sxy += (x[i] - s->mean_x) * (y[i] - s->mean_y);
        s->from = fmin(s->from, x[i]);
        s->to = fmax(s->to, x[i]);
    }
    double slope = s->sxx > 0 ? s->sxy / s->sxx : 0;
    for (size_t i = 0; i < n; i++) {
        double residual = y[i] - s->mean_y - slope * (x[i] - s->mean_x);
        s->rss += residual * residual;
    }
}

static pj_status lay_out(struct pji_trend *trend, const struct sums *s, struct pj_error *err)
{
    trend->at = pji_zalloc(GRID, sizeof *trend->at, err);
    if (trend->at == NULL)
        return PJ_ENOMEM;
    trend->n_at = GRID;
    double df = (double)s->n - 2;
    double k = df > 0 ? pji_t_quantile(0.975, df) * sqrt(s->rss / df) : (double)NAN;
    for (size_t i = 0; i < GRID; i++) {
        double x = s->from + (s->to - s->from) * (double)i / (GRID - 1);
        double y = s->mean_y + trend->slope * (x - s->mean_x);
        double half = k * sqrt(1 / (double)s->n + (x - s->mean_x) * (x - s->mean_x) / s->sxx);
        trend->at[i] = (struct pji_trend_at){x, y, y - half, y + half};
    }
    return PJ_OK;
}

pj_status pji_coords_trend(const double *x, const double *y, size_t n, struct pji_trend *trend,
                           struct pj_error *err)
{
    struct sums s;
    *trend = (struct pji_trend){0};
    double *kept = pji_zalloc(2 * n + 1, sizeof *kept, err);
    if (kept == NULL)
        return PJ_ENOMEM;
    pj_status status = PJ_OK;
    trend->n = compact(x, y, n, kept, kept + n);
    sum_up(&s, kept, kept + n, trend->n);
    if (s.to > s.from && s.sxx > 0) {
        trend->slope = s.sxy / s.sxx;
        trend->intercept = s.mean_y - trend->slope * s.mean_x;
        status = lay_out(trend, &s, err);
    }
    free(kept);
    return status;
}

void pji_trend_fini(struct pji_trend *trend)
{
    free(trend->at);
    *trend = (struct pji_trend){0};
}
