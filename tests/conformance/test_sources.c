/* One suite for every row of sources/table.c: what meter/source.h asks of an instrument.
 *
 * Faults of memory are made by failing the n-th request that a source makes through core/array.h
 * (linked with --wrap); requests of the scripted machine itself are left alone (shim.h).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/array.h"
#include "machines.h"
#include "shim.h"
#include "sources/table.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CHANNELS = 256, STEP_NS = 30000000 };

/* ---- memory ---- */

static size_t requests, fail_at; /* fail_at 0: never */

void *__real_pji_zalloc(size_t count, size_t size, struct pj_error *err);
void *__wrap_pji_zalloc(size_t count, size_t size, struct pj_error *err);
pj_status __real_pji_array_reserve(void *array, size_t *cap, size_t need, size_t size,
                                   struct pj_error *err);
pj_status __wrap_pji_array_reserve(void *array, size_t *cap, size_t need, size_t size,
                                   struct pj_error *err);

void *__wrap_pji_zalloc(size_t count, size_t size, struct pj_error *err)
{
    if (shim_inside == 0 && ++requests == fail_at) {
        (void)pji_fail(err, PJ_ENOMEM, "told to fail");
        return NULL;
    }
    return __real_pji_zalloc(count, size, err);
}

pj_status __wrap_pji_array_reserve(void *array, size_t *cap, size_t need, size_t size,
                                   struct pj_error *err)
{
    if (shim_inside == 0 && ++requests == fail_at)
        return pji_fail(err, PJ_ENOMEM, "told to fail");
    return __real_pji_array_reserve(array, cap, need, size, err);
}

static size_t mallocs;

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);

void *__wrap_malloc(size_t size)
{
    mallocs += shim_inside == 0;
    return __real_malloc(size);
}

/* ---- one source, opened on its machine ---- */

struct bench {
    const struct pji_source_ops *ops;
    struct machine *machine;
    struct pji_source_env env;
    struct pji_platform shim;
    struct pji_channel_table table;
    struct pji_reading_sink sink;
    void *state;
};

/* Runs `test` for each row of the table. */
static void each_source(void (*test)(const struct pji_source_ops *ops, struct machine *machine))
{
    for (size_t i = 0; pji_sources[i]; i++) {
        struct machine *machine = machine_of(pji_sources[i]->name);

        if (!machine)
            fail_msg("conformance/machines.c has no machine for the source '%s'",
                     pji_sources[i]->name);
        print_message("# %s\n", pji_sources[i]->name);
        test(pji_sources[i], machine);
    }
}

static bool bench_machine(struct bench *bench, const struct pji_source_ops *ops,
                          struct machine *machine)
{
    *bench = (struct bench){.ops = ops, .machine = machine, .env = {.interval_ns = STEP_NS}};
    if (!machine->open(machine, &bench->env))
        return false;
    bench->shim = shim_around(bench->env.platform);
    bench->env.platform = &bench->shim;
    return true;
}

static pj_status bench_open(struct bench *bench, struct pj_error *err)
{
    bench->state = calloc(1, bench->ops->state_size);
    assert_non_null(bench->state);
    return bench->ops->open(bench->state, &bench->env, &bench->table, err);
}

static void bench_sink(struct bench *bench)
{
    bench->sink.cap = bench->table.n * bench->ops->burst;
    bench->sink.readings = calloc(bench->sink.cap + 1, sizeof *bench->sink.readings);
    assert_non_null(bench->sink.readings);
}

static void bench_read(struct bench *bench, bool edge)
{
    struct pj_error err = {0};

    bench->sink.n = 0;
    bench->sink.edge = edge;
    if (bench->ops->read(bench->state, &bench->sink, &err))
        fail_msg("%s: %s", bench->ops->name, err.text);
    assert_int_equal(bench->sink.dropped, 0);
}

static void bench_free(struct bench *bench)
{
    free(bench->state);
    free(bench->sink.readings);
    pji_channel_table_fini(&bench->table);
    if (bench->machine->script)
        assert_int_equal(scripted_open_handles(bench->machine->script), 0);
}

