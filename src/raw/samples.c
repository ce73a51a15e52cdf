#include "raw/samples.h"

#include "core/array.h"
#include "core/units.h"
#include "stats/quantile.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- the header ---- */

static const struct {
    const char *word;
    enum pji_domain_kind kind;
} words[] = {
    {"PACKAGE", PJI_DOMAIN_PACKAGE}, {"PKG", PJI_DOMAIN_PACKAGE}, {"CPU", PJI_DOMAIN_PACKAGE},
    {"PP0", PJI_DOMAIN_CORE},        {"PP1", PJI_DOMAIN_UNCORE},  {"DRAM", PJI_DOMAIN_DRAM},
    {"PSYS", PJI_DOMAIN_PSYS},       {"GPU", PJI_DOMAIN_GPU},
};

static const struct {
    const char *text;
    bool power;
    double factor;
} units[] = {
    {"J", false, 1},        {"Joules", false, 1},   {"mJ", false, 1e-3}, {"uJ", false, 1e-6},
    {"nJ", false, 1e-9},    {"kJ", false, 1e3},     {"Wh", false, 3600}, {"mWh", false, 3.6},
    {"kWh", false, 3.6e6},  {"W", true, 1},         {"Watts", true, 1},  {"mW", true, 1e-3},
    {"mWatts", true, 1e-3}, {"uWatts", true, 1e-6}, {"uW", true, 1e-6},  {"kW", true, 1e3},
};

/* "_1", "1", "-1": digits with or without a mark before them; false when there are none. */
static bool take_number(const char **at, unsigned *number)
{
    const char *p = *at;
    p += *p == '_' || *p == '-';
    if (!isdigit((unsigned char)*p))
        return false;
    unsigned value = 0;
    for (; isdigit((unsigned char)*p) && value < 10000; p++)
        value = value * 10 + (unsigned)(*p - '0');
    *number = value;
    *at = p;
    return true;
}

static bool take_word(const char **at, const char *word)
{
    size_t len = strlen(word);
    if (strncasecmp(*at, word, len) != 0)
        return false;
    *at += len;
    return true;
}

/* false: the name goes on in another way */
static bool take_unit(const char *at, struct pji_raw_column *out)
{
    while (*at == ' ' || *at == '_')
        at++;
    size_t len = strlen(at);
    if (len == 0)
        return true;
    if (len < 3 || at[0] != '(' || at[len - 1] != ')')
        return false;
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (strlen(units[i].text) == len - 2 && strncasecmp(at + 1, units[i].text, len - 2) == 0 &&
            units[i].power == out->power) {
            out->factor = units[i].factor;
            return true;
        }
    }
    return true;
}

bool pji_raw_column_parse(const char *name, struct pji_raw_column *out)
{
    const char *at = name;
    *out = (struct pji_raw_column){.all_zero = true};
    size_t i = 0;
    while (i < sizeof words / sizeof words[0] && !take_word(&at, words[i].word))
        i++;
    if (i == sizeof words / sizeof words[0] || strlen(name) >= sizeof out->name)
        return false;
    out->kind = words[i].kind;
    bool numbered = take_number(&at, &out->number);
    if (!take_word(&at, "_"))
        return false;
    out->power = take_word(&at, "POWER");
    if (!out->power && !take_word(&at, "ENERGY"))
        return false;
    if (!numbered)
        (void)take_number(&at, &out->number);
    snprintf(out->name, sizeof out->name, "%s", name);
    return take_unit(at, out);
}

static pj_status choose_columns(struct pji_raw_samples *samples, const struct pji_raw_table *table,
                                struct pj_error *err)
{
    struct pji_raw_column column;
    for (size_t c = 0; c < table->n_names; c++) {
        if (!pji_raw_column_parse(table->names[c], &column))
            continue;
        if (!(column.factor > 0)) {
            table->source->reason = "unknown_unit";
            return pji_fail(err, PJ_EINVAL,
                            "%s, column '%s': its unit is not known; %s is written (%s)",
                            table->source->shown, column.name, column.power ? "power" : "energy",
                            column.power ? "W), (mWatts), (kW" : "J), (mJ), (kJ), (Wh");
        }
        if (samples->n_columns == PJI_RAW_COLUMNS) {
            table->source->reason = "too_many_columns";
            return pji_fail(err, PJ_EINVAL, "%s has more than %d columns of energy and power",
                            table->source->shown, (int)PJI_RAW_COLUMNS);
        }
        column.column = c;
        samples->columns[samples->n_columns++] = column;
    }
    if (samples->n_columns > 0)
        return PJ_OK;
    table->source->reason = "missing_column";
    return pji_fail(err, PJ_EINVAL,
                    "%s has no column of energy or power ('PACKAGE_ENERGY (J)', 'GPU0_POWER "
                    "(mWatts)', …): is it a table of EnergiBridge?",
                    table->source->shown);
}

/* ---- the rows ---- */

static pj_status grow(struct pji_raw_samples *samples, struct pj_error *err)
{
    if (samples->n < samples->cap)
        return PJ_OK;
    size_t cap = samples->cap;
    pj_status status = PJ_OK;
    for (size_t c = 0; c < samples->n_columns && status == PJ_OK; c++) {
        cap = samples->cap;
        status = pji_array_reserve(&samples->columns[c].values, &cap, samples->n + 1,
                                   sizeof *samples->columns[c].values, err);
    }
    if (status == PJ_OK)
        status = pji_array_reserve(&samples->t_ns, &samples->cap, samples->n + 1,
                                   sizeof *samples->t_ns, err);
    return status;
}

