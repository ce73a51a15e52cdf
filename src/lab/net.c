#include "lab/net.h"

#include "core/array.h"
#include "core/units.h"
#include "evidence/gates.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- one window ---- */

static void void_net(struct pji_net *out, enum pji_net_verdict verdict, const char *reason)
{
    out->verdict = verdict;
    pji_energy_missing(&out->energy, reason);
}

static double middle_s(int64_t start_ns, int64_t end_ns)
{
    return pji_s_from_ns(start_ns) + pji_s_from_ns(end_ns - start_ns) / 2;
}

/* Where a window lies between two baselines: the weight of the second. */
struct line {
    double weight, dur_s;
};

static struct line line_between(int64_t start_ns, int64_t end_ns,
                                const struct pji_idle_power *before,
                                const struct pji_idle_power *after)
{
    double t_a = middle_s(before->start_ns, before->end_ns);
    double t_b = middle_s(after->start_ns, after->end_ns);
    return (struct line){.weight = (middle_s(start_ns, end_ns) - t_a) / (t_b - t_a),
                         .dur_s = pji_s_from_ns(end_ns - start_ns)};
}

/* What the idle machine would have taken, from the power before and after. */
static struct pj_energy idle_energy(struct line line, const struct pj_energy *a,
                                    const struct pj_energy *b)
{
    double w = line.weight, dur_s = line.dur_s;
    struct pj_energy out = *a;
    out.value_j = dur_s * ((1 - w) * a->value_j + w * b->value_j);
    out.u_ind_j = dur_s * hypot((1 - w) * a->u_ind_j, w * b->u_ind_j);
    out.u_com_j = dur_s * ((1 - w) * a->u_com_j + w * b->u_com_j);
    out.u_gain_j = dur_s * ((1 - w) * a->u_gain_j + w * b->u_gain_j);
    out.origin = a->origin > b->origin ? a->origin : b->origin;
    out.quality = a->quality | b->quality;
    return out;
}

static const struct pj_energy *part_of(const struct pji_net_parts *parts, const char *name)
{
    for (size_t i = 0; i < parts->n; i++)
        if (strcmp(parts->items[i].name, name) == 0)
            return &parts->items[i].energy;
    return NULL;
}

/* The common uncertainty of the difference, instrument by instrument. */
static void share(struct pj_energy *net, const struct pji_net_parts *gross, struct line line,
                  const struct pji_idle_power *before, const struct pji_idle_power *after)
{
    struct pj_energy sum = {0};
    for (size_t i = 0; i < gross->n; i++) {
        const struct pj_energy *a = part_of(&before->parts, gross->items[i].name);
        const struct pj_energy *b = part_of(&after->parts, gross->items[i].name);
        if (a == NULL || b == NULL || a->origin == PJ_ORIGIN_MISSING ||
            b->origin == PJ_ORIGIN_MISSING || gross->items[i].energy.origin == PJ_ORIGIN_MISSING)
            return;
        struct pj_energy idle = idle_energy(line, a, b), part;
        pji_energy_sub(&part, &gross->items[i].energy, &idle);
        pji_energy_add(&sum, &part);
    }
    if (gross->n == 0)
        return;
    net->u_com_j = sum.u_com_j;
    net->u_gain_j = sum.u_gain_j;
    memcpy(net->com_id, sum.com_id, sizeof net->com_id);
}

static bool too_old(struct pji_net *out, int64_t start_ns, int64_t end_ns,
                    const struct pji_idle_power *before, const struct pji_idle_power *after)
{
    int64_t since_ns = start_ns - before->end_ns, until_ns = after->start_ns - end_ns;
    if (since_ns <= PJI_NET_OLD_NS && until_ns <= PJI_NET_OLD_NS)
        return false;
    snprintf(out->detail, sizeof out->detail,
             "the baselines end %.1f min before the window and begin %.1f min after it (limit 30)",
             pji_s_from_ns(since_ns) / 60, pji_s_from_ns(until_ns) / 60);
    void_net(out, PJI_NET_OLD, "a baseline is more than 30 min from the window");
    return true;
}

static bool drifts(struct pji_net *out, const struct pj_energy *gross, double dur_s,
                   const struct pji_idle_power *before, const struct pji_idle_power *after)
{
    double moved_w = after->per_s.value_j - before->per_s.value_j;
    out->drift_share = fabs(moved_w) * dur_s / gross->value_j;
    if (gross->value_j > 0 && out->drift_share <= PJI_NET_DRIFT_SHARE)
        return false;
    snprintf(out->detail, sizeof out->detail,
             "idle power went from %.2f to %.2f W, %.1f %% of the gross energy (limit 2 %%)",
             before->per_s.value_j, after->per_s.value_j, 100 * out->drift_share);
    void_net(out, PJI_NET_DRIFT, "idle power moved by more than 2 % of the gross energy");
    return true;
}

