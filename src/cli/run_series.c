/* See run_series.h. */
#include "cli/run_series.h"

#include "core/array.h"

#include <stdlib.h>
#include <string.h>

pj_status pji_run_series_init(struct pji_run_series *run, const struct pji_channel *channels,
                              size_t n, struct pj_error *err)
{
    return pji_run_series_extend(run, channels, n, err);
}

pj_status pji_run_series_extend(struct pji_run_series *run, const struct pji_channel *channels,
                                size_t n, struct pj_error *err)
{
    pj_status status =
        pji_array_reserve(&run->series, &run->cap_series, n + 1, sizeof *run->series, err);

    if (!status)
        status = pji_array_reserve(&run->clips, &run->cap_clips, n + 1, sizeof *run->clips, err);
    for (; run->n < n && !status; run->n++) {
        struct pji_clip *clip = &run->clips[run->n];

        status = pji_series_init(&run->series[run->n], &channels[run->n], false, err);
        if (status)
            break;
        pji_clip_init(clip, &channels[run->n]);
        if (run->start_ns)
            pji_clip_start(clip, run->start_ns);
        if (run->end_ns)
            pji_clip_end(clip, run->end_ns);
    }
    return status;
}

void pji_run_series_fini(struct pji_run_series *run)
{
    for (size_t i = 0; run->series && i < run->n; i++)
        pji_series_fini(&run->series[i]);
    free(run->series);
    free(run->clips);
    *run = (struct pji_run_series){0};
}

void pji_run_series_start(struct pji_run_series *run, int64_t start_ns)
{
    run->start_ns = start_ns;
    for (size_t i = 0; i < run->n; i++)
        pji_clip_start(&run->clips[i], start_ns);
}

void pji_run_series_end(struct pji_run_series *run, int64_t end_ns)
{
    run->end_ns = end_ns;
    for (size_t i = 0; i < run->n; i++)
        pji_clip_end(&run->clips[i], end_ns);
}

void pji_run_series_suspend(struct pji_run_series *run, int64_t dur_ns)
{
    for (size_t i = 0; dur_ns > 0 && i < run->n; i++)
        pji_series_suspend(&run->series[i], dur_ns);
}

pj_status pji_run_series_add(struct pji_run_series *run, const struct pji_reading *reading,
                             struct pj_error *err)
{
    struct pji_reading out[2];
    size_t n = pji_clip_add(&run->clips[reading->channel], reading, out);
    pj_status status = PJ_OK;

    for (size_t i = 0; i < n && !status; i++)
        status = pji_series_add(&run->series[reading->channel], &out[i], err);
    return status;
}

pj_status pji_run_series_finish(struct pji_run_series *run, struct pj_error *err)
{
    struct pji_reading out;
    pj_status status = PJ_OK;

    for (size_t i = 0; i < run->n && !status; i++) {
        if (pji_clip_finish(&run->clips[i], &out))
            status = pji_series_add(&run->series[i], &out, err);
        pji_series_doubt(&run->series[i], run->clips[i].ends_u_uj);
    }
    return status;
}

/* ---- from a trace ---- */

static pj_status on_header(void *context, const struct pji_trace_header *header,
                           struct pj_error *err)
{
    return pji_run_series_init(context, header->channels, header->n_channels, err);
}

static pj_status on_reading(void *context, const struct pji_reading *reading, struct pj_error *err)
{
    return pji_run_series_add(context, reading, err);
}

static pj_status on_event(void *context, int64_t t_ns, const char *name, const json_t *fields,
                          struct pj_error *err)
{
    struct pji_run_series *run = context;
    int64_t dur_ns = 0;

    if (strcmp(name, PJI_RUN_START) == 0) {
        pji_run_series_start(run, t_ns);
    } else if (strcmp(name, PJI_RUN_END) == 0) {
        pji_run_series_end(run, t_ns);
    } else if (strcmp(name, "suspend") == 0) {
        pj_status status = pji_json_get_i64(fields, "dur_ns", "a suspend event", &dur_ns, err);

        if (status)
            return status;
        pji_run_series_suspend(run, dur_ns);
    }
    return PJ_OK;
}

struct pji_trace_visitor pji_run_series_visitor(struct pji_run_series *run)
{
    return (struct pji_trace_visitor){
        .context = run, .header = on_header, .reading = on_reading, .event = on_event};
}
