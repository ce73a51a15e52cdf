/* Findings about what moves the response besides the factors: time, temperature, few far values.
 * All look at deviations from the means of cells. See analysis/finding.h. */
#include "analysis/finding.h"

#include "analysis/layout.h"
#include "core/array.h"
#include "stats/correlation.h"
#include "stats/moments.h"
#include "stats/oneway.h"
#include "stats/quantile.h"
#include "stats/rank.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { LEAST_DF = 8 };

/* ---- order ---- */

static bool iso_date(const char *text)
{
    return strspn(text, "0123456789") == 4 && text[4] == '-';
}

struct moment {
    const char *text;
    size_t at;
};

static int by_text(const void *a, const void *b)
{
    return strcmp(((const struct moment *)a)->text, ((const struct moment *)b)->text);
}

/* Position in time of each row: numbers as they are, dates by their order. *out is NULL when the
 * column is neither. */
static pj_status positions(const struct pji_evidence *e, size_t col, double **out,
                           struct pj_error *err)
{
    size_t n = e->frame->n;
    struct moment *moments = pji_zalloc(n + 1, sizeof *moments, err);
    *out = pji_zalloc(n + 1, sizeof **out, err);
    if (!moments || !*out) {
        free(moments);
        free(*out);
        return PJ_ENOMEM;
    }
    bool numbers = true;
    bool dates = true;
    for (size_t i = 0; i < n; i++) {
        const char *text = pji_table_cell(e->table, e->frame->row[i], col);
        moments[i] = (struct moment){text, i};
        dates = dates && iso_date(text);
        numbers = numbers && !pji_table_number(e->table, e->frame->row[i], col, &(*out)[i], NULL);
    }
    if (!numbers && dates) {
        qsort(moments, n, sizeof *moments, by_text);
        for (size_t i = 0; i < n; i++) {
            bool tie = i > 0 && strcmp(moments[i].text, moments[i - 1].text) == 0;
            (*out)[moments[i].at] = tie ? (*out)[moments[i - 1].at] : (double)i;
        }
    } else if (!numbers) {
        free(*out);
        *out = NULL;
    }
    free(moments);
    return PJ_OK;
}

struct drift {
    double rho, p, change; /* of residuals with order; first to last, relative to the mean */
    double eta2, eta2_p;   /* of the order by group */
};

static pj_status measure_drift(const struct pji_evidence *e, const double *rank,
                               const double *residual, struct drift *d, struct pj_error *err)
{
    size_t n = e->frame->n;
    struct pji_spearman s;
    pj_status rc = pji_spearman(rank, residual, n, &s, err);
    if (rc < 0)
        return rc;
    d->rho = rc ? 0 : s.rho;
    d->p = rc ? 1 : s.p_t;
    double xx = 0;
    double xy = 0;
    double middle = ((double)n + 1) / 2;
    for (size_t i = 0; i < n; i++) {
        xx += (rank[i] - middle) * (rank[i] - middle);
        xy += (rank[i] - middle) * residual[i];
    }
    d->change = xx > 0 ? xy / xx * ((double)n - 1) / pji_mean(e->y, n) : 0;
    if (e->group.k < 2 || (e->correlation && e->factors == 0))
        return PJ_OK;
    struct pji_groups groups = {rank, e->group.code, n, e->group.k};
    struct pji_oneway a;
    rc = pji_oneway(&groups, &a, err);
    if (rc == PJ_OK) {
        d->eta2 = a.eta2;
        d->eta2_p = a.p;
    }
    return rc < 0 ? rc : PJ_OK;
}

static void judge_drift(const struct pji_evidence *e, const struct drift *d, struct pji_finding *f)
{
    bool drifts = d->p < e->limits.p && fabs(d->rho) >= e->limits.r;
    bool confounded = d->eta2 > e->limits.confounded && d->eta2_p < e->limits.p / 10;
    pji_put(f->figures, "spearman_rho", d->rho);
    pji_put(f->figures, "p", d->p);
    pji_put(f->figures, "relative_change", d->change);
    pji_put(f->figures, "order_eta2", d->eta2);
    if (drifts && confounded)
        pji_finding_fire(f, PJI_CONSEQUENCE_FORBID,
                         "the response drifts over time within cells (%+.2g %% from first to last, "
                         "rho %.2g) and the levels were measured one after the other (%.0f %% of "
                         "the order is the factor): drift and effect cannot be told apart",
                         100 * d->change, d->rho, 100 * d->eta2);
    else if (drifts)
        pji_finding_fire(f, PJI_CONSEQUENCE_WARN,
                         "the response drifts over time within cells: %+.2g %% from first to last "
                         "(rho %.2g): the drift is in the scatter of every cell, and in a "
                         "difference of levels that do not share their times",
                         100 * d->change, d->rho);
    else if (confounded)
        pji_finding_fire(f, PJI_CONSEQUENCE_WARN,
                         "the levels were measured one after the other, not in random order (%.0f "
                         "%% of the order is the factor): a drift would look like an effect",
                         100 * d->eta2);
    else
        pji_finding_clean(f, "no drift within cells (rho %.2g, p %.2g)", d->rho, d->p);
}

