#include "golden_table.h"

#include "core/csv.h"
#include "core/num.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char *const generations[] = {"2", "3", "3.1", "3.2"};
static const char *const tasks[] = {"BoolQ", "CB", "COPA", "RTE", "WiC", "WSC"};
static const char *const sizes[] = {"1B", "3B", "7B", "8B"};
static const char *const configs[] = {"Gen2_7B", "Gen3_8B", "Gen3.1_8B", "Gen3.2_1B", "Gen3.2_3B"};

const double *golden_column(const struct golden_table *table, const char *name)
{
    for (size_t i = 0; i < table->columns; i++) {
        if (!strcmp(table->column[i].name, name))
            return table->column[i].x;
    }
    fail_msg("no column %s", name);
    return NULL;
}

const struct golden_factor *golden_factor(const struct golden_table *table, const char *name)
{
    for (size_t i = 0; i < table->factors; i++) {
        if (!strcmp(table->factor[i].name, name))
            return &table->factor[i];
    }
    fail_msg("no factor %s", name);
    return &table->factor[0];
}

void golden_add(struct golden_table *table, const char *name, const double *x)
{
    assert_true(table->columns < GOLDEN_COLUMNS);
    double *copy = calloc(table->n + 1, sizeof *copy);
    assert_non_null(copy);
    memcpy(copy, x, table->n * sizeof *copy);
    table->column[table->columns].name = name;
    table->column[table->columns++].x = copy;
}

static size_t *add_factor(struct golden_table *table, const char *name, const char *const *levels,
                          size_t k)
{
    assert_true(table->factors < GOLDEN_FACTORS && k <= GOLDEN_LEVELS);
    struct golden_factor *f = &table->factor[table->factors++];
    f->name = name;
    f->k = k;
    for (size_t i = 0; i < k; i++)
        snprintf(f->level[i], GOLDEN_NAME, "%s", levels[i]);
    f->code = calloc(table->n + 1, sizeof *f->code);
    assert_non_null(f->code);
    return f->code;
}

static size_t level_of(const char *const *levels, size_t k, const char *text)
{
    for (size_t i = 0; i < k; i++) {
        if (!strcmp(levels[i], text))
            return i;
    }
    fail_msg("unknown level %s", text);
    return 0;
}

static double number(const char *text, bool comma)
{
    double value = 0;
    struct pj_error err = {0};
    pj_status rc = comma ? pji_num_parse_comma(text, strlen(text), &value, &err)
                         : pji_num_parse(text, strlen(text), &value, &err);
    if (rc)
        fail_msg("%s", err.text);
    return value;
}

enum { MAX_ROWS = 900 };

struct raw {
    double run[MAX_ROWS], repetition[MAX_ROWS], tokens[MAX_ROWS], duration_s[MAX_ROWS],
        time_s[MAX_ROWS], energy[MAX_ROWS], accuracy[MAX_ROWS];
    size_t generation[MAX_ROWS], task[MAX_ROWS], size[MAX_ROWS];
    size_t n;
};

static size_t index_of(const struct pji_csv_row *header, const char *name)
{
    for (size_t i = 0; i < header->n; i++) {
        if (!strcmp(header->fields[i], name))
            return i;
    }
    fail_msg("no column %s in the run table", name);
    return 0;
}

static void take_row(struct raw *raw, const struct pji_csv_row *row, const size_t at[10])
{
    size_t i = raw->n++;
    assert_true(i < MAX_ROWS);
    char generation[GOLDEN_NAME];
    snprintf(generation, sizeof generation, "%s", row->fields[at[2]]);
    char *zero = strstr(generation, ".0");
    if (zero && !zero[2])
        *zero = '\0';
    raw->run[i] = number(row->fields[at[0]], false);
    raw->repetition[i] = number(row->fields[at[1]], false);
    raw->generation[i] = level_of(generations, 4, generation);
    raw->task[i] = level_of(tasks, 6, row->fields[at[3]]);
    raw->size[i] = level_of(sizes, 4, row->fields[at[4]]);
    raw->tokens[i] = number(row->fields[at[5]], false);
    raw->duration_s[i] = number(row->fields[at[6]], false) / 1000;
    raw->time_s[i] = number(row->fields[at[7]], true);
    raw->energy[i] = number(row->fields[at[8]], false);
    raw->accuracy[i] = number(row->fields[at[9]], false);
}

