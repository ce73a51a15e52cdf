/* What the fake GPU does over time: see fake_nvml.h. */
#include "fake_nvml.h"

#include "nvml_recording.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const enum fake_kind kind_of[PJI_NVML_ROWS] = {
    [PJI_NVML_ROW_POWER] = FAKE_K_BUFFER, [PJI_NVML_ROW_ENERGY] = FAKE_K_COUNTER,
    [PJI_NVML_ROW_USAGE] = FAKE_K_USAGE,  [PJI_NVML_ROW_TEMP] = FAKE_K_TEMP,
    [PJI_NVML_ROW_CLOCK] = FAKE_K_SMCLK,  [PJI_NVML_ROW_THROTTLE] = FAKE_K_THROTTLE};
static const int64_t counter_step_ns = 100000000;

static bool add_row(struct fake_series *series, int64_t t_ns, int64_t value)
{
    if (series->n == series->cap) {
        size_t cap = series->cap ? series->cap * 2 : 1024;
        struct fake_row *rows = realloc(series->rows, cap * sizeof *rows);
        if (!rows)
            return false;
        series->rows = rows;
        series->cap = cap;
    }
    series->rows[series->n++] = (struct fake_row){t_ns, value};
    return true;
}

static int by_time(const void *a, const void *b)
{
    const struct fake_row *x = a, *y = b;
    return (x->t_ns > y->t_ns) - (x->t_ns < y->t_ns);
}

/* A reader may write down what it had seen before: every sample exists once. */
static void put_in_order(struct fake_series *series)
{
    size_t n = 0;
    if (series->n == 0)
        return;
    qsort(series->rows, series->n, sizeof *series->rows, by_time);
    for (size_t i = 1; i < series->n; i++)
        if (series->rows[i].t_ns != series->rows[n].t_ns)
            series->rows[++n] = series->rows[i];
    series->n = n + 1;
}

bool fake_curve_load(struct fake_curve *curve, const char *path, char *why, size_t size)
{
    struct nvml_recording recording;
    struct pj_error err = {0};
    bool good = nvml_recording_read(&recording, path, &err) == PJ_OK;
    if (!good) {
        (void)snprintf(why, size, "%s", err.text);
        return false;
    }
    curve->recorded = true;
    curve->start_ns = recording.rows[0].before_ns;
    curve->limit_mw = recording.limit_mw;
    for (size_t i = 0; i < recording.n && good; i++) {
        const struct nvml_recording_row *row = &recording.rows[i];
        bool sample = row->kind == PJI_NVML_ROW_POWER;
        int64_t t_ns = sample ? row->device_us * 1000 - recording.offset_ns
                              : row->before_ns + (row->after_ns - row->before_ns) / 2;
        good = add_row(&curve->series[kind_of[row->kind]], t_ns, row->value);
    }
    nvml_recording_fini(&recording);
    put_in_order(&curve->series[FAKE_K_BUFFER]);
    if (!good)
        (void)snprintf(why, size, "no memory for %s", path);
    return good;
}

void fake_curve_fini(struct fake_curve *curve)
{
    for (int kind = 0; kind < FAKE_KINDS; kind++)
        free(curve->series[kind].rows);
    memset(curve, 0, sizeof *curve);
}

/* Number of rows at or before t_ns. */
static size_t rows_until(const struct fake_series *series, int64_t t_ns)
{
    size_t low = 0, high = series->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (series->rows[middle].t_ns <= t_ns)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Energy of the square wave since time zero, uJ; t_ns may be negative. */
static double square_uj(const struct fake_curve *curve, int64_t t_ns)
{
    int64_t half_ns = curve->period_ns / 2;
    int64_t periods = t_ns / curve->period_ns;
    if (t_ns < periods * curve->period_ns)
        periods--;
    int64_t rest_ns = t_ns - periods * curve->period_ns;
    int64_t low_ns = rest_ns < half_ns ? rest_ns : half_ns;
    double low_mw = (double)curve->low_mw, high_mw = (double)curve->high_mw;
    return ((double)periods * (low_mw + high_mw) * (double)half_ns + low_mw * (double)low_ns +
            high_mw * (double)(rest_ns - low_ns)) /
           1e6;
}

static int64_t square_at(const struct fake_curve *curve, enum fake_kind kind, int64_t t_ns)
{
    switch (kind) {
    case FAKE_K_COUNTER:
        return 1000000 + (int64_t)(square_uj(curve, t_ns - t_ns % counter_step_ns) / 1000);
    case FAKE_K_BUFFER:
    case FAKE_K_USAGE:
        return (int64_t)((square_uj(curve, t_ns) - square_uj(curve, t_ns - curve->spacing_ns)) *
                         1e6 / (double)curve->spacing_ns);
    case FAKE_K_TEMP:
        return 40;
    case FAKE_K_SMCLK:
        return 1980;
    case FAKE_K_THROTTLE:
    case FAKE_KINDS:
        break;
    }
    return 0;
}

int64_t fake_curve_at(const struct fake_curve *curve, enum fake_kind kind, int64_t t_ns)
{
    const struct fake_series *series = &curve->series[kind];
    if (!curve->recorded)
        return square_at(curve, kind, t_ns);
    if (series->n == 0)
        return 0;
    size_t n = rows_until(series, curve->start_ns + t_ns);
    return series->rows[n ? n - 1 : 0].value;
}

size_t fake_curve_samples(const struct fake_curve *curve, int64_t t_ns, struct fake_row *out,
                          size_t cap)
{
    const struct fake_series *series = &curve->series[FAKE_K_BUFFER];
    if (curve->recorded) {
        size_t until = rows_until(series, curve->start_ns + t_ns), n = until < cap ? until : cap;
        for (size_t i = 0; i < n; i++) {
            out[i] = series->rows[until - n + i];
            out[i].t_ns -= curve->start_ns;
        }
        return n;
    }
    int64_t newest_ns = t_ns - t_ns % curve->spacing_ns;
    for (size_t i = 0; i < cap; i++) {
        out[i].t_ns = newest_ns - (int64_t)(cap - 1 - i) * curve->spacing_ns;
        out[i].value = square_at(curve, FAKE_K_BUFFER, out[i].t_ns);
    }
    return cap;
}
