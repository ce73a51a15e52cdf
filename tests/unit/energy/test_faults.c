/* Property tests: a known truth, a counter that shows it, and random scripts of faults. Whatever
 * happens, the energy is never negative, its error is at most the energy of the parts that were
 * bridged (or the counter's own staleness), the quality says so, and the interval covers.
 */
#include "feed.h"

#include "core/prng.h"

#include <errno.h>

#define SMALL_MODULUS INT64_C(3000000000) /* 3 kJ: wraps every few seconds */

enum { SECONDS = 20, READS_MAX = 4000, RUNS = 3000 };

/* Power that changes at random times between 20 and 450 W, on a grid of 1 ms. */
static double truth_uj[SECONDS * 1000 + 1];

static void draw_truth(struct pji_prng *prng)
{
    double mw = 100e3;
    for (int i = 0; i < SECONDS * 1000; i++) {
        if (pji_prng_below(prng, 400) == 0) {
            mw = 20e3 + 430e3 * pji_prng_unit(prng);
        }
        truth_uj[i + 1] = truth_uj[i] + mw;
    }
}

static double truth_at(int64_t t_ns)
{
    int64_t i = t_ns / MS;
    double x = (double)(t_ns % MS) / (double)MS;
    return truth_uj[i] + (truth_uj[i + 1] - truth_uj[i]) * x;
}

enum fault {
    FAULT_NONE,
    FAULT_FAILED, /* EIO for a while */
    FAULT_RESET,  /* the count begins again at 0 */
    FAULT_BACK,   /* it steps back and goes on from there */
    FAULT_JUMP,   /* it steps up beyond the possible and goes on from there */
    FAULT_GLITCH, /* one or two readings are nonsense */
    FAULT_GAP,    /* nobody reads for a while */
    FAULT_STALL,  /* it stands still and catches up */
    FAULT_LOSS,   /* it stands still and what happened meanwhile is lost */
    FAULT_LATE,   /* time stamps repeat or go back */
    FAULTS
};

struct script {
    struct pji_series series;
    struct pji_prng prng;
    int64_t interval_ns, quantum, base_uj; /* value = truth + base */
    double cap_mw;                         /* of the truth, whatever the channel says */
    bool channel_has_cap;
    unsigned faults;   /* bit mask, for messages */
    int64_t t_ns;      /* of the last reading made */
    int64_t good_ns;   /* last good reading before the fault under way */
    double bridged_uj; /* the most that can be wrong */
    int64_t first_ns, last_ns;
};

static double most_uj(const struct script *s, int64_t dur_ns)
{
    return s->cap_mw * (double)dur_ns / 1e6;
}

static int64_t shown(const struct script *s, int64_t t_ns)
{
    int64_t updated = t_ns - t_ns % MS; /* refreshes every millisecond */
    int64_t value = (int64_t)truth_at(updated) / s->quantum * s->quantum + s->base_uj;
    int64_t modulus = s->series.channel.modulus;
    return modulus > 0 ? value % modulus : value;
}

static bool tick(struct script *s)
{
    int64_t jitter = (int64_t)pji_prng_below(&s->prng, (uint64_t)(s->interval_ns / 10));
    s->t_ns += s->interval_ns + jitter;
    return s->t_ns < (SECONDS - 1) * 1000 * MS;
}

static void read_good(struct script *s)
{
    put(&s->series, s->t_ns, shown(s, s->t_ns));
    s->last_ns = s->good_ns = s->t_ns;
}

/* Moves the count, so that it shows `value` at the present time. */
static void rebase_to(struct script *s, int64_t value)
{
    s->base_uj = 0;
    s->base_uj = value - (int64_t)truth_at(s->t_ns - s->t_ns % MS) / s->quantum * s->quantum;
    int64_t modulus = s->series.channel.modulus;
    while (modulus > 0 && s->base_uj < 0) {
        s->base_uj += modulus;
    }
}

static int64_t nonsense(struct script *s)
{
    const int64_t values[] = {-1, INT64_MAX, 0xffffffff, 0, INT64_MIN, INT64_C(1) << 50};
    return values[pji_prng_below(&s->prng, sizeof values / sizeof values[0])];
}

/* The count moves by other than energy between the last good reading and the next two. */
static void fault_rebase(struct script *s, enum fault fault)
{
    int64_t before = shown(s, s->good_ns), good_ns = s->good_ns;
    if (!tick(s)) {
        return;
    }
    int64_t jump = (int64_t)(most_uj(s, 3000 * MS) * (2 + pji_prng_unit(&s->prng)));
    int64_t back = 100000 + (int64_t)(pji_prng_unit(&s->prng) * 1e7);
    int64_t to = before + (s->channel_has_cap ? jump : 60 * jump);
    if (fault == FAULT_RESET) {
        to = (int64_t)(pji_prng_unit(&s->prng) * 1e5);
    } else if (fault == FAULT_BACK) {
        to = before > back ? before - back : 0;
    }
    if (s->series.channel.modulus > 0) {
        to %= s->series.channel.modulus;
    }
    rebase_to(s, to);
    read_good(s);
    if (tick(s)) {
        read_good(s);
    }
    s->bridged_uj += 2 * most_uj(s, s->t_ns - good_ns);
}