/* A reason that there is nothing to compute with; NULL: there is. */
static const char *lacking(const struct pj_energy *gross, const struct pji_idle_power *before,
                           const struct pji_idle_power *after)
{
    if (gross->origin == PJ_ORIGIN_MISSING)
        return gross->reason;
    if (before == NULL)
        return "there is no idle baseline with an energy before the window";
    if (after == NULL)
        return "there is no idle baseline with an energy after the window";
    if (strcmp(before->per_s.com_id, gross->com_id) != 0 ||
        strcmp(after->per_s.com_id, gross->com_id) != 0)
        return "the baselines were not measured by the instruments of the window";
    return NULL;
}

void pji_net_compute(struct pji_net *out, const struct pj_energy *gross,
                     const struct pji_net_parts *parts, int64_t start_ns, int64_t end_ns,
                     const struct pji_idle_power *before, const struct pji_idle_power *after)
{
    *out = (struct pji_net){.idle_w = (double)NAN, .drift_share = (double)NAN};
    const char *why = lacking(gross, before, after);
    double dur_s = pji_s_from_ns(end_ns - start_ns);
    if (why == NULL && dur_s <= 0)
        why = "the window is empty";
    if (why != NULL) {
        void_net(out, PJI_NET_MISSING, why);
        return;
    }
    if (too_old(out, start_ns, end_ns, before, after) || drifts(out, gross, dur_s, before, after))
        return;
    struct line line = line_between(start_ns, end_ns, before, after);
    struct pj_energy idle = idle_energy(line, &before->per_s, &after->per_s);
    out->idle_w = idle.value_j / dur_s;
    pji_energy_sub(&out->energy, gross, &idle);
    if (parts != NULL)
        share(&out->energy, parts, line, before, after);
    double u_j = pj_energy_u(&out->energy);
    if (out->energy.value_j >= -2 * u_j)
        return;
    out->verdict = PJI_NET_NEGATIVE;
    snprintf(out->detail, sizeof out->detail,
             "gross %.4g J less %.4g J of the idle machine is %.4g J, with u = %.2g J",
             gross->value_j, idle.value_j, out->energy.value_j, u_j);
}

/* ---- from the records ---- */

struct window {
    char *task;
    int64_t start_ns, end_ns;
    struct pj_energy gross;
    struct pji_net_parts parts;
    bool known, has_net;
    double net_j; /* that is there; NaN: it is missing */
};

struct record {
    int64_t attempt;
    bool done;
    char boot_id[48];
    struct window *windows;
    size_t n, cap;
    struct pji_idle_power idle[2]; /* before, after */
    bool has_idle[2];
};

struct records {
    struct pji_store *store;
    int64_t only; /* windows of this attempt, and all baselines; 0: windows of all that are done */
    struct record *items;
    size_t n, cap;
};

static const char *const idle_phase[2] = {"baseline_before", "baseline_after"};

static struct window *window_of(struct record *r, const char *task)
{
    for (size_t i = 0; i < r->n; i++)
        if (strcmp(r->windows[i].task, task) == 0)
            return &r->windows[i];
    return NULL;
}

static pj_status on_phase(void *context, const struct pji_phase_row *row, struct pj_error *err)
{
    struct record *r = context;
    for (size_t k = 0; k < 2; k++) {
        if (strcmp(row->name, idle_phase[k]) != 0)
            continue;
        r->idle[k].start_ns = row->start_ns;
        r->idle[k].end_ns = row->end_ns;
        r->has_idle[k] = row->end_ns > row->start_ns;
        pji_energy_missing(&r->idle[k].per_s, "the baseline has no energy");
    }
    if (strcmp(row->name, "measure") != 0 || !r->done)
        return PJ_OK;
    pj_status status = pji_array_reserve(&r->windows, &r->cap, r->n + 1, sizeof *r->windows, err);
    if (status != PJ_OK)
        return status;
    struct window *w = &r->windows[r->n];
    *w = (struct window){.start_ns = row->start_ns, .end_ns = row->end_ns};
    w->task = pji_dup(row->task, err);
    r->n += w->task != NULL;
    return w->task != NULL ? PJ_OK : PJ_ENOMEM;
}

