/* engine/digest_cache.h - SHA-256 of a big file, read once per run. A file that has the same path,
 * device, inode, size, modification and change time is taken to be the same. Memory only.
 */
#ifndef PJI_ENGINE_DIGEST_CACHE_H
#define PJI_ENGINE_DIGEST_CACHE_H

#include "core/digest.h"
#include "engine/engine.h"

#include <stdint.h>

/* cache may be NULL: always computed. *size_b may be NULL. */
pj_status pji_digest_cached(struct pji_digest_cache *cache, const char *path,
                            char hex[PJI_SHA256_HEX], int64_t *size_b, struct pj_error *err);

#endif