static void bench_close(struct bench *bench)
{
    bench->ops->close(bench->state);
    bench_free(bench);
    machine_close(bench->machine);
}

/* ---- what is asked ---- */

static void check_row(const struct pji_source_ops *ops, struct machine *machine)
{
    (void)machine;
    assert_true(strlen(ops->name) < sizeof((struct pji_channel *)NULL)->source);
    for (const char *c = ops->name; *c; c++)
        assert_true(islower((unsigned char)*c) || isdigit((unsigned char)*c) || *c == '_');
    assert_true(strlen(ops->about) > 10 && ops->about[strlen(ops->about) - 1] != '.');
    assert_true(ops->state_size > 0 && ops->burst > 0 && ops->min_period_ns >= 0);
    for (size_t i = 0; pji_sources[i] != ops; i++)
        assert_string_not_equal(pji_sources[i]->name, ops->name);
}

static void rows_are_complete(void **state)
{
    (void)state;
    each_source(check_row);
}

static void check_empty(const struct pji_source_ops *ops, struct machine *machine)
{
    struct scripted *nothing = scripted_new();
    struct bench bench = {
        .ops = ops, .machine = machine, .env = {.platform = scripted_platform(nothing)}};
    struct pj_error err = {0};

    bench.machine = &(struct machine){.script = nothing};
    assert_int_equal(bench_open(&bench, &err), PJ_OK);
    assert_int_equal(bench.table.n, 0);
    bench_sink(&bench);
    bench_read(&bench, true);
    assert_int_equal(bench.sink.n, 0);
    ops->close(bench.state);
    bench_free(&bench);
    scripted_free(nothing);
}

static void an_empty_machine_is_no_error(void **state)
{
    (void)state;
    each_source(check_empty);
}

static void check_number(const struct bench *bench, const struct pji_channel *c)
{
    switch (c->role) {
    case PJI_ROLE_ENERGY:
        assert_true(c->kind == PJI_COUNTER && strcmp(c->unit, "uJ") == 0);
        break;
    case PJI_ROLE_POWER:
        assert_true(c->kind == PJI_GAUGE && strcmp(c->unit, "mW") == 0);
        break;
    case PJI_ROLE_UNCERTAINTY:
        assert_true(c->kind == PJI_COUNTER && strcmp(c->unit, "uJ") == 0);
        assert_in_range(c->companion, 0, bench->table.n - 1);
        assert_int_equal(bench->table.channels[c->companion].role, PJI_ROLE_ENERGY);
        break;
    case PJI_ROLE_AUX:
        assert_true(c->unit[0] != '\0');
        break;
    }
    assert_true(c->companion >= -1 && c->companion < (int32_t)bench->table.n);
    if (c->role == PJI_ROLE_ENERGY || c->role == PJI_ROLE_POWER)
        assert_true(c->com_id[0] != '\0');
    assert_true(c->origin >= PJ_ORIGIN_COUNTER && c->origin <= PJ_ORIGIN_CONSTANT);
    assert_true(c->modulus >= 0 && c->refresh_ns >= 0 && c->lag_ns >= 0 && c->edge_u_ns >= 0);
    assert_true(c->gain_rel >= 0 && c->gain_rel < 1 && c->offset_mw >= 0 && c->cap_mw >= 0);
    assert_true(c->quantum >= 0);
}

static void check_channels(const struct pji_source_ops *ops, struct machine *machine)
{
    struct bench bench;
    struct pj_error err = {0};

    if (!bench_machine(&bench, ops, machine))
        return;
    assert_int_equal(bench_open(&bench, &err), PJ_OK);
    assert_true(bench.table.n > 0 && bench.table.n <= CHANNELS);
    for (size_t i = 0; i < bench.table.n; i++) {
        const struct pji_channel *c = &bench.table.channels[i];

        assert_true(c->name[0] != '\0' && c->domain[0] != '\0');
        assert_true(c->parent[0] != '\0' && strcmp(c->parent, c->domain) != 0);
        if (!machine->foreign_rows)
            assert_string_equal(c->source, ops->name);
        check_number(&bench, c);
    }
    bench_sink(&bench);
    bench_close(&bench);
}

