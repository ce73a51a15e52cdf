/* See tally.h. */
#include "cli/tally.h"

#include "core/array.h"
#include "core/units.h"

#include <stdlib.h>

void pji_tally_trouble(struct pji_tally *tally, const struct pj_error *err)
{
    if (!tally->trouble.code)
        tally->trouble = *err;
}

static void stream_status(struct pji_tally *tally, pj_status status, const struct pj_error *err)
{
    if (status == PJ_OK)
        return;
    if (status < 0)
        pji_tally_trouble(tally, err);
    pji_stream_close(tally->stream);
    tally->stream = NULL;
}

/* Takes fields (may be NULL). */
static void put_event(struct pji_tally *tally, int64_t t_ns, const char *name, json_t *fields)
{
    struct pji_str line = {0};
    struct pj_error err = {0};
    pj_status status;

    if (!tally->stream) {
        json_decref(fields);
        return;
    }
    status = pji_trace_put_event(&line, t_ns, name, fields, &err);
    if (!status)
        status = pji_stream_put(tally->stream, pji_str_text(&line), line.len, &err);
    pji_str_fini(&line);
    stream_status(tally, status, &err);
}

static void put_readings(struct pji_tally *tally, const struct pji_reading *readings, size_t n,
                         int64_t suspended_ns)
{
    struct pj_error err = {0};

    if (tally->stream && suspended_ns > 0)
        put_event(tally, n > 0 ? readings[0].t_ns : pji_now_ns(&tally->instruments->platform),
                  "suspend", json_pack("{s:I}", "dur_ns", (json_int_t)suspended_ns));
    if (tally->stream)
        stream_status(tally, pji_stream_readings(tally->stream, readings, n, &err), &err);
}

void pji_tally_start(struct pji_tally *tally, int64_t start_ns)
{
    pji_run_series_start(&tally->run, start_ns);
    put_event(tally, start_ns, PJI_RUN_START, NULL);
}

void pji_tally_end(struct pji_tally *tally, int64_t end_ns)
{
    pji_run_series_end(&tally->run, end_ns);
    put_event(tally, end_ns, PJI_RUN_END, NULL);
}

void pji_tally_extend(struct pji_tally *tally)
{
    const struct pji_channel_table *table = pji_meter_channels(tally->instruments->meter);
    struct pj_error err = {0};

    if (pji_array_reserve(&tally->latest, &tally->cap_latest, table->n + 1, sizeof *tally->latest,
                          &err) ||
        pji_run_series_extend(&tally->run, table->channels, table->n, &err))
        pji_tally_trouble(tally, &err);
}

void pji_tally_take(struct pji_tally *tally, bool edge)
{
    struct pji_meter *meter = tally->instruments->meter;
    const struct pji_reading *readings;
    struct pj_error err = {0};
    int64_t suspended_ns;
    size_t n;
    pj_status status = (edge ? pji_meter_read : pji_meter_sample)(meter, &readings, &n, &err);

    suspended_ns = pji_meter_suspended_ns(meter);
    pji_run_series_suspend(&tally->run, suspended_ns);
    for (size_t i = 0; i < n && !status; i++) {
        if ((size_t)readings[i].channel >= tally->run.n)
            continue; /* only when extend failed */
        tally->latest[readings[i].channel] = readings[i];
        status = pji_run_series_add(&tally->run, &readings[i], &err);
    }
    if (status)
        pji_tally_trouble(tally, &err);
    put_readings(tally, readings, n, suspended_ns);
}

int pji_tally_poll_fd(const struct pji_tally *tally)
{
    return tally->stream ? pji_stream_poll_fd(tally->stream) : -1;
}

void pji_tally_pump(struct pji_tally *tally)
{
    struct pj_error err = {0};

    if (tally->stream)
        stream_status(tally, pji_stream_pump(tally->stream, &err), &err);
}

void pji_tally_finish(struct pji_tally *tally)
{
    struct pji_str line = {0};
    struct pj_error err = {0};
    pj_status status;

    if (pji_run_series_finish(&tally->run, &err))
        pji_tally_trouble(tally, &err);
    if (!tally->stream)
        return;
    pji_error_clear(&err);
    status = pji_stream_drain(tally->stream, &err);
    pji_instruments_footer(tally->instruments, pji_stream_hash(tally->stream), &line);
    if (!status)
        status = pji_stream_put(tally->stream, pji_str_text(&line), line.len, &err);
    if (!status)
        status = pji_stream_drain(tally->stream, &err);
    pji_str_fini(&line);
    stream_status(tally, status, &err);
}

static pj_status open_trace(struct pji_tally *tally, int trace_fd, struct pj_error *err)
{
    struct pji_stream_config config = {.platform = &tally->instruments->platform,
                                       .fd = trace_fd,
                                       .burst = pji_meter_burst(tally->instruments->meter),
                                       .ring_b = 1 << 20,
                                       .patience_ns = 5 * PJI_NS_PER_S};
    struct pji_str line = {0};
    pj_status status = pji_stream_open(&tally->stream, &config, err);

    if (!status)
        status = pji_instruments_header(tally->instruments, &line, err);
    if (!status)
        status = pji_stream_put(tally->stream, pji_str_text(&line), line.len, err);
    pji_str_fini(&line);
    if (status == PJI_STREAM_CLOSED)
        stream_status(tally, status, err);
    return status < 0 ? status : PJ_OK;
}

pj_status pji_tally_init(struct pji_tally *tally, struct pji_instruments *instruments, int trace_fd,
                         struct pj_error *err)
{
    const struct pji_channel_table *table = pji_meter_channels(instruments->meter);
    pj_status status;

    tally->instruments = instruments;
    status = pji_array_reserve(&tally->latest, &tally->cap_latest, table->n + 1,
                               sizeof *tally->latest, err);
    if (!status)
        status = pji_run_series_init(&tally->run, table->channels, table->n, err);
    if (!status && trace_fd >= 0)
        status = open_trace(tally, trace_fd, err);
    return status;
}

void pji_tally_fini(struct pji_tally *tally)
{
    pji_run_series_fini(&tally->run);
    free(tally->latest);
    pji_stream_close(tally->stream);
    *tally = (struct pji_tally){0};
}
