/* library/pool.h - the windows of a session: a fixed number of slots, handed out and taken back
 * without a lock.
 *
 * A slot's tag is its generation and its state in one word; a handle is generation and index, so
 * that a handle of a window that was freed finds another generation. Free slots form a stack whose
 * head carries a count (the ABA problem: Treiber, IBM RJ 5118, 1986).
 *
 * The order of the two steps matters to whoever folds readings away (sampler.c): a slot says
 * BEGINNING or ENDING before the time is taken, so an edge that pji_pool_edges did not see lies
 * after the moment at which it looked.
 */
#ifndef PJI_LIBRARY_POOL_H
#define PJI_LIBRARY_POOL_H

#include "perjoule/window.h"

#include "platform/platform.h"

#include <stdatomic.h>

enum pji_slot_state {
    PJI_SLOT_FREE,
    PJI_SLOT_BEGINNING,
    PJI_SLOT_OPEN,
    PJI_SLOT_ENDING,
    PJI_SLOT_ENDED
};

struct pji_window_slot {
    _Atomic uint64_t tag; /* generation << 8 | enum pji_slot_state */
    _Atomic int64_t start_ns, end_ns;
    _Atomic uint32_t next; /* of the free stack: index + 1 */
    bool recorded;         /* its end is in the trace; the session's lock */
    char name[PJ_WINDOW_NAME];
};

struct pji_pool {
    struct pji_window_slot *slots;
    uint32_t n;
    _Atomic uint32_t fresh;     /* slots below were used at least once */
    _Atomic uint64_t free_head; /* count << 32 | index + 1 */
};

pj_status pji_pool_init(struct pji_pool *pool, uint32_t n, struct pj_error *err);
void pji_pool_fini(struct pji_pool *pool);

/* len: of name, already checked. PJ_EBUSY: no slot is free. */
pj_status pji_pool_begin(struct pji_pool *pool, const struct pji_platform *platform,
                         const char *name, size_t len, pj_window *window, struct pj_error *err);
pj_status pji_pool_end(struct pji_pool *pool, const struct pji_platform *platform, pj_window window,
                       struct pj_error *err);
pj_status pji_pool_free(struct pji_pool *pool, pj_window window, struct pj_error *err);

/* The slot of a window that has ended; PJ_ESTATE when it has not. Valid until it is freed. */
pj_status pji_pool_ended(struct pji_pool *pool, pj_window window, struct pji_window_slot **slot,
                         struct pj_error *err);

/* Calls visit for each window that has ended. */
void pji_pool_visit_ended(struct pji_pool *pool, void (*visit)(void *, struct pji_window_slot *),
                          void *context);

/* All edges of the windows that exist, unordered; edges_ns holds 2 x pool->n. False when one is
 * just being taken: look again later. */
bool pji_pool_edges(struct pji_pool *pool, int64_t *edges_ns, size_t *n);

#endif
