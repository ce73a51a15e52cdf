/* Findings about the records: outputs, origins, states, accuracy. See analysis/finding.h. */
#include "analysis/finding.h"

#include "analysis/layout.h"
#include "core/array.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *cell_of(const struct pji_evidence *e, size_t row, size_t col)
{
    return pji_table_cell(e->table, e->frame->row[row], col);
}

/* ---- identical outputs ---- */

struct alike {
    size_t cells, same, rows; /* with two or more values; all values equal; rows in those */
    bool varied;              /* not every cell has the same value */
};

static pj_status count_alike(const struct pji_evidence *e, size_t col, size_t least,
                             struct alike *out, struct pj_error *err)
{
    const char **first = pji_zalloc(e->cell.k + 1, sizeof *first, err);
    size_t *seen = pji_zalloc(2 * e->cell.k + 1, sizeof *seen, err);
    pj_status rc = first && seen ? PJ_OK : PJ_ENOMEM;
    const char *any = NULL;
    *out = (struct alike){.cells = 0};
    for (size_t i = 0; !rc && i < e->frame->n; i++) {
        size_t c = e->cell.code[i];
        const char *value = cell_of(e, i, col);
        if (pji_table_missing(value))
            continue;
        if (!first[c])
            first[c] = value;
        any = any ? any : value;
        out->varied = out->varied || strcmp(any, value) != 0;
        seen[c]++;
        seen[e->cell.k + c] += strcmp(first[c], value) == 0;
    }
    for (size_t c = 0; !rc && c < e->cell.k; c++) {
        if (seen[c] < least)
            continue;
        out->cells++;
        if (seen[e->cell.k + c] == seen[c]) {
            out->same++;
            out->rows += seen[c];
        }
    }
    free(first);
    free(seen);
    return rc;
}

static void fire_alike(struct pji_finding *f, const struct alike *a, enum pji_consequence how,
                       const char *what)
{
    pji_put_count(f->figures, "cells", a->cells);
    pji_put_count(f->figures, "identical", a->same);
    pji_put_count(f->figures, "rows", a->rows);
    pji_finding_fire(f, how,
                     "in %zu of %zu cells (%zu rows) all repetitions gave %s: they repeat "
                     "the measurement, not the sampling of answers",
                     a->same, a->cells, a->rows, what);
}

pj_status pji_check_identical_outputs(const struct pji_evidence *e, struct pji_finding *f,
                                      struct pj_error *err)
{
    size_t digest = e->roles.column[PJI_ROLE_DIGEST];
    size_t tokens = e->roles.column[PJI_ROLE_TOKENS];
    struct alike a;
    pj_status rc = PJ_OK;
    if (digest != PJI_NO_COLUMN) {
        rc = count_alike(e, digest, 2, &a, err);
        if (!rc && a.same > 0)
            fire_alike(f, &a, PJI_CONSEQUENCE_WARN, "the same output");
        else if (!rc && a.cells == 0)
            pji_finding_unknown(f, "no cell has two outputs to compare");
        return rc;
    }
    if (e->summary && e->summary->repeated_items > 0) {
        if (e->summary->identical_outputs)
            pji_finding_fire(f, PJI_CONSEQUENCE_WARN,
                             "every item gave one output in all repetitions of a treatment (%zu "
                             "items with two or more): they repeat the measurement, not the "
                             "sampling of answers",
                             e->summary->repeated_items);
        return PJ_OK;
    }
    /* a token count is no digest: several cells of three or more equal counts make it likely */
    if (tokens != PJI_NO_COLUMN)
        rc = count_alike(e, tokens, 3, &a, err);
    if (!rc && tokens != PJI_NO_COLUMN && a.same > 1 && a.varied)
        fire_alike(f, &a, PJI_CONSEQUENCE_NOTE,
                   "the same number of tokens, so probably the same outputs (the outputs "
                   "themselves are not in the table)");
    else if (!rc)
        pji_finding_unknown(f, "no column %s", pji_role_wanted(PJI_ROLE_DIGEST));
    return rc;
}

