/* energy/repair.c - bounds of what a channel can have consumed, and what a gap is worth.
 *
 * A gap is bridged with the mean power of the good part. Its uncertainty assumes nothing but that
 * the truth lies between the extremes [low, bound x duration], uniformly (JCGM 100:2008, 4.3.7);
 * the estimate need not be the middle, so the mean square deviation about it is taken (4.3.8).
 */
#include "energy/repair.h"

#include "energy/quadrature.h"

#include <errno.h>
#include <math.h>

/* Without a stated cap: no step is refused below 2 kW, none accepted above 40 kW, and between them
 * twenty times the mean power is the limit. An idle package or GPU that bursts stays below 2 kW;
 * the largest servers draw about 10 kW, ten times their idle power. */
#define LIMIT_FLOOR_MW   PJI_UNSTATED_MW
#define LIMIT_CEILING_MW 40e6
#define LIMIT_FACTOR     20

double pji_bound_mw(const struct pji_series *s)
{
    if (s->channel.cap_mw > 0) {
        return s->channel.cap_mw;
    }
    return fmax(2 * s->mean_power_mw, s->peak_power_mw);
}

double pji_limit_mw(const struct pji_series *s)
{
    if (s->channel.cap_mw > 0) {
        return 2 * s->channel.cap_mw;
    }
    if (s->good_ns <= 0) {
        return LIMIT_CEILING_MW;
    }
    return fmin(fmax(LIMIT_FACTOR * s->mean_power_mw, LIMIT_FLOOR_MW), LIMIT_CEILING_MW);
}

int64_t pji_refresh_ns(const struct pji_series *s)
{
    return s->channel.refresh_ns > 0 ? s->channel.refresh_ns : PJI_REFRESH_UNKNOWN_NS;
}

int64_t pji_edge_reach_ns(const struct pji_channel *channel)
{
    return (int64_t)ceil(sqrt(3) * (double)channel->edge_u_ns);
}

struct pji_bridge pji_bridge(const struct pji_series *s, double dur_ns, double low_uj)
{
    double energy_uj = fmax(s->mean_power_mw * dur_ns / 1e6, low_uj);
    double high_uj = fmax(pji_bound_mw(s) * dur_ns / 1e6, low_uj);
    energy_uj = fmin(energy_uj, high_uj);
    double width = high_uj - low_uj, off = energy_uj - (high_uj + low_uj) / 2;
    return (struct pji_bridge){.energy_uj = energy_uj, .u2_uj2 = width * width / 12 + off * off};
}

void pji_series_gain_uj(struct pji_series *s, int64_t energy_uj)
{
    if (__builtin_add_overflow(s->total_uj, energy_uj, &s->total_uj)) {
        s->total_uj = INT64_MAX;
    }
}

void pji_series_gain_pj(struct pji_series *s, int64_t energy_pj)
{
    int64_t rest_pj = s->rest_pj + energy_pj % 1000000;
    pji_series_gain_uj(s, energy_pj / 1000000 + rest_pj / 1000000);
    s->rest_pj = rest_pj % 1000000;
}

double pji_series_energy_uj(const struct pji_series *s)
{
    return (double)s->total_uj + (double)s->rest_pj / 1e6;
}

static int64_t patience_ns(const struct pji_series *s)
{
    const int64_t shortest_ns = INT64_C(2000000000);
    int64_t periods_ns = 20 * pji_refresh_ns(s);
    return periods_ns > shortest_ns ? periods_ns : shortest_ns;
}

bool pji_never_moved(const struct pji_series *s)
{
    enum pji_domain_kind kind = s->channel.domain_kind;
    bool powered = kind == PJI_DOMAIN_MACHINE || kind == PJI_DOMAIN_PSYS ||
                   kind == PJI_DOMAIN_PACKAGE || kind == PJI_DOMAIN_DRAM || kind == PJI_DOMAIN_GPU;
    return s->channel.kind == PJI_COUNTER && s->channel.role == PJI_ROLE_ENERGY && powered &&
           s->steps == 0 && s->total_uj == 0 && s->last_t_ns - s->first_t_ns > patience_ns(s);
}

double pji_stall_ns(const struct pji_series *s, int64_t until_ns)
{
    if (s->channel.kind != PJI_COUNTER || s->channel.role != PJI_ROLE_ENERGY) {
        return 0;
    }
    int64_t still_ns = until_ns - s->change_t_ns;
    double expected_uj = s->mean_power_mw * (double)still_ns / 1e6;
    bool stalled = still_ns > patience_ns(s) && expected_uj > 100 * fmax(s->channel.quantum, 1);
    return stalled ? (double)still_ns : 0;
}

double pji_stall_u2(const struct pji_series *s, double dur_ns, double seen_uj)
{
    double bound_mw = pji_bound_mw(s);
    bound_mw = bound_mw > 0 ? bound_mw : PJI_UNSTATED_MW;
    double lost_uj = fmax(bound_mw * dur_ns / 1e6 - seen_uj, 0);
    return lost_uj * lost_uj / 3;
}

void pji_common_part(struct pj_energy *out, const struct pji_series *s, double dur_ns,
                     const struct pj_energy *companion)
{
    out->u_gain_j = s->channel.gain_rel * out->value_j;
    out->u_com_j = pji_quadrature(out->u_gain_j, s->channel.offset_mw * dur_ns / 1e12);
    if (companion == NULL) {
        return;
    }
    if (companion->origin != PJ_ORIGIN_MISSING) {
        out->u_com_j = companion->value_j;
        out->u_gain_j = 0;
    } else if (!(out->u_com_j > 0)) {
        pji_energy_missing(out, "its uncertainty was not recorded for this time");
    }
}

const char *pji_errno_name(int sys_errno)
{
    switch (sys_errno) {
    case EIO:
        return "EIO";
    case ENODEV:
        return "ENODEV";
    case ENOENT:
        return "ENOENT";
    case EACCES:
        return "EACCES";
    case EPERM:
        return "EPERM";
    case EAGAIN:
        return "EAGAIN";
    case ENODATA:
        return "ENODATA";
    case EINVAL:
        return "EINVAL";
    case ETIMEDOUT:
        return "ETIMEDOUT";
    default:
        return "error";
    }
}
