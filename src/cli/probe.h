/* cli/probe.h - perjoule doctor --probe: how often each instrument refreshes and what a read of it
 * costs; what is found of GPUs is kept, and later sessions use it in the place of assumptions.
 */
#ifndef PJI_CLI_PROBE_H
#define PJI_CLI_PROBE_H

#include "cli/options.h"

/* The exit code: 0, 3 when there was nothing to probe, 1 for a failure. */
int pji_probe(const struct pji_args *args);

#endif
