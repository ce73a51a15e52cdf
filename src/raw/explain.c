#include "raw/explain.h"

#include "core/array.h"
#include "stats/quantile.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A row is reproduced when the scheme's value is the published one to this, relative, or to the
 * digits printed. A scheme is taken for a column when it comes this near to most rows. */
#define SAME_REL 1e-6
#define NEAR_REL 1e-3

enum { N_SCHEMES = PJI_TERMS_WINDOWS * 3 * (PJI_TERMS_GPUS + 1) };

/* Simple ones first: of equals the first is taken. */
static struct pji_scheme scheme_at(size_t i)
{
    static const int cpu[] = {1, 2, 0};
    static const int gpu[] = {PJI_TERMS_TRAPEZOID, PJI_TERMS_HOLD, PJI_TERMS_ROWS_NOMINAL,
                              PJI_TERMS_ROWS_MEDIAN, -1};
    return (struct pji_scheme){.window = (int)(i / 15), .cpu = cpu[i / 5 % 3], .gpu = gpu[i % 5]};
}

static const struct pji_scheme right_scheme = {PJI_TERMS_PROMPTS, 1, PJI_TERMS_TRAPEZOID};

struct variant {
    int edge, wrap;
};

static double value_of(const struct pji_terms *t, struct pji_scheme s, struct variant v)
{
    double gpu_j = s.gpu >= 0 ? t->gpu_j[s.window][s.gpu] : 0;
    return s.cpu * t->cpu_j[s.window][v.edge][v.wrap] + gpu_j;
}

/* The treatment of a fall and of the end that comes nearest to `published_j`; its distance. */
static double best_variant(const struct pji_terms *t, struct pji_scheme s, double published_j,
                           struct variant *best)
{
    double least_j = (double)INFINITY;
    for (int edge = 0; edge < PJI_TERMS_EDGES; edge++) {
        for (int wrap = 0; wrap < PJI_TERMS_WRAPS; wrap++) {
            struct variant v = {edge, wrap};
            bool applies = s.cpu > 0 && (edge == PJI_TERMS_ALL || s.window == PJI_TERMS_WHOLE);
            double off_j = fabs(published_j - value_of(t, s, v));
            if ((edge == 0 && wrap == 0) || (applies && off_j < least_j * (1 - 1e-9) &&
                                             least_j - off_j > SAME_REL * fabs(published_j))) {
                least_j = off_j;
                *best = v;
            }
        }
    }
    return least_j;
}

static bool same(double off, double published, double half_unit)
{
    return off <= fmax(SAME_REL * fabs(published), half_unit * (1 + 1e-9));
}

static bool comparable(const struct pji_audit_run *run, const struct pji_published *cell)
{
    return cell->known && run->terms.known && isfinite(run->terms.energy_j);
}

/* ---- the scheme of a column ---- */

struct fit {
    size_t same;
    double median_rel;
};

static struct fit fit_of(struct pji_scheme s, const struct pji_audit_run *runs,
                         const struct pji_published *cells, size_t n, double *scratch)
{
    struct fit fit = {.median_rel = (double)INFINITY};
    size_t count = 0;
    for (size_t i = 0; i < n; i++) {
        struct variant v;
        if (!comparable(&runs[i], &cells[i]))
            continue;
        double off_j = best_variant(&runs[i].terms, s, cells[i].meant, &v);
        fit.same += same(off_j, cells[i].meant, cells[i].half_unit);
        scratch[count++] = off_j / fmax(fabs(cells[i].meant), 1e-9);
    }
    if (count > 0) {
        pji_sort(scratch, count);
        fit.median_rel = pji_quantile_sorted(scratch, count, 0.5);
    }
    return fit;
}

static void describe(struct pji_audit_column *column)
{
    static const char *const times[] = {"no CPU", "the CPU once", "the CPU twice"};
    static const char *const sums[] = {
        "the GPU on its time stamps (trapezoid)", "the GPU on its time stamps (hold)",
        "the GPU's samples x the interval asked for", "the GPU's samples x their median interval"};
    const struct pji_scheme *s = &column->scheme;
    if (!column->fits) {
        snprintf(column->computed, sizeof column->computed,
                 "no known scheme comes within 0.1 %% of it");
        return;
    }
    snprintf(column->computed, sizeof column->computed, "%s + %s, over %s", times[s->cpu],
             s->gpu >= 0 ? sums[s->gpu] : "no GPU",
             s->window == PJI_TERMS_PROMPTS ? "the prompts" : "the whole recording");
}

static pj_status choose_scheme(struct pji_audit_column *column, const struct pji_audit_run *runs,
                               const struct pji_published *cells, size_t n, struct pj_error *err)
{
    struct fit best = {.median_rel = (double)INFINITY};
    double *scratch = pji_zalloc(n, sizeof *scratch, err);
    if (scratch == NULL)
        return PJ_ENOMEM;
    for (size_t i = 0; i < N_SCHEMES; i++) {
        struct fit fit = fit_of(scheme_at(i), runs, cells, n, scratch);
        bool better = fit.same > best.same ||
                      (fit.same == best.same && fit.median_rel < best.median_rel - SAME_REL);
        if (i == 0 || better) {
            best = fit;
            column->scheme = scheme_at(i);
        }
    }
    free(scratch);
    column->fits = best.median_rel <= NEAR_REL;
    if (!column->fits)
        column->scheme = right_scheme;
    describe(column);
    return PJ_OK;
}

