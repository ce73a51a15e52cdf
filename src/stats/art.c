#include "stats/art.h"

#include "core/array.h"
#include "stats/moments.h"
#include "stats/rank.h"

#include <math.h>
#include <stdlib.h>

static size_t cell_of(const struct pji_terms *m, uint32_t mask, size_t row)
{
    size_t cell = 0;
    for (size_t v = 0; v < m->variables; v++) {
        if (mask >> v & 1)
            cell = cell * m->variable[v].levels + m->variable[v].code[row];
    }
    return cell;
}

/* adds sign times the mean of the row's cell of `mask` to out */
static pj_status add_means(const struct pji_terms *m, uint32_t mask, const double *y,
                           long double sign, long double *out, struct pj_error *err)
{
    size_t cells = 1;
    for (size_t v = 0; v < m->variables; v++)
        cells *= mask >> v & 1 ? m->variable[v].levels : 1;
    long double *sum = pji_zalloc(cells, sizeof *sum, err);
    size_t *count = pji_zalloc(cells, sizeof *count, err);
    if (sum && count) {
        for (size_t i = 0; i < m->n; i++) {
            sum[cell_of(m, mask, i)] += (long double)y[i];
            count[cell_of(m, mask, i)]++;
        }
        for (size_t i = 0; i < m->n; i++) {
            size_t cell = cell_of(m, mask, i);
            out[i] += sign * (sum[cell] / (long double)count[cell]);
        }
    }
    pj_status rc = sum && count ? PJ_OK : PJ_ENOMEM;
    free(sum);
    free(count);
    return rc;
}

/* to 8 decimals, unless that is beyond the 15 digits that a double surely has */
static double rounded(double x)
{
    double size = fabs(x);
    if (!(size > 0) || 8 + ceil(log10(size)) > 15)
        return x;
    return (double)(rintl((long double)x * 1e8L) / 1e8L);
}

static pj_status check(const struct pji_terms *m, uint32_t factors, uint32_t term,
                       struct pj_error *err)
{
    if (term == 0 || (term & ~factors))
        return pji_fail(err, PJ_EINVAL, "the aligned rank transform needs an effect of the model");
    for (size_t v = 0; v < PJI_VARIABLES; v++) {
        bool known = v < m->variables && m->variable[v].code;
        if (factors >> v & 1 && !known)
            return pji_fail(
                err, PJ_EINVAL,
                "the aligned rank transform takes factors only, variable %zu is not one", v + 1);
    }
    return PJ_OK;
}

pj_status pji_art_ranks(const struct pji_terms *model, uint32_t factors, uint32_t term,
                        const double *y, double *aligned, double *ranks, struct pj_error *err)
{
    pj_status rc = check(model, factors, term, err);
    if (!rc)
        rc = pji_check_finite(y, model->n, "the response", err);
    if (rc)
        return rc;
    long double *sum = pji_zalloc(model->n + 1, sizeof *sum, err);
    if (!sum)
        return PJ_ENOMEM;
    for (size_t i = 0; i < model->n; i++)
        sum[i] = (long double)y[i];
    rc = add_means(model, factors, y, -1, sum, err);
    /* all subsets of the term, the empty one last */
    for (uint32_t part = term; !rc; part = (part - 1) & term) {
        int dropped = __builtin_popcount(term) - __builtin_popcount(part);
        rc = add_means(model, part, y, dropped % 2 ? -1 : 1, sum, err);
        if (part == 0)
            break;
    }
    for (size_t i = 0; i < model->n; i++) {
        aligned[i] = (double)sum[i];
        ranks[i] = rounded(aligned[i]);
    }
    free(sum);
    return rc ? rc : pji_rank(ranks, model->n, ranks, NULL, err);
}
