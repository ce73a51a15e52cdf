#include "engine/digest_cache.h"

#include "core/array.h"
#include "core/str.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct pji_digest_entry {
    char *path;
    struct stat st;
    char hex[PJI_SHA256_HEX];
};

static bool same_time(struct timespec a, struct timespec b)
{
    return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

static bool same_file(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
           same_time(a->st_mtim, b->st_mtim) && same_time(a->st_ctim, b->st_ctim);
}

static struct pji_digest_entry *find(struct pji_digest_cache *cache, const char *path)
{
    for (size_t i = 0; cache != NULL && i < cache->n; i++)
        if (strcmp(cache->entries[i].path, path) == 0)
            return &cache->entries[i];
    return NULL;
}

static pj_status keep(struct pji_digest_cache *cache, const char *path, const struct stat *st,
                      const char hex[PJI_SHA256_HEX], struct pj_error *err)
{
    struct pji_digest_entry *entry = find(cache, path);
    if (entry == NULL) {
        if (pji_array_reserve(&cache->entries, &cache->cap, cache->n + 1, sizeof *cache->entries,
                              err))
            return PJ_ENOMEM;
        entry = &cache->entries[cache->n];
        entry->path = pji_dup(path, err);
        if (entry->path == NULL)
            return PJ_ENOMEM;
        cache->n++;
    }
    entry->st = *st;
    memcpy(entry->hex, hex, PJI_SHA256_HEX);
    return PJ_OK;
}

pj_status pji_digest_cached(struct pji_digest_cache *cache, const char *path,
                            char hex[PJI_SHA256_HEX], int64_t *size_b, struct pj_error *err)
{
    struct stat st;
    if (stat(path, &st) != 0)
        return pji_fail_errno(err, errno, "cannot look at %s", path);
    if (size_b != NULL)
        *size_b = st.st_size;
    const struct pji_digest_entry *entry = find(cache, path);
    if (entry != NULL && same_file(&entry->st, &st)) {
        memcpy(hex, entry->hex, PJI_SHA256_HEX);
        return PJ_OK;
    }
    pj_status rc = pji_sha256_file(path, hex, err);
    if (rc || cache == NULL)
        return rc;
    return keep(cache, path, &st, hex, err);
}

void pji_digest_cache_fini(struct pji_digest_cache *cache)
{
    for (size_t i = 0; i < cache->n; i++)
        free(cache->entries[i].path);
    free(cache->entries);
    *cache = (struct pji_digest_cache){0};
}
