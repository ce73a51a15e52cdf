#include "stats/integrate.h"

#include <math.h>

static const long double golden = 0.618033988749894848204586834365638118L;

long double pji_peak(pji_log_fn *log_f, const void *ctx, long double start, long double scale)
{
    long double step = scale;
    long double here = log_f(start, ctx);
    if (log_f(start + step, ctx) < here)
        step = -step;
    long double behind = start - step;
    long double x = start;
    for (int i = 0; i < 200; i++) {
        long double ahead = log_f(x + step, ctx);
        if (ahead < here || (ahead == here && isinf(here) == 0))
            break;
        behind = x;
        x += step;
        here = ahead;
        step *= 1.6L;
    }
    long double lo = behind;
    long double hi = x + step;
    long double a = hi - golden * (hi - lo);
    long double b = lo + golden * (hi - lo);
    long double fa = log_f(a, ctx);
    long double fb = log_f(b, ctx);
    /* the peak need not be exact: it only centres the sum */
    for (int i = 0; i < 40 && fabsl(fa - fb) > 1e-4L; i++) {
        if (fa > fb) {
            hi = b;
            b = a;
            fb = fa;
            a = hi - golden * (hi - lo);
            fa = log_f(a, ctx);
        } else {
            lo = a;
            a = b;
            fa = fb;
            b = lo + golden * (hi - lo);
            fb = log_f(b, ctx);
        }
    }
    return fa > fb ? a : b;
}

/* sum of exp(log_f - top) on the points first, first + step, … until they no longer count */
static long double sweep(pji_log_fn *log_f, const void *ctx, long double first, long double step,
                         long double top)
{
    long double total = 0;
    int small = 0;
    for (int i = 0; i < 200000 && small < 3; i++) {
        long double term = expl(log_f(first + (long double)i * step, ctx) - top);
        total += term;
        small = term <= 1e-22L * (total + 1e-300L) ? small + 1 : 0;
    }
    return total;
}

/* half the distance at which log_f has fallen by about 2 on both sides */
static long double width(pji_log_fn *log_f, const void *ctx, long double peak, long double scale,
                         long double top)
{
    long double w = scale;
    for (int i = 0; i < 200; i++) {
        if (log_f(peak + w, ctx) < top - 2 || log_f(peak - w, ctx) < top - 2)
            break;
        w *= 2;
    }
    for (int i = 0; i < 200; i++) {
        if (log_f(peak + w / 2, ctx) > top - 2 && log_f(peak - w / 2, ctx) > top - 2)
            break;
        w /= 2;
    }
    return w / 2;
}

long double pji_integrate(pji_log_fn *log_f, const void *ctx, long double peak, long double scale)
{
    long double top = log_f(peak, ctx);
    if (!(top > -(long double)INFINITY))
        return 0;
    long double h = width(log_f, ctx, peak, scale, top);
    long double sum =
        1 + sweep(log_f, ctx, peak + h, h, top) + sweep(log_f, ctx, peak - h, -h, top);
    long double result = sum * h;
    for (int i = 0; i < 12; i++) {
        sum += sweep(log_f, ctx, peak + h / 2, h, top) + sweep(log_f, ctx, peak - h / 2, -h, top);
        h /= 2;
        long double finer = sum * h;
        /* halving squares the error: agreement to 1e-10 leaves 1e-20 in the finer sum */
        int same = fabsl(finer - result) <= 1e-10L * finer;
        result = finer;
        if (same)
            break;
    }
    return result * expl(top);
}
