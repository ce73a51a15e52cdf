#!/usr/bin/env python3
"""Prints tests/golden/distributions.tsv: values of distribution functions in high precision.

Needs mpmath (any 1.x): python3 -m venv v && v/bin/pip install mpmath
Usage: v/bin/python tests/tools/make-distribution-table.py [PART…] > tests/golden/distributions.tsv
Takes about 25 minutes.

Every argument is a double written so that it reads back exactly; every value was computed from a
definition that differs from the one in src/stats where there is a choice (series instead of
integrals, quadrature instead of fractions) and is printed with 17 digits.
Columns: function, value, arguments.
"""
import sys
from mpmath import (mp, mpf, erfc, erfinv, betainc, gammainc, exp, log, sqrt, pi, quad, gamma,
                    findroot, nstr, ncdf, inf, linspace, loggamma, workdps, expm1, log1p)

mp.dps = 60


def emit(name, value, *args):
    print("\t".join([name, nstr(value, 17, min_fixed=0, max_fixed=0)] +
                    ["inf" if a == float("inf") else repr(float(a)) for a in args]))
    sys.stdout.flush()


def norm_upper(z):
    return erfc(mpf(z) / sqrt(2)) / 2


def tail_quad(log_density, x, side, end):
    """Integral of exp(log_density) from x away to `side` (+1 or -1), at most to `end`."""
    top = log_density(x)
    step = mpf(side)
    while (x + step - end) * side > 0 or log_density(x + step) < top - 2:
        step /= 2
    points, reach = [x], step
    while (x + reach - end) * side < 0 and log_density(x + reach) > top - 150:
        points.append(x + reach)
        reach *= mpf("1.5")
    points.append(x + reach if (x + reach - end) * side < 0 else end)
    return abs(quad(lambda u: exp(log_density(u) - top), points)) * exp(top)


def beta_lower(a, b, x):
    """I_x(a, b): hypergeometric series, or quadrature of the tail where that is too slow."""
    a, b, x = mpf(a), mpf(b), mpf(x)
    if a + b < 3000:
        return betainc(a, b, 0, x, regularized=True)
    const = loggamma(a + b) - loggamma(a) - loggamma(b)

    def log_density(u):
        if u <= 0 or u >= 1:
            return -mpf(10) ** 9
        return const + (a - 1) * log(u) + (b - 1) * log(1 - u)
    if x * (a + b) < a:
        return tail_quad(log_density, x, -1, mpf(0))
    return 1 - tail_quad(log_density, x, 1, mpf(1))


def gamma_tail(a, x, lower):
    a, x = mpf(a), mpf(x)
    if a < 3000:
        return gammainc(a, 0, x, regularized=True) if lower else \
            gammainc(a, x, inf, regularized=True)

    def log_density(u):
        return (a - 1) * log(u) - u - loggamma(a) if u > 0 else -mpf(10) ** 9
    if x < a:
        value = tail_quad(log_density, x, -1, mpf(0))
        return value if lower else 1 - value
    value = tail_quad(log_density, x, 1, inf)
    return 1 - value if lower else value


def t_upper(t, v):
    t, v = mpf(t), mpf(v)
    if t < 0:
        return 1 - t_upper(-t, v)
    if v < 3000:
        return beta_lower(v / 2, mpf(1) / 2, v / (v + t * t)) / 2
    const = loggamma((v + 1) / 2) - loggamma(v / 2) - log(v * pi) / 2
    return tail_quad(lambda u: const - (v + 1) / 2 * log(1 + u * u / v), t, 1, inf)


def f_lower(f, a, b):
    f, a, b = mpf(f), mpf(a), mpf(b)
    return beta_lower(a / 2, b / 2, a * f / (a * f + b))


def f_upper(f, a, b):
    f, a, b = mpf(f), mpf(a), mpf(b)
    return beta_lower(b / 2, a / 2, b / (a * f + b))


def normal():
    for z in [-38, -20, -8.5, -3, -1.25, -0.5, -1e-3, -1e-12, 0, 1e-9, 0.1, 0.674, 1.0, 1.96, 2.75,
              4, 6.5, 10, 15.25, 25, 37.04]:
        emit("normal_upper", norm_upper(z), z)
    for p in [1e-300, 1e-200, 1e-100, 1e-50, 1e-20, 1e-9, 1e-4, 0.01, 0.025, 0.1, 0.3, 0.4999,
              0.5 + 1e-12, 0.6, 0.9, 0.975, 0.999999]:
        tail = mpf(p) if p < 0.5 else 1 - mpf(p)
        start = float(sqrt(-2 * log(tail)))
        z = findroot(lambda u: log(norm_upper(u)) - log(tail), start) if tail < mpf("0.4") \
            else sqrt(2) * erfinv(1 - 2 * tail)
        emit("normal_quantile", -z if p < 0.5 else z, p)


