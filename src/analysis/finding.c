#include "analysis/finding.h"

#include "analysis/layout.h"
#include "core/array.h"
#include "stats/condition.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static const struct pji_check checks[] = {
    {"mixed_windows", PJI_CONSEQUENCE_FORBID,
     "some rows are over whole tasks, others over their steady part: they are no rows of one table",
     pji_check_mixed_windows},
    {"aliased", PJI_CONSEQUENCE_FORBID,
     "the levels of a tested factor go together with those of another column, so its effect cannot "
     "be told from the other's",
     pji_check_aliased},
    {"nested", PJI_CONSEQUENCE_NOTE,
     "the levels of one factor occur within one level of another: what varies within is not "
     "crossed",
     pji_check_nested},
    {"pseudo_replication", PJI_CONSEQUENCE_FORBID,
     "rows of one unit resemble each other: the test counts repetitions as replicates",
     pji_check_pseudo_replication},
    {"identical_outputs", PJI_CONSEQUENCE_WARN,
     "repetitions gave the same answers: they repeat the measurement, not the sampling",
     pji_check_identical_outputs},
    {"modelled", PJI_CONSEQUENCE_WARN, "most energies come from a model, not from an instrument",
     pji_check_modelled},
    {"invalid_trials", PJI_CONSEQUENCE_WARN,
     "rows that failed or are invalid are left out, and that changes a mean",
     pji_check_invalid_trials},
    {"drift", PJI_CONSEQUENCE_FORBID,
     "the response changes over time within cells, or levels were measured one after the other",
     pji_check_drift},
    {"temperature", PJI_CONSEQUENCE_WARN, "the response follows the temperature within cells",
     pji_check_temperature},
    {"meter_uncertainty", PJI_CONSEQUENCE_FORBID,
     "the difference is smaller than what the meter's common uncertainty leaves open, which does "
     "not shrink with repetitions",
     pji_check_meter},
    {"heavy_tails", PJI_CONSEQUENCE_WARN, "few values carry the means and variances",
     pji_check_tails},
    {"below_baseline", PJI_CONSEQUENCE_FORBID,
     "accuracy is below that of the trivial answer: the energy is not that of solving the task",
     pji_check_below_baseline},
};

const struct pji_check *pji_check_at(size_t i)
{
    return i < sizeof checks / sizeof *checks ? &checks[i] : NULL;
}

const char *pji_consequence_name(enum pji_consequence consequence)
{
    switch (consequence) {
    case PJI_CONSEQUENCE_NOTE:
        return "note";
    case PJI_CONSEQUENCE_WARN:
        return "warn";
    case PJI_CONSEQUENCE_FORBID:
        break;
    }
    return "forbid";
}

struct pji_finding_limits pji_finding_limits_default(void)
{
    return (struct pji_finding_limits){.p = 0.001,
                                       .icc = 0.05,
                                       .modelled = 0.5,
                                       .shift = 0.01,
                                       .r = 0.2,
                                       .tail = 10,
                                       .confounded = 0.5};
}

__attribute__((format(printf, 3, 0))) static void
answer(struct pji_finding *f, enum pji_finding_state state, const char *format, va_list args)
{
    f->state = state;
    pji_str_clear(&f->text);
    pji_str_addv(&f->text, format, args);
}

void pji_finding_fire(struct pji_finding *finding, enum pji_consequence consequence,
                      const char *format, ...)
{
    va_list args;
    va_start(args, format);
    finding->consequence = consequence;
    answer(finding, PJI_FINDING_FIRES, format, args);
    va_end(args);
}

void pji_finding_clean(struct pji_finding *finding, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    answer(finding, PJI_FINDING_CLEAN, format, args);
    va_end(args);
}

void pji_finding_unknown(struct pji_finding *finding, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    answer(finding, PJI_FINDING_NOT_CHECKABLE, format, args);
    va_end(args);
}

/* ---- evidence ---- */

static bool among(size_t col, const size_t *cols, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (cols[i] == col)
            return true;
    }
    return false;
}

static pj_status one_group(const struct pji_frame *frame, struct pji_factor *out,
                           struct pj_error *err)
{
    *out = (struct pji_factor){.k = 1};
    out->level = pji_zalloc(2, sizeof *out->level, err);
    out->code = pji_zalloc(frame->n + 1, sizeof *out->code, err);
    if (!out->level || !out->code)
        return PJ_ENOMEM;
    out->level[0] = pji_dup("all", err);
    return out->level[0] ? PJ_OK : PJ_ENOMEM;
}

/* what is compared: combinations of the tested factors, or the strata of a correlation */
static pj_status cross_groups(const struct pji_evidence *e, struct pji_factor *out,
                              struct pj_error *err)
{
    size_t cols[PJI_FORMULA_VARIABLES + 1];
    size_t n = 0;
    for (size_t i = 0; i < e->factors; i++)
        cols[n++] = e->factor[i];
    if (e->correlation && e->stratum != PJI_NO_COLUMN && !among(e->stratum, cols, n))
        cols[n++] = e->stratum;
    return n > 0 ? pji_frame_cross(e->frame, cols, n, out, err) : one_group(e->frame, out, err);
}

/* every combination of what is tested and what else was varied; when that leaves no repetition,
 * the tested groups themselves */
