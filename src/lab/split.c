/* lab/split.c - see split.h. P is the power of the parts in J/s, steps have energies E_k and
 * lengths T_k and hold t_kj of part j.
 *
 * With weights 1/T the normal equations keep the sum of the steps' energies, since the times add up
 * to T. The instrument's lag is known to edge_u_ns only, and a counter's value is up to its refresh
 * old: both move all cuts alike, so the split is averaged over that delay d, weighted by the prior
 * times the likelihood RSS(d)^(-n/2), n less what the residuals' autocorrelation takes.
 */
#include "lab/split.h"

#include "core/array.h"
#include "core/units.h"
#include "lab/steps.h"
#include "stats/hac.h"
#include "stats/student.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OUT = PJI_STAGE_OTHER, LEAST_STEPS = 12, COARSE = 25, MOST_LAGS = 400 };

#define SURGE_S 0.005

/* Prefill or decode whose standard uncertainty is more than this share of it is not told. */
#define MOST_U_SHARE 0.5

struct split {
    const struct pji_series *series;
    const struct pji_spans *spans;
    const struct pj_energy *whole;
    struct pji_steps steps; /* behind them the hints' energies and weights */
    size_t hints;
    struct pji_matrix x; /* times of the parts that occur, s; rows of the steps, hints */
    enum pji_stage part[PJI_STAGES + 1]; /* of each column */
    size_t p;
};

/* ---- times of the parts in the steps ---- */

/* By how much the readings show a cut later than it was: at first tokens, and at all others. */
struct delay {
    int64_t first_ns, other_ns;
};

/* Where tile i begins in the readings; n: the window's end. The window itself stays, and its first
 * and last tile reach to its edges. */
static int64_t tile_ns(const struct pji_spans *spans, size_t i, struct delay delay)
{
    if (i == 0)
        return spans->start_ns;
    if (i >= spans->n)
        return spans->end_ns;
    bool first = spans->tiles[i].part == PJI_STAGE_DECODE;
    int64_t t_ns = spans->tiles[i].start_ns + (first ? delay.first_ns : delay.other_ns);
    t_ns = t_ns > spans->start_ns ? t_ns : spans->start_ns;
    return t_ns < spans->end_ns ? t_ns : spans->end_ns;
}

static size_t column_of(const struct split *s, enum pji_stage part)
{
    size_t j = 0;
    while (j < s->p && s->part[j] != part)
        j++;
    return j;
}

/* Of tile i; one that lasts no time has none of its own, but a delay of its neighbours may give it
 * some in the readings: that is the next tile's, or at the end the last one's. */
static size_t column_at(const struct split *s, size_t i)
{
    size_t j = s->p;
    for (size_t k = i; k < s->spans->n && j == s->p; k++)
        j = column_of(s, s->spans->tiles[k].part);
    for (size_t k = i; k-- > 0 && j == s->p;)
        j = column_of(s, s->spans->tiles[k].part);
    return j;
}

static void fill_times(struct split *s, struct delay delay)
{
    const struct pji_steps *steps = &s->steps;
    memset(s->x.x, 0, s->x.rows * s->x.cols * sizeof *s->x.x);
    int64_t from_ns = s->spans->start_ns;
    size_t k = 0;
    for (size_t i = 0; i < s->spans->n; i++) {
        int64_t to_ns = tile_ns(s->spans, i + 1, delay);
        size_t j = column_at(s, i);
        while (from_ns < to_ns && k < steps->n) {
            int64_t end_ns = steps->t_ns[k + 1] < to_ns ? steps->t_ns[k + 1] : to_ns;
            *pji_matrix_at(&s->x, k, j) += pji_s_from_ns(end_ns - from_ns);
            from_ns = end_ns;
            k += end_ns == steps->t_ns[k + 1] ? 1 : 0;
        }
    }
    for (size_t j = 0, h = 0; j < s->p && h < s->hints; j++) {
        if (s->part[j] >= PJI_STAGE_REST)
            *pji_matrix_at(&s->x, steps->n + h++, j) = 1;
    }
}

static void find_columns(struct split *s)
{
    for (enum pji_stage part = 0; part < PJI_STAGES; part++) {
        bool occurs = false;
        for (size_t i = 0; i < s->spans->n; i++)
            occurs = occurs || (s->spans->tiles[i].part == part &&
                                tile_ns(s->spans, i + 1, (struct delay){0}) >
                                    tile_ns(s->spans, i, (struct delay){0}));
        if (occurs)
            s->part[s->p++] = part;
    }
}

