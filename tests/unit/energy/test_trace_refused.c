/* Trace v1: what must be refused, and where the message says it is. */
#include "sample_trace.h"

#include "core/prng.h"

#include <stdlib.h>

static void refused(const char *lines, const char *place, pj_status expected)
{
    struct pji_str text = {0};
    put_sample_header(&text);
    pji_str_add(&text, "{\"t_ns\":1,\"r\":[[0,1]]}\n");
    pji_str_add(&text, lines);
    pji_str_add(&text, "\n{\"t_ns\":900,\"r\":[[0,1]]}\n");
    struct copy c = {0};
    struct pji_trace_visitor visitor = copier(&c);
    struct pj_error err = {0};
    pj_status status = read_in_pieces(text.text, text.len, 4096, &visitor, NULL, NULL, &err);
    if (status != expected || strncmp(err.text, place, strlen(place)) != 0) {
        print_error("%s: %d %s\n", lines, status, err.text);
    }
    assert_int_equal(status, expected);
    assert_int_equal(err.code, expected);
    assert_memory_equal(err.text, place, strlen(place));
    pji_str_fini(&c.out);
    pji_str_fini(&text);
}

static void corrupt_lines_are_named(void **state)
{
    (void)state;
    const char *const bad[] = {
        "",
        "garbage",
        "[]",
        "null",
        "{\"t_ns\":1,\"r\":[[0,1]]} trailing",
        "{\"t_ns\":1,\"t_ns\":2,\"r\":[[0,1]]}",
        "{\"t_ns\":1,\"r\":[[3,1]]}",
        "{\"t_ns\":1,\"r\":[[-1,1]]}",
        "{\"t_ns\":1,\"r\":[[4294967296,1]]}",
        "{\"t_ns\":1,\"r\":[[0,1],[99,1]]}",
        "{\"t_ns\":1,\"r\":[[0,9223372036854775808]]}",
        "{\"t_ns\":1,\"r\":[[0,-9223372036854775809]]}",
        "{\"t_ns\":1,\"r\":[[0,1.5]]}",
        "{\"t_ns\":1,\"r\":[[0,1e3]]}",
        "{\"t_ns\":1,\"r\":[[0,01]]}",
        "{\"t_ns\":1,\"r\":[[0,+1]]}",
        "{\"t_ns\":1,\"r\":[[0,-]]}",
        "{\"t_ns\":1,\"r\":[[0,]]}",
        "{\"t_ns\":1,\"r\":[[0]]}",
        "{\"t_ns\":1,\"r\":[[0,null]]}",
        "{\"t_ns\":1,\"r\":[[0,null,null]]}",
        "{\"t_ns\":1,\"r\":[[0,\"1\"]]}",
        "{\"t_ns\":1,\"r\":[[0,1],]}",
        "{\"t_ns\":1,\"r\":[0,1]}",
        "{\"t_ns\":1,\"r\":7}",
        "{\"r\":[[0,1]]}",
        "{\"t_ns\":1.5,\"r\":[[0,1]]}",
        "{\"t_ns\":9223372036854775807,\"r\":[[0,1]]}",
        "{\"type\":7}",
        "{\"type\":\"event\",\"t_ns\":1}",
        "{\"type\":\"event\",\"name\":\"x\"}",
        "{\"type\":\"footer\",\"t_ns\":1}",
        "{\"type\":\"footer\",\"t_ns\":1,\"samples\":-1,\"late_ticks\":0,\"own_cpu_s\":0}",
        "{\"type\":\"header\",\"format\":\"perjoule-trace\",\"version\":1}",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        refused(bad[i], "trace:3: ", PJ_ECORRUPT);
    }
    refused("{\"type\":\"footer\",\"t_ns\":1,\"samples\":1,\"late_ticks\":0,\"own_cpu_s\":0}",
            "trace:4: a line after the footer", PJ_ECORRUPT);
}

static pj_status read_text(const char *text, struct pj_error *err)
{
    struct pji_trace_visitor visitor = {0};
    return read_in_pieces(text, strlen(text), 4096, &visitor, NULL, NULL, err);
}

