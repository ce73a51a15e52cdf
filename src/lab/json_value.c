/* YAML as JSON: for the members that a task adds to its requests. Core schema of YAML 1.2: an
 * unquoted true, false, null or number is what it looks like, everything else is text. */
#include "lab/internal.h"

#include "core/json.h"
#include "core/num.h"

#include <stdlib.h>
#include <string.h>

static json_t *scalar(const char *text, bool quoted)
{
    int64_t whole = 0;
    double value = 0.0;
    if (!quoted && strcmp(text, "true") == 0)
        return json_true();
    if (!quoted && strcmp(text, "false") == 0)
        return json_false();
    if (!quoted && (strcmp(text, "null") == 0 || strcmp(text, "~") == 0 || !*text))
        return json_null();
    if (!quoted && pji_num_parse_i64(text, strlen(text), &whole, NULL) == PJ_OK)
        return json_integer(whole);
    if (!quoted && pji_num_parse(text, strlen(text), &value, NULL) == PJ_OK)
        return json_real(value);
    return json_string(text);
}

static json_t *build(const struct pji_study *study, const struct pji_yaml *node,
                     const char *const *levels, struct pj_error *err)
{
    if (node->kind == PJI_YAML_SCALAR) {
        char *text = NULL;
        if (pji_study_fill(study, node, levels, &text, err))
            return NULL;
        json_t *value = scalar(text, node->quoted);
        if (!value)
            pji_error_set(err, PJ_EINVAL, 0, "'%.60s' is not valid UTF-8 text", text);
        free(text);
        return value;
    }
    bool list = node->kind == PJI_YAML_SEQUENCE;
    json_t *out = list ? json_array() : json_object();
    for (size_t i = 0; i < node->n && out; i++) {
        json_t *item = build(study, &node->items[i], levels, err);
        int rc = !item  ? -1
                 : list ? json_array_append_new(out, item)
                        : json_object_set_new(out, node->keys[i].text, item);
        if (rc != 0) {
            json_decref(out);
            out = NULL;
            pji_error_set(err, PJ_EINVAL, 0, "a value here cannot be written as JSON");
        }
    }
    return out;
}

pj_status pji_yaml_to_json(const struct pji_study *study, const struct pji_yaml *node,
                           const char *const *levels, char **out, struct pj_error *err)
{
    struct pji_str text = {0};
    *out = NULL;
    json_t *value = build(study, node, levels, err);
    if (!value)
        return err && err->code ? err->code : PJ_EINVAL;
    pji_json_write(&text, value, 0);
    json_decref(value);
    *out = pji_str_take(&text);
    return *out ? PJ_OK : pji_fail(err, PJ_ENOMEM, "out of memory");
}
