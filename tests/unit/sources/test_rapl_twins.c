/* Twins: equal and moving. Counters are computed from the script's clock, which each read moves on,
 * so that the second of a pair is always read a little later than the first.
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
#include <stdio.h>
#include <string.h>

static const struct pji_source_ops *const rapl[] = {&pji_source_rapl_powercap, NULL};

struct counter {
    double power_w;
    int64_t begin_uj, refresh_ns, late_ns; /* late: shows what was this long ago */
    int64_t range_uj;
};

static int show(void *arg, int64_t t_ns, char *text, size_t size)
{
    const struct counter *c = arg;
    int64_t since_ns = t_ns - c->late_ns - 1000 * PJI_NS_PER_S;
    int64_t updated_ns = since_ns - since_ns % c->refresh_ns;
    int64_t energy_uj = c->begin_uj + (int64_t)(c->power_w * (double)updated_ns / 1e3);

    (void)snprintf(text, size, "%lld\n", (long long)(energy_uj % c->range_uj));
    return 0;
}

static void zone(struct scripted *s, const char *id, const char *name, struct counter *counter)
{
    char path[96];

    if (counter->range_uj == 0)
        counter->range_uj = 262143328850;
    if (counter->refresh_ns == 0)
        counter->refresh_ns = 97656;
    rig_zone(s, id, name, 0, counter->range_uj);
    (void)snprintf(path, sizeof path, "/sys/class/powercap/%s/energy_uj", id);
    scripted_computed(s, path, show, counter);
    /* a look of three reads takes half a refresh, which here is 0.1 ms */
    scripted_latency(s, path, 17 * PJI_NS_PER_US);
}

static const char *device_of(const struct rig *rig, const char *name)
{
    return rig->channels[rig_channel(rig, name)].device;
}

/* Opens a pair and says which of the two enter the total. */
static void expect(struct scripted *s, const char *cover, const char *second, const char *words)
{
    struct rig rig;
    char text[256];

    rig_open(&rig, s, rapl);
    if (strcmp(rig_cover(&rig, text, sizeof text), cover) != 0 ||
        !strstr(device_of(&rig, second), words))
        print_error("%s; %s\n", text, device_of(&rig, second));
    assert_string_equal(text, cover);
    assert_non_null(strstr(device_of(&rig, second), words));
    rig_close(&rig);
    assert_int_equal(scripted_open_handles(s), 0);
}

#define DIE0 "rapl:package-0-die-0"
#define DIE1 "rapl:package-0-die-1"

static void dies(struct scripted *s, struct counter *first, struct counter *second)
{
    zone(s, "intel-rapl:0", "package-0-die-0", first);
    zone(s, "intel-rapl:1", "package-0-die-1", second);
}

static void equal_and_moving_dies_count_once(void **state)
{
    struct scripted *s = scripted_new();
    struct counter a = {.power_w = 50, .begin_uj = 7000000}, b = a;

    (void)state;
    dies(s, &a, &b);
    expect(s, DIE0, DIE1, "moves with intel-rapl:0");
    scripted_free(s);
}

static void equal_and_standing_proves_nothing_and_says_so(void **state)
{
    struct scripted *s = scripted_new();
    struct counter a = {.begin_uj = 7000000}, b = a;

    (void)state;
    dies(s, &a, &b);
    expect(s, DIE0 " " DIE1, DIE1, "standing, unproven");
    /* where the vendor says that they are one, they are, and it is said as well */
    rig_cpuinfo(s, "AuthenticAMD", "AMD EPYC 9654 96-Core Processor", 17, 1, 96, false);
    expect(s, DIE0, DIE1, "standing, unproven");
    scripted_free(s);
}

static void counters_that_only_start_equal_are_two(void **state)
{
    (void)state;
    for (int i = 1; i < 40; i++) {
        struct scripted *s = scripted_new();
        struct counter a = {.power_w = 50, .begin_uj = 7000000};
        struct counter b = {.power_w = 50 + 0.25 * (i < 20 ? i : -i), .begin_uj = 7000000};

        dies(s, &a, &b);
        expect(s, DIE0 " " DIE1, DIE1, "intel-rapl:0");
        scripted_free(s);
    }
}

