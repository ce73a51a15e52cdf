/* The cover: what is added, what is not, and what the total may be called. */
#include "feed.h"

#include "core/prng.h"

enum { MOST = 24 };

static struct pji_channel rows[MOST];
static size_t n_rows;
static bool in_total[MOST];

static struct pji_channel *row(enum pji_domain_kind kind, const char *domain, const char *parent,
                               enum pj_origin origin)
{
    struct pji_channel *c = &rows[n_rows++];
    *c = (struct pji_channel){.domain_kind = kind,
                              .origin = origin,
                              .kind = origin == PJ_ORIGIN_INTEGRATED ? PJI_GAUGE : PJI_COUNTER,
                              .role =
                                  origin == PJ_ORIGIN_INTEGRATED ? PJI_ROLE_POWER : PJI_ROLE_ENERGY,
                              .companion = -1};
    snprintf(c->name, sizeof c->name, "c%zu", n_rows - 1);
    snprintf(c->domain, sizeof c->domain, "%s", domain);
    snprintf(c->parent, sizeof c->parent, "%s", parent);
    snprintf(c->com_id, sizeof c->com_id, "%s", domain);
    return c;
}

static int no_rows(void **state)
{
    (void)state;
    n_rows = 0;
    return 0;
}

/* "0,2,5": the numbers of the rows in the cover. */
static void covers(bool measured_only, const char *expected)
{
    char got[128] = "";
    size_t len = 0;
    pji_ledger_cover(rows, n_rows, measured_only, in_total);
    for (size_t i = 0; i < n_rows; i++) {
        if (in_total[i]) {
            len += (size_t)snprintf(got + len, sizeof got - len, "%s%zu", len > 0 ? "," : "", i);
        }
    }
    assert_string_equal(got, expected);
}

static void two_sockets_and_a_gpu(void)
{
    row(PJI_DOMAIN_PSYS, "psys", "machine", PJ_ORIGIN_COUNTER);
    row(PJI_DOMAIN_PACKAGE, "package-0", "psys", PJ_ORIGIN_COUNTER);
    row(PJI_DOMAIN_CORE, "package-0/core", "package-0", PJ_ORIGIN_COUNTER);
    row(PJI_DOMAIN_UNCORE, "package-0/uncore", "package-0", PJ_ORIGIN_COUNTER);
    row(PJI_DOMAIN_DRAM, "package-0/dram", "package-0", PJ_ORIGIN_COUNTER);
    row(PJI_DOMAIN_PACKAGE, "package-1", "psys", PJ_ORIGIN_COUNTER);
    row(PJI_DOMAIN_DRAM, "package-1/dram", "package-1", PJ_ORIGIN_COUNTER);
    row(PJI_DOMAIN_GPU, "gpu-0", "machine", PJ_ORIGIN_COUNTER);
}

static void packages_dram_and_gpu(void **state)
{
    (void)state;
    two_sockets_and_a_gpu();
    covers(false, "1,4,5,6,7");
    covers(true, "1,4,5,6,7");
}

static void psys_only_without_a_package_and_without_dram(void **state)
{
    (void)state;
    two_sockets_and_a_gpu();
    rows[1].role = rows[5].role = PJI_ROLE_AUX;
    covers(false, "0,7");
}

static void parts_only_without_their_package(void **state)
{
    (void)state;
    two_sockets_and_a_gpu();
    rows[1].role = PJI_ROLE_AUX;
    covers(false, "2,3,4,5,6,7");
}

static void a_model_never_joins_a_measured_package(void **state)
{
    (void)state;
    row(PJI_DOMAIN_PACKAGE, "cpu", "machine", PJ_ORIGIN_MODELLED);
    row(PJI_DOMAIN_DRAM, "ram", "machine", PJ_ORIGIN_MODELLED);
    covers(false, "0,1");
    covers(true, "");
    row(PJI_DOMAIN_PACKAGE, "package-0", "machine", PJ_ORIGIN_COUNTER);
    covers(false, "1,2"); /* RAM has no counter: its model stays, marked */
    covers(true, "2");
    row(PJI_DOMAIN_DRAM, "package-0/dram", "machine", PJ_ORIGIN_COUNTER);
    covers(false, "2,3");
}

static void a_measured_psys_replaces_the_models(void **state)
{
    (void)state;
    row(PJI_DOMAIN_PACKAGE, "cpu", "machine", PJ_ORIGIN_MODELLED);
    row(PJI_DOMAIN_DRAM, "ram", "machine", PJ_ORIGIN_MODELLED);
    row(PJI_DOMAIN_PSYS, "psys", "machine", PJ_ORIGIN_COUNTER);
    covers(false, "2");
}

