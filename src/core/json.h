/* core/json.h - jansson with perjoule's manners: numbers written as the shortest text that reads
 * back exactly (jansson would write 0.10000000000000001), keys in insertion order, typed getters
 * whose errors name the path.
 */
#ifndef PJI_CORE_JSON_H
#define PJI_CORE_JSON_H

#include "core/str.h"

#include <jansson.h>
#include <stdint.h>

/* Appends `value` as JSON. indent = 0: one line; else pretty with that many blanks. */
void pji_json_write(struct pji_str *out, const json_t *value, int indent);

/* A JSON number, or null where value is not finite: missing is null, never 0. New reference. */
json_t *pji_json_num(double value);

/* Parses text[0..len); `name` is used in messages (name:line:column). NULL on failure. */
json_t *pji_json_parse(const char *text, size_t len, const char *name, struct pj_error *err);

/* Typed getters. `what` names the object in messages. Missing key or wrong type: PJ_EINVAL.
 * Strings are borrowed from the object. */
pj_status pji_json_get_str(const json_t *object, const char *key, const char *what,
                           const char **out, struct pj_error *err);
pj_status pji_json_get_i64(const json_t *object, const char *key, const char *what, int64_t *out,
                           struct pj_error *err);
pj_status pji_json_get_num(const json_t *object, const char *key, const char *what, double *out,
                           struct pj_error *err);

#endif