/* ---- modelled energies ---- */

/* Share of the energy that is modelled where the study says which part was measured; NaN where it
 * does not: then a total counts as modelled as soon as a part of it is. */
static double modelled_share(const struct pji_summary *s)
{
    double all_j = 0;
    double measured_j = 0;
    bool some = false;
    for (size_t i = 0; s != NULL && i < s->n_records; i++) {
        const struct pji_record *r = &s->records[i];
        if (isnan(r->value))
            continue;
        if (strcmp(r->name, "energy_measured_j") == 0) {
            measured_j += r->value;
            some = true;
        } else if (strcmp(r->name, "energy_j") == 0) {
            all_j += r->value;
            if (strcmp(r->origin, "modelled") != 0 && strcmp(r->origin, "constant") != 0)
                measured_j += r->value;
        }
    }
    return some && all_j > 0 ? 1 - measured_j / all_j : (double)NAN;
}

pj_status pji_check_modelled(const struct pji_evidence *e, struct pji_finding *f,
                             struct pj_error *err)
{
    (void)err;
    size_t col = e->roles.column[PJI_ROLE_ORIGIN];
    size_t modelled = 0;
    size_t known = 0;
    if (col == PJI_NO_COLUMN) {
        pji_finding_unknown(f, "no column %s", pji_role_wanted(PJI_ROLE_ORIGIN));
        return PJ_OK;
    }
    for (size_t i = 0; i < e->frame->n; i++) {
        const char *origin = cell_of(e, i, col);
        known += !pji_table_missing(origin);
        modelled += strcmp(origin, "modelled") == 0 || strcmp(origin, "constant") == 0;
    }
    double share = modelled_share(e->summary);
    pji_put_count(f->figures, "rows", known);
    pji_put_count(f->figures, "modelled", modelled);
    if (!isnan(share))
        json_object_set_new(f->figures, "modelled_share", json_real(share));
    if (known == 0)
        pji_finding_unknown(f, "column '%s' is empty", e->table->column[col]);
    else if (!isnan(share) && share <= e->limits.modelled)
        pji_finding_clean(f, "%.0f %% of the energy is modelled, the rest was measured",
                          100 * share);
    else if ((double)modelled > e->limits.modelled * (double)known)
        pji_finding_fire(f, PJI_CONSEQUENCE_WARN,
                         "%zu of %zu energies are modelled, not measured: a difference between "
                         "levels is one of time and utilisation as the model sees them",
                         modelled, known);
    else
        pji_finding_clean(f, "%zu of %zu energies are modelled", modelled, known);
    return PJ_OK;
}

/* ---- invalid rows ---- */

struct invalid {
    size_t bad, bad_used, bad_with_value;
    double change; /* largest relative change of a group mean when they are taken in */
    struct pji_str group;
};

static bool state_bad(const struct pji_evidence *e, size_t row)
{
    const char *state = pji_table_cell(e->table, row, e->roles.column[PJI_ROLE_STATE]);
    return !pji_table_missing(state) && !pji_role_state_ok(state);
}

/* rows used, and rows that only their state keeps out although they have a value */
static void wider_rows(const struct pji_evidence *e, bool *keep, struct invalid *v)
{
    for (size_t i = 0; i < e->frame->n; i++)
        keep[e->frame->row[i]] = true;
    for (size_t row = 0; row < e->table->rows; row++) {
        double y;
        if (!state_bad(e, row))
            continue;
        v->bad++;
        v->bad_used += keep[row];
        if (pji_table_missing(pji_table_cell(e->table, row, e->response)) ||
            pji_table_number(e->table, row, e->response, &y, NULL))
            continue;
        bool present = true;
        for (size_t i = 0; i < e->factors; i++)
            present = present && !pji_table_missing(pji_table_cell(e->table, row, e->factor[i]));
        v->bad_with_value += present;
        keep[row] = keep[row] || present;
    }
}