/* ---- one row ---- */

static int64_t u6(double value)
{
    double scaled = round(value * 1e6);
    return fabs(scaled) < 9e18 ? (int64_t)scaled : 0;
}

/* The steps from the recomputed energy to the scheme's, in J. */
static void steps(const struct pji_terms *t, struct pji_scheme s, struct variant v,
                  double cause_j[PJI_CAUSES])
{
    const double *cpu_j = t->cpu_j[s.window][v.edge];
    double cpu_all_j = t->cpu_j[s.window][PJI_TERMS_ALL][PJI_TERMS_REPAIRED];
    double cpu_prompts_j = t->cpu_j[PJI_TERMS_PROMPTS][PJI_TERMS_ALL][PJI_TERMS_REPAIRED];
    double gpu_j = t->gpu_j[s.window][PJI_TERMS_TRAPEZOID];
    double gpu_prompts_j = t->gpu_j[PJI_TERMS_PROMPTS][PJI_TERMS_TRAPEZOID];
    if (s.cpu == 0)
        cause_j[PJI_CAUSE_CPU_MISSING] = -cpu_prompts_j;
    if (s.gpu < 0)
        cause_j[PJI_CAUSE_GPU_MISSING] = -gpu_prompts_j;
    double other_j = t->energy_j - cpu_prompts_j - gpu_prompts_j;
    if (fabs(other_j) > 1e-9 * fabs(t->energy_j))
        cause_j[PJI_CAUSE_OTHER_MISSING] = -other_j;
    cause_j[PJI_CAUSE_LOADING] =
        (s.cpu > 0 ? cpu_all_j - cpu_prompts_j : 0) + (s.gpu >= 0 ? gpu_j - gpu_prompts_j : 0);
    if (s.gpu >= 0)
        cause_j[PJI_CAUSE_GPU_METHOD] = t->gpu_j[s.window][s.gpu] - gpu_j;
    cause_j[PJI_CAUSE_LAST_SAMPLE] = s.cpu * (cpu_j[PJI_TERMS_REPAIRED] - cpu_all_j);
    cause_j[PJI_CAUSE_WRAP] = s.cpu * (cpu_j[v.wrap] - cpu_j[PJI_TERMS_REPAIRED]);
    if (s.cpu == 2)
        cause_j[PJI_CAUSE_CPU_TWICE] = cpu_all_j;
}

/* The last cause takes the rest, so that they add up. */
static void close_row(struct pji_audit_row *row, const struct pji_published *cell, double meant_off)
{
    int64_t sum = 0;
    row->difference_u6 = row->published_u6 - row->recomputed_u6;
    row->cause_u6[PJI_CAUSE_DECIMAL_COMMA] = u6(cell->read - cell->meant);
    for (size_t c = 0; c < PJI_CAUSE_ROUNDING; c++)
        sum += row->cause_u6[c];
    int64_t rest = row->difference_u6 - sum;
    bool rounded = fabs(meant_off) > 1e-6 && fabs(meant_off) <= cell->half_unit * (1 + 1e-9);
    row->cause_u6[rounded ? PJI_CAUSE_ROUNDING : PJI_CAUSE_UNEXPLAINED] = rest;
}

/* The scheme that reproduces this row alone, where the column's does not. */
static bool other_scheme(const struct pji_terms *t, const struct pji_published *cell,
                         struct pji_scheme *scheme, struct variant *v)
{
    for (size_t i = 0; i < N_SCHEMES; i++) {
        struct variant own;
        if (fabs(cell->meant) > 0 &&
            same(best_variant(t, scheme_at(i), cell->meant, &own), cell->meant, 0)) {
            *scheme = scheme_at(i);
            *v = own;
            return true;
        }
    }
    return false;
}

static void explain_energy(struct pji_audit_row *row, const struct pji_audit_column *column,
                           const struct pji_terms *t, const struct pji_published *cell)
{
    struct pji_scheme scheme = column->scheme;
    struct variant v = {0, 0};
    double cause_j[PJI_CAUSES] = {0};
    double off_j = best_variant(t, scheme, cell->meant, &v);
    if (!same(off_j, cell->meant, cell->half_unit))
        row->own_scheme = other_scheme(t, cell, &scheme, &v);
    off_j = fabs(cell->meant - value_of(t, scheme, v));
    /* a fall or the end may only be blamed where that brings the published figure out, nearly */
    double plain_j = fabs(cell->meant - value_of(t, scheme, (struct variant){0, 0}));
    if (!same(off_j, cell->meant, cell->half_unit) && off_j * 10 > plain_j)
        v = (struct variant){0, 0};
    steps(t, scheme, v, cause_j);
    row->wrap = v.wrap;
    row->recomputed_u6 = u6(t->energy_j);
    row->u = t->u_j;
    for (size_t c = 0; c < PJI_CAUSE_DECIMAL_COMMA; c++)
        row->cause_u6[c] = u6(cause_j[c]);
    close_row(row, cell, cell->meant - value_of(t, scheme, v));
}

