/* energy/series.c - life of a series, the way of a reading into it, and the total. */
#include "energy/repair.h"

#include "core/array.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static const int64_t time_limit_ns = INT64_C(1) << 62;

pj_status pji_series_init(struct pji_series *series, const struct pji_channel *channel, bool keep,
                          struct pj_error *err)
{
    *series = (struct pji_series){.channel = *channel, .keep = keep};
    bool counter = channel->role == PJI_ROLE_ENERGY || channel->role == PJI_ROLE_UNCERTAINTY;
    if ((counter && channel->kind != PJI_COUNTER) ||
        (channel->role == PJI_ROLE_POWER && channel->kind != PJI_GAUGE)) {
        return pji_fail(err, PJ_EINVAL, "channel %s: its role does not go with its kind",
                        channel->name);
    }
    const int64_t most_ns = time_limit_ns / 4;
    if (channel->lag_ns > most_ns || channel->lag_ns < -most_ns || channel->refresh_ns > most_ns ||
        channel->edge_u_ns > most_ns || channel->edge_u_ns < 0) {
        return pji_fail(err, PJ_EINVAL, "channel %s: its lag or refresh is out of range",
                        channel->name);
    }
    return pji_array_reserve(&series->points, &series->cap, 2, sizeof *series->points, err);
}

void pji_series_fini(struct pji_series *series)
{
    free(series->points);
    free(series->marks);
    *series = (struct pji_series){0};
}

/* ---- points ---- */

pj_status pji_series_mark(struct pji_series *s, size_t i, uint32_t quality, struct pj_error *err)
{
    if (quality == 0) {
        return PJ_OK;
    }
    s->points[i].quality |= quality;
    s->quality |= quality & ~PJI_POINT_GAP;
    if (!s->keep || (s->n_marks > 0 && s->marks[s->n_marks - 1] == i)) {
        return PJ_OK;
    }
    pj_status status =
        pji_array_reserve(&s->marks, &s->cap_marks, s->n_marks + 1, sizeof *s->marks, err);
    if (status == PJ_OK) {
        s->marks[s->n_marks++] = i;
    }
    return status;
}

pj_status pji_series_point(struct pji_series *s, int64_t t_ns, uint32_t quality, int64_t phase_ns,
                           struct pj_error *err)
{
    if (s->keep) {
        pj_status status = pji_array_reserve(&s->points, &s->cap, s->n + 1, sizeof *s->points, err);
        if (status != PJ_OK) {
            return status;
        }
        s->n++;
    } else {
        s->n = s->n < 2 ? s->n + 1 : 2;
    }
    s->points[s->n - 1] = (struct pji_point){
        .t_ns = t_ns - s->channel.lag_ns,
        .energy_uj = pji_series_energy_uj(s),
        .u2_uj2 = s->u2_uj2,
        .phase_ns = phase_ns < UINT32_MAX ? (uint32_t)phase_ns : UINT32_MAX,
    };
    quality |= s->pending;
    s->pending = 0;
    return pji_series_mark(s, s->n - 1, quality, err);
}

uint32_t pji_series_unpoint(struct pji_series *s)
{
    uint32_t quality = s->points[s->n - 1].quality;
    if (s->n_marks > 0 && s->marks[s->n_marks - 1] == s->n - 1) {
        s->n_marks--;
    }
    s->n--;
    return quality;
}

void pji_series_refuse(struct pji_series *s, int64_t t_ns, uint32_t quality)
{
    s->pending |= quality;
    if (s->failed_since_ns == 0) {
        s->failed_since_ns = t_ns != 0 ? t_ns : 1;
    }
}

/* ---- readings ---- */

static pj_status add_raw(struct pji_series *s, int64_t t_ns, int64_t value, struct pj_error *err)
{
    s->started = true;
    s->first_t_ns = s->readings == 0 ? t_ns : s->first_t_ns;
    s->last_value = value;
    s->last_t_ns = t_ns;
    s->failed_since_ns = 0;
    s->readings++;
    pj_status status = pji_series_point(s, t_ns, 0, 0, err);
    if (status == PJ_OK) {
        s->points[s->n - 1].energy_uj = (double)value;
    }
    return status;
}

