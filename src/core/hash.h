/* core/hash.h - FNV-1a with 64 bits (draft-eastlake-fnv): names for random streams and common
 * errors, the digest of a trace. A changed byte always changes it; it is no protection against
 * somebody who wants to deceive (core/digest.h is, in the lab).
 */
#ifndef PJI_CORE_HASH_H
#define PJI_CORE_HASH_H

#include <stddef.h>
#include <stdint.h>

#define PJI_FNV1A_START UINT64_C(0xcbf29ce484222325)

/* Continues `hash` (PJI_FNV1A_START for a new one) with the bytes. */
static inline uint64_t pji_fnv1a(uint64_t hash, const void *bytes, size_t len)
{
    const unsigned char *at = bytes;
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ at[i]) * UINT64_C(0x100000001b3);
    return hash;
}

#endif
