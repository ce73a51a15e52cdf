/* energy/trace_load.c - a whole trace in memory: a series for each channel, and windows over it. */
#include "energy/trace.h"

#include "core/array.h"
#include "energy/fold.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNK_B = 64 * 1024, FOLD_LEAST = 1024 };

static pj_status copy_header(struct pji_trace_header *to, const struct pji_trace_header *from,
                             struct pj_error *err)
{
    *to = *from;
    to->machine = to->schedule = to->instruments = NULL;
    to->missing = NULL;
    to->channels = pji_zalloc(from->n_channels + 1, sizeof *to->channels, err);
    if (to->channels != NULL) {
        to->missing = pji_zalloc(from->n_missing + 1, sizeof *to->missing, err);
    }
    if (to->missing == NULL) {
        pji_trace_header_fini(to);
        return PJ_ENOMEM;
    }
    if (from->n_channels > 0) {
        memcpy(to->channels, from->channels, from->n_channels * sizeof *to->channels);
    }
    if (from->n_missing > 0) {
        memcpy(to->missing, from->missing, from->n_missing * sizeof *to->missing);
    }
    to->machine = json_incref(from->machine);
    to->schedule = json_incref(from->schedule);
    to->instruments = json_incref(from->instruments);
    return PJ_OK;
}

static pj_status on_header(void *context, const struct pji_trace_header *header,
                           struct pj_error *err)
{
    struct pji_trace *trace = context;
    pj_status status = copy_header(&trace->header, header, err);
    if (status != PJ_OK) {
        return status;
    }
    trace->series = pji_zalloc(header->n_channels + 1, sizeof *trace->series, err);
    if (trace->series == NULL) {
        return PJ_ENOMEM;
    }
    trace->fold_at = pji_zalloc(header->n_channels + 1, sizeof *trace->fold_at, err);
    if (trace->fold_at == NULL) {
        return PJ_ENOMEM;
    }
    trace->has_header = true;
    for (size_t i = 0; i < header->n_channels; i++) {
        status = pji_series_init(&trace->series[i], &header->channels[i], true, err);
        if (status != PJ_OK) {
            return status;
        }
    }
    return PJ_OK;
}

/* Now and then drops what no window needs. The first points stay: totals begin there, and how far a
 * window may lie before them depends on them. */
static void fold(struct pji_trace *trace, size_t i)
{
    struct pji_series *s = &trace->series[i];
    const struct pji_fold around = {
        .edges_ns = trace->edges_ns, .n_edges = trace->n_edges, .after_ns = INT64_MAX / 2};
    if (!trace->thin || s->n < FOLD_LEAST || s->n < trace->fold_at[i]) {
        return;
    }
    pji_series_fold(s, &around);
    trace->fold_at[i] = 2 * s->n;
}

static pj_status on_reading(void *context, const struct pji_reading *reading, struct pj_error *err)
{
    struct pji_trace *trace = context;
    int64_t gap_ns = 0;
    if (!trace->ticked) {
        trace->ticked = true;
        trace->last_tick_ns = reading->t_ns;
    } else if (reading->t_ns > trace->last_tick_ns) {
        if (!__builtin_sub_overflow(reading->t_ns, trace->last_tick_ns, &gap_ns) &&
            gap_ns > trace->max_gap_ns) {
            trace->max_gap_ns = gap_ns;
        }
        trace->last_tick_ns = reading->t_ns;
    }
    pj_status status = pji_series_add(&trace->series[reading->channel], reading, err);
    fold(trace, (size_t)reading->channel);
    return status;
}

/* Of the events, energies only depend on a suspend: docs/formats/trace-v1.md. */
static pj_status on_event(void *context, int64_t t_ns, const char *name, const json_t *fields,
                          struct pj_error *err)
{
    struct pji_trace *trace = context;
    (void)t_ns;
    (void)err;
    const json_t *dur = json_object_get(fields, "dur_ns");
    if (strcmp(name, "suspend") == 0 && json_is_integer(dur)) {
        for (size_t i = 0; i < trace->header.n_channels; i++) {
            pji_series_suspend(&trace->series[i], json_integer_value(dur));
        }
    }
    return PJ_OK;
}

