/* core/array.h - overflow-checked growth of plain arrays.
 *
 *     struct item *items = NULL; size_t n = 0, cap = 0;
 *     if (pji_array_reserve(&items, &cap, n + 1, sizeof *items, err)) …;
 *     items[n++] = x;
 * The array is freed with free().
 */
#ifndef PJI_CORE_ARRAY_H
#define PJI_CORE_ARRAY_H

#include "core/error.h"

#include <stddef.h>

/* Grows *(void **)array to hold at least `need` elements of `size` bytes (amortised doubling). New
 * memory is zeroed. On failure the array is unchanged and PJ_ENOMEM is returned. */
pj_status pji_array_reserve(void *array, size_t *cap, size_t need, size_t size,
                            struct pj_error *err);

/* calloc that reports PJ_ENOMEM; NULL on failure. */
void *pji_zalloc(size_t count, size_t size, struct pj_error *err);

/* For qsort: int64_t, ascending. */
int pji_i64_order(const void *a, const void *b);

#endif
