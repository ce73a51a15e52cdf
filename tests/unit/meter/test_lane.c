/* The slow lane: nobody waits who does not want to, nothing is lost silently. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/units.h"
#include "meter/lane.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <time.h>

static const int64_t never_ns = 3600 * PJI_NS_PER_S, soon_ns = PJI_NS_PER_MS;
static const int64_t patience_ns = 20 * PJI_NS_PER_S; /* for what must happen */

/* A source whose reads pass only while the gate is open; it puts `burst` readings each, numbered.
 */
struct gated {
    pthread_mutex_t lock;
    pthread_cond_t change;
    bool open, entered;
    int64_t next;
    size_t burst;
    uint64_t reads, edges;
    pj_status status;
    bool all_blocked; /* signals */
};

static pj_status read_gated(void *state, struct pji_reading_sink *sink, struct pj_error *err)
{
    struct gated *gated = state;
    sigset_t mask;
    (void)pthread_sigmask(SIG_SETMASK, NULL, &mask);
    (void)pthread_mutex_lock(&gated->lock);
    gated->all_blocked = sigismember(&mask, SIGINT) == 1 && sigismember(&mask, SIGTERM) == 1;
    gated->entered = true;
    (void)pthread_cond_broadcast(&gated->change);
    while (!gated->open)
        (void)pthread_cond_wait(&gated->change, &gated->lock);
    gated->reads++;
    gated->edges += sink->edge;
    for (size_t i = 0; i < gated->burst; i++, gated->next++)
        pji_reading_put(sink, 0, gated->next, PJI_READ_OK, gated->next);
    pj_status status = gated->status;
    (void)pthread_mutex_unlock(&gated->lock);
    return status ? pji_fail(err, status, "the source says no") : PJ_OK;
}

static const struct pji_source_ops gated_ops = {
    .name = "gated", .about = "test", .state_size = 1, .burst = 8, .read = read_gated};

static void init(struct gated *gated, bool open, size_t burst)
{
    memset(gated, 0, sizeof *gated);
    (void)pthread_mutex_init(&gated->lock, NULL);
    (void)pthread_cond_init(&gated->change, NULL);
    gated->open = open;
    gated->burst = burst;
}

static void set_gate(struct gated *gated, bool open)
{
    (void)pthread_mutex_lock(&gated->lock);
    gated->open = open;
    (void)pthread_cond_broadcast(&gated->change);
    (void)pthread_mutex_unlock(&gated->lock);
}

static void wait_entered(struct gated *gated)
{
    (void)pthread_mutex_lock(&gated->lock);
    while (!gated->entered)
        (void)pthread_cond_wait(&gated->change, &gated->lock);
    (void)pthread_mutex_unlock(&gated->lock);
}

static struct pji_lane *open_lane(struct gated *gated, int64_t period_ns)
{
    struct pji_lane *lane = NULL;
    assert_int_equal(pji_lane_open(&lane, &gated_ops, gated, 1, 7, period_ns, NULL), PJ_OK);
    return lane;
}

static void a_stuck_read_delays_nobody(void **state)
{
    struct gated gated;
    struct pji_reading readings[64];
    struct pji_reading_sink sink = {.readings = readings, .cap = 64};
    (void)state;
    init(&gated, false, 3);
    struct pji_lane *lane = open_lane(&gated, never_ns);
    pji_lane_ask(lane);
    wait_entered(&gated);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(pji_lane_take(lane, &sink, NULL), PJ_OK);
    assert_int_equal(sink.n, 0);
    assert_int_equal(pji_lane_wait(lane, soon_ns), PJI_LANE_LATE);
    set_gate(&gated, true);
    assert_int_equal(pji_lane_wait(lane, patience_ns), PJ_OK);
    assert_int_equal(pji_lane_take(lane, &sink, NULL), PJ_OK);
    assert_int_equal(sink.n, 3);
    assert_int_equal(gated.edges, 1);
    assert_true(gated.all_blocked);
    assert_int_equal(pji_lane_close(lane, patience_ns), PJ_OK);
}

static void an_edge_is_read_after_it_was_asked_for(void **state)
{
    struct gated gated;
    struct pji_reading readings[64];
    struct pji_reading_sink sink = {.readings = readings, .cap = 64};
    (void)state;
    init(&gated, false, 1);
    struct pji_lane *lane = open_lane(&gated, soon_ns);
    wait_entered(&gated); /* a read of the schedule is under way, and began before the question */
    pji_lane_ask(lane);
    set_gate(&gated, true);
    assert_int_equal(pji_lane_wait(lane, patience_ns), PJ_OK);
    assert_true(gated.reads >= 2);
    assert_int_equal(gated.edges, 1);
    assert_int_equal(pji_lane_take(lane, &sink, NULL), PJ_OK);
    assert_true(sink.n >= 2);
    assert_int_equal(pji_lane_close(lane, patience_ns), PJ_OK);
}

