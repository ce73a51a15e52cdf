/* Trace v1: what is written comes back bit for bit, whatever the pieces it arrives in. */
#include "feed.h"

#include "core/prng.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "temp.h"

/* ---- a visitor that writes again what it was told ---- */

struct copy {
    struct pji_str out;
    size_t readings, events;
    struct pji_reading held[64];
    size_t n_held;
};

static void flush(struct copy *c)
{
    char text[64 * PJI_TRACE_READING_MAX];
    if (c->n_held > 0) {
        size_t len = pji_trace_format_readings(text, sizeof text, c->held, c->n_held);
        assert_true(len > 0);
        pji_str_addn(&c->out, text, len);
        c->n_held = 0;
    }
}

static pj_status copy_header(void *context, const struct pji_trace_header *h, struct pj_error *err)
{
    struct copy *c = context;
    return pji_trace_put_header(&c->out, h, err);
}

static pj_status copy_reading(void *context, const struct pji_reading *r, struct pj_error *err)
{
    struct copy *c = context;
    (void)err;
    if (c->n_held > 0 && (c->held[0].t_ns != r->t_ns || c->n_held == 64)) {
        flush(c);
    }
    c->held[c->n_held++] = *r;
    c->readings++;
    return PJ_OK;
}

static pj_status copy_event(void *context, int64_t t_ns, const char *name, const json_t *fields,
                            struct pj_error *err)
{
    struct copy *c = context;
    flush(c);
    c->events++;
    return pji_trace_put_event(&c->out, t_ns, name, json_deep_copy(fields), err);
}

static pj_status copy_footer(void *context, const struct pji_trace_footer *f, struct pj_error *err)
{
    struct copy *c = context;
    (void)err;
    flush(c);
    pji_trace_put_footer(&c->out, f);
    return PJ_OK;
}

static struct pji_trace_visitor copier(struct copy *c)
{
    return (struct pji_trace_visitor){.context = c,
                                      .header = copy_header,
                                      .reading = copy_reading,
                                      .event = copy_event,
                                      .footer = copy_footer};
}

/* ---- a trace ---- */

static void put_sample_header(struct pji_str *out)
{
    struct pj_error err = {0};
    struct pji_channel channels[3] = {counter_channel(), power_channel(), counter_channel()};
    channels[0].gain_rel = 0.1;
    channels[0].quantum = 1.0 / 3;
    channels[1].offset_mw = 1e-9;
    channels[1].lag_ns = 20 * MS;
    snprintf(channels[2].name, sizeof channels[2].name, "rapl:\"quoted\"\\ \xc3\xa9");
    channels[2].modulus = INT64_MAX;
    channels[2].companion = 0;
    struct pji_missing missing = {.domain = "gpu",
                                  .source = "nvml",
                                  .domain_kind = PJI_DOMAIN_GPU,
                                  .reason = "no library",
                                  .fix = "install it"};
    struct pji_trace_header header = {.tool = "perjoule 0.1.0",
                                      .t_ns = 12345,
                                      .wall_ns = INT64_C(1795254670699074527),
                                      .interval_ns = 100 * MS,
                                      .channels = channels,
                                      .n_channels = 3,
                                      .missing = &missing,
                                      .n_missing = 1,
                                      .machine = json_pack("{s:s,s:f}", "cpu", "x", "load", 0.1)};
    assert_int_equal(pji_trace_put_header(out, &header, &err), PJ_OK);
    json_decref(header.machine);
}

static void put_readings(struct pji_str *out, const struct pji_reading *r, size_t n)
{
    char text[4096];
    size_t len = pji_trace_format_readings(text, sizeof text, r, n);
    assert_true(len > 0);
    pji_str_addn(out, text, len);
}

static void put_sample(struct pji_str *out)
{
    struct pj_error err = {0};
    put_sample_header(out);
    const struct pji_reading extremes[] = {
        {.t_ns = 0, .value = INT64_MAX, .channel = 0},
        {.t_ns = 0, .value = INT64_MIN, .channel = 1},
        {.t_ns = 0, .value = 0, .channel = 2},
        {.t_ns = 5, .value = EIO, .channel = 0, .status = PJI_READ_FAILED},
        {.t_ns = INT64_C(1) << 62, .value = ENODEV, .channel = 1, .status = PJI_READ_GONE},
    };
    put_readings(out, extremes, 5);
    assert_int_equal(pji_trace_put_event(out, 7, "phase", json_pack("{s:s}", "key", "v"), &err),
                     PJ_OK);
    assert_int_equal(pji_trace_put_event(out, 8, "end", NULL, &err), PJ_OK);
    struct pji_trace_footer footer = {
        .t_ns = 99, .samples = 3, .late_ticks = 1, .own_cpu_s = 0.1 + 0.2};
    pji_trace_put_footer(out, &footer);
    assert_false(out->failed);
}

