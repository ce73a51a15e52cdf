/* task/path.h - the value that a dotted name reaches in a JSON object: {"a": {"b": 1}}, "a.b" -> 1.
 * A member whose own name has the dots wins.
 */
#ifndef PJI_TASK_PATH_H
#define PJI_TASK_PATH_H

#include "core/json.h"

/* Borrowed; NULL: there is none. */
const json_t *pji_path_get(const json_t *object, const char *name, size_t len);
/* Appends a string as it is, a number, true or false as in JSON; false for anything else. */
bool pji_path_write(struct pji_str *out, const json_t *value);

#endif
