#include "stats/power.h"

#include "stats/fisher.h"
#include "stats/noncentral.h"
#include "stats/root.h"
#include "stats/student.h"

#include <math.h>
#include <stdbool.h>

static bool share(double x)
{
    return x > 0 && x < 1;
}

double pji_power_t(double ncp, double df, double alpha)
{
    if (!share(alpha) || !(df > 0) || !isfinite(ncp))
        return (double)NAN;
    double critical = pji_t_quantile(1 - alpha / 2, df);
    return pji_nct_upper(critical, df, ncp) + pji_nct_cdf(-critical, df, ncp);
}

double pji_power_two(double d, double n1, double n2, double alpha)
{
    if (!(n1 > 0 && n2 > 0))
        return (double)NAN;
    return pji_power_t(d * sqrt(n1 * n2 / (n1 + n2)), n1 + n2 - 2, alpha);
}

double pji_power_paired(double dz, double n, double alpha)
{
    return n > 1 ? pji_power_t(dz * sqrt(n), n - 1, alpha) : (double)NAN;
}

double pji_power_f(double lambda, double df1, double df2, double alpha)
{
    if (!share(alpha) || !(df1 > 0 && df2 > 0 && lambda >= 0) || isinf(lambda))
        return (double)NAN;
    return pji_ncf_upper(pji_f_quantile(1 - alpha, df1, df2), df1, df2, lambda);
}

double pji_power_anova(double f, double k, double n_total, double alpha)
{
    if (!(k > 1))
        return (double)NAN;
    return pji_power_f(f * f * n_total, k - 1, n_total - k, alpha);
}

struct plan {
    double a; /* n1, or n, or k */
    double b; /* n2, or n_total */
    double alpha;
    double power; /* of a test: a probability (no unit) */
};

static double two(double d, const void *ctx)
{
    const struct plan *p = ctx;
    return pji_power_two(d, p->a, p->b, p->alpha) - p->power;
}

static double paired(double d, const void *ctx)
{
    const struct plan *p = ctx;
    return pji_power_paired(d, p->a, p->alpha) - p->power;
}

static double anova(double f, const void *ctx)
{
    const struct plan *p = ctx;
    return pji_power_anova(f, p->a, p->b, p->alpha) - p->power;
}

/* the effect at which the power is reached; the power at no effect is alpha */
static double detectable(pji_root_fn *f, const struct plan *plan)
{
    if (!share(plan->alpha) || !share(plan->power) || isnan(f(0, plan)))
        return (double)NAN;
    if (plan->power <= plan->alpha)
        return 0;
    double high = 1;
    while (high < 1e9 && f(high, plan) < 0)
        high *= 2;
    return pji_root(f, plan, 0, high);
}

double pji_detectable_two(double n1, double n2, double alpha, double power)
{
    struct plan plan = {n1, n2, alpha, power};
    return detectable(two, &plan);
}

double pji_detectable_paired(double n, double alpha, double power)
{
    struct plan plan = {n, 0, alpha, power};
    return detectable(paired, &plan);
}

double pji_detectable_anova(double k, double n_total, double alpha, double power)
{
    struct plan plan = {k, n_total, alpha, power};
    return detectable(anova, &plan);
}

typedef double power_fn(double effect, double n, double alpha);

static double two_equal(double d, double n, double alpha)
{
    return pji_power_two(d, n, n, alpha);
}

/* the power grows with n: doubling, then bisection over whole numbers */
static double needed(power_fn *f, double effect, double alpha, double power)
{
    if (!share(alpha) || !share(power) || !isfinite(effect) || effect == 0)
        return (double)NAN;
    double high = 2;
    while (!(f(effect, high, alpha) >= power)) {
        high *= 2;
        if (high > 1e9)
            return (double)NAN;
    }
    double low = high > 2 ? high / 2 : 1;
    while (high - low > 1) {
        double middle = floor((low + high) / 2);
        if (f(effect, middle, alpha) >= power)
            high = middle;
        else
            low = middle;
    }
    return high;
}

double pji_needed_two(double d, double alpha, double power)
{
    return needed(two_equal, d, alpha, power);
}

double pji_needed_paired(double dz, double alpha, double power)
{
    return needed(pji_power_paired, dz, alpha, power);
}