pj_status pji_series_add(struct pji_series *series, const struct pji_reading *reading,
                         struct pj_error *err)
{
    struct pji_series *s = series;
    int64_t t_ns = reading->t_ns;
    if (t_ns > time_limit_ns || t_ns < -time_limit_ns) {
        return pji_fail(err, PJ_EINVAL, "channel %s: a time stamp is out of range",
                        s->channel.name);
    }
    if (s->gone || (s->seen && t_ns <= s->last_seen_ns)) {
        return PJ_OK;
    }
    if (!s->seen) {
        s->seen = true;
        s->first_seen_ns = t_ns;
    }
    s->last_seen_ns = t_ns;
    switch (reading->status) {
    case PJI_READ_OK:
        break;
    case PJI_READ_GONE:
        s->gone = true;
        s->fail_errno = (int)reading->value;
        return PJ_OK;
    case PJI_READ_FAILED:
        s->fail_errno = (int)reading->value;
        pji_series_refuse(s, t_ns, 0);
        return PJ_OK;
    }
    if (s->channel.role == PJI_ROLE_AUX) {
        return add_raw(s, t_ns, reading->value, err);
    }
    return s->channel.kind == PJI_GAUGE ? pji_power_add(s, t_ns, reading->value, err)
                                        : pji_counter_add(s, t_ns, reading->value, err);
}

void pji_series_suspend(struct pji_series *series, int64_t dur_ns)
{
    if (dur_ns > 0 && dur_ns < time_limit_ns - series->suspended_ns) {
        series->suspended_ns += dur_ns;
    }
}

void pji_series_doubt(struct pji_series *series, double u_uj)
{
    series->ends_u2_uj2 += u_uj * u_uj;
}

/* ---- the total ---- */

void pji_no_value(struct pj_energy *out, const struct pji_series *s)
{
    char reason[PJ_REASON];
    const char *name = pji_errno_name(s->fail_errno);
    if (!s->seen) {
        pji_energy_missing(out, "never read");
    } else if (s->fail_errno != 0) {
        snprintf(reason, sizeof reason,
                 s->gone ? "gone before it was read (%s)" : "every read failed (%s)", name);
        pji_energy_missing(out, reason);
    } else {
        pji_energy_missing(out, "no reading was possible for this instrument");
    }
    out->quality = s->pending;
}

/* Both edges of a total are readings: how old each can be, and how finely it counts. */
static double edges_u2(const struct pji_series *s)
{
    const struct pji_channel *c = &s->channel;
    double first = s->first_power_mw / 1e6, last = s->last_power_mw / 1e6; /* uJ per ns */
    double squares = first * first + last * last, edge_ns = (double)c->edge_u_ns;
    double phase_ns = (double)s->points[0].phase_ns, jump = last - first;
    double late_uj = (double)c->lag_ns < phase_ns / 2 ? jump * phase_ns / 2 : 0;
    if (c->kind == PJI_GAUGE) {
        double counts_uj = c->quantum * (double)(s->last_t_ns - s->first_t_ns) / 1e6;
        phase_ns = (double)s->cadence_ns;
        late_uj = (double)c->lag_ns < phase_ns / 2 ? jump * phase_ns / 2 : 0;
        return counts_uj * counts_uj / 3 + late_uj * late_uj + jump * jump * edge_ns * edge_ns;
    }
    return c->quantum * c->quantum / 6 + squares * phase_ns * phase_ns / 12 + late_uj * late_uj +
           jump * jump * edge_ns * edge_ns;
}