static void one_reading_of_each_domain(void **state)
{
    (void)state;
    row(PJI_DOMAIN_GPU, "gpu-0", "machine", PJ_ORIGIN_INTEGRATED);
    row(PJI_DOMAIN_GPU, "gpu-0", "machine", PJ_ORIGIN_COUNTER);
    covers(false, "1"); /* a counter before an integral, unless the source says otherwise */
    rows[1].companion = 0;
    covers(false, "0");
    rows[0].role = PJI_ROLE_AUX;
    covers(false, "1"); /* the alternative steps in */
}

static void twins_under_two_names(void **state)
{
    (void)state;
    row(PJI_DOMAIN_PACKAGE, "package-0", "machine", PJ_ORIGIN_COUNTER);
    row(PJI_DOMAIN_PACKAGE, "package-0-mmio", "machine", PJ_ORIGIN_COUNTER)->companion = 0;
    row(PJI_DOMAIN_PACKAGE, "package-0-third", "machine", PJ_ORIGIN_COUNTER)->companion = 1;
    covers(false, "0");
    rows[0].role = PJI_ROLE_AUX;
    covers(false, "1");
    rows[0].companion = 2; /* a circle ends */
    covers(false, "1");
    rows[1].companion = 77; /* so does a dangling one */
    covers(false, "1");
}

static void the_value_decides_what_was_read(void **state)
{
    (void)state;
    struct pj_energy energies[MOST] = {{0}};
    two_sockets_and_a_gpu();
    for (size_t i = 0; i < n_rows; i++) {
        energies[i] = (struct pj_energy){.origin = rows[i].origin, .value_j = 1};
    }
    pji_energy_missing(&energies[1], "gone");
    pji_ledger_cover_read(rows, energies, n_rows, false, in_total);
    assert_true(!in_total[1] && in_total[2] && in_total[3] && in_total[5]);
}

static void a_meter_at_the_plug_holds_everything(void **state)
{
    (void)state;
    two_sockets_and_a_gpu();
    row(PJI_DOMAIN_MACHINE, "machine", "", PJ_ORIGIN_INTEGRATED);
    row(PJI_DOMAIN_MACHINE, "machine/acpi", "machine", PJ_ORIGIN_INTEGRATED);
    covers(false, "8");
    n_rows = 9;
    rows[8].origin = PJ_ORIGIN_MODELLED;
    covers(false, "1,4,5,6,7"); /* a modelled machine gives way to what is measured below it */
}

static void uncertainty_and_aux_never_enter(void **state)
{
    (void)state;
    row(PJI_DOMAIN_PACKAGE, "cpu", "machine", PJ_ORIGIN_MODELLED);
    row(PJI_DOMAIN_PACKAGE, "cpu", "machine", PJ_ORIGIN_MODELLED)->role = PJI_ROLE_UNCERTAINTY;
    row(PJI_DOMAIN_GPU, "gpu-0", "machine", PJ_ORIGIN_COUNTER)->role = PJI_ROLE_AUX;
    rows[1].companion = 0;
    covers(false, "0");
}

/* ---- random trees ---- */

static bool is_above(size_t upper, size_t lower, const int *parent)
{
    for (int k = parent[lower]; k >= 0; k = parent[k]) {
        if ((size_t)k == upper) {
            return true;
        }
    }
    return false;
}

static bool readable(size_t i, bool measured_only)
{
    bool measured = rows[i].origin == PJ_ORIGIN_COUNTER;
    return rows[i].role == PJI_ROLE_ENERGY && (measured || !measured_only);
}

/* Every leaf's way to the root holds a node of the cover where it holds a readable one at all. */
static void check_tree(const int *parent, bool measured_only)
{
    pji_ledger_cover(rows, n_rows, measured_only, in_total);
    for (size_t i = 0; i < n_rows; i++) {
        assert_true(!in_total[i] || readable(i, measured_only));
        for (size_t k = 0; k < n_rows; k++) {
            assert_false(in_total[i] && in_total[k] && is_above(i, k, parent));
        }
        bool leaf = true, any = false, covered = false;
        for (size_t k = 0; k < n_rows; k++) {
            leaf = leaf && !is_above(i, k, parent);
        }
        for (int k = (int)i; leaf && k >= 0; k = parent[k]) {
            any = any || readable((size_t)k, measured_only);
            covered = covered || in_total[k];
        }
        assert_int_equal(any, covered);
    }
}

