/* What happens when the n-th request for memory fails, for every n: an error, never a crash, a leak
 * or a wrong result. The linker sends the requests of the code under test here (--wrap); those
 * inside shared libraries stay as they are.
 */
#include "core/array.h"
#include "core/csv.h"
#include "core/json.h"
#include "core/str.h"
#include "core/yaml.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
    if (left < 0)
        return false;
    if (left-- > 0)
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

/* Runs `action` with every request failing in turn, until it needs no more. */
static void torture(pj_status (*action)(struct pj_error *err))
{
    for (long n = 0; n < 10000; n++) {
        struct pj_error err = {0};
        left = n;
        failed = false;
        pj_status status = action(&err);
        left = -1;
        if (!failed) {
            assert_int_equal(status, PJ_OK);
            assert_true(n > 0);
            return;
        }
        assert_int_equal(status, PJ_ENOMEM);
        assert_int_equal(err.code, PJ_ENOMEM);
        assert_non_null(strstr(err.text, "out of memory"));
    }
    fail_msg("it never succeeded");
}

static pj_status build_text(struct pj_error *err)
{
    struct pji_str s = {0};
    for (int i = 0; i < 200; i++) {
        pji_str_addf(&s, "%d ", i);
        pji_str_add_num(&s, i / 7.0);
        pji_csv_add(&s, "a,\"b\"", ',', false);
    }
    pj_status status = pji_str_ok(&s, err);
    char *text = pji_str_take(&s);
    if ((text == NULL) != (status != PJ_OK))
        status = PJ_ESTATE;
    free(text);
    return status;
}

static pj_status write_json(struct pj_error *err)
{
    struct pji_str s = {0};
    long kept = left;
    left = -1; /* the tree is jansson's */
    json_t *value = json_pack("{s:[i,f,s,n],s:{s:b}}", "list", 1, 0.1, "text\n", "o", "k", 1);
    left = kept;
    for (int i = 0; i < 20; i++)
        pji_json_write(&s, value, 2);
    pj_status status = pji_str_ok(&s, err);
    pji_str_fini(&s);
    json_decref(value);
    return status;
}

static pj_status read_csv(struct pj_error *err)
{
    static const char text[] = "a,b,c,d,e,f,g,h,i,j\n\"x\"\"y\",2\n3,4\n";
    long kept = left;
    left = -1;
    FILE *file = tmpfile();
    if (!file || fputs(text, file) < 0)
        return PJ_EIO;
    rewind(file);
    left = kept;
    struct pji_csv *csv = NULL;
    struct pji_csv_row row;
    size_t fields = 0;
    pj_status status = pji_csv_open(&csv, file, "t.csv", ',', err);
    while (status == PJ_OK) {
        status = pji_csv_read(csv, &row, err);
        fields += status == PJ_OK ? row.n : 0;
    }
    pji_csv_close(csv);
    fclose(file);
    if (status == PJI_CSV_END)
        return fields == 14 ? PJ_OK : PJ_ECORRUPT;
    return status;
}

static pj_status read_yaml(struct pj_error *err)
{
    static const char text[] = "a: &x [1, 2, {k: 'v'}]\nb: *x\nc: {d: e, f: g}\nh:\ni: \"\"\n";
    struct pji_yaml_doc doc;
    pj_status status = pji_yaml_parse(&doc, text, sizeof text - 1, "t.yaml", err);
    if (status)
        return doc.name || doc.root.n ? PJ_ESTATE : status;
    const struct pji_yaml *b = pji_yaml_get(&doc.root, "b");
    status = b && b->n == 3 ? PJ_OK : PJ_ECORRUPT;
    pji_yaml_fini(&doc);
    return status;
}

static pj_status grow_array(struct pj_error *err)
{
    int *items = NULL;
    size_t cap = 0;
    pj_status status = PJ_OK;
    for (size_t n = 0; n < 100 && !status; n++) {
        status = pji_array_reserve(&items, &cap, n + 1, sizeof *items, err);
        if (!status)
            items[n] = 1;
    }
    free(items);
    char *copy = status ? NULL : pji_dup("text", err);
    status = status || copy ? status : PJ_ENOMEM;
    void *zeroed = status ? NULL : pji_zalloc(3, 4, err);
    status = status || zeroed ? status : PJ_ENOMEM;
    free(zeroed);
    free(copy);
    return status;
}

static void test_text(void **state)
{
    (void)state;
    torture(build_text);
}

static void test_json(void **state)
{
    (void)state;
    torture(write_json);
}

static void test_csv(void **state)
{
    (void)state;
    torture(read_csv);
}

static void test_yaml(void **state)
{
    (void)state;
    torture(read_yaml);
}

static void test_array(void **state)
{
    (void)state;
    torture(grow_array);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text), cmocka_unit_test(test_json),  cmocka_unit_test(test_csv),
        cmocka_unit_test(test_yaml), cmocka_unit_test(test_array),
    };
    return cmocka_run_group_tests_name("memory", tests, NULL, NULL);
}