/* ---- the split ---- */

static size_t out_of(enum pji_stage part)
{
    return part < PJI_STAGE_OTHER ? (size_t)part : (size_t)PJI_STAGE_REST;
}

/* Powers that no estimate may leave: between nothing and twice the highest step. */
static void bound(const struct split *s, const double *beta, double *power_w)
{
    double most_w = 0;
    for (size_t k = 0; k < s->steps.n; k++)
        most_w = fmax(most_w, s->steps.energy_j[k] * s->steps.weight[k]);
    for (size_t j = 0; j < s->p; j++)
        power_w[j] = fmin(fmax(beta[j], 0), 2 * most_w);
}

static void share(const struct split *s, const double *power_w, double energy_j[OUT])
{
    memset(energy_j, 0, OUT * sizeof *energy_j);
    for (size_t k = 0; k < s->steps.n; k++) {
        double sum_j = 0;
        for (size_t j = 0; j < s->p; j++)
            sum_j += power_w[j] * pji_matrix_get(&s->x, k, j);
        for (size_t j = 0; j < s->p; j++) {
            double t_s = pji_matrix_get(&s->x, k, j);
            double by = sum_j > 0 ? power_w[j] * t_s / sum_j : t_s / pji_step_s(&s->steps, k);
            energy_j[out_of(s->part[j])] += by * s->steps.energy_j[k];
        }
    }
}

static pj_status guess_at(struct split *s, struct delay delay, size_t lags, double energy_j[OUT],
                          struct pji_hac *fit, struct pj_error *err)
{
    double power_w[PJI_STAGES];
    fill_times(s, delay);
    pj_status status = pji_hac_fit(fit, &s->x, s->steps.energy_j, s->steps.weight, lags, err);
    if (status != PJ_OK)
        return status;
    bound(s, fit->beta, power_w);
    share(s, power_w, energy_j);
    return PJ_OK;
}

/* Between requests there is often next to no time, and nothing would hold the power of it: it is
 * taken to be that of the window, give or take all of it. */
static pj_status add_hints(struct split *s, struct pj_error *err)
{
    struct pji_hac fit;
    struct pji_matrix x = {0};
    double mean_w = s->whole->value_j / pji_s_from_ns(s->spans->end_ns - s->spans->start_ns);
    size_t hints = 0;
    for (size_t j = 0; j < s->p; j++)
        hints += s->part[j] >= PJI_STAGE_REST ? 1 : 0;
    if (hints == 0 || !(mean_w > 0))
        return PJ_OK;
    fill_times(s, (struct delay){0});
    pj_status status = pji_hac_fit(&fit, &s->x, s->steps.energy_j, s->steps.weight, 0, err);
    if (status != PJ_OK)
        return status;
    for (size_t h = 0; h < hints; h++) {
        s->steps.energy_j[s->steps.n + h] = mean_w;
        s->steps.weight[s->steps.n + h] = fit.sigma * fit.sigma / (mean_w * mean_w) + 1e-12;
    }
    pji_hac_fini(&fit);
    status = pji_matrix_init(&x, s->steps.n + hints, s->p, err);
    if (status != PJ_OK)
        return status;
    pji_matrix_fini(&s->x);
    s->x = x;
    s->hints = hints;
    return PJ_OK;
}

/* ---- the delay ---- */

struct prior {
    double middle_ns, u_ns; /* k = 1 */
};

static double typical_phase_ns(const struct split *s)
{
    const struct pji_series *series = s->series;
    size_t first = pji_point_after(series, s->spans->start_ns), n = 0;
    double sum = 0;
    if (series->channel.kind == PJI_GAUGE)
        return series->channel.lag_ns > 0
                   ? 0
                   : (double)(s->spans->end_ns - s->spans->start_ns) / (double)s->steps.n;
    for (size_t k = first; k < series->n && series->points[k].t_ns < s->spans->end_ns; k++, n++)
        sum += (double)series->points[k].phase_ns;
    return n > 0 ? sum / (double)n : 0;
}

