/* What happens to a whole analysis when the n-th request for memory fails, for every n: the error
 * that says so, never a crash, a leak or another result. The linker sends the requests of the code
 * under test here (--wrap); those inside shared libraries stay as they are.
 */
#include "analysis/analyse.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);

static long left = -1; /* requests until one fails; negative: none does */
static bool failed;

static bool refuse(void)
{
    if (left < 0 || left-- > 0)
        return false;
    failed = true;
    return true;
}

void *__wrap_malloc(size_t size)
{
    return refuse() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return refuse() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size)
{
    return refuse() ? NULL : __real_realloc(old, size);
}

static const char table_text[] = "unit,a,b,x,flag,y\n"
                                 "u1,lo,p1,1.5,0,10\n"
                                 "u1,lo,p2,2.5,1,12.5\n"
                                 "u1,hi,q1,3,0,15\n"
                                 "u2,lo,p1,4.5,1,11\n"
                                 "u2,hi,q2,2,0,17.5\n"
                                 "u2,hi,q1,1,1,16\n"
                                 "u3,lo,p2,3.5,0,13\n"
                                 "u3,hi,q1,4,1,14.25\n"
                                 "u3,lo,p1,2,0,9.5\n"
                                 "u4,hi,q2,1,1,18\n"
                                 "u4,lo,p2,5,0,13.5\n"
                                 "u4,hi,q1,NA,1,16.5\n";

static pj_status once(const struct pji_analysis *request, json_t **out, struct pj_error *err)
{
    struct pji_table table;
    bool conclusive;
    *out = NULL;
    FILE *file = fmemopen((void *)(uintptr_t)table_text, strlen(table_text), "r");
    assert_non_null(file);
    pj_status rc = pji_table_read(&table, file, "t.csv", ',', err);
    fclose(file);
    if (rc)
        return rc;
    rc = pji_analyse(&table, request, out, &conclusive, err);
    if (!rc) {
        struct pji_str text = {0};
        pji_analysis_text(*out, 80, false, &text);
        if (text.failed)
            rc = pji_fail(err, PJ_ENOMEM, "out of memory: the text");
        pji_str_fini(&text);
    }
    pji_table_fini(&table);
    return rc;
}

/* every n up to the number of requests, in steps that keep the test short */
static void torture(const struct pji_analysis *request, const char *name)
{
    json_t *whole;
    struct pj_error err = {0};
    left = 1L << 40;
    pj_status rc = once(request, &whole, &err);
    long requests = (1L << 40) - left;
    left = -1;
    if (rc)
        fail_msg("%s: %s", name, err.text);
    long step = requests / 120 + 1;
    for (long n = 0; n < requests; n += step) {
        json_t *out;
        err = (struct pj_error){0};
        failed = false;
        left = n;
        rc = once(request, &out, &err);
        left = -1;
        assert_true(failed);
        if (rc == PJ_OK && !json_equal(out, whole))
            fail_msg("%s: request %ld of %ld failed, and the result is another one", name, n,
                     requests);
        if (rc != PJ_OK && (rc != PJ_ENOMEM || !strstr(err.text, "out of memory")))
            fail_msg("%s: request %ld of %ld: '%s'", name, n, requests, err.text);
        json_decref(out);
    }
    json_decref(whole);
}

static void test_groups(void **state)
{
    (void)state;
    static const char *const levels[] = {"a=hi,lo"};
    torture(&(struct pji_analysis){.response = "y", .by = "b"}, "by");
    torture(&(struct pji_analysis){.response = "y",
                                   .by = "a",
                                   .where = "not (x > 4 and b in ('p1', 'p2')) or unit == 'u1'",
                                   .levels = levels,
                                   .n_levels = 1,
                                   .tests = "equivalence,bootstrap,power",
                                   .equivalence = true,
                                   .low = -1,
                                   .high = 1},
            "extras");
    torture(&(struct pji_analysis){.response = "y", .by = "a", .paired_by = "unit"}, "paired");
    torture(&(struct pji_analysis){.response = "flag", .by = "a", .paired_by = "unit,x"},
            "mcnemar");
    torture(&(struct pji_analysis){.response = "y", .correlate = "x", .by = "a"}, "correlate");
}

static void test_models(void **state)
{
    (void)state;
    static const char *const within[] = {"b|a"};
    static const char *const factors[] = {"flag"};
    torture(
        &(struct pji_analysis){.model = "log(y) ~ a + b + x", .emmeans = within, .n_emmeans = 1},
        "nested");
    torture(&(struct pji_analysis){.model = "y ~ a * flag", .factor = factors, .factors = 1},
            "factorial");
    torture(&(struct pji_analysis){.model = "y ~ a + flag + (1 | unit)"}, "mixed");
    torture(&(struct pji_analysis){.model = "y ~ a + (1 | unit)"}, "mixed ranks");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_groups),
        cmocka_unit_test(test_models),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
