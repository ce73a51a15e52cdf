#include "engine/kinds.h"

#include "core/array.h"
#include "core/num.h"
#include "core/str.h"

#include <string.h>

const struct pji_setting *pji_setting_find(const struct pji_setting *settings, size_t n,
                                           const char *key)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(settings[i].key, key) == 0)
            return &settings[i];
    return NULL;
}

const char *pji_setting_get(const struct pji_setting *settings, size_t n, const char *key,
                            const char *fallback)
{
    const struct pji_setting *setting = pji_setting_find(settings, n, key);
    return setting != NULL && setting->n > 0 ? setting->values[0] : fallback;
}

pj_status pji_setting_i64(const struct pji_setting *settings, size_t n, const char *key,
                          int64_t fallback, int64_t min, int64_t max, int64_t *out,
                          struct pj_error *err)
{
    const char *text = pji_setting_get(settings, n, key, NULL);
    *out = fallback;
    if (text == NULL)
        return PJ_OK;
    if (pji_num_parse_i64(text, strlen(text), out, NULL) || *out < min || *out > max)
        return pji_fail(
            err, PJ_EINVAL,
            "engine setting '%s' is '%.80s'; a whole number from %lld to %lld is needed", key, text,
            (long long)min, (long long)max);
    return PJ_OK;
}

pj_status pji_setting_bool(const struct pji_setting *settings, size_t n, const char *key,
                           bool fallback, bool *out, struct pj_error *err)
{
    static const char *const yes[] = {"on", "true", "yes"};
    static const char *const no[] = {"off", "false", "no"};
    const char *text = pji_setting_get(settings, n, key, NULL);
    *out = fallback;
    if (text == NULL)
        return PJ_OK;
    for (size_t i = 0; i < sizeof yes / sizeof *yes; i++) {
        if (strcmp(text, yes[i]) == 0 || strcmp(text, no[i]) == 0) {
            *out = strcmp(text, yes[i]) == 0;
            return PJ_OK;
        }
    }
    return pji_fail(err, PJ_EINVAL, "engine setting '%s' is '%.80s'; write on or off", key, text);
}

static bool is_in(const char *word, const char *const *list)
{
    for (; list != NULL && *list != NULL; list++)
        if (strcmp(word, *list) == 0)
            return true;
    return false;
}

pj_status pji_setting_keys(const struct pji_setting *settings, size_t n, const char *const *keys,
                           const char *const *list_keys, struct pj_error *err)
{
    for (size_t i = 0; i < n; i++) {
        const struct pji_setting *setting = &settings[i];
        if (!is_in(setting->key, keys)) {
            const char *near = pji_str_nearest(setting->key, keys);
            return pji_fail(err, PJ_EINVAL, "unknown engine setting '%.80s'%s%s%s", setting->key,
                            near != NULL ? ", did you mean '" : "", near != NULL ? near : "",
                            near != NULL ? "'?" : "");
        }
        if (setting->is_list && !is_in(setting->key, list_keys))
            return pji_fail(err, PJ_EINVAL, "engine setting '%s' takes one value, not a list",
                            setting->key);
        if (setting->n == 0 && !(setting->is_list && strcmp(setting->key, "args") == 0))
            return pji_fail(err, PJ_EINVAL, "engine setting '%s' is empty", setting->key);
    }
    return PJ_OK;
}

pj_status pji_setting_args(const struct pji_setting *args, struct pj_error *err)
{
    static const char *const ours[] = {"--host", "--port"};
    for (size_t i = 0; args != NULL && i < 2 * args->n; i++) {
        const char *arg = args->values[i / 2], *option = ours[i % 2];
        size_t len = strlen(option);
        if (strncmp(arg, option, len) == 0 && (arg[len] == '\0' || arg[len] == '='))
            return pji_fail(err, PJ_EINVAL,
                            "engine setting 'args' holds %s, which perjoule gives the server "
                            "itself: write %s: … beside args",
                            option, option + 2);
    }
    return PJ_OK;
}

const char **pji_setting_argv(const struct pji_setting *setting, size_t extra, struct pj_error *err)
{
    const char **argv = pji_zalloc(setting->n + extra + 1, sizeof *argv, err);
    for (size_t i = 0; argv != NULL && i < setting->n; i++)
        argv[i] = setting->values[i];
    return argv;
}

pj_status pji_fact(pji_fact_fn *fn, void *context, const char *key, const char *value,
                   struct pj_error *err)
{
    return value == NULL || value[0] == '\0' ? PJ_OK : fn(context, key, value, err);
}
