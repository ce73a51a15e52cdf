#include "raw/audit.h"

#include "core/array.h"
#include "raw/explain.h"
#include "raw/published.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const pji_quantity_names[PJI_QUANTITIES] = {"energy_j", "time_s", "power_w", "tokens"};

const struct pji_cause_def pji_causes[PJI_CAUSES] = {
    {"cpu_counted_twice", "the CPU packages' energy was added twice"},
    {"cpu_not_counted", "the CPU packages' energy was left out"},
    {"gpu_not_counted", "the GPUs' energy was left out"},
    {"other_not_counted", "the energy of other domains (DRAM) was left out"},
    {"loading_included", "time before the first and after the last prompt was included"},
    {"gpu_integration", "the GPU's power was summed over samples instead of over time"},
    {"last_sample_left_out", "the sample after the end of the command was left out"},
    {"counter_wrap", "a counter's wrap was not repaired"},
    {"decimal_comma", "a decimal comma was read as a mark of grouping"},
    {"rounding", "the published figure is rounded to the digits printed"},
    {"unexplained", "what none of the above explains"},
};

/* ---- matching ---- */

static int matched_first(const void *x, const void *y)
{
    const struct pji_audit_run *a = x, *b = y;
    bool a_none = a->row == SIZE_MAX, b_none = b->row == SIZE_MAX;
    if (a_none != b_none)
        return a_none ? 1 : -1;
    int order = pji_raw_natural(a->name, b->name);
    return order != 0 ? order : strcmp(a->name, b->name);
}

pj_status pji_audit_match(struct pji_audit *audit, const struct pji_runs_table *table,
                          struct pj_error *err)
{
    size_t rows = table->table.rows;
    audit->row_used = pji_zalloc(rows, sizeof *audit->row_used, err);
    if (audit->row_used == NULL)
        return PJ_ENOMEM;
    for (size_t i = 0; i < audit->n_runs; i++) {
        struct pji_audit_run *run = &audit->runs[i];
        run->row = pji_runs_table_row(table, 0, run->name, run->run, run->repetition);
        if (run->row == rows || audit->row_used[run->row])
            run->row = SIZE_MAX; /* of two folders of one key the row is the first one's */
        if (run->row < rows) {
            audit->row_used[run->row] = true;
            size_t again =
                pji_runs_table_row(table, run->row + 1, run->name, run->run, run->repetition);
            if (again < rows)
                return pji_fail(err, PJ_EINVAL, "%s: lines %zu and %zu are both of the run %s",
                                table->table.name, table->table.line[run->row],
                                table->table.line[again], run->name);
            audit->n_matched++;
        }
    }
    audit->n_unmatched_rows = rows - audit->n_matched;
    qsort(audit->runs, audit->n_runs, sizeof *audit->runs, matched_first);
    if (audit->n_matched == 0)
        return pji_fail(err, PJ_EINVAL,
                        "%s has no row of any of the %zu runs of this study: are its keys those of "
                        "the runs' folders (docs/greenlab.md)?",
                        table->table.name, audit->n_runs);
    return PJ_OK;
}

/* ---- one column ---- */

struct maker {
    struct pji_audit *audit;
    const struct pji_runs_table *table;
    bool declared;
    struct pji_published *cells;            /* of the column under way: one for each matched run */
    struct pji_published *energies, *times; /* for the power: NULL when there is none */
    double energy_factor, time_factor;
    struct pj_error *err;
};

static pj_status read_column(struct maker *m, size_t column, double factor,
                             struct pji_published **cells, size_t *n_commas)
{
    size_t n = m->audit->n_matched;
    pj_status status = PJ_OK;
    *cells = pji_zalloc(n, sizeof **cells, m->err);
    if (*cells == NULL)
        return PJ_ENOMEM;
    for (size_t i = 0; i < n && status == PJ_OK; i++) {
        struct pji_published *cell = &(*cells)[i];
        status =
            pji_published_read(cell, m->table, m->audit->runs[i].row, column, m->declared, m->err);
        *n_commas += cell->read != cell->meant;
        cell->read *= factor;
        cell->meant *= factor;
        cell->half_unit *= factor;
    }
    return status;
}

static void sum_up(struct pji_audit_column *column, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const struct pji_audit_row *row = &column->rows[i];
        if (!row->published_known || !row->recomputed_known)
            continue;
        column->n_compared++;
        column->published_u6 += row->published_u6;
        column->recomputed_u6 += row->recomputed_u6;
        column->n_implausible += row->implausible;
        for (size_t c = 0; c < PJI_CAUSES; c++) {
            column->sum_u6[c] += row->cause_u6[c];
            column->n_cause[c] += row->cause_u6[c] != 0;
        }
        /* more than the rounding of the amounts themselves */
        int64_t rest = row->cause_u6[PJI_CAUSE_UNEXPLAINED];
        column->n_unexplained += (rest < 0 ? -rest : rest) > 2 + llabs(row->published_u6) / 1000000;
    }
}