/* A value is up to `phase` old, uniformly; lag_ns has corrected for the mean of it or has not. */
static struct prior prior_of(const struct split *s)
{
    const struct pji_channel *c = &s->series->channel;
    double phase_ns = typical_phase_ns(s), edge_ns = (double)c->edge_u_ns;
    return (struct prior){.middle_ns = (double)c->lag_ns < phase_ns / 2 ? phase_ns / 2 : 0,
                          .u_ns = sqrt(edge_ns * edge_ns + phase_ns * phase_ns / 12)};
}

/* Which delays are tried: of both kinds of cuts, or of one while the other stays. */
enum moved { BOTH, FIRST, OTHERS };

struct search {
    struct prior prior;
    double middle_ns, half_ns; /* from middle - half to middle + half */
    size_t n;                  /* at most COARSE */
    enum moved moved;
    struct delay still; /* of what does not move */
    size_t lags;
};

struct average {
    double mean_j[OUT], u_j[OUT];  /* over the delays, weighted */
    double best_ns, mean_ns, u_ns; /* of the delay itself, k = 1 */
};

struct guess {
    double delay_ns, log_weight, rss;
    double energy_j[OUT];
};

static void average(struct average *a, const struct guess *guesses, size_t n)
{
    double most = -(double)INFINITY, sum = 0, square_ns = 0;
    *a = (struct average){0};
    for (size_t i = 0; i < n; i++) {
        if (guesses[i].log_weight > most) {
            most = guesses[i].log_weight;
            a->best_ns = guesses[i].delay_ns;
        }
    }
    for (size_t i = 0; i < n; i++) {
        double w = exp(guesses[i].log_weight - most), t = guesses[i].delay_ns;
        sum += w;
        a->mean_ns += w * t;
        square_ns += w * t * t;
        for (size_t j = 0; j < OUT; j++) {
            a->mean_j[j] += w * guesses[i].energy_j[j];
            a->u_j[j] += w * guesses[i].energy_j[j] * guesses[i].energy_j[j];
        }
    }
    a->mean_ns /= sum;
    a->u_ns = sqrt(fmax(square_ns / sum - a->mean_ns * a->mean_ns, 0));
    for (size_t j = 0; j < OUT; j++) {
        a->mean_j[j] /= sum;
        a->u_j[j] = sqrt(fmax(a->u_j[j] / sum - a->mean_j[j] * a->mean_j[j], 0));
    }
}

static struct delay moved(const struct search *by, double delay_ns)
{
    struct delay delay = by->still;
    if (by->moved != OTHERS)
        delay.first_ns = (int64_t)delay_ns;
    if (by->moved != FIRST)
        delay.other_ns = (int64_t)delay_ns;
    return delay;
}

static pj_status try_delays(struct split *s, const struct search *by, struct average *out,
                            struct pj_error *err)
{
    struct guess guesses[COARSE];
    double least = (double)INFINITY, effective = 1;
    pj_status last = PJ_OK;
    for (size_t i = 0; i < by->n; i++) {
        struct pji_hac fit;
        struct guess *g = &guesses[i];
        double x = by->n > 1 ? 2.0 * (double)i / (double)(by->n - 1) - 1 : 0;
        *g = (struct guess){.delay_ns = by->middle_ns + by->half_ns * x};
        pj_status status = guess_at(s, moved(by, g->delay_ns), 0, g->energy_j, &fit, err);
        g->rss = (double)INFINITY;
        if (status < 0)
            return status;
        if (status > 0) { /* a part does not occur any more */
            last = status;
            continue;
        }
        g->rss = fit.rss;
        if (fit.rss < least) {
            least = fit.rss;
            effective = (double)s->steps.n / pji_inflation(fit.residual, s->steps.n, by->lags);
        }
        pji_hac_fini(&fit);
    }
    if (isinf(least))
        return last;
    for (size_t i = 0; i < by->n; i++) {
        double z = (guesses[i].delay_ns - by->prior.middle_ns) / fmax(by->prior.u_ns, 1);
        double rise = least > 0 ? log(guesses[i].rss / least) : 0;
        guesses[i].log_weight = -z * z / 2 - effective / 2 * rise;
    }
    average(out, guesses, by->n);
    return PJ_OK;
}

/* The delay that fits first tokens best, and the one that fits the other cuts. A ramp at the
 * beginning of prefill, or a first token that travels, cannot be told from the instrument's lag:
 * the common delay may be either one's, or any between. */
