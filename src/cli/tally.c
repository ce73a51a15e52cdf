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

static void put_suspend(struct pji_tally *tally, int64_t t_ns, int64_t dur_ns)
{
    struct pji_str line = {0};
    struct pj_error err = {0};
    json_t *fields = json_pack("{s:I}", "dur_ns", (json_int_t)dur_ns);
    pj_status status = pji_trace_put_event(&line, t_ns, "suspend", fields, &err);

    if (!status)
        status = pji_stream_put(tally->stream, pji_str_text(&line), line.len, &err);
    pji_str_fini(&line);
    stream_status(tally, status, &err);
}

static void put_readings(struct pji_tally *tally, const struct pji_reading *readings, size_t n,
                         int64_t suspended_ns)
{
    struct pj_error err = {0};

    if (tally->stream && suspended_ns > 0 && n > 0)
        put_suspend(tally, readings[0].t_ns, suspended_ns);
    if (tally->stream)
        stream_status(tally, pji_stream_readings(tally->stream, readings, n, &err), &err);
}

void pji_tally_start(struct pji_tally *tally, int64_t start_ns)
{
    for (size_t i = 0; i < tally->n; i++)
        pji_clip_start(&tally->clips[i], start_ns);
}

void pji_tally_end(struct pji_tally *tally, int64_t end_ns)
{
    for (size_t i = 0; i < tally->n; i++)
        pji_clip_end(&tally->clips[i], end_ns);
}

static pj_status add_reading(struct pji_tally *tally, const struct pji_reading *reading,
                             struct pj_error *err)
{
    struct pji_reading out[2];
    size_t n = pji_clip_add(&tally->clips[reading->channel], reading, out);
    pj_status status = PJ_OK;

    for (size_t i = 0; i < n && !status; i++)
        status = pji_series_add(&tally->series[reading->channel], &out[i], err);
    return status;
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
    for (size_t i = 0; suspended_ns > 0 && i < tally->n; i++)
        pji_series_suspend(&tally->series[i], suspended_ns);
    for (size_t i = 0; i < n && !status; i++)
        status = add_reading(tally, &readings[i], &err);
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

static void finish_clips(struct pji_tally *tally)
{
    struct pji_reading out;
    struct pj_error err = {0};
    pj_status status = PJ_OK;

    for (size_t i = 0; i < tally->n && !status; i++) {
        if (pji_clip_finish(&tally->clips[i], &out))
            status = pji_series_add(&tally->series[i], &out, &err);
        pji_series_doubt(&tally->series[i], tally->clips[i].ends_u_uj);
    }
    if (status)
        pji_tally_trouble(tally, &err);
}

void pji_tally_finish(struct pji_tally *tally)
{
    struct pji_str line = {0};
    struct pj_error err = {0};
    pj_status status;

    finish_clips(tally);
    if (!tally->stream)
        return;
    pji_instruments_footer(tally->instruments, &line);
    status = pji_stream_drain(tally->stream, &err);
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
    pj_status status = PJ_OK;

    tally->instruments = instruments;
    tally->series = pji_zalloc(table->n + 1, sizeof *tally->series, err);
    tally->clips = pji_zalloc(table->n + 1, sizeof *tally->clips, err);
    if (!tally->series || !tally->clips)
        return PJ_ENOMEM;
    tally->n = table->n;
    for (size_t i = 0; i < table->n; i++)
        pji_clip_init(&tally->clips[i], &table->channels[i]);
    for (size_t i = 0; i < table->n && !status; i++)
        status = pji_series_init(&tally->series[i], &table->channels[i], false, err);
    if (!status && trace_fd >= 0)
        status = open_trace(tally, trace_fd, err);
    return status;
}

void pji_tally_fini(struct pji_tally *tally)
{
    for (size_t i = 0; i < tally->n; i++)
        pji_series_fini(&tally->series[i]);
    free(tally->series);
    free(tally->clips);
    pji_stream_close(tally->stream);
    *tally = (struct pji_tally){0};
}