/* What failed readings at the two ends left unread. */
static void bridge_ends(const struct pji_series *s, struct pj_energy *out, double *u2)
{
    int64_t missed_ns = s->first_t_ns - s->first_seen_ns;
    missed_ns += s->gone ? 0 : s->last_seen_ns - s->last_t_ns;
    if (missed_ns > 0) {
        struct pji_bridge bridge = pji_bridge(s, (double)missed_ns, 0);
        out->value_j += bridge.energy_uj / 1e6;
        *u2 += bridge.u2_uj2;
        out->quality |= PJ_QUALITY_BRIDGED;
    }
    if (s->gone) {
        out->quality |= PJ_QUALITY_PARTIAL;
        snprintf(out->reason, sizeof out->reason, "the instrument ended inside the window (%s)",
                 pji_errno_name(s->fail_errno));
    }
}

/* A counter that never moved still hides what it had not published: no bare 0. In a run shorter
 * than its refresh it says nothing but that the power was possible. */
static void unmoved(const struct pji_series *s, struct pj_energy *out, double *u2)
{
    double dur_ns = (double)(s->last_t_ns - s->first_t_ns);
    double bound_mw = pji_bound_mw(s);
    if (s->channel.kind != PJI_COUNTER || s->channel.role != PJI_ROLE_ENERGY || s->steps > 0 ||
        s->total_uj > 0) {
        return;
    }
    if (pji_never_moved(s)) {
        out->quality |= PJ_QUALITY_STALLED;
        *u2 += pji_stall_u2(s, dur_ns, 0);
        return;
    }
    if (dur_ns < (double)s->channel.refresh_ns) {
        out->quality |= PJ_QUALITY_STALLED;
        bound_mw = bound_mw > 0 ? bound_mw : PJI_UNSTATED_MW;
    }
    double hidden_uj = bound_mw * fmin(dur_ns, (double)pji_refresh_ns(s)) / 1e6;
    *u2 += hidden_uj * hidden_uj / 3;
}

static void total_of(const struct pji_series *s, const struct pj_energy *companion,
                     struct pj_energy *out)
{
    if (s->channel.role == PJI_ROLE_AUX) {
        pji_energy_missing(out, "not an energy");
        return;
    }
    if (!s->started || s->n == 0) {
        pji_no_value(out, s);
        return;
    }
    if (s->n < 2) {
        pji_energy_missing(out, "only one reading: no time passed between two");
        out->quality = s->quality | s->pending;
        return;
    }
    *out = (struct pj_energy){.origin = s->channel.origin,
                              .quality = s->quality | s->pending,
                              .value_j = pji_series_energy_uj(s) / 1e6};
    snprintf(out->com_id, sizeof out->com_id, "%s", s->channel.com_id);
    double u2 = s->u2_uj2 + edges_u2(s);
    double stall_ns = pji_stall_ns(s, s->last_t_ns);
    if (stall_ns > 0) {
        out->quality |= PJ_QUALITY_STALLED;
        u2 += pji_stall_u2(s, stall_ns, 0);
    }
    unmoved(s, out, &u2);
    bridge_ends(s, out, &u2);
    out->u_ind_j = sqrt(u2) / 1e6;
    int64_t end_ns = s->gone ? s->last_t_ns : s->last_seen_ns;
    pji_common_part(out, s, (double)(end_ns - s->first_seen_ns), companion);
}

void pji_series_total(const struct pji_series *series, const struct pji_series *u_series,
                      struct pj_energy *out)
{
    struct pj_energy companion;
    if (u_series != NULL) {
        total_of(u_series, NULL, &companion);
    }
    total_of(series, u_series != NULL ? &companion : NULL, out);
}

double pji_series_mean(const struct pji_series *series, int64_t start_ns, int64_t end_ns)
{
    double sum = 0, weight_ns = 0;
    for (size_t i = 0; i < series->n; i++) {
        int64_t from = series->points[i].t_ns;
        int64_t to = i + 1 < series->n ? series->points[i + 1].t_ns : INT64_MAX;
        from = from > start_ns ? from : start_ns;
        to = to < end_ns ? to : end_ns;
        if (to > from) {
            sum += series->points[i].energy_uj * (double)(to - from);
            weight_ns += (double)(to - from);
        }
    }
    return weight_ns > 0 ? sum / weight_ns : (double)NAN;
}
