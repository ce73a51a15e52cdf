/* States of a trial, attempts, processes, artefacts: what may follow what, and what is refused. */
#include <stdio.h>

#include "plan.h"
#include "temp.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct fixture {
    char parent[TEMP_PATH], dir[256];
    struct pji_store *store;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    temp_open(f->parent);
    f->store = make_store(f->parent, f->dir, sizeof f->dir);
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

struct seen {
    struct pji_trial trial;
    char reason[64], size[16], mode[16];
    int64_t want;
    int n;
};

static pj_status see(void *context, const struct pji_trial *trial, struct pj_error *err)
{
    struct seen *s = context;
    (void)err;
    s->n++;
    if (trial->id != s->want)
        return PJ_OK;
    s->trial = *trial;
    snprintf(s->reason, sizeof s->reason, "%s", trial->reason);
    snprintf(s->size, sizeof s->size, "%s", trial->levels[0]);
    snprintf(s->mode, sizeof s->mode, "%s", trial->levels[1]);
    return PJ_OK;
}

static struct seen trial(struct fixture *f, int64_t id)
{
    struct seen s = {.want = id};
    must(pji_store_each_trial(f->store, see, &s, ERR));
    return s;
}

static pj_status finish(struct fixture *f, int64_t attempt, enum pji_trial_state state,
                        const char *reason, bool own)
{
    return pji_store_end_attempt(f->store, attempt, state, reason, own, 200, 2000, NULL);
}

static void test_life(void **state)
{
    struct fixture *f = *state;
    struct seen s = trial(f, 4);
    assert_int_equal(s.n, 4);
    assert_int_equal(s.trial.state, PJI_TRIAL_PLANNED);
    assert_string_equal(s.size, "3B");
    assert_string_equal(s.mode, "2"); /* beside "2.0": levels are text */
    int64_t a = start(f->store, 4), last = 0;
    assert_int_equal(trial(f, 4).trial.state, PJI_TRIAL_RUNNING);
    assert_int_equal(pji_store_start_attempt(f->store, 4, "n", 1, 1, &last, NULL), PJ_ESTATE);
    assert_int_equal(finish(f, a, PJI_TRIAL_FAILED, "meter_lost", false), PJ_OK);
    s = trial(f, 4);
    assert_int_equal(s.trial.state, PJI_TRIAL_FAILED);
    assert_string_equal(s.reason, "meter_lost");
    assert_int_equal(s.trial.failures, 1);
    assert_int_equal(finish(f, a, PJI_TRIAL_DONE, "", false), PJ_ESTATE); /* ended already */
    int64_t b = start(f->store, 4);
    assert_int_equal(finish(f, b, PJI_TRIAL_FAILED, "interrupted", true), PJ_OK);
    s = trial(f, 4);
    assert_int_equal(s.trial.attempts, 2);
    assert_int_equal(s.trial.failures, 1); /* our own death counts against nothing */
    int64_t c = start(f->store, 4);
    must(pji_store_last_attempt(f->store, 4, &last, ERR));
    assert_int_equal(last, c);
    assert_int_equal(finish(f, c, PJI_TRIAL_DONE, NULL, false), PJ_OK);
    s = trial(f, 4);
    assert_int_equal(s.trial.state, PJI_TRIAL_DONE);
    assert_string_equal(s.reason, "");
    assert_int_equal(pji_store_start_attempt(f->store, 4, "n", 1, 1, &last, NULL), PJ_ESTATE);
    assert_int_equal(pji_store_last_attempt(f->store, 1, &last, NULL), PJI_STORE_NONE);
}

static void test_refused(void **state)
{
    struct fixture *f = *state;
    struct pj_error err = {0};
    int64_t a = start(f->store, 1), b = 0;
    assert_int_equal(finish(f, a, PJI_TRIAL_FAILED, "", false), PJ_EINVAL);
    assert_int_equal(finish(f, a, PJI_TRIAL_INVALID, NULL, false), PJ_EINVAL);
    assert_int_equal(finish(f, a, PJI_TRIAL_RUNNING, "x", false), PJ_EINVAL);
    assert_int_equal(finish(f, a + 99, PJI_TRIAL_DONE, "", false), PJ_EINVAL);
    assert_int_equal(pji_store_start_attempt(f->store, 99, "n", 1, 1, &b, &err), PJ_EINVAL);
    assert_non_null(strstr(err.text, "no trial 99"));
    assert_int_equal(trial(f, 1).trial.state, PJI_TRIAL_RUNNING);
    assert_int_equal(finish(f, a, PJI_TRIAL_PLANNED, "stopped", true), PJ_OK);
    struct seen s = trial(f, 1);
    assert_int_equal(s.trial.state, PJI_TRIAL_PLANNED);
    assert_string_equal(s.reason, "");
    /* a plan that contradicts itself */
    const char *levels[] = {"1", "no such level"};
    struct pji_trial t = {.id = 9, .cell = 7, .block = 1, .repetition = 1, .levels = levels};
    assert_int_equal(pji_store_add_trial(f->store, &t, NULL), PJ_EINVAL);
    levels[1] = "2";
    t.id = 1;
    assert_int_equal(pji_store_add_trial(f->store, &t, NULL), PJ_EINVAL);
    t.id = 9;
    must(pji_store_add_trial(f->store, &t, ERR)); /* nothing was left of the refused ones */
    assert_int_equal(trial(f, 9).n, 5);
}

