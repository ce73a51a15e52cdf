#include "cli/audit_print.h"

#include "core/csv.h"
#include "core/num.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAME = 160, SHOWN_RUNS = 40, SHOWN_NAMES = 12 };

static const char *const units[PJI_QUANTITIES] = {"J", "s", "W", ""};

/* Millionths as a decimal number, exactly. */
static const char *decimal(int64_t u6, char out[32])
{
    uint64_t size = u6 < 0 ? 0 - (uint64_t)u6 : (uint64_t)u6;
    snprintf(out, 32, "%s%llu.%06llu", u6 < 0 ? "-" : "", (unsigned long long)(size / 1000000),
             (unsigned long long)(size % 1000000));
    return out;
}

/* ---- for people ---- */

/* For three decimals, without a "-0.000"; a power is told as the mean of the runs, others as sums.
 */
static double shown(const struct pji_audit_column *column, int64_t u6)
{
    double n = column->quantity == PJI_QUANTITY_POWER ? (double)column->n_compared : 1;
    double value = n > 0 ? (double)u6 / 1e6 / n : 0;
    return fabs(value) < 0.0005 ? 0 : value;
}

static double small(int64_t u6)
{
    return u6 > -500 && u6 < 500 ? 0 : (double)u6 / 1e6;
}

static void add_share(struct pji_str *out, int64_t part_u6, int64_t whole_u6)
{
    double share = whole_u6 != 0 ? 100 * (double)part_u6 / (double)whole_u6 : 0;
    if (whole_u6 != 0)
        pji_str_addf(out, "  %+9.3f %%", fabs(share) < 0.0005 ? 0 : share);
}

static void summary_text(const struct pji_audit_column *column, struct pji_str *out)
{
    const char *unit = units[column->quantity];
    int64_t difference_u6 = column->published_u6 - column->recomputed_u6;
    pji_str_addf(out, "\n%s (%s), %s of %zu runs", column->name,
                 pji_quantity_names[column->quantity],
                 column->quantity == PJI_QUANTITY_POWER ? "mean" : "sum", column->n_compared);
    if (column->computed[0] != '\0')
        pji_str_addf(out, "\n  published as          %s", column->computed);
    pji_str_addf(out, "\n  published             %18.3f %s\n  recomputed            %18.3f %s\n",
                 shown(column, column->published_u6), unit, shown(column, column->recomputed_u6),
                 unit);
    pji_str_addf(out, "  difference            %+18.3f %s", shown(column, difference_u6), unit);
    add_share(out, difference_u6, column->recomputed_u6);
    pji_str_add(out, "  of these:\n");
    for (size_t c = 0; c < PJI_CAUSES; c++) {
        if (column->n_cause[c] == 0 && c != PJI_CAUSE_UNEXPLAINED)
            continue;
        pji_str_addf(out, "    %-20s%+18.3f %s", pji_causes[c].code,
                     shown(column, column->sum_u6[c]), unit);
        add_share(out, column->sum_u6[c], column->recomputed_u6);
        pji_str_addf(out, "  %s (%zu runs)\n", pji_causes[c].meaning,
                     c == PJI_CAUSE_UNEXPLAINED ? column->n_unexplained : column->n_cause[c]);
    }
    if (column->n_commas > 0)
        pji_str_addf(out,
                     "  %zu numbers have a decimal comma; --decimal-comma reads them as such\n",
                     column->n_commas);
    if (column->n_implausible > 0)
        pji_str_addf(out, "  %zu mean a power that the instruments never showed\n",
                     column->n_implausible);
}

static void rows_text(const struct pji_audit_column *column, struct pji_str *out)
{
    pji_str_addf(out, "  %-28s%15s%15s%9s%15s%15s\n", "run", "published", "recomputed", "u",
                 "difference", "unexplained");
    for (size_t i = 0; i < column->n_rows && i < SHOWN_RUNS; i++) {
        const struct pji_audit_row *row = &column->rows[i];
        if (!row->published_known || !row->recomputed_known) {
            pji_str_addf(out, "  %-28s %s\n", row->run,
                         row->published_known ? "cannot be recomputed" : "nothing is published");
            continue;
        }
        pji_str_addf(out, "  %-28s%15.3f%15.3f%9.3g%+15.3f%+15.3f%s%s\n", row->run,
                     (double)row->published_u6 / 1e6, (double)row->recomputed_u6 / 1e6, row->u,
                     small(row->difference_u6), small(row->cause_u6[PJI_CAUSE_UNEXPLAINED]),
                     row->cause_u6[PJI_CAUSE_WRAP] != 0 ? "  wrap" : "",
                     row->own_scheme ? "  computed another way than the others" : "");
    }
    if (column->n_rows > SHOWN_RUNS)
        pji_str_addf(out, "  … and %zu more: --csv FILE has all of them, with every cause\n",
                     column->n_rows - SHOWN_RUNS);
}

