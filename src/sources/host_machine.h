/* sources/host_machine.h - the checks of the machine itself: rows of the table in host_checks.c. */
#ifndef PJI_SOURCES_HOST_MACHINE_H
#define PJI_SOURCES_HOST_MACHINE_H

#include "sources/host_checks.h"

void pji_check_clock_source(const struct pji_platform *platform, struct pji_check *out);
void pji_check_virtual_machine(const struct pji_platform *platform, struct pji_check *out);
void pji_check_container(const struct pji_platform *platform, struct pji_check *out);
void pji_check_governor(const struct pji_platform *platform, struct pji_check *out);
void pji_check_turbo(const struct pji_platform *platform, struct pji_check *out);
void pji_check_power_supply(const struct pji_platform *platform, struct pji_check *out);
void pji_check_load(const struct pji_platform *platform, struct pji_check *out);

#endif
