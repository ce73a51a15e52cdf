#include "lab/pilot.h"

#include "core/array.h"
#include "core/str.h"
#include "core/units.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* One task in one cell: running mean and sum of squared deviations (Welford). */
struct spread {
    char *task;
    size_t cell;
    double n, mean, squares;
};

struct reader {
    struct pji_pilot *pilot;
    struct pji_store *store;
    struct spread *spreads;
    size_t n_spreads, cap_spreads;
    size_t cell; /* of the trial being read */
    double dur_s, energy_j, size_b;
};

/* ---- one trial ---- */

static pj_status on_attempt(void *context, const struct pji_attempt_row *row, struct pj_error *err)
{
    struct reader *r = context;
    (void)err;
    r->dur_s = pji_s_from_ns(row->end_ns - row->start_ns); /* the last one counts */
    return PJ_OK;
}

static pj_status on_energy(void *context, const struct pji_energy_row *row, struct pj_error *err)
{
    struct reader *r = context;
    (void)err;
    if (strcmp(row->phase, "trial") == 0 && strcmp(row->name, "total") == 0 &&
        row->energy.origin != PJ_ORIGIN_MISSING)
        r->energy_j = row->energy.value_j;
    return PJ_OK;
}

static pj_status on_artefact(void *context, const struct pji_artefact_row *row,
                             struct pj_error *err)
{
    struct reader *r = context;
    (void)err;
    r->size_b += row->size_b > 0 ? (double)row->size_b : 0.0;
    return PJ_OK;
}

static struct spread *spread_of(struct reader *r, const char *task, struct pj_error *err)
{
    for (size_t i = 0; i < r->n_spreads; i++)
        if (r->spreads[i].cell == r->cell && strcmp(r->spreads[i].task, task) == 0)
            return &r->spreads[i];
    if (pji_array_reserve(&r->spreads, &r->cap_spreads, r->n_spreads + 1, sizeof *r->spreads, err))
        return NULL;
    struct spread *s = &r->spreads[r->n_spreads];
    *s = (struct spread){.task = pji_dup(task, err), .cell = r->cell};
    if (!s->task)
        return NULL;
    r->n_spreads++;
    return s;
}

static pj_status on_metric(void *context, const struct pji_metric_row *row, struct pj_error *err)
{
    struct reader *r = context;
    if (strcmp(row->name, "energy_j") != 0 || !isfinite(row->value))
        return PJ_OK;
    struct spread *s = spread_of(r, row->task, err);
    if (!s)
        return PJ_ENOMEM;
    double from = row->value - s->mean;
    s->n += 1;
    s->mean += from / s->n;
    s->squares += from * (row->value - s->mean);
    return PJ_OK;
}

static char *key_of(const char *const *levels, size_t n, struct pj_error *err)
{
    struct pji_str key = {0};
    for (size_t f = 0; f < n; f++)
        pji_str_addf(&key, "%s\x1f", levels[f]);
    char *text = pji_str_ok(&key, err) ? NULL : pji_str_take(&key);
    pji_str_fini(&key);
    return text;
}

static pj_status find_cell(struct reader *r, const char *const *levels, struct pj_error *err)
{
    struct pji_pilot *p = r->pilot;
    char *key = key_of(levels, p->n_factors, err);
    if (!key)
        return PJ_ENOMEM;
    for (r->cell = 0; r->cell < p->n; r->cell++)
        if (strcmp(p->cells[r->cell].key, key) == 0)
            break;
    if (r->cell < p->n) {
        free(key);
        return PJ_OK;
    }
    pj_status st = pji_array_reserve(&p->cells, &p->cap, p->n + 1, sizeof *p->cells, err);
    if (st) {
        free(key);
        return st;
    }
    p->cells[p->n++] = (struct pji_pilot_cell){.key = key};
    return PJ_OK;
}

static void add_to(struct pji_pilot_cell *cell, const struct reader *r)
{
    cell->trials += 1;
    cell->dur_s += r->dur_s;
    cell->size_b += r->size_b;
    if (isfinite(r->energy_j)) {
        cell->energy_j += r->energy_j;
        cell->metered += 1;
    }
}

