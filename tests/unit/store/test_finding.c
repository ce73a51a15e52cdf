/* Findings of a study come back in order and must carry figures; a study of an earlier version has
 * none. Files copied in are digested; nothing but a regular file comes in. */
#include <stdio.h>

#include "plan.h"
#include "store/internal.h"
#include "temp.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

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

struct seen {
    size_t n;
    char text[512];
};

static pj_status see(void *context, const struct pji_finding_row *row, struct pj_error *err)
{
    struct seen *seen = context;
    size_t len = strlen(seen->text);
    (void)err;
    seen->n++;
    snprintf(seen->text + len, sizeof seen->text - len, "%s|%s|%s|%s|%s\n", row->code, row->subject,
             row->consequence, row->detail, row->figures);
    return PJ_OK;
}

static void test_round_trip(void **state)
{
    struct fixture *f = *state;
    struct seen seen = {0};
    const struct pji_finding_row rows[] = {
        {"counter_wrapped", "run_3", "flag", "It wrapped.", "{\"wraps\": 1}"},
        {"factor_aliased", "generation", "forbids", "One size each.", "{}"},
    };
    must(pji_store_add_finding(f->store, &rows[0], ERR));
    must(pji_store_add_finding(f->store, &rows[1], ERR));
    must(pji_store_each_finding(f->store, see, &seen, ERR));
    assert_string_equal(seen.text, "counter_wrapped|run_3|flag|It wrapped.|{\"wraps\": 1}\n"
                                   "factor_aliased|generation|forbids|One size each.|{}\n");
}

static void test_refused(void **state)
{
    struct fixture *f = *state;
    struct seen seen = {0};
    const struct pji_finding_row rows[] = {
        {"", "s", "flag", "d", "{}"},      {"c", "s", "fatal", "d", "{}"},
        {"c", "s", "flag", "", "{}"},      {"c", "s", "flag", "d", "[1]"},
        {"c", "s", "flag", "d", "{\"a\""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_true(pji_store_add_finding(f->store, &rows[i], NULL) < 0);
    must(pji_store_each_finding(f->store, see, &seen, ERR));
    assert_int_equal(seen.n, 0);
}

static void test_absent_table(void **state)
{
    struct fixture *f = *state;
    struct seen seen = {0};
    must(pji_db_exec(&f->store->db, "DROP TABLE finding", ERR));
    must(pji_store_each_finding(f->store, see, &seen, ERR));
    assert_int_equal(seen.n, 0);
}

static pj_status see_artefact(void *context, const struct pji_artefact_row *row,
                              struct pj_error *err)
{
    struct seen *seen = context;
    (void)err;
    seen->n++;
    snprintf(seen->text, sizeof seen->text, "%s %lld %s", row->path, (long long)row->size_b,
             row->sha256);
    return PJ_OK;
}

static void test_copied_artefact(void **state)
{
    struct fixture *f = *state;
    struct seen seen = {0};
    char source[TEMP_PATH + 16], expected[512], *path = NULL;
    struct stat info;
    snprintf(source, sizeof source, "%s/abc", f->parent);
    FILE *file = fopen(source, "w");
    assert_non_null(file);
    fputs("abc", file);
    fclose(file);
    must(pji_store_copy_artefact(f->store, f->attempt, "a.csv", source, &path, ERR));
    must(pji_store_sync(f->store, ERR));
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_size, 3);
    free(path);
    must(pji_store_each_artefact(f->store, f->attempt, see_artefact, &seen, ERR));
    /* FIPS 180-2, B.1 */
    snprintf(expected, sizeof expected,
             "artefacts/%lld/a.csv 3 "
             "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
             (long long)f->attempt);
    assert_string_equal(seen.text, expected);
    assert_true(pji_store_copy_artefact(f->store, f->attempt, "a.csv", source, NULL, NULL) < 0);
    assert_true(pji_store_copy_artefact(f->store, f->attempt, "b", f->parent, NULL, NULL) < 0);
    assert_true(pji_store_copy_artefact(f->store, f->attempt, "c", "/nowhere/x", NULL, NULL) < 0);
    assert_true(pji_store_copy_artefact(f->store, f->attempt, "../d", source, NULL, NULL) < 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_round_trip, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_absent_table, setup, teardown),
        cmocka_unit_test_setup_teardown(test_copied_artefact, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
