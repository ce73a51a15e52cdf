/* What the fake GPU does over time: see fake_nvml.h. */
#include "fake_nvml.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const kinds[FAKE_KINDS] = {"counter", "buffer",   "usage",
                                              "temp",    "throttle", "smclk"};
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

static int64_t number_after(const char *line, const char *word, int64_t fallback)
{
    const char *at = strstr(line, word);
    return at ? strtoll(at + strlen(word), NULL, 10) : fallback;
}

/* One line "kind,t_before_ns,t_after_ns,value,device_ts_us"; false when it is not one. */
static bool add_line(struct fake_curve *curve, const char *line, int64_t offset_ns)
{
    const char *comma = strchr(line, ',');
    long long before_ns, after_ns, value, device_us;
    if (!comma ||
        sscanf(comma, ",%lld,%lld,%lld,%lld", &before_ns, &after_ns, &value, &device_us) != 4)
        return false;
    if (curve->start_ns == INT64_MAX)
        curve->start_ns = before_ns;
    for (int kind = 0; kind < FAKE_KINDS; kind++) {
        if (strlen(kinds[kind]) != (size_t)(comma - line) ||
            strncmp(kinds[kind], line, (size_t)(comma - line)) != 0)
            continue;
        int64_t t_ns = kind == FAKE_K_BUFFER ? device_us * 1000 - offset_ns
                                             : before_ns + (after_ns - before_ns) / 2;
        return add_row(&curve->series[kind], t_ns, value);
    }
    return true; /* a kind that is not played */
}

bool fake_curve_load(struct fake_curve *curve, const char *path, char *why, size_t size)
{
    char line[512];
    int64_t offset_ns = 0;
    unsigned long number = 0;
    bool good = true;
    FILE *file = fopen(path, "r");
    if (!file) {
        (void)snprintf(why, size, "cannot open the recording %s", path);
        return false;
    }
    curve->recorded = true;
    curve->start_ns = INT64_MAX;
    while (good && fgets(line, sizeof line, file)) {
        number++;
        if (line[0] == '#') {
            offset_ns = number_after(line, "realtime_minus_monotonic_ns ", offset_ns);
            curve->limit_mw = number_after(line, "limit_mw ", 0);
        } else if (strncmp(line, "kind,", 5) != 0) {
            good = add_line(curve, line, offset_ns);
        }
    }
    (void)fclose(file);
    if (!good || curve->start_ns == INT64_MAX) {
        (void)snprintf(why, size, "%s:%lu is not a line of a recording", path, number);
        return false;
    }
    return true;
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
