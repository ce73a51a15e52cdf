/* raw/modulus.h - where an energy counter in a file wrapped, and at what modulus: found in the
 * values themselves, because the file does not say.
 *
 * A RAPL counter is 32 bits of an energy unit (Intel SDM vol. 3B, 15.10.1: MSR_RAPL_POWER_UNIT,
 * ESU; the unit is 2^-ESU J), so that it wraps at 2^(32-ESU) J: 262 144 J for the usual 2^-14 J.
 * Through powercap it wraps at max_energy_range_uj, a little less. A modulus explains a fall of the
 * counter when the step that it gives is possible: not negative, and no more power than three times
 * what the counter usually shows at most in this file (500 W are always possible). Taken is the
 * modulus that explains most falls, of equals the smallest; of two that differ by less than the
 * step can tell (2^18 J and powercap's range) the one that fits the counter's unit, and 2^18 J
 * where that cannot be seen. What no modulus explains is a reset.
 */
#ifndef PJI_RAW_MODULUS_H
#define PJI_RAW_MODULUS_H

#include "core/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pji_raw_modulus {
    double modulus_j; /* 0: nothing here says */
    double unit_j;    /* the counter's unit as the values show it, 0: not a power of two */
    size_t falls;     /* the counter was lower than before */
    size_t wraps;     /* of them explained by the modulus */
    double step_w;    /* mean power of the first explained step */
    double usual_w;   /* median power of the steps that did not fall */
    double lost_j;    /* sum over the wraps of modulus - value before */
};

/* values[i] in J at t_ns[i]; NaN: not read. */
pj_status pji_raw_modulus_find(struct pji_raw_modulus *out, const double *values,
                               const int64_t *t_ns, size_t n, struct pj_error *err);

/* Whether the step from value `a` to the lower value `b` is a wrap under what was found. */
bool pji_raw_modulus_wraps(const struct pji_raw_modulus *found, double a, double b);

#endif
