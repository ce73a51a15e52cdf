/* engine/probe.h - what a program prints when asked, for example with --help: servers gain and lose
 * options from release to release, so an option is used only where the program lists it.
 */
#ifndef PJI_ENGINE_PROBE_H
#define PJI_ENGINE_PROBE_H

#include "core/error.h"

#include <stdbool.h>
#include <stdint.h>

/* Runs argv and returns its stdout and stderr (caller frees), whatever its exit code. Ended with
 * PJ_ETIMEOUT after timeout_ns. */
pj_status pji_probe(const char *const *argv, int64_t timeout_ns, char **text, struct pj_error *err);
/* Whether an option text lists exactly this option ("--cache-ram" is not in "--cache-ram-mib"). */
bool pji_probe_has(const char *text, const char *option);

#endif
