#include "raw/modulus.h"

#include "core/array.h"
#include "core/units.h"
#include "stats/quantile.h"

#include <math.h>
#include <stdlib.h>

/* Ranges that are not a power of two, J: powercap with a unit of 61 and of 15.3 uJ, and counters of
 * 32 bits of 1 uJ and 1 mJ. */
static const double odd_ranges[] = {262143.328850, 65532.610987, 4294.967296, 4294967.296};

enum {
    LOWEST_POWER = 8, /* 2^8 J: an ESU of 24 */
    HIGHEST_POWER = 32,
    N_ODD = sizeof odd_ranges / sizeof odd_ranges[0],
    N_CANDIDATES = HIGHEST_POWER - LOWEST_POWER + 1 + N_ODD
};

/* A step may be this much more power than the usual high ones (their 98 % quantile: the highest may
 * be a fault itself), or this much, in a file that was idle otherwise. A counter that was reset is
 * not within some 100 J of its modulus, as a wrap is. */
#define STEP_FACTOR  3
#define STEP_HIGH    0.98
#define STEP_FLOOR_W 500.

struct steps {
    const double *values;
    const int64_t *t_ns;
    size_t n;
    double *power_w; /* of the steps that did not fall */
    size_t n_steps;
    double limit_w, interval_s, highest_j;
};

/* Calls of `next` give the pairs of neighbouring readings, empty fields passed over. */
static bool next_pair(const struct steps *s, size_t *before, size_t *after)
{
    size_t i = *after;
    while (i < s->n && isnan(s->values[i]))
        i++;
    size_t k = i + 1;
    while (k < s->n && isnan(s->values[k]))
        k++;
    *before = i;
    *after = k;
    return k < s->n;
}

static double dur_s(const struct steps *s, size_t before, size_t after)
{
    return pji_s_from_ns(s->t_ns[after] - s->t_ns[before]);
}

static void take_powers(struct steps *s, struct pji_raw_modulus *out)
{
    size_t before = 0, after = 0, n_gaps = 0;
    double whole_s = 0;
    while (next_pair(s, &before, &after)) {
        double step_j = s->values[after] - s->values[before], gap_s = dur_s(s, before, after);
        s->highest_j = fmax(s->highest_j, fmax(s->values[before], s->values[after]));
        out->falls += step_j < 0;
        whole_s += gap_s;
        n_gaps++;
        if (step_j >= 0 && gap_s > 0)
            s->power_w[s->n_steps++] = step_j / gap_s;
    }
    s->interval_s = n_gaps > 0 ? whole_s / (double)n_gaps : 0;
    if (s->n_steps == 0)
        return;
    pji_sort(s->power_w, s->n_steps);
    out->usual_w = pji_quantile_sorted(s->power_w, s->n_steps, 0.5);
    s->limit_w =
        fmax(STEP_FACTOR * pji_quantile_sorted(s->power_w, s->n_steps, STEP_HIGH), STEP_FLOOR_W);
}

/* Is every value a multiple of unit_j, rounded to whole uJ at worst? By chance that is so for one
 * value in 1 / (1 uJ / unit_j). */
static bool fits_unit(const struct steps *s, double unit_j)
{
    double slack = 0.51e-6 / unit_j;
    size_t n = 0;
    for (size_t i = 0; i < s->n; i++) {
        double units = s->values[i] / unit_j;
        if (isnan(units) || units == 0)
            continue;
        n++;
        if (fabs(units - round(units)) > slack)
            return false;
    }
    return n >= 16;
}

/* The largest 2^-k J of which all values are multiples; 0: none. Below 2^-16 J rounding to uJ
 * leaves too little to tell. */
static double unit_of(const struct steps *s)
{
    for (int k = 10; k <= 16; k++) {
        if (fits_unit(s, ldexp(1, -k)))
            return ldexp(1, -k);
    }
    return 0;
}

/* powercap's units, as the kernel rounds them: 2^-14 J and 2^-16 J in whole nJ. */
static bool of_powercap(const struct steps *s)
{
    return fits_unit(s, 61.035e-6) || fits_unit(s, 15.258e-6);
}

static bool possible(const struct steps *s, double step_j, double gap_s)
{
    /* a sample and its time are not taken at one instant: half an interval more */
    return step_j >= 0 && step_j <= s->limit_w * (gap_s + s->interval_s / 2);
}

static size_t explained(const struct steps *s, double modulus_j)
{
    size_t before = 0, after = 0, count = 0;
    if (s->highest_j >= modulus_j)
        return 0;
    while (next_pair(s, &before, &after)) {
        double step_j = s->values[after] - s->values[before];
        count += step_j < 0 && possible(s, step_j + modulus_j, dur_s(s, before, after));
    }
    return count;
}

/* Of two candidates that explain as much: is `a` better than `b`? */
static bool better(double a, double b, bool powercap)
{
    bool close = fabs(a - b) < 0.01 * b;
    bool binary = log2(a) == floor(log2(a));
    return close ? binary != powercap : a < b;
}

static double candidate(size_t i)
{
    return i < N_ODD ? odd_ranges[i] : ldexp(1, LOWEST_POWER + (int)(i - N_ODD));
}

static void choose(const struct steps *s, struct pji_raw_modulus *out)
{
    bool powercap = out->falls > 0 && !(out->unit_j > 0) && of_powercap(s);
    for (size_t i = 0; i < N_CANDIDATES && out->falls > 0; i++) {
        double modulus_j = candidate(i);
        size_t wraps = explained(s, modulus_j);
        if (wraps > out->wraps ||
            (wraps > 0 && wraps == out->wraps && better(modulus_j, out->modulus_j, powercap))) {
            out->wraps = wraps;
            out->modulus_j = modulus_j;
        }
    }
    size_t before = 0, after = 0;
    while (out->wraps > 0 && next_pair(s, &before, &after)) {
        double step_j = s->values[after] - s->values[before], gap_s = dur_s(s, before, after);
        if (step_j >= 0 || !possible(s, step_j + out->modulus_j, gap_s))
            continue;
        if (!(out->lost_j > 0))
            out->step_w = (step_j + out->modulus_j) / fmax(gap_s, s->interval_s / 2);
        out->lost_j += out->modulus_j - s->values[before];
    }
}

pj_status pji_raw_modulus_find(struct pji_raw_modulus *out, const double *values,
                               const int64_t *t_ns, size_t n, struct pj_error *err)
{
    struct steps s = {.values = values, .t_ns = t_ns, .n = n};
    *out = (struct pji_raw_modulus){0};
    s.power_w = pji_zalloc(n, sizeof *s.power_w, err);
    if (s.power_w == NULL)
        return PJ_ENOMEM;
    take_powers(&s, out);
    out->unit_j = unit_of(&s);
    choose(&s, out);
    free(s.power_w);
    return PJ_OK;
}

bool pji_raw_modulus_wraps(const struct pji_raw_modulus *found, double a, double b)
{
    return found->modulus_j > 0 && b < a && b - a + found->modulus_j <= found->modulus_j / 2;
}