static void a_trace_begins_with_its_header(void **state)
{
    (void)state;
    const char *const bad[] = {
        "",
        "\n",
        "{}\n",
        "{\"t_ns\":1,\"r\":[[0,1]]}\n",
        "{\"type\":\"header\"}\n",
        "{\"type\":\"header\",\"format\":\"perjoule-trace\",\"version\":\"1\"}\n",
        "{\"type\":\"header\",\"format\":\"other\",\"version\":1}\n",
        "{\"type\":\"header\",\"format\":\"perjoule-trace\",\"version\":1,\"t_ns\":1,"
        "\"wall_ns\":1,\"interval_ns\":1}\n",
        "{\"type\":\"header\",\"format\":\"perjoule-trace\",\"version\":1,\"t_ns\":1,"
        "\"wall_ns\":1,\"interval_ns\":-1,\"channels\":[]}\n",
        "{\"type\":\"header\",\"format\":\"perjoule-trace\",\"version\":1,\"t_ns\":1,"
        "\"wall_ns\":1,\"interval_ns\":1,\"channels\":[1]}\n",
        "{\"type\":\"header\",\"format\":\"perjoule-trace\",\"version\":1,\"t_ns\":1,"
        "\"wall_ns\":1,\"interval_ns\":1,\"channels\":[],\"missing\":[{}]}\n",
        "{\"type\":\"header\",\"format\":\"perjoule-trace\",\"version\":1,\"t_ns\":1,"
        "\"wall_ns\":1,\"interval_ns\":1,\"channels\":[{\"name\":\"a\",\"domain\":\"a\","
        "\"unit\":\"uJ\",\"kind\":\"counter\",\"role\":\"energy\",\"origin\":\"counter\","
        "\"companion\":1}]}\n",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct pj_error err = {0};
        assert_int_equal(read_text(bad[i], &err), PJ_ECORRUPT);
        assert_memory_equal(err.text, "trace:", 6);
    }
    struct pj_error err = {0};
    assert_int_equal(
        read_text("{\"type\":\"header\",\"format\":\"perjoule-trace\",\"version\":2}\n", &err),
        PJ_EUNSUPPORTED);
    assert_non_null(strstr(err.text, "version 2"));
}

static void a_line_has_an_end(void **state)
{
    (void)state;
    struct pji_str text = {0};
    put_sample_header(&text);
    size_t header_len = text.len;
    for (size_t i = 0; i < (1 << 20) + 1; i++) {
        pji_str_addc(&text, ' ');
    }
    for (int newline = 0; newline < 2; newline++) {
        struct pji_trace_visitor visitor = {0};
        struct pj_error err = {0};
        assert_int_equal(read_in_pieces(text.text, text.len, newline ? text.len : 4096, &visitor,
                                        NULL, NULL, &err),
                         PJ_ECORRUPT);
        assert_non_null(strstr(err.text, "trace:2: the line is longer than 1 MiB"));
        pji_str_addc(&text, '\n');
    }
    assert_true(header_len > 0);
    pji_str_fini(&text);
}

static pj_status stop(void *context, const struct pji_reading *r, struct pj_error *err)
{
    (void)context;
    (void)r;
    return pji_fail(err, PJ_ECANCELED, "enough");
}

static void a_visitor_can_stop(void **state)
{
    (void)state;
    struct pji_str text = {0};
    put_sample(&text);
    struct pji_trace_visitor visitor = {.reading = stop};
    struct pj_error err = {0};
    struct pji_trace_reader *reader = NULL;
    assert_int_equal(pji_trace_reader_new(&reader, "trace", &visitor, &err), PJ_OK);
    assert_int_equal(pji_trace_reader_feed(reader, text.text, text.len, &err), PJ_ECANCELED);
    assert_string_equal(err.text, "enough");
    assert_int_equal(pji_trace_reader_feed(reader, "\n", 1, &err), PJ_ECANCELED);
    assert_int_equal(pji_trace_reader_end(reader, NULL, NULL, &err), PJ_ECANCELED);
    pji_trace_reader_free(reader);
    pji_str_fini(&text);
}

/* Bytes turned over at random: any answer but a crash, a hang or a silent success of nothing. */
static void garbage_never_hurts(void **state)
{
    (void)state;
    struct pji_str text = {0};
    put_sample(&text);
    struct pji_prng prng;
    pji_prng_init(&prng, 1, "garbage");
    char *copy = malloc(text.len);
    for (int run = 0; run < 4000; run++) {
        memcpy(copy, text.text, text.len);
        uint64_t hits = 1 + pji_prng_below(&prng, 4);
        for (uint64_t i = 0; i < hits; i++) {
            copy[pji_prng_below(&prng, text.len)] = (char)pji_prng_below(&prng, 256);
        }
        struct pji_trace trace = {0};
        struct pji_trace_visitor visitor = pji_trace_builder(&trace);
        struct pj_error err = {0};
        pj_status status = read_in_pieces(copy, text.len, 100, &visitor, NULL, NULL, &err);
        assert_true(status == PJ_OK || err.code != PJ_OK);
        if (trace.has_header) {
            struct pj_energy e;
            for (size_t i = 0; i < trace.header.n_channels; i++) {
                pji_series_window(&trace.series[i], NULL, 0, 10, &e);
                assert_true(e.origin == PJ_ORIGIN_MISSING || e.value_j >= 0);
                pji_series_total(&trace.series[i], NULL, &e);
                assert_true(e.origin == PJ_ORIGIN_MISSING || e.value_j >= 0);
            }
        }
        pji_trace_fini(&trace);
    }
    free(copy);
    pji_str_fini(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(corrupt_lines_are_named), cmocka_unit_test(a_trace_begins_with_its_header),
        cmocka_unit_test(a_line_has_an_end),       cmocka_unit_test(a_visitor_can_stop),
        cmocka_unit_test(garbage_never_hurts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
