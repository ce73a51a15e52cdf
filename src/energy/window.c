/* energy/window.c - the energy between two instants of a kept series, and how well it is known.
 *
 * The cumulative curve is linear between points (which for a held power is the hold itself). Each
 * edge contributes its own variance: where inside a step the energy went (bounded by the power of
 * the neighbouring steps), how old the counter's values were, and its quantum. docs/uncertainty.md
 * has the formulas in this order.
 */
#include "energy/repair.h"

#include <math.h>
#include <stdio.h>

struct edge {
    double energy_uj;      /* of the curve */
    double curve_u2;       /* of the curve: bridged parts up to here */
    double spread_uj;      /* k=1, where inside its step the energy went */
    double ripple_uj;      /* k=1, the same where nothing but PJI_RIPPLE_REL bounds it; else 0 */
    double width_mw;       /* of what the power at this moment can have been */
    double power_mw;       /* of the step it lies in */
    double x;              /* where in that step, 0 to 1 */
    double phase_ns;       /* age of the nearer one of its two points' values, at most */
    double old_ns, new_ns; /* the same of the point before and of the one after; COUNTER, inside */
    uint32_t quality;
};

/* First point at or after t_ns; n when there is none. */
static size_t lower(const struct pji_series *s, int64_t t_ns)
{
    size_t low = 0, high = s->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (s->points[middle].t_ns < t_ns) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* Power of the step that ends at point k. */
static double step_mw(const struct pji_series *s, size_t k)
{
    const struct pji_point *a = &s->points[k - 1], *b = &s->points[k];
    return (b->energy_uj - a->energy_uj) * 1e6 / (double)(b->t_ns - a->t_ns);
}

static bool in_gap(const struct pji_series *s, size_t k)
{
    return !s->keep || (s->points[k].quality & PJI_POINT_GAP) != 0;
}

struct span {
    double low_mw, high_mw;
};

/* What the power inside step k can have been: between its neighbours', and itself. */
static struct span span_of(const struct pji_series *s, size_t k)
{
    double own = step_mw(s, k);
    struct span span = {own, own};
    if (in_gap(s, k)) {
        span.low_mw = 0;
        span.high_mw = fmax(own, pji_bound_mw(s));
        return span;
    }
    size_t first = k > PJI_NEIGHBOURS ? k - PJI_NEIGHBOURS : 1;
    size_t last = k + PJI_NEIGHBOURS < s->n ? k + PJI_NEIGHBOURS : s->n - 1;
    for (size_t i = first; i <= last; i++) {
        double mw = step_mw(s, i);
        span.low_mw = fmin(span.low_mw, mw);
        span.high_mw = fmax(span.high_mw, mw);
    }
    if (s->channel.kind == PJI_GAUGE && k == s->n - 1) {
        span.low_mw = fmin(span.low_mw, s->last_power_mw);
        span.high_mw = fmax(span.high_mw, s->last_power_mw);
    }
    return span;
}

/* Standard uncertainty of the energy of a part (fraction f) of a step of dur_ns with that mean
 * power: anywhere within the larger of the two distances to the extremes. A load that switches once
 * inside the step is at an extreme. */
static double part_u(struct span span, double mean_mw, double dur_ns, double f)
{
    double high = fmin(span.high_mw * f, mean_mw - span.low_mw * (1 - f));
    double low = fmax(span.low_mw * f, mean_mw - span.high_mw * (1 - f));
    double half = fmax(fmax(high - mean_mw * f, mean_mw * f - low), 0);
    return half * dur_ns / 1e6 / sqrt(3);
}

/* However even the steps are, the power inside one is not taken to be steadier than this; where
 * their means differ, it differs several times as much inside (a wave that nearly fits a step). */
static double ripple_mw(struct span span, double mean_mw)
{
    double apart_mw = PJI_RIPPLE_FACTOR * (span.high_mw - span.low_mw);
    return fmin(fmax(apart_mw, PJI_RIPPLE_REL * mean_mw), PJI_RIPPLE_MOST_REL * mean_mw);
}

static double ripple_u(struct span span, double mean_mw, double dur_ns, double f)
{
    return ripple_mw(span, mean_mw) * fmin(f, 1 - f) * dur_ns / 1e6 / sqrt(3);
}

/* Beyond the points: within the lag of the last reading the neighbouring step's power goes on;
 * farther out nothing was read. */
static void outside(const struct pji_series *s, struct edge *edge, int64_t t_ns, bool after)
{
    const struct pji_point *p = after ? &s->points[s->n - 1] : &s->points[0];
    bool single = s->n < 2;
    size_t k = after ? s->n - 1 : 1;
    double dur_ns = (double)t_ns - (double)p->t_ns;
    int64_t read_ns = after ? s->last_t_ns : s->first_t_ns - s->channel.lag_ns;
    bool known = after ? t_ns <= read_ns : t_ns >= read_ns;
    struct span span = {0, pji_bound_mw(s)};
    edge->power_mw = s->mean_power_mw;
    if (s->channel.kind == PJI_GAUGE) {
        edge->power_mw = after ? s->last_power_mw : s->first_power_mw;
    } else if (!single && !in_gap(s, k)) {
        edge->power_mw = step_mw(s, k);
    }
    if (known && !single && !in_gap(s, k)) {
        span = span_of(s, k);
    }
    span.high_mw = fmax(span.high_mw, edge->power_mw);
    double width = (span.high_mw - span.low_mw) * dur_ns / 1e6;
    double off = (edge->power_mw - (span.high_mw + span.low_mw) / 2) * dur_ns / 1e6;
    edge->energy_uj = p->energy_uj + edge->power_mw * dur_ns / 1e6;
    edge->curve_u2 = p->u2_uj2;
    edge->spread_uj = sqrt(width * width / 12 + off * off);
    edge->phase_ns = p->phase_ns;
    if (!known) {
        bool bridged = after && t_ns <= s->last_seen_ns;
        edge->quality |= bridged ? PJ_QUALITY_BRIDGED : PJ_QUALITY_EDGE;
    }
}

static void inside(const struct pji_series *s, struct edge *edge, int64_t t_ns, size_t k)
{
    const struct pji_point *a = &s->points[k - 1], *b = &s->points[k];
    double dur_ns = (double)(b->t_ns - a->t_ns);
    double x = (double)(t_ns - a->t_ns) / dur_ns;
    edge->energy_uj = a->energy_uj + (b->energy_uj - a->energy_uj) * x;
    edge->curve_u2 = a->u2_uj2 + (b->u2_uj2 - a->u2_uj2) * x;
    edge->power_mw = step_mw(s, k);
    edge->phase_ns = x < 0.5 ? a->phase_ns : b->phase_ns;
    struct span span = span_of(s, k);
    edge->spread_uj = part_u(span, edge->power_mw, dur_ns, x);
    edge->ripple_uj = ripple_u(span, edge->power_mw, dur_ns, x);
    edge->ripple_uj = edge->ripple_uj > edge->spread_uj ? edge->ripple_uj : 0;
    edge->spread_uj = edge->ripple_uj > 0 ? 0 : edge->spread_uj;
    edge->width_mw = fmax(span.high_mw - span.low_mw, 2 * ripple_mw(span, edge->power_mw));
    edge->x = x;
    if (s->channel.kind == PJI_COUNTER) {
        edge->old_ns = (double)a->phase_ns;
        edge->new_ns = (double)b->phase_ns;
    }
    if (in_gap(s, k) && x > 0 && x < 1) {
        edge->quality |= PJ_QUALITY_BRIDGED;
    }
}

static struct edge edge_at(const struct pji_series *s, int64_t t_ns)
{
    struct edge edge = {0};
    size_t k = lower(s, t_ns);
    if (k == 0 || k == s->n) {
        if (k == 0 && s->points[0].t_ns == t_ns && s->n > 1) {
            k = 1;
            inside(s, &edge, t_ns, k);
        } else {
            outside(s, &edge, t_ns, k > 0);
        }
    } else {
        inside(s, &edge, t_ns, k);
    }
    return edge;
}

/* Where the refreshes of a counter are followed (energy/refresh.c), the values at both edges are of
 * an age that differs only by what the period is not known to: the part of it that they share. */
static double shared_ns(const struct pji_series *s, const struct edge *a, const struct edge *b,
                        double dur_ns)
{
    double least = fmin(fmin(a->old_ns, a->new_ns), fmin(b->old_ns, b->new_ns));
    double most = fmax(fmax(a->old_ns, a->new_ns), fmax(b->old_ns, b->new_ns));
    bool followed = s->channel.refresh_ns > 0 && most < (double)s->channel.refresh_ns;
    return followed ? fmax(least - PJI_PERIOD_REL * dur_ns, 0) : 0;
}

/* Variance of this edge alone: age, but for what both share, and quantum of its readings. */
static double own_u2(const struct pji_series *s, const struct edge *edge, double shared)
{
    double older = (1 - edge->x) * edge->power_mw * fmax(edge->old_ns - shared, 0) / 1e6;
    double newer = edge->x * edge->power_mw * fmax(edge->new_ns - shared, 0) / 1e6;
    double quantum = s->channel.kind == PJI_COUNTER ? s->channel.quantum : 0;
    return (older * older + newer * newer + quantum * quantum) / 12;
}

/* A counter's shared age, and the rest of its lag, move both edges alike: by the difference of the
 * powers just there, which a step only gives the mean of. */
static double together_u2(const struct pji_series *s, const struct edge *a, const struct edge *b,
                          double shared)
{
    double change_mw = b->power_mw - a->power_mw, lag_ns = (double)s->channel.edge_u_ns;
    double widths2 = (a->width_mw * a->width_mw + b->width_mw * b->width_mw) / 12;
    double moved2 = (change_mw * change_mw + widths2) * shared * shared / 12;
    return s->channel.kind == PJI_COUNTER ? (moved2 + widths2 * lag_ns * lag_ns) / 1e12 : 0;
}

/* Both edges in one step: one part of it, not two. */
static bool same_step(const struct pji_series *s, int64_t start_ns, int64_t end_ns, size_t *step)
{
    size_t k = lower(s, end_ns);
    *step = k;
    return k > 0 && k < s->n && s->points[k - 1].t_ns <= start_ns;
}

static double curve_uj(const struct pji_series *s, int64_t t_ns)
{
    return edge_at(s, t_ns).energy_uj;
}

/* The lag is known to edge_u_ns: what the whole window becomes when it is moved to either end of
 * that range. */
static double shift_u2(const struct pji_series *s, int64_t start_ns, int64_t end_ns, double uj)
{
    int64_t d = pji_edge_reach_ns(&s->channel);
    if (d == 0) {
        return 0;
    }
    double late = curve_uj(s, end_ns + d) - curve_uj(s, start_ns + d) - uj;
    double early = curve_uj(s, end_ns - d) - curve_uj(s, start_ns - d) - uj;
    return (late * late + early * early) / 6;
}

static uint32_t quality_between(const struct pji_series *s, int64_t start_ns, int64_t end_ns)
{
    uint32_t quality = 0;
    if (!s->keep) {
        return s->quality;
    }
    size_t first = lower(s, start_ns), low = 0, high = s->n_marks;
    if (first < s->n && s->points[first].t_ns == start_ns) {
        first++;
    }
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (s->marks[middle] < first) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    for (; low < s->n_marks; low++) {
        size_t k = s->marks[low];
        if (k > 0 && s->points[k - 1].t_ns >= end_ns) {
            break;
        }
        quality |= s->points[k].quality;
    }
    return quality & ~PJI_POINT_GAP;
}

static double window_u2(const struct pji_series *s, int64_t start_ns, int64_t end_ns,
                        const struct edge *a, const struct edge *b)
{
    size_t k = 0;
    double u2 = fmax(b->curve_u2 - a->curve_u2, 0);
    double dur_ns = (double)(end_ns - start_ns), uj = b->energy_uj - a->energy_uj;
    if (same_step(s, start_ns, end_ns, &k)) {
        double step_ns = (double)(s->points[k].t_ns - s->points[k - 1].t_ns);
        struct span span = span_of(s, k);
        double part_uj = fmax(part_u(span, a->power_mw, step_ns, dur_ns / step_ns),
                              ripple_u(span, a->power_mw, step_ns, dur_ns / step_ns));
        u2 += part_uj * part_uj;
        if (s->channel.kind == PJI_COUNTER) {
            u2 += s->channel.quantum * s->channel.quantum / 6;
        }
    } else {
        /* a window often begins and ends with the load, and then both edges err alike */
        double spread_uj = a->spread_uj + b->spread_uj;
        double shared = shared_ns(s, a, b, dur_ns);
        u2 += spread_uj * spread_uj + own_u2(s, a, shared) + own_u2(s, b, shared);
        u2 += a->ripple_uj * a->ripple_uj + b->ripple_uj * b->ripple_uj;
        u2 += together_u2(s, a, b, shared);
    }
    double phase_ns = (a->phase_ns + b->phase_ns) / 2;
    if ((double)s->channel.lag_ns < phase_ns / 2) {
        double late_uj = (b->power_mw - a->power_mw) * phase_ns / 2e6;
        u2 += late_uj * late_uj;
    }
    if (s->channel.kind == PJI_GAUGE) {
        double counts_uj = s->channel.quantum * dur_ns / 1e6;
        u2 += counts_uj * counts_uj / 3;
    }
    return u2 + shift_u2(s, start_ns, end_ns, uj);
}

/* The counter's last change may be behind by what it has not shown yet, or it stopped. */
static double tail_u2(const struct pji_series *s, int64_t end_ns, uint32_t *quality)
{
    int64_t until_ns = end_ns < s->last_t_ns ? end_ns : s->last_t_ns;
    double still_ns = (double)(until_ns - s->change_t_ns);
    if (s->channel.kind != PJI_COUNTER || still_ns <= 0) {
        return 0;
    }
    if (pji_stall_ns(s, s->last_t_ns) > 0 || pji_never_moved(s)) {
        *quality |= PJ_QUALITY_STALLED;
        return pji_stall_u2(s, still_ns, 0);
    }
    double unseen_uj = s->last_power_mw * fmin(still_ns, (double)pji_refresh_ns(s)) / 1e6;
    return unseen_uj * unseen_uj / 3;
}

/* How far an edge may lie outside the readings: a step, and where the other edge lies inside them,
 * a second: what the instrument could have drawn there is in u, from nothing to its highest power.
 */
static int64_t reach_ns(int64_t step_ns, bool other_inside)
{
    static const int64_t second_ns = 1000000000;
    return other_inside && step_ns < second_ns ? second_ns : step_ns;
}

/* Whether the window lies within reach of the readings; clips it where the channel ended. */
static bool reachable(const struct pji_series *s, int64_t start_ns, int64_t *end_ns,
                      struct pj_energy *out)
{
    char reason[PJ_REASON];
    int64_t step_ns = s->readings > 1 ? (s->last_t_ns - s->first_t_ns) / (int64_t)(s->readings - 1)
                                      : s->channel.refresh_ns;
    step_ns = step_ns > s->channel.refresh_ns ? step_ns : s->channel.refresh_ns;
    int64_t last_ns = s->gone ? s->last_t_ns : s->last_seen_ns;
    if (s->gone && *end_ns > last_ns) {
        if (start_ns >= last_ns) {
            snprintf(reason, sizeof reason, "the instrument ended before the window (%s)",
                     pji_errno_name(s->fail_errno));
            pji_energy_missing(out, reason);
            return false;
        }
        *end_ns = last_ns;
        out->quality |= PJ_QUALITY_PARTIAL;
        snprintf(out->reason, sizeof out->reason, "the instrument ended inside the window (%s)",
                 pji_errno_name(s->fail_errno));
    }
    int64_t first_ns = s->points[0].t_ns;
    first_ns = s->first_seen_ns < first_ns ? s->first_seen_ns : first_ns;
    bool early = start_ns < first_ns - reach_ns(step_ns, s->n > 1 && *end_ns >= first_ns);
    bool late = *end_ns > last_ns + reach_ns(step_ns, s->n > 1 && start_ns <= last_ns);
    if (early || late) {
        pji_energy_missing(out, early ? "the window begins before the first reading"
                                      : "the window ends after the last reading");
        return false;
    }
    return true;
}

static void window_of(const struct pji_series *s, const struct pj_energy *companion,
                      int64_t start_ns, int64_t end_ns, struct pj_energy *out)
{
    *out = (struct pj_energy){.origin = s->channel.origin};
    if (s->channel.role == PJI_ROLE_AUX) {
        pji_energy_missing(out, "not an energy");
        return;
    }
    if (!s->started || s->n == 0) {
        pji_no_value(out, s);
        return;
    }
    if (end_ns < start_ns) {
        pji_energy_missing(out, "the window ends before it begins");
        return;
    }
    if (s->n < 2 && s->channel.kind == PJI_COUNTER) {
        pji_energy_missing(out, "only one reading: no time passed between two");
        return;
    }
    if (!reachable(s, start_ns, &end_ns, out)) {
        return;
    }
    struct edge a = edge_at(s, start_ns), b = edge_at(s, end_ns);
    out->quality |= a.quality | b.quality | quality_between(s, start_ns, end_ns);
    double u2 = window_u2(s, start_ns, end_ns, &a, &b) + tail_u2(s, end_ns, &out->quality);
    out->value_j = (b.energy_uj - a.energy_uj) / 1e6;
    out->u_ind_j = sqrt(u2) / 1e6;
    snprintf(out->com_id, sizeof out->com_id, "%s", s->channel.com_id);
    pji_common_part(out, s, (double)(end_ns - start_ns), companion);
}

void pji_series_window(const struct pji_series *series, const struct pji_series *u_series,
                       int64_t start_ns, int64_t end_ns, struct pj_energy *out)
{
    struct pj_energy companion;
    if (u_series != NULL) {
        window_of(u_series, NULL, start_ns, end_ns, &companion);
    }
    window_of(series, u_series != NULL ? &companion : NULL, start_ns, end_ns, out);
}
