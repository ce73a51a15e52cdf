#include "stats/beta.h"

#include "stats/special.h"

#include <math.h>

static const long double two_pi = 6.283185307179586476925286766559005768394L;

long double pji_beta_kernel(long double a, long double b, long double x, long double y)
{
    if (x <= 0 || y <= 0)
        return 0;
    long double n = a + b;
    long double log_scale = pji_stirling_error(n) - pji_stirling_error(a) - pji_stirling_error(b);
    long double exponent = log_scale - pji_deviance(a, n * x) - pji_deviance(b, n * y);
    return sqrtl(a * b / (two_pi * n)) * expl(exponent);
}

/* DLMF 8.17.22 by Lentz's method; converges fast for x < (a + 1)/(a + b + 2) */
static long double fraction(long double a, long double b, long double x)
{
    const long double tiny = 1e-4000L;
    long double c = 1;
    long double d = 1 - (a + b) * x / (a + 1);
    d = 1 / (fabsl(d) < tiny ? tiny : d);
    long double h = d;
    for (int i = 1; i < 1000000; i++) {
        long double m = (long double)i;
        long double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
        long double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
        d = 1 + even * d;
        d = 1 / (fabsl(d) < tiny ? tiny : d);
        c = 1 + even / c;
        h *= c * d;
        d = 1 + odd * d;
        d = 1 / (fabsl(d) < tiny ? tiny : d);
        c = 1 + odd / c;
        long double factor = c * d;
        h *= factor;
        if (fabsl(factor - 1) < 2e-19L)
            break;
    }
    return h;
}

struct pji_tails pji_beta_tails(long double a, long double b, long double x, long double y)
{
    if (!(a > 0 && b > 0 && x >= 0 && y >= 0) || isinf(a) || isinf(b))
        return (struct pji_tails){(long double)NAN, (long double)NAN};
    struct pji_tails t;
    if (x <= 0) {
        t = (struct pji_tails){0, 1};
    } else if (y <= 0) {
        t = (struct pji_tails){1, 0};
    } else if (x * (a + b + 2) < a + 1) {
        t.lower = pji_beta_kernel(a, b, x, y) * fraction(a, b, x) / a;
        t.upper = 1 - t.lower;
    } else {
        t.upper = pji_beta_kernel(b, a, y, x) * fraction(b, a, y) / b;
        t.lower = 1 - t.upper;
    }
    return t;
}
