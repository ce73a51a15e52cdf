/* energy/quadrature.h - sqrt(a^2 + b^2), the way independent uncertainties add. Not hypot(3): that
 * is not correctly rounded and differs between C libraries in the last bit, and a replay shall give
 * the same bits on any machine. Operands are joules: neither overflow nor underflow is near.
 */
#ifndef PJI_ENERGY_QUADRATURE_H
#define PJI_ENERGY_QUADRATURE_H

#include <math.h>

static inline double pji_quadrature(double a, double b)
{
    return sqrt(a * a + b * b);
}

#endif