def bisect(left_of, lo, hi):
    for _ in range(400):
        mid = sqrt(lo * hi)
        lo, hi = (mid, hi) if left_of(mid) else (lo, mid)
        if hi / lo - 1 < mpf("1e-20"):
            break
    return lo, hi


def student():
    for v in [0.5, 1, 2, 3.7, 6.0000001, 10, 30.5, 100, 886.4, 1e4, 1e6, 3e7, 2e8]:
        for t in [1e-8, 0.1, 1, 2.5, 5, 12, 40, 300]:
            p = t_upper(t, v)
            if p > mpf("1e-300"):
                emit("t_upper", p, t, v)
    for v, t in [(3, 1e60), (1, 1e290), (2, 1e150), (1000, 53.0), (100, 900.0)]:
        emit("t_upper", t_upper(t, v), t, v)
    for v in [1, 2.5, 11.387, 60, 900, 5000]:
        for p in [1e-250, 1e-30, 1e-6, 0.025, 0.3, 0.4999999, 0.5000001, 0.975, 0.9999]:
            tail = mpf(p) if p < 0.5 else 1 - mpf(p)
            lo, hi = mpf("1e-10"), mpf(1)
            while t_upper(hi, v) > tail:
                hi *= 4
            lo, hi = bisect(lambda u: t_upper(u, v) > tail, lo, hi)
            emit("t_quantile", -lo if p < 0.5 else lo, p, v)


def fisher():
    cases = [(1, 1), (1, 10), (3, 26), (3, 6.0), (5, 11.4), (23, 876), (2.5, 0.7), (15, 1e5),
             (200, 300), (4000, 9000), (0.3, 40)]
    for a, b in cases:
        for f in [1e-12, 1e-3, 0.2, 0.9, 1.1, 2, 7, 40, 1500, 1e9]:
            lo, hi = f_lower(f, a, b), f_upper(f, a, b)
            if lo > mpf("1e-300"):
                emit("f_cdf", lo, f, a, b)
            if hi > mpf("1e-300"):
                emit("f_upper", hi, f, a, b)
    for f, a, b in [(900.0, 3, 400), (250.0, 23, 876), (1e100, 2, 5.5)]:
        emit("f_upper", f_upper(f, a, b), f, a, b)
    for a, b in [(0.5, 0.5), (2, 3), (30, 4.5), (0.01, 7), (1e5, 2e5)]:
        for x in [1e-100, 1e-6, 0.03, 0.33, 0.5, 0.77, 0.999]:
            lo = beta_lower(a, b, mpf(x))
            with workdps(250):
                hi = beta_lower(b, a, 1 - mpf(x))
            if lo > mpf("1e-300"):
                emit("beta_cdf", lo, x, a, b)
            if hi > mpf("1e-300"):
                emit("beta_upper", hi, x, a, b)


def chisq():
    for v in [0.2, 1, 2, 3, 7.5, 26, 300, 5000, 1e6]:
        for x in [1e-30, 1e-3, 0.5, 1, 3, 10, 45, 300, 700, 1400, 4900, 1e6]:
            lo, hi = gamma_tail(mpf(v) / 2, mpf(x) / 2, True), gamma_tail(mpf(v) / 2, mpf(x) / 2, False)
            if lo > mpf("1e-300"):
                emit("chisq_cdf", lo, x, v)
            if hi > mpf("1e-300"):
                emit("chisq_upper", hi, x, v)


def quantiles():
    for p in [1e-200, 1e-8, 0.05, 0.4, 0.5, 0.9, 0.999]:
        for a, b in [(1, 5), (3, 26), (23, 876), (6.5, 2.2)]:
            lo, hi = mpf("1e-300"), mpf("1e30")
            lo, hi = bisect(lambda u: f_lower(u, a, b) < mpf(p), lo, hi)
            if lo > mpf("1e-290"):
                emit("f_quantile", lo, p, a, b)
        for v in [1, 3, 26.5, 900]:
            lo, hi = mpf("1e-300"), mpf("1e10")
            lo, hi = bisect(lambda u: gamma_tail(mpf(v) / 2, u / 2, True) < mpf(p), lo, hi)
            if lo > mpf("1e-290"):
                emit("chisq_quantile", lo, p, v)