static pj_status add_part(struct pji_net_parts *parts, const struct pji_energy_row *row,
                          double scale, struct pj_error *err)
{
    pj_status status =
        pji_array_reserve(&parts->items, &parts->cap, parts->n + 1, sizeof *parts->items, err);
    if (status != PJ_OK)
        return status;
    struct pji_net_part *part = &parts->items[parts->n++];
    snprintf(part->name, sizeof part->name, "%s", row->name);
    part->energy = row->energy;
    part->energy.value_j *= scale;
    part->energy.u_ind_j *= scale;
    part->energy.u_com_j *= scale;
    part->energy.u_gain_j *= scale;
    return PJ_OK;
}

static pj_status on_energy(void *context, const struct pji_energy_row *row, struct pj_error *err)
{
    struct record *r = context;
    bool total = strcmp(row->name, "total") == 0;
    pj_status status = PJ_OK;
    if (!total && !row->in_total)
        return PJ_OK;
    for (size_t k = 0; k < 2 && status == PJ_OK; k++) {
        struct pji_idle_power *p = &r->idle[k];
        if (strcmp(row->phase, idle_phase[k]) != 0 || !r->has_idle[k])
            continue;
        status = add_part(&p->parts, row, 1 / pji_s_from_ns(p->end_ns - p->start_ns), err);
        if (status == PJ_OK && total)
            p->per_s = p->parts.items[--p->parts.n].energy;
    }
    struct window *w = strcmp(row->phase, "measure") == 0 ? window_of(r, row->task) : NULL;
    if (w != NULL && status == PJ_OK && total) {
        w->gross = row->energy;
        w->known = true;
    } else if (w != NULL && status == PJ_OK) {
        status = add_part(&w->parts, row, 1, err);
    }
    return status;
}

/* The scatter of idle power is in the figure's uncertainty only. */
static pj_status on_metric(void *context, const struct pji_metric_row *row, struct pj_error *err)
{
    struct record *r = context;
    (void)err;
    for (size_t k = 0; k < 2; k++) {
        size_t len = strlen(idle_phase[k]);
        if (strncmp(row->name, idle_phase[k], len) == 0 && !isnan(row->value) &&
            strcmp(row->name + len, "_power_w") == 0)
            r->idle[k].per_s.u_ind_j = row->u_ind;
    }
    struct window *w = strcmp(row->name, "energy_net_j") == 0 ? window_of(r, row->task) : NULL;
    if (w != NULL) {
        w->has_net = true;
        w->net_j = row->value;
    }
    return PJ_OK;
}

static pj_status on_fact(void *context, const char *key, const char *value, struct pj_error *err)
{
    struct record *r = context;
    (void)err;
    if (strcmp(key, "boot_id") == 0)
        snprintf(r->boot_id, sizeof r->boot_id, "%s", value);
    return PJ_OK;
}

static pj_status on_attempt(void *context, const struct pji_attempt_row *row, struct pj_error *err)
{
    struct records *all = context;
    pj_status status =
        pji_array_reserve(&all->items, &all->cap, all->n + 1, sizeof *all->items, err);
    if (status != PJ_OK)
        return status;
    struct record *r = &all->items[all->n++];
    bool done = all->only != 0 ? row->id == all->only : row->state == PJI_TRIAL_DONE;
    *r = (struct record){.attempt = row->id, .done = done};
    status = pji_store_each_phase(all->store, row->id, on_phase, r, err);
    if (status == PJ_OK && !done && !r->has_idle[0] && !r->has_idle[1]) {
        all->n--; /* nothing of it is looked at */
        return PJ_OK;
    }
    if (status == PJ_OK)
        status = pji_store_each_energy(all->store, row->id, on_energy, r, err);
    if (status == PJ_OK)
        status = pji_store_each_metric(all->store, row->id, on_metric, r, err);
    return status == PJ_OK ? pji_store_each_fact(all->store, row->id, on_fact, r, err) : status;
}

/* The nearest baselines of the same boot: times of another one are on another clock. */
static void neighbours(const struct records *all, const struct record *r, const struct window *w,
                       const struct pji_idle_power **before, const struct pji_idle_power **after)
{
    *before = *after = NULL;
    for (size_t i = 0; i < 2 * all->n; i++) {
        const struct record *other = &all->items[i / 2];
        const struct pji_idle_power *p = &other->idle[i % 2];
        if (!other->has_idle[i % 2] || p->per_s.origin == PJ_ORIGIN_MISSING ||
            strcmp(other->boot_id, r->boot_id) != 0)
            continue;
        if (p->end_ns <= w->start_ns && (*before == NULL || p->end_ns > (*before)->end_ns))
            *before = p;
        if (p->start_ns >= w->end_ns && (*after == NULL || p->start_ns < (*after)->start_ns))
            *after = p;
    }
}

static void record_fini(struct record *r)
{
    for (size_t i = 0; i < r->n; i++) {
        free(r->windows[i].task);
        free(r->windows[i].parts.items);
    }
    for (size_t k = 0; k < 2; k++)
        free(r->idle[k].parts.items);
    free(r->windows);
}