static pj_status on_footer(void *context, const struct pji_trace_footer *footer,
                           struct pj_error *err)
{
    struct pji_trace *trace = context;
    (void)err;
    trace->footer = *footer;
    trace->complete = true;
    return PJ_OK;
}

struct pji_trace_visitor pji_trace_builder(struct pji_trace *trace)
{
    return (struct pji_trace_visitor){.context = trace,
                                      .header = on_header,
                                      .reading = on_reading,
                                      .event = on_event,
                                      .footer = on_footer};
}

static pj_status feed_file(struct pji_trace_reader *reader, FILE *file, const char *path,
                           struct pj_error *err)
{
    char *chunk = pji_zalloc(CHUNK_B, 1, err);
    if (chunk == NULL) {
        return PJ_ENOMEM;
    }
    pj_status status = PJ_OK;
    size_t len = 0;
    while (status == PJ_OK && (len = fread(chunk, 1, CHUNK_B, file)) > 0) {
        status = pji_trace_reader_feed(reader, chunk, len, err);
    }
    if (status == PJ_OK && ferror(file)) {
        status = pji_fail_errno(err, errno, "cannot read the trace %s", path);
    }
    free(chunk);
    return status;
}

pj_status pji_trace_visit(const char *path, const struct pji_trace_visitor *visitor, bool *complete,
                          bool *torn, struct pj_error *err)
{
    struct pji_trace_reader *reader = NULL;
    FILE *file = fopen(path, "rbe");
    if (file == NULL) {
        return pji_fail_errno(err, errno, "cannot open the trace %s", path);
    }
    pj_status status = pji_trace_reader_new(&reader, path, visitor, err);
    if (status == PJ_OK) {
        status = feed_file(reader, file, path, err);
    }
    if (status == PJ_OK) {
        status = pji_trace_reader_end(reader, complete, torn, err);
    }
    pji_trace_reader_free(reader);
    fclose(file);
    return status;
}

pj_status pji_trace_load(struct pji_trace *trace, const char *path, struct pj_error *err)
{
    *trace = (struct pji_trace){0};
    struct pji_trace_visitor visitor = pji_trace_builder(trace);
    pj_status status = pji_trace_visit(path, &visitor, &trace->complete, &trace->torn, err);
    if (status != PJ_OK) {
        pji_trace_fini(trace);
    }
    return status;
}

void pji_trace_fini(struct pji_trace *trace)
{
    for (size_t i = 0; trace->series != NULL && i < trace->header.n_channels; i++) {
        pji_series_fini(&trace->series[i]);
    }
    free(trace->series);
    free(trace->fold_at);
    pji_trace_header_fini(&trace->header);
    *trace = (struct pji_trace){0};
}

/* ---- windows ---- */

/* The series that carries channel i's uncertainty, NULL when it has none. */
static const struct pji_series *companion_of(const struct pji_trace *trace, size_t i)
{
    for (size_t k = 0; k < trace->header.n_channels; k++) {
        const struct pji_channel *channel = &trace->header.channels[k];
        if (channel->role == PJI_ROLE_UNCERTAINTY && channel->companion >= 0 &&
            (size_t)channel->companion == i) {
            return &trace->series[k];
        }
    }
    return NULL;
}

void pji_trace_window(const struct pji_trace *trace, int64_t start_ns, int64_t end_ns,
                      bool measured_only, struct pj_energy *energies, bool *in_total,
                      struct pji_total *total)
{
    const struct pji_trace_header *header = &trace->header;
    for (size_t i = 0; i < header->n_channels; i++) {
        pji_series_window(&trace->series[i], companion_of(trace, i), start_ns, end_ns,
                          &energies[i]);
    }
    pji_ledger_cover_read(header->channels, energies, header->n_channels, measured_only, in_total);
    pji_ledger_total(total, header->channels, energies, in_total, header->n_channels,
                     header->missing, header->n_missing);
}