static pj_status read_in_pieces(const char *text, size_t len, size_t piece,
                                const struct pji_trace_visitor *visitor, bool *complete, bool *torn,
                                struct pj_error *err)
{
    struct pji_trace_reader *reader = NULL;
    assert_int_equal(pji_trace_reader_new(&reader, "trace", visitor, err), PJ_OK);
    pj_status status = PJ_OK;
    for (size_t at = 0; status == PJ_OK && at < len; at += piece) {
        size_t part = len - at < piece ? len - at : piece;
        status = pji_trace_reader_feed(reader, text + at, part, err);
    }
    if (status == PJ_OK) {
        status = pji_trace_reader_end(reader, complete, torn, err);
    }
    pji_trace_reader_free(reader);
    return status;
}

static void round_trip_is_identical_in_any_pieces(void **state)
{
    (void)state;
    struct pji_str text = {0};
    put_sample(&text);
    const size_t pieces[] = {1, 2, 3, 7, 64, 1000, 1 << 20};
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
        struct copy c = {0};
        struct pji_trace_visitor visitor = copier(&c);
        struct pj_error err = {0};
        bool complete = false, torn = true;
        assert_int_equal(
            read_in_pieces(text.text, text.len, pieces[i], &visitor, &complete, &torn, &err),
            PJ_OK);
        assert_true(complete);
        assert_false(torn);
        assert_int_equal(c.readings, 5);
        assert_int_equal(c.events, 2);
        assert_string_equal(pji_str_text(&c.out), text.text);
        pji_str_fini(&c.out);
    }
    pji_str_fini(&text);
}

static void formatting_needs_no_more_than_it_says(void **state)
{
    (void)state;
    struct pji_reading r[3] = {
        {INT64_MIN, INT64_MIN, INT32_MAX, PJI_READ_GONE},
        {INT64_MIN, INT64_MAX, INT32_MAX, PJI_READ_FAILED},
        {INT64_MAX, INT64_MIN, INT32_MAX, PJI_READ_GONE},
    };
    char text[3 * PJI_TRACE_READING_MAX];
    size_t len = pji_trace_format_readings(text, sizeof text, r, 3);
    assert_true(len > 0);
    for (size_t size = 0; size < len; size++) {
        char *exact = malloc(size + 1);
        assert_int_equal(pji_trace_format_readings(exact, size, r, 3), 0);
        free(exact);
    }
    assert_int_equal(pji_trace_format_readings(text, len, r, 3), len);
    assert_int_equal(pji_trace_format_readings(text, 0, r, 0), 0);
}

static void every_cut_is_readable_and_said(void **state)
{
    (void)state;
    struct pji_str text = {0};
    put_sample(&text);
    size_t header_len = strcspn(text.text, "\n") + 1;
    for (size_t len = 0; len <= text.len; len++) {
        struct copy c = {0};
        struct pji_trace_visitor visitor = copier(&c);
        struct pj_error err = {0};
        bool complete = false, torn = false;
        pj_status status = read_in_pieces(text.text, len, 50, &visitor, &complete, &torn, &err);
        bool whole_line = len > 0 && (text.text[len - 1] == '\n' || text.text[len] == '\n');
        if (len + 1 < header_len) {
            assert_int_equal(status, PJ_ECORRUPT);
        } else {
            assert_int_equal(status, PJ_OK);
            assert_int_equal(torn, !whole_line);
            assert_int_equal(complete, len + 1 >= text.len);
        }
        pji_str_fini(&c.out);
    }
    pji_str_fini(&text);
}