static pj_status mean_change(const struct pji_evidence *e, const struct pji_frame *wide,
                             struct invalid *v, struct pj_error *err)
{
    struct pji_factor g = {0};
    double *y = NULL;
    double *sum = NULL;
    pj_status rc = pji_frame_numbers(wide, e->response, PJI_FN_NONE, &y, err);
    if (!rc && e->factors > 0)
        rc = pji_frame_cross(wide, e->factor, e->factors, &g, err);
    size_t k = e->factors > 0 ? g.k : 1;
    if (!rc && !(sum = pji_zalloc(4 * k + 1, sizeof *sum, err)))
        rc = PJ_ENOMEM;
    for (size_t i = 0; !rc && i < wide->n; i++) {
        size_t c = e->factors > 0 ? g.code[i] : 0;
        bool good = !state_bad(e, wide->row[i]);
        sum[4 * c] += y[i];
        sum[4 * c + 1] += 1;
        sum[4 * c + 2] += good ? y[i] : 0;
        sum[4 * c + 3] += good ? 1 : 0;
    }
    for (size_t c = 0; !rc && c < k; c++) {
        double all = sum[4 * c] / sum[4 * c + 1];
        double good = sum[4 * c + 2] / sum[4 * c + 3];
        double change = sum[4 * c + 3] > 0 ? all / good - 1 : 1;
        if (isfinite(change) && fabs(change) > fabs(v->change)) {
            v->change = change;
            pji_str_clear(&v->group);
            pji_str_add(&v->group, e->factors > 0 ? g.level[c] : "all rows");
        }
    }
    free(y);
    free(sum);
    pji_factor_fini(&g);
    return rc;
}

static void judge_invalid(const struct pji_evidence *e, const struct invalid *v,
                          struct pji_finding *f)
{
    bool grave = v->bad_used > 0 || fabs(v->change) > e->limits.shift;
    pji_put_count(f->figures, "invalid", v->bad);
    pji_put_count(f->figures, "invalid_used", v->bad_used);
    pji_put_count(f->figures, "invalid_with_value", v->bad_with_value);
    pji_put(f->figures, "largest_change", v->change);
    pji_finding_fire(
        f, grave ? PJI_CONSEQUENCE_WARN : PJI_CONSEQUENCE_NOTE,
        "%zu rows are not done or not valid (%zu of them have a value, %zu are used here); taking "
        "those with a value in changes the mean of '%s' by %+.3g %%%s",
        v->bad, v->bad_with_value, v->bad_used,
        v->group.len > 0 ? pji_str_text(&v->group) : "every group", 100 * v->change,
        v->bad_used > 0 ? ": exclude them with --where" : "");
}

pj_status pji_check_invalid_trials(const struct pji_evidence *e, struct pji_finding *f,
                                   struct pj_error *err)
{
    if (e->roles.column[PJI_ROLE_STATE] == PJI_NO_COLUMN) {
        pji_finding_unknown(f, "no column %s", pji_role_wanted(PJI_ROLE_STATE));
        return PJ_OK;
    }
    struct invalid v = {.bad = 0};
    struct pji_frame wide = {0};
    bool *keep = pji_zalloc(e->table->rows + 1, sizeof *keep, err);
    if (!keep)
        return PJ_ENOMEM;
    wider_rows(e, keep, &v);
    pj_status rc = PJ_OK;
    if (v.bad_with_value > 0)
        rc = pji_frame_init(&wide, e->table, keep, err);
    if (!rc && v.bad_with_value > 0)
        rc = mean_change(e, &wide, &v, err);
    if (!rc && v.bad > 0)
        judge_invalid(e, &v, f);
    else if (!rc)
        pji_finding_clean(f, "every row is done and valid");
    pji_frame_fini(&wide);
    pji_str_fini(&v.group);
    free(keep);
    return rc;
}

