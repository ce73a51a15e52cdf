/* A thinned series gives the same windows and the same total as the whole one, to the bit, whatever
 * happened to the readings; and its memory does not grow.
 */
#include "feed.h"

#include "core/prng.h"

#include <errno.h>
#include <stdlib.h>

enum { READINGS = 6000, WINDOWS = 40 };

struct pair {
    struct pji_series whole, thin;
    int64_t edges_ns[2 * WINDOWS], begin_ns[WINDOWS], end_ns[WINDOWS];
};

static int ascending(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* Windows of all lengths, some reaching beyond the readings, some sharing edges. */
static void draw_windows(struct pair *p, struct pji_prng *prng, int64_t length_ns)
{
    for (size_t i = 0; i < WINDOWS; i++) {
        double long_ns = (double)length_ns * pow(pji_prng_unit(prng), 6);
        p->begin_ns[i] = (int64_t)((double)length_ns * pji_prng_unit(prng)) - 10 * MS;
        p->end_ns[i] = p->begin_ns[i] + (int64_t)long_ns;
        if (i % 5 == 4) {
            p->begin_ns[i] = p->end_ns[i - 1];
            p->end_ns[i] = p->begin_ns[i] + 30 * MS;
        }
        p->edges_ns[2 * i] = p->begin_ns[i];
        p->edges_ns[2 * i + 1] = p->end_ns[i];
    }
    qsort(p->edges_ns, (size_t)2 * WINDOWS, sizeof p->edges_ns[0], ascending);
}

/* The same energy to the bit; struct padding aside. */
static void assert_same(const struct pj_energy *a, const struct pj_energy *b)
{
    assert_memory_equal(&a->value_j, &b->value_j, sizeof a->value_j);
    assert_memory_equal(&a->u_ind_j, &b->u_ind_j, sizeof a->u_ind_j);
    assert_memory_equal(&a->u_com_j, &b->u_com_j, sizeof a->u_com_j);
    assert_int_equal(a->origin, b->origin);
    assert_int_equal(a->quality, b->quality);
    assert_string_equal(a->reason, b->reason);
}

static void feed_both(struct pair *p, int64_t t_ns, enum pji_reading_status status, int64_t value)
{
    put_status(&p->whole, t_ns, status, value);
    put_status(&p->thin, t_ns, status, value);
}

/* Readings every 10 ms, with failures, resets, leaps, stalls, gaps and suspends at `fault_rate`. */
static void run(const struct pji_channel *channel, uint64_t seed, unsigned fault_rate)
{
    static struct pair p;
    struct pji_prng prng;
    int64_t t_ns = 0, count = 1000, power_mw = 100000;
    pji_prng_init(&prng, seed, channel->name);
    draw_windows(&p, &prng, READINGS * 10 * MS);
    series_open(&p.whole, channel, true);
    series_open(&p.thin, channel, true);
    pji_series_thin(&p.thin, p.edges_ns, (size_t)2 * WINDOWS);
    for (int i = 0; i < READINGS; i++) {
        unsigned fault =
            pji_prng_below(&prng, 1000) < fault_rate ? 1 + (unsigned)pji_prng_below(&prng, 6) : 0;
        t_ns += 10 * MS + (int64_t)pji_prng_below(&prng, (uint64_t)MS);
        power_mw = pji_prng_below(&prng, 20) == 0 ? 50000 + (int64_t)pji_prng_below(&prng, 400000)
                                                  : power_mw;
        count += fault == 1 ? 0 : power_mw * 10;
        count = fault == 2 ? 0 : count;
        t_ns += fault == 3 ? 900 * MS : 0;
        if (fault == 4) {
            pji_series_suspend(&p.whole, 5000 * MS);
            pji_series_suspend(&p.thin, 5000 * MS);
        }
        feed_both(&p, t_ns, fault == 5 ? PJI_READ_FAILED : PJI_READ_OK,
                  fault == 5                     ? EIO
                  : fault == 6                   ? INT64_C(1) << 50
                  : channel->kind == PJI_COUNTER ? count
                                                 : power_mw);
    }
    struct pj_energy a = total(&p.whole), b = total(&p.thin);
    assert_same(&a, &b);
    for (size_t i = 0; i < WINDOWS; i++) {
        a = window(&p.whole, p.begin_ns[i], p.end_ns[i]);
        b = window(&p.thin, p.begin_ns[i], p.end_ns[i]);
        assert_same(&a, &b);
    }
    assert_true(p.thin.n < p.whole.n || fault_rate > 100);
    assert_true(p.thin.cap <= 4096);
    pji_series_fini(&p.whole);
    pji_series_fini(&p.thin);
}

static void counters_are_the_same(void **state)
{
    struct pji_channel slow = counter_channel(), plain = counter_channel();
    (void)state;
    slow.refresh_ns = 100 * MS;
    slow.lag_ns = 60 * MS;
    slow.modulus = 0;
    slow.edge_u_ns = 10 * MS;
    for (uint64_t seed = 0; seed < 20; seed++) {
        run(&plain, seed, seed % 2 == 0 ? 0 : 20);
        run(&slow, seed, seed % 2 == 0 ? 0 : 20);
    }
    run(&plain, 99, 600);
}

static void gauges_are_the_same(void **state)
{
    struct pji_channel plain = power_channel(), lagging = power_channel();
    (void)state;
    lagging.lag_ns = 20 * MS;
    lagging.average_ns = 20 * MS;
    lagging.edge_u_ns = 12 * MS;
    for (uint64_t seed = 0; seed < 20; seed++) {
        run(&plain, seed, seed % 2 == 0 ? 0 : 20);
        run(&lagging, seed, seed % 2 == 0 ? 0 : 20);
    }
    run(&lagging, 99, 600);
}

static void memory_does_not_grow(void **state)
{
    struct pji_channel c = power_channel();
    struct pji_series s;
    const int64_t edges_ns[] = {5000 * MS, 900000 * MS};
    (void)state;
    series_open(&s, &c, true);
    pji_series_thin(&s, edges_ns, 2);
    for (int64_t i = 0; i < 1000000; i++) {
        put(&s, i * MS, 100000 + i % 7);
    }
    assert_true(s.cap <= 2048);
    struct pj_energy e = window(&s, edges_ns[0], edges_ns[1]);
    assert_near(e.value_j, 895 * 100.003, 0.01);
    pji_series_fini(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counters_are_the_same),
        cmocka_unit_test(gauges_are_the_same),
        cmocka_unit_test(memory_does_not_grow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
