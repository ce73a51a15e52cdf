/* The CPU model against machines whose RAPL energies are known, and against common sense. Two of
 * them are read from the shared data, two from tests/golden/cpu-load-rapl.tsv, five from
 * tests/golden/cpu-load-turbostat.tsv.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/num.h"
#include "shared.h"
#include "sources/cpu_calibration.h"
#include "sources/cpu_model.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_POINTS = 64 };

struct point {
    double load;       /* 0...1 */
    double power_w;    /* from the energy and the duration of the step */
    double reported_w; /* the column rapl_power */
};

struct machine {
    const char *const *files;
    double tdp_w; /* of one socket */
    int sockets, cores, threads;
    struct point points[MAX_POINTS];
    size_t n;
};

static const char *const threadripper[] = {"threadripper-1950x-all-cores.csv",
                                           "threadripper-1950x-some-cores.csv", NULL};
static const char *const xeon[] = {"xeon-e3-1240v2-all-cores.csv", "xeon-e3-1240v2-some-cores.csv",
                                   NULL};

/* Columns, counted from 0, of data/cpu-load-rapl. */
enum { LOAD = 5, REPORTED = 8, ENERGY_KWH = 9, DURATION_S = 15, FIELDS = 16 };

static void take_line(struct machine *machine, char *line)
{
    double field[FIELDS] = {0};
    char *at = line;

    for (int i = 0; i < FIELDS; i++) {
        field[i] = strtod(at, NULL);
        at = strchr(at, ',');
        if (!at)
            break;
        at++;
    }
    assert_true(machine->n < MAX_POINTS);
    machine->points[machine->n++] =
        (struct point){.load = field[LOAD] / 100,
                       .power_w = field[ENERGY_KWH] * 3.6e6 / field[DURATION_S],
                       .reported_w = field[REPORTED]};
}

/* false: the data is not there. */
static bool load(struct machine *machine)
{
    for (size_t i = 0; machine->files[i]; i++) {
        char name[128], path[512], line[1024];
        FILE *file;

        (void)snprintf(name, sizeof name, "data/cpu-load-rapl/%s", machine->files[i]);
        if (!pjt_shared(path, sizeof path, name)) {
            print_message("# SKIP %s is not there\n", path);
            return false;
        }
        file = fopen(path, "r");
        assert_non_null(file);
        assert_non_null(fgets(line, sizeof line, file));
        while (fgets(line, sizeof line, file))
            take_line(machine, line);
        (void)fclose(file);
    }
    return true;
}

static bool load_both(struct machine machines[2])
{
    machines[0] = (struct machine){
        .files = threadripper, .tdp_w = 180, .sockets = 1, .cores = 16, .threads = 32};
    machines[1] =
        (struct machine){.files = xeon, .tdp_w = 69, .sockets = 1, .cores = 4, .threads = 8};
    return load(&machines[0]) && load(&machines[1]);
}

/* The column rapl_power of a row is the mean power of the row before: whoever fitted it learned
 * the previous load step. */
static void the_column_lags_by_one_row(void **state)
{
    struct machine machines[2];

    (void)state;
    if (!load_both(machines))
        skip();
    for (size_t m = 0; m < 2; m++) {
        double own = 0, before = 0;

        for (size_t i = 1; i < machines[m].n; i++) {
            const struct point *p = &machines[m].points[i];

            if (p->load < p[-1].load) /* the second file begins */
                continue;
            own += fabs(p->reported_w / p->power_w - 1);
            before += fabs(p->reported_w / p[-1].power_w - 1);
        }
        assert_true(before < 0.2 * own);
    }
    /* the row at 66 %: 144.1 W in the column, 172.5 W by its energy */
    assert_true(fabs(machines[0].points[6].load - 0.66) < 1e-9);
    assert_true(fabs(machines[0].points[6].reported_w - 144.1) < 0.1);
    assert_true(fabs(machines[0].points[6].power_w - 172.5) < 0.1);
}

/* ---- the machines of the golden file ---- */

enum {
    G_NAME,
    G_TDP,
    G_SOCKETS,
    G_CORES,
    G_THREADS,
    G_KIND,
    G_LOAD,
    G_ENERGY,
    G_DURATION,
    G_FIELDS
};

static double number(const char *text)
{
    double value = 0;

    assert_int_equal(pji_num_parse(text, strlen(text), &value, NULL), PJ_OK);
    return value;
}

/* Cuts a line into its n_fields; false for comments and the row of names. */
static bool cut(char *line, const char *fields[G_FIELDS], size_t n_fields)
{
    char *rest = NULL;
    size_t n = 0;

    line[strcspn(line, "\n")] = '\0';
    if (line[0] == '#')
        return false;
    for (char *at = strtok_r(line, "\t", &rest); at && n < G_FIELDS;
         at = strtok_r(NULL, "\t", &rest))
        fields[n++] = at;
    assert_int_equal(n, n_fields);
    return strcmp(fields[G_NAME], "machine") != 0;
}