static void fault_stall(struct script *s, bool lost)
{
    int64_t value = shown(s, s->t_ns), from_ns = s->t_ns;
    int64_t until = s->t_ns + 2500 * MS + (int64_t)(pji_prng_unit(&s->prng) * 2e9);
    while (s->t_ns < until) {
        if (!tick(s)) {
            break;
        }
        put(&s->series, s->t_ns, value);
        s->last_ns = s->t_ns;
    }
    if (lost) {
        rebase_to(s, value);
    }
    s->bridged_uj += lost || s->t_ns < until ? most_uj(s, s->t_ns - from_ns) : 0;
    s->good_ns = from_ns;
}

static void fault_short(struct script *s, enum fault fault)
{
    uint64_t n = 1 + pji_prng_below(&s->prng, fault == FAULT_GLITCH ? 2 : 20);
    int64_t good_ns = s->good_ns;
    for (uint64_t i = 0; i < n; i++) {
        if (!tick(s)) {
            break;
        }
        if (fault == FAULT_FAILED) {
            put_status(&s->series, s->t_ns, PJI_READ_FAILED, EIO);
            s->last_ns = s->t_ns;
        } else if (fault == FAULT_GLITCH) {
            put(&s->series, s->t_ns, nonsense(s));
            s->last_ns = s->t_ns;
        } else if (fault == FAULT_LATE) {
            put(&s->series, s->t_ns - 100 * s->interval_ns, nonsense(s));
        }
    }
    if (fault == FAULT_GLITCH) { /* two zeros in a row look like a reset and its end like a jump */
        int64_t behind = s->t_ns - good_ns + 4 * s->interval_ns;
        s->bridged_uj += 2 * most_uj(s, behind);
    } else if (fault == FAULT_FAILED) {
        s->bridged_uj += most_uj(s, s->t_ns - good_ns);
    }
}

static void run_fault(struct script *s, enum fault fault)
{
    bool stall = fault == FAULT_STALL || fault == FAULT_LOSS;
    if (stall && s->t_ns > (SECONDS - 7) * 1000 * MS) {
        return; /* a stall that the end cuts short cannot be told from an idle device */
    }
    int64_t modulus = s->series.channel.modulus;
    if (fault == FAULT_JUMP && (modulus == SMALL_MODULUS || (modulus > 0 && !s->channel_has_cap))) {
        return; /* a jump over the whole range cannot be told from a small step */
    }
    s->faults |= 1u << fault;
    switch (fault) {
    case FAULT_RESET:
    case FAULT_BACK:
    case FAULT_JUMP:
        fault_rebase(s, fault);
        break;
    case FAULT_STALL:
    case FAULT_LOSS:
        fault_stall(s, fault == FAULT_LOSS);
        break;
    case FAULT_FAILED:
    case FAULT_GLITCH:
    case FAULT_GAP:
    case FAULT_LATE:
        fault_short(s, fault);
        break;
    case FAULT_NONE:
    case FAULTS:
        break;
    }
}

static void open_script(struct script *s, uint64_t run, bool with_cap)
{
    const int64_t intervals[] = {10 * MS, 50 * MS, 100 * MS};
    const int64_t moduli[] = {0, INT64_C(65536000000), INT64_C(262143328850), SMALL_MODULUS};
    struct pji_channel c = counter_channel();
    *s = (struct script){0};
    pji_prng_init(&s->prng, run, "faults");
    draw_truth(&s->prng);
    s->interval_ns = intervals[pji_prng_below(&s->prng, 3)];
    c.modulus = moduli[pji_prng_below(&s->prng, 4)];
    c.cap_mw = with_cap ? 500e3 : 0;
    s->quantum = 61;
    s->base_uj = (int64_t)(pji_prng_unit(&s->prng) * 6e10);
    series_open(&s->series, &c, pji_prng_below(&s->prng, 2) == 0);
    s->cap_mw = 500e3;
    s->channel_has_cap = with_cap;
    s->t_ns = 1000 * MS + (int64_t)pji_prng_below(&s->prng, (uint64_t)MS);
    read_good(s);
    s->first_ns = s->t_ns;
}

struct tally {
    int covered, runs, faulty;
};

