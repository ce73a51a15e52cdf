/* core/json.c - reading JSON with positions and typed getters; the writer is in json_write.c.
 *
 * jansson converts reals with strtod and repairs the decimal mark from localeconv(); the calling
 * thread is switched to the C locale while it parses, so that no other thread's setlocale can come
 * between the two.
 */
#include "core/json.h"

#include "core/num_locale.h"

#include <math.h>

json_t *pji_json_num(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

json_t *pji_json_parse(const char *text, size_t len, const char *name, struct pj_error *err)
{
    json_error_t fault;
    locale_t before = uselocale(pji_num_locale());
    json_t *value = json_loadb(text, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &fault);
    uselocale(before);
    if (value)
        return value;
    if (json_error_code(&fault) == json_error_out_of_memory)
        pji_error_set(err, PJ_ENOMEM, 0, "%s: out of memory while reading JSON", name);
    else
        pji_error_set(err, PJ_EINVAL, 0, "%s:%d:%d: not valid JSON: %s", name,
                      fault.line > 0 ? fault.line : 1, fault.column > 0 ? fault.column : 1,
                      fault.text);
    return NULL;
}

static const char *type_name(const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return "an object";
    case JSON_ARRAY:
        return "an array";
    case JSON_STRING:
        return "a string";
    case JSON_INTEGER:
    case JSON_REAL:
        return "a number";
    case JSON_TRUE:
    case JSON_FALSE:
        return "true or false";
    case JSON_NULL:
        return "null";
    }
    return "something else";
}

static pj_status find(const json_t *object, const char *key, const char *what, const json_t **out,
                      struct pj_error *err)
{
    if (!json_is_object(object))
        return pji_fail(err, PJ_EINVAL, "%s is not an object, so it has no '%s'", what, key);
    *out = json_object_get(object, key);
    if (!*out)
        return pji_fail(err, PJ_EINVAL, "%s lacks '%s'", what, key);
    return PJ_OK;
}

static pj_status mistyped(const json_t *value, const char *key, const char *what,
                          const char *wanted, struct pj_error *err)
{
    return pji_fail(err, PJ_EINVAL, "'%s' of %s is %s, not %s", key, what, type_name(value),
                    wanted);
}

pj_status pji_json_get_str(const json_t *object, const char *key, const char *what,
                           const char **out, struct pj_error *err)
{
    const json_t *value = NULL;
    pj_status status = find(object, key, what, &value, err);
    if (status)
        return status;
    if (!json_is_string(value))
        return mistyped(value, key, what, "a string", err);
    *out = json_string_value(value);
    return PJ_OK;
}

pj_status pji_json_get_i64(const json_t *object, const char *key, const char *what, int64_t *out,
                           struct pj_error *err)
{
    const json_t *value = NULL;
    pj_status status = find(object, key, what, &value, err);
    if (status)
        return status;
    if (!json_is_integer(value))
        return mistyped(value, key, what, "a whole number", err);
    *out = json_integer_value(value);
    return PJ_OK;
}

pj_status pji_json_get_num(const json_t *object, const char *key, const char *what, double *out,
                           struct pj_error *err)
{
    const json_t *value = NULL;
    pj_status status = find(object, key, what, &value, err);
    if (status)
        return status;
    if (!json_is_number(value))
        return mistyped(value, key, what, "a number", err);
    *out = json_number_value(value);
    return PJ_OK;
}
