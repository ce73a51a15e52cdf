/* Windows of a machine whose counters run: values, nesting, threads, many at once, memory. */
#include "session_of.h"

#include "library/session.h"

#include <math.h>
#include <stdlib.h>

static struct live_tree tree;

static struct pj_session *open_session(void)
{
    struct pj_session_options options = {
        .size = sizeof options, .root = tree.dir, .interval_ns = 5 * MS, .measured_only = 1};

    return session_of(&options);
}

/* The tree draws 68 W. The truth is known to what its writer's pauses leave open, at both ends. */
static void assert_power(const struct pj_energy *energy, const struct pj_result *result,
                         double power_w)
{
    double expected_j = power_w * (double)(result->end_ns - result->start_ns) / 1e9;
    double slack_j = 2 * power_w * live_tree_late_s(&tree) + 4 * pj_energy_u(energy);

    assert_true(pj_energy_valid(energy));
    if (fabs(energy->value_j - expected_j) > slack_j)
        fail_msg("%s: %g J +- %g J, expected %g J", result->name, energy->value_j,
                 pj_energy_u(energy), expected_j);
}

static void a_window_has_its_energy_by_domain_and_in_total(void **state)
{
    (void)state;
    struct pj_session *session = open_session();
    double sum_j = 0;
    pj_window window = begin(session, "work");

    pause_ms(200);
    end(session, window);
    struct pj_result *result = result_of(session, window);
    assert_string_equal(result->name, "work");
    assert_power(&result->total, result, 68);
    assert_int_equal(result->total.origin, PJ_ORIGIN_COUNTER);
    assert_true(result->total.u_ind_j > 0);
    for (size_t i = 0; i < result->part_count; i++) {
        const struct pj_part *part = pj_result_part(result, i);

        sum_j += part->in_total ? part->energy.value_j : 0;
        if (strcmp(part->source->name, "rapl:package-1") == 0)
            assert_power(&part->energy, result, 25);
    }
    assert_null(pj_result_part(result, result->part_count));
    assert_true(fabs(sum_j - result->total.value_j) < 1e-9);
    assert_int_equal(result->modelled.origin, PJ_ORIGIN_MISSING);
    pj_result_free(result);
    pj_session_close(session);
}

static void windows_nest_and_overlap(void **state)
{
    (void)state;
    struct pj_session *session = open_session();
    pj_window outer = begin(session, "outer");
    pause_ms(50);
    pj_window inner = begin(session, "inner");
    pause_ms(50);
    pj_window across = begin(session, "across");
    end(session, inner);
    pause_ms(50);
    end(session, outer);
    pause_ms(50);
    end(session, across);
    struct pj_result *a = result_of(session, outer), *b = result_of(session, inner),
                     *c = result_of(session, across);
    assert_power(&a->total, a, 68);
    assert_power(&b->total, b, 68);
    assert_power(&c->total, c, 68);
    assert_true(a->start_ns < b->start_ns && b->start_ns < c->start_ns);
    assert_true(b->end_ns < a->end_ns && a->end_ns < c->end_ns);
    pj_result_free(a);
    pj_result_free(b);
    pj_result_free(c);
    pj_session_close(session);
}

/* What a user does: end, read, go on. A tick must not be waited for. */
static void reading_asks_for_a_reading(void **state)
{
    (void)state;
    struct pj_session_options options = {.size = sizeof options,
                                         .root = tree.dir,
                                         .interval_ns = 3600 * INT64_C(1000000000),
                                         .measured_only = 1};
    struct pj_session *session = session_of(&options);
    pj_window window = begin(session, "hour");

    pause_ms(50);
    end(session, window);
    struct pj_result *result = result_of(session, window);
    assert_power(&result->total, result, 68);
    pj_result_free(result);
    pj_session_close(session);
}

static void not_waiting_gives_what_is_known(void **state)
{
    (void)state;
    struct pj_session_options options = {.size = sizeof options,
                                         .root = tree.dir,
                                         .interval_ns = 3600 * INT64_C(1000000000),
                                         .measured_only = 1};
    struct pj_session *session = session_of(&options);
    struct pj_result *result = NULL;
    pj_window window = begin(session, "w");

    pause_ms(50);
    end(session, window);
    assert_int_equal(pj_window_read(session, window, 0, &result, NULL), PJ_WINDOW_EARLY);
    assert_non_null(result);
    assert_false(pj_energy_valid(&result->total)); /* one reading so far, and no value is 0 */
    assert_true(result->total.reason[0] != '\0');
    pj_result_free(result);
    result = result_of(session, window);
    assert_true(pj_energy_valid(&result->total));
    pj_result_free(result);
    pj_session_close(session);
}

