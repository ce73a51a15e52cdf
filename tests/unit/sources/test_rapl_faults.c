/* Every fault of a counter, made where it happens: in the files that the instrument reads, or in
 * the clocks, while a real meter samples them. Two packages with different moduli and a known
 * truth.
 *
 * Whatever comes, the energy is never negative, its error is at most that of the stretches that had
 * to be bridged, the quality says so, and the interval covers.
 *
 * fault                                        shown here by (single faults: energy/test_counter.c)
 *   wrap, several moduli and zones             wraps_of_two_zones, random_faults
 *   a gap in which more than one wrap fits     a_gap_of_several_wraps_is_flagged, random_faults
 *   reset, driver reload                       FAULT_RESET; FAULT_GONE (its files vanish)
 *   backwards step                             FAULT_BACK
 *   stall, that catches up or loses            FAULT_STALL, FAULT_LOSS
 *   sentinel, NaN, garbage                     FAULT_SENTINEL, FAULT_NAN, FAULT_EMPTY
 *   EIO for a while                            FAULT_EIO
 *   ENODEV                                     FAULT_GONE
 *   value above the cap times the time         FAULT_JUMP
 *   suspend (BOOTTIME runs on)                 FAULT_SUSPEND
 *   wall-clock step                            FAULT_WALL
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "rig.h"

#include "core/prng.h"
#include "core/units.h"
#include "sources/table.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static const struct pji_source_ops *const rapl[] = {&pji_source_rapl_powercap, NULL};

enum { SECONDS = 20, RUNS = 1500, ZONES = 2 };

#define START_NS (1000 * PJI_NS_PER_S) /* the script's clock begins here */
#define TICK_NS  (100 * PJI_NS_PER_MS)
#define CAP_W    500.0
#define QUANTUM  61

enum fault {
    FAULT_NONE,
    FAULT_RESET,
    FAULT_BACK,
    FAULT_JUMP,
    FAULT_STALL,
    FAULT_LOSS,
    FAULT_SENTINEL,
    FAULT_NAN,
    FAULT_EMPTY,
    FAULT_EIO,
    FAULT_GAP,
    FAULT_SUSPEND,
    FAULT_WALL,
    FAULT_GONE,
    FAULTS
};

struct zone {
    double truth_uj[SECONDS * 100 + 1]; /* each 10 ms */
    double extra_uj;                    /* while the machine slept */
    int64_t base_uj, range_uj;          /* shown = truth + extra + base, modulo range */
    int64_t stuck_uj;                   /* < 0: it runs */
    enum fault now;                     /* how the next reads go wrong */
};

static double truth_at(const struct zone *z, int64_t t_ns)
{
    double x = (double)(t_ns - START_NS) / 1e7;
    size_t i = x > 0 ? (size_t)x : 0;

    i = i < SECONDS * 100 ? i : SECONDS * 100 - 1;
    return z->truth_uj[i] + (z->truth_uj[i + 1] - z->truth_uj[i]) * (x - (double)i) + z->extra_uj;
}

static int64_t counted(const struct zone *z, int64_t t_ns)
{
    int64_t count = (int64_t)truth_at(z, t_ns - t_ns % PJI_NS_PER_MS) / QUANTUM * QUANTUM;
    int64_t modulus = z->range_uj + QUANTUM;
    int64_t value = (count + z->base_uj) % modulus;

    return value < 0 ? value + modulus : value;
}

static int show(void *arg, int64_t t_ns, char *text, size_t size)
{
    const struct zone *z = arg;

    if (z->now == FAULT_EIO)
        return -EIO;
    if (z->now == FAULT_SENTINEL)
        (void)snprintf(text, size, "18446744073709551615\n");
    else if (z->now == FAULT_NAN)
        (void)snprintf(text, size, "nan\n");
    else if (z->now == FAULT_EMPTY)
        (void)snprintf(text, size, "\n");
    else
        (void)snprintf(text, size, "%lld\n",
                       (long long)(z->stuck_uj >= 0 ? z->stuck_uj : counted(z, t_ns)));
    return 0;
}

