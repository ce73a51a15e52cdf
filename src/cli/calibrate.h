/* cli/calibrate.h - perjoule doctor --calibrate-model: power of this processor idle and under full
 * load, measured once by its own counters and kept for times when they cannot be read.
 */
#ifndef PJI_CLI_CALIBRATE_H
#define PJI_CLI_CALIBRATE_H

#include "cli/options.h"

/* The exit code: 0 when the result was stored, 3 when what was measured is no calibration, 1 when
 * it was stopped or nothing could be measured. */
int pji_calibrate(const struct pji_args *args);

#endif
