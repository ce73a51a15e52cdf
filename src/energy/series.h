/* energy/series.h - from the readings of one channel to a repaired, never-decreasing cumulative
 * energy, and from that to the energy of a window with its uncertainty.
 *
 * Repair is streaming: wraps by the channel's own modulus, resets and backwards steps, failed reads
 * and physically impossible steps are bridged and marked, never guessed silently, never negative.
 * Power channels are integrated by zero-order hold on their own time stamps. Pure: no I/O.
 */
#ifndef PJI_ENERGY_SERIES_H
#define PJI_ENERGY_SERIES_H

#include "energy/channel.h"

#include <stdbool.h>

/* One point of the cumulative curve; `u2_uj2` accumulates the variance of bridged parts, so that a
 * window takes the difference at its two ends. `quality` describes the step that ends here.
 *
 * t_ns is the time that the value describes: the reading's time minus the channel's lag_ns. A
 * counter has a point where its value changed (at the reading that showed it, or earlier where the
 * phase of its refresh is known better) and at its last reading; a power channel and AUX have one
 * for each reading. `phase_ns` is how much older than t_ns the value can be (the
 * counter's refresh, or the time since the reading before where that is shorter). */
struct pji_point {
    int64_t t_ns;
    double energy_uj;
    double u2_uj2;
    uint32_t quality; /* PJ_QUALITY_* and, in the highest bit, PJI_POINT_GAP */
    uint32_t phase_ns;
};

/* How the energy is spread inside the step that ends here is not known better than by the bounds
 * of the power (readings were missing there): matters for window edges inside it only. */
#define PJI_POINT_GAP (UINT32_C(1) << 31)

struct pji_series {
    struct pji_channel channel; /* copied */
    bool keep; /* keep all points (windows after the fact) or first and last only */
    struct pji_point *points;
    size_t n, cap;
    size_t *marks; /* keep: numbers of the points whose quality is not 0 */
    size_t n_marks, cap_marks;
    /* repair state */
    bool started, gone;
    int64_t last_value, last_t_ns; /* last good reading, its own time stamp */
    int64_t failed_since_ns;       /* 0: last reading was good */
    double mean_power_mw;          /* of the good part: bridges resets */
    /* what follows is private to energy/ */
    bool seen, tail, suspect;
    int64_t first_seen_ns, last_seen_ns; /* first and last reading of any status */
    int64_t first_t_ns;                  /* first good reading */
    int64_t change_t_ns;                 /* when last_value was reached, at the latest */
    int64_t change_low_ns;               /* and at the earliest; 0: no phase is tracked */
    int64_t suspect_value, suspect_t_ns; /* an impossible reading that waits for the next one */
    int64_t suspended_ns;                /* of the step under way */
    int64_t total_uj, rest_pj;           /* cumulative energy, exactly: uJ + 1e-6 uJ */
    double u2_uj2, ends_u2_uj2;
    int64_t good_ns;
    double good_uj;
    double peak_power_mw, step_power_mw;  /* highest; of the last step */
    double first_power_mw, last_power_mw; /* at the ends: the higher one of two steps there */
    double last_change_mw;                /* POWER: between the last two readings */
    int64_t cadence_ns;                   /* POWER: usual distance of readings */
    uint64_t readings, steps;             /* good readings; steps that moved */
    uint32_t quality;                     /* of everything so far */
    uint32_t pending;                     /* of readings refused since the last point */
    int fail_errno;
};

/* keep=false: at most two points are held, memory never grows (and no allocation after init). */
pj_status pji_series_init(struct pji_series *series, const struct pji_channel *channel, bool keep,
                          struct pj_error *err);
void pji_series_fini(struct pji_series *series);

/* Adds a reading of this channel; readings come in order of t_ns (an earlier one is ignored and
 * counted as nothing). For channels of role ENERGY, POWER and UNCERTAINTY; AUX channels keep their
 * raw values in energy_uj. */
pj_status pji_series_add(struct pji_series *series, const struct pji_reading *reading,
                         struct pj_error *err);

/* The machine was suspended for dur_ns since the last reading (CLOCK_BOOTTIME advanced that much
 * more than CLOCK_MONOTONIC): the next step may hold that time's energy and is marked. */
void pji_series_suspend(struct pji_series *series, int64_t dur_ns);

/* The total's ends were not read but made (energy/clip.h): adds what that leaves unknown, k=1. */
void pji_series_doubt(struct pji_series *series, double u_uj);

/* Energy of [start_ns, end_ns]: linear interpolation between points for counters, hold for power;
 * u_ind from quantisation, refresh phase and edge interpolation (bounded by the power of the
 * neighbouring steps), and bridged parts; u_com from gain and offset of the channel, or from the
 * companion series `u_series` (may be NULL) which accumulates it. A window outside the readings is
 * extended by at most one step at each side and marked PJ_QUALITY_EDGE, beyond that missing with a
 * reason. Never fails: the result is then missing. */
void pji_series_window(const struct pji_series *series, const struct pji_series *u_series,
                       int64_t start_ns, int64_t end_ns, struct pj_energy *out);
/* From the first to the last point: what `measure` reports (edges are readings: no edge term). */
void pji_series_total(const struct pji_series *series, const struct pji_series *u_series,
                      struct pj_energy *out);
/* Mean of an AUX gauge over a window (time-weighted hold); NaN when there is none. */
double pji_series_mean(const struct pji_series *series, int64_t start_ns, int64_t end_ns);

/* A missing energy with a reason. */
void pji_energy_missing(struct pj_energy *out, const char *reason);
/* sum += part: u_ind in quadrature; u_com linearly for equal com_id, else in quadrature and com_id
 * becomes "a+b" (cut to fit with a hash); weakest origin, joined quality. A missing part makes the
 * sum PJ_QUALITY_PARTIAL. `sum` starts as {0} with origin MISSING and no reason. */
void pji_energy_add(struct pj_energy *sum, const struct pj_energy *part);
/* a - b of the same instrument: u_com subtracts linearly when com_id is equal. */
void pji_energy_sub(struct pj_energy *out, const struct pj_energy *a, const struct pj_energy *b);

/* Ratio a/b. Equal com_id: the gain part cancels, the rest of u_com combines linearly with its sign
 * (|r_a - r_b| of the relative parts); otherwise in quadrature. u_ind always in quadrature.
 * PJ_EINVAL when either is missing or b is 0. */
struct pji_ratio {
    double value;
    double u_ind;   /* k=1 */
    double u_com;   /* k=1, what did not cancel */
    bool cancelled; /* the gain part cancelled */
};
pj_status pji_energy_ratio(struct pji_ratio *out, const struct pj_energy *a,
                           const struct pj_energy *b, struct pj_error *err);
/* Ratio of two sums, given their parts: gains cancel instrument by instrument and as far as each
 * one's share is the same in both. Two finished sums over several instruments (com_id "a+b") do not
 * know their shares, so that nothing cancels between them: give the parts. `cancelled`: at least
 * one instrument is in both. */
pj_status pji_energy_ratio_parts(struct pji_ratio *out, const struct pj_energy *a, size_t n_a,
                                 const struct pj_energy *b, size_t n_b, struct pj_error *err);

#endif