pj_status pji_check_drift(const struct pji_evidence *e, struct pji_finding *f, struct pj_error *err)
{
    size_t col = e->roles.column[PJI_ROLE_ORDER];
    double *at = NULL;
    double *residual = NULL;
    double df = 0;
    struct drift d = {.p = 1, .eta2_p = 1};
    if (col == PJI_NO_COLUMN) {
        pji_finding_unknown(f, "no column says when each row was measured (%s)",
                            pji_role_wanted(PJI_ROLE_ORDER));
        return PJ_OK;
    }
    pj_status rc = positions(e, col, &at, err);
    if (rc)
        return rc;
    if (at)
        rc = pji_cell_residuals(e, &residual, &df, err);
    if (at && !rc)
        rc = pji_rank(at, e->frame->n, at, NULL, err);
    if (!rc && !at)
        pji_finding_unknown(f, "column '%s' holds neither numbers nor dates",
                            e->table->column[col]);
    else if (!rc && df < LEAST_DF)
        pji_finding_unknown(f, "too few repetitions (%g residual degrees of freedom)", df);
    else if (!rc)
        rc = measure_drift(e, at, residual, &d, err);
    if (!rc && at && df >= LEAST_DF)
        judge_drift(e, &d, f);
    free(at);
    free(residual);
    return rc;
}

/* ---- temperature ---- */

/* x minus the mean of its cell, in place */
static pj_status centre(const struct pji_evidence *e, double *x, struct pj_error *err)
{
    double *centred;
    double df;
    struct pji_evidence copy = *e;
    copy.y = x;
    pj_status rc = pji_cell_residuals(&copy, &centred, &df, err);
    if (rc)
        return rc;
    memcpy(x, centred, e->frame->n * sizeof *x);
    free(centred);
    return PJ_OK;
}

static pj_status judge_temperature(const struct pji_evidence *e, double *temperature,
                                   const double *residual, struct pji_finding *f,
                                   struct pj_error *err)
{
    size_t n = e->frame->n;
    double low = temperature[0];
    double high = temperature[0];
    for (size_t i = 1; i < n; i++) {
        low = fmin(low, temperature[i]);
        high = fmax(high, temperature[i]);
    }
    struct pji_pearson r = {0};
    pj_status rc = centre(e, temperature, err);
    if (!rc)
        rc = pji_pearson(temperature, residual, n, 0.95, &r, err);
    if (rc < 0)
        return rc;
    if (rc == PJI_STATS_CONSTANT || rc == PJI_STATS_FEW) {
        pji_finding_clean(f, "the temperature does not vary within cells");
        return PJ_OK;
    }
    double slope =
        r.r * sqrt(pji_variance(residual, n) / pji_variance(temperature, n)) / pji_mean(e->y, n);
    pji_put(f->figures, "pearson_r", r.r);
    pji_put(f->figures, "p", r.p);
    pji_put(f->figures, "relative_per_degree", slope);
    pji_put(f->figures, "lowest", low);
    pji_put(f->figures, "highest", high);
    if (r.p < e->limits.p && fabs(r.r) >= e->limits.r)
        pji_finding_fire(f, PJI_CONSEQUENCE_WARN,
                         "within cells the response follows the temperature: %+.3g %% per degree "
                         "(r %.2g, from %g to %g degrees; a correlation, not a cause): levels that "
                         "were measured at different temperatures differ by that as well",
                         100 * slope, r.r, low, high);
    else
        pji_finding_clean(f, "no correlation within cells (r %.2g, p %.2g)", r.r, r.p);
    return PJ_OK;
}

pj_status pji_check_temperature(const struct pji_evidence *e, struct pji_finding *f,
                                struct pj_error *err)
{
    size_t col = e->roles.column[PJI_ROLE_TEMPERATURE];
    double *temperature = NULL;
    double *residual = NULL;
    double df = 0;
    if (col == PJI_NO_COLUMN) {
        pji_finding_unknown(f, "no column %s", pji_role_wanted(PJI_ROLE_TEMPERATURE));
        return PJ_OK;
    }
    for (size_t i = 0; i < e->frame->n; i++) {
        double x;
        if (pji_table_number(e->table, e->frame->row[i], col, &x, NULL)) {
            pji_finding_unknown(f, "column '%s' lacks values", e->table->column[col]);
            return PJ_OK;
        }
    }
    pj_status rc = pji_frame_numbers(e->frame, col, PJI_FN_NONE, &temperature, err);
    if (!rc)
        rc = pji_cell_residuals(e, &residual, &df, err);
    if (!rc && df < LEAST_DF)
        pji_finding_unknown(f, "too few repetitions (%g residual degrees of freedom)", df);
    else if (!rc)
        rc = judge_temperature(e, temperature, residual, f, err);
    free(temperature);
    free(residual);
    return rc;
}

