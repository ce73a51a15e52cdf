/* analysis/layout.h - results of stats/ as JSON, one function for each group of results.
 *
 * The keys are part of the output format (docs/formats): the same names as the reference values
 * that the tests compare with. A number that does not exist is left out, never null, NaN or 0;
 * who leaves out a whole object says why (struct pji_omissions). New references are returned;
 * NULL means out of memory.
 */
#ifndef PJI_ANALYSIS_LAYOUT_H
#define PJI_ANALYSIS_LAYOUT_H

#include "core/error.h"
#include "core/str.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* Adds a finite number; leaves out a missing one. Whole numbers below 2^53 become integers. */
void pji_put(json_t *object, const char *key, double value);
void pji_put_count(json_t *object, const char *key, size_t value);
void pji_put_bool(json_t *object, const char *key, bool value);

/* Adds `value` (its reference is taken, NULL is ignored) under key. */
void pji_put_object(json_t *object, const char *key, json_t *value);

/* Reasons for what was left out: an object path → reason. */
void pji_omit(json_t *omitted, const char *path, pj_status condition);
/* The same under a path that may have run out of memory: pji_omissions_ok then says so. */
void pji_omit_at(json_t *omitted, const struct pji_str *path, pj_status condition);
pj_status pji_omissions_ok(const json_t *omitted, struct pj_error *err);

#endif
