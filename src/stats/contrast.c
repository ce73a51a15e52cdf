/* Coefficients of contrasts: see stats/emm.h. */
#include "stats/emm.h"

#include <math.h>

enum { MAX_DEGREE = 6 };

size_t pji_contrast_count(enum pji_contrast kind, size_t k)
{
    if (k < 2)
        return 0;
    switch (kind) {
    case PJI_CONTRAST_CONSECUTIVE:
        return k - 1;
    case PJI_CONTRAST_POLYNOMIAL:
        return k - 1 < MAX_DEGREE ? k - 1 : MAX_DEGREE;
    case PJI_CONTRAST_PAIRWISE:
        break;
    }
    return k * (k - 1) / 2;
}

void pji_contrast_pair(enum pji_contrast kind, size_t k, size_t index, size_t *plus, size_t *minus)
{
    if (kind == PJI_CONTRAST_CONSECUTIVE) {
        *plus = index + 1;
        *minus = index;
        return;
    }
    size_t first = 0;
    while (index >= k - 1 - first) {
        index -= k - 1 - first;
        first++;
    }
    *plus = first;
    *minus = first + 1 + index;
}

static long double gcd(long double a, long double b)
{
    while (b > 0.5L) {
        long double rest = fmodl(a, b);
        a = b;
        b = rest;
    }
    return a;
}

/* binomial coefficient: whole numbers, exact in long double for the degrees in use */
static long double choose(size_t n, size_t r)
{
    long double value = 1;
    for (size_t i = 1; i <= r; i++)
        value = value * (long double)(n - r + i) / (long double)i;
    return value;
}

/* Gram polynomial of degree d on 0 … m, times a whole number: sum over j of
 * (-1)^(d-j) C(d+j, j) C(d, j) [x]_j [m-j]_(d-j), falling factorials */
static long double gram(size_t d, size_t m, size_t x)
{
    long double sum = 0;
    for (size_t j = 0; j <= d; j++) {
        long double term = choose(d + j, j) * choose(d, j);
        for (size_t i = 0; i < j; i++)
            term *= (long double)x - (long double)i;
        for (size_t i = 0; i < d - j; i++)
            term *= (long double)(m - j) - (long double)i;
        sum += (d - j) % 2 ? -term : term;
    }
    return sum;
}

static void polynomial(size_t k, size_t degree, double *coefficient)
{
    long double divisor = 0;
    for (size_t x = 0; x < k; x++)
        divisor = gcd(fabsl(gram(degree, k - 1, x)), divisor);
    for (size_t x = 0; x < k; x++)
        coefficient[x] = (double)(gram(degree, k - 1, x) / divisor);
}

void pji_contrast_row(enum pji_contrast kind, size_t k, size_t index, double *coefficient)
{
    if (kind == PJI_CONTRAST_POLYNOMIAL) {
        polynomial(k, index + 1, coefficient);
        return;
    }
    size_t plus;
    size_t minus;
    pji_contrast_pair(kind, k, index, &plus, &minus);
    for (size_t i = 0; i < k; i++)
        coefficient[i] = i == plus ? 1 : i == minus ? -1 : 0;
}
