/* What a session says and what its trace gives afterwards are the same numbers: to the bit once the
 * session has stopped; before, in the value. */
#include "session_of.h"

#include "energy/trace.h"

#include <stdio.h>
#include <stdlib.h>

enum { THREADS = 3, EACH = 30, ALL = THREADS * EACH };

static struct live_tree tree;
static char trace_path[TEMP_PATH + 16];

struct worker {
    struct pj_session *session;
    pj_window windows[EACH];
    double early_j[EACH]; /* as read while the session ran */
    unsigned seed;
};

/* Nested and overlapping windows of some milliseconds. */
static void *work(void *arg)
{
    struct worker *worker = arg;

    for (int i = 0; i < EACH; i++) {
        struct pj_result *result = NULL;

        (void)pj_window_begin(worker->session, "window", &worker->windows[i], NULL);
        pause_ms((long)(rand_r(&worker->seed) % 9));
        if (i > 0) { /* the one before */
            (void)pj_window_end(worker->session, worker->windows[i - 1], NULL);
            if (pj_window_read(worker->session, worker->windows[i - 1], -1, &result, NULL) == 0)
                worker->early_j[i - 1] = result->total.value_j;
            pj_result_free(result);
        }
    }
    (void)pj_window_end(worker->session, worker->windows[EACH - 1], NULL);
    return NULL;
}

static void same(const struct pj_energy *a, const struct pj_energy *b)
{
    assert_memory_equal(&a->value_j, &b->value_j, sizeof a->value_j);
    assert_memory_equal(&a->u_ind_j, &b->u_ind_j, sizeof a->u_ind_j);
    assert_memory_equal(&a->u_com_j, &b->u_com_j, sizeof a->u_com_j);
    assert_memory_equal(&a->u_gain_j, &b->u_gain_j, sizeof a->u_gain_j);
    assert_int_equal(a->origin, b->origin);
    assert_int_equal(a->quality, b->quality);
    assert_string_equal(a->com_id, b->com_id);
    assert_string_equal(a->reason, b->reason);
}

static void compare(const struct pj_result *result, const struct pji_trace *trace)
{
    struct pj_energy energies[16];
    bool in_total[16];
    struct pji_total total;
    size_t part = 0;

    assert_true(trace->header.n_channels <= 16);
    pji_trace_window(trace, result->start_ns, result->end_ns, false, energies, in_total, &total);
    same(&result->total, &total.energy);
    same(&result->measured, &total.measured);
    same(&result->modelled, &total.modelled);
    assert_string_equal(result->label, total.label);
    for (size_t i = 0; i < trace->header.n_channels; i++) {
        const struct pji_channel *channel = &trace->header.channels[i];

        if (channel->role != PJI_ROLE_ENERGY && channel->role != PJI_ROLE_POWER)
            continue;
        assert_string_equal(pj_result_part(result, part)->source->name, channel->name);
        same(&pj_result_part(result, part++)->energy, &energies[i]);
    }
    assert_int_equal(part, result->part_count);
}

static pj_status count_window(void *context, int64_t t_ns, const char *name, const json_t *fields,
                              struct pj_error *err)
{
    (void)t_ns;
    (void)err;
    if (strcmp(name, "window") == 0 && json_is_integer(json_object_get(fields, "start_ns")) &&
        json_is_integer(json_object_get(fields, "end_ns")) &&
        strcmp(json_string_value(json_object_get(fields, "window")), "window") == 0)
        ++*(size_t *)context;
    return PJ_OK;
}

static void compare_all(struct worker workers[THREADS])
{
    struct pji_trace trace;
    struct pj_error err = {0};
    size_t valid = 0;

    if (pji_trace_load(&trace, trace_path, &err))
        fail_msg("%s", err.text);
    assert_true(trace.complete && !trace.torn);
    assert_int_equal(trace.footer.seal, PJI_SEAL_INTACT);
    assert_true(trace.footer.lateness.n > 0);
    for (size_t i = 0; i < ALL; i++) {
        struct worker *worker = &workers[i / EACH];
        struct pj_result *result = result_of(worker->session, worker->windows[i % EACH]);

        compare(result, &trace);
        valid += pj_energy_valid(&result->total);
        /* counters that stood for long and then jump are taken for faulty: values may move */
        if (i % EACH < EACH - 1 && live_tree_late_s(&tree) < 0.05)
            assert_true(worker->early_j[i % EACH] == result->total.value_j);
        pj_result_free(result);
    }
    assert_int_equal(valid, ALL);
    pji_trace_fini(&trace);
}

static void a_recorded_session_gives_the_same_numbers(void **state)
{
    (void)state;
    struct pj_session_options options = {
        .size = sizeof options, .root = tree.dir, .interval_ns = 2 * MS, .trace_path = trace_path};
    struct worker workers[THREADS] = {0};
    pthread_t threads[THREADS];
    size_t recorded = 0;
    struct pji_trace_visitor visitor = {.context = &recorded, .event = count_window};
    struct pj_session *session = session_of(&options);

    for (unsigned i = 0; i < THREADS; i++) {
        workers[i].session = session;
        workers[i].seed = i;
        assert_int_equal(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
    }
    for (size_t i = 0; i < THREADS; i++)
        (void)pthread_join(threads[i], NULL);
    pause_ms(20); /* more readings than the windows need */
    assert_int_equal(pj_session_stop(session, NULL), PJ_OK);
    compare_all(workers);
    assert_int_equal(pji_trace_visit(trace_path, &visitor, NULL, NULL, NULL), PJ_OK);
    assert_int_equal(recorded, ALL);
    pj_session_close(session);
}

static int open_tree(void **state)
{
    (void)state;
    live_tree_open(&tree);
    (void)snprintf(trace_path, sizeof trace_path, "%s/t.jsonl", tree.dir);
    return 0;
}

static int close_tree(void **state)
{
    (void)state;
    live_tree_close(&tree);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_recorded_session_gives_the_same_numbers),
    };
    return cmocka_run_group_tests(tests, open_tree, close_tree);
}
