/* Every kind of picture on made data, with few groups and with many long-named ones. */
#ifndef TEST_REPORT_GALLERY_H
#define TEST_REPORT_GALLERY_H

#include "report/plot.h"

/* Adds all kinds with `groups` groups (2 … 30) as PREFIX-<kind>. */
pj_status gallery_add(struct pji_plots *plots, const char *prefix, size_t groups,
                      struct pj_error *err);

/* The kinds, NULL-terminated. */
extern const char *const gallery_kinds[];

#endif
