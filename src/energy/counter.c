/* energy/counter.c - repair of an energy counter, one reading at a time.
 *
 * Every reading is one of these (docs/uncertainty.md, "Faults"):
 *   forward   the difference is energy, to the last count; after failed readings as well
 *   wrap      lower than before, and the difference plus the modulus is possible
 *   suspect   lower without a possible wrap, impossibly high, or outside the counter's range: kept
 *             aside until the next reading says which of the two was wrong. If that one continues
 *             the old count, the suspect was a glitch and nothing is lost; if it continues the
 *             suspect, the counter was reset, and the step to the suspect is bridged.
 * What is possible is judged over the time since the counter last moved, because a counter that
 * hung for a while catches up in one step.
 */
#include "energy/repair.h"

#include <math.h>

enum { GAP_PERIODS = 5 };

static bool in_range(const struct pji_series *s, int64_t value)
{
    return value >= 0 && (s->channel.modulus <= 0 || value <= s->channel.modulus);
}

static bool possible(const struct pji_series *s, double step_uj, int64_t elapsed_ns)
{
    double most_ns = (double)elapsed_ns + (double)pji_refresh_ns(s) + (double)s->suspended_ns;
    return step_uj <= pji_limit_mw(s) * most_ns / 1e6 + s->channel.quantum;
}

static int64_t phase_of(const struct pji_series *s, int64_t since_ns)
{
    int64_t refresh_ns = pji_refresh_ns(s);
    return since_ns < refresh_ns ? since_ns : refresh_ns;
}

static pj_status start(struct pji_series *s, int64_t t_ns, int64_t value, struct pj_error *err)
{
    s->n = s->n_marks = 0;
    s->tail = false;
    s->started = true;
    s->suspect = false;
    s->last_value = value;
    s->readings = 1;
    s->first_t_ns = s->last_t_ns = s->change_t_ns = t_ns;
    s->change_low_ns = 0;
    return pji_series_point(s, t_ns, 0, pji_refresh_ns(s), err);
}

/* How many wraps a gap can hold is not known when the bound allows a further one: take the count
 * nearest to the mean power, mark it, and let u span all that are possible. */
static double hidden_wraps(const struct pji_series *s, double step_uj, int64_t gap_ns, double *u2)
{
    double modulus = (double)s->channel.modulus;
    double bound_mw = pji_bound_mw(s) > 0 ? pji_bound_mw(s) : pji_limit_mw(s);
    double most_uj = bound_mw * ((double)gap_ns + (double)s->suspended_ns) / 1e6;
    *u2 = 0;
    if (s->channel.modulus <= 0 || step_uj + modulus > most_uj) {
        return 0;
    }
    double extra = floor((most_uj - step_uj) / modulus);
    double expected_uj = s->mean_power_mw * (double)gap_ns / 1e6;
    double k = fmin(fmax(round((expected_uj - step_uj) / modulus), 0), extra);
    double count = extra + 1, off = k - extra / 2;
    *u2 = modulus * modulus * ((count * count - 1) / 12 + off * off);
    return k * modulus;
}

/* A wrap that took more power than this channel is known to draw may have been a reset: then none
 * of its energy is real. */
static double doubt_u2(const struct pji_series *s, double step_uj, int64_t gap_ns)
{
    double most_ns = (double)gap_ns + (double)pji_refresh_ns(s) + (double)s->suspended_ns;
    double bound_mw = pji_bound_mw(s);
    return bound_mw > 0 && step_uj > bound_mw * most_ns / 1e6 ? step_uj * step_uj / 3 : 0;
}

/* Whether the counter can have wrapped: where no cap tells, a wrap over more than half the range is
 * taken as what it looks like, a small step back. */
static bool can_wrap(const struct pji_series *s, int64_t step_uj)
{
    int64_t modulus = s->channel.modulus;
    return modulus > 0 && (s->channel.cap_mw > 0 || step_uj + modulus <= modulus / 2);
}

/* After a stall: did the step bring all of it? Only if it is more than the last gap can have taken,
 * and not much less than the whole time should have. */
static bool caught_up(const struct pji_series *s, int64_t t_ns, double step_uj)
{
    double last_gap_ns = (double)(t_ns - s->last_t_ns + pji_refresh_ns(s));
    double whole_ns = (double)(t_ns - s->change_t_ns);
    return step_uj > pji_bound_mw(s) * last_gap_ns / 1e6 &&
           step_uj > s->mean_power_mw * whole_ns / 2e6;
}

/* The counter stood still over one or more readings before it moved at t_ns: when did the step
 * begin? Within the last refresh, unless that is too short for what was seen (it hung and caught
 * up). What was flat before that stays a flat step of its own. */
