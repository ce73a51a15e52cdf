/* lab/steps.c - see steps.h. */
#include "lab/steps.h"

#include "core/array.h"
#include "core/units.h"

#include <math.h>
#include <stdlib.h>

size_t pji_point_after(const struct pji_series *s, int64_t t_ns)
{
    size_t low = 0, high = s->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (s->points[middle].t_ns <= t_ns)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

double pji_curve_j(const struct pji_series *s, int64_t t_ns)
{
    size_t k = pji_point_after(s, t_ns);
    if (k == 0)
        return (double)NAN;
    const struct pji_point *a = &s->points[k - 1];
    if (k == s->n)
        return a->t_ns == t_ns ? pji_j_from_uj(a->energy_uj) : (double)NAN;
    const struct pji_point *b = &s->points[k];
    double x = (double)(t_ns - a->t_ns) / (double)(b->t_ns - a->t_ns);
    return pji_j_from_uj(a->energy_uj + (b->energy_uj - a->energy_uj) * x);
}

pj_status pji_steps_make(struct pji_steps *steps, const struct pji_series *series, double whole_j,
                         int64_t start_ns, int64_t end_ns, size_t spare, struct pj_error *err)
{
    size_t first = pji_point_after(series, start_ns), most = series->n - first + 2;
    *steps = (struct pji_steps){.t_ns = pji_zalloc(most + 1, sizeof *steps->t_ns, err),
                                .energy_j = pji_zalloc(most + spare, sizeof *steps->energy_j, err),
                                .weight = pji_zalloc(most + spare, sizeof *steps->weight, err)};
    if (steps->t_ns == NULL || steps->energy_j == NULL || steps->weight == NULL) {
        pji_steps_fini(steps);
        return PJ_ENOMEM;
    }
    double at_j = pji_curve_j(series, start_ns), end_j = pji_curve_j(series, end_ns);
    at_j = isnan(at_j) ? end_j - whole_j : at_j;
    end_j = isnan(end_j) ? at_j + whole_j : end_j;
    steps->t_ns[0] = start_ns;
    for (size_t k = first; k <= series->n && steps->t_ns[steps->n] < end_ns; k++) {
        bool inside = k < series->n && series->points[k].t_ns < end_ns;
        double to_j = inside ? pji_j_from_uj(series->points[k].energy_uj) : end_j;
        int64_t to_ns = inside ? series->points[k].t_ns : end_ns;
        steps->energy_j[steps->n] = to_j - at_j;
        steps->weight[steps->n] = 1 / pji_s_from_ns(to_ns - steps->t_ns[steps->n]);
        steps->t_ns[++steps->n] = to_ns;
        at_j = to_j;
    }
    return PJ_OK;
}

void pji_steps_fini(struct pji_steps *steps)
{
    free(steps->t_ns);
    free(steps->energy_j);
    free(steps->weight);
    *steps = (struct pji_steps){0};
}

int64_t pji_blur_ns(const struct pji_channel *channel)
{
    bool blurs = channel->kind == PJI_GAUGE && channel->refresh_ns > 0 &&
                 2 * channel->lag_ns > 3 * channel->refresh_ns;
    return blurs ? 2 * channel->lag_ns - channel->refresh_ns : 0;
}

double pji_step_s(const struct pji_steps *steps, size_t k)
{
    return pji_s_from_ns(steps->t_ns[k + 1] - steps->t_ns[k]);
}