static void unmatched_text(const struct pji_audit *audit, const struct pji_runs_table *table,
                           struct pji_str *out)
{
    char name[NAME];
    size_t shown = 0, runs = audit->n_runs - audit->n_matched;
    if (runs > 0)
        pji_str_addf(out, "\n%zu runs of the study have no row:", runs);
    for (size_t i = audit->n_matched; i < audit->n_runs && shown < SHOWN_NAMES; i++, shown++)
        pji_str_addf(out, " %s", audit->runs[i].name);
    if (runs > 0)
        pji_str_add(out, runs > SHOWN_NAMES ? " … (--json lists them)\n" : "\n");
    if (audit->n_unmatched_rows > 0)
        pji_str_addf(out, "\n%zu rows have no run in the study:", audit->n_unmatched_rows);
    shown = 0;
    for (size_t row = 0; row < table->table.rows && shown < SHOWN_NAMES; row++) {
        if (audit->row_used[row])
            continue;
        pji_str_addf(out, " %s", pji_runs_table_name(table, row, name, sizeof name));
        shown++;
    }
    if (audit->n_unmatched_rows > 0)
        pji_str_add(out, audit->n_unmatched_rows > SHOWN_NAMES ? " … (--json lists them)\n" : "\n");
}

/* how many of their names are there */
static size_t overlooked(const struct pji_audit *audit)
{
    size_t most = sizeof audit->overlooked / sizeof audit->overlooked[0];
    return audit->n_overlooked < most ? audit->n_overlooked : most;
}

void pji_audit_text(const struct pji_audit *audit, const struct pji_runs_table *table,
                    struct pji_str *out)
{
    pji_str_addf(out, "%zu runs have a published row in %s\n", audit->n_matched, table->table.name);
    for (size_t c = 0; c < audit->n_columns; c++) {
        summary_text(&audit->columns[c], out);
        rows_text(&audit->columns[c], out);
    }
    unmatched_text(audit, table, out);
    for (size_t i = 0; i < overlooked(audit); i++)
        pji_str_addf(out, "%s '%s'", i == 0 ? "\nnot compared:" : ",", audit->overlooked[i]);
    if (audit->n_overlooked > 0)
        pji_str_addf(out, "%s%s\n", audit->n_overlooked > overlooked(audit) ? ", …" : "",
                     audit->energy_compared ? ""
                                            : " (no column is known to hold energies: name it "
                                              "with --energy COLUMN)");
}

/* ---- CSV ---- */

static void csv_numbers(const struct pji_audit_row *row, struct pji_str *out)
{
    char text[32], number[PJI_NUM_TEXT];
    bool both = row->published_known && row->recomputed_known;
    pji_str_addf(out, ",%s", row->published_known ? decimal(row->published_u6, text) : "");
    pji_str_addf(out, ",%s", both ? decimal(row->recomputed_u6, text) : "");
    if (both && row->u > 0)
        (void)pji_num_format(row->u, number);
    pji_str_addf(out, ",%s", both && row->u > 0 ? number : "");
    pji_str_addf(out, ",%s", both ? decimal(row->difference_u6, text) : "");
    for (size_t c = 0; c < PJI_CAUSES; c++)
        pji_str_addf(out, ",%s", both ? decimal(row->cause_u6[c], text) : "");
}

static void csv_unmatched(struct pji_str *out, const char *what, const char *run)
{
    pji_csv_add(out, what, ',', true);
    pji_str_addc(out, ',');
    pji_csv_add(out, run, ',', false);
    for (size_t i = 0; i < 4 + PJI_CAUSES; i++)
        pji_str_addc(out, ',');
    pji_str_addc(out, '\n');
}

void pji_audit_csv(const struct pji_audit *audit, const struct pji_runs_table *table,
                   struct pji_str *out)
{
    char name[NAME];
    pji_str_add(out, "quantity,column,run,published,recomputed,u,difference");
    for (size_t c = 0; c < PJI_CAUSES; c++)
        pji_str_addf(out, ",%s", pji_causes[c].code);
    pji_str_addc(out, '\n');
    for (size_t c = 0; c < audit->n_columns; c++) {
        const struct pji_audit_column *column = &audit->columns[c];
        for (size_t i = 0; i < column->n_rows; i++) {
            pji_csv_add(out, pji_quantity_names[column->quantity], ',', true);
            pji_csv_add(out, column->name, ',', false);
            pji_csv_add(out, column->rows[i].run, ',', false);
            csv_numbers(&column->rows[i], out);
            pji_str_addc(out, '\n');
        }
    }
    for (size_t i = audit->n_matched; i < audit->n_runs; i++)
        csv_unmatched(out, "run_without_row", audit->runs[i].name);
    for (size_t row = 0; row < table->table.rows; row++) {
        if (!audit->row_used[row])
            csv_unmatched(out, "row_without_run",
                          pji_runs_table_name(table, row, name, sizeof name));
    }
}

