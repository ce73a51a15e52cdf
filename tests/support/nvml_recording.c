#include "nvml_recording.h"

#include "core/array.h"
#include "core/csv.h"
#include "core/num.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { FIELDS = 5 };

/* No time or value of a GPU is near this; sums of them stay far from overflow. */
static const int64_t most = INT64_C(1) << 61;

static bool kind_of(const char *text, enum pji_nvml_row *kind)
{
    static const char *const names[PJI_NVML_ROWS] = {
        [PJI_NVML_ROW_POWER] = "buffer", [PJI_NVML_ROW_ENERGY] = "counter",
        [PJI_NVML_ROW_USAGE] = "usage",  [PJI_NVML_ROW_TEMP] = "temp",
        [PJI_NVML_ROW_CLOCK] = "smclk",  [PJI_NVML_ROW_THROTTLE] = "throttle"};
    for (int i = 0; i < PJI_NVML_ROWS; i++) {
        if (strcmp(names[i], text) == 0) {
            *kind = (enum pji_nvml_row)i;
            return true;
        }
    }
    return false;
}

/* The number after `word`; as it was where the word is not there. */
static pj_status number_after(const char *text, const char *word, int64_t *value,
                              struct pj_error *err)
{
    const char *at = strstr(text, word);
    pj_status status = PJ_OK;
    if (at) {
        at += strlen(word);
        status = pji_num_parse_i64(at, strcspn(at, " \r\n"), value, err);
    }
    if (!status && (*value > most || *value < -most))
        status = pji_fail(err, PJ_EINVAL, "%sis out of range", word);
    return status;
}

static pj_status read_heading(struct nvml_recording *recording, const char *text,
                              struct pj_error *err)
{
    const char *end = strstr(text, " driver ");
    if (text[0] != '#' || !strstr(text, "realtime_minus_monotonic_ns "))
        return pji_fail(err, PJ_EINVAL,
                        "the first line of a recording is '# … realtime_minus_monotonic_ns N'");
    if (end && end > text + 2)
        (void)snprintf(recording->name, sizeof recording->name, "%.*s", (int)(end - text - 2),
                       text + 2);
    pj_status status = number_after(text, "limit_mw ", &recording->limit_mw, err);
    if (!status && recording->limit_mw < 0)
        status = pji_fail(err, PJ_EINVAL, "limit_mw is negative");
    if (!status)
        status = number_after(text, "realtime_minus_monotonic_ns ", &recording->offset_ns, err);
    return status;
}

static pj_status check_row(const struct nvml_recording_row *row, struct pj_error *err)
{
    if (row->before_ns < -most || row->before_ns > most || row->after_ns > most)
        return pji_fail(err, PJ_EINVAL, "t_before_ns or t_after_ns is out of range");
    if (row->after_ns < row->before_ns)
        return pji_fail(err, PJ_EINVAL, "t_after_ns is before t_before_ns");
    if (row->value < (row->kind == PJI_NVML_ROW_TEMP ? -273 : 0) || row->value > most / 1000)
        return pji_fail(err, PJ_EINVAL, "the value %lld is out of range", (long long)row->value);
    if (row->kind == PJI_NVML_ROW_POWER && (row->device_us < 0 || row->device_us > most / 1000))
        return pji_fail(err, PJ_EINVAL, "device_ts_us is out of range");
    return PJ_OK;
}

/* A slot of the ring that was never filled. */
static bool unfilled(const struct nvml_recording_row *row)
{
    return row->kind == PJI_NVML_ROW_POWER && row->device_us == 0;
}

static pj_status add_row(struct nvml_recording *recording, const struct pji_csv_row *csv,
                         struct pj_error *err)
{
    struct nvml_recording_row row = {.kind = PJI_NVML_ROWS};
    int64_t *const fields[] = {&row.before_ns, &row.after_ns, &row.value, &row.device_us};
    if (csv->n != FIELDS)
        return pji_fail(err, PJ_EINVAL, "a row of a recording has %d fields, not %zu", FIELDS,
                        csv->n);
    if (!kind_of(csv->fields[0], &row.kind)) {
        recording->unknown++;
        return PJ_OK;
    }
    for (size_t i = 0; i + 1 < FIELDS; i++) {
        pj_status status = pji_num_parse_i64(csv->fields[i + 1], csv->lens[i + 1], fields[i], err);
        if (status)
            return status;
    }
    pj_status status = check_row(&row, err);
    if (status || unfilled(&row))
        return status;
    status = pji_array_reserve(&recording->rows, &recording->cap, recording->n + 1,
                               sizeof *recording->rows, err);
    if (!status)
        recording->rows[recording->n++] = row;
    return status;
}

static pj_status read_rows(struct nvml_recording *recording, FILE *file, const char *path,
                           struct pj_error *err)
{
    struct pji_csv *csv = NULL;
    struct pji_csv_row row;
    pj_status status = pji_csv_open(&csv, file, path, ',', err);
    while (!status && (status = pji_csv_read(csv, &row, err)) == PJ_OK) {
        bool names = strcmp(row.fields[0], "kind") == 0;
        if (names || row.line == 1 || row.fields[0][0] == '#')
            continue;
        status = add_row(recording, &row, err);
        if (status)
            pji_error_prefix(err, "%s:%zu", path, row.line);
    }
    pji_csv_close(csv);
    if (status == PJI_CSV_END)
        status = recording->n ? PJ_OK : pji_fail(err, PJ_EINVAL, "%s has no readings", path);
    return status;
}

pj_status nvml_recording_read(struct nvml_recording *recording, const char *path,
                              struct pj_error *err)
{
    char heading[512] = "";
    FILE *file = fopen(path, "r");
    *recording = (struct nvml_recording){0};
    if (!file)
        return pji_fail_errno(err, errno, "cannot open the recording %s", path);
    errno = 0;
    if (!fgets(heading, sizeof heading, file) && ferror(file)) {
        pj_status failed = pji_fail_errno(err, errno, "cannot read the recording %s", path);
        (void)fclose(file);
        return failed;
    }
    pj_status status = read_heading(recording, heading, err);
    if (status)
        pji_error_prefix(err, "%s:1", path);
    rewind(file); /* so that the lines are counted from the first one */
    if (!status)
        status = read_rows(recording, file, path, err);
    (void)fclose(file);
    if (status)
        nvml_recording_fini(recording);
    return status;
}

void nvml_recording_fini(struct nvml_recording *recording)
{
    free(recording->rows);
    *recording = (struct nvml_recording){0};
}