static pj_status find_range(struct split *s, struct search by, double *low_ns, double *high_ns,
                            struct pj_error *err)
{
    struct average first = {0}, others = {0};
    by.moved = FIRST;
    pj_status status = try_delays(s, &by, &first, err);
    by.moved = OTHERS;
    if (status == PJ_OK)
        status = try_delays(s, &by, &others, err);
    if (status == PJ_OK) {
        *low_ns = fmin(first.mean_ns, others.mean_ns);
        *high_ns = fmax(first.mean_ns, others.mean_ns);
    }
    return status;
}

struct bounds {
    double low_j[OUT], high_j[OUT];
};

/* What a step of several parts has more or less than their mean powers give was shared like the
 * rest of it, but may be any one's: a ramp, a surge. It is alike in all requests, so it is added up
 * before it is bounded, apart for steps with a first token and for others. */
static void widen(const struct split *s, const struct pji_hac *fit, const double energy_j[OUT],
                  struct bounds *bounds)
{
    double power_w[PJI_STAGES], all_j[2][OUT] = {{0}}, none_j[2][OUT] = {{0}};
    bound(s, fit->beta, power_w);
    for (size_t k = 0; k < s->steps.n; k++) {
        double part_j[OUT] = {0}, sum_j = 0;
        for (size_t j = 0; j < s->p; j++)
            part_j[out_of(s->part[j])] += power_w[j] * pji_matrix_get(&s->x, k, j);
        for (size_t o = 0; o < OUT; o++)
            sum_j += part_j[o];
        bool first = part_j[PJI_STAGE_PREFILL] > 0 && part_j[PJI_STAGE_DECODE] > 0;
        for (size_t o = 0; o < OUT && sum_j > 0; o++) {
            double by = part_j[o] / sum_j;
            all_j[first][o] += by > 0 ? fit->residual[k] * (1 - by) : 0;
            none_j[first][o] -= by < 1 ? fit->residual[k] * by : 0;
        }
    }
    for (size_t o = 0; o < OUT; o++) {
        double low_j = energy_j[o], high_j = energy_j[o];
        for (size_t f = 0; f < 2; f++) {
            low_j += fmin(fmin(all_j[f][o], none_j[f][o]), 0);
            high_j += fmax(fmax(all_j[f][o], none_j[f][o]), 0);
        }
        bounds->low_j[o] = fmin(bounds->low_j[o], low_j);
        bounds->high_j[o] = fmax(bounds->high_j[o], high_j);
    }
}

/* Energy that each prefill has more or less than its time at the mean power, as a column of its
 * own, taken to be none, give or take SURGE_S at the window's power: a ramp that short prompts
 * hardly get over. Without it a time that is as often as requests, such as that between them, takes
 * it up. */
static pj_status add_surges(const struct split *s, struct split *with, const unsigned char *sends,
                            struct pj_error *err)
{
    size_t rows = s->steps.n + s->hints;
    double mean_w = s->whole->value_j / pji_s_from_ns(s->spans->end_ns - s->spans->start_ns);
    struct pji_hac fit = {0};
    *with = *s;
    with->x = (struct pji_matrix){0};
    if (!(mean_w > 0))
        return PJI_STATS_FEW;
    pj_status status = pji_hac_fit(&fit, &s->x, s->steps.energy_j, s->steps.weight, 0, err);
    if (status != PJ_OK)
        return status;
    double sigma2 = fit.sigma * fit.sigma;
    pji_hac_fini(&fit);
    status = pji_matrix_init(&with->x, rows + 1, s->p + 1, err);
    if (status != PJ_OK)
        return status;
    for (size_t k = 0; k < rows; k++)
        for (size_t j = 0; j < s->p; j++)
            *pji_matrix_at(&with->x, k, j) = pji_matrix_get(&s->x, k, j);
    for (size_t k = 0; k < s->steps.n; k++)
        *pji_matrix_at(&with->x, k, s->p) = SURGE_S * sends[k];
    *pji_matrix_at(&with->x, rows, s->p) = 1;
    with->steps.energy_j[rows] = 0;
    with->steps.weight[rows] = sigma2 / (mean_w * mean_w) + 1e-12;
    with->part[with->p++] = PJI_STAGE_PREFILL;
    return PJ_OK;
}