/* ---- JSON ---- */

static json_t *amount(int64_t u6)
{
    return pji_json_num((double)u6 / 1e6);
}

static json_t *causes_json(const int64_t amounts_u6[PJI_CAUSES])
{
    json_t *object = json_object();
    for (size_t c = 0; c < PJI_CAUSES; c++)
        json_object_set_new(object, pji_causes[c].code, amount(amounts_u6[c]));
    return object;
}

static json_t *row_json(const struct pji_audit_row *row)
{
    json_t *object = json_object();
    bool both = row->published_known && row->recomputed_known;
    json_object_set_new(object, "run", json_string(row->run));
    json_object_set_new(object, "published",
                        row->published_known ? amount(row->published_u6) : json_null());
    json_object_set_new(object, "recomputed", both ? amount(row->recomputed_u6) : json_null());
    json_object_set_new(object, "u", both && row->u > 0 ? pji_json_num(row->u) : json_null());
    json_object_set_new(object, "difference", both ? amount(row->difference_u6) : json_null());
    json_object_set_new(object, "causes", both ? causes_json(row->cause_u6) : json_null());
    json_object_set_new(object, "own_scheme", json_boolean(row->own_scheme));
    json_object_set_new(object, "implausible", json_boolean(row->implausible));
    return object;
}

static json_t *column_json(const struct pji_audit_column *column)
{
    json_t *object = json_object(), *rows = json_array();
    json_object_set_new(object, "quantity", json_string(pji_quantity_names[column->quantity]));
    json_object_set_new(object, "column", json_string(column->name));
    json_object_set_new(object, "published_as", json_string(column->computed));
    json_object_set_new(object, "compared", json_integer((json_int_t)column->n_compared));
    json_object_set_new(object, "published_sum", amount(column->published_u6));
    json_object_set_new(object, "recomputed_sum", amount(column->recomputed_u6));
    json_object_set_new(object, "difference_sum",
                        amount(column->published_u6 - column->recomputed_u6));
    json_object_set_new(object, "causes_sum", causes_json(column->sum_u6));
    json_object_set_new(object, "decimal_commas", json_integer((json_int_t)column->n_commas));
    json_object_set_new(object, "implausible", json_integer((json_int_t)column->n_implausible));
    json_object_set_new(object, "unexplained_runs",
                        json_integer((json_int_t)column->n_unexplained));
    for (size_t i = 0; i < column->n_rows; i++)
        json_array_append_new(rows, row_json(&column->rows[i]));
    json_object_set_new(object, "runs", rows);
    return object;
}

json_t *pji_audit_json(const struct pji_audit *audit, const struct pji_runs_table *table,
                       const char *study)
{
    char name[NAME];
    json_t *object = json_object(), *columns = json_array(), *runs = json_array();
    json_t *rows = json_array();
    json_object_set_new(object, "format", json_string("perjoule-audit"));
    json_object_set_new(object, "version", json_integer(1));
    json_object_set_new(object, "published", json_string(table->table.name));
    json_object_set_new(object, "study", json_string(study));
    json_object_set_new(object, "matched", json_integer((json_int_t)audit->n_matched));
    for (size_t i = audit->n_matched; i < audit->n_runs; i++)
        json_array_append_new(runs, json_string(audit->runs[i].name));
    for (size_t row = 0; row < table->table.rows; row++) {
        if (!audit->row_used[row])
            json_array_append_new(rows,
                                  json_string(pji_runs_table_name(table, row, name, sizeof name)));
    }
    json_object_set_new(object, "runs_without_row", runs);
    json_object_set_new(object, "rows_without_run", rows);
    for (size_t c = 0; c < audit->n_columns; c++)
        json_array_append_new(columns, column_json(&audit->columns[c]));
    json_object_set_new(object, "columns", columns);
    json_t *not_compared = json_array();
    for (size_t i = 0; i < overlooked(audit); i++)
        json_array_append_new(not_compared, json_string(audit->overlooked[i]));
    json_object_set_new(object, "columns_not_compared", not_compared);
    return object;
}
