/* sources/machine.h - what a trace's header says about the host. */
#ifndef PJI_SOURCES_MACHINE_H
#define PJI_SOURCES_MACHINE_H

#include "core/json.h"
#include "platform/platform.h"

/* {"system", "release", "architecture", "cpu", "sockets", "cores_per_socket", "threads_per_socket",
 * "virtual_machine", "rooted"}. New reference; NULL on lack of memory. */
json_t *pji_machine_facts(const struct pji_platform *platform);

#endif