static void random_trees(void **state)
{
    (void)state;
    struct pji_prng prng;
    pji_prng_init(&prng, 4, "trees");
    for (int run = 0; run < 20000; run++) {
        int parent[MOST];
        n_rows = 0;
        size_t n = 1 + pji_prng_below(&prng, MOST);
        for (size_t i = 0; i < n; i++) {
            /* rows in any order: a parent may come later, so names are numbers of a shuffled tree
             */
            char domain[32], above[32] = "machine";
            parent[i] = -1;
            if (i > 0 && pji_prng_below(&prng, 5) > 0) {
                parent[i] = (int)pji_prng_below(&prng, i);
                snprintf(above, sizeof above, "d%d", parent[i]);
            }
            snprintf(domain, sizeof domain, "d%zu", i);
            bool gpu = pji_prng_below(&prng, 3) == 0;
            row(gpu ? PJI_DOMAIN_GPU : PJI_DOMAIN_OTHER, domain, above,
                pji_prng_below(&prng, 4) == 0 ? PJ_ORIGIN_MODELLED : PJ_ORIGIN_COUNTER);
            rows[i].role = pji_prng_below(&prng, 3) == 0 ? PJI_ROLE_AUX : PJI_ROLE_ENERGY;
        }
        check_tree(parent, false);
        check_tree(parent, true);
    }
}

/* Whatever parents a trace claims, also in circles, nothing hangs and no ancestor meets its own. */
static void hostile_parents(void **state)
{
    (void)state;
    struct pji_prng prng;
    pji_prng_init(&prng, 5, "hostile");
    for (int run = 0; run < 5000; run++) {
        n_rows = 0;
        size_t n = 1 + pji_prng_below(&prng, 12);
        for (size_t i = 0; i < n; i++) {
            char domain[32], above[32];
            snprintf(domain, sizeof domain, "d%d", (int)pji_prng_below(&prng, n));
            snprintf(above, sizeof above, "d%d", (int)pji_prng_below(&prng, n));
            row((enum pji_domain_kind)pji_prng_below(&prng, 8), domain, above,
                (enum pj_origin)pji_prng_below(&prng, 5));
            rows[i].companion = (int32_t)pji_prng_below(&prng, n + 3) - 1;
        }
        pji_ledger_cover(rows, n_rows, false, in_total);
        for (size_t i = 0; i < n; i++) {
            for (size_t k = 0; k < n; k++) {
                bool child = in_total[i] && in_total[k] && i != k;
                assert_false(child && strcmp(rows[i].domain, rows[k].domain) == 0);
            }
        }
    }
}

/* ---- totals ---- */

static struct pji_total add_up(const struct pji_missing *missing, size_t n_missing)
{
    struct pj_energy energies[MOST] = {{0}};
    struct pji_total t;
    for (size_t i = 0; i < n_rows; i++) {
        energies[i] = (struct pj_energy){
            .origin = rows[i].origin, .value_j = (double)(1 << i), .u_ind_j = 1, .u_com_j = 0.1};
        memcpy(energies[i].com_id, rows[i].com_id, sizeof energies[i].com_id);
    }
    pji_ledger_cover_read(rows, energies, n_rows, false, in_total);
    pji_ledger_total(&t, rows, energies, in_total, n_rows, missing, n_missing);
    return t;
}

static void the_machine_is_a_claim(void **state)
{
    (void)state;
    two_sockets_and_a_gpu();
    struct pji_total t = add_up(NULL, 0);
    assert_string_equal(t.label, "machine");
    assert_near(t.energy.value_j, 2 + 16 + 32 + 64 + 128, 0);
    assert_near(t.energy.u_ind_j, sqrt(5), 1e-12);
    assert_int_equal(t.energy.quality, 0);
    assert_int_equal(t.modelled.origin, PJ_ORIGIN_MISSING);
    assert_near(t.measured.value_j, t.energy.value_j, 0);
    /* a GPU that is there but unread forbids it */
    struct pji_missing gpu = {.domain = "gpu-1", .domain_kind = PJI_DOMAIN_GPU, .reason = "busy"};
    t = add_up(&gpu, 1);
    assert_string_equal(t.label, "measured domains");
    assert_int_equal(t.energy.quality, PJ_QUALITY_PARTIAL);
    assert_string_equal(t.energy.reason, "gpu-1: busy");
    /* parts, psys, another instrument's denied packages do not matter: what they hold was added */
    const struct pji_missing others[] = {
        {.domain = "package-0/core", .domain_kind = PJI_DOMAIN_CORE, .reason = "x"},
        {.domain = "psys", .domain_kind = PJI_DOMAIN_PSYS, .reason = "x"},
        {.domain = "package", .domain_kind = PJI_DOMAIN_PACKAGE, .reason = "x"},
        {.domain = "package-1", .domain_kind = PJI_DOMAIN_PACKAGE, .reason = "x"},
        {.domain = "gpu-0", .domain_kind = PJI_DOMAIN_GPU, .reason = "x"},
    };
    assert_string_equal(add_up(others, 5).label, "machine");
    /* a third package does */
    struct pji_missing third = {
        .domain = "package-2", .domain_kind = PJI_DOMAIN_PACKAGE, .reason = "x"};
    assert_string_equal(add_up(&third, 1).label, "measured domains");
}