static void draw(struct zone *z, struct pji_prng *prng)
{
    double power_w = 100;

    for (int i = 0; i < SECONDS * 100; i++) {
        if (pji_prng_below(prng, 40) == 0)
            power_w = 20 + 430 * pji_prng_unit(prng);
        z->truth_uj[i + 1] = z->truth_uj[i] + power_w * 1e4;
    }
}

static const char *path_of(size_t zone, char path[96])
{
    (void)snprintf(path, 96, "/sys/class/powercap/intel-rapl:%zu", zone);
    return path;
}

static void put_zone(struct scripted *s, size_t number, struct zone *z)
{
    char id[24], name[24], path[96], file[128];

    (void)snprintf(id, sizeof id, "intel-rapl:%zu", number);
    (void)snprintf(name, sizeof name, "package-%zu", number);
    rig_zone(s, id, name, 0, z->range_uj);
    (void)snprintf(file, sizeof file, "%s/constraint_0_max_power_uw", path_of(number, path));
    scripted_file(s, file, "50000000\n"); /* the cap is ten times that */
    (void)snprintf(file, sizeof file, "%s/energy_uj", path);
    scripted_computed(s, file, show, z);
    z->stuck_uj = -1;
}

/* ---- one run ---- */

struct run {
    struct scripted *s;
    struct rig rig;
    struct pji_prng prng;
    struct zone zones[ZONES];
    double bridged_j[ZONES], start_uj[ZONES], good_uj[ZONES]; /* truth at the last good reading */
    int64_t t_ns, good_ns[ZONES];                             /* now; last good reading */
    int64_t slept_ns[ZONES];                                  /* since then */
    bool gone[ZONES];
    unsigned faults;
};

static int64_t now_ns(const struct run *r)
{
    return pji_now_ns(scripted_platform(r->s));
}

static bool tick(struct run *r)
{
    scripted_advance_ns(r->s, TICK_NS + (int64_t)pji_prng_below(&r->prng, TICK_NS / 10));
    r->t_ns = now_ns(r);
    return r->t_ns < START_NS + (SECONDS - 2) * PJI_NS_PER_S;
}

static void read_all(struct run *r)
{
    rig_read(&r->rig);
    for (size_t i = 0; i < ZONES; i++) {
        if (!r->gone[i] && r->zones[i].now == FAULT_NONE && r->zones[i].stuck_uj < 0) {
            r->good_ns[i] = r->t_ns;
            r->good_uj[i] = truth_at(&r->zones[i], r->t_ns);
            r->slept_ns[i] = 0;
        }
    }
}

static double most_j(int64_t dur_ns)
{
    return CAP_W * (double)dur_ns / 1e9;
}

/* The count moves by something that is no energy, and stays there. */
static void rebase(struct run *r, size_t i, enum fault fault)
{
    struct zone *z = &r->zones[i];
    int64_t before_ns = r->good_ns[i] - r->slept_ns[i], last_uj = counted(z, r->good_ns[i]), value;

    if (!tick(r))
        return;
    value = counted(z, r->t_ns);
    if (fault == FAULT_RESET)
        z->base_uj -= value - (int64_t)pji_prng_below(&r->prng, 100000);
    else if (fault == FAULT_BACK)
        z->base_uj -= value - last_uj + 5000000 + (int64_t)pji_prng_below(&r->prng, 60000000);
    else
        z->base_uj += (int64_t)(1e6 * most_j(3 * PJI_NS_PER_S) * (2 + pji_prng_unit(&r->prng)));
    read_all(r);
    if (tick(r))
        read_all(r);
    r->bridged_j[i] += 2 * most_j(r->t_ns - before_ns);
}