/* A mean power that lies outside of what the instruments ever showed was not drawn. */
static void judge(struct pji_audit_row *row, const struct pji_terms *t, double mean_w,
                  bool cpu_alone)
{
    double low_w = cpu_alone ? t->cpu_low_w : t->low_w;
    double high_w = cpu_alone ? t->cpu_high_w : t->high_w;
    row->mean_w = mean_w;
    row->implausible = isfinite(mean_w) && (mean_w < low_w || mean_w > high_w);
}

static void explain_time(struct pji_audit_row *row, const struct pji_terms *t,
                         const struct pji_published *cell)
{
    double prompts_s = t->dur_s[PJI_TERMS_PROMPTS], whole_s = t->dur_s[PJI_TERMS_WHOLE];
    double off_s = cell->meant - prompts_s;
    row->recomputed_u6 = u6(prompts_s);
    if (same(fabs(cell->meant - whole_s), whole_s, cell->half_unit) &&
        !same(fabs(off_s), prompts_s, cell->half_unit)) {
        row->cause_u6[PJI_CAUSE_LOADING] = u6(whole_s - prompts_s);
        off_s = cell->meant - whole_s;
    }
    close_row(row, cell, off_s);
}

pj_status pji_explain_column(struct pji_audit_column *column, const struct pji_audit_run *runs,
                             const struct pji_published *cells, size_t n, struct pj_error *err)
{
    pj_status status = PJ_OK;
    if (column->quantity == PJI_QUANTITY_ENERGY)
        status = choose_scheme(column, runs, cells, n, err);
    for (size_t i = 0; i < n && status == PJ_OK; i++) {
        struct pji_audit_row *row = &column->rows[i];
        const struct pji_terms *t = &runs[i].terms;
        row->run = runs[i].name;
        row->published_known = cells[i].known;
        row->published_u6 = u6(cells[i].read);
        row->recomputed_known = t->known && isfinite(t->energy_j);
        if (column->quantity == PJI_QUANTITY_TOKENS)
            row->recomputed_known = t->known && isfinite(t->tokens);
        if (!row->published_known || !row->recomputed_known)
            continue;
        if (column->quantity == PJI_QUANTITY_ENERGY) {
            explain_energy(row, column, t, &cells[i]);
            judge(row, t, cells[i].read / t->dur_s[column->scheme.window], column->scheme.gpu < 0);
        } else if (column->quantity == PJI_QUANTITY_TIME) {
            explain_time(row, t, &cells[i]);
        } else {
            row->recomputed_u6 = u6(t->tokens);
            close_row(row, &cells[i], cells[i].meant - t->tokens);
        }
    }
    return status;
}

void pji_explain_power(struct pji_audit_column *power, const struct pji_audit_column *energy,
                       const struct pji_audit_run *runs, const struct pji_published *energies,
                       const struct pji_published *times, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct pji_audit_row *row = &power->rows[i];
        const struct pji_audit_row *from = &energy->rows[i];
        const struct pji_terms *t = &runs[i].terms;
        double prompts_s = t->dur_s[PJI_TERMS_PROMPTS];
        row->run = runs[i].name;
        row->published_known =
            energies[i].known && times[i].known && times[i].read > 0 && times[i].meant > 0;
        row->recomputed_known = from->recomputed_known && prompts_s > 0;
        if (!row->published_known || !row->recomputed_known)
            continue;
        double read_w = energies[i].read / times[i].read;
        double meant_w = energies[i].read / times[i].meant;
        row->published_u6 = u6(read_w);
        row->recomputed_u6 = u6(t->energy_j / prompts_s);
        row->u = t->u_j / prompts_s;
        for (size_t c = 0; c < PJI_CAUSE_UNEXPLAINED; c++) {
            row->cause_u6[c] = u6((double)from->cause_u6[c] / 1e6 / prompts_s);
        }
        row->cause_u6[PJI_CAUSE_DECIMAL_COMMA] += u6(read_w - meant_w);
        /* the published time itself: longer by the loading, or rounded */
        double time_w = meant_w - energies[i].read / prompts_s;
        bool rounded = fabs(times[i].meant - prompts_s) <= times[i].half_unit * (1 + 1e-9);
        row->cause_u6[rounded ? PJI_CAUSE_ROUNDING : PJI_CAUSE_LOADING] += u6(time_w);
        int64_t sum = 0;
        row->difference_u6 = row->published_u6 - row->recomputed_u6;
        for (size_t c = 0; c < PJI_CAUSE_UNEXPLAINED; c++)
            sum += row->cause_u6[c];
        row->cause_u6[PJI_CAUSE_UNEXPLAINED] = row->difference_u6 - sum;
        judge(row, t, read_w, false);
    }
    snprintf(power->computed, sizeof power->computed, "published energy / published time");
}
