/* A series that is folded again and again gives every window that still counts to the bit what the
 * whole series gives, whatever the readings did; and a settled value stays. */
#include "feed.h"

#include "core/prng.h"
#include "energy/fold.h"

#include <errno.h>
#include <stdlib.h>

enum { WINDOWS = 12, ROUNDS = 4000 };

struct window {
    bool exists, ended;
    int64_t start_ns, end_ns;
    bool settled;
    double settled_j;
};

struct play {
    struct pji_prng rng;
    struct pji_series whole, folded;
    struct window windows[WINDOWS];
    int64_t now_ns, value, most_points;
    double power_mw;
    bool faults;
    size_t compared, held;
};

static double uniform(struct play *p)
{
    return pji_prng_unit(&p->rng);
}

static int compare_times(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void fold(struct play *p)
{
    int64_t edges[2 * WINDOWS];
    struct pji_fold f = {.edges_ns = edges, .after_ns = p->now_ns};
    for (size_t i = 0; i < WINDOWS; i++) {
        if (p->windows[i].exists) {
            edges[f.n_edges++] = p->windows[i].start_ns;
        }
        if (p->windows[i].exists && p->windows[i].ended) {
            edges[f.n_edges++] = p->windows[i].end_ns;
        }
    }
    qsort(edges, f.n_edges, sizeof edges[0], compare_times);
    pji_series_fold(&p->folded, &f);
    p->most_points = (int64_t)p->folded.n > p->most_points ? (int64_t)p->folded.n : p->most_points;
}

static void compare(struct play *p, struct window *w)
{
    struct pj_energy a, b;
    pji_series_window(&p->whole, NULL, w->start_ns, w->end_ns, &a);
    pji_series_window(&p->folded, NULL, w->start_ns, w->end_ns, &b);
    assert_memory_equal(&a, &b, sizeof a);
    p->compared++;
    if (w->settled && !p->faults && a.origin != PJ_ORIGIN_MISSING) {
        assert_true(a.value_j == w->settled_j);
        p->held++;
    }
    if (pji_series_settled(&p->whole, w->end_ns)) {
        assert_true(pji_series_settled(&p->folded, w->end_ns));
        w->settled = true;
        w->settled_j = a.value_j;
    }
}

static void both(struct play *p, enum pji_reading_status status, int64_t value)
{
    put_status(&p->whole, p->now_ns, status, value);
    put_status(&p->folded, p->now_ns, status, value);
}

/* Time passes, something happens, the channel is read. */
static void step(struct play *p)
{
    int64_t dur_ns = (int64_t)((2 + 18 * uniform(p)) * 1e6);
    double what = uniform(p);
    if (uniform(p) < 0.1) {
        p->power_mw = uniform(p) < 0.2 ? 0 : 300e3 * uniform(p);
    }
    if (p->faults && what < 0.01) {
        dur_ns *= 40; /* readings that did not come */
    }
    p->now_ns += dur_ns;
    if (p->whole.channel.kind == PJI_GAUGE) {
        p->value = (int64_t)p->power_mw;
    } else {
        p->value += (int64_t)(p->power_mw * (double)dur_ns / 1e6);
    }
    if (p->faults && what < 0.03) {
        both(p, PJI_READ_FAILED, EIO);
    } else if (p->faults && what > 0.99) {
        p->value = 0; /* a reset */
        both(p, PJI_READ_OK, p->value);
    } else if (p->faults && what > 0.98) {
        both(p, PJI_READ_OK, p->value + INT64_C(4000000000)); /* a glitch */
    } else {
        both(p, PJI_READ_OK, p->value);
    }
    if (p->faults && what > 0.5 && what < 0.505) {
        pji_series_suspend(&p->whole, 1000 * MS);
        pji_series_suspend(&p->folded, 1000 * MS);
    }
}

static void windows_come_and_go(struct play *p)
{
    for (size_t i = 0; i < WINDOWS; i++) {
        struct window *w = &p->windows[i];
        double what = uniform(p);
        if (!w->exists && what < 0.05) {
            *w = (struct window){.exists = true, .start_ns = p->now_ns + (int64_t)(1e6 * what)};
        } else if (w->exists && !w->ended && what < (i < 2 ? 0.001 : 0.05)) {
            w->ended = true;
            w->end_ns = p->now_ns + (int64_t)(1e6 * uniform(p));
        } else if (w->ended && what < 0.3) {
            compare(p, w);
            w->exists = uniform(p) < 0.7;
            w->ended = w->exists;
        }
    }
}

static void play(const struct pji_channel *channel, bool faults, uint64_t seed)
{
    struct play p = {.faults = faults, .now_ns = 1000 * MS, .power_mw = 50e3};
    pji_prng_init(&p.rng, seed, "fold");
    series_open(&p.whole, channel, true);
    series_open(&p.folded, channel, true);
    for (int i = 0; i < ROUNDS; i++) {
        step(&p);
        windows_come_and_go(&p);
        if (i % 7 == 0) {
            fold(&p);
        }
    }
    assert_true(p.compared > 500);
    assert_true(faults || p.held > 100);
    /* two edges with five points at each side, and the newest */
    assert_true(p.most_points < WINDOWS * 2 * 14 + 20);
    assert_true(p.folded.n_marks <= p.folded.n);
    pji_series_fini(&p.whole);
    pji_series_fini(&p.folded);
}

static void a_counter_keeps_its_windows(void **state)
{
    (void)state;
    struct pji_channel c = counter_channel();
    play(&c, false, 1);
    play(&c, true, 2);
    c.cap_mw = 0; /* bounds are learnt */
    play(&c, true, 3);
}

static void a_slow_counter_that_lags_keeps_its_windows(void **state)
{
    (void)state;
    struct pji_channel c = counter_channel();
    c.refresh_ns = 100 * MS;
    c.lag_ns = 30 * MS;
    c.edge_u_ns = 3 * MS;
    play(&c, false, 4);
    play(&c, true, 5);
}

static void a_power_channel_keeps_its_windows(void **state)
{
    (void)state;
    struct pji_channel c = power_channel();
    play(&c, false, 6);
    c.lag_ns = 25 * MS;
    c.edge_u_ns = 7 * MS;
    play(&c, false, 7);
    play(&c, true, 8);
}

/* ---- settled ---- */

static void a_moving_counter_is_settled_by_the_next_point(void **state)
{
    (void)state;
    struct pji_series s;
    struct pji_channel c = counter_channel();
    series_open(&s, &c, true);
    assert_false(pji_series_settled(&s, 0));
    put(&s, 0, 100);
    put(&s, 100 * MS, 5000100);
    assert_true(pji_series_settled(&s, 100 * MS));
    assert_false(pji_series_settled(&s, 100 * MS + 1));
    put(&s, 101 * MS, 5000100); /* stands: the next step may have begun before this reading */
    assert_false(pji_series_settled(&s, 100 * MS + 1));
    put(&s, 103 * MS, 5000100);
    assert_true(pji_series_settled(&s, 100 * MS + 1));
    pji_series_fini(&s);
}

static void a_failing_channel_is_waited_for_one_second(void **state)
{
    (void)state;
    struct pji_series s;
    struct pji_channel c = counter_channel();
    series_open(&s, &c, true);
    put(&s, 0, 100);
    put(&s, 100 * MS, 5000100);
    put_status(&s, 200 * MS, PJI_READ_FAILED, EIO);
    assert_false(pji_series_settled(&s, 150 * MS));
    put_status(&s, 1300 * MS, PJI_READ_FAILED, EIO);
    assert_true(pji_series_settled(&s, 150 * MS));
    put_status(&s, 1400 * MS, PJI_READ_GONE, ENODEV);
    assert_true(pji_series_settled(&s, 5000 * MS));
    pji_series_fini(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_counter_keeps_its_windows),
        cmocka_unit_test(a_slow_counter_that_lags_keeps_its_windows),
        cmocka_unit_test(a_power_channel_keeps_its_windows),
        cmocka_unit_test(a_moving_counter_is_settled_by_the_next_point),
        cmocka_unit_test(a_failing_channel_is_waited_for_one_second),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