static void a_model_alone_says_so(void **state)
{
    (void)state;
    row(PJI_DOMAIN_PACKAGE, "cpu", "machine", PJ_ORIGIN_MODELLED);
    struct pji_total t = add_up(NULL, 0);
    assert_string_equal(t.label, "modelled, not measured");
    assert_int_equal(t.measured.origin, PJ_ORIGIN_MISSING);
    assert_true(t.measured.reason[0] != '\0');
    assert_near(t.modelled.value_j, 1, 0);
    row(PJI_DOMAIN_GPU, "gpu-0", "machine", PJ_ORIGIN_COUNTER);
    t = add_up(NULL, 0);
    assert_string_equal(t.label, "measured and modelled domains");
    assert_near(t.measured.value_j, 2, 0);
    assert_int_equal(t.energy.origin, PJ_ORIGIN_MODELLED);
    n_rows = 0;
    row(PJI_DOMAIN_PACKAGE, "package-0", "machine", PJ_ORIGIN_COUNTER);
    row(PJI_DOMAIN_DRAM, "ram", "machine", PJ_ORIGIN_MODELLED);
    assert_string_equal(add_up(NULL, 0).label, "machine, partly modelled");
}

static void a_gpu_alone_is_no_machine(void **state)
{
    (void)state;
    row(PJI_DOMAIN_GPU, "gpu-0", "machine", PJ_ORIGIN_INTEGRATED);
    assert_string_equal(add_up(NULL, 0).label, "measured domains");
}

static void nothing_is_missing_with_a_reason(void **state)
{
    (void)state;
    struct pji_total t = add_up(NULL, 0);
    assert_string_equal(t.label, "nothing measured");
    assert_int_equal(t.energy.origin, PJ_ORIGIN_MISSING);
    assert_string_equal(t.energy.reason, "no instrument gave a value");
    struct pji_missing cpu = {
        .domain = "package", .domain_kind = PJI_DOMAIN_PACKAGE, .reason = "permission denied"};
    t = add_up(&cpu, 1);
    assert_string_equal(t.energy.reason, "package: permission denied");
}

static void one_instrument_is_added_linearly_first(void **state)
{
    (void)state;
    row(PJI_DOMAIN_PACKAGE, "package-0", "machine", PJ_ORIGIN_COUNTER);
    row(PJI_DOMAIN_GPU, "gpu-0", "machine", PJ_ORIGIN_COUNTER);
    row(PJI_DOMAIN_PACKAGE, "package-1", "machine", PJ_ORIGIN_COUNTER);
    memcpy(rows[2].com_id, rows[0].com_id, sizeof rows[0].com_id);
    struct pji_total t = add_up(NULL, 0);
    assert_near(t.energy.u_com_j, hypot(0.2, 0.1), 1e-12);
}

#define with_rows(f) cmocka_unit_test_setup(f, no_rows)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_rows(packages_dram_and_gpu),
        with_rows(psys_only_without_a_package_and_without_dram),
        with_rows(parts_only_without_their_package),
        with_rows(a_model_never_joins_a_measured_package),
        with_rows(a_measured_psys_replaces_the_models),
        with_rows(one_reading_of_each_domain),
        with_rows(twins_under_two_names),
        with_rows(the_value_decides_what_was_read),
        with_rows(a_meter_at_the_plug_holds_everything),
        with_rows(uncertainty_and_aux_never_enter),
        with_rows(random_trees),
        with_rows(hostile_parents),
        with_rows(the_machine_is_a_claim),
        with_rows(a_model_alone_says_so),
        with_rows(a_gpu_alone_is_no_machine),
        with_rows(nothing_is_missing_with_a_reason),
        with_rows(one_instrument_is_added_linearly_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
