/* core/digest.h - SHA-256 through OpenSSL (perjoule-lab only: the lean program links no crypto). */
#ifndef PJI_CORE_DIGEST_H
#define PJI_CORE_DIGEST_H

#include "core/error.h"

#include <stddef.h>

enum { PJI_SHA256_HEX = 65 };

struct pji_sha256;

pj_status pji_sha256_new(struct pji_sha256 **out, struct pj_error *err);
pj_status pji_sha256_add(struct pji_sha256 *sha, const void *bytes, size_t len,
                         struct pj_error *err);
pj_status pji_sha256_finish(struct pji_sha256 *sha, char hex[PJI_SHA256_HEX], struct pj_error *err);
void pji_sha256_free(struct pji_sha256 *sha);

pj_status pji_sha256_bytes(const void *bytes, size_t len, char hex[PJI_SHA256_HEX],
                           struct pj_error *err);
pj_status pji_sha256_file(const char *path, char hex[PJI_SHA256_HEX], struct pj_error *err);

#endif