static void stall(struct run *r, size_t i, bool lost)
{
    struct zone *z = &r->zones[i];
    int64_t begin_ns = r->t_ns, until_ns = begin_ns + 2500 * PJI_NS_PER_MS +
                                           (int64_t)pji_prng_below(&r->prng, 2 * PJI_NS_PER_S);

    read_all(r); /* the last good one */
    z->stuck_uj = counted(z, r->t_ns);
    while (r->t_ns < until_ns && tick(r))
        read_all(r);
    if (lost)
        z->base_uj -= counted(z, r->t_ns) - z->stuck_uj;
    z->stuck_uj = -1;
    r->bridged_j[i] += lost ? most_j(r->t_ns - begin_ns) : 0;
}

/* Some reads go wrong; a counter loses nothing by that, unless more than one wrap fits. */
static void bad_reads(struct run *r, size_t i, enum fault fault)
{
    struct zone *z = &r->zones[i];
    int64_t begin_ns = r->t_ns - r->slept_ns[i];
    uint64_t n = 1 + pji_prng_below(&r->prng, 30);

    z->now = fault;
    for (uint64_t k = 0; k < n && tick(r); k++)
        read_all(r);
    z->now = FAULT_NONE;
    if (most_j(r->t_ns - begin_ns + TICK_NS) > (double)z->range_uj / 1e6)
        r->bridged_j[i] += most_j(r->t_ns - begin_ns + TICK_NS);
}

static void nobody_reads(struct run *r)
{
    int64_t begin_ns = r->t_ns, span_ns = (int64_t)pji_prng_below(&r->prng, 5 * PJI_NS_PER_S);

    if (r->t_ns + span_ns > START_NS + (SECONDS - 3) * PJI_NS_PER_S)
        return;
    scripted_advance_ns(r->s, span_ns);
    r->t_ns = now_ns(r);
    for (size_t i = 0; i < ZONES; i++) {
        if (most_j(span_ns + 2 * TICK_NS) > (double)r->zones[i].range_uj / 1e6)
            r->bridged_j[i] += most_j(r->t_ns - begin_ns + 2 * TICK_NS);
    }
}

/* The machine sleeps; its packages draw a little meanwhile, which their counters may show. */
static void sleep_some(struct run *r)
{
    int64_t dur_ns = PJI_NS_PER_S + (int64_t)pji_prng_below(&r->prng, 3 * PJI_NS_PER_S);

    scripted_suspend_ns(r->s, dur_ns);
    for (size_t i = 0; i < ZONES; i++) {
        r->slept_ns[i] += dur_ns;
        if (!r->gone[i])
            r->zones[i].extra_uj +=
                (double)(int64_t)(pji_prng_unit(&r->prng) * 5 * (double)dur_ns / 1e3);
    }
}

static void vanish(struct run *r, size_t i)
{
    char path[96];

    scripted_remove(r->s, path_of(i, path));
    r->gone[i] = true;
}

static void make_fault(struct run *r, enum fault fault)
{
    size_t i = pji_prng_below(&r->prng, ZONES);
    bool stalls = fault == FAULT_STALL || fault == FAULT_LOSS;

    if (r->gone[i] || (stalls && r->t_ns > START_NS + (SECONDS - 8) * PJI_NS_PER_S))
        return; /* a stall that the end cuts short cannot be told from an idle device */
    if (fault == FAULT_JUMP && r->zones[i].range_uj < 10000000000)
        return; /* a jump over the whole range cannot be told from a small step */
    r->faults |= 1u << fault;
    switch (fault) {
    case FAULT_RESET:
    case FAULT_BACK:
    case FAULT_JUMP:
        rebase(r, i, fault);
        break;
    case FAULT_STALL:
    case FAULT_LOSS:
        stall(r, i, fault == FAULT_LOSS);
        break;
    case FAULT_SENTINEL:
    case FAULT_NAN:
    case FAULT_EMPTY:
    case FAULT_EIO:
        bad_reads(r, i, fault);
        break;
    case FAULT_GAP:
        nobody_reads(r);
        break;
    case FAULT_SUSPEND:
        sleep_some(r);
        break;
    case FAULT_WALL:
        scripted_set_ns(r->s, PJI_CLOCK_REALTIME,
                        (int64_t)pji_prng_below(&r->prng, INT64_C(4000000000000000000)));
        break;
    case FAULT_GONE:
        vanish(r, i);
        break;
    case FAULT_NONE:
    case FAULTS:
        break;
    }
}

