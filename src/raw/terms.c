#include "raw/terms.h"

#include "core/units.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

struct rows {
    size_t first, last;
};

static double joules(const struct pj_energy *energy)
{
    return energy->origin != PJ_ORIGIN_MISSING ? energy->value_j : 0;
}

/* Sums over one counter the four ways that do not repair, and the one that does. */
static void add_counter(double sums_j[PJI_TERMS_WRAPS], const double *v,
                        const struct pji_raw_modulus *modulus, struct rows rows)
{
    size_t before = rows.first;
    for (size_t i = rows.first + 1; i <= rows.last; i++) {
        if (isnan(v[i]))
            continue;
        if (isnan(v[before])) {
            before = i;
            continue;
        }
        double step_j = v[i] - v[before];
        bool wrap = pji_raw_modulus_wraps(modulus, v[before], v[i]);
        sums_j[PJI_TERMS_REPAIRED] += wrap ? step_j + modulus->modulus_j : step_j;
        sums_j[PJI_TERMS_RAW_COUNTER] += step_j < 0 ? v[i] : step_j;
        sums_j[PJI_TERMS_DROPPED] += step_j < 0 ? 0 : step_j;
        sums_j[PJI_TERMS_SIGNED] += step_j;
        before = i;
    }
}

static void take_cpu(struct pji_terms *terms, const struct pji_raw_run *run,
                     enum pji_terms_window window, struct rows rows, double repaired_j)
{
    const struct pji_raw_energies *e = &run->energies;
    double all_j = 0;
    for (size_t edge = 0; edge < PJI_TERMS_EDGES; edge++) {
        double *sums_j = terms->cpu_j[window][edge];
        for (size_t c = 0; c < e->n; c++) {
            if (e->channels[c].domain_kind == PJI_DOMAIN_PACKAGE &&
                e->channels[c].kind == PJI_COUNTER && run->windows[PJI_RAW_WHOLE].in_total[c])
                add_counter(sums_j, run->samples.columns[e->column[c]].values, &e->modulus[c],
                            rows);
        }
        sums_j[PJI_TERMS_SIGN_LOST] = fabs(sums_j[PJI_TERMS_SIGNED]);
        /* what was bridged is in the repaired energy alone */
        if (edge == PJI_TERMS_ALL)
            all_j = sums_j[PJI_TERMS_REPAIRED];
        sums_j[PJI_TERMS_REPAIRED] += repaired_j - all_j;
        rows.last -= rows.last > rows.first;
    }
}

static double known(double value)
{
    return isfinite(value) ? value : 0;
}

static void take_window(struct pji_terms *terms, const struct pji_raw_run *run,
                        enum pji_terms_window window, enum pji_raw_phase phase, struct rows rows)
{
    const struct pji_raw_window *w = &run->windows[phase];
    double *gpu_j = terms->gpu_j[window];
    take_cpu(terms, run, window, rows, joules(&w->cpu));
    gpu_j[PJI_TERMS_TRAPEZOID] = joules(&w->gpu);
    gpu_j[PJI_TERMS_HOLD] = known(pji_raw_gpu_hold_j(run, rows.first, rows.last));
    gpu_j[PJI_TERMS_ROWS_NOMINAL] =
        known(pji_raw_gpu_rows_j(run, rows.first, rows.last, terms->nominal_s));
    gpu_j[PJI_TERMS_ROWS_MEDIAN] =
        known(pji_raw_gpu_rows_j(run, rows.first, rows.last, run->samples.interval_s));
    terms->dur_s[window] =
        pji_s_from_ns(pji_raw_run_end(run, phase) - pji_raw_run_start(run, phase));
}

static double two_digits(double value)
{
    double unit = pow(10, floor(log10(value)) - 1);
    return unit < 1 ? round(value / unit) / round(1 / unit) : round(value / unit) * unit;
}

/* Mean power between two samples of what is in the total; NaN where a counter fell. */
static double step_w(const struct pji_raw_run *run, size_t i, bool cpu_only)
{
    const struct pji_raw_energies *e = &run->energies;
    double gap_s = pji_s_from_ns(run->samples.t_ns[i + 1] - run->samples.t_ns[i]), sum_w = 0;
    for (size_t c = 0; c < e->n; c++) {
        const double *v = run->samples.columns[e->column[c]].values;
        if (!run->windows[PJI_RAW_MEASURE].in_total[c] ||
            (cpu_only && e->channels[c].domain_kind != PJI_DOMAIN_PACKAGE))
            continue;
        if (e->channels[c].kind == PJI_GAUGE)
            sum_w += (v[i] + v[i + 1]) / 2;
        else
            sum_w += v[i + 1] >= v[i] && gap_s > 0 ? (v[i + 1] - v[i]) / gap_s : (double)NAN;
    }
    return sum_w;
}

void pji_terms_take(struct pji_terms *terms, const struct pji_raw_run *run)
{
    *terms =
        (struct pji_terms){.known = true, .low_w = (double)INFINITY, .cpu_low_w = (double)INFINITY};
    const struct pj_energy *total = &run->windows[PJI_RAW_MEASURE].total.energy;
    terms->nominal_s = two_digits(run->samples.interval_s);
    take_window(terms, run, PJI_TERMS_PROMPTS, PJI_RAW_MEASURE,
                (struct rows){run->first, run->last});
    take_window(terms, run, PJI_TERMS_WHOLE, PJI_RAW_WHOLE, (struct rows){0, run->samples.n - 1});
    terms->energy_j = total->origin != PJ_ORIGIN_MISSING ? total->value_j : (double)NAN;
    terms->u_j = total->origin != PJ_ORIGIN_MISSING ? pj_energy_u(total) : (double)NAN;
    for (size_t i = 0; i < run->prompts.n; i++)
        terms->tokens +=
            run->prompts.items[i].tokens >= 0 ? (double)run->prompts.items[i].tokens : (double)NAN;
    for (size_t i = 0; i + 1 < run->samples.n; i++) {
        double cpu_w = step_w(run, i, true);
        terms->cpu_peak_w = fmax(terms->cpu_peak_w, cpu_w);
        if (i < run->first || i >= run->last)
            continue;
        terms->cpu_low_w = fmin(terms->cpu_low_w, cpu_w);
        terms->cpu_high_w = fmax(terms->cpu_high_w, cpu_w);
        double power_w = step_w(run, i, false);
        terms->low_w = fmin(terms->low_w, power_w);
        terms->high_w = fmax(terms->high_w, power_w);
    }
}