/* Fields of cpu-load-turbostat.tsv, which has powers in the place of energies. */
enum { T_LOAD = G_KIND, T_POWER, T_FIELDS };
enum { TURBOSTAT = 5 };

static struct point point_of_energy(const char *const *f)
{
    return (struct point){.load = number(f[G_LOAD]) / 100,
                          .power_w = number(f[G_ENERGY]) * 3.6e6 / number(f[G_DURATION])};
}

static struct point point_of_power(const char *const *f)
{
    return (struct point){.load = number(f[T_LOAD]) / 100, .power_w = number(f[T_POWER])};
}

/* The machines of a golden file, one after the other: there are n. */
static void load_golden(const char *file_name, size_t n_fields,
                        struct point (*point)(const char *const *fields), struct machine *machines,
                        size_t n)
{
    const char *root = getenv("PERJOULE_SOURCE_ROOT");
    char path[512], line[512], name[32] = "";
    const char *f[G_FIELDS];
    size_t m = 0;
    FILE *file;

    (void)snprintf(path, sizeof path, "%s/tests/golden/%s", root ? root : ".", file_name);
    file = fopen(path, "r");
    assert_non_null(file);
    while (fgets(line, sizeof line, file)) {
        struct machine *machine;

        if (!cut(line, f, n_fields))
            continue;
        m += name[0] && strcmp(name, f[G_NAME]) != 0;
        assert_true(m < n);
        (void)snprintf(name, sizeof name, "%s", f[G_NAME]);
        machine = &machines[m];
        machine->tdp_w = number(f[G_TDP]);
        machine->sockets = (int)number(f[G_SOCKETS]);
        machine->cores = (int)number(f[G_CORES]);
        machine->threads = (int)number(f[G_THREADS]);
        assert_true(machine->n < MAX_POINTS);
        machine->points[machine->n++] = point(f);
    }
    (void)fclose(file);
    assert_int_equal(m, n - 1);
}

static void load_rapl(struct machine machines[2])
{
    load_golden("cpu-load-rapl.tsv", G_FIELDS, point_of_energy, machines, 2);
    assert_int_equal(machines[0].n, 22);
    assert_int_equal(machines[1].n, 22);
}

static void load_turbostat(struct machine machines[TURBOSTAT])
{
    load_golden("cpu-load-turbostat.tsv", T_FIELDS, point_of_power, machines, TURBOSTAT);
}

/* What is asked of the model: an error of at most 0.75 of the cubic's, 80 % within the interval, a
 * mean half-width of at most 0.3 TDP; on each machine. */
static void judge(const struct machine *machine)
{
    double ours = 0, cubic = 0, width_w = 0, tdp_w = machine->tdp_w * machine->sockets;
    struct pji_cpu_model model;
    size_t inside = 0;

    assert_int_equal(pji_cpu_model_known(&model, machine->tdp_w, machine->sockets, machine->cores,
                                         machine->threads, NULL),
                     PJ_OK);
    for (size_t i = 0; i < machine->n; i++) {
        const struct point *p = &machine->points[i];
        double cubic_w = tdp_w * (0.1 + 0.9 * pow(p->load, 3));
        struct pji_cpu_power power;

        pji_cpu_model_power(&model, p->load, &power);
        inside += p->power_w >= power.lo_w && p->power_w <= power.hi_w;
        width_w += (power.hi_w - power.lo_w) / 2;
        if (p->load <= 0.05)
            continue;
        ours += fabs(power.value_w / p->power_w - 1);
        cubic += fabs(cubic_w / p->power_w - 1);
    }
    assert_true(ours <= 0.75 * cubic);
    assert_true((double)inside >= 0.8 * (double)machine->n);
    assert_true(width_w / (double)machine->n <= 0.3 * tdp_w);
}

static void two_machines_are_met(void **state)
{
    struct machine machines[2];

    (void)state;
    if (!load_both(machines))
        skip();
    judge(&machines[0]);
    judge(&machines[1]);
}

static void two_more_machines_are_met(void **state)
{
    struct machine machines[2] = {{0}, {0}};

    (void)state;
    load_rapl(machines);
    judge(&machines[0]);
    judge(&machines[1]);
}

static void five_servers_are_met(void **state)
{
    struct machine machines[TURBOSTAT] = {{0}};

    (void)state;
    load_turbostat(machines);
    for (size_t i = 0; i < TURBOSTAT; i++)
        judge(&machines[i]);
}