static void records_fini(struct records *all)
{
    for (size_t i = 0; i < all->n; i++)
        record_fini(&all->items[i]);
    free(all->items);
}

/* ---- into the records ---- */

static pj_status put_share(struct pji_store *store, int64_t attempt, const char *task,
                           const char *name, double value, const char *reason, struct pj_error *err)
{
    struct pji_metric_row row = {.task = task,
                                 .name = name,
                                 .value = value,
                                 .origin = "",
                                 .reason = isnan(value) ? reason : ""};
    return pji_store_add_metric(store, attempt, &row, err);
}

static pj_status put_gate(struct pji_store *store, int64_t attempt, const struct pji_net *net,
                          struct pj_error *err)
{
    const char *code = net->verdict == PJI_NET_OLD        ? "baseline_old"
                       : net->verdict == PJI_NET_DRIFT    ? "baseline_drift"
                       : net->verdict == PJI_NET_NEGATIVE ? "net_negative"
                                                          : NULL;
    const struct pji_gate_def *gate = code != NULL ? pji_gate_find(code) : NULL;
    if (gate == NULL)
        return PJ_OK;
    struct pji_gate_row row = {.code = gate->code,
                               .consequence = pji_gate_consequence_name(gate->consequence),
                               .detail = net->detail};
    pj_status status = pji_store_add_gate(store, attempt, &row, err);
    if (status == PJ_OK && gate->consequence == PJI_GATE_INVALID)
        status = pji_store_invalidate(store, attempt, gate->code, err);
    return status;
}

static pj_status put_figures(struct pji_store *store, int64_t attempt, const char *task,
                             const struct pji_net *net, struct pj_error *err)
{
    struct pji_metric_row row = pji_metric_per(task, "energy_net_j", &net->energy, 1, "");
    pj_status status = pji_store_add_metric(store, attempt, &row, err);
    if (status == PJ_OK)
        status = put_share(store, attempt, task, "baseline_power_w", net->idle_w,
                           net->energy.reason, err);
    if (status == PJ_OK)
        status = put_share(store, attempt, task, "baseline_drift_share", net->drift_share,
                           net->energy.reason, err);
    return status;
}

static pj_status store_record(const struct records *all, const struct record *r, bool last,
                              struct pj_error *err)
{
    pj_status status = PJ_OK;
    for (size_t i = 0; i < r->n && status == PJ_OK; i++) {
        const struct window *w = &r->windows[i];
        const struct pji_idle_power *before, *after;
        struct pji_net net;
        neighbours(all, r, w, &before, &after);
        if (!w->known || w->has_net || (after == NULL && !last))
            continue;
        pji_net_compute(&net, &w->gross, &w->parts, w->start_ns, w->end_ns, before, after);
        status = put_figures(all->store, r->attempt, w->task, &net, err);
        if (status == PJ_OK)
            status = put_gate(all->store, r->attempt, &net, err);
    }
    return status;
}

pj_status pji_net_store(struct pji_store *store, bool last, struct pj_error *err)
{
    struct records all = {.store = store};
    pj_status status = pji_store_each_attempt(store, 0, on_attempt, &all, err);
    if (status == PJ_OK)
        status = pji_store_begin(store, err);
    bool open = status == PJ_OK;
    for (size_t i = 0; i < all.n && status == PJ_OK; i++)
        status = store_record(&all, &all.items[i], last, err);
    if (status == PJ_OK)
        status = pji_store_commit(store, err);
    if (status != PJ_OK && open)
        pji_store_rollback(store);
    records_fini(&all);
    return status;
}

pj_status pji_net_again(struct pji_store *from, int64_t attempt, struct pji_store *into,
                        int64_t into_attempt, struct pj_error *err)
{
    struct records all = {.store = from, .only = attempt};
    pj_status status = pji_store_each_attempt(from, 0, on_attempt, &all, err);
    for (size_t i = 0; i < all.n && status == PJ_OK; i++) {
        const struct record *r = &all.items[i];
        for (size_t k = 0; r->attempt == attempt && k < r->n && status == PJ_OK; k++) {
            const struct window *w = &r->windows[k];
            const struct pji_idle_power *before, *after;
            struct pji_net net;
            if (!w->known || !w->has_net || isnan(w->net_j))
                continue;
            neighbours(&all, r, w, &before, &after);
            pji_net_compute(&net, &w->gross, &w->parts, w->start_ns, w->end_ns, before, after);
            status = put_figures(into, into_attempt, w->task, &net, err);
        }
    }
    records_fini(&all);
    return status;
}
