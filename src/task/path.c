/* task/path.c - see path.h. */
#include "task/path.h"

#include <string.h>

const json_t *pji_path_get(const json_t *object, const char *name, size_t len)
{
    const json_t *value = json_object_getn(object, name, len);
    for (size_t i = 0; !value && i < len; i++)
        if (name[i] == '.') {
            const json_t *inner = json_object_getn(object, name, i);
            value = inner ? pji_path_get(inner, name + i + 1, len - i - 1) : NULL;
        }
    return value;
}

bool pji_path_write(struct pji_str *out, const json_t *value)
{
    if (json_is_string(value)) {
        pji_str_addn(out, json_string_value(value), json_string_length(value));
        return true;
    }
    if (!json_is_number(value) && !json_is_boolean(value))
        return false;
    pji_json_write(out, value, 0);
    return true;
}