/* ---- calibrated ---- */

/* Calibrated by its own least and most loaded point: the others lie in the band. */
static void judge_calibrated(const struct machine *machine)
{
    const struct point *low = &machine->points[0], *high = low;
    struct pji_cpu_calibration calibration = {.gain_rel = 0.02};
    struct pji_cpu_model model;
    double width_w = 0;
    size_t inside = 0;

    for (size_t i = 1; i < machine->n; i++) {
        low = machine->points[i].load < low->load ? &machine->points[i] : low;
        high = machine->points[i].load > high->load ? &machine->points[i] : high;
    }
    assert_int_equal(pji_cpu_calibrate(&calibration, low->power_w, low->load, high->power_w,
                                       high->load, machine->cores, NULL),
                     PJ_OK);
    assert_true(calibration.idle_w <= low->power_w + 1e-9 &&
                calibration.full_w >= high->power_w - 1e-9);
    assert_int_equal(pji_cpu_model_calibrated(&model, &calibration, machine->cores, NULL), PJ_OK);
    for (size_t i = 0; i < machine->n; i++) {
        struct pji_cpu_power power;

        pji_cpu_model_power(&model, machine->points[i].load, &power);
        inside +=
            machine->points[i].power_w >= power.lo_w && machine->points[i].power_w <= power.hi_w;
        width_w += (power.hi_w - power.lo_w) / 2;
    }
    print_message("# idle %.1f W, full %.1f W: %zu of %zu inside, mean half-width %.2f full\n",
                  calibration.idle_w, calibration.full_w, inside, machine->n,
                  width_w / (double)machine->n / calibration.full_w);
    assert_true((double)inside >= 0.9 * (double)machine->n);
    assert_true(width_w / (double)machine->n <= 0.35 * calibration.full_w);
}

static void calibrated_machines_lie_in_their_band(void **state)
{
    struct machine machines[2] = {{0}, {0}};

    (void)state;
    load_rapl(machines);
    judge_calibrated(&machines[0]);
    judge_calibrated(&machines[1]);
    if (!load_both(machines))
        skip();
    judge_calibrated(&machines[0]);
    judge_calibrated(&machines[1]);
}

static void calibrated_servers_lie_in_their_band(void **state)
{
    struct machine machines[TURBOSTAT] = {{0}};

    (void)state;
    load_turbostat(machines);
    for (size_t i = 0; i < TURBOSTAT; i++)
        judge_calibrated(&machines[i]);
}

static void what_is_no_calibration_is_refused(void **state)
{
    static const double wrong[][4] = {
        {10, 0, 10, 1},
        {10, 0, 12.9, 1},
        {10, 0.5, 100, 0.6},
        {10, 1, 100, 0},
        {0, 0, 100, 1},
        {20, 0.2, 120, 0.6},
        {(double)NAN, 0, 9, 1},
        {10, 0, (double)INFINITY, 1},
        {10, (double)NAN, 100, 1},
    };
    struct pji_cpu_calibration c = {.gain_rel = 0.02};
    struct pji_cpu_model model;
    struct pji_cpu_power power;

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct pj_error err = {0};

        assert_true(
            pji_cpu_calibrate(&c, wrong[i][0], wrong[i][1], wrong[i][2], wrong[i][3], 8, &err) < 0);
        assert_true(err.text[0] != '\0');
    }
    assert_int_equal(pji_cpu_calibrate(&c, 20, 0, 120, 1, 8, NULL), PJ_OK);
    assert_true(c.idle_w == 20 && c.full_w == 120);
    assert_int_equal(pji_cpu_model_calibrated(&model, &c, 8, NULL), PJ_OK);
    pji_cpu_model_power(&model, 0, &power);
    assert_true(power.value_w == 20 && power.lo_w < 18.5 && power.hi_w > 21.5);
    pji_cpu_model_power(&model, 1, &power);
    assert_true(fabs(power.value_w - 120) < 1e-9 && power.hi_w > 1.25 * 120);
    c.full_w = 10;
    assert_int_equal(pji_cpu_model_calibrated(&model, &c, 8, NULL), PJ_EINVAL);
}

static void the_band_is_never_wider_than_allowed(void **state)
{
    (void)state;
    for (int cores = 1; cores <= 256; cores *= 2) {
        struct pji_cpu_model model;
        double sum_w = 0;

        assert_int_equal(pji_cpu_model_known(&model, 100, 1, cores, cores, NULL), PJ_OK);
        for (int i = 0; i <= 100; i++) {
            struct pji_cpu_power power;

            pji_cpu_model_power(&model, i / 100.0, &power);
            sum_w += (power.hi_w - power.lo_w) / 2;
        }
        assert_true(sum_w / 101 <= 30);
    }
}

