/* core/array.c - growth by a factor of two, with every multiplication checked. */
#include "core/array.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

pj_status pji_array_reserve(void *array, size_t *cap, size_t need, size_t size,
                            struct pj_error *err)
{
    if (need <= *cap)
        return PJ_OK;
    size_t grown = *cap < SIZE_MAX / 2 ? *cap * 2 : need;
    if (grown < need)
        grown = need;
    if (grown < 8)
        grown = 8;
    size_t bytes;
    if (__builtin_mul_overflow(grown, size, &bytes) || bytes > PTRDIFF_MAX)
        return pji_fail(err, PJ_ENOMEM, "out of memory: %zu elements of %zu bytes do not fit", need,
                        size);
    void *old; /* through memcpy: `array` is a pointer to a pointer of any type */
    memcpy(&old, array, sizeof old);
    void *fresh = realloc(old, bytes);
    if (!fresh)
        return pji_fail(err, PJ_ENOMEM, "out of memory: %zu bytes for an array", bytes);
    memset((char *)fresh + *cap * size, 0, bytes - *cap * size);
    memcpy(array, &fresh, sizeof fresh);
    *cap = grown;
    return PJ_OK;
}

void *pji_zalloc(size_t count, size_t size, struct pj_error *err)
{
    size_t bytes;
    bool fits = !__builtin_mul_overflow(count, size, &bytes) && bytes <= PTRDIFF_MAX;
    void *p = fits ? calloc(count ? count : 1, size ? size : 1) : NULL;
    if (!p)
        pji_error_set(err, PJ_ENOMEM, 0, "out of memory: %zu elements of %zu bytes", count, size);
    return p;
}

int pji_i64_order(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}
