/* Handles, generations and the free stack, also under many threads. */
#include "session_of.h"

#include "library/pool.h"

#include <stdlib.h>

enum { THREADS = 4, ROUNDS = 20000, HELD = 8, ALL = THREADS * HELD };

static struct pji_platform platform;

static pj_window start(struct pji_pool *pool)
{
    struct pj_error err = {0};
    pj_window window;

    assert_int_equal(pji_pool_begin(pool, &platform, "w", 1, &window, &err), PJ_OK);
    return window;
}

static void a_handle_dies_with_its_window(void **state)
{
    (void)state;
    struct pji_pool pool = {0};
    struct pj_error err = {0};

    assert_int_equal(pji_pool_init(&pool, 2, &err), PJ_OK);
    pj_window a = start(&pool), b = start(&pool), c = 0;
    assert_true(a != b && a != 0 && b != 0);
    assert_int_equal(pji_pool_begin(&pool, &platform, "w", 1, &c, &err), PJ_EBUSY);
    assert_non_null(strstr(err.text, "max_windows"));
    err = (struct pj_error){0};
    assert_int_equal(pji_pool_free(&pool, a, &err), PJ_OK);
    assert_int_equal(pji_pool_free(&pool, a, &err), PJ_EINVAL);
    c = start(&pool); /* the same slot, another window */
    assert_true(c != a);
    assert_int_equal(pji_pool_end(&pool, &platform, a, NULL), PJ_EINVAL);
    assert_int_equal(pji_pool_end(&pool, &platform, c, NULL), PJ_OK);
    assert_int_equal(pji_pool_end(&pool, &platform, c, NULL), PJ_ESTATE);
    const pj_window wrong[] = {0, 1, 3, UINT64_MAX, c + 1, c ^ (UINT64_C(1) << 40)};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_int_equal(pji_pool_end(&pool, &platform, wrong[i], NULL), PJ_EINVAL);
    pji_pool_fini(&pool);
}

static void edges_are_those_of_windows_that_exist(void **state)
{
    (void)state;
    struct pji_pool pool = {0};
    struct pji_window_slot *slot = NULL;
    int64_t edges_ns[6];
    size_t n;

    assert_int_equal(pji_pool_init(&pool, 3, NULL), PJ_OK);
    pj_window a = start(&pool), b = start(&pool), c = start(&pool);
    assert_int_equal(pji_pool_ended(&pool, a, &slot, NULL), PJ_ESTATE);
    assert_int_equal(pji_pool_end(&pool, &platform, a, NULL), PJ_OK);
    assert_int_equal(pji_pool_free(&pool, c, NULL), PJ_OK);
    assert_true(pji_pool_edges(&pool, edges_ns, &n));
    assert_int_equal(n, 3);
    assert_int_equal(pji_pool_ended(&pool, a, &slot, NULL), PJ_OK);
    assert_true(edges_ns[0] == slot->start_ns && edges_ns[1] == slot->end_ns);
    assert_true(slot->start_ns <= slot->end_ns && edges_ns[2] <= slot->end_ns);
    /* one that is just beginning is not overlooked */
    atomic_store(&pool.slots[1].tag, (UINT64_C(1) << 8) | PJI_SLOT_BEGINNING);
    assert_false(pji_pool_edges(&pool, edges_ns, &n));
    (void)b;
    pji_pool_fini(&pool);
}

struct worker {
    struct pji_pool *pool;
    size_t busy, wrong;
};

/* Begins, ends and frees; each window is this thread's alone as long as it exists. */
static void *work(void *arg)
{
    struct worker *worker = arg;
    pj_window held[HELD] = {0};

    for (size_t i = 0; i < ROUNDS; i++) {
        pj_window *window = &held[i % HELD];

        if (*window) {
            worker->wrong += pji_pool_end(worker->pool, &platform, *window, NULL) != PJ_OK;
            worker->wrong += pji_pool_end(worker->pool, &platform, *window, NULL) != PJ_ESTATE;
            worker->wrong += pji_pool_free(worker->pool, *window, NULL) != PJ_OK;
            worker->wrong += pji_pool_free(worker->pool, *window, NULL) != PJ_EINVAL;
        }
        worker->busy += pji_pool_begin(worker->pool, &platform, "", 0, window, NULL) != PJ_OK;
    }
    for (size_t i = 0; i < HELD; i++)
        worker->wrong += held[i] && pji_pool_free(worker->pool, held[i], NULL) != PJ_OK;
    return NULL;
}

static void threads_never_share_a_window(void **state)
{
    (void)state;
    struct pji_pool pool = {0};
    struct worker workers[THREADS] = {0};
    pthread_t threads[THREADS];

    assert_int_equal(pji_pool_init(&pool, ALL, NULL), PJ_OK);
    for (size_t i = 0; i < THREADS; i++) {
        workers[i].pool = &pool;
        assert_int_equal(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        (void)pthread_join(threads[i], NULL);
        assert_int_equal(workers[i].busy, 0);
        assert_int_equal(workers[i].wrong, 0);
    }
    for (size_t i = 0; i < ALL; i++) /* every slot came back */
        (void)start(&pool);
    pji_pool_fini(&pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_handle_dies_with_its_window),
        cmocka_unit_test(edges_are_those_of_windows_that_exist),
        cmocka_unit_test(threads_never_share_a_window),
    };
    if (pji_platform_open_real(&platform, NULL, NULL))
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
