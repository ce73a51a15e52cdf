#include "analysis/layout.h"

#include "stats/condition.h"

#include <math.h>

void pji_put(json_t *object, const char *key, double value)
{
    if (!isfinite(value))
        return;
    if (value == floor(value) && fabs(value) < 9007199254740992.0)
        json_object_set_new(object, key, json_integer((json_int_t)value));
    else
        json_object_set_new(object, key, json_real(value));
}

void pji_put_count(json_t *object, const char *key, size_t value)
{
    json_object_set_new(object, key, json_integer((json_int_t)value));
}

void pji_put_bool(json_t *object, const char *key, bool value)
{
    json_object_set_new(object, key, json_boolean(value));
}

void pji_put_object(json_t *object, const char *key, json_t *value)
{
    if (value)
        json_object_set_new(object, key, value);
}

void pji_omit(json_t *omitted, const char *path, pj_status condition)
{
    if (omitted)
        json_object_set_new(omitted, path, json_string(pji_stats_reason(condition)));
}

/* no path is empty: under this key stands that one was lost */
static const char lost[] = "";

void pji_omit_at(json_t *omitted, const struct pji_str *path, pj_status condition)
{
    pji_omit(omitted, path->failed ? lost : pji_str_text(path), condition);
}

pj_status pji_omissions_ok(const json_t *omitted, struct pj_error *err)
{
    if (json_object_get(omitted, lost))
        return pji_fail(err, PJ_ENOMEM, "out of memory while listing what was left out");
    return PJ_OK;
}
