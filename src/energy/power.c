/* energy/power.c - integration of a power gauge by zero-order hold on its own time stamps.
 *
 * The value of reading i holds from t_i - lag to t_(i+1) - lag; equal values are kept. lag_ns is
 * the whole delay of the instrument as measured on a step of load: sensor, averaging, and half a
 * sample of waiting for the next one. With lag_ns = 0 that half sample is left in the uncertainty
 * instead (docs/uncertainty.md, "Power sampled"). mW x ns = pJ, so the sum is exact in integers.
 */
#include "energy/repair.h"

#include <math.h>

enum { GAP_PERIODS = 5, SETTLED = 8 /* readings, until their own distance is the usual one */ };

/* How far apart readings usually are. The first two can be an edge and a tick right behind it. */
static int64_t usual_ns(const struct pji_series *s)
{
    int64_t least_ns = s->channel.refresh_ns;
    if (least_ns <= 0 && s->readings < SETTLED)
        least_ns = PJI_REFRESH_UNKNOWN_NS;
    return s->cadence_ns > least_ns ? s->cadence_ns : least_ns;
}

static bool is_gap(const struct pji_series *s, int64_t dur_ns)
{
    int64_t refresh_ns = s->channel.refresh_ns;
    bool failed = s->failed_since_ns != 0;
    if (failed && refresh_ns > 0) {
        return dur_ns / GAP_PERIODS > refresh_ns;
    }
    if (s->cadence_ns <= 0) {
        return failed; /* the first step: its length is the only one known */
    }
    if (failed) {
        return dur_ns > usual_ns(s) + usual_ns(s) / 2;
    }
    return dur_ns / GAP_PERIODS > usual_ns(s);
}

/* Between two known values, nothing else: their mean, with the whole possible range. */
static void bridge(struct pji_series *s, double dur_ns, int64_t value)
{
    double high_mw = fmax(pji_bound_mw(s), fmax((double)s->last_value, (double)value));
    double mean_mw = ((double)s->last_value + (double)value) / 2;
    double off = (mean_mw - high_mw / 2) * dur_ns / 1e6, width = high_mw * dur_ns / 1e6;
    pji_series_gain_uj(s, (int64_t)fmin(round(mean_mw * dur_ns / 1e6), 9e18));
    s->u2_uj2 += width * width / 12 + off * off;
}

static void follow_cadence(struct pji_series *s, int64_t dur_ns)
{
    s->cadence_ns = s->cadence_ns <= 0 ? dur_ns : s->cadence_ns + (dur_ns - s->cadence_ns) / 8;
}

static void hold(struct pji_series *s, int64_t dur_ns, int64_t value)
{
    double dur = (double)dur_ns;
    int64_t energy_pj = 0;
    if (__builtin_mul_overflow(s->last_value, dur_ns, &energy_pj)) {
        pji_series_gain_uj(s, (int64_t)fmin((double)s->last_value * dur / 1e6, 9e18));
    } else {
        pji_series_gain_pj(s, energy_pj);
    }
    /* The power changed somewhere between two readings: what the value's own averaging did not see
     * of that time (or saw twice) is not known. An average may reach back over the reading before:
     * then that step counts as well. Whether it is over a fixed time or over all since that reading
     * (then nothing is unseen) nobody says: half of the former's mean square. */
    double unseen_ns = dur - (double)s->channel.average_ns;
    double change_uj = fmax(fabs((double)(value - s->last_value)),
                            s->channel.average_ns > 0 ? s->last_change_mw : 0) *
                       unseen_ns / 1e6;
    s->u2_uj2 += change_uj * change_uj / (s->channel.average_ns > 0 ? 6 : 12);
    s->good_uj += (double)s->last_value * dur / 1e6;
    s->good_ns += dur_ns;
    s->mean_power_mw = s->good_uj * 1e6 / (double)s->good_ns;
    follow_cadence(s, dur_ns);
}

pj_status pji_power_add(struct pji_series *s, int64_t t_ns, int64_t value, struct pj_error *err)
{
    if (value < 0 || (double)value > pji_limit_mw(s)) {
        pji_series_refuse(s, t_ns, PJ_QUALITY_CAPPED);
        return PJ_OK;
    }
    uint32_t quality = 0;
    int64_t dur_ns = s->started ? t_ns - s->last_t_ns : 0;
    if (!s->started) {
        s->started = true;
        s->first_t_ns = t_ns;
        s->first_power_mw = (double)value;
    } else if (s->suspended_ns > 0) {
        /* nobody knows what was drawn while the machine slept; the hold covers the waking part */
        hold(s, dur_ns, value);
        quality = PJ_QUALITY_SUSPEND;
    } else if (is_gap(s, dur_ns)) {
        bridge(s, (double)dur_ns, value);
        if (s->failed_since_ns == 0)
            follow_cadence(s, dur_ns); /* whoever asks more rarely from now on is no gap for ever */
        quality = PJ_QUALITY_BRIDGED | PJI_POINT_GAP;
    } else {
        hold(s, dur_ns, value);
    }
    s->suspended_ns = 0;
    s->peak_power_mw = fmax(s->peak_power_mw, (double)value);
    s->last_power_mw = (double)value;
    s->last_change_mw = s->readings > 0 ? fabs((double)(value - s->last_value)) : 0;
    s->last_value = value;
    s->last_t_ns = s->change_t_ns = t_ns;
    s->failed_since_ns = 0;
    s->readings++;
    return pji_series_point(s, t_ns, quality, dur_ns, err);
}