static void different_dies_are_not_even_suspected(void **state)
{
    struct scripted *s = scripted_new();
    struct counter a = {.power_w = 50, .begin_uj = 7000000};
    struct counter b = {.power_w = 50, .begin_uj = 9000000000};

    (void)state;
    dies(s, &a, &b);
    expect(s, DIE0 " " DIE1, DIE1, "not equal to");
    scripted_free(s);
}

/* Two packages are two, however alike they are: a machine whose sockets work in step. */
static void packages_in_step_stay_two(void **state)
{
    struct scripted *s = scripted_new();
    struct counter a = {.power_w = 50, .begin_uj = 7000000}, b = a;
    struct rig rig;
    char cover[128];

    (void)state;
    zone(s, "intel-rapl:0", "package-0", &a);
    zone(s, "intel-rapl:1", "package-1", &b);
    rig_open(&rig, s, rapl);
    assert_string_equal(rig_cover(&rig, cover, sizeof cover), "rapl:package-0 rapl:package-1");
    rig_close(&rig);
    scripted_free(s);
}

static void two_ways_to_one_package(void **state)
{
    struct scripted *s = scripted_new();
    struct counter a = {.power_w = 50, .begin_uj = 7000000}, b = a;

    (void)state;
    zone(s, "intel-rapl:0", "package-0", &a);
    zone(s, "intel-rapl-mmio:0", "package-0", &b);
    expect(s, "rapl:package-0", "rapl-mmio:package-0", "moves with intel-rapl:0");
    b.begin_uj = 0; /* one name is one domain, whatever the counters say */
    expect(s, "rapl:package-0", "rapl-mmio:package-0", "not equal to");
    b.power_w = a.power_w = 0;
    b.begin_uj = a.begin_uj;
    expect(s, "rapl:package-0", "rapl-mmio:package-0", "unproven");
    scripted_free(s);
}

static void two_zones_of_one_name_are_looked_at(void **state)
{
    struct scripted *s = scripted_new();
    struct counter a = {.power_w = 50, .begin_uj = 7000000}, b = a;
    static const char second[] = "rapl:package-0@intel-rapl:1";

    (void)state;
    zone(s, "intel-rapl:0", "package-0", &a);
    zone(s, "intel-rapl:1", "package-0", &b);
    expect(s, "rapl:package-0", second, "moves with");
    b.begin_uj = 900000000;
    expect(s, "rapl:package-0 rapl:package-0@intel-rapl:1", second, "not equal to");
    scripted_free(s);
}

/* Any power, refresh, phase of the clock and jitter of reading; a wrap in between. */
static void random_pairs(void **state)
{
    struct pji_prng prng;
    int proven = 0;

    (void)state;
    pji_prng_init(&prng, 4, "twins");
    for (int i = 0; i < 60; i++) {
        struct scripted *s = scripted_new();
        struct counter a = {.power_w = 5 + 300 * pji_prng_unit(&prng),
                            .begin_uj = (int64_t)(1e9 * pji_prng_unit(&prng)),
                            .refresh_ns = 60000 + (int64_t)pji_prng_below(&prng, 60000)};
        struct counter b = a;
        bool twins = i % 2 == 0;
        struct rig rig;
        char cover[128];

        if (!twins)
            b.power_w *= 0.3 + 0.6 * pji_prng_unit(&prng);
        if (i % 5 == 0)
            a.begin_uj = b.begin_uj = 262143328850 - (int64_t)pji_prng_below(&prng, 100000);
        scripted_advance_ns(s, (int64_t)pji_prng_below(&prng, 5000000));
        dies(s, &a, &b);
        rig_open(&rig, s, rapl);
        (void)rig_cover(&rig, cover, sizeof cover);
        if (twins) /* never proven wrongly, mostly found */
            proven += strcmp(cover, DIE0) == 0;
        else
            assert_string_equal(cover, DIE0 " " DIE1);
        rig_close(&rig);
        scripted_free(s);
    }
    print_message("# proven %d of 30 twins\n", proven);
    assert_true(proven >= 15);
}