/* ---- heavy tails ---- */

struct tails {
    size_t far;
    double share; /* of the squared deviations that the far values carry */
};

/* deviations from the median of each cell, relative to it where all values are positive */
static pj_status deviations(const struct pji_evidence *e, double *d, double *spread,
                            struct pj_error *err)
{
    struct pji_split split;
    struct pji_groups groups = {e->y, e->cell.code, e->frame->n, e->cell.k};
    pj_status rc = pji_split_init(&split, &groups, err);
    if (rc)
        return rc;
    bool positive = true;
    for (size_t i = 0; i < e->frame->n; i++)
        positive = positive && e->y[i] > 0;
    for (size_t c = 0; !rc && c < e->cell.k; c++) {
        size_t n = pji_split_n(&split, c);
        double *part = d + split.start[c];
        double middle;
        memcpy(part, pji_split_get(&split, c), n * sizeof *part);
        rc = pji_quantile(part, n, 0.5, &middle, err);
        for (size_t i = 0; i < n; i++)
            part[i] = fabs((pji_split_get(&split, c)[i] - middle) / (positive ? middle : 1));
        double own = 0;
        if (!rc)
            rc = pji_quantile(part, n, 0.5, &own, err);
        for (size_t i = 0; i < n; i++) /* a cell's own spread counts where it can be seen */
            spread[split.start[c] + i] = n >= 5 ? 1.4826 * own : 0;
    }
    pji_split_fini(&split);
    return rc;
}

/* Median of the deviations without one zero of each cell: the median itself has none, and in small
 * cells that zero would make the spread look small. */
static pj_status common_spread(const struct pji_evidence *e, const double *d, double *out,
                               struct pj_error *err)
{
    size_t n = e->frame->n;
    double *sorted = pji_zalloc(n + 1, sizeof *sorted, err);
    if (!sorted)
        return PJ_ENOMEM;
    memcpy(sorted, d, n * sizeof *sorted);
    pji_sort(sorted, n);
    size_t zeros = 0;
    while (zeros < n && zeros < e->cell.k && sorted[zeros] <= 0)
        zeros++;
    *out = 1.4826 * pji_quantile_sorted(sorted + zeros, n - zeros, 0.5);
    free(sorted);
    return PJ_OK;
}

static pj_status find_tails(const struct pji_evidence *e, struct tails *t, struct pj_error *err)
{
    size_t n = e->frame->n;
    double *d = pji_zalloc(2 * n + 1, sizeof *d, err);
    double common = 0;
    double all = 0;
    double far = 0;
    if (!d)
        return PJ_ENOMEM;
    double *spread = d + n;
    pj_status rc = deviations(e, d, spread, err);
    if (!rc)
        rc = common_spread(e, d, &common, err);
    for (size_t i = 0; !rc && i < n; i++) {
        all += d[i] * d[i];
        if (common > 0 && d[i] > e->limits.tail * common && d[i] > 6 * spread[i]) {
            far += d[i] * d[i];
            t->far++;
        }
    }
    t->share = all > 0 ? far / all : 0;
    free(d);
    return rc;
}

pj_status pji_check_tails(const struct pji_evidence *e, struct pji_finding *f, struct pj_error *err)
{
    struct tails t = {.far = 0};
    if (e->frame->n < e->cell.k + LEAST_DF || e->frame->n < 3 * e->cell.k) {
        pji_finding_unknown(f, "too few repetitions (%zu rows in %zu cells)", e->frame->n,
                            e->cell.k);
        return PJ_OK;
    }
    pj_status rc = find_tails(e, &t, err);
    if (rc)
        return rc;
    pji_put_count(f->figures, "far", t.far);
    pji_put(f->figures, "share_of_squares", t.share);
    if (t.far > 0)
        pji_finding_fire(f, PJI_CONSEQUENCE_WARN,
                         "%zu of %zu values lie more than %g robust standard deviations from the "
                         "median of their cell and carry %.0f %% of the squared deviations: look "
                         "at them, and prefer medians and rank tests",
                         t.far, e->frame->n, e->limits.tail, 100 * t.share);
    else
        pji_finding_clean(f,
                          "no value lies more than %g robust standard deviations from the "
                          "median of its cell",
                          e->limits.tail);
    return PJ_OK;
}