static void read_raw(const char *path, struct raw *raw)
{
    static const char *const names[10] = {"run",        "repetition", "generation",  "task",
                                          "model_size", "tokens",     "duration_ms", "time(s)",
                                          "energy",     "accuracy"};
    struct pj_error err = {0};
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    struct pji_csv *csv = NULL;
    assert_int_equal(pji_csv_open(&csv, file, path, ',', &err), 0);
    struct pji_csv_row row;
    assert_int_equal(pji_csv_read(csv, &row, &err), 0);
    size_t at[10];
    for (size_t i = 0; i < 10; i++)
        at[i] = index_of(&row, names[i]);
    raw->n = 0;
    pj_status rc;
    while (!(rc = pji_csv_read(csv, &row, &err)))
        take_row(raw, &row, at);
    assert_int_equal(rc, PJI_CSV_END);
    pji_csv_close(csv);
    fclose(file);
}

static void derive(struct golden_table *t, const char *name, double (*f)(double), const char *of)
{
    const double *x = golden_column(t, of);
    double values[MAX_ROWS];
    for (size_t i = 0; i < t->n; i++)
        values[i] = f(x[i]);
    golden_add(t, name, values);
}

static void quotient(struct golden_table *t, const char *name, const char *a, const char *b)
{
    const double *x = golden_column(t, a);
    const double *y = golden_column(t, b);
    double values[MAX_ROWS];
    for (size_t i = 0; i < t->n; i++)
        values[i] = x[i] / y[i];
    golden_add(t, name, values);
}

static void add_cells(struct golden_table *t, const size_t *generation, const size_t *task)
{
    char text[24][GOLDEN_NAME];
    const char *names[24];
    for (size_t g = 0; g < 4; g++) {
        for (size_t k = 0; k < 6; k++) {
            snprintf(text[g * 6 + k], GOLDEN_NAME, "%s,%s", generations[g], tasks[k]);
            names[g * 6 + k] = text[g * 6 + k];
        }
    }
    size_t *cell = add_factor(t, "generation:task", names, 24);
    for (size_t i = 0; i < t->n; i++)
        cell[i] = generation[i] * 6 + task[i];
}

static void add_runs(struct golden_table *t, const double *run)
{
    char text[30][GOLDEN_NAME];
    const char *names[30];
    for (size_t r = 0; r < 30; r++) {
        snprintf(text[r], GOLDEN_NAME, "%zu", r);
        names[r] = text[r];
    }
    size_t *code = add_factor(t, "run", names, 30);
    for (size_t i = 0; i < t->n; i++)
        code[i] = (size_t)run[i];
}

static double size_of(size_t level)
{
    static const double billions[] = {1, 3, 7, 8};
    return billions[level];
}

static double round10(double x)
{
    char text[64];
    snprintf(text, sizeof text, "%.10f", x);
    return strtod(text, NULL);
}

static void build_rep(const struct raw *raw, struct golden_table *t)
{
    memset(t, 0, sizeof *t);
    t->n = raw->n;
    golden_add(t, "repetition", raw->repetition);
    golden_add(t, "tokens", raw->tokens);
    golden_add(t, "duration_s", raw->duration_s);
    golden_add(t, "time_s", raw->time_s);
    golden_add(t, "energy", raw->energy);
    golden_add(t, "accuracy", raw->accuracy);
    double size[MAX_ROWS];
    for (size_t i = 0; i < t->n; i++)
        size[i] = size_of(raw->size[i]);
    golden_add(t, "size_b", size);
    quotient(t, "power", "energy", "duration_s");
    quotient(t, "power_time", "energy", "time_s");
    quotient(t, "ept", "energy", "tokens");
    derive(t, "log_energy", log, "energy");
    derive(t, "log1p_energy", log1p, "energy");
    derive(t, "sqrt_energy", sqrt, "energy");
    derive(t, "log_tokens", log, "tokens");
    derive(t, "accuracy_r10", round10, "accuracy");
    memcpy(add_factor(t, "generation", generations, 4), raw->generation, t->n * sizeof(size_t));
    memcpy(add_factor(t, "task", tasks, 6), raw->task, t->n * sizeof(size_t));
    memcpy(add_factor(t, "size", sizes, 4), raw->size, t->n * sizeof(size_t));
    add_runs(t, raw->run);
    add_cells(t, raw->generation, raw->task);
}