static pj_status on_trial(void *context, const struct pji_trial *trial, struct pj_error *err)
{
    struct reader *r = context;
    int64_t attempt = 0;
    if (trial->state != PJI_TRIAL_DONE)
        return PJ_OK;
    r->dur_s = r->size_b = 0;
    r->energy_j = (double)NAN;
    pj_status st = find_cell(r, trial->levels, err);
    if (st == PJ_OK)
        st = pji_store_last_attempt(r->store, trial->id, &attempt, err);
    if (st == PJ_OK)
        st = pji_store_each_attempt(r->store, trial->id, on_attempt, r, err);
    if (st == PJ_OK)
        st = pji_store_each_energy(r->store, attempt, on_energy, r, err);
    if (st == PJ_OK)
        st = pji_store_each_artefact(r->store, attempt, on_artefact, r, err);
    if (st == PJ_OK)
        st = pji_store_each_metric(r->store, attempt, on_metric, r, err);
    if (st == PJ_OK) {
        add_to(&r->pilot->cells[r->cell], r);
        add_to(&r->pilot->all, r);
    }
    return st;
}

static pj_status on_factor(void *context, const char *name, const char *const *levels, size_t n,
                           struct pj_error *err)
{
    struct pji_pilot *p = ((struct reader *)context)->pilot;
    (void)levels;
    (void)n;
    pj_status st =
        pji_array_reserve(&p->factors, &p->cap_factors, p->n_factors + 1, sizeof *p->factors, err);
    if (st)
        return st;
    p->factors[p->n_factors] = pji_dup(name, err);
    return p->factors[p->n_factors++] ? PJ_OK : PJ_ENOMEM;
}

/* ---- all trials ---- */

static struct pji_pilot_scatter *scatter_of(struct pji_pilot *p, const char *task,
                                            struct pj_error *err)
{
    for (size_t i = 0; i < p->n_scatter; i++)
        if (strcmp(p->scatter[i].task, task) == 0)
            return &p->scatter[i];
    if (pji_array_reserve(&p->scatter, &p->cap_scatter, p->n_scatter + 1, sizeof *p->scatter, err))
        return NULL;
    p->scatter[p->n_scatter] = (struct pji_pilot_scatter){.task = pji_dup(task, err)};
    return p->scatter[p->n_scatter].task ? &p->scatter[p->n_scatter++] : NULL;
}

static pj_status pool(struct reader *r, struct pj_error *err)
{
    for (size_t i = 0; i < r->n_spreads; i++) {
        const struct spread *s = &r->spreads[i];
        struct pji_pilot_scatter *scatter = scatter_of(r->pilot, s->task, err);
        if (!scatter)
            return PJ_ENOMEM;
        if (s->n < 2 || !(s->mean > 0))
            continue;
        scatter->df += s->n - 1;
        scatter->cv += s->squares / (s->mean * s->mean); /* (n - 1) cv^2 */
    }
    for (size_t i = 0; i < r->pilot->n_scatter; i++) {
        struct pji_pilot_scatter *s = &r->pilot->scatter[i];
        s->cv = s->df > 0 ? sqrt(s->cv / s->df) : (double)NAN;
    }
    return PJ_OK;
}

static int by_key(const void *a, const void *b)
{
    return strcmp(((const struct pji_pilot_cell *)a)->key, ((const struct pji_pilot_cell *)b)->key);
}

static pj_status read_window(struct pji_pilot *pilot, struct pji_store *store, struct pj_error *err)
{
    char *window = NULL;
    pj_status st = pji_store_get_meta(store, "window", &window, err);
    pilot->steady = st == PJ_OK && strcmp(window, "steady") == 0;
    free(window);
    return st == PJI_STORE_NONE ? PJ_OK : st;
}