static void open_run(struct run *r, uint64_t number)
{
    static const int64_t ranges_uj[] = {262143328850, 65532610987, 3000000000};

    *r = (struct run){.s = scripted_new()};
    pji_prng_init(&r->prng, number, "faults at the seam");
    for (size_t i = 0; i < ZONES; i++) {
        struct zone *z = &r->zones[i];

        draw(z, &r->prng);
        z->range_uj = ranges_uj[(number + i) % 3];
        z->base_uj = (int64_t)(pji_prng_unit(&r->prng) * (double)z->range_uj);
        put_zone(r->s, i, z);
    }
    rig_open(&r->rig, r->s, rapl);
    scripted_advance_ns(r->s, PJI_NS_PER_S);
    r->t_ns = now_ns(r);
    for (size_t i = 0; i < ZONES; i++)
        r->start_uj[i] = truth_at(&r->zones[i], r->t_ns);
    read_all(r);
}

struct tally {
    int n, covered, marked;
};

static void judge(struct run *r, uint64_t number, struct tally *tally)
{
    static const char *const names[ZONES] = {"rapl:package-0", "rapl:package-1"};
    const double stale_j = 2 * 450 * 1e-3 + 2e-6 * QUANTUM;

    for (size_t i = 0; i < ZONES; i++) {
        struct pj_energy e = rig_total(&r->rig, names[i]);

        if (r->gone[i] && e.origin == PJ_ORIGIN_MISSING) { /* before it was read twice */
            assert_true(r->good_uj[i] == r->start_uj[i] && e.reason[0] != '\0');
            continue;
        }

        double exact_j = (r->good_uj[i] - r->start_uj[i]) / 1e6;
        double error_j = e.value_j - exact_j;
        bool fits = e.origin == PJ_ORIGIN_COUNTER && e.value_j >= 0 && isfinite(e.u_ind_j) &&
                    fabs(error_j) <= r->bridged_j[i] + stale_j &&
                    (fabs(error_j) <= stale_j || e.quality != 0) &&
                    (!r->gone[i] || (e.quality & PJ_QUALITY_PARTIAL) != 0);
        if (!fits)
            print_error("run %d, %s: %g J, error %g, bridged %g, u %g, quality %x, faults %x\n",
                        (int)number, names[i], e.value_j, error_j, r->bridged_j[i], e.u_ind_j,
                        e.quality, r->faults);
        assert_true(fits);
        tally->n++;
        tally->covered += fabs(error_j) <= 1.96 * e.u_ind_j;
        tally->marked += e.quality != 0;
    }
}

static void one_run(uint64_t number, enum fault only, struct tally *tally)
{
    struct run r;
    int left = 4;

    open_run(&r, number);
    while (tick(&r)) {
        if (left > 0 && pji_prng_below(&r.prng, 25) == 0) {
            left--;
            make_fault(&r, only != FAULT_NONE
                               ? only
                               : (enum fault)(1 + pji_prng_below(&r.prng, FAULTS - 1)));
        } else {
            read_all(&r);
        }
    }
    /* the end is read well: what fails there is bridged (energy/test_counter.c) */
    read_all(&r);
    judge(&r, number, tally);
    rig_close(&r.rig);
    assert_int_equal(scripted_open_handles(r.s), 0);
    scripted_free(r.s);
}

