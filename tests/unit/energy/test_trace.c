/* Trace v1: what is written comes back bit for bit, whatever the pieces it arrives in. */
#include "sample_trace.h"

#include <stdlib.h>

#include "temp.h"

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

/* Each digit of the file in turn becomes another: what is not refused is found by the digest. */
static void a_changed_digit_is_found(void **state)
{
    (void)state;
    struct pji_str text = {0};
    put_sample(&text);
    size_t found = 0, refused = 0;
    for (size_t at = 0; at < text.len; at++) {
        char was = text.text[at];
        if (was < '0' || was > '9') {
            continue;
        }
        struct copy c = {0};
        struct pji_trace_visitor visitor = copier(&c);
        struct pj_error err = {0};
        text.text[at] = was == '9' ? '1' : (char)(was + 1);
        if (read_in_pieces(text.text, text.len, 64, &visitor, NULL, NULL, &err) == PJ_OK) {
            assert_int_equal(c.footer.seal, PJI_SEAL_BROKEN);
            found++;
        } else {
            refused++;
        }
        text.text[at] = was;
        pji_str_fini(&c.out);
    }
    assert_true(found > 200);
    assert_true(refused < found);
    pji_str_fini(&text);
}

static void a_footer_without_new_fields_is_read(void **state)
{
    (void)state;
    struct pji_str text = {0};
    put_sample_header(&text);
    pji_str_add(&text, "{\"type\":\"footer\",\"t_ns\":9,\"samples\":5,\"late_ticks\":2,"
                       "\"own_cpu_s\":0.5}\n");
    struct copy c = {0};
    struct pji_trace_visitor visitor = copier(&c);
    struct pj_error err = {0};
    bool complete = false;
    assert_int_equal(read_in_pieces(text.text, text.len, 9, &visitor, &complete, NULL, &err),
                     PJ_OK);
    assert_true(complete);
    assert_int_equal(c.footer.seal, PJI_SEAL_NONE);
    assert_int_equal(c.footer.samples, 5);
    assert_int_equal(c.footer.lateness.n, 0);
    pji_str_fini(&c.out);
    pji_str_fini(&text);
}

static void the_histogram_of_lateness_survives(void **state)
{
    (void)state;
    struct pji_str text = {0};
    put_sample(&text);
    struct copy c = {0};
    struct pji_trace_visitor visitor = copier(&c);
    struct pj_error err = {0};
    assert_int_equal(read_in_pieces(text.text, text.len, 9, &visitor, NULL, NULL, &err), PJ_OK);
    assert_int_equal(c.footer.seal, PJI_SEAL_INTACT);
    assert_int_equal(c.footer.lateness.n, 4);
    assert_int_equal(c.footer.lateness.max_ns, 5 * MS);
    int64_t p50_ns = pji_lateness_quantile_ns(&c.footer.lateness, 0.5);
    assert_true(p50_ns > 60000 && p50_ns < 70000);
    assert_int_equal(pji_lateness_quantile_ns(&c.footer.lateness, 1), 5 * MS);
    pji_str_fini(&c.out);
    pji_str_fini(&text);
}

static void every_lateness_has_its_bin(void **state)
{
    (void)state;
    for (size_t bin = 0; bin + 1 < PJI_LATENESS_BINS; bin++) {
        int64_t upto_ns = pji_lateness_upto_ns(bin);
        assert_int_equal(pji_lateness_bin(upto_ns - 1), bin);
        assert_int_equal(pji_lateness_bin(upto_ns), bin + 1);
        assert_true((double)pji_lateness_upto_ns(bin + 1) <= 1.126 * (double)upto_ns);
    }
    assert_int_equal(pji_lateness_bin(-5), 0);
    assert_int_equal(pji_lateness_bin(0), 0);
    assert_int_equal(pji_lateness_bin(INT64_MAX), PJI_LATENESS_BINS - 1);
    struct pji_lateness none = {0};
    assert_int_equal(pji_lateness_quantile_ns(&none, 0.99), 0);
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
        cmocka_unit_test(a_changed_digit_is_found),
        cmocka_unit_test(a_footer_without_new_fields_is_read),
        cmocka_unit_test(the_histogram_of_lateness_survives),
        cmocka_unit_test(every_lateness_has_its_bin),
        cmocka_unit_test(unknown_lines_and_keys_are_skipped),
        cmocka_unit_test(load_gives_totals_and_windows),
        cmocka_unit_test(a_suspend_event_reaches_the_series),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