static void more_load_is_never_less_power(void **state)
{
    (void)state;
    for (int cores = 1; cores <= 128; cores *= 2) {
        struct pji_cpu_model model;
        struct pji_cpu_power before = {0}, now;

        assert_int_equal(pji_cpu_model_known(&model, 100, 2, cores, 2 * cores, NULL), PJ_OK);
        for (int i = 0; i <= 100; i++) {
            pji_cpu_model_power(&model, i / 100.0, &now);
            assert_true(now.lo_w > 0 && now.lo_w < now.value_w && now.value_w < now.hi_w);
            assert_true(fabs(now.u_w - (now.hi_w - now.lo_w) / 3.92) < 1e-9);
            assert_true(now.value_w >= before.value_w && now.lo_w >= before.lo_w &&
                        now.hi_w >= before.hi_w);
            before = now;
        }
        assert_true(now.hi_w <= 2 * 200);
    }
}

static void utilisation_is_clamped(void **state)
{
    struct pji_cpu_model model;
    struct pji_cpu_power low, high, beyond;

    (void)state;
    assert_int_equal(pji_cpu_model_known(&model, 100, 1, 8, 16, NULL), PJ_OK);
    pji_cpu_model_power(&model, 0, &low);
    pji_cpu_model_power(&model, -3, &beyond);
    assert_true(low.value_w == beyond.value_w);
    pji_cpu_model_power(&model, 1, &high);
    pji_cpu_model_power(&model, 7, &beyond);
    assert_true(high.value_w == beyond.value_w);
    pji_cpu_model_any(&model, &beyond);
    assert_true(beyond.lo_w == low.lo_w && beyond.hi_w == high.hi_w);
}

static void an_unknown_cpu_is_wider(void **state)
{
    struct pji_cpu_model known, unknown, guest;
    struct pji_cpu_power k, u, g;

    (void)state;
    assert_int_equal(pji_cpu_model_known(&known, 105, 1, 16, 32, NULL), PJ_OK);
    pji_cpu_model_unknown(&unknown, 1, 16, false);
    pji_cpu_model_unknown(&guest, 1, 16, true);
    for (int i = 0; i <= 10; i++) {
        pji_cpu_model_power(&known, i / 10.0, &k);
        pji_cpu_model_power(&unknown, i / 10.0, &u);
        pji_cpu_model_power(&guest, i / 10.0, &g);
        assert_true(u.lo_w < k.lo_w && u.hi_w > k.hi_w);
        assert_true(g.lo_w < u.lo_w);
        assert_true(u.u_w > k.u_w);
    }
    pji_cpu_model_unknown(&unknown, 0, 0, false); /* nothing known at all */
    pji_cpu_model_power(&unknown, 0.5, &u);
    assert_true(u.value_w > 0 && isfinite(u.hi_w));
}

static void nonsense_is_refused(void **state)
{
    struct pji_cpu_model model;
    struct pj_error err = {0};

    (void)state;
    assert_int_equal(pji_cpu_model_known(&model, 0, 1, 4, 8, NULL), PJ_EINVAL);
    assert_int_equal(pji_cpu_model_known(&model, -5, 1, 4, 8, NULL), PJ_EINVAL);
    assert_int_equal(pji_cpu_model_known(&model, (double)NAN, 1, 4, 8, NULL), PJ_EINVAL);
    assert_int_equal(pji_cpu_model_known(&model, (double)INFINITY, 1, 4, 8, NULL), PJ_EINVAL);
    assert_int_equal(pji_cpu_model_known(&model, 100, 0, 4, 8, NULL), PJ_EINVAL);
    assert_int_equal(pji_cpu_model_known(&model, 100, 1, 0, 8, NULL), PJ_EINVAL);
    assert_int_equal(pji_cpu_model_known(&model, 100, 1, 4, 2, &err), PJ_EINVAL);
    assert_non_null(strstr(err.text, "2 threads"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_column_lags_by_one_row),
        cmocka_unit_test(two_machines_are_met),
        cmocka_unit_test(two_more_machines_are_met),
        cmocka_unit_test(five_servers_are_met),
        cmocka_unit_test(calibrated_machines_lie_in_their_band),
        cmocka_unit_test(calibrated_servers_lie_in_their_band),
        cmocka_unit_test(what_is_no_calibration_is_refused),
        cmocka_unit_test(the_band_is_never_wider_than_allowed),
        cmocka_unit_test(more_load_is_never_less_power),
        cmocka_unit_test(utilisation_is_clamped),
        cmocka_unit_test(an_unknown_cpu_is_wider),
        cmocka_unit_test(nonsense_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