static pj_status end_tail(struct pji_series *s, int64_t t_ns, double step_uj, uint32_t *quality,
                          int64_t *begin_ns, struct pj_error *err)
{
    int64_t begin = s->last_t_ns;
    if (s->channel.refresh_ns > 0 && t_ns - s->channel.refresh_ns < begin) {
        begin = t_ns - s->channel.refresh_ns;
    }
    double stall_ns = pji_stall_ns(s, s->last_t_ns);
    if (step_uj > pji_limit_mw(s) * (double)(t_ns - begin + pji_refresh_ns(s)) / 1e6) {
        begin = s->change_t_ns;
        *quality |= PJI_POINT_GAP;
    } else if (begin - s->change_t_ns < s->channel.refresh_ns / 2) {
        begin = s->change_t_ns; /* one refresh, its period or our readings not quite even */
    }
    s->tail = false;
    *begin_ns = begin > s->change_t_ns ? begin : s->change_t_ns;
    uint32_t stalled = stall_ns > 0 ? PJ_QUALITY_STALLED : 0;
    if (stall_ns > 0 && !caught_up(s, t_ns, step_uj)) {
        s->u2_uj2 += pji_stall_u2(s, stall_ns, 0);
    }
    if (begin <= s->change_t_ns) {
        *quality |= stalled | pji_series_unpoint(s);
        return PJ_OK;
    }
    s->points[s->n - 1].t_ns = begin - s->channel.lag_ns;
    s->points[s->n - 1].u2_uj2 = s->u2_uj2;
    return pji_series_mark(s, s->n - 1, stalled, err);
}

/* The value stands where it was. */
static pj_status stand(struct pji_series *s, int64_t t_ns, uint32_t quality, struct pj_error *err)
{
    int64_t still_ns = t_ns - s->change_t_ns;
    if (!s->tail) {
        s->tail = true;
        return pji_series_point(s, t_ns, quality, phase_of(s, still_ns), err);
    }
    struct pji_point *tail = &s->points[s->n - 1];
    tail->t_ns = t_ns - s->channel.lag_ns;
    tail->phase_ns = (uint32_t)phase_of(s, still_ns);
    uint32_t pending = s->pending;
    s->pending = 0;
    return pji_series_mark(s, s->n - 1, quality | pending, err);
}

/* Readings that did not come at all (a stream that dropped some) leave a step that is longer than
 * usual; learns what is usual. */
static bool is_gap(struct pji_series *s, int64_t gap_ns)
{
    int64_t usual_ns = s->cadence_ns > pji_refresh_ns(s) ? s->cadence_ns : pji_refresh_ns(s);
    if (s->cadence_ns > 0 && gap_ns / GAP_PERIODS > usual_ns) {
        return true;
    }
    s->cadence_ns = s->cadence_ns <= 0 ? gap_ns : s->cadence_ns + (gap_ns - s->cadence_ns) / 8;
    return false;
}

/* How high the power can have been right at the first and at the last reading: of two steps the
 * higher one, or where a change inside the outer step leads to. */
static void edge_power(struct pji_series *s, double power_mw)
{
    double before_mw = s->steps > 0 ? s->step_power_mw : power_mw;
    if (s->steps < 2) {
        s->first_power_mw = fmax(fmax(before_mw, power_mw), 2 * before_mw - power_mw);
    }
    s->last_power_mw = fmax(fmax(before_mw, power_mw), 2 * power_mw - before_mw);
    s->step_power_mw = power_mw;
}

/* A good step of step_uj (whole counts). */
static pj_status forward(struct pji_series *s, int64_t t_ns, int64_t value, int64_t step_uj,
                         uint32_t quality, struct pj_error *err)
{
    int64_t gap_ns = t_ns - s->last_t_ns, begin_ns = s->change_t_ns, phase_ns = 0;
    int64_t at_ns = pji_refresh_seen(s, t_ns, gap_ns, &phase_ns);
    double wraps_u2 = 0;
    double extra_uj = hidden_wraps(s, (double)step_uj, gap_ns, &wraps_u2);
    double moved_uj = (double)step_uj + extra_uj;
    wraps_u2 += (quality & PJ_QUALITY_WRAP) != 0 ? doubt_u2(s, (double)step_uj, gap_ns) : 0;
    quality |= wraps_u2 > 0 ? PJ_QUALITY_AMBIGUOUS | PJI_POINT_GAP : 0;
    quality |= s->failed_since_ns != 0 || is_gap(s, gap_ns) ? PJI_POINT_GAP : 0;
    if (s->readings == 1 && s->channel.refresh_ns <= 0) {
        s->points[0].phase_ns = (uint32_t)phase_of(s, gap_ns);
    }
    if (moved_uj > 0 && s->tail) {
        pj_status status = end_tail(s, at_ns, moved_uj, &quality, &begin_ns, err);
        if (status != PJ_OK) {
            return status;
        }
    }
    pji_series_gain_uj(s, step_uj);
    pji_series_gain_uj(s, (int64_t)fmin(extra_uj, 9e18));
    s->u2_uj2 += wraps_u2;
    if (wraps_u2 <= 0) {
        s->good_uj += moved_uj;
        s->good_ns += gap_ns;
        s->mean_power_mw = s->good_uj * 1e6 / (double)s->good_ns;
    }
    s->last_value = value;
    s->last_t_ns = t_ns;
    s->readings++;
    if (!(moved_uj > 0)) {
        return stand(s, t_ns, quality, err);
    }
    double step_ns = (double)(at_ns - begin_ns);
    double power_mw = moved_uj * 1e6 / step_ns;
    double calm_mw = moved_uj * 1e6 / fmax(step_ns, (double)pji_refresh_ns(s));
    edge_power(s, power_mw);
    s->peak_power_mw = fmax(s->peak_power_mw, calm_mw);
    s->steps++;
    s->change_t_ns = at_ns;
    s->change_low_ns = gap_ns < s->channel.refresh_ns ? at_ns - phase_ns : 0;
    return pji_series_point(s, at_ns, quality, phase_ns, err);
}