static pj_status widen_by_surges(struct split *s, struct delay delay, unsigned char *sends,
                                 struct bounds *bounds, struct pj_error *err)
{
    struct pji_hac fit = {0};
    struct split with;
    double energy_j[OUT], power_w[PJI_STAGES + 1];
    size_t k = 0;
    memset(sends, 0, s->steps.n);
    for (size_t i = 0; i < s->spans->n; i++) {
        int64_t t_ns = tile_ns(s->spans, i, delay);
        while (k + 1 < s->steps.n && s->steps.t_ns[k + 1] <= t_ns)
            k++;
        if (s->spans->tiles[i].part == PJI_STAGE_PREFILL && sends[k] < UCHAR_MAX)
            sends[k]++;
    }
    fill_times(s, delay);
    pj_status status = add_surges(s, &with, sends, err);
    if (status == PJ_OK) {
        status = pji_hac_fit(&fit, &with.x, with.steps.energy_j, with.steps.weight, 0, err);
        if (status == PJ_OK) {
            bound(s, fit.beta, power_w);
            power_w[s->p] = fit.beta[s->p];
            share(&with, power_w, energy_j);
            for (size_t o = 0; o < OUT; o++) {
                bounds->low_j[o] = fmin(bounds->low_j[o], energy_j[o]);
                bounds->high_j[o] = fmax(bounds->high_j[o], energy_j[o]);
            }
        }
        pji_hac_fini(&fit);
    }
    pji_matrix_fini(&with.x);
    return status < 0 ? status : PJ_OK;
}

/* Adds to u what lies between the bounds over the delays from low_ns to high_ns. Where the power
 * has a course of its own the truth is at a bound rather than in the middle: half the squared
 * distance, not a third. */
static pj_status add_bounds(struct split *s, double low_ns, double high_ns, struct average *out,
                            struct pj_error *err)
{
    const double delays_ns[] = {low_ns, out->best_ns, high_ns};
    struct bounds bounds;
    unsigned char *sends = pji_zalloc(s->steps.n + 1, 1, err);
    pj_status status = sends != NULL ? PJ_OK : PJ_ENOMEM;
    for (size_t o = 0; o < OUT; o++)
        bounds.low_j[o] = bounds.high_j[o] = out->mean_j[o];
    for (size_t i = 0; i < 3 && status >= 0; i++) {
        struct pji_hac fit;
        double energy_j[OUT];
        struct delay delay = {(int64_t)delays_ns[i], (int64_t)delays_ns[i]};
        status = guess_at(s, delay, 0, energy_j, &fit, err);
        if (status != PJ_OK)
            continue;
        widen(s, &fit, energy_j, &bounds);
        pji_hac_fini(&fit);
    }
    struct delay best = {(int64_t)out->best_ns, (int64_t)out->best_ns};
    if (status >= 0)
        status = widen_by_surges(s, best, sends, &bounds, err);
    free(sends);
    if (status < 0)
        return status;
    for (size_t o = 0; o < OUT; o++) {
        double most_j = fmax(bounds.high_j[o] - out->mean_j[o], out->mean_j[o] - bounds.low_j[o]);
        out->u_j[o] = sqrt(out->u_j[o] * out->u_j[o] + most_j * most_j / 2);
    }
    return PJ_OK;
}

/* First the whole prior, then around what the readings leave of it. */
static pj_status find_delay(struct split *s, size_t lags, struct average *out, struct pj_error *err)
{
    struct search by = {.prior = prior_of(s), .n = 1, .lags = lags};
    by.middle_ns = by.prior.middle_ns;
    by.half_ns = 3 * by.prior.u_ns;
    by.n = by.prior.u_ns >= 1 ? COARSE : 1;
    pj_status status = try_delays(s, &by, out, err);
    double low_ns = by.middle_ns, high_ns = by.middle_ns;
    double grid_ns = 2 * by.half_ns / (COARSE - 1);
    if (status == PJ_OK && by.n > 1) {
        by.still = (struct delay){(int64_t)out->best_ns, (int64_t)out->best_ns};
        status = find_range(s, by, &low_ns, &high_ns, err);
    }
    if (status == PJ_OK && by.n > 1 && out->u_ns <= 2 * grid_ns) {
        by.moved = BOTH;
        by.middle_ns = out->best_ns;
        by.half_ns = 3 * fmax(grid_ns, 1.5 * out->u_ns);
        status = try_delays(s, &by, out, err);
    }
    return status == PJ_OK ? add_bounds(s, low_ns, high_ns, out, err) : status;
}

/* ---- uncertainty ---- */

struct terms {
    double powers_j[OUT]; /* what the pooled powers are uncertain by, through the shares */
    double uneven_j[OUT]; /* power that is not even within a part */
};

