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

/* The even part of DLMF 8.17.22 as in A. R. Didonato and A. H. Morris (1992, equation 9): its terms
 * take lambda = a - (a + b) x as one number, so that nothing cancels when a is large. Value of
 * I_x(a, b) / kernel for x <= a/(a + b). */
static long double fraction(long double a, long double b, long double x, long double y)
{
    const long double tiny = 1e-4000L;
    long double lambda = a * y - b * x;
    long double value = (lambda + 1) * a / (a + 1);
    value = fabsl(value) < tiny ? tiny : value;
    long double c = value;
    long double d = 0;
    for (int i = 1; i < 2000000; i++) {
        long double n = (long double)i;
        long double s = a + 2 * n - 1;
        long double common = n * (b - n) * x;
        long double numerator = (a + n - 1) * (a + b + n - 1) * common * x / (s * s);
        long double denominator = n + common / s + (a + n) / (s + 2) * (lambda + 1 + n * (1 + y));
        d = denominator + numerator * d;
        d = 1 / (fabsl(d) < tiny ? tiny : d);
        c = denominator + numerator / c;
        c = fabsl(c) < tiny ? tiny : c;
        long double factor = c * d;
        value *= factor;
        if (fabsl(factor - 1) < 2e-19L)
            break;
    }
    return 1 / value;
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
    } else if (x * b < a * y) {
        t.lower = pji_beta_kernel(a, b, x, y) * fraction(a, b, x, y);
        t.upper = 1 - t.lower;
    } else {
        t.upper = pji_beta_kernel(b, a, y, x) * fraction(b, a, y, x);
        t.lower = 1 - t.upper;
    }
    return t;
}
