#include "stats/special.h"

#include <math.h>
#include <stddef.h>

long double pji_stirling_error(long double x)
{
    /* B(2k) / (2k (2k - 1)), k = 1…12 */
    static const long double series[] = {
        1.0L / 12,         -1.0L / 360,         1.0L / 1260,     -1.0L / 1680,
        1.0L / 1188,       -691.0L / 360360,    1.0L / 156,      -3617.0L / 122400,
        43867.0L / 244188, -174611.0L / 125400, 77683.0L / 5796, -236364091.0L / 1506960,
    };
    if (x < 16) {
        static const long double half_log_2pi = 0.918938533204672741780329736405617639861L;
        int sign;
        return lgammal_r(x, &sign) - (x - 0.5L) * logl(x) + x - half_log_2pi;
    }
    long double square = x * x;
    long double sum = 0;
    for (size_t i = sizeof series / sizeof *series; i-- > 0;)
        sum = sum / square + series[i];
    return sum / x;
}

long double pji_log1p_minus(long double x)
{
    if (fabsl(x) > 0.3L)
        return log1pl(x) - x;
    /* ln(1+x) = 2 atanh(r), r = x/(2+x): the odd series converges as r^2 <= 0.034 */
    long double r = x / (2 + x);
    long double square = r * r;
    long double power = r * square;
    long double sum = 0;
    for (int k = 3; k < 200; k += 2) {
        long double term = power / (long double)k;
        sum += term;
        if (fabsl(term) <= 1e-24L * fabsl(sum))
            break;
        power *= square;
    }
    return 2 * sum - r * x;
}

long double pji_deviance(long double x, long double m)
{
    if (x <= 0)
        return m;
    long double u = (m - x) / x;
    /* x ln(x/m) + m - x = -x (ln(1+u) - u) */
    if (fabsl(u) < 0.5L)
        return -x * pji_log1p_minus(u);
    return x * logl(x / m) + m - x;
}