/* Gradient of the shares, by differences, through the covariance of the powers. */
static void add_powers(const struct split *s, const struct pji_hac *fit, struct terms *t)
{
    double power_w[PJI_STAGES], up_j[OUT], down_j[OUT], slope[PJI_STAGES][OUT];
    double blow = pji_t_quantile(0.975, fit->df) / 1.959963984540054;
    bound(s, fit->beta, power_w);
    double scale_w = 0;
    for (size_t j = 0; j < s->p; j++)
        scale_w = fmax(scale_w, power_w[j]);
    for (size_t j = 0; j < s->p; j++) {
        double at_w = power_w[j], by_w = 1e-4 * scale_w + 1e-12;
        power_w[j] = at_w + by_w;
        share(s, power_w, up_j);
        power_w[j] = fmax(at_w - by_w, 0);
        share(s, power_w, down_j);
        for (size_t o = 0; o < OUT; o++)
            slope[j][o] = (up_j[o] - down_j[o]) / (at_w + by_w - power_w[j]);
        power_w[j] = at_w;
    }
    for (size_t o = 0; o < OUT; o++) {
        double u2 = 0;
        for (size_t a = 0; a < s->p; a++) {
            for (size_t b = 0; b < s->p; b++)
                u2 += slope[a][o] * fit->cov[a + b * s->p] * slope[b][o];
        }
        t->powers_j[o] = blow * sqrt(fmax(u2, 0));
    }
}

/* Power that runs the same way inside every part adds up: linearly, as far as the steps' residuals
 * show that it is uneven at all. */
static void add_uneven(const struct split *s, const struct pji_hac *fit, struct terms *t)
{
    for (size_t k = 0; k < s->steps.n; k++) {
        double dur_s = pji_step_s(&s->steps, k), part_s[OUT] = {0};
        for (size_t j = 0; j < s->p; j++)
            part_s[out_of(s->part[j])] += pji_matrix_get(&s->x, k, j);
        for (size_t o = 0; o < OUT; o++)
            t->uneven_j[o] += part_s[o] * (dur_s - part_s[o]) / dur_s * fit->sigma / sqrt(dur_s);
    }
}

static double total_s(const struct split *s, size_t out)
{
    double sum = 0;
    for (size_t j = 0; j < s->p; j++) {
        for (size_t k = 0; k < s->steps.n && out_of(s->part[j]) == out; k++)
            sum += pji_matrix_get(&s->x, k, j);
    }
    return sum;
}

/* ---- results ---- */

static const char *const names[OUT] = {"prefill", "decode", "rest"};

static double step_ms(const struct split *s)
{
    return pji_ms_from_ns(s->spans->end_ns - s->spans->start_ns) / (double)s->steps.n;
}

static void all_missing(struct pj_energy parts[PJI_STAGES], const char *reason)
{
    for (size_t i = 0; i < PJI_STAGES; i++)
        pji_energy_missing(&parts[i], reason);
}

static void put_part(const struct split *s, size_t o, const struct average *a,
                     const struct terms *t, struct pj_energy *out)
{
    const struct pj_energy *whole = s->whole;
    double dur_s = pji_s_from_ns(s->spans->end_ns - s->spans->start_ns);
    double value_j = a->mean_j[o], part_s = total_s(s, o);
    double by = whole->value_j > 0 ? value_j / whole->value_j : 0;
    double gain_j = whole->u_gain_j * by, com2 = whole->u_com_j * whole->u_com_j;
    double rest_j =
        sqrt(fmax(com2 - whole->u_gain_j * whole->u_gain_j, 0)) * fmax(by, part_s / dur_s);
    double cut_j = hypot(t->uneven_j[o], a->u_j[o]);
    *out = *whole;
    out->value_j = value_j;
    out->u_ind_j = hypot(t->powers_j[o], part_s > 0 ? whole->u_ind_j : 0);
    out->u_gain_j = gain_j;
    out->u_com_j = sqrt(gain_j * gain_j + rest_j * rest_j + cut_j * cut_j);
    if (o == PJI_STAGE_REST || hypot(out->u_ind_j, cut_j) <= MOST_U_SHARE * value_j || part_s <= 0)
        return;
    char reason[PJ_REASON];
    snprintf(reason, sizeof reason,
             "%.40s is read every %.3g ms, which does not tell %.3g ms of %s for each request "
             "from the rest (u would be %.0f %%)",
             s->series->channel.name, step_ms(s), 1000 * part_s / (double)s->spans->requests,
             names[o], value_j > 0 ? 100 * hypot(out->u_ind_j, cut_j) / value_j : 999);
    pji_energy_missing(out, reason);
}