static pj_status stop_at_two(void *context, const struct pji_trial *t, struct pj_error *err)
{
    (void)context;
    (void)err;
    return t->id == 2 ? 7 : 0;
}

struct nested {
    struct pji_store *store;
    int64_t attempts[4];
    int n;
};

/* A visitor that writes, and visits the same table again. */
static pj_status start_each(void *context, const struct pji_trial *t, struct pj_error *err)
{
    struct nested *n = context;
    struct seen s = {.want = t->id};
    pj_status st = pji_store_start_attempt(n->store, t->id, "n", 1, 1, &n->attempts[n->n++], err);
    return st ? st : pji_store_each_trial(n->store, see, &s, err);
}

static void test_visitors(void **state)
{
    struct fixture *f = *state;
    struct nested n = {.store = f->store};
    assert_int_equal(pji_store_each_trial(f->store, stop_at_two, NULL, NULL), 7);
    must(pji_store_each_trial(f->store, start_each, &n, ERR));
    assert_int_equal(n.n, 4);
    assert_int_equal(trial(f, 4).trial.state, PJI_TRIAL_RUNNING);
}

struct row_copy {
    int n;
    struct pji_attempt_row last;
    char reason[32];
};

static pj_status see_row(void *context, const struct pji_attempt_row *row, struct pj_error *err)
{
    struct row_copy *c = context;
    (void)err;
    c->n++;
    c->last = *row;
    snprintf(c->reason, sizeof c->reason, "%s", row->reason);
    return PJ_OK;
}

static void test_attempt_rows(void **state)
{
    struct fixture *f = *state;
    struct row_copy c = {0};
    int64_t a = start(f->store, 2);
    assert_int_equal(finish(f, a, PJI_TRIAL_INVALID, "throttled", false), PJ_OK);
    start(f->store, 1);
    a = start(f->store, 2);
    must(pji_store_each_attempt(f->store, 0, see_row, &c, ERR));
    assert_int_equal(c.n, 3);
    c.n = 0;
    must(pji_store_each_attempt(f->store, 2, see_row, &c, ERR));
    assert_int_equal(c.n, 2);
    assert_int_equal(c.last.id, a);
    assert_int_equal(c.last.number, 2);
    assert_int_equal(c.last.start_ns, 100);
    assert_int_equal(c.last.start_wall_ns, 1000);
    assert_int_equal(c.last.end_ns, 0);
    assert_int_equal(c.last.state, PJI_TRIAL_RUNNING);
}

static pj_status see_process(void *context, const struct pji_process_row *row, struct pj_error *err)
{
    int *n = context;
    (void)err;
    assert_string_equal(row->role, *n ? "meter" : "engine");
    assert_int_equal(row->pid, 42 + *n);
    assert_true(row->start_ticks == UINT64_MAX - (uint64_t)*n);
    assert_string_equal(row->boot_id, "b");
    ++*n;
    return PJ_OK;
}

static void test_processes(void **state)
{
    struct fixture *f = *state;
    int64_t a = start(f->store, 1);
    int n = 0;
    for (int i = 0; i < 2; i++) {
        struct pji_process_row row = {a, i ? "meter" : "engine", 42 + i, UINT64_MAX - (uint64_t)i,
                                      "b"};
        must(pji_store_add_process(f->store, &row, ERR));
    }
    must(pji_store_each_process(f->store, a, see_process, &n, ERR));
    assert_int_equal(n, 2);
    struct pji_process_row orphan = {99, "engine", 1, 1, "b"};
    assert_int_equal(pji_store_add_process(f->store, &orphan, NULL), PJ_EINVAL);
}

/* ---- artefacts ---- */

static void write_file(const char *path, const char *text)
{
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    fputs(text, out);
    fclose(out);
}

