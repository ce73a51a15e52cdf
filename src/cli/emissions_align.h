/* cli/emissions_align.h - which column a field of a short row belongs to.
 *
 * CodeCarbon 3.2.9 drops columns without a value before it appends, so that such a row has fewer
 * fields than the header and all behind the first gap stand too far left. Fields keep their order
 * and each looks like something: what lacks can often be told, and where it cannot, nothing is
 * guessed.
 */
#ifndef PJI_CLI_EMISSIONS_ALIGN_H
#define PJI_CLI_EMISSIONS_ALIGN_H

#include "cli/emissions.h"

/* field_of[i] of column order->columns[i]: the number of the field that is certainly its own, or
 * -1: lacking or not certain. False when the fields fit nowhere or are too many: nothing is set
 * then. A row of full length is taken as it stands. */
bool pji_emissions_align(const struct pji_emissions_order *order, const char *const *fields,
                         size_t n, int field_of[PJI_EMISSIONS_COLUMNS]);

#endif
