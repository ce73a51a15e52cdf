/* energy/repair.h - what the files that build and read a series share; private to energy/.
 *
 * Bounds of a channel's power decide what is physically possible. They come from cap_mw where the
 * instrument knows it, else from what was seen: docs/uncertainty.md, "Bounds".
 */
#ifndef PJI_ENERGY_REPAIR_H
#define PJI_ENERGY_REPAIR_H

#include "energy/series.h"

/* A refresh period that the instrument does not state is taken as at most this: the slowest
 * energy counter known (NVML, measured on an H200) steps every 100 ms. */
#define PJI_REFRESH_UNKNOWN_NS (100 * INT64_C(1000000))

/* A power that no channel without a stated cap is held to be incapable of, mW. */
#define PJI_UNSTATED_MW 2e6

/* However even the steps are, the power inside one is not known to be steadier than this. */
#define PJI_RIPPLE_REL 0.095
/* Where the steps' means differ, inside one it differs by this many times as much, at most by that.
 */
#define PJI_RIPPLE_FACTOR   5
#define PJI_RIPPLE_MOST_REL 0.3

/* A refresh period is steady to this: 100 ms to 0.2 % on an H200. */
#define PJI_PERIOD_REL 0.005

/* Steps at each side whose power bounds what happened inside a step. */
enum { PJI_NEIGHBOURS = 3 };

/* The most that this channel's mean power over a gap can have been, mW; 0: nothing is known. */
double pji_bound_mw(const struct pji_series *s);
/* More than this in a step is not energy but a fault of the instrument, mW. */
double pji_limit_mw(const struct pji_series *s);
int64_t pji_refresh_ns(const struct pji_series *s);
/* A rest of the lag with the standard uncertainty edge_u_ns can be at most this long. */
int64_t pji_edge_reach_ns(const struct pji_channel *channel);

/* An energy that was not observed over dur_ns, known to be at least low_uj. */
struct pji_bridge {
    double energy_uj;
    double u2_uj2; /* mean square deviation for a truth anywhere between the extremes */
};
struct pji_bridge pji_bridge(const struct pji_series *s, double dur_ns, double low_uj);

/* Adds to the exact sum; saturates (a hostile trace must not overflow). */
void pji_series_gain_uj(struct pji_series *s, int64_t energy_uj);
void pji_series_gain_pj(struct pji_series *s, int64_t energy_pj);
double pji_series_energy_uj(const struct pji_series *s);

/* Appends the point (t_ns, current sum); keep=false: replaces the last one of two. */
pj_status pji_series_point(struct pji_series *s, int64_t t_ns, uint32_t quality, int64_t phase_ns,
                           struct pj_error *err);

/* Adds to the quality of point i. */
pj_status pji_series_mark(struct pji_series *s, size_t i, uint32_t quality, struct pj_error *err);
/* Removes the last point; the result is its quality. */
uint32_t pji_series_unpoint(struct pji_series *s);
/* A reading was refused: wait for the next one. */
void pji_series_refuse(struct pji_series *s, int64_t t_ns, uint32_t quality);

pj_status pji_counter_add(struct pji_series *s, int64_t t_ns, int64_t value, struct pj_error *err);
pj_status pji_power_add(struct pji_series *s, int64_t t_ns, int64_t value, struct pj_error *err);

/* When the counter reached the value that the reading at t_ns is the first to show, at the latest;
 * *phase_ns is how much earlier it may have been. The reading before was gap_ns earlier. */
int64_t pji_refresh_seen(const struct pji_series *s, int64_t t_ns, int64_t gap_ns,
                         int64_t *phase_ns);

/* A counter that has not moved for longer than it may: the time stood still, 0 when it moves. */
double pji_stall_ns(const struct pji_series *s, int64_t until_ns);
/* Whether a counter that cannot stand still (a package, DRAM, a GPU, a whole machine: powered, they
 * always take some) has not moved once in a time as long as a stall: its 0 is no measurement. */
bool pji_never_moved(const struct pji_series *s);
/* Variance of a stall in which energy may have been lost. */
double pji_stall_u2(const struct pji_series *s, double dur_ns, double seen_uj);

/* Common uncertainty of a window of dur_ns, from the channel or from its companion's window. */
void pji_common_part(struct pj_energy *out, const struct pji_series *s, double dur_ns,
                     const struct pj_energy *companion);
/* Missing with the reason why this series has no value at all. */
void pji_no_value(struct pj_energy *out, const struct pji_series *s);
const char *pji_errno_name(int sys_errno);

#endif
