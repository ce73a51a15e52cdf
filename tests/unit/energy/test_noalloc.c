/* The sampling path allocates nothing: adding readings to a bounded series, formatting them, and
 * reading such lines again. Every allocation of the program goes through the wrappers below.
 */
#include "feed.h"

#include <errno.h>
#include <stdlib.h>

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);

static size_t allocations;

void *__wrap_malloc(size_t size)
{
    allocations++;
    return __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    allocations++;
    return __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size)
{
    allocations++;
    return __real_realloc(old, size);
}

/* Good readings with every kind of fault among them. */
static struct pji_reading reading_at(int i)
{
    struct pji_reading r = {.t_ns = i * 10 * MS, .value = i * INT64_C(1000000)};
    if (i % 97 == 0) {
        r.status = PJI_READ_FAILED;
        r.value = EIO;
    } else if (i % 89 == 0) {
        r.value = INT64_C(4294967295) * 1000;
    } else if (i % 83 == 0) {
        r.value = -1;
    } else if (i > 5000) {
        r.value -= INT64_C(5000000000); /* a reset in the middle */
    }
    return r;
}

static void feed_series(const struct pji_channel *c)
{
    struct pji_series s;
    struct pj_error err = {0};
    struct pj_energy e;
    series_open(&s, c, false);
    size_t before = allocations;
    pj_status status = PJ_OK;
    for (int i = 0; i < 20000 && status == PJ_OK; i++) {
        struct pji_reading r = reading_at(i);
        if (c->kind == PJI_GAUGE && r.status == PJI_READ_OK) {
            r.value %= 600000;
        }
        status = pji_series_add(&s, &r, &err);
        if (i % 1000 == 0) {
            pji_series_total(&s, NULL, &e);
        }
    }
    assert_int_equal(allocations, before);
    assert_int_equal(status, PJ_OK);
    pji_series_total(&s, NULL, &e);
    assert_true(e.value_j > 0);
    pji_series_fini(&s);
}

static void a_bounded_series(void **state)
{
    (void)state;
    struct pji_channel c = counter_channel(), p = power_channel();
    feed_series(&c);
    feed_series(&p);
}

static void formatting(void **state)
{
    (void)state;
    struct pji_reading r[8];
    char text[8 * PJI_TRACE_READING_MAX];
    size_t before = allocations, len = 0;
    for (int i = 0; i < 1000; i++) {
        for (int k = 0; k < 8; k++) {
            r[k] = reading_at(i);
            r[k].channel = k;
        }
        len += pji_trace_format_readings(text, sizeof text, r, 8);
    }
    assert_int_equal(allocations, before);
    assert_true(len > 8000);
}

static void scanning(void **state)
{
    (void)state;
    struct pji_str header = {0};
    struct pj_error err = {0};
    struct pji_channel c = counter_channel();
    struct pji_trace_header h = {.channels = &c, .n_channels = 1};
    struct pji_trace_visitor visitor = {0};
    struct pji_trace_reader *reader = NULL;
    char text[PJI_TRACE_READING_MAX];
    assert_int_equal(pji_trace_put_header(&header, &h, &err), PJ_OK);
    assert_int_equal(pji_trace_reader_new(&reader, "t", &visitor, &err), PJ_OK);
    assert_int_equal(pji_trace_reader_feed(reader, header.text, header.len, &err), PJ_OK);
    size_t before = allocations;
    pj_status status = PJ_OK;
    for (int i = 0; i < 1000 && status == PJ_OK; i++) {
        struct pji_reading r = reading_at(i);
        size_t len = pji_trace_format_readings(text, sizeof text, &r, 1);
        status = pji_trace_reader_feed(reader, text, len, &err);
    }
    assert_int_equal(allocations, before);
    assert_int_equal(status, PJ_OK);
    pji_trace_reader_free(reader);
    pji_str_fini(&header);
}

/* The wrappers do see what this library allocates. */
static void the_count_counts(void **state)
{
    (void)state;
    struct pji_series s;
    struct pji_channel c = counter_channel();
    size_t before = allocations;
    series_open(&s, &c, true);
    assert_true(allocations > before);
    pji_series_fini(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_count_counts),
        cmocka_unit_test(a_bounded_series),
        cmocka_unit_test(formatting),
        cmocka_unit_test(scanning),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