static void random_faults(void **state)
{
    struct tally tally = {0};

    (void)state;
    for (uint64_t i = 0; i < RUNS; i++)
        one_run(i, FAULT_NONE, &tally);
    print_message("# covered %d of %d, marked %d\n", tally.covered, tally.n, tally.marked);
    assert_true(tally.covered >= 0.93 * tally.n);
    assert_true(tally.marked > tally.n / 2);
}

/* Each word of the list alone, some times over. */
static void each_fault_alone(void **state)
{
    (void)state;
    for (int fault = 1; fault < FAULTS; fault++) {
        struct tally tally = {0};

        for (uint64_t i = 0; i < 15; i++)
            one_run(1000 + i, (enum fault)fault, &tally);
        print_message("# fault %d: covered %d of %d, marked %d\n", fault, tally.covered, tally.n,
                      tally.marked);
        assert_true(tally.covered >= 0.85 * tally.n);
    }
}

/* Two zones of 3 kJ and 65 kJ, wrapping when each of them is due. */
static void wraps_of_two_zones(void **state)
{
    (void)state;
    for (uint64_t number = 1; number < 30; number += 3) {
        struct run r;
        struct tally tally = {0};

        open_run(&r, number);
        while (tick(&r))
            read_all(&r);
        judge(&r, number, &tally);
        assert_int_equal(r.zones[1].range_uj, 3000000000);
        if (truth_at(&r.zones[1], r.good_ns[1]) > 3.1e9)
            assert_true(rig_total(&r.rig, "rapl:package-1").quality & PJ_QUALITY_WRAP);
        rig_close(&r.rig);
        scripted_free(r.s);
    }
}

/* 11 s without a reading, at up to 500 W: a range of 3 kJ may have wrapped once more. */
static void a_gap_of_several_wraps_is_flagged(void **state)
{
    int flagged = 0, other = 0;

    (void)state;
    for (uint64_t number = 1; number < 120; number += 3) {
        struct run r;
        struct pj_energy e;
        double exact_j, rest_j, before_uj;
        bool ambiguous;

        open_run(&r, number);
        while (r.t_ns < START_NS + 5 * PJI_NS_PER_S && tick(&r))
            read_all(&r);
        before_uj = truth_at(&r.zones[1], r.good_ns[1]);
        scripted_advance_ns(r.s, 11 * PJI_NS_PER_S);
        r.t_ns = now_ns(&r);
        read_all(&r);
        rest_j = fmod((truth_at(&r.zones[1], r.t_ns) - before_uj) / 1e6, 3000);
        while (tick(&r))
            read_all(&r);
        e = rig_total(&r.rig, "rapl:package-1");
        exact_j = (truth_at(&r.zones[1], r.good_ns[1]) - r.start_uj[1]) / 1e6;
        ambiguous = (e.quality & PJ_QUALITY_AMBIGUOUS) != 0;
        assert_true(e.value_j >= 0);
        /* 5.5 kJ are possible in that time: with what is left over, another 3 kJ or not */
        assert_true(rest_j < 2490 ? ambiguous : rest_j > 2610 ? !ambiguous : true);
        assert_true(!ambiguous || e.u_ind_j > 1000); /* it spans the counts that are possible */
        assert_true(fabs(e.value_j - exact_j) <= 1.96 * e.u_ind_j + 1);
        flagged += ambiguous;
        other += fabs(e.value_j - exact_j) > 1;
        /* the other one has room for all of it: nothing is uncertain */
        assert_false(rig_total(&r.rig, "rapl:package-0").quality & PJ_QUALITY_AMBIGUOUS);
        rig_close(&r.rig);
        scripted_free(r.s);
    }
    print_message("# flagged %d of 40; in %d another count was right, within u\n", flagged, other);
    assert_true(flagged > 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wraps_of_two_zones),
        cmocka_unit_test(a_gap_of_several_wraps_is_flagged),
        cmocka_unit_test(each_fault_alone),
        cmocka_unit_test(random_faults),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
