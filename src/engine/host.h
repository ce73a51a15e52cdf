/* engine/host.h - whether a URL leads to this machine, for the question whose energy a local meter
 * can see. */
#ifndef PJI_ENGINE_HOST_H
#define PJI_ENGINE_HOST_H

#include "core/error.h"

#include <stdbool.h>
#include <stddef.h>

/* The host of an http or https URL without user, port and brackets. */
pj_status pji_url_host(const char *url, char *host, size_t size, struct pj_error *err);
/* True when every address of the host is a loopback address or one of this machine's interfaces. A
 * tunnel (ssh -L) looks local: nobody can see that from here. Resolves names. */
pj_status pji_host_is_local(const char *host, bool *local, struct pj_error *err);

#endif
