/* energy/ratio.h - what sums, differences and ratios share; private to energy/. */
#ifndef PJI_ENERGY_RATIO_H
#define PJI_ENERGY_RATIO_H

#include "energy/series.h"

/* The part of u_com that is not proportional to the value (offset, companion series). */
double pji_energy_rest(const struct pj_energy *energy);

/* Errors cancel only where one single instrument made both numbers: in two sums over the same set
 * of instruments the shares may differ, and shares are not known here. */
bool pji_energy_same_instrument(const struct pj_energy *a, const struct pj_energy *b);

/* Whether they share at least a part of their common error: one instrument, or two of one class
 * (com_id "CLASS@INSTANCE"). */
bool pji_energy_same_class(const struct pj_energy *a, const struct pj_energy *b);

#endif