static void one_run(uint64_t run, bool with_cap, int faults_max, struct tally *tally)
{
    struct script s;
    open_script(&s, run, with_cap);
    int left = faults_max;
    while (tick(&s)) {
        bool now = left > 0 && pji_prng_below(&s.prng, 60) == 0;
        if (now) {
            run_fault(&s, (enum fault)(1 + pji_prng_below(&s.prng, FAULTS - 1)));
            left--;
        } else {
            read_good(&s);
        }
    }
    struct pj_energy e = total(&s.series);
    assert_int_equal(e.origin, PJ_ORIGIN_COUNTER);
    assert_true(e.value_j >= 0 && isfinite(e.u_ind_j));
    double exact = (truth_at(s.last_ns) - truth_at(s.first_ns)) / 1e6;
    double error = e.value_j - exact;
    double stale = 2 * 450 * 1e-3 + 2 * 61e-6;
    if (with_cap && fabs(error) > s.bridged_uj / 1e6 + stale) {
        print_error("run %d: error %g J, bridged %g J, u %g J, quality %x, faults %x\n", (int)run,
                    error, s.bridged_uj / 1e6, e.u_ind_j, e.quality, s.faults);
        fail();
    }
    if (fabs(error) > stale && e.quality == 0) {
        print_error("run %d: error %g J and nothing said, faults %x\n", (int)run, error, s.faults);
        fail();
    }
    tally->runs++;
    tally->covered += fabs(error) <= 1.96 * e.u_ind_j;
    tally->faulty += e.quality != 0;
    pji_series_fini(&s.series);
}

static void random_scripts_with_a_cap(void **state)
{
    (void)state;
    struct tally tally = {0};
    for (uint64_t run = 0; run < RUNS; run++) {
        one_run(run, true, 4, &tally);
    }
    print_message("# covered %d of %d, marked %d\n", tally.covered, tally.runs, tally.faulty);
    assert_true(tally.runs > 0 && tally.covered >= 0.95 * tally.runs);
    assert_true(tally.faulty > tally.runs / 2);
}

static void random_scripts_without_a_cap(void **state)
{
    (void)state;
    struct tally tally = {0};
    for (uint64_t run = 0; run < RUNS; run++) {
        one_run(run, false, 2, &tally);
    }
    print_message("# covered %d of %d, marked %d\n", tally.covered, tally.runs, tally.faulty);
    assert_true(tally.runs > 0 && tally.covered >= 0.95 * tally.runs);
}

static void without_faults_nothing_is_marked(void **state)
{
    (void)state;
    struct tally tally = {0};
    for (uint64_t run = 0; run < 300; run++) {
        one_run(run, true, 0, &tally);
    }
    print_message("# covered %d of %d, marked %d\n", tally.covered, tally.runs, tally.faulty);
    assert_true(tally.runs > 0 && tally.covered >= 0.93 * tally.runs);
}

/* ---- power ---- */

/* A gauge that shows the mean of its last 20 ms; readings fail, lie or are not made at times. */
static void one_power_run(uint64_t run, struct tally *tally)
{
    struct pji_prng prng;
    struct pji_series s;
    struct pji_channel c = power_channel();
    c.average_ns = c.lag_ns = 20 * MS;
    pji_prng_init(&prng, run, "power");
    draw_truth(&prng);
    series_open(&s, &c, pji_prng_below(&prng, 2) == 0);
    int64_t t = 100 * MS, first = t, last = t, good = t;
    double bridged_j = 0;
    int bad = 0, way = 0;
    for (; t < (SECONDS - 1) * 1000 * MS; t += 20 * MS) {
        int64_t mw = (int64_t)((truth_at(t) - truth_at(t - 20 * MS)) / 20e3 * 1e3);
        if (bad == 0 && t > first + 200 * MS && pji_prng_below(&prng, 200) == 0) {
            bad = 1 + (int)pji_prng_below(&prng, 50);
            way = (int)pji_prng_below(&prng, 3);
        }
        if (bad > 0) {
            bad--;
            if (way == 0) {
                put_status(&s, t, PJI_READ_FAILED, EIO);
                last = t;
            } else if (way == 1) {
                put(&s, t, pji_prng_below(&prng, 2) == 0 ? 4294967295 : -1);
                last = t;
            }
            continue;
        }
        put(&s, t, mw);
        bridged_j += t - good > 20 * MS ? 700 * (double)(t - good) / 1e9 : 0;
        last = good = t;
    }
    bridged_j += 700 * (double)(last - good) / 1e9;
    struct pj_energy e = total(&s);
    double exact = (truth_at(last - 20 * MS) - truth_at(first - 20 * MS)) / 1e6;
    assert_true(e.value_j >= 0);
    assert_true(fabs(e.value_j - exact) <= bridged_j + 0.02);
    assert_true(bridged_j < 100 || (e.quality & PJ_QUALITY_BRIDGED) != 0);
    tally->runs++;
    tally->covered += fabs(e.value_j - exact) <= 1.96 * e.u_ind_j + 0.02;
    tally->faulty += e.quality != 0;
    pji_series_fini(&s);
}

static void random_scripts_of_power(void **state)
{
    (void)state;
    struct tally tally = {0};
    for (uint64_t run = 0; run < RUNS; run++) {
        one_power_run(run, &tally);
    }
    print_message("# covered %d of %d, marked %d\n", tally.covered, tally.runs, tally.faulty);
    assert_true(tally.runs > 0 && tally.covered >= 0.95 * tally.runs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_faults_nothing_is_marked),
        cmocka_unit_test(random_scripts_with_a_cap),
        cmocka_unit_test(random_scripts_without_a_cap),
        cmocka_unit_test(random_scripts_of_power),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
