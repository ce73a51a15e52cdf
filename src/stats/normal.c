#include "stats/normal.h"

#include <math.h>

static const long double inv_sqrt2 = 0.707106781186547524400844362104849039285L;
static const long double inv_sqrt_2pi = 0.398942280401432677939946059934381868476L;

static long double upper(long double z)
{
    return 0.5L * erfcl(z * inv_sqrt2);
}

double pji_normal_upper(double z)
{
    return (double)upper((long double)z);
}

double pji_normal_cdf(double z)
{
    return (double)upper(-(long double)z);
}

double pji_normal_two_sided(double z)
{
    return (double)erfcl(fabsl((long double)z) * inv_sqrt2);
}

/* z >= 0 with P(Z > z) = q, 0 < q <= 1/2 */
static long double upper_quantile(long double q)
{
    long double t = sqrtl(-2 * logl(q));
    long double z = t - (2.515517L + t * (0.802853L + t * 0.010328L)) /
                            (1 + t * (1.432788L + t * (0.189269L + t * 0.001308L)));
    for (int step = 0; step < 6; step++) {
        long double density = inv_sqrt_2pi * expl(-0.5L * z * z);
        /* near the centre the area 1/2 - q is the small number, not the tail */
        long double excess = z < 0.5L ? (0.5L - q) - 0.5L * erfl(z * inv_sqrt2) : upper(z) - q;
        long double newton = excess / density;
        long double move = newton / (1 + 0.5L * z * newton);
        z += move;
        if (fabsl(move) <= 1e-19L * fabsl(z))
            break;
    }
    return z;
}

double pji_normal_quantile(double p)
{
    if (!(p >= 0 && p <= 1))
        return (double)NAN;
    if (p == 0)
        return -(double)INFINITY;
    if (p == 1)
        return (double)INFINITY;
    if (p < 0.5)
        return (double)-upper_quantile((long double)p);
    return (double)upper_quantile(1 - (long double)p);
}