/* ---- threads ---- */

enum { THREADS = 4, ROUNDS = 40 };

struct worker {
    struct pj_session *session;
    pj_window handed; /* begun by this thread, ended by the next */
    size_t wrong;
};

static void *work(void *arg)
{
    struct worker *worker = arg;
    struct pj_result *result = NULL;

    if (pj_window_begin(worker->session, "handed", &worker->handed, NULL))
        worker->wrong++;
    for (int i = 0; i < ROUNDS; i++) {
        pj_window window;

        worker->wrong += pj_window_begin(worker->session, "round", &window, NULL) != PJ_OK;
        worker->wrong += pj_window_end(worker->session, window, NULL) != PJ_OK;
        worker->wrong += pj_window_read(worker->session, window, -1, &result, NULL) != PJ_OK;
        worker->wrong += !result || !pj_energy_valid(&result->total);
        pj_result_free(result);
        worker->wrong += pj_window_free(worker->session, window, NULL) != PJ_OK;
    }
    return NULL;
}

static void threads_measure_side_by_side(void **state)
{
    (void)state;
    struct worker workers[THREADS] = {0};
    pthread_t threads[THREADS];
    struct pj_session *session = open_session();

    for (size_t i = 0; i < THREADS; i++) {
        workers[i].session = session;
        assert_int_equal(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        (void)pthread_join(threads[i], NULL);
        assert_int_equal(workers[i].wrong, 0);
    }
    for (size_t i = 0; i < THREADS; i++) { /* in another thread than it began in */
        end(session, workers[i].handed);
        struct pj_result *result = result_of(session, workers[i].handed);
        assert_string_equal(result->name, "handed");
        assert_power(&result->total, result, 68);
        pj_result_free(result);
    }
    pj_session_close(session);
}

/* ---- many, and long ---- */

static void a_thousand_windows_are_open_at_once(void **state)
{
    (void)state;
    enum { MANY = 1000 };
    pj_window *windows = calloc(MANY, sizeof *windows);
    struct pj_session *session = open_session();

    assert_non_null(windows);
    for (int i = 0; i < MANY; i++)
        windows[i] = begin(session, "many");
    pause_ms(30);
    for (int i = 0; i < MANY; i++)
        end(session, windows[i]);
    for (int i = 0; i < MANY; i++) {
        struct pj_result *result = result_of(session, windows[i]);

        assert_power(&result->total, result, 68);
        pj_result_free(result);
        assert_int_equal(pj_window_free(session, windows[i], NULL), PJ_OK);
    }
    free(windows);
    pj_session_close(session);
}

/* A window that stays open from the first reading on, while thousands of readings come and windows
 * go: the points that are held do not grow, and its energy is still right. */
static void memory_does_not_grow_with_time(void **state)
{
    (void)state;
    struct pj_session_options options = {
        .size = sizeof options, .root = tree.dir, .interval_ns = MS / 2, .measured_only = 1};
    struct pj_session *session = session_of(&options);
    pj_window whole = begin(session, "whole");
    uint64_t readings = 0;
    size_t most = 0, cap = session->trace.series[0].cap;

    while (readings < 4000) {
        pj_window part = begin(session, "part");

        pause_ms(5);
        end(session, part);
        (void)pthread_mutex_lock(&session->lock);
        readings = session->trace.series[0].readings;
        most = session->trace.series[0].n > most ? session->trace.series[0].n : most;
        (void)pthread_mutex_unlock(&session->lock);
        assert_int_equal(pj_window_free(session, part, NULL), PJ_OK);
    }
    assert_true(most <= cap);
    assert_int_equal(session->trace.series[0].cap, cap); /* no memory was taken */
    end(session, whole);
    struct pj_result *result = result_of(session, whole);
    assert_power(&result->total, result, 68);
    pj_result_free(result);
    pj_session_close(session);
}

static int open_tree(void **state)
{
    (void)state;
    live_tree_open(&tree);
    return 0;
}

static int close_tree(void **state)
{
    (void)state;
    live_tree_close(&tree);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_window_has_its_energy_by_domain_and_in_total),
        cmocka_unit_test(windows_nest_and_overlap),
        cmocka_unit_test(reading_asks_for_a_reading),
        cmocka_unit_test(not_waiting_gives_what_is_known),
        cmocka_unit_test(threads_measure_side_by_side),
        cmocka_unit_test(a_thousand_windows_are_open_at_once),
        cmocka_unit_test(memory_does_not_grow_with_time),
    };
    return cmocka_run_group_tests(tests, open_tree, close_tree);
}
