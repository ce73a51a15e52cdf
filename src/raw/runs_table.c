#include "raw/runs_table.h"

#include "core/num.h"
#include "raw/tree.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

int pji_runs_table_find(const struct pji_runs_table *runs, const char *name)
{
    for (size_t c = 0; c < runs->table.cols; c++) {
        if (strcasecmp(runs->table.column[c], name) == 0)
            return (int)c;
    }
    return -1;
}

static char separator_of(FILE *file)
{
    size_t commas = 0, semicolons = 0, tabs = 0;
    for (int c = getc(file); c != EOF && c != '\n'; c = getc(file)) {
        commas += c == ',';
        semicolons += c == ';';
        tabs += c == '\t';
    }
    rewind(file);
    if (tabs > commas && tabs > semicolons)
        return '\t';
    return semicolons > commas ? ';' : ',';
}

/* A column of numbers is half of a key, one of texts a whole one. */
static bool holds_numbers(const struct pji_runs_table *runs, int column)
{
    double value;
    const char *cell = pji_table_cell(&runs->table, 0, (size_t)column);
    return pji_num_parse(cell, strlen(cell), &value, NULL) == PJ_OK;
}

static pj_status find_keys(struct pji_runs_table *runs, const char *path, struct pj_error *err)
{
    static const char *const keys[] = {"__run_id", "run_id", "run"};
    runs->key = runs->run = runs->repetition = -1;
    for (size_t i = 0; i < 3 && runs->key < 0; i++) {
        int column = pji_runs_table_find(runs, keys[i]);
        if (column >= 0 && !holds_numbers(runs, column))
            runs->key = column;
    }
    runs->run = pji_runs_table_find(runs, "run");
    if (runs->run < 0)
        runs->run = pji_runs_table_find(runs, "run_nr");
    runs->repetition = pji_runs_table_find(runs, "repetition");
    if (runs->key >= 0 || (runs->run >= 0 && runs->repetition >= 0))
        return PJ_OK;
    return pji_fail(err, PJ_EINVAL,
                    "%s does not tell its runs: it needs a column '__run_id', 'run_id' or 'run' "
                    "with the names of the folders, or 'run' and 'repetition' with numbers",
                    path);
}

pj_status pji_runs_table_read(struct pji_runs_table *runs, const char *path, struct pj_error *err)
{
    *runs = (struct pji_runs_table){.key = -1, .run = -1, .repetition = -1};
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return pji_fail_errno(err, errno, "cannot read %s", path);
    char separator = separator_of(file);
    pj_status status = pji_table_read(&runs->table, file, path, separator, err);
    (void)fclose(file);
    if (status == PJ_OK)
        status = find_keys(runs, path, err);
    if (status != PJ_OK)
        pji_runs_table_fini(runs);
    return status;
}

void pji_runs_table_fini(struct pji_runs_table *runs)
{
    pji_table_fini(&runs->table);
}

static bool same_number(const struct pji_runs_table *runs, size_t row, int column, int64_t value)
{
    double number;
    const char *cell = pji_table_cell(&runs->table, row, (size_t)column);
    return pji_num_parse(cell, strlen(cell), &number, NULL) == PJ_OK && number == (double)value;
}

static bool is_row(const struct pji_runs_table *runs, size_t row, const char *name, int64_t run,
                   int64_t repetition)
{
    if (runs->key >= 0) {
        const char *cell = pji_table_cell(&runs->table, row, (size_t)runs->key);
        const char *slash = strrchr(name, '/');
        return strcmp(cell, name) == 0 || (slash != NULL && strcmp(cell, slash + 1) == 0);
    }
    return run >= 0 && same_number(runs, row, runs->run, run) &&
           same_number(runs, row, runs->repetition, repetition);
}

size_t pji_runs_table_row(const struct pji_runs_table *runs, size_t from, const char *name,
                          int64_t run, int64_t repetition)
{
    size_t row = from;
    while (row < runs->table.rows && !is_row(runs, row, name, run, repetition))
        row++;
    return row;
}

const char *pji_runs_table_name(const struct pji_runs_table *runs, size_t row, char *text,
                                size_t size)
{
    if (runs->key >= 0)
        snprintf(text, size, "%s", pji_table_cell(&runs->table, row, (size_t)runs->key));
    else
        snprintf(text, size, "run_%s_repetition_%s",
                 pji_table_cell(&runs->table, row, (size_t)runs->run),
                 pji_table_cell(&runs->table, row, (size_t)runs->repetition));
    return text;
}