def nct_lower(t, v, d):
    """Series of Johnson, Kotz, Balakrishnan (31.15), t > 0; digits for the cancellation."""
    t, v, d = mpf(t), mpf(v), mpf(d)
    x = t * t / (v + t * t)
    half = d * d / 2
    total = ncdf(-d)
    p = exp(-half) / 2
    q = d / sqrt(2) * exp(-half) / (2 * gamma(mpf(3) / 2))
    j = 0
    while True:
        term = p * beta_lower(j + mpf(1) / 2, v / 2, x) + q * beta_lower(j + 1, v / 2, x)
        total += term
        if j > half and abs(term) < mpf(10) ** (-mp.dps + 5):
            return total
        j += 1
        p *= half / j
        q *= half / (j + mpf(1) / 2)


def noncentral():
    mp.dps = 60
    for t, v, d in [(2.2, 10, 1.3), (0.5, 3, 2), (5, 26, 4.5), (12, 4, 9), (1e-3, 7.5, -1),
                    (3, 1, 0), (28.0, 358, 27), (0.2, 60, 6), (40.0, 2.5, 1)]:
        lower = nct_lower(t, v, d)
        emit("nct_cdf", lower, t, v, d)
        emit("nct_upper", 1 - lower, t, v, d)
        emit("nct_upper", lower, -t, v, -d)
    mp.dps = 360
    for t, v, d in [(60.0, 300, 2), (45.0, 900, 3), (2, 40, 30), (1, 25, 20)]:
        lower = nct_lower(t, v, d)
        emit("nct_cdf", lower, t, v, d)
        emit("nct_upper", 1 - lower, t, v, d)
    mp.dps = 60
    for f, a, b, lam in [(2.5, 3, 26, 4), (27.8, 3, 26, 80), (1.0, 5, 11.4, 0.3), (0.3, 2, 9, 12),
                         (60, 3, 896, 190), (4, 23, 876, 100), (1e-3, 1, 30, 5), (300, 4, 8, 50)]:
        ncf(f, a, b, lam)
    mp.dps = 360
    for f, a, b, lam in [(600.0, 3, 800, 10), (0.05, 6, 500, 1400), (2.0, 3, 300, 900)]:
        ncf(f, a, b, lam)
    mp.dps = 60


def ncf(f, a, b, lam):
    f, a, b, lam = mpf(f), mpf(a), mpf(b), mpf(lam)
    x = a * f / (a * f + b)
    w = exp(-lam / 2)
    total, j, mass = mpf(0), 0, mpf(0)
    while 1 - mass > mpf(10) ** (-mp.dps + 10):
        total += w * beta_lower(a / 2 + j, b / 2, x)
        mass += w
        j += 1
        w *= lam / 2 / j
    emit("ncf_cdf", total, f, a, b, lam)
    emit("ncf_upper", 1 - total, f, a, b, lam)


def range_tail(w, k):
    """P(range of k normals > w), by quadrature over the smallest value."""
    def inside(z):
        above = erfc(z / sqrt(2)) / 2
        ratio = erfc((z + w) / sqrt(2)) / 2 / above
        drop = -expm1((k - 1) * log1p(-ratio)) if ratio < 1 else mpf(1)
        return exp(-z * z / 2) * above ** (k - 1) * drop
    # the integrand falls off like a normal density: a sum with a fine step is exact to mp.dps
    step = mpf(1) / 8
    return k / sqrt(2 * pi) * step * sum(inside(-w / 2 + i * step) for i in range(-120, 121))


def tukey():
    mp.dps = 30
    for q, k in [(3.5, 3), (1, 2), (0.3, 5), (5, 24), (9.25, 4), (40.0, 6), (51.0, 3)]:
        emit("tukey_upper", range_tail(mpf(q), k), q, k, float("inf"))
    for q, k, v in [(3.5, 3, 26), (2.0, 4, 6.0), (5.5, 5, 11.387), (1.0, 10, 40), (14, 4, 120),
                    (60, 3, 5)]:
        v, q = mpf(v), mpf(q)
        const = 2 * (v / 2) ** (v / 2) / gamma(v / 2)
        step = 1 / sqrt(2 * v) / 6

        def outer(u):
            s = exp(u)
            return const * s ** v * exp(-v * s * s / 2) * range_tail(q * s, k)
        emit("tukey_upper", step * sum(outer(i * step) for i in range(-240, 90)), q, k, v)


PARTS = (normal, student, fisher, chisq, quantiles, noncentral, tukey)
for part in PARTS:
    if len(sys.argv) < 2 or part.__name__ in sys.argv[1:]:
        mp.dps = 60
        part()