static void unknown_lines_and_keys_are_skipped(void **state)
{
    (void)state;
    struct pji_str text = {0};
    put_sample_header(&text);
    pji_str_add(&text, "{\"type\":\"histogram\",\"t_ns\":1,\"bins\":[1,2]}\n"
                       "{\"t_ns\":5}\n"
                       "{ \"r\" : [ [ 0 , 7 , \"note\" ], [1, null, 5, 2, 3] ] , \"t_ns\": 6, "
                       "\"extra\":{}}\r\n"
                       "{\"t_ns\":7,\"r\":[]}\n");
    struct copy c = {0};
    struct pji_trace_visitor visitor = copier(&c);
    struct pj_error err = {0};
    bool complete = true;
    assert_int_equal(read_in_pieces(text.text, text.len, 9, &visitor, &complete, NULL, &err),
                     PJ_OK);
    assert_false(complete);
    assert_int_equal(c.readings, 2);
    assert_int_equal(c.held[0].value, 7);
    assert_int_equal(c.held[1].status, PJI_READ_FAILED);
    pji_str_fini(&c.out);
    pji_str_fini(&text);
}

/* ---- what must be refused ---- */

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

/* ---- files ---- */

static void load_gives_totals_and_windows(void **state)
{
    (void)state;
    struct pji_str text = {0};
    put_sample_header(&text);
    for (int i = 0; i <= 10; i++) {
        const struct pji_reading r[] = {
            {.t_ns = i * 100 * MS, .value = 1000000 + i * INT64_C(5000000), .channel = 0},
            {.t_ns = i * 100 * MS, .value = 200000, .channel = 1},
        };
        put_readings(&text, r, 2);
    }
    char dir[TEMP_PATH], path[TEMP_PATH + 16];
    temp_open(dir);
    temp_write(dir, "a.trace", text.text);
    snprintf(path, sizeof path, "%s/a.trace", dir);
    struct pji_trace trace;
    struct pj_error err = {0};
    assert_int_equal(pji_trace_load(&trace, path, &err), PJ_OK);
    assert_false(trace.complete);
    assert_false(trace.torn);
    assert_int_equal(trace.max_gap_ns, 100 * MS);
    struct pj_energy e[3];
    bool in_total[3];
    struct pji_total total;
    pji_trace_window(&trace, 200 * MS, 700 * MS, false, e, in_total, &total);
    assert_near(e[0].value_j, 25, 1e-9);
    assert_near(e[1].value_j, 100, 1e-9);
    assert_true(in_total[0] && in_total[1] && !in_total[2]);
    assert_near(total.energy.value_j, 125, 1e-9);
    assert_string_equal(total.label, "measured domains"); /* "gpu" is listed as unread */
    pji_trace_fini(&trace);
    assert_int_equal(pji_trace_load(&trace, "/nonexistent/trace", &err), PJ_ENOTFOUND);
    pji_trace_fini(&trace);
    temp_close(dir);
    pji_str_fini(&text);
}

static void a_suspend_event_reaches_the_series(void **state)
{
    (void)state;
    struct pji_str text = {0};
    put_sample_header(&text);
    pji_str_add(&text, "{\"t_ns\":0,\"r\":[[0,0]]}\n{\"t_ns\":1000,\"r\":[[0,1]]}\n"
                       "{\"type\":\"event\",\"t_ns\":1500,\"name\":\"suspend\","
                       "\"dur_ns\":60000000000}\n"
                       "{\"t_ns\":2000,\"r\":[[0,60000001]]}\n");
    struct pji_trace trace = {0};
    struct pji_trace_visitor visitor = pji_trace_builder(&trace);
    struct pj_error err = {0};
    assert_int_equal(read_in_pieces(text.text, text.len, 4096, &visitor, NULL, NULL, &err), PJ_OK);
    struct pj_energy e = total(&trace.series[0]);
    assert_int_equal(e.quality, PJ_QUALITY_SUSPEND);
    assert_near(e.value_j, 60.000001, 1e-12);
    pji_trace_fini(&trace);
    pji_str_fini(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip_is_identical_in_any_pieces),
        cmocka_unit_test(formatting_needs_no_more_than_it_says),
        cmocka_unit_test(every_cut_is_readable_and_said),
        cmocka_unit_test(unknown_lines_and_keys_are_skipped),
        cmocka_unit_test(corrupt_lines_are_named),
        cmocka_unit_test(a_trace_begins_with_its_header),
        cmocka_unit_test(a_line_has_an_end),
        cmocka_unit_test(a_visitor_can_stop),
        cmocka_unit_test(garbage_never_hurts),
        cmocka_unit_test(load_gives_totals_and_windows),
        cmocka_unit_test(a_suspend_event_reaches_the_series),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