static pj_status see_artefact(void *context, const struct pji_artefact_row *row,
                              struct pj_error *err)
{
    int *n = context;
    (void)err;
    ++*n;
    if (strcmp(row->name, "trace.jsonl") == 0) {
        assert_string_equal(row->path, "artefacts/1/trace.jsonl");
        assert_int_equal(row->size_b, 3);
        assert_string_equal(row->sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61"
                                         "f20015ad"); /* FIPS 180-2: "abc" */
    } else {
        assert_int_equal(row->size_b, -1);
        assert_string_equal(row->sha256, "");
    }
    return PJ_OK;
}

static void test_artefacts(void **state)
{
    struct fixture *f = *state;
    struct pj_error err = {0};
    int64_t a = start(f->store, 1);
    char *path = NULL;
    int n = 0;
    must(pji_store_declare_artefact(f->store, a, "trace.jsonl", ERR));
    must(pji_store_declare_artefact(f->store, a, "engine.log", ERR));
    must(pji_store_artefact_path(f->store, a, "trace.jsonl", &path, ERR));
    assert_int_equal(pji_store_seal_artefact(f->store, a, "trace.jsonl", NULL), PJ_ENOTFOUND);
    write_file(path, "abc");
    must(pji_store_seal_artefact(f->store, a, "trace.jsonl", ERR));
    assert_int_equal(pji_store_seal_artefact(f->store, a, "trace.jsonl", NULL), PJ_ESTATE);
    must(pji_store_each_artefact(f->store, a, see_artefact, &n, ERR));
    assert_int_equal(n, 2);
    assert_int_equal(pji_store_end_attempt(f->store, a, PJI_TRIAL_DONE, "", false, 1, 1, &err),
                     PJ_ESTATE);
    assert_non_null(strstr(err.text, "engine.log"));
    assert_int_equal(trial(f, 1).trial.state, PJI_TRIAL_RUNNING);
    free(path);
    must(pji_store_artefact_path(f->store, a, "engine.log", &path, ERR));
    write_file(path, "");
    must(pji_store_seal_artefact(f->store, a, "engine.log", ERR));
    assert_int_equal(finish(f, a, PJI_TRIAL_DONE, "", false), PJ_OK);
    assert_int_equal(pji_store_declare_artefact(f->store, a, "late", NULL), PJ_ESTATE);
    free(path);
}

static void test_artefact_names(void **state)
{
    static const char *const bad[] = {"",     ".",   "..",  "a/b", "../x", "/etc/passwd",
                                      "a\\b", "a b", "a\n", "é",   "a%2fb"};
    struct fixture *f = *state;
    int64_t a = start(f->store, 1);
    char *path = NULL, longest[200], target[512];
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(pji_store_declare_artefact(f->store, a, bad[i], NULL), PJ_EINVAL);
        assert_int_equal(pji_store_artefact_path(f->store, a, bad[i], &path, NULL), PJ_EINVAL);
        assert_int_equal(pji_store_seal_artefact(f->store, a, bad[i], NULL), PJ_EINVAL);
        assert_null(path);
    }
    memset(longest, 'a', sizeof longest);
    longest[sizeof longest - 1] = '\0';
    assert_int_equal(pji_store_declare_artefact(f->store, a, longest, NULL), PJ_EINVAL);
    assert_int_equal(pji_store_declare_artefact(f->store, 99, "x", NULL), PJ_ESTATE);
    must(pji_store_declare_artefact(f->store, a, "...", ERR));
    assert_int_equal(pji_store_declare_artefact(f->store, a, "...", NULL), PJ_EINVAL);
    /* neither a link nor a folder is an artefact */
    must(pji_store_declare_artefact(f->store, a, "link", ERR));
    must(pji_store_artefact_path(f->store, a, "link", &path, ERR));
    snprintf(target, sizeof target, "%s/lock", f->dir);
    assert_int_equal(symlink(target, path), 0);
    assert_int_equal(pji_store_seal_artefact(f->store, a, "link", NULL), PJ_EINVAL);
    unlink(path);
    mkdir(path, 0755);
    assert_int_equal(pji_store_seal_artefact(f->store, a, "link", NULL), PJ_EINVAL);
    free(path);
    /* written but never declared */
    must(pji_store_artefact_path(f->store, a, "stray", &path, ERR));
    write_file(path, "x");
    assert_int_equal(pji_store_seal_artefact(f->store, a, "stray", NULL), PJ_ESTATE);
    free(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_life, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_visitors, setup, teardown),
        cmocka_unit_test_setup_teardown(test_attempt_rows, setup, teardown),
        cmocka_unit_test_setup_teardown(test_processes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_artefacts, setup, teardown),
        cmocka_unit_test_setup_teardown(test_artefact_names, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
