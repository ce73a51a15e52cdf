/* See cache.h. */
#include "cli/cache.h"

#include "platform/durable.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LIMIT_B = 1 << 20, VERSION = 1 };

pj_status pji_cache_path(const char *name, char path[PJI_CACHE_PATH], struct pj_error *err)
{
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    int len = -1;

    if (cache && cache[0] == '/')
        len = snprintf(path, PJI_CACHE_PATH, "%s/perjoule/%s", cache, name);
    else if (home && home[0] == '/')
        len = snprintf(path, PJI_CACHE_PATH, "%s/.cache/perjoule/%s", home, name);
    if (len < 0 || len >= PJI_CACHE_PATH)
        return pji_fail(err, PJ_ENOTFOUND,
                        "there is no cache folder: set XDG_CACHE_HOME or HOME to an absolute path");
    return PJ_OK;
}

json_t *pji_cache_read(const char *name)
{
    char path[PJI_CACHE_PATH];
    char *bytes = NULL;
    size_t len = 0;
    json_t *root = NULL, *entries = NULL;
    int64_t version = 0;

    if (pji_cache_path(name, path, NULL) || pji_read_file(path, LIMIT_B, &bytes, &len, NULL))
        return NULL;
    root = pji_json_parse(bytes, len, path, NULL);
    free(bytes);
    if (root && !pji_json_get_i64(root, "version", path, &version, NULL) && version == VERSION)
        entries = json_incref(json_object_get(root, "entries"));
    json_decref(root);
    if (!json_is_array(entries)) {
        json_decref(entries);
        return NULL;
    }
    return entries;
}

static void replace(json_t *entries, const char *key, json_t *entry)
{
    const char *wanted = json_string_value(json_object_get(entry, key));

    for (size_t i = json_array_size(entries); i > 0; i--) {
        const char *is = json_string_value(json_object_get(json_array_get(entries, i - 1), key));

        if (!is || (wanted && strcmp(is, wanted) == 0))
            (void)json_array_remove(entries, i - 1);
    }
    while (json_array_size(entries) >= PJI_CACHE_ENTRIES)
        (void)json_array_remove(entries, 0);
    (void)json_array_append_new(entries, entry);
}

pj_status pji_cache_put(const char *name, const char *key, json_t *entry, struct pj_error *err)
{
    char path[PJI_CACHE_PATH], *slash;
    json_t *entries = pji_cache_read(name), *root;
    struct pji_str text = {0};
    pj_status status = pji_cache_path(name, path, err);

    if (!entries)
        entries = json_array();
    replace(entries, key, entry);
    root = json_pack("{s:i, s:o}", "version", VERSION, "entries", entries);
    text.failed = !root;
    pji_json_write(&text, root, 2);
    pji_str_addc(&text, '\n');
    json_decref(root);
    if (!status)
        status = pji_str_ok(&text, err);
    slash = status ? NULL : strrchr(path, '/');
    if (slash) {
        *slash = '\0';
        status = pji_make_dirs(path, err);
        *slash = '/';
    }
    if (!status)
        status = pji_durable_write(path, text.text, text.len, err);
    pji_str_fini(&text);
    return status;
}