/* The suspect was right and the count before it is lost: bridge up to it. */
static pj_status rebase(struct pji_series *s, struct pj_error *err)
{
    int64_t t_ns = s->suspect_t_ns, value = s->suspect_value;
    bool dropped = value < s->last_value;
    uint32_t quality = dropped ? PJ_QUALITY_RESET : PJ_QUALITY_CAPPED;
    s->suspect = false;
    if (s->good_ns <=
        0) { /* no power is known yet: begin here, the total bridges what was before */
        return start(s, t_ns, value, err);
    }
    int64_t from_ns = pji_stall_ns(s, s->last_t_ns) > 0 ? s->change_t_ns : s->last_t_ns;
    double gap_ns = (double)(t_ns - from_ns) + (double)s->suspended_ns;
    double near_zero_uj = 2 * s->mean_power_mw * gap_ns / 1e6;
    double low_uj = dropped && (double)value <= near_zero_uj ? (double)value : 0;
    struct pji_bridge bridge = pji_bridge(s, gap_ns, low_uj);
    pji_series_gain_uj(s, (int64_t)fmin(round(bridge.energy_uj), 9e18));
    s->u2_uj2 += bridge.u2_uj2;
    s->tail = false;
    s->last_value = value;
    s->last_t_ns = s->change_t_ns = t_ns;
    s->change_low_ns = 0;
    s->readings++;
    return pji_series_point(s, t_ns, quality | PJ_QUALITY_BRIDGED | PJI_POINT_GAP,
                            pji_refresh_ns(s), err);
}

static void suspect(struct pji_series *s, int64_t t_ns, int64_t value)
{
    s->suspect = true;
    s->suspect_value = value;
    s->suspect_t_ns = t_ns;
    pji_series_refuse(s, t_ns, value >= s->last_value ? PJ_QUALITY_CAPPED : PJ_QUALITY_RESET);
}

static bool continues(const struct pji_series *s, int64_t t_ns, int64_t value)
{
    return s->suspect && value >= s->suspect_value &&
           possible(s, (double)(value - s->suspect_value), t_ns - s->suspect_t_ns);
}

pj_status pji_counter_add(struct pji_series *s, int64_t t_ns, int64_t value, struct pj_error *err)
{
    if (!in_range(s, value)) {
        pji_series_refuse(s, t_ns, PJ_QUALITY_CAPPED);
        return PJ_OK;
    }
    if (!s->started) {
        return start(s, t_ns, value, err);
    }
    if (continues(s, t_ns, value)) {
        pj_status status = rebase(s, err);
        if (status != PJ_OK) {
            return status;
        }
        s->failed_since_ns = 0;
    }
    int64_t step_uj = value - s->last_value;
    int64_t elapsed_ns = t_ns - s->change_t_ns;
    uint32_t quality = 0;
    if (step_uj < 0 && can_wrap(s, step_uj)) {
        step_uj += s->channel.modulus;
        quality = PJ_QUALITY_WRAP;
    }
    if (step_uj < 0 || !possible(s, (double)step_uj, elapsed_ns)) {
        suspect(s, t_ns, value);
        return PJ_OK;
    }
    s->suspect = false;
    if (s->suspended_ns > 0) {
        quality |= PJ_QUALITY_SUSPEND | PJI_POINT_GAP;
    }
    pj_status status = forward(s, t_ns, value, step_uj, quality, err);
    s->suspended_ns = 0;
    s->failed_since_ns = 0;
    return status;
}
