/* Shares of requests come back in order, are copied with the records of an attempt, and stand in
 * the table of requests; a study without any has no table and gives none.
 */
#include <stdio.h>

#include "plan.h"
#include "store/export.h"
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

struct seen {
    size_t n;
    char text[4096];
};

static pj_status see(void *context, const struct pji_share_row *row, struct pj_error *err)
{
    struct seen *seen = context;
    size_t len = strlen(seen->text);
    (void)err;
    seen->n++;
    snprintf(seen->text + len, sizeof seen->text - len, "%s|%s|%lld|%lld|%g|%g|%g\n", row->phase,
             row->task, (long long)row->sequence, (long long)row->end_ns, row->energy_j,
             row->u_ind_j, row->u_com_j);
    return PJ_OK;
}

static pj_status print(void *context, const char *text, size_t len, struct pj_error *err)
{
    struct seen *seen = context;
    (void)err;
    assert_true(strlen(seen->text) + len < sizeof seen->text);
    strncat(seen->text, text, len);
    return PJ_OK;
}

static const struct pji_share_row second = {"measure", "t", 1, 30, 2.5, 0.3, 0.4};
static const struct pji_share_row first = {"measure", "t", 0, 20, 1.5, 0, 0};

static void test_round_trip(void **state)
{
    struct fixture *f = *state;
    struct seen seen = {0};
    must(pji_store_each_share(f->store, f->attempt, see, &seen, ERR));
    assert_int_equal(seen.n, 0); /* there is no table yet */
    must(pji_store_add_share(f->store, f->attempt, &second, ERR));
    must(pji_store_add_share(f->store, f->attempt, &first, ERR));
    must(pji_store_each_share(f->store, f->attempt, see, &seen, ERR));
    assert_string_equal(seen.text, "measure|t|0|20|1.5|0|0\nmeasure|t|1|30|2.5|0.3|0.4\n");
    struct pji_share_row wrong = first;
    wrong.sequence = 2;
    wrong.u_ind_j = (double)NAN;
    assert_int_equal(pji_store_add_share(f->store, f->attempt, &wrong, NULL), PJ_EINVAL);
    assert_true(pji_store_add_share(f->store, f->attempt, &first, NULL) < 0); /* twice */
}

static void test_copied_with_the_records(void **state)
{
    struct fixture *f = *state;
    struct seen seen = {0};
    must(pji_store_add_share(f->store, f->attempt, &second, ERR));
    int64_t other = start(f->store, 2);
    must(pji_store_copy_records(f->store, other, f->store, f->attempt, ERR));
    must(pji_store_each_share(f->store, other, see, &seen, ERR));
    assert_string_equal(seen.text, "measure|t|1|30|2.5|0.3|0.4\n");
}

static void test_in_the_table_of_requests(void **state)
{
    struct fixture *f = *state;
    struct seen seen = {0};
    struct pji_request_row row = {.phase = "measure",
                                  .task = "t",
                                  .item = "a, b",
                                  .scheduled_ns = 1,
                                  .sent_ns = 2,
                                  .prompt_tokens = -1,
                                  .cached_tokens = -1,
                                  .output_tokens = 7,
                                  .finish = "stop",
                                  .text_sha256 = "",
                                  .error = ""};
    for (row.sequence = 0; row.sequence < 2; row.sequence++)
        must(pji_store_add_request(f->store, f->attempt, &row, ERR));
    must(pji_store_add_share(f->store, f->attempt, &second, ERR));
    must(pji_store_export_requests(f->store, print, &seen, ERR));
    assert_null(strstr(seen.text, "measure")); /* the trial is running */
    must(
        pji_store_end_attempt(f->store, f->attempt, PJI_TRIAL_FAILED, "timeout", false, 9, 9, ERR));
    memset(&seen, 0, sizeof seen);
    must(pji_store_export_requests(f->store, print, &seen, ERR));
    assert_non_null(strstr(seen.text, ",energy_j,energy_j_u,energy_j_origin\r\n"));
    assert_non_null(strstr(seen.text, ",measure,t,0,0,\"a, b\",1,2,,,,,,7,stop,,,,missing\r\n"));
    assert_non_null(
        strstr(seen.text, ",measure,t,1,0,\"a, b\",1,2,,,30,,,7,stop,,2.5,0.5,modelled\r\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_round_trip, setup, teardown),
        cmocka_unit_test_setup_teardown(test_copied_with_the_records, setup, teardown),
        cmocka_unit_test_setup_teardown(test_in_the_table_of_requests, setup, teardown),
    };
    return cmocka_run_group_tests_name("store/share", tests, NULL, NULL);
}