static void channels_say_what_they_are(void **state)
{
    (void)state;
    each_source(check_channels);
}

/* Of one read: own channels, at most a burst each, in order, not from the future. */
static void check_readings(const struct bench *bench, int64_t *last_ns, bool *seen)
{
    size_t count[CHANNELS] = {0};
    int64_t now_ns = pji_now_ns(bench->env.platform);

    for (size_t i = 0; i < bench->sink.n; i++) {
        const struct pji_reading *r = &bench->sink.readings[i];

        assert_in_range(r->channel, 0, bench->table.n - 1);
        assert_true(++count[r->channel] <= bench->ops->burst);
        assert_int_equal(r->status, PJI_READ_OK);
        assert_true(r->t_ns >= last_ns[r->channel]);
        assert_true(r->t_ns <= now_ns);
        last_ns[r->channel] = r->t_ns;
        seen[r->channel] = true;
    }
}

static void check_reads(const struct pji_source_ops *ops, struct machine *machine)
{
    int64_t last_ns[CHANNELS] = {0};
    bool seen[CHANNELS] = {false};
    struct bench bench;
    struct pj_error err = {0};

    if (!bench_machine(&bench, ops, machine))
        return;
    assert_int_equal(bench_open(&bench, &err), PJ_OK);
    bench_sink(&bench);
    for (int i = 0; i < 20; i++) {
        bench_read(&bench, i == 0 || i == 19);
        check_readings(&bench, last_ns, seen);
        machine_advance(machine, STEP_NS);
    }
    for (size_t i = 0; i < bench.table.n; i++)
        assert_true(seen[i]);
    bench_close(&bench);
}

static void reads_keep_to_the_contract(void **state)
{
    (void)state;
    each_source(check_reads);
}

static void check_frugality(const struct pji_source_ops *ops, struct machine *machine)
{
    struct bench bench;
    struct pj_error err = {0};
    size_t before;

    if (!bench_machine(&bench, ops, machine))
        return;
    assert_int_equal(bench_open(&bench, &err), PJ_OK);
    bench_sink(&bench);
    bench_read(&bench, true);
    if (machine->script)
        scripted_forget_counts(machine->script);
    before = requests + mallocs;
    for (int i = 0; i < 20; i++) {
        machine_advance(machine, STEP_NS);
        bench_read(&bench, false);
    }
    if (machine->script)
        assert_int_equal(scripted_counts(machine->script, NULL).opens, 0);
    assert_int_equal(requests + mallocs, before);
    bench_close(&bench);
}

static void reading_takes_no_memory_and_opens_nothing(void **state)
{
    (void)state;
    each_source(check_frugality);
}

static void check_faults(const struct pji_source_ops *ops, struct machine *machine)
{
    pj_status status = PJ_ENOMEM;

    for (size_t n = 1; status != PJ_OK; n++) {
        struct bench bench;
        struct pj_error err = {0};

        if (!bench_machine(&bench, ops, machine))
            return;
        requests = 0;
        fail_at = n;
        status = bench_open(&bench, &err);
        fail_at = 0;
        assert_true(status == PJ_OK || status == PJ_ENOMEM);
        if (status) {
            assert_true(err.text[0] != '\0');
            bench_free(&bench); /* open has cleaned up: close is not called */
            machine_close(machine);
        } else {
            bench_sink(&bench);
            bench_read(&bench, true);
            bench_close(&bench);
        }
        assert_true(n < 1000);
    }
}

static void a_lack_of_memory_leaves_nothing_behind(void **state)
{
    (void)state;
    each_source(check_faults);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_complete),
        cmocka_unit_test(an_empty_machine_is_no_error),
        cmocka_unit_test(channels_say_what_they_are),
        cmocka_unit_test(reads_keep_to_the_contract),
        cmocka_unit_test(reading_takes_no_memory_and_opens_nothing),
        cmocka_unit_test(a_lack_of_memory_leaves_nothing_behind),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
