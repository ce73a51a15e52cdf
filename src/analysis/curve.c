/* analysis/curve.c - see curve.h. */
#include "analysis/curve.h"

#include "core/array.h"
#include "core/str.h"
#include "core/units.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Shortest step that is drawn: readings at the edges of windows come closer than that. */
enum { MIN_STEP_NS = 50000000 };

struct find {
    const char *dir;
    struct pji_str path;
};

static pj_status on_artefact(void *context, const struct pji_artefact_row *row,
                             struct pj_error *err)
{
    struct find *find = context;
    (void)err;
    if (strcmp(row->name, "trace.jsonl") == 0)
        pji_str_addf(&find->path, "%s/%s", find->dir, row->path);
    return PJ_OK;
}

struct phase_visit {
    struct pji_curve *curve;
    int64_t zero_ns;
};

static pj_status on_phase(void *context, const struct pji_phase_row *row, struct pj_error *err)
{
    struct phase_visit *visit = context;
    struct pji_curve *curve = visit->curve;
    struct pji_curve_phase *grown =
        realloc(curve->phases, (curve->n_phases + 1) * sizeof *curve->phases);
    if (grown == NULL)
        return pji_fail(err, PJ_ENOMEM, "out of memory");
    curve->phases = grown;
    struct pji_curve_phase *phase = &grown[curve->n_phases++];
    snprintf(phase->name, sizeof phase->name, "%s%s%s", row->name, row->task[0] != '\0' ? " " : "",
             row->task);
    phase->start_s = pji_s_from_ns(row->start_ns - visit->zero_ns);
    phase->end_s = pji_s_from_ns(row->end_ns - visit->zero_ns);
    return PJ_OK;
}

/* The first channel of the cover gives the time steps; the others are read at the same edges. */
static pj_status fill(struct pji_curve *curve, const struct pji_trace *trace, struct pj_error *err)
{
    size_t n_channels = trace->header.n_channels;
    struct pj_energy *energies = pji_zalloc(n_channels + 1, sizeof *energies, err);
    bool *in_total = pji_zalloc(n_channels + 1, sizeof *in_total, err);
    const struct pji_series *base = NULL;
    struct pji_total total = {0};
    pj_status status = energies != NULL && in_total != NULL ? PJ_OK : PJ_ENOMEM;
    if (status == PJ_OK)
        pji_ledger_cover(trace->header.channels, n_channels, false, in_total);
    for (size_t i = 0; status == PJ_OK && i < n_channels; i++) {
        if (in_total[i] && (base == NULL || trace->series[i].n > base->n))
            base = &trace->series[i];
    }
    if (status == PJ_OK && (base == NULL || base->n < 2))
        status = PJI_CURVE_NONE;
    if (status == PJ_OK && base != NULL) {
        curve->t_s = pji_zalloc(base->n, sizeof *curve->t_s, err);
        curve->power_w = pji_zalloc(base->n, sizeof *curve->power_w, err);
        status = curve->t_s != NULL && curve->power_w != NULL ? PJ_OK : PJ_ENOMEM;
        int64_t from_ns = base->points[0].t_ns;
        curve->start_s = pji_s_from_ns(from_ns - trace->header.t_ns);
        for (size_t i = 1; i < base->n && status == PJ_OK; i++) {
            int64_t to_ns = base->points[i].t_ns;
            if (to_ns - from_ns < MIN_STEP_NS)
                continue;
            pji_trace_window(trace, from_ns, to_ns, false, energies, in_total, &total);
            if (total.energy.origin != PJ_ORIGIN_MISSING) {
                curve->modelled = curve->modelled || total.energy.origin == PJ_ORIGIN_MODELLED;
                curve->t_s[curve->n] = pji_s_from_ns(to_ns - trace->header.t_ns);
                curve->power_w[curve->n++] = total.energy.value_j / pji_s_from_ns(to_ns - from_ns);
            }
            from_ns = to_ns;
        }
    }
    free(energies);
    free(in_total);
    return status;
}

pj_status pji_curve_make(struct pji_curve *curve, struct pji_store *store, int64_t attempt,
                         struct pj_error *err)
{
    struct find find = {.dir = pji_store_dir(store)};
    struct pji_trace trace = {0};
    *curve = (struct pji_curve){0};
    pj_status status = pji_store_each_artefact(store, attempt, on_artefact, &find, err);
    if (status == PJ_OK)
        status = find.path.len == 0 ? PJI_CURVE_NONE : pji_str_ok(&find.path, err);
    if (status == PJ_OK) {
        status = pji_trace_load(&trace, pji_str_text(&find.path), err);
        if (status == PJ_OK)
            status = fill(curve, &trace, err);
        struct phase_visit visit = {curve, trace.header.t_ns};
        if (status == PJ_OK)
            status = pji_store_each_phase(store, attempt, on_phase, &visit, err);
        pji_trace_fini(&trace);
    }
    pji_str_fini(&find.path);
    if (status != PJ_OK)
        pji_curve_fini(curve);
    return status;
}

void pji_curve_fini(struct pji_curve *curve)
{
    free(curve->t_s);
    free(curve->power_w);
    free(curve->phases);
    *curve = (struct pji_curve){0};
}