static void the_schedule_runs_by_itself(void **state)
{
    struct gated gated;
    struct pji_reading readings[64];
    struct pji_reading_sink sink = {.readings = readings, .cap = 64};
    (void)state;
    init(&gated, true, 1);
    struct pji_lane *lane = open_lane(&gated, soon_ns);
    while (sink.n < 40)
        assert_int_equal(pji_lane_take(lane, &sink, NULL), PJ_OK);
    assert_int_equal(pji_lane_close(lane, patience_ns), PJ_OK);
    for (size_t i = 1; i < sink.n; i++) /* a test that sleeps may find some dropped, not mixed up */
        assert_true(readings[i].value > readings[i - 1].value);
    assert_int_equal(gated.edges, 0);
}

static void a_full_ring_drops_and_says_so(void **state)
{
    struct gated gated;
    struct pji_reading readings[64];
    struct pji_reading_sink sink = {.readings = readings, .cap = 64};
    (void)state;
    init(&gated, true, 8); /* the ring holds 4 such reads */
    struct pji_lane *lane = open_lane(&gated, never_ns);
    for (int i = 0; i < 6; i++) {
        pji_lane_ask(lane);
        assert_int_equal(pji_lane_wait(lane, patience_ns), PJ_OK);
    }
    assert_int_equal(pji_lane_take(lane, &sink, NULL), PJ_OK);
    assert_int_equal(sink.n, 32);
    assert_int_equal(sink.dropped, 16);
    for (size_t i = 0; i < sink.n; i++) {
        assert_int_equal(readings[i].value, i);
        assert_int_equal(readings[i].channel, 7);
    }
    assert_int_equal(pji_lane_take(lane, &sink, NULL), PJ_OK);
    assert_int_equal(sink.dropped, 16); /* told once */
    assert_int_equal(pji_lane_close(lane, patience_ns), PJ_OK);
}

static void a_small_sink_takes_the_rest_later(void **state)
{
    struct gated gated;
    struct pji_reading readings[5];
    int64_t expected = 0;
    (void)state;
    init(&gated, true, 8);
    struct pji_lane *lane = open_lane(&gated, never_ns);
    pji_lane_ask(lane);
    assert_int_equal(pji_lane_wait(lane, patience_ns), PJ_OK);
    for (int i = 0; i < 3; i++) {
        struct pji_reading_sink sink = {.readings = readings, .cap = 5};
        assert_int_equal(pji_lane_take(lane, &sink, NULL), PJ_OK);
        for (size_t k = 0; k < sink.n; k++)
            assert_int_equal(readings[k].value, expected++);
        assert_int_equal(sink.dropped, 0);
    }
    assert_int_equal(expected, 8);
    assert_int_equal(pji_lane_close(lane, patience_ns), PJ_OK);
}

static void a_failed_read_is_told_once_and_ends_the_lane(void **state)
{
    struct gated gated;
    struct pji_reading readings[64];
    struct pji_reading_sink sink = {.readings = readings, .cap = 64};
    struct pj_error err = {0};
    (void)state;
    init(&gated, true, 1);
    gated.status = PJ_ESTATE;
    struct pji_lane *lane = open_lane(&gated, never_ns);
    pji_lane_ask(lane);
    assert_int_equal(pji_lane_wait(lane, patience_ns), PJ_OK);
    pji_lane_ask(lane);
    assert_int_equal(pji_lane_wait(lane, patience_ns), PJ_OK); /* nobody will answer */
    assert_int_equal(pji_lane_take(lane, &sink, &err), PJ_ESTATE);
    assert_string_equal(err.text, "the source says no");
    assert_int_equal(sink.n, 1); /* what it had read before */
    assert_int_equal(pji_lane_take(lane, &sink, NULL), PJ_OK);
    assert_int_equal(gated.reads, 1);
    assert_int_equal(pji_lane_close(lane, patience_ns), PJ_OK);
}

static void a_hung_library_is_left_behind(void **state)
{
    static struct gated gated;
    static struct pji_lane *lane; /* stays, as a caller must let it */
    (void)state;
    init(&gated, false, 1);
    lane = open_lane(&gated, never_ns);
    pji_lane_ask(lane);
    wait_entered(&gated);
    assert_int_equal(pji_lane_close(lane, soon_ns), PJI_LANE_LATE);
    set_gate(&gated, true);
}

static void an_idle_lane_closes_at_once(void **state)
{
    struct gated gated;
    (void)state;
    init(&gated, true, 1);
    assert_int_equal(pji_lane_close(open_lane(&gated, never_ns), patience_ns), PJ_OK);
    assert_int_equal(gated.reads, 0);
    assert_int_equal(pji_lane_close(NULL, 0), PJ_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stuck_read_delays_nobody),
        cmocka_unit_test(an_edge_is_read_after_it_was_asked_for),
        cmocka_unit_test(the_schedule_runs_by_itself),
        cmocka_unit_test(a_full_ring_drops_and_says_so),
        cmocka_unit_test(a_small_sink_takes_the_rest_later),
        cmocka_unit_test(a_failed_read_is_told_once_and_ends_the_lane),
        cmocka_unit_test(a_hung_library_is_left_behind),
        cmocka_unit_test(an_idle_lane_closes_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
