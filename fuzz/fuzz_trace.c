/* Traces: whatever the bytes and the pieces they come in, reading ends in a trace or in a refusal
 * that says why; what was read gives energies that are never negative and intervals that are
 * finite; and the scanner of the writer's own spelling accepts exactly what the JSON parser does,
 * with the same readings.
 */
#include "energy/trace.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SIZE_MOST = 64 * 1024, CHANNELS_MOST = 16 };

/* ---- both ways to read ---- */

static pj_status digest_reading(void *context, const struct pji_reading *r, struct pj_error *err)
{
    uint64_t *hash = context;
    const uint64_t words[] = {(uint64_t)r->t_ns, (uint64_t)r->value, (uint64_t)r->channel,
                              (uint64_t)r->status};
    (void)err;
    for (size_t i = 0; i < 4; i++) {
        *hash = (*hash ^ words[i]) * UINT64_C(1099511628211);
    }
    return PJ_OK;
}

static pj_status read_all(const char *bytes, size_t size, size_t piece,
                          const struct pji_trace_visitor *visitor, bool *torn)
{
    struct pji_trace_reader *reader = NULL;
    struct pj_error err = {0};
    if (pji_trace_reader_new(&reader, "fuzz", visitor, &err) != PJ_OK) {
        abort();
    }
    pj_status status = PJ_OK;
    for (size_t at = 0; status == PJ_OK && at < size; at += piece) {
        size_t len = size - at < piece ? size - at : piece;
        status = pji_trace_reader_feed(reader, bytes + at, len, &err);
    }
    if (status == PJ_OK) {
        status = pji_trace_reader_end(reader, NULL, torn, &err);
    }
    if (status != PJ_OK && (err.code != status || err.text[0] == '\0')) {
        abort(); /* a refusal says why */
    }
    pji_trace_reader_free(reader);
    return status;
}

/* A blank at the beginning of each line is JSON, but not what the writer writes. */
static char *respell(const char *bytes, size_t size, size_t *len)
{
    char *out = malloc(2 * size + 1);
    *len = 0;
    for (size_t i = 0; out != NULL && i < size; i++) {
        if (i == 0 || bytes[i - 1] == '\n') {
            out[(*len)++] = ' ';
        }
        out[(*len)++] = bytes[i];
    }
    return out;
}

static void compare_spellings(const char *bytes, size_t size)
{
    uint64_t hashes[2] = {0};
    bool torn[2] = {false};
    size_t len = 0;
    char *other = respell(bytes, size, &len);
    struct pji_trace_visitor visitor = {.context = &hashes[0], .reading = digest_reading};
    pj_status one = read_all(bytes, size, 4096, &visitor, &torn[0]);
    visitor.context = &hashes[1];
    pj_status two = other != NULL ? read_all(other, len, 4096, &visitor, &torn[1]) : one;
    if (other != NULL && (one != two || (one == PJ_OK && torn[0] != torn[1]))) {
        abort();
    }
    if (other != NULL && one == PJ_OK && hashes[0] != hashes[1]) {
        abort();
    }
    free(other);
}

/* ---- what was read ---- */

static void check(const struct pj_energy *e)
{
    if (e->origin == PJ_ORIGIN_MISSING) {
        if (e->reason[0] == '\0') {
            abort();
        }
        return;
    }
    if (!(e->value_j >= 0) || !(e->u_ind_j >= 0) || !(e->u_com_j >= 0) ||
        !isfinite(e->value_j + e->u_ind_j + e->u_com_j)) {
        abort();
    }
}

static void use(const struct pji_trace *trace, int64_t start_ns, int64_t end_ns)
{
    struct pj_energy energies[CHANNELS_MOST];
    bool in_total[CHANNELS_MOST];
    struct pji_total total;
    if (trace->header.n_channels > CHANNELS_MOST) {
        return;
    }
    for (size_t i = 0; i < trace->header.n_channels; i++) {
        struct pj_energy e;
        pji_series_total(&trace->series[i], NULL, &e);
        check(&e);
        (void)pji_series_mean(&trace->series[i], start_ns, end_ns);
    }
    pji_trace_window(trace, start_ns, end_ns, false, energies, in_total, &total);
    for (size_t i = 0; i < trace->header.n_channels; i++) {
        check(&energies[i]);
    }
    check(&total.energy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1 || size > SIZE_MOST) {
        return 0;
    }
    const char *bytes = (const char *)data + 1;
    struct pji_trace trace = {0};
    struct pji_trace_visitor visitor = pji_trace_builder(&trace);
    bool torn = false;
    (void)read_all(bytes, size - 1, (size_t)data[0] * 4 + 1, &visitor, &torn);
    if (trace.has_header) {
        int64_t first_ns = trace.header.t_ns;
        use(&trace, first_ns, trace.last_tick_ns);
        use(&trace, trace.last_tick_ns / 3, trace.last_tick_ns / 2);
        use(&trace, trace.last_tick_ns - 1, trace.last_tick_ns + 1000);
    }
    pji_trace_fini(&trace);
    compare_spellings(bytes, size - 1);
    return 0;
}
