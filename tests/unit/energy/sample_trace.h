/* sample_trace.h - a trace with everything in it, and a visitor that writes what it is told. */
#ifndef SAMPLE_TRACE_H
#define SAMPLE_TRACE_H

#include "feed.h"

#include "core/hash.h"

#include <errno.h>

/* ---- a visitor that writes again what it was told ---- */

struct copy {
    struct pji_str out;
    size_t readings, events;
    struct pji_reading held[64];
    size_t n_held;
    struct pji_trace_footer footer;
};

static inline void flush(struct copy *c)
{
    char text[64 * PJI_TRACE_READING_MAX];
    if (c->n_held > 0) {
        size_t len = pji_trace_format_readings(text, sizeof text, c->held, c->n_held);
        assert_true(len > 0);
        pji_str_addn(&c->out, text, len);
        c->n_held = 0;
    }
}

static inline pj_status copy_header(void *context, const struct pji_trace_header *h,
                                    struct pj_error *err)
{
    struct copy *c = context;
    return pji_trace_put_header(&c->out, h, err);
}

static inline pj_status copy_reading(void *context, const struct pji_reading *r,
                                     struct pj_error *err)
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

static inline pj_status copy_event(void *context, int64_t t_ns, const char *name,
                                   const json_t *fields, struct pj_error *err)
{
    struct copy *c = context;
    flush(c);
    c->events++;
    return pji_trace_put_event(&c->out, t_ns, name, json_deep_copy(fields), err);
}

static inline pj_status copy_footer(void *context, const struct pji_trace_footer *f,
                                    struct pj_error *err)
{
    struct copy *c = context;
    (void)err;
    flush(c);
    c->footer = *f;
    pji_trace_put_footer(&c->out, f);
    return PJ_OK;
}

static inline struct pji_trace_visitor copier(struct copy *c)
{
    return (struct pji_trace_visitor){.context = c,
                                      .header = copy_header,
                                      .reading = copy_reading,
                                      .event = copy_event,
                                      .footer = copy_footer};
}

/* ---- a trace ---- */

static inline void put_sample_header(struct pji_str *out)
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
                                      .machine = json_pack("{s:s,s:f}", "cpu", "x", "load", 0.1),
                                      .schedule = json_pack("{s:i}", "tick_ns", 5),
                                      .instruments = json_pack("[{s:s}]", "name", "nvml")};
    assert_int_equal(pji_trace_put_header(out, &header, &err), PJ_OK);
    json_decref(header.machine);
    json_decref(header.schedule);
    json_decref(header.instruments);
}

static inline void put_readings(struct pji_str *out, const struct pji_reading *r, size_t n)
{
    char text[4096];
    size_t len = pji_trace_format_readings(text, sizeof text, r, n);
    assert_true(len > 0);
    pji_str_addn(out, text, len);
}

static inline void put_sample(struct pji_str *out)
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
        .t_ns = 99, .samples = 3, .late_ticks = 1, .own_cpu_s = 0.1 + 0.2, .seal = PJI_SEAL_INTACT};
    pji_lateness_add(&footer.lateness, 0);
    pji_lateness_add(&footer.lateness, 60000);
    pji_lateness_add(&footer.lateness, 61000);
    pji_lateness_add(&footer.lateness, 5 * MS);
    footer.hash = pji_fnv1a(PJI_FNV1A_START, out->text, out->len);
    pji_trace_put_footer(out, &footer);
    assert_false(out->failed);
}

static inline pj_status read_in_pieces(const char *text, size_t len, size_t piece,
                                       const struct pji_trace_visitor *visitor, bool *complete,
                                       bool *torn, struct pj_error *err)
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

#endif
