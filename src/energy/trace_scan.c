/* energy/trace_scan.c - readings lines in the writer's own spelling, scanned by hand: a trace of
 * 1000 Hz over hours must stream, and a JSON tree for each line costs twenty times as much. The
 * scan is strict; everything it does not recognise to the last byte goes to the JSON parser, so
 * that both ways accept the same lines.
 */
#include "energy/trace_line.h"

#include <string.h>

struct scan {
    const char *at, *end;
    bool ok;
};

static void expect(struct scan *s, const char *text)
{
    size_t len = strlen(text);
    if (!s->ok || (size_t)(s->end - s->at) < len || memcmp(s->at, text, len) != 0) {
        s->ok = false;
        return;
    }
    s->at += len;
}

static bool next_is(const struct scan *s, char c)
{
    return s->ok && s->at < s->end && *s->at == c;
}

/* A JSON integer: no leading zeros, within int64. */
static int64_t integer(struct scan *s)
{
    bool negative = next_is(s, '-');
    int64_t value = 0;
    s->at += negative ? 1 : 0;
    const char *first = s->at;
    while (s->ok && s->at < s->end && *s->at >= '0' && *s->at <= '9') {
        int digit = *s->at++ - '0';
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, negative ? -digit : digit, &value)) {
            s->ok = false;
        }
    }
    if (s->at == first || (*first == '0' && s->at - first > 1)) {
        s->ok = false;
    }
    return value;
}

static void reading(struct scan *s, struct pji_reading *out, int64_t *channel)
{
    expect(s, "[");
    *channel = integer(s);
    expect(s, ",");
    out->status = PJI_READ_OK;
    if (next_is(s, 'n')) {
        expect(s, "null,");
        out->status = PJI_READ_FAILED;
    }
    out->value = integer(s);
    if (out->status == PJI_READ_FAILED && next_is(s, ',')) {
        expect(s, ",1");
        out->status = PJI_READ_GONE;
    }
    expect(s, "]");
}

/* Scans the line; visitor NULL: only checks it. */
static pj_status scan_line(const char *text, size_t len, size_t n_channels,
                           const struct pji_trace_visitor *visitor, struct pj_error *err)
{
    const int64_t limit_ns = INT64_C(1) << 62;
    struct scan s = {.at = text, .end = text + len, .ok = true};
    struct pji_reading out = {0};
    expect(&s, "{\"t_ns\":");
    out.t_ns = integer(&s);
    expect(&s, ",\"r\":[");
    if (!s.ok || out.t_ns > limit_ns || out.t_ns < -limit_ns) {
        return PJI_TRACE_NOT_SIMPLE;
    }
    do {
        int64_t channel = -1;
        reading(&s, &out, &channel);
        if (!s.ok || channel < 0 || (uint64_t)channel >= n_channels || channel > INT32_MAX) {
            return PJI_TRACE_NOT_SIMPLE;
        }
        out.channel = (int32_t)channel;
        pj_status status = visitor != NULL ? visitor->reading(visitor->context, &out, err) : PJ_OK;
        if (status != PJ_OK) {
            return status;
        }
        s.ok = next_is(&s, ',') || next_is(&s, ']');
        s.at += 1;
    } while (s.ok && s.at[-1] == ',');
    expect(&s, "}");
    return s.ok && s.at == s.end ? PJ_OK : PJI_TRACE_NOT_SIMPLE;
}

pj_status pji_trace_readings_scan(const char *text, size_t len, size_t n_channels,
                                  const struct pji_trace_visitor *visitor,
                                  const struct pji_trace_place *place, struct pj_error *err)
{
    (void)place;
    if (len < 8 || memcmp(text, "{\"t_ns\":", 8) != 0) {
        return PJI_TRACE_NOT_SIMPLE;
    }
    /* checked whole first: the visitor must not see a part of a line that then turns out wrong */
    pj_status status = scan_line(text, len, n_channels, NULL, err);
    if (status != PJ_OK || visitor->reading == NULL) {
        return status;
    }
    return scan_line(text, len, n_channels, visitor, err);
}