static pj_status take_values(struct pji_raw_samples *samples, const struct pji_raw_table *table,
                             struct pj_error *err)
{
    for (size_t c = 0; c < samples->n_columns; c++) {
        struct pji_raw_column *column = &samples->columns[c];
        double value = 0;
        pj_status status = pji_raw_number(table, column->column, &value, err);
        if (status)
            return status;
        if (value < 0 || fabs(value * column->factor) > 9e12) {
            table->source->reason = "bad_number";
            return pji_fail(err, PJ_EINVAL, "%s:%zu, column '%s': %g cannot be",
                            table->source->shown, table->row.line, column->name, value);
        }
        column->all_zero = column->all_zero && !(value > 0);
        column->unread += isnan(value) ? 1 : 0;
        column->values[samples->n] = value * column->factor;
    }
    return PJ_OK;
}

static pj_status take_row(struct pji_raw_samples *samples, const struct pji_raw_table *table,
                          size_t time_column, int temp_column, int64_t *unit_ns,
                          struct pj_error *err)
{
    int64_t t_ns = 0;
    pj_status status = pji_raw_time(table, time_column, unit_ns, &t_ns, err);
    if (status == PJ_OK)
        status = grow(samples, err);
    if (status == PJ_OK)
        status = take_values(samples, table, err);
    if (status)
        return status;
    if (samples->n > 0 && t_ns < samples->t_ns[samples->n - 1]) {
        samples->backward++;
        return PJ_OK;
    }
    if (samples->n == 0 && temp_column >= 0)
        status = pji_raw_number(table, (size_t)temp_column, &samples->gpu_start_temp_c, err);
    samples->t_ns[samples->n++] = t_ns;
    return status;
}

/* A last line without its end may have been cut inside its last field: no matter where that one is
 * not used. */
static pj_status check_end(const struct pji_raw_samples *samples, const struct pji_raw_table *table,
                           size_t time_column, struct pj_error *err)
{
    size_t last = table->n_names - 1;
    bool used = time_column == last;
    for (size_t c = 0; c < samples->n_columns; c++)
        used = used || samples->columns[c].column == last;
    if (!table->unended_row || !used)
        return PJ_OK;
    table->source->reason = "torn_file";
    return pji_fail(err, PJ_EINVAL,
                    "%s: the last line has no line end, so its last field '%s' may be cut off; "
                    "take the run's file again, or end the line if it is whole",
                    table->source->shown, table->names[last]);
}

static pj_status read_rows(struct pji_raw_samples *samples, struct pji_raw_table *table,
                           struct pj_error *err)
{
    int time_column = pji_raw_table_find(table, "Time");
    int temp_column = pji_raw_table_find(table, "GPU0_TEMPERATURE");
    int64_t unit_ns = 0;
    if (time_column < 0) {
        table->source->reason = "missing_column";
        return pji_fail(err, PJ_EINVAL, "%s has no column 'Time'", table->source->shown);
    }
    pj_status status = choose_columns(samples, table, err);
    while (status == PJ_OK) {
        status = pji_raw_table_next(table, err);
        if (status == PJ_OK)
            status = take_row(samples, table, (size_t)time_column, temp_column, &unit_ns, err);
    }
    if (status == PJI_CSV_END)
        status = check_end(samples, table, (size_t)time_column, err);
    if (status == PJ_OK && (samples->n < 2 || samples->t_ns[samples->n - 1] == samples->t_ns[0])) {
        table->source->reason = "no_samples";
        status = pji_fail(err, PJ_EINVAL, "%s has %zu samples: an energy needs two at least",
                          table->source->shown, samples->n);
    }
    return status;
}

static pj_status find_interval(struct pji_raw_samples *samples, struct pj_error *err)
{
    size_t n = 0;
    double *gaps_s = pji_zalloc(samples->n, sizeof *gaps_s, err);
    if (gaps_s == NULL)
        return PJ_ENOMEM;
    for (size_t i = 1; i < samples->n; i++) {
        if (samples->t_ns[i] > samples->t_ns[i - 1])
            gaps_s[n++] = pji_s_from_ns(samples->t_ns[i] - samples->t_ns[i - 1]);
    }
    pj_status status = pji_quantile(gaps_s, n, 0.5, &samples->interval_s, err);
    free(gaps_s);
    return status;
}

pj_status pji_raw_samples_read(struct pji_raw_samples *samples, struct pji_raw_source *source,
                               struct pj_error *err)
{
    struct pji_raw_table table;
    *samples = (struct pji_raw_samples){.gpu_start_temp_c = (double)NAN};
    pj_status status = pji_raw_table_open(&table, source, err);
    if (status == PJ_OK)
        status = read_rows(samples, &table, err);
    if (status == PJ_OK)
        status = find_interval(samples, err);
    pji_raw_table_close(&table);
    return status;
}

void pji_raw_samples_fini(struct pji_raw_samples *samples)
{
    for (size_t c = 0; c < samples->n_columns; c++)
        free(samples->columns[c].values);
    free(samples->t_ns);
    *samples = (struct pji_raw_samples){0};
}

const struct pji_raw_column *pji_raw_samples_find(const struct pji_raw_samples *samples,
                                                  enum pji_domain_kind kind, unsigned number)
{
    for (size_t c = 0; c < samples->n_columns; c++) {
        if (samples->columns[c].kind == kind && samples->columns[c].number == number)
            return &samples->columns[c];
    }
    return NULL;
}