/* ---- accuracy below the trivial answer ---- */

static void add_below(struct pji_finding *f, const char *group, const char *task, double accuracy,
                      double baseline, bool sure)
{
    struct pji_str text = {0};
    enum pji_consequence how = sure ? PJI_CONSEQUENCE_FORBID : PJI_CONSEQUENCE_WARN;
    if (f->state == PJI_FINDING_FIRES) {
        how = f->consequence > how ? f->consequence : how;
        pji_str_addf(&text, "%s; ", pji_str_text(&f->text));
    } else
        pji_str_add(&text, "accuracy is below that of always giving the commonest answer: ");
    pji_str_addf(&text, "'%s'%s%s %.3g < %.3g%s", group, *task ? " on " : "", task, accuracy,
                 baseline, sure ? " (surely)" : "");
    pji_finding_fire(f, how, "%s", pji_str_text(&text));
    json_t *o = json_object();
    pji_put(o, "accuracy", accuracy);
    pji_put(o, "baseline", baseline);
    json_object_set_new(f->figures, group, o);
    pji_str_fini(&text);
}

static size_t below_in_study(const struct pji_summary *s, struct pji_finding *f)
{
    size_t scored = 0;
    for (size_t t = 0; t < s->n_treatments; t++) {
        for (size_t i = 0; i < s->treatments[t].n_scores; i++) {
            const struct pji_score *score = &s->treatments[t].scores[i];
            const struct pji_accuracy *a = &score->accuracy;
            scored += isfinite(a->accuracy) ? 1 : 0;
            if (a->accuracy < a->majority_baseline)
                add_below(f, s->treatments[t].label, score->task, a->accuracy, a->majority_baseline,
                          a->wilson_hi < a->majority_baseline);
        }
    }
    return scored;
}

/* group means of accuracy against those of the baseline column */
static pj_status below_in_table(const struct pji_evidence *e, struct pji_finding *f,
                                struct pj_error *err)
{
    double *sum = pji_zalloc(4 * e->group.k + 1, sizeof *sum, err);
    if (!sum)
        return PJ_ENOMEM;
    for (size_t i = 0; i < e->frame->n; i++) {
        double a;
        double b;
        size_t row = e->frame->row[i];
        double *s = &sum[4 * e->group.code[i]];
        if (pji_table_number(e->table, row, e->roles.column[PJI_ROLE_ACCURACY], &a, NULL) ||
            pji_table_number(e->table, row, e->roles.column[PJI_ROLE_BASELINE], &b, NULL))
            continue;
        s[0] += a - b;
        s[1] += (a - b) * (a - b);
        s[2] += 1;
        s[3] += b;
    }
    for (size_t g = 0; g < e->group.k; g++) {
        const double *s = &sum[4 * g];
        double mean = s[0] / s[2];
        double se = sqrt(fmax(0, s[1] / s[2] - mean * mean) / fmax(1, s[2] - 1));
        if (s[2] > 0 && mean < 0)
            add_below(f, e->group.level[g], "", mean + s[3] / s[2], s[3] / s[2],
                      s[2] >= 3 && mean + 3 * se < 0);
    }
    free(sum);
    return PJ_OK;
}

pj_status pji_check_below_baseline(const struct pji_evidence *e, struct pji_finding *f,
                                   struct pj_error *err)
{
    if (e->summary && below_in_study(e->summary, f) > 0)
        return PJ_OK;
    if (e->roles.column[PJI_ROLE_ACCURACY] == PJI_NO_COLUMN)
        pji_finding_unknown(f, "no column %s", pji_role_wanted(PJI_ROLE_ACCURACY));
    else if (e->roles.column[PJI_ROLE_BASELINE] == PJI_NO_COLUMN)
        pji_finding_unknown(f, "no column says what the trivial answer reaches (%s)",
                            pji_role_wanted(PJI_ROLE_BASELINE));
    else
        return below_in_table(e, f, err);
    return PJ_OK;
}