static void run_means(const struct golden_table *rep, struct golden_table *t, const char *name)
{
    const double *x = golden_column(rep, name);
    const struct golden_factor *run = golden_factor(rep, "run");
    double mean[30];
    for (size_t r = 0; r < 30; r++) {
        long double sum = 0;
        size_t n = 0;
        for (size_t i = 0; i < rep->n; i++) {
            if (run->code[i] == r) {
                sum += (long double)x[i];
                n++;
            }
        }
        mean[r] = (double)(sum / (long double)n);
    }
    golden_add(t, name, mean);
}

static void run_factor(const struct golden_table *rep, struct golden_table *t, const char *name)
{
    const struct golden_factor *f = golden_factor(rep, name);
    const struct golden_factor *run = golden_factor(rep, "run");
    const char *names[GOLDEN_LEVELS];
    for (size_t i = 0; i < f->k; i++)
        names[i] = f->level[i];
    size_t *code = add_factor(t, f->name, names, f->k);
    for (size_t i = 0; i < rep->n; i++)
        code[run->code[i]] = f->code[i];
}

static void build_run(const struct golden_table *rep, struct golden_table *t)
{
    static const char *const means[] = {"energy", "ept",      "duration_s", "time_s",
                                        "tokens", "accuracy", "size_b"};
    memset(t, 0, sizeof *t);
    t->n = 30;
    for (size_t i = 0; i < sizeof means / sizeof *means; i++)
        run_means(rep, t, means[i]);
    quotient(t, "power", "energy", "duration_s");
    quotient(t, "j_per_b", "energy", "size_b");
    derive(t, "log_energy", log, "energy");
    derive(t, "sqrt_energy", sqrt, "energy");
    derive(t, "log1p_energy", log1p, "energy");
    run_factor(rep, t, "generation");
    run_factor(rep, t, "task");
    run_factor(rep, t, "size");
    size_t *config = add_factor(t, "config", configs, 5);
    for (size_t i = 0; i < t->n; i++) {
        size_t generation = golden_factor(t, "generation")->code[i];
        config[i] = generation < 3 ? generation : 3 + golden_factor(t, "size")->code[i];
    }
}

void golden_load(const char *path, struct golden_table *rep, struct golden_table *run)
{
    static struct raw raw;
    read_raw(path, &raw);
    build_rep(&raw, rep);
    build_run(rep, run);
}

static void subset_factor(const struct golden_factor *from, const bool *keep, size_t n,
                          struct golden_table *to)
{
    bool used[GOLDEN_LEVELS] = {false};
    for (size_t i = 0; i < n; i++)
        used[from->code[i]] = used[from->code[i]] || keep[i];
    const char *names[GOLDEN_LEVELS];
    size_t map[GOLDEN_LEVELS];
    size_t k = 0;
    for (size_t l = 0; l < from->k; l++) {
        map[l] = k;
        if (used[l])
            names[k++] = from->level[l];
    }
    size_t *code = add_factor(to, from->name, names, k);
    for (size_t i = 0, at = 0; i < n; i++) {
        if (keep[i])
            code[at++] = map[from->code[i]];
    }
}

void golden_subset(const struct golden_table *from, const bool *keep, struct golden_table *to)
{
    memset(to, 0, sizeof *to);
    for (size_t i = 0; i < from->n; i++)
        to->n += keep[i];
    double values[MAX_ROWS];
    for (size_t c = 0; c < from->columns; c++) {
        for (size_t i = 0, at = 0; i < from->n; i++) {
            if (keep[i])
                values[at++] = from->column[c].x[i];
        }
        golden_add(to, from->column[c].name, values);
    }
    for (size_t f = 0; f < from->factors; f++)
        subset_factor(&from->factor[f], keep, from->n, to);
}

void golden_free(struct golden_table *table)
{
    for (size_t i = 0; i < table->columns; i++)
        free(table->column[i].x);
    for (size_t i = 0; i < table->factors; i++)
        free(table->factor[i].code);
    memset(table, 0, sizeof *table);
}
