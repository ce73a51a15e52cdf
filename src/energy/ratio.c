/* energy/ratio.c - the ratio of two energies, or of two sums of them.
 *
 * With r = A/B the sensitivities are 1/B and -A/B^2 (JCGM 100:2008, 5.1.3). What one instrument
 * does wrong in both sums enters both terms with its sign before it is squared (5.2.2, correlation
 * 1): a gain that is the same in A and B leaves nothing, an offset leaves what the shorter window
 * feels more, and instruments with other shares in A than in B leave the difference of their
 * shares. Instruments of one class share an unknown part of it: of "all of it" and "nothing" the
 * one that leaves more is taken.
 */
#include "energy/ratio.h"

#include <math.h>
#include <string.h>

struct side {
    const struct pj_energy *parts;
    size_t n;
    double sum_j;
    double by; /* sensitivity of the ratio to this side */
};

static void clear(struct pji_ratio *out)
{
    *out = (struct pji_ratio){
        .value = (double)NAN, .u_ind = (double)NAN, .u_com = (double)NAN, .cancelled = false};
}

static pj_status sum_side(struct side *side, struct pj_error *err)
{
    side->sum_j = 0;
    for (size_t i = 0; i < side->n; i++) {
        if (side->parts[i].origin == PJ_ORIGIN_MISSING) {
            return pji_fail(err, PJ_EINVAL, "ratio of energies: one of them is missing (%s)",
                            side->parts[i].reason);
        }
        side->sum_j += side->parts[i].value_j;
    }
    return PJ_OK;
}

static double square(double x)
{
    return x * x;
}

static const struct pj_energy *part_at(const struct side *a, const struct side *b, size_t i)
{
    return i < a->n ? &a->parts[i] : &b->parts[i - a->n];
}

typedef bool alike_fn(const struct pj_energy *a, const struct pj_energy *b);

/* Whether part i is the first one of its instrument or class. Parts that are sums of several
 * instruments, or of none that is known, each stand for themselves. */
static bool leads(const struct side *a, const struct side *b, size_t i, alike_fn *alike)
{
    for (size_t k = 0; k < i; k++) {
        if (alike(part_at(a, b, i), part_at(a, b, k))) {
            return false;
        }
    }
    return true;
}

/* Variance that the instrument (or class) of part i leaves in the ratio, as one error. */
static double one_u2(const struct side *a, const struct side *b, size_t i, alike_fn *alike,
                     bool *cancelled)
{
    double gain = 0, rest = 0;
    bool in_a = false, in_b = false;
    for (size_t k = i; k < a->n + b->n; k++) {
        const struct pj_energy *part = part_at(a, b, k);
        if (k == i || alike(part_at(a, b, i), part)) {
            double by = k < a->n ? a->by : b->by;
            gain += by * part->u_gain_j;
            rest += by * pji_energy_rest(part);
            in_a = in_a || k < a->n;
            in_b = in_b || k >= a->n;
        }
    }
    *cancelled = *cancelled || (in_a && in_b);
    return square(gain) + square(rest);
}

/* Variance of the class that part i leads: its instruments apart, or all of them as one. */
static double class_u2(const struct side *a, const struct side *b, size_t i, bool *cancelled)
{
    bool ignored = false;
    double apart_u2 = 0;
    for (size_t k = i; k < a->n + b->n; k++) {
        bool inside = k == i || pji_energy_same_class(part_at(a, b, i), part_at(a, b, k));
        if (inside && leads(a, b, k, pji_energy_same_instrument)) {
            apart_u2 += one_u2(a, b, k, pji_energy_same_instrument, cancelled);
        }
    }
    return fmax(apart_u2, one_u2(a, b, i, pji_energy_same_class, &ignored));
}

pj_status pji_energy_ratio_parts(struct pji_ratio *out, const struct pj_energy *a, size_t n_a,
                                 const struct pj_energy *b, size_t n_b, struct pj_error *err)
{
    struct side sides[2] = {{.parts = a, .n = n_a}, {.parts = b, .n = n_b}};
    clear(out);
    for (size_t i = 0; i < 2; i++) {
        pj_status status = sum_side(&sides[i], err);
        if (status != PJ_OK) {
            return status;
        }
    }
    if (!(fabs(sides[1].sum_j) > 0)) {
        return pji_fail(err, PJ_EINVAL, "ratio of energies: the second one is 0");
    }
    out->value = sides[0].sum_j / sides[1].sum_j;
    sides[0].by = 1 / sides[1].sum_j;
    sides[1].by = -out->value / sides[1].sum_j;
    double ind_u2 = 0, com_u2 = 0;
    for (size_t i = 0; i < n_a + n_b; i++) {
        double by = i < n_a ? sides[0].by : sides[1].by;
        ind_u2 += square(by * part_at(&sides[0], &sides[1], i)->u_ind_j);
        if (leads(&sides[0], &sides[1], i, pji_energy_same_class)) {
            com_u2 += class_u2(&sides[0], &sides[1], i, &out->cancelled);
        }
    }
    out->u_ind = sqrt(ind_u2);
    out->u_com = sqrt(com_u2);
    return PJ_OK;
}

pj_status pji_energy_ratio(struct pji_ratio *out, const struct pj_energy *a,
                           const struct pj_energy *b, struct pj_error *err)
{
    return pji_energy_ratio_parts(out, a, 1, b, 1, err);
}
