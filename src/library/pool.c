/* See pool.h. Stores that must be seen before the clock is read are sequentially consistent. */
#include "library/pool.h"

#include "core/array.h"

#include <stdlib.h>
#include <string.h>

pj_status pji_pool_init(struct pji_pool *pool, uint32_t n, struct pj_error *err)
{
    pool->n = n;
    pool->slots = pji_zalloc(n, sizeof *pool->slots, err);
    return pool->slots ? PJ_OK : PJ_ENOMEM;
}

void pji_pool_fini(struct pji_pool *pool)
{
    free(pool->slots);
    pool->slots = NULL;
}

static uint64_t tag_of(uint64_t generation, enum pji_slot_state state)
{
    return generation << 8 | (uint64_t)state;
}

static uint64_t generation_of(uint64_t tag)
{
    return tag >> 8;
}

static enum pji_slot_state state_of(uint64_t tag)
{
    return (enum pji_slot_state)(tag & 0xff);
}

/* ---- the stack of free slots ---- */

static struct pji_window_slot *pop(struct pji_pool *pool)
{
    uint64_t head = atomic_load(&pool->free_head);
    uint32_t fresh;

    while ((uint32_t)head != 0) {
        struct pji_window_slot *slot = &pool->slots[(uint32_t)head - 1];
        uint64_t next = (head >> 32) << 32 | atomic_load(&slot->next);

        if (atomic_compare_exchange_weak(&pool->free_head, &head, next))
            return slot;
    }
    fresh = atomic_load(&pool->fresh);
    while (fresh < pool->n) {
        if (atomic_compare_exchange_weak(&pool->fresh, &fresh, fresh + 1))
            return &pool->slots[fresh];
    }
    return NULL;
}

static void push(struct pji_pool *pool, struct pji_window_slot *slot)
{
    uint64_t index = (uint64_t)(slot - pool->slots) + 1;
    uint64_t head = atomic_load(&pool->free_head);

    do
        atomic_store(&slot->next, (uint32_t)head);
    while (
        !atomic_compare_exchange_weak(&pool->free_head, &head, ((head >> 32) + 1) << 32 | index));
}

/* ---- handles: generation << 24 | index + 1, so that 0 is none ---- */

enum { INDEX_BITS = 24 };

static pj_window handle_of(const struct pji_pool *pool, const struct pji_window_slot *slot,
                           uint64_t generation)
{
    return generation << INDEX_BITS | (uint64_t)(slot - pool->slots + 1);
}

/* The slot, and its tag if it is in `state`; NULL with *tag as it is when it is in another, or with
 * 0 when the window does not exist. */
static struct pji_window_slot *find(struct pji_pool *pool, pj_window window, uint64_t *tag)
{
    uint64_t index = window & ((UINT64_C(1) << INDEX_BITS) - 1);
    struct pji_window_slot *slot;

    *tag = 0;
    if (index == 0 || index > pool->n)
        return NULL;
    slot = &pool->slots[index - 1];
    *tag = atomic_load(&slot->tag);
    if (generation_of(*tag) != window >> INDEX_BITS || state_of(*tag) == PJI_SLOT_FREE)
        return NULL;
    return slot;
}

static pj_status unknown(struct pj_error *err)
{
    return pji_fail(err, PJ_EINVAL,
                    "this is no window of this session: it never began, or was freed");
}

/* ---- a window's life ---- */

pj_status pji_pool_begin(struct pji_pool *pool, const struct pji_platform *platform,
                         const char *name, size_t len, pj_window *window, struct pj_error *err)
{
    struct pji_window_slot *slot = pop(pool);
    uint64_t generation;

    if (!slot)
        return pji_fail(err, PJ_EBUSY,
                        "all %u windows of this session are in use: free those that were read "
                        "(pj_window_free), or open it with a larger max_windows",
                        pool->n);
    generation = generation_of(atomic_load(&slot->tag)) + 1;
    memcpy(slot->name, name, len);
    slot->name[len] = '\0';
    slot->recorded = false;
    *window = handle_of(pool, slot, generation);
    atomic_store(&slot->tag, tag_of(generation, PJI_SLOT_BEGINNING));
    atomic_store(&slot->start_ns, pji_now_ns(platform));
    atomic_store(&slot->tag, tag_of(generation, PJI_SLOT_OPEN));
    return PJ_OK;
}

pj_status pji_pool_end(struct pji_pool *pool, const struct pji_platform *platform, pj_window window,
                       struct pj_error *err)
{
    uint64_t tag;
    struct pji_window_slot *slot = find(pool, window, &tag);
    uint64_t open = tag_of(generation_of(tag), PJI_SLOT_OPEN);

    if (!slot)
        return unknown(err);
    if (!atomic_compare_exchange_strong(&slot->tag, &open,
                                        tag_of(generation_of(tag), PJI_SLOT_ENDING)))
        return pji_fail(err, PJ_ESTATE, "this window has ended before");
    atomic_store(&slot->end_ns, pji_now_ns(platform));
    atomic_store(&slot->tag, tag_of(generation_of(tag), PJI_SLOT_ENDED));
    return PJ_OK;
}

pj_status pji_pool_free(struct pji_pool *pool, pj_window window, struct pj_error *err)
{
    uint64_t tag;
    struct pji_window_slot *slot = find(pool, window, &tag);

    if (!slot)
        return unknown(err);
    if (!atomic_compare_exchange_strong(&slot->tag, &tag,
                                        tag_of(generation_of(tag), PJI_SLOT_FREE)))
        return pji_fail(err, PJ_EINVAL, "this window is being ended by another thread");
    push(pool, slot);
    return PJ_OK;
}

pj_status pji_pool_ended(struct pji_pool *pool, pj_window window, struct pji_window_slot **slot,
                         struct pj_error *err)
{
    uint64_t tag;

    *slot = find(pool, window, &tag);
    if (!*slot)
        return unknown(err);
    if (state_of(tag) != PJI_SLOT_ENDED)
        return pji_fail(err, PJ_ESTATE, "this window has not ended: end it before it is read");
    return PJ_OK;
}

/* ---- all of them ---- */

void pji_pool_visit_ended(struct pji_pool *pool, void (*visit)(void *, struct pji_window_slot *),
                          void *context)
{
    uint32_t n = atomic_load(&pool->fresh);

    for (uint32_t i = 0; i < n; i++) {
        if (state_of(atomic_load(&pool->slots[i].tag)) == PJI_SLOT_ENDED)
            visit(context, &pool->slots[i]);
    }
}

bool pji_pool_edges(struct pji_pool *pool, int64_t *edges_ns, size_t *n)
{
    uint32_t fresh = atomic_load(&pool->fresh);

    *n = 0;
    for (uint32_t i = 0; i < fresh; i++) {
        struct pji_window_slot *slot = &pool->slots[i];
        uint64_t tag = atomic_load(&slot->tag);
        int64_t start_ns = atomic_load(&slot->start_ns), end_ns = atomic_load(&slot->end_ns);

        switch (state_of(tag)) {
        case PJI_SLOT_FREE:
            break;
        case PJI_SLOT_BEGINNING:
        case PJI_SLOT_ENDING:
            return false;
        case PJI_SLOT_OPEN:
            edges_ns[(*n)++] = start_ns;
            break;
        case PJI_SLOT_ENDED:
            edges_ns[(*n)++] = start_ns;
            edges_ns[(*n)++] = end_ns;
            break;
        }
        if (atomic_load(&slot->tag) != tag)
            return false;
    }
    return true;
}
