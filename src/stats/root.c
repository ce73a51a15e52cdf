#include "stats/root.h"

#include <float.h>
#include <math.h>

struct bracket {
    double a, fa;  /* the previous iterate */
    double b, fb;  /* the best iterate */
    double c, fc;  /* the end with the other sign than b */
    double step;   /* the last move */
    double before; /* the move before the last */
};

static void swap_ends(struct bracket *k)
{
    if (fabs(k->fc) >= fabs(k->fb))
        return;
    k->a = k->b;
    k->b = k->c;
    k->c = k->a;
    k->fa = k->fb;
    k->fb = k->fc;
    k->fc = k->fa;
}

/* the interpolated move, or the bisection when interpolation is not trusted */
static void choose(struct bracket *k, double tol, double half)
{
    if (fabs(k->before) < tol || fabs(k->fa) <= fabs(k->fb)) {
        k->step = k->before = half;
        return;
    }
    double p;
    double q;
    double s = k->fb / k->fa;
    if (k->a == k->c) {
        p = 2 * half * s;
        q = 1 - s;
    } else {
        double r = k->fa / k->fc;
        double t = k->fb / k->fc;
        p = s * (2 * half * r * (r - t) - (k->b - k->a) * (t - 1));
        q = (r - 1) * (t - 1) * (s - 1);
    }
    if (p > 0)
        q = -q;
    p = fabs(p);
    if (2 * p < 3 * half * q - fabs(tol * q) && p < fabs(0.5 * k->before * q)) {
        k->before = k->step;
        k->step = p / q;
    } else {
        k->step = k->before = half;
    }
}

double pji_root(pji_root_fn *f, const void *ctx, double lo, double hi)
{
    struct bracket k = {.a = lo, .fa = f(lo, ctx), .b = hi, .fb = f(hi, ctx)};
    if (!(k.fa * k.fb <= 0) && !(k.fa == 0) && !(k.fb == 0))
        return (double)NAN;
    k.c = k.a;
    k.fc = k.fa;
    k.step = k.before = k.b - k.a;
    for (int i = 0; i < 300; i++) {
        swap_ends(&k);
        double tol = 2 * DBL_EPSILON * fabs(k.b) + DBL_MIN;
        double half = 0.5 * (k.c - k.b);
        if (fabs(half) <= tol || k.fb == 0)
            break;
        choose(&k, tol, half);
        k.a = k.b;
        k.fa = k.fb;
        k.b += fabs(k.step) > tol ? k.step : copysign(tol, half);
        k.fb = f(k.b, ctx);
        if ((k.fb > 0) == (k.fc > 0)) {
            k.c = k.a;
            k.fc = k.fa;
            k.step = k.before = k.b - k.a;
        }
    }
    return k.b;
}

double pji_root_monotone(pji_root_fn *f, const void *ctx, double start, double step, int rising)
{
    double value = f(start, ctx);
    if (value == 0)
        return start;
    double direction = (value < 0) == (rising != 0) ? step : -step;
    double near = start;
    for (int i = 0; i < 200; i++) {
        double far = near + direction;
        double there = f(far, ctx);
        if (isnan(there))
            return (double)NAN;
        if (there == 0)
            return far;
        if ((there > 0) != (value > 0))
            return near < far ? pji_root(f, ctx, near, far) : pji_root(f, ctx, far, near);
        near = far;
        direction *= 2;
    }
    return (double)NAN;
}
