/* What a published table says about the runs that were imported: the audit (raw/audit.h) in the
 * form of findings. The table is the one of --published, else that which told the treatments.
 */
#include "raw/findings_parts.h"
#include "raw/published.h"

#include "core/array.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static pj_status take_runs(struct pji_findings *f, struct pji_audit *audit)
{
    audit->runs = pji_zalloc(f->n, sizeof *audit->runs, f->err);
    if (audit->runs == NULL)
        return PJ_ENOMEM;
    for (size_t i = 0; i < f->n; i++) {
        const struct pji_raw_folder *folder = f->plan->runs[i].folder;
        if (f->outcomes[i].state != PJI_TRIAL_DONE)
            continue;
        struct pji_audit_run *run = &audit->runs[audit->n_runs++];
        *run = (struct pji_audit_run){.name = pji_dup(folder->name, f->err),
                                      .run = folder->run,
                                      .repetition = folder->repetition,
                                      .terms = f->outcomes[i].terms};
        if (run->name == NULL)
            return PJ_ENOMEM;
    }
    return PJ_OK;
}

static double share(const struct pji_audit_column *column, enum pji_cause cause)
{
    return (double)column->sum_u6[cause] / (double)column->recomputed_u6;
}

static pj_status cpu_twice(struct pji_findings *f, const struct pji_audit_column *column)
{
    if (!column->fits || column->scheme.cpu != 2)
        return PJ_OK;
    return pji_finding_put(
        f, "cpu_counted_twice", column->name, "forbids",
        json_pack("{s:I, s:f, s:f, s:f}", "runs", (json_int_t)column->n_compared, "published_j",
                  (double)column->published_u6 / 1e6, "recomputed_j",
                  (double)column->recomputed_u6 / 1e6, "twice_share",
                  share(column, PJI_CAUSE_CPU_TWICE)),
        "the published column '%s' is %s: the CPU packages are in it twice, which adds %.1f %% to "
        "the energy of %zu runs (%.0f J published, %.0f J recomputed). It must not be used as an "
        "energy; `perjoule audit` explains each run.",
        column->name, column->computed, 100 * share(column, PJI_CAUSE_CPU_TWICE),
        column->n_compared, (double)column->published_u6 / 1e6,
        (double)column->recomputed_u6 / 1e6);
}

static pj_status implausible(struct pji_findings *f, const struct pji_audit_column *column)
{
    const struct pji_audit_row *first = NULL;
    for (size_t i = 0; first == NULL && i < column->n_rows; i++)
        first = column->rows[i].implausible ? &column->rows[i] : NULL;
    if (column->n_implausible == 0 || first == NULL)
        return PJ_OK;
    bool power = column->quantity == PJI_QUANTITY_POWER;
    return pji_finding_put(
        f, power ? "implausible_power" : "implausible_energy", column->name, "flag",
        json_pack("{s:I, s:I, s:s, s:f, s:f}", "runs", (json_int_t)column->n_implausible,
                  "compared", (json_int_t)column->n_compared, "first", first->run, "mean_w",
                  first->mean_w, "recomputed", (double)first->recomputed_u6 / 1e6),
        "%zu of %zu published values of '%s' mean a power that the instruments never showed: %s "
        "%.4g W (recomputed: %.6g %s).",
        column->n_implausible, column->n_compared, column->name, first->run, first->mean_w,
        (double)first->recomputed_u6 / 1e6, power ? "W" : "J");
}

static pj_status comma(struct pji_findings *f, const struct pji_audit_column *column)
{
    if (column->n_commas == 0)
        return PJ_OK;
    return pji_finding_put(
        f, "decimal_comma", column->name, "flag",
        json_pack("{s:I}", "numbers", (json_int_t)column->n_commas),
        "%zu numbers of the published column '%s' have a decimal comma. A program that takes it "
        "for "
        "a mark of grouping reads them 100 or 1000 times too high, and a power computed with them "
        "as much too low.",
        column->n_commas, column->name);
}

static pj_status look_at(struct pji_findings *f, const char *path, struct pj_error *err)
{
    struct pji_runs_table table;
    struct pji_audit audit = {0};
    pj_status status = pji_runs_table_read(&table, path, err);
    if (status != PJ_OK)
        return status;
    status = take_runs(f, &audit);
    if (status == PJ_OK)
        status = pji_audit_match(&audit, &table, err);
    if (status == PJ_OK)
        status = pji_audit_make(&audit, &table, NULL, f->options->decimal_comma, err);
    for (size_t c = 0; c < audit.n_columns && status == PJ_OK; c++) {
        status = cpu_twice(f, &audit.columns[c]);
        if (status == PJ_OK)
            status = implausible(f, &audit.columns[c]);
        if (status == PJ_OK)
            status = comma(f, &audit.columns[c]);
    }
    pji_audit_fini(&audit);
    pji_runs_table_fini(&table);
    return status;
}

/* Has the table that told the treatments anything to compare? */
static bool has_figures(const char *path)
{
    struct pji_runs_table table;
    enum pji_quantity quantity;
    double factor;
    bool has = false;
    if (pji_runs_table_read(&table, path, NULL) != PJ_OK)
        return false;
    for (size_t c = 0; c < table.table.cols; c++)
        has = has || pji_published_column(table.table.column[c], &quantity, &factor);
    pji_runs_table_fini(&table);
    return has;
}

pj_status pji_findings_published(struct pji_findings *f)
{
    struct pj_error own = {0};
    if (f->options->published != NULL)
        return look_at(f, f->options->published, f->err);
    if (!f->plan->from_table || !has_figures(f->plan->origin))
        return PJ_OK;
    pj_status status = look_at(f, f->plan->origin, &own);
    if (status == PJ_EINVAL) { /* nobody asked for it: said, and no reason to fail */
        pji_log(f->options->log, PJI_LOG_WARNING, "its figures are not audited: %s", own.text);
        return PJ_OK;
    }
    return status != PJ_OK ? pji_fail(f->err, status, "%s", own.text) : PJ_OK;
}
