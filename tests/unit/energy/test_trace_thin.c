/* A trace that keeps only what its windows need gives the same windows and totals as the whole one,
 * to the bit, whatever happened to the readings; and its memory does not grow.
 */
#include "feed.h"

#include "core/prng.h"

#include <errno.h>
#include <stdlib.h>

enum { READINGS = 6000, WINDOWS = 40 };

struct pair {
    struct pji_trace whole, thin;
    int64_t edges_ns[2 * WINDOWS + 1], begin_ns[WINDOWS], end_ns[WINDOWS];
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
    p->edges_ns[2 * WINDOWS] = PJI_TRACE_BEGINNING;
    qsort(p->edges_ns, (size_t)2 * WINDOWS + 1, sizeof p->edges_ns[0], ascending);
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

static void open_both(struct pair *p, const struct pji_channel *channel)
{
    struct pji_channel copy = *channel;
    struct pji_trace_header header = {.channels = &copy, .n_channels = 1};
    p->whole = (struct pji_trace){0};
    p->thin = (struct pji_trace){.thin = true, .edges_ns = p->edges_ns, .n_edges = 2 * WINDOWS + 1};
    assert_int_equal(pji_trace_builder(&p->whole).header(&p->whole, &header, NULL), PJ_OK);
    assert_int_equal(pji_trace_builder(&p->thin).header(&p->thin, &header, NULL), PJ_OK);
}

static void feed_both(struct pair *p, int64_t t_ns, enum pji_reading_status status, int64_t value)
{
    const struct pji_reading reading = {.t_ns = t_ns, .status = status, .value = value};
    assert_int_equal(pji_trace_builder(&p->whole).reading(&p->whole, &reading, NULL), PJ_OK);
    assert_int_equal(pji_trace_builder(&p->thin).reading(&p->thin, &reading, NULL), PJ_OK);
}

/* Readings every 10 ms, with failures, resets, leaps, stalls, gaps and suspends at `fault_rate`. */
static void run(const struct pji_channel *channel, uint64_t seed, unsigned fault_rate)
{
    static struct pair p;
    struct pji_prng prng;
    int64_t t_ns = 0, count = 1000, power_mw = 100000;
    pji_prng_init(&prng, seed, channel->name);
    draw_windows(&p, &prng, READINGS * 10 * MS);
    open_both(&p, channel);
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
            pji_series_suspend(&p.whole.series[0], 5000 * MS);
            pji_series_suspend(&p.thin.series[0], 5000 * MS);
        }
        feed_both(&p, t_ns, fault == 5 ? PJI_READ_FAILED : PJI_READ_OK,
                  fault == 5                     ? EIO
                  : fault == 6                   ? INT64_C(1) << 50
                  : channel->kind == PJI_COUNTER ? count
                                                 : power_mw);
    }
    const struct pji_series *whole = &p.whole.series[0], *thin = &p.thin.series[0];
    struct pj_energy a = total(whole), b = total(thin);
    assert_same(&a, &b);
    for (size_t i = 0; i < WINDOWS; i++) {
        a = window(whole, p.begin_ns[i], p.end_ns[i]);
        b = window(thin, p.begin_ns[i], p.end_ns[i]);
        assert_same(&a, &b);
    }
    assert_true(thin->n < whole->n);
    assert_true(thin->cap <= 4096);
    pji_trace_fini(&p.whole);
    pji_trace_fini(&p.thin);
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
    const int64_t edges_ns[] = {PJI_TRACE_BEGINNING, 5000 * MS, 900000 * MS};
    struct pji_channel c = power_channel();
    struct pji_trace_header header = {.channels = &c, .n_channels = 1};
    struct pji_trace trace = {.thin = true, .edges_ns = edges_ns, .n_edges = 3};
    struct pji_trace_visitor visitor = pji_trace_builder(&trace);
    (void)state;
    assert_int_equal(visitor.header(&trace, &header, NULL), PJ_OK);
    for (int64_t i = 0; i < 1000000; i++) {
        const struct pji_reading reading = {.t_ns = i * MS, .value = 100000 + i % 7};
        assert_int_equal(visitor.reading(&trace, &reading, NULL), PJ_OK);
    }
    assert_true(trace.series[0].cap <= 2048);
    struct pj_energy e = window(&trace.series[0], edges_ns[1], edges_ns[2]);
    assert_near(e.value_j, 895 * 100.003, 0.01);
    pji_trace_fini(&trace);
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
