/* Records of an attempt come back as they went in; what is missing stays missing, never 0. */
#include <stdio.h>

#include "plan.h"
#include "store/internal.h"
#include "temp.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct fixture {
    char parent[TEMP_PATH], dir[256];
    struct pji_store *store;
    int64_t attempt;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    temp_open(f->parent);
    f->store = make_store(f->parent, f->dir, sizeof f->dir);
    f->attempt = start(f->store, 1);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    must(pji_store_close(f->store, ERR));
    temp_close(f->parent);
    free(f);
    return 0;
}

/* What a visitor saw: the checks happen after the visit. */
static int64_t scalar(struct fixture *f, const char *sql)
{
    sqlite3_stmt *stmt = NULL;
    assert_int_equal(sqlite3_prepare_v2(f->store->db.handle, sql, -1, &stmt, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    int64_t value = sqlite3_column_int64(stmt, 0);
    sqlite3_finalize(stmt);
    return value;
}

/* ---- energies ---- */

static const struct pji_energy_row energies[] = {
    {"measure",
     "energy",
     "package-0",
     "package",
     "",
     true,
     {.value_j = 0.1 + 0.2,
      .u_ind_j = 5e-324,
      .u_com_j = 1e300,
      .u_gain_j = 0.25,
      .origin = PJ_ORIGIN_COUNTER,
      .quality = 0xffffffffU,
      .com_id = "rapl:0"}},
    {"measure",
     "energy",
     "gpu-0",
     "gpu",
     "",
     false,
     {.value_j = (double)NAN, .origin = PJ_ORIGIN_MISSING, .reason = "permission denied"}},
    {"measure",
     "energy",
     "total",
     "package",
     "package-0,dram",
     true,
     {.value_j = -1.5, .origin = PJ_ORIGIN_MODELLED, .com_id = "model"}},
    {"idle",
     "",
     "total",
     "package",
     "package-0",
     true,
     {.value_j = 0.0, .origin = PJ_ORIGIN_CONSTANT, .reason = "a note"}},
};

static pj_status see_energy(void *context, const struct pji_energy_row *row, struct pj_error *err)
{
    size_t *n = context;
    const struct pji_energy_row *want = &energies[(*n)++];
    const struct pj_energy *a = &row->energy, *b = &want->energy;
    (void)err;
    assert_string_equal(row->phase, want->phase);
    assert_string_equal(row->task, want->task);
    assert_string_equal(row->name, want->name);
    assert_string_equal(row->domain, want->domain);
    assert_string_equal(row->set, want->set);
    assert_int_equal(row->in_total, want->in_total);
    assert_int_equal(a->origin, b->origin);
    assert_int_equal(a->quality, b->quality);
    assert_string_equal(a->com_id, b->com_id);
    assert_string_equal(a->reason, b->reason);
    if (b->origin == PJ_ORIGIN_MISSING) {
        assert_true(isnan(a->value_j) && isnan(a->u_ind_j) && isnan(a->u_com_j));
        return PJ_OK;
    }
    assert_memory_equal(&a->value_j, &b->value_j, sizeof(double));
    assert_memory_equal(&a->u_ind_j, &b->u_ind_j, sizeof(double));
    assert_memory_equal(&a->u_com_j, &b->u_com_j, sizeof(double));
    assert_memory_equal(&a->u_gain_j, &b->u_gain_j, sizeof(double));
    return PJ_OK;
}

static void test_energies(void **state)
{
    struct fixture *f = *state;
    size_t n = 0;
    for (size_t i = 0; i < sizeof energies / sizeof energies[0]; i++)
        must(pji_store_add_energy(f->store, f->attempt, &energies[i], ERR));
    must(pji_store_each_energy(f->store, f->attempt, see_energy, &n, ERR));
    assert_int_equal(n, 4);
    assert_int_equal(scalar(f, "SELECT count(*) FROM energy WHERE value_j IS NULL"), 1);
    assert_int_equal(scalar(f, "SELECT count(*) FROM energy WHERE value_j = 0"), 1);
}

static void test_energies_refused(void **state)
{
    struct fixture *f = *state;
    struct pji_energy_row row = energies[0];
    row.energy.value_j = (double)NAN; /* a value that is not there, but is not declared missing */
    assert_int_equal(pji_store_add_energy(f->store, f->attempt, &row, NULL), PJ_EINVAL);
    row.energy.value_j = (double)INFINITY;
    assert_int_equal(pji_store_add_energy(f->store, f->attempt, &row, NULL), PJ_EINVAL);
    row = energies[0];
    row.energy.u_com_j = -1.0;
    assert_int_equal(pji_store_add_energy(f->store, f->attempt, &row, NULL), PJ_EINVAL);
    row = energies[1];
    row.energy.reason[0] = '\0'; /* missing, and nobody says why */
    assert_int_equal(pji_store_add_energy(f->store, f->attempt, &row, NULL), PJ_EINVAL);
    assert_int_equal(pji_store_add_energy(f->store, 99, &energies[0], NULL), PJ_EINVAL);
    assert_int_equal(scalar(f, "SELECT count(*) FROM energy"), 0);
    /* the schema itself holds the promise, whoever writes */
    assert_int_equal(sqlite3_exec(f->store->db.handle,
                                  "INSERT INTO energy (attempt, phase, task, name, domain, members,"
                                  " in_total, value_j, u_ind_j, u_com_j, u_gain_j, origin, quality,"
                                  " com_id, reason) VALUES (1, 'm', '', 'x', 'x', '', 0, 0, 0, 0,"
                                  " 0, 'missing', 0, '', 'why')",
                                  NULL, NULL, NULL),
                     SQLITE_CONSTRAINT_CHECK);
}

/* ---- requests ---- */

static pj_status see_request(void *context, const struct pji_request_row *r, struct pj_error *err)
{
    int *n = context;
    (void)err;
    if (++*n == 1) {
        assert_int_equal(r->n_tokens, 3);
        assert_int_equal(r->token_ns[0], 1);
        assert_int_equal(r->token_ns[1], INT64_MAX);
        assert_int_equal(r->token_ns[2], INT64_MIN);
        assert_string_equal(r->text, "Grüße\xff");
        assert_int_equal(r->sent_ns, 11);
        assert_int_equal(r->cached_tokens, 0);
        assert_int_equal(r->prompt_tokens, 7);
        assert_string_equal(r->finish, "length");
        return PJ_OK;
    }
    assert_int_equal(r->n_tokens, 0);
    assert_null(r->text);
    assert_int_equal(r->sent_ns, 0);
    assert_int_equal(r->first_token_ns, 0);
    assert_int_equal(r->prompt_tokens, -1);
    assert_int_equal(r->output_tokens, -1);
    assert_string_equal(r->error, "connection reset");
    return PJ_OK;
}

static void test_requests(void **state)
{
    struct fixture *f = *state;
    const int64_t times[] = {1, INT64_MAX, INT64_MIN};
    struct pji_request_row good = {.phase = "measure",
                                   .task = "energy",
                                   .sequence = 0,
                                   .stream = 2,
                                   .item = "q1",
                                   .scheduled_ns = 10,
                                   .sent_ns = 11,
                                   .first_token_ns = 12,
                                   .last_token_ns = 13,
                                   .prompt_tokens = 7,
                                   .cached_tokens = 0,
                                   .output_tokens = 3,
                                   .finish = "length",
                                   .text_sha256 = "",
                                   .text = "Grüße\xff",
                                   .error = "",
                                   .token_ns = times,
                                   .n_tokens = 3};
    struct pji_request_row lost = {.phase = "measure",
                                   .task = "energy",
                                   .sequence = 1,
                                   .item = "q2",
                                   .scheduled_ns = 10,
                                   .prompt_tokens = -1,
                                   .cached_tokens = -1,
                                   .output_tokens = -1,
                                   .finish = "",
                                   .text_sha256 = "",
                                   .error = "connection reset"};
    int n = 0;
    must(pji_store_add_request(f->store, f->attempt, &good, ERR));
    must(pji_store_add_request(f->store, f->attempt, &lost, ERR));
    assert_int_equal(pji_store_add_request(f->store, f->attempt, &lost, NULL), PJ_EINVAL);
    must(pji_store_each_request(f->store, f->attempt, see_request, &n, ERR));
    assert_int_equal(n, 2);
    assert_int_equal(scalar(f, "SELECT count(*) FROM request WHERE sent_ns IS NULL"), 1);
    assert_int_equal(scalar(f, "SELECT hex(substr(token_ns, 1, 8)) = '0100000000000000'"
                               " FROM request WHERE sequence = 0"),
                     1);
    assert_int_equal(sqlite3_exec(f->store->db.handle, "UPDATE request SET token_ns = x'0102'",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    n = 0;
    assert_int_equal(pji_store_each_request(f->store, f->attempt, see_request, &n, NULL),
                     PJ_ECORRUPT);
}

/* ---- the rest ---- */

static pj_status see_metric(void *context, const struct pji_metric_row *m, struct pj_error *err)
{
    int *n = context;
    (void)err;
    if (++*n == 1) {
        assert_string_equal(m->name, "j_per_token");
        assert_true(m->value == 0.0625 && m->u_ind == 0.5 && m->u_com == 0.25);
        assert_string_equal(m->origin, "integrated");
    } else {
        assert_true(isnan(m->value) && isnan(m->u_ind));
        assert_string_equal(m->reason, "no first token");
    }
    return PJ_OK;
}

static void test_metrics(void **state)
{
    struct fixture *f = *state;
    int n = 0;
    struct pji_metric_row row = {"energy", "j_per_token", 0.0625, 0.5, 0.25, "integrated", NULL};
    must(pji_store_add_metric(f->store, f->attempt, &row, ERR));
    assert_int_equal(pji_store_add_metric(f->store, f->attempt, &row, NULL), PJ_EINVAL);
    row = (struct pji_metric_row){"energy", "ttft_s", (double)NAN, 0, 0, "", "no first token"};
    must(pji_store_add_metric(f->store, f->attempt, &row, ERR));
    row.name = "tpot_s";
    row.reason = "";
    assert_int_equal(pji_store_add_metric(f->store, f->attempt, &row, NULL), PJ_EINVAL);
    row.value = (double)INFINITY;
    assert_int_equal(pji_store_add_metric(f->store, f->attempt, &row, NULL), PJ_EINVAL);
    must(pji_store_each_metric(f->store, f->attempt, see_metric, &n, ERR));
    assert_int_equal(n, 2);
    assert_int_equal(scalar(f, "SELECT count(*) FROM metric WHERE value IS NULL"), 1);
}

static pj_status see_phase(void *context, const struct pji_phase_row *p, struct pj_error *err)
{
    (void)err;
    assert_string_equal(p->name, "load");
    assert_string_equal(p->task, "");
    assert_int_equal(p->end_ns - p->start_ns, 5);
    ++*(int *)context;
    return PJ_OK;
}

static pj_status see_answer(void *context, const struct pji_answer_row *a, struct pj_error *err)
{
    (void)err;
    assert_string_equal(a->gold, "yes");
    assert_string_equal(a->answer, *(int *)context ? "" : "yes");
    assert_int_equal(a->correct, *(int *)context == 0);
    ++*(int *)context;
    return PJ_OK;
}

static pj_status see_gate(void *context, const struct pji_gate_row *g, struct pj_error *err)
{
    (void)err;
    assert_string_equal(g->consequence, "flag");
    ++*(int *)context;
    return PJ_OK;
}

static void test_others(void **state)
{
    struct fixture *f = *state;
    int n = 0;
    must(
        pji_store_add_phase(f->store, f->attempt, &(struct pji_phase_row){"load", "", 5, 10}, ERR));
    assert_int_equal(
        pji_store_add_phase(f->store, f->attempt, &(struct pji_phase_row){"load", "", 5, 4}, NULL),
        PJ_EINVAL);
    must(pji_store_each_phase(f->store, f->attempt, see_phase, &n, ERR));
    assert_int_equal(n, 1);
    n = 0;
    must(pji_store_add_answer(f->store, f->attempt,
                              &(struct pji_answer_row){"t", "1", "yes", "yes", true, true}, ERR));
    must(pji_store_add_answer(f->store, f->attempt,
                              &(struct pji_answer_row){"t", "2", "", "yes", false, false}, ERR));
    assert_int_equal(
        pji_store_add_answer(f->store, f->attempt,
                             &(struct pji_answer_row){"t", "3", "", "yes", false, true}, NULL),
        PJ_EINVAL);
    must(pji_store_each_answer(f->store, f->attempt, see_answer, &n, ERR));
    assert_int_equal(n, 2);
    n = 0;
    must(pji_store_add_gate(f->store, f->attempt, &(struct pji_gate_row){"gap", "flag", "x"}, ERR));
    assert_int_equal(
        pji_store_add_gate(f->store, f->attempt, &(struct pji_gate_row){"gap", "fatal", "x"}, NULL),
        PJ_EINVAL);
    must(pji_store_each_gate(f->store, f->attempt, see_gate, &n, ERR));
    assert_int_equal(n, 1);
}

struct facts {
    int n;
    char last[32];
};

static pj_status see_fact(void *context, const char *key, const char *value, struct pj_error *err)
{
    struct facts *facts = context;
    (void)key;
    (void)err;
    facts->n++;
    snprintf(facts->last, sizeof facts->last, "%s", value);
    return PJ_OK;
}

static void test_facts(void **state)
{
    struct fixture *f = *state;
    struct facts facts = {0};
    must(pji_store_put_fact(f->store, 0, "machine.cpu", "old", ERR));
    must(pji_store_put_fact(f->store, 0, "machine.cpu", "new", ERR));
    must(pji_store_put_fact(f->store, f->attempt, "machine.cpu", "of the attempt", ERR));
    must(pji_store_each_fact(f->store, 0, see_fact, &facts, ERR));
    assert_int_equal(facts.n, 1);
    assert_string_equal(facts.last, "new");
    must(pji_store_each_fact(f->store, f->attempt, see_fact, &facts, ERR));
    assert_int_equal(facts.n, 2);
    assert_string_equal(facts.last, "of the attempt");
}

static void test_meta(void **state)
{
    struct fixture *f = *state;
    char *value = NULL;
    must(pji_store_put_meta(f->store, "study", "a", ERR));
    must(pji_store_put_meta(f->store, "study", "b\nc", ERR));
    must(pji_store_get_meta(f->store, "study", &value, ERR));
    assert_string_equal(value, "b\nc");
    free(value);
    assert_int_equal(pji_store_get_meta(f->store, "none", &value, NULL), PJI_STORE_NONE);
    assert_null(value);
}

static void test_transaction(void **state)
{
    struct fixture *f = *state;
    char *value = NULL;
    must(pji_store_begin(f->store, ERR));
    assert_int_equal(pji_store_begin(f->store, NULL), PJ_ESTATE);
    must(pji_store_put_meta(f->store, "k", "v", ERR));
    must(pji_store_end_attempt(f->store, f->attempt, PJI_TRIAL_DONE, "", false, 1, 1, ERR));
    /* a call that fails undoes its own part only */
    assert_int_equal(
        pji_store_end_attempt(f->store, f->attempt, PJI_TRIAL_DONE, "", false, 1, 1, NULL),
        PJ_ESTATE);
    pji_store_rollback(f->store);
    assert_int_equal(pji_store_get_meta(f->store, "k", &value, NULL), PJI_STORE_NONE);
    assert_int_equal(pji_store_commit(f->store, NULL), PJ_ESTATE);
    assert_int_equal(scalar(f, "SELECT count(*) FROM trial WHERE state = 'running'"), 1);
    must(pji_store_begin(f->store, ERR));
    must(pji_store_put_meta(f->store, "k", "v", ERR));
    must(pji_store_commit(f->store, ERR));
    must(pji_store_get_meta(f->store, "k", &value, ERR));
    free(value);
}

static void test_metric_per_count(void **state)
{
    (void)state;
    struct pj_energy e = {.value_j = 12, .u_ind_j = 2, .u_com_j = 4, .origin = PJ_ORIGIN_COUNTER};
    struct pji_metric_row row = pji_metric_per("t", "j_per_token", &e, 4, "no tokens");
    assert_true(row.value == 3 && row.u_ind == 0.5 && row.u_com == 1);
    assert_string_equal(row.origin, "counter");
    assert_string_equal(row.reason, "");
    const double counts[] = {0, (double)NAN};
    for (size_t i = 0; i < 2; i++) {
        row = pji_metric_per("t", "j_per_token", &e, counts[i], "no tokens");
        assert_true(isnan(row.value));
        assert_string_equal(row.reason, "no tokens");
    }
    e = (struct pj_energy){.origin = PJ_ORIGIN_MISSING, .reason = "no counter"};
    row = pji_metric_per("t", "j_per_token", &e, 4, "no tokens");
    assert_true(isnan(row.value));
    assert_string_equal(row.reason, "no counter");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_metric_per_count),
        cmocka_unit_test_setup_teardown(test_energies, setup, teardown),
        cmocka_unit_test_setup_teardown(test_energies_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_requests, setup, teardown),
        cmocka_unit_test_setup_teardown(test_metrics, setup, teardown),
        cmocka_unit_test_setup_teardown(test_others, setup, teardown),
        cmocka_unit_test_setup_teardown(test_facts, setup, teardown),
        cmocka_unit_test_setup_teardown(test_meta, setup, teardown),
        cmocka_unit_test_setup_teardown(test_transaction, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