/* ---- parts and wholes ---- */

static bool is_above(const struct rig *rig, const char *above, const char *domain)
{
    for (size_t steps = 0; steps < rig->n; steps++) {
        const char *parent = NULL;

        for (size_t i = 0; i < rig->n && !parent; i++) {
            if (strcmp(rig->channels[i].domain, domain) == 0)
                parent = rig->channels[i].parent;
        }
        if (!parent)
            return false;
        if (strcmp(parent, above) == 0)
            return true;
        domain = parent;
    }
    return false;
}

/* Any set of zones, any of them unreadable: no part beside its whole, no domain twice. */
static void random_machines_never_add_a_part_to_its_whole(void **state)
{
    static const struct {
        const char *id, *name;
    } zones[] = {{"intel-rapl:0", "package-0"},
                 {"intel-rapl:0:0", "core"},
                 {"intel-rapl:0:1", "uncore"},
                 {"intel-rapl:0:2", "dram"},
                 {"intel-rapl:1", "package-1-die-0"},
                 {"intel-rapl:1:0", "dram"},
                 {"intel-rapl:2", "package-1-die-1"},
                 {"intel-rapl:2:0", "core"},
                 {"intel-rapl:3", "psys"},
                 {"intel-rapl-mmio:0", "package-0"},
                 {"intel-rapl-mmio:0:0", "dram"},
                 {"intel-rapl:4", "package-0"}};
    enum { ZONES = sizeof zones / sizeof zones[0] };
    struct pji_prng prng;

    (void)state;
    pji_prng_init(&prng, 5, "machines");
    for (int run = 0; run < 400; run++) {
        struct scripted *s = scripted_new();
        bool in_total[RIG_CHANNELS];
        struct rig rig;

        if (run % 2 == 0)
            rig_cpuinfo(s, "AuthenticAMD", "AMD EPYC 9654 96-Core Processor", 17, 2, 96, false);
        for (size_t i = 0; i < ZONES; i++) {
            char path[96];

            if (pji_prng_below(&prng, 4) == 0)
                continue;
            rig_zone(s, zones[i].id, zones[i].name, (int64_t)i * 3000000000, 262143328850);
            (void)snprintf(path, sizeof path, "/sys/class/powercap/%s/energy_uj", zones[i].id);
            if (pji_prng_below(&prng, 4) == 0)
                scripted_fail_open(s, path, EACCES, -1);
        }
        rig_open(&rig, s, rapl);
        pji_ledger_cover(rig.channels, rig.n, false, in_total);
        for (size_t i = 0; i < rig.n; i++) {
            for (size_t k = 0; k < rig.n; k++) {
                if (i == k || !in_total[i] || !in_total[k])
                    continue;
                assert_string_not_equal(rig.channels[i].domain, rig.channels[k].domain);
                assert_false(is_above(&rig, rig.channels[i].domain, rig.channels[k].domain));
                assert_true(rig.channels[k].companion != (int32_t)i);
            }
        }
        rig_close(&rig);
        scripted_free(s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_and_moving_dies_count_once),
        cmocka_unit_test(equal_and_standing_proves_nothing_and_says_so),
        cmocka_unit_test(counters_that_only_start_equal_are_two),
        cmocka_unit_test(different_dies_are_not_even_suspected),
        cmocka_unit_test(packages_in_step_stay_two),
        cmocka_unit_test(two_ways_to_one_package),
        cmocka_unit_test(two_zones_of_one_name_are_looked_at),
        cmocka_unit_test(random_pairs),
        cmocka_unit_test(random_machines_never_add_a_part_to_its_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