pj_status pji_pilot_read(struct pji_pilot *pilot, struct pji_store *store, struct pj_error *err)
{
    struct reader r = {.pilot = pilot, .store = store};
    *pilot = (struct pji_pilot){0};
    pj_status st = pji_store_each_factor(store, on_factor, &r, err);
    if (st == PJ_OK)
        st = read_window(pilot, store, err);
    if (st == PJ_OK)
        st = pji_store_size(store, &pilot->database_b, err);
    if (st == PJ_OK)
        st = pji_store_each_trial(store, on_trial, &r, err);
    if (st == PJ_OK && pilot->n == 0)
        st = pji_fail(err, PJ_EINVAL, "no trial of %s is done: it is no pilot yet",
                      pji_store_dir(store));
    if (st == PJ_OK)
        st = pool(&r, err);
    for (size_t i = 0; i < r.n_spreads; i++)
        free(r.spreads[i].task);
    free(r.spreads);
    if (st)
        pji_pilot_fini(pilot);
    else
        qsort(pilot->cells, pilot->n, sizeof *pilot->cells, by_key);
    return st;
}

void pji_pilot_fini(struct pji_pilot *p)
{
    for (size_t i = 0; i < p->n_factors; i++)
        free(p->factors[i]);
    for (size_t i = 0; i < p->n; i++)
        free(p->cells[i].key);
    for (size_t i = 0; i < p->n_scatter; i++)
        free(p->scatter[i].task);
    free(p->factors);
    free(p->cells);
    free(p->scatter);
    *p = (struct pji_pilot){0};
}

/* ---- the next study ---- */

static bool same_factors(const struct pji_pilot *pilot, const struct pji_study *study)
{
    bool same = pilot->n_factors == study->n_factors;
    for (size_t f = 0; f < study->n_factors && same; f++)
        same = strcmp(pilot->factors[f], study->factors[f].name) == 0;
    return same;
}

static void add_trials(struct pji_pilot_estimate *out, const struct pji_pilot *pilot,
                       const struct pji_pilot_cell *cell, double trials)
{
    const struct pji_pilot_cell *energy = cell->metered > 0 ? cell : &pilot->all;
    out->dur_s += trials * cell->dur_s / cell->trials;
    out->disk_b += trials * (cell->size_b / cell->trials + pilot->database_b / pilot->all.trials);
    out->energy_j +=
        trials * (energy->metered > 0 ? energy->energy_j / energy->metered : (double)NAN);
}

pj_status pji_pilot_estimate(const struct pji_pilot *pilot, const struct pji_study *study,
                             const struct pji_plan *plan, struct pji_pilot_estimate *out,
                             struct pj_error *err)
{
    double per_cell = (double)plan->n_trials / (double)plan->n_cells;
    bool same = same_factors(pilot, study);
    *out = (struct pji_pilot_estimate){0};
    if (pilot->steady != pji_study_steady(study))
        return pji_fail(err, PJ_EINVAL,
                        "the pilot measured %s and this study measures %s: its figures say nothing "
                        "about this one",
                        pilot->steady ? "the steady part of its tasks" : "whole tasks",
                        pilot->steady ? "whole tasks" : "the steady part of its tasks");
    const char **levels = pji_zalloc(study->n_factors + 1, sizeof *levels, err);
    pj_status st = levels ? PJ_OK : PJ_ENOMEM;
    for (size_t c = 0; c < plan->n_cells && st == PJ_OK; c++) {
        const struct pji_pilot_cell *found = NULL;
        for (size_t f = 0; f < study->n_factors; f++)
            levels[f] = study->factors[f].levels[plan->cell_levels[c * plan->n_factors + f]];
        char *key = same ? key_of(levels, study->n_factors, err) : NULL;
        if (same && !key)
            st = PJ_ENOMEM;
        if (key)
            found = bsearch(&(struct pji_pilot_cell){.key = key}, pilot->cells, pilot->n,
                            sizeof *pilot->cells, by_key);
        out->matched += found != NULL;
        add_trials(out, pilot, found ? found : &pilot->all, per_cell);
        free(key);
    }
    free(levels);
    return st;
}
