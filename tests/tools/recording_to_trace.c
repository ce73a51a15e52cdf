/* recording-to-trace FILE.csv [OUT]: a recording of a real GPU as a trace v1, on standard output or
 * in OUT.
 *
 * What a recording is: support/nvml_recording.h. The rows go the way of live readings: the same
 * channel rows, time mapping, refusals and gap marks (sources/nvml_rows.h, nvml_track.h). What a
 * live meter measures when it opens a device (spacing of samples, refresh of the counter) is
 * measured on the recording.
 */
#include "core/array.h"
#include "core/units.h"
#include "energy/trace.h"
#include "nvml_recording.h"
#include "sources/nvml_gpu.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNK = 256 };

struct output {
    struct pji_trace_header header;
    struct pji_channel channels[PJI_NVML_ROWS];
    int32_t index[PJI_NVML_ROWS];
    struct pji_reading_sink sink;
};

/* ---- what a meter would measure at open ---- */

static int compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static int64_t median(int64_t *values, size_t n)
{
    if (n == 0)
        return 0;
    qsort(values, n, sizeof *values, compare);
    return values[n / 2];
}

static int64_t middle(const struct nvml_recording_row *row)
{
    return row->before_ns + (row->after_ns - row->before_ns) / 2;
}

/* Distances of consecutive rows of a kind, of those with another value only if `changes`. */
static int64_t distance(const struct nvml_recording *recording, enum pji_nvml_row kind,
                        bool changes, int64_t *scratch)
{
    const struct nvml_recording_row *last = NULL;
    size_t n = 0;
    for (size_t i = 0; i < recording->n; i++) {
        const struct nvml_recording_row *row = &recording->rows[i];
        if (row->kind != kind || (changes && last && last->value == row->value))
            continue;
        if (last)
            scratch[n++] = middle(row) - middle(last);
        last = row;
    }
    return median(scratch, n);
}

static int64_t spacing(const struct nvml_recording *recording, int64_t *scratch)
{
    const struct nvml_recording_row *last = NULL;
    size_t n = 0;
    for (size_t i = 0; i < recording->n; i++) {
        const struct nvml_recording_row *row = &recording->rows[i];
        if (row->kind != PJI_NVML_ROW_POWER)
            continue;
        if (last && row->device_us > last->device_us)
            scratch[n++] = (row->device_us - last->device_us) * PJI_NS_PER_US;
        last = row;
    }
    return median(scratch, n);
}

/* ---- converting ---- */

static void add_channels(struct output *out, const struct nvml_recording *recording,
                         int64_t *scratch)
{
    struct pji_nvml_identity identity = {0};
    struct pji_nvml_gpu_facts facts = {.identity = &identity, .cap_mw = recording->limit_mw};
    bool exists[PJI_NVML_ROWS] = {false};
    (void)snprintf(identity.uuid, sizeof identity.uuid, "recording of %.30s",
                   recording->name[0] ? recording->name : "a GPU");
    for (size_t i = 0; i < recording->n; i++)
        exists[recording->rows[i].kind] = true;
    facts.spacing_ns = spacing(recording, scratch);
    facts.counter_poll_ns = distance(recording, PJI_NVML_ROW_ENERGY, false, scratch);
    /* a step is seen at the next poll: the counter can stand for a poll longer than its refresh */
    facts.counter_refresh_ns =
        distance(recording, PJI_NVML_ROW_ENERGY, true, scratch) + facts.counter_poll_ns;
    facts.usage_poll_ns = distance(recording, PJI_NVML_ROW_USAGE, false, scratch);
    facts.usage_averaged = true;
    for (int row = 0; row < PJI_NVML_ROWS; row++) {
        struct pji_channel *channel = &out->channels[out->header.n_channels];
        bool best = !exists[PJI_NVML_ROW_POWER] && !exists[PJI_NVML_ROW_ENERGY];
        out->index[row] = -1;
        if (!exists[row])
            continue;
        pji_nvml_row(channel, (enum pji_nvml_row)row, &facts,
                     row == PJI_NVML_ROW_ENERGY ? out->index[PJI_NVML_ROW_POWER] : -1);
        if (row == PJI_NVML_ROW_USAGE && !best)
            channel->role = PJI_ROLE_AUX; /* kept, but no third way to the same energy */
        out->index[row] = (int32_t)out->header.n_channels++;
    }
    out->header.channels = out->channels;
}

/* One read of the sample buffer: rows[first … ] of the same call; returns the row after it. */
static size_t add_batch(struct output *out, const struct nvml_recording *recording, size_t first,
                        struct pji_nvml_track *track, struct pji_nvml_point *points)
{
    const struct nvml_recording_row *rows = recording->rows;
    size_t i = first, n = 0;
    for (; i < recording->n && rows[i].kind == PJI_NVML_ROW_POWER &&
           rows[i].before_ns == rows[first].before_ns;
         i++)
        points[n++] = (struct pji_nvml_point){(uint64_t)rows[i].device_us, rows[i].value};
    pji_nvml_track_feed(track, points, n, recording->offset_ns, rows[first].after_ns, 2 * n + 2,
                        &out->sink);
    return i;
}

