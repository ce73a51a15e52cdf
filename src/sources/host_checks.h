/* sources/host_checks.h - what else of a machine decides whether its energies can be had and
 * compared: clock source, virtualisation, governor, permissions. For `perjoule doctor`.
 *
 * Everything is read through the platform, so that a root folder is judged by its own files alone.
 * What cannot be read is PJI_CHECK_UNKNOWN, never "fine".
 */
#ifndef PJI_SOURCES_HOST_CHECKS_H
#define PJI_SOURCES_HOST_CHECKS_H

#include "platform/platform.h"

enum pji_check_level {
    PJI_CHECK_OK,
    PJI_CHECK_NOTE,    /* worth knowing when numbers are read or compared */
    PJI_CHECK_WARNING, /* makes measurements worse, and can be changed */
    PJI_CHECK_UNKNOWN  /* could not be found out */
};

struct pji_check {
    const char *name;  /* "clock_source": a static string */
    const char *title; /* "clock source" */
    enum pji_check_level level;
    char value[96]; /* "tsc"; "" when unknown */
    char text[280]; /* what it means here */
    char fix[200];  /* what to do, "" when there is nothing to do */
};

enum { PJI_HOST_CHECKS = 16 };

/* Fills checks[0 … n) and returns n <= PJI_HOST_CHECKS. */
size_t pji_host_checks(const struct pji_platform *platform,
                       struct pji_check checks[PJI_HOST_CHECKS]);

/* "ok", "note", "warning", "unknown". */
const char *pji_check_level_name(enum pji_check_level level);

/* Whether this process has the capability of that number (capabilities(7)); false when unknown. */
bool pji_has_capability(const struct pji_platform *platform, int capability);

#endif
