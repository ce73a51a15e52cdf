/* support/shared.h - where tests find the reference data that lives beside the checkout.
 *
 * $PERJOULE_SHARED, else $PERJOULE_SOURCE_ROOT/../shared, else ../shared. Tests that need it skip
 * with the path as reason where it is absent.
 */
#ifndef PJT_SUPPORT_SHARED_H
#define PJT_SUPPORT_SHARED_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Writes the path of `name` below the shared folder; false (path still written) when unreadable. */
static inline bool pjt_shared(char *path, size_t size, const char *name)
{
    const char *shared = getenv("PERJOULE_SHARED");
    const char *root = getenv("PERJOULE_SOURCE_ROOT");
    if (shared && *shared)
        snprintf(path, size, "%s/%s", shared, name);
    else
        snprintf(path, size, "%s/../shared/%s", root && *root ? root : ".", name);
    return access(path, R_OK) == 0;
}

#endif