static void add_single(struct output *out, const struct nvml_recording_row *row)
{
    int64_t value = row->value;
    bool sane = true;
    switch (row->kind) {
    case PJI_NVML_ROW_ENERGY:
        sane = value > 0 && pji_nvml_energy_sane((unsigned long long)value);
        value *= sane ? 1000 : 1;
        break;
    case PJI_NVML_ROW_USAGE:
        sane = pji_nvml_power_sane(value);
        break;
    case PJI_NVML_ROW_TEMP:
        value *= 1000;
        break;
    case PJI_NVML_ROW_POWER:
    case PJI_NVML_ROW_CLOCK:
    case PJI_NVML_ROW_THROTTLE:
    case PJI_NVML_ROWS:
        break;
    }
    pji_reading_put(&out->sink, out->index[row->kind], middle(row),
                    sane ? PJI_READ_OK : PJI_READ_FAILED, sane ? value : EBADMSG);
}

static int by_time(const void *a, const void *b)
{
    const struct pji_reading *x = a, *y = b;
    if (x->t_ns != y->t_ns)
        return (x->t_ns > y->t_ns) - (x->t_ns < y->t_ns);
    return (x->channel > y->channel) - (x->channel < y->channel);
}

static pj_status convert(struct output *out, const struct nvml_recording *recording,
                         struct pj_error *err)
{
    pj_status status = PJ_ENOMEM;
    struct pji_nvml_track track = {.spacing_ns = 1};
    int64_t *scratch = pji_zalloc(recording->n, sizeof *scratch, err);
    struct pji_nvml_point *points = pji_zalloc(recording->n, sizeof *points, err);
    out->sink.cap = 2 * recording->n;
    out->sink.readings = pji_zalloc(out->sink.cap, sizeof *out->sink.readings, err);
    if (!scratch || !points || !out->sink.readings)
        goto out;
    status = PJ_OK;
    add_channels(out, recording, scratch);
    track.channel = out->index[PJI_NVML_ROW_POWER];
    if (track.channel >= 0 && out->channels[track.channel].refresh_ns > 0)
        track.spacing_ns = out->channels[track.channel].refresh_ns;
    for (size_t i = 0; i < recording->n;) {
        if (recording->rows[i].kind == PJI_NVML_ROW_POWER)
            i = add_batch(out, recording, i, &track, points);
        else
            add_single(out, &recording->rows[i++]);
    }
    qsort(out->sink.readings, out->sink.n, sizeof *out->sink.readings, by_time);
out:
    free(scratch);
    free(points);
    return status;
}

/* ---- writing ---- */

static pj_status put_text(FILE *file, struct pji_str *text, struct pj_error *err)
{
    pj_status status = pji_str_ok(text, err);
    if (!status && fwrite(text->text, 1, text->len, file) != text->len)
        status = pji_fail_errno(err, errno, "cannot write the trace");
    pji_str_clear(text);
    return status;
}

static pj_status write_trace(FILE *file, struct output *out, const struct nvml_recording *recording,
                             struct pj_error *err)
{
    static char lines[CHUNK * PJI_TRACE_READING_MAX];
    const struct pji_reading *readings = out->sink.readings;
    struct pji_str text = {0};
    struct pji_trace_footer footer = {.t_ns = readings[out->sink.n - 1].t_ns,
                                      .samples = recording->n};
    (void)snprintf(out->header.tool, sizeof out->header.tool, "recording-to-trace " PJ_VERSION);
    out->header.t_ns = readings[0].t_ns;
    out->header.wall_ns = readings[0].t_ns + recording->offset_ns;
    out->header.interval_ns = PJI_NS_PER_S;
    pj_status status = pji_trace_put_header(&text, &out->header, err);
    if (!status)
        status = put_text(file, &text, err);
    for (size_t i = 0; i < out->sink.n && !status; i += CHUNK) {
        size_t n = out->sink.n - i < CHUNK ? out->sink.n - i : CHUNK;
        size_t len = pji_trace_format_readings(lines, sizeof lines, readings + i, n);
        if (len == 0 || fwrite(lines, 1, len, file) != len)
            status = pji_fail_errno(err, errno, "cannot write the trace");
    }
    if (!status) {
        pji_trace_put_footer(&text, &footer);
        status = put_text(file, &text, err);
    }
    pji_str_fini(&text);
    if (!status && fflush(file) != 0)
        status = pji_fail_errno(err, errno, "cannot write the trace");
    return status;
}

int main(int argc, char **argv)
{
    struct pj_error err = {0};
    struct nvml_recording recording = {0};
    struct output out = {0};
    FILE *file = stdout;
    pj_status status;
    if (argc < 2 || argc > 3) {
        (void)fprintf(stderr, "usage: recording-to-trace FILE.csv [OUT]\n");
        return 2;
    }
    status = nvml_recording_read(&recording, argv[1], &err);
    if (!status)
        status = convert(&out, &recording, &err);
    if (!status && argc == 3 && !(file = fopen(argv[2], "w")))
        status = pji_fail_errno(&err, errno, "cannot write %s", argv[2]);
    if (!status)
        status = write_trace(file, &out, &recording, &err);
    if (file && file != stdout && fclose(file) != 0 && !status)
        status = pji_fail_errno(&err, errno, "cannot write %s", argv[2]);
    if (status)
        (void)fprintf(stderr, "recording-to-trace: %s\n", err.text);
    else if (recording.unknown)
        (void)fprintf(stderr, "recording-to-trace: left out %llu rows of unknown kinds\n",
                      (unsigned long long)recording.unknown);
    nvml_recording_fini(&recording);
    free(out.sink.readings);
    return status ? status == PJ_EINVAL ? 2 : 1 : 0;
}