static pj_status make_cells(struct pji_evidence *e, struct pj_error *err)
{
    size_t cols[PJI_DESIGN_COLUMNS + PJI_FORMULA_VARIABLES + 2];
    size_t n = 0;
    for (size_t i = 0; i < e->factors; i++)
        cols[n++] = e->factor[i];
    if (e->correlation && e->stratum != PJI_NO_COLUMN && !among(e->stratum, cols, n))
        cols[n++] = e->stratum;
    for (size_t i = 0; i < e->roles.designs; i++) {
        if (!among(e->roles.design[i], cols, n))
            cols[n++] = e->roles.design[i];
    }
    if (e->roles.column[PJI_ROLE_UNIT] != PJI_NO_COLUMN &&
        !among(e->roles.column[PJI_ROLE_UNIT], cols, n))
        cols[n++] = e->roles.column[PJI_ROLE_UNIT];
    pj_status rc = PJ_OK;
    if (n > 0)
        rc = pji_frame_cross(e->frame, cols, n, &e->cell, err);
    if (rc || (n > 0 && 2 * e->cell.k <= e->frame->n))
        return rc;
    pji_factor_fini(&e->cell);
    return cross_groups(e, &e->cell, err);
}

pj_status pji_evidence_init(struct pji_evidence *evidence, const char *unit,
                            const char *const *named, size_t n_named, struct pj_error *err)
{
    memset(&evidence->group, 0, sizeof evidence->group);
    memset(&evidence->cell, 0, sizeof evidence->cell);
    pj_status rc =
        pji_roles_find(&evidence->roles, evidence->frame, evidence->response, named, n_named, err);
    if (!rc && unit)
        rc = pji_table_find(evidence->table, unit, &evidence->roles.column[PJI_ROLE_UNIT], err);
    if (!rc && evidence->correlation) { /* tested: x, where it is a factor of the design */
        evidence->factor = &evidence->correlated;
        evidence->factors =
            among(evidence->correlated, evidence->roles.design, evidence->roles.designs) ? 1 : 0;
    }
    if (!rc)
        rc = cross_groups(evidence, &evidence->group, err);
    if (!rc)
        rc = make_cells(evidence, err);
    if (rc)
        pji_evidence_fini(evidence);
    return rc;
}

void pji_evidence_fini(struct pji_evidence *evidence)
{
    pji_factor_fini(&evidence->group);
    pji_factor_fini(&evidence->cell);
}

pj_status pji_cell_residuals(const struct pji_evidence *evidence, double **out, double *df,
                             struct pj_error *err)
{
    size_t n = evidence->frame->n;
    size_t k = evidence->cell.k;
    double *mean = pji_zalloc(2 * k + 1, sizeof *mean, err);
    *out = pji_zalloc(n + 1, sizeof **out, err);
    if (!mean || !*out) {
        free(mean);
        free(*out);
        return PJ_ENOMEM;
    }
    for (size_t i = 0; i < n; i++) {
        mean[evidence->cell.code[i]] += evidence->y[i];
        mean[k + evidence->cell.code[i]] += 1;
    }
    for (size_t i = 0; i < n; i++) {
        size_t c = evidence->cell.code[i];
        (*out)[i] = evidence->y[i] - mean[c] / mean[k + c];
    }
    *df = (double)n - (double)k;
    free(mean);
    return PJ_OK;
}

/* ---- running them ---- */

static void add_check(json_t *into, const char *code, const struct pji_finding *f)
{
    static const char *const states[] = {"clean", "fires", "not checkable"};
    json_t *o = json_object();
    json_object_set_new(o, "state", json_string(states[f->state]));
    if (f->state != PJI_FINDING_FIRES && f->text.len > 0)
        json_object_set_new(o, "reason", json_string(pji_str_text(&f->text)));
    json_object_set_new(into, code, o);
}

static void add_finding(json_t *into, const char *code, const struct pji_finding *f)
{
    json_t *o = json_object();
    json_object_set_new(o, "code", json_string(code));
    json_object_set_new(o, "consequence", json_string(pji_consequence_name(f->consequence)));
    json_object_set_new(o, "finding", json_string(pji_str_text(&f->text)));
    json_object_set_new(o, "forbids_conclusion",
                        json_boolean(f->consequence == PJI_CONSEQUENCE_FORBID));
    if (json_object_size(f->figures) > 0)
        json_object_set(o, "figures", f->figures);
    if (json_array_size(f->spares) > 0)
        json_object_set(o, "spares", f->spares);
    json_array_append_new(into, o);
}

void pji_finding_add(const char *code, const struct pji_finding *finding, json_t *findings,
                     json_t *into)
{
    add_check(into, code, finding);
    if (finding->text.failed) /* pji_omissions_ok says so */
        pji_omit_at(into, &finding->text, PJI_STATS_FEW);
    if (finding->state == PJI_FINDING_FIRES)
        add_finding(findings, code, finding);
}

pj_status pji_findings_run(const struct pji_evidence *evidence, json_t *findings, json_t *into,
                           bool *forbidding, struct pj_error *err)
{
    pj_status rc = PJ_OK;
    for (size_t i = 0; rc >= 0 && pji_check_at(i); i++) {
        struct pji_finding f = {
            .state = PJI_FINDING_CLEAN, .figures = json_object(), .spares = json_array()};
        rc = pji_check_at(i)->fn(evidence, &f, err);
        if (rc >= 0)
            rc = pji_str_ok(&f.text, err);
        if (rc >= 0)
            pji_finding_add(pji_check_at(i)->code, &f, findings, into);
        if (rc >= 0 && f.state == PJI_FINDING_FIRES)
            *forbidding = *forbidding || f.consequence == PJI_CONSEQUENCE_FORBID;
        pji_str_fini(&f.text);
        json_decref(f.figures);
        json_decref(f.spares);
    }
    return rc < 0 ? rc : PJ_OK;
}
