/* engine/image.c - /proc/PID/exe and /proc/PID/maps: proc(5). A mapped file's path starts at the
 * first '/' of its line; one that was replaced on disk ends in " (deleted)" and has no digest.
 */
#include "engine/image.h"

#include "engine/digest_cache.h"
#include "engine/kinds.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static pj_status report_file(const char *path, const char *key, struct pji_digest_cache *cache,
                             pji_fact_fn *fn, void *context, struct pj_error *err)
{
    char hex[PJI_SHA256_HEX];
    if (pji_digest_cached(cache, path, hex, NULL, NULL))
        return PJ_OK; /* not readable: no digest is better than no run */
    return pji_fact(fn, context, key, hex, err);
}

static pj_status report_program(pid_t pid, struct pji_digest_cache *cache, pji_fact_fn *fn,
                                void *context, struct pj_error *err)
{
    char link[64];
    char path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/%ld/exe", (long)pid);
    ssize_t len = readlink(link, path, sizeof path - 1);
    if (len <= 0)
        return PJ_OK;
    path[len] = '\0';
    pj_status rc = pji_fact(fn, context, "engine.program", path, err);
    return rc ? rc : report_file(path, "engine.program.sha256", cache, fn, context, err);
}

static bool has_word(const char *name, const char *const *words)
{
    for (; *words != NULL; words++)
        if (strstr(name, *words) != NULL)
            return true;
    return false;
}

/* Path of an executable mapping of an inference library, or NULL. */
static const char *library_path(char *line, const char *const *words)
{
    char *path = strchr(line, '/');
    if (path == NULL || strstr(line, " r-xp ") == NULL)
        return NULL;
    path[strcspn(path, "\n")] = '\0';
    return has_word(strrchr(path, '/') + 1, words) ? path : NULL;
}

static pj_status report_libraries(FILE *maps, const char *const *words,
                                  struct pji_digest_cache *cache, pji_fact_fn *fn, void *context,
                                  struct pj_error *err)
{
    char *line = NULL;
    size_t size = 0;
    char last[PATH_MAX] = "";
    pj_status rc = PJ_OK;
    while (rc == PJ_OK && getline(&line, &size, maps) > 0) {
        const char *path = library_path(line, words);
        if (path == NULL || strcmp(path, last) == 0 || strlen(path) >= sizeof last)
            continue;
        char key[NAME_MAX + 32];
        snprintf(last, sizeof last, "%s", path);
        snprintf(key, sizeof key, "engine.library.%s.sha256", strrchr(path, '/') + 1);
        rc = report_file(path, key, cache, fn, context, err);
    }
    free(line);
    return rc;
}

pj_status pji_image_facts(pid_t pid, const char *const *words, struct pji_digest_cache *cache,
                          pji_fact_fn *fn, void *context, struct pj_error *err)
{
    pj_status rc = report_program(pid, cache, fn, context, err);
    if (rc)
        return rc;
    char name[64];
    snprintf(name, sizeof name, "/proc/%ld/maps", (long)pid);
    FILE *maps = fopen(name, "re");
    if (maps == NULL)
        return PJ_OK;
    rc = report_libraries(maps, words, cache, fn, context, err);
    fclose(maps);
    return rc;
}
