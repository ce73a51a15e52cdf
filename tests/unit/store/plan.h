/* A small study in a store: two factors, four trials. Shared by the tests of this room. */
#ifndef TEST_STORE_PLAN_H
#define TEST_STORE_PLAN_H

#include "store/store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* must(f(x, ERR)) fails the test with the message of the error. */
#define ERR (&must_err)
#define must(call)                                                                                 \
    do {                                                                                           \
        struct pj_error must_err = {0};                                                            \
        pj_status st_ = (call);                                                                    \
        if (st_)                                                                                   \
            fail_msg("%s: %d %s", #call, st_, must_err.text);                                      \
    } while (0)

static inline void add_plan(struct pji_store *store)
{
    static const char *const size[] = {"1", "3B"}, *const mode[] = {"2.0", "2"};
    must(pji_store_begin(store, ERR));
    must(pji_store_add_factor(store, "size", size, 2, ERR));
    must(pji_store_add_factor(store, "mode", mode, 2, ERR));
    for (int i = 0; i < 4; i++) {
        const char *levels[] = {size[i / 2], mode[i % 2]};
        struct pji_trial t = {.id = i + 1,
                              .cell = i,
                              .block = 1,
                              .repetition = 1,
                              .state = PJI_TRIAL_PLANNED,
                              .levels = levels};
        must(pji_store_add_trial(store, &t, ERR));
    }
    must(pji_store_commit(store, ERR));
}

/* A new store below `parent`, with the plan; dir gets its path. */
static inline struct pji_store *make_store(const char *parent, char *dir, size_t size)
{
    struct pji_store *store = NULL;
    snprintf(dir, size, "%s/study", parent);
    must(pji_store_create(&store, dir, NULL, ERR));
    add_plan(store);
    return store;
}

static inline int64_t start(struct pji_store *store, int64_t trial)
{
    int64_t attempt = 0;
    must(pji_store_start_attempt(store, trial, "nonce", 100, 1000, &attempt, ERR));
    return attempt;
}

#endif