static pj_status refuse(const struct split *s, pj_status status, double condition,
                        struct pj_energy parts[PJI_STAGES])
{
    char reason[PJ_REASON];
    if (status < 0)
        return status;
    if (s->steps.n < LEAST_STEPS)
        snprintf(reason, sizeof reason,
                 "the window holds %zu readings of %.60s, fewer than the %d that a split takes",
                 s->steps.n, s->series->channel.name, (int)LEAST_STEPS);
    else
        snprintf(reason, sizeof reason,
                 "%.40s is read every %.3g ms, and all readings hold prefill and decode in nearly "
                 "the same shares (condition number %.0f, above %d)",
                 s->series->channel.name, step_ms(s), fmin(condition, 1e6), (int)PJI_HAC_CONDITION);
    all_missing(parts, reason);
    return PJ_OK;
}

static size_t lags_of(const struct split *s)
{
    double n = (double)s->steps.n, own = n / (double)(s->spans->requests + 1);
    double rule = 4 * pow(n / 100, 2.0 / 9); /* W. K. Newey and K. D. West 1994 */
    return (size_t)fmin(fmin(fmax(rule, own), n / 5), MOST_LAGS);
}

static bool blurs(const struct split *s, struct pj_energy parts[PJI_STAGES])
{
    const struct pji_channel *c = &s->series->channel;
    int64_t blur_ns = pji_blur_ns(c);
    char reason[PJ_REASON];
    if (blur_ns == 0)
        return false;
    snprintf(reason, sizeof reason,
             "%.40s is read every %.3g ms but shows means over about %.4g ms, which mix prefill "
             "and decode",
             c->name, step_ms(s), pji_ms_from_ns(blur_ns));
    all_missing(parts, reason);
    return true;
}

static pj_status solve(struct split *s, struct pj_energy parts[PJI_STAGES], struct pj_error *err)
{
    struct pji_hac fit = {.condition = (double)INFINITY};
    struct average delays = {0};
    double energy_j[OUT];
    struct terms terms = {0};
    size_t lags = lags_of(s);
    if (s->steps.n < LEAST_STEPS)
        return refuse(s, PJI_STATS_FEW, fit.condition, parts);
    if (blurs(s, parts))
        return PJ_OK;
    pj_status status = add_hints(s, err);
    if (status == PJ_OK)
        status = find_delay(s, lags, &delays, err);
    if (status == PJ_OK)
        status = guess_at(s, (struct delay){(int64_t)delays.best_ns, (int64_t)delays.best_ns}, lags,
                          energy_j, &fit, err);
    if (status != PJ_OK || fit.condition > PJI_HAC_CONDITION) {
        status = refuse(s, status, fit.condition, parts);
    } else {
        add_powers(s, &fit, &terms);
        add_uneven(s, &fit, &terms);
        for (size_t o = 0; o < OUT; o++)
            put_part(s, o, &delays, &terms, &parts[o]);
        pji_energy_missing(&parts[PJI_STAGE_OTHER], "in rest");
    }
    pji_hac_fini(&fit);
    return status;
}

pj_status pji_split_series(const struct pji_series *series, const struct pj_energy *whole,
                           const struct pji_spans *spans, struct pj_energy parts[PJI_STAGES],
                           struct pj_error *err)
{
    struct split s = {.series = series, .spans = spans, .whole = whole};
    if (whole->origin == PJ_ORIGIN_MISSING || series->n < 2 || spans->end_ns <= spans->start_ns) {
        all_missing(parts, whole->origin == PJ_ORIGIN_MISSING ? whole->reason
                                                              : "the channel was read only once");
        return PJ_OK;
    }
    find_columns(&s);
    pj_status status = pji_steps_make(&s.steps, series, whole->value_j, spans->start_ns,
                                      spans->end_ns, PJI_STAGES, err);
    if (status == PJ_OK)
        status = pji_matrix_init(&s.x, s.steps.n, s.p, err);
    if (status == PJ_OK)
        status = solve(&s, parts, err);
    pji_matrix_fini(&s.x);
    pji_steps_fini(&s.steps);
    return status;
}