static pj_status make_column(struct maker *m, struct pji_audit_column *column, size_t at,
                             double factor)
{
    size_t n = m->audit->n_matched;
    struct pji_published *cells = NULL;
    column->rows = pji_zalloc(n, sizeof *column->rows, m->err);
    column->n_rows = n;
    pj_status status = column->rows != NULL ? PJ_OK : PJ_ENOMEM;
    if (status == PJ_OK)
        status = read_column(m, at, factor, &cells, &column->n_commas);
    if (status == PJ_OK)
        status = pji_explain_column(column, m->audit->runs, cells, n, m->err);
    if (status == PJ_OK)
        sum_up(column, n);
    if (status == PJ_OK && column->quantity == PJI_QUANTITY_ENERGY && m->energies == NULL) {
        m->energies = cells;
        cells = NULL;
    } else if (status == PJ_OK && column->quantity == PJI_QUANTITY_TIME &&
               (m->times == NULL || column->n_commas > 0)) {
        free(m->times);
        m->times = cells;
        cells = NULL;
    }
    free(cells);
    return status;
}

/* Mean power, where both an energy and a time were published. */
static pj_status make_power(struct maker *m, struct pji_audit_column *power,
                            const struct pji_audit_column *energy)
{
    size_t n = m->audit->n_matched;
    power->quantity = PJI_QUANTITY_POWER;
    power->name = "energy / time";
    power->rows = pji_zalloc(n, sizeof *power->rows, m->err);
    power->n_rows = n;
    if (power->rows == NULL)
        return PJ_ENOMEM;
    pji_explain_power(power, energy, m->audit->runs, m->energies, m->times, n);
    sum_up(power, n);
    return PJ_OK;
}

static bool is_published(const char *name, const char *energy_column, enum pji_quantity *quantity,
                         double *factor)
{
    if (energy_column != NULL && strcmp(name, energy_column) == 0) {
        bool told = pji_published_column(name, quantity, factor) &&
                    *quantity == PJI_QUANTITY_ENERGY; /* its unit */
        *quantity = PJI_QUANTITY_ENERGY;
        *factor = told ? *factor : 1;
        return true;
    }
    bool is = pji_published_column(name, quantity, factor);
    return is && !(energy_column != NULL && *quantity == PJI_QUANTITY_ENERGY);
}

static void overlook(struct pji_audit *audit, const char *name)
{
    size_t most = sizeof audit->overlooked / sizeof audit->overlooked[0];
    if (audit->n_overlooked < most)
        audit->overlooked[audit->n_overlooked] = name;
    audit->n_overlooked++;
}

static pj_status make_columns(struct maker *m, const char *energy_column, size_t *energies)
{
    const struct pji_table *table = &m->table->table;
    size_t total = 0;
    pj_status status = PJ_OK;
    for (size_t c = 0; c < table->cols && status == PJ_OK; c++) {
        struct pji_audit_column *column = &m->audit->columns[m->audit->n_columns];
        double factor = 1;
        if (!is_published(table->column[c], energy_column, &column->quantity, &factor)) {
            if (pji_published_overlooked(table->column[c]))
                overlook(m->audit, table->column[c]);
            continue;
        }
        m->audit->energy_compared =
            m->audit->energy_compared || column->quantity == PJI_QUANTITY_ENERGY;
        column->name = table->column[c];
        m->audit->n_columns++;
        if (column->quantity == PJI_QUANTITY_ENERGY && (*energies)++ == 0)
            total = m->audit->n_columns - 1;
        status = make_column(m, column, c, factor);
    }
    if (status == PJ_OK && m->energies != NULL && m->times != NULL) {
        struct pji_audit_column *power = &m->audit->columns[m->audit->n_columns++];
        status = make_power(m, power, &m->audit->columns[total]);
    }
    return status;
}

pj_status pji_audit_make(struct pji_audit *audit, const struct pji_runs_table *table,
                         const char *energy_column, bool decimal_comma, struct pj_error *err)
{
    struct maker m = {.audit = audit, .table = table, .declared = decimal_comma, .err = err};
    size_t energies = 0, column = 0;
    if (energy_column != NULL && pji_table_find(&table->table, energy_column, &column, err))
        return PJ_EINVAL;
    audit->columns = pji_zalloc(table->table.cols + 1, sizeof *audit->columns, err);
    if (audit->columns == NULL)
        return PJ_ENOMEM;
    pj_status status = make_columns(&m, energy_column, &energies);
    free(m.energies);
    free(m.times);
    if (status == PJ_OK && audit->n_columns == 0)
        status = pji_fail(err, PJ_EINVAL,
                          "%s has no column that is known as a published figure (energy, energy_j, "
                          "published_…_j, time(s), duration_ms, tokens): name the energies' column "
                          "with --energy COLUMN",
                          table->table.name);
    return status;
}

void pji_audit_fini(struct pji_audit *audit)
{
    for (size_t i = 0; i < audit->n_runs; i++)
        free(audit->runs[i].name);
    for (size_t c = 0; c < audit->n_columns; c++)
        free(audit->columns[c].rows);
    free(audit->runs);
    free(audit->columns);
    free(audit->row_used);
    *audit = (struct pji_audit){0};
}
