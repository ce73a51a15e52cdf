/* conformance/shim.h - a platform that passes every call on to another one and says, in
 * shim_inside, whether such a call is under way: what the machine does to answer is not the
 * source's doing.
 */
#ifndef CONFORMANCE_SHIM_H
#define CONFORMANCE_SHIM_H

#include "platform/platform.h"

extern int shim_inside; /* > 0: in a call of the platform */

/* `inner` is borrowed, and is the context of the result. */
struct pji_platform shim_around(const struct pji_platform *inner);

#endif
