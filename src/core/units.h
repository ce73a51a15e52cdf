/* core/units.h - the only place where units are converted. */
#ifndef PJI_CORE_UNITS_H
#define PJI_CORE_UNITS_H

#include <stdint.h>

#define PJI_NS_PER_S  INT64_C(1000000000)
#define PJI_NS_PER_MS INT64_C(1000000)
#define PJI_NS_PER_US INT64_C(1000)

static inline double pji_s_from_ns(int64_t t_ns)
{
    return (double)t_ns / 1e9;
}
static inline double pji_ms_from_ns(int64_t t_ns)
{
    return (double)t_ns / 1e6;
}
static inline double pji_j_from_uj(double energy_uj)
{
    return energy_uj / 1e6;
}
static inline double pji_uj_from_j(double energy_j)
{
    return energy_j * 1e6;
}
static inline double pji_j_from_mj(double energy_mj)
{
    return energy_mj / 1e3;
}
static inline double pji_w_from_mw(double power_mw)
{
    return power_mw / 1e3;
}
static inline double pji_w_from_uw(double power_uw)
{
    return power_uw / 1e6;
}
/* mW held for a time gives microjoules: 1 mW * 1 ns = 1e-12 J = 1e-6 uJ. */
static inline double pji_uj_from_mw_ns(double power_mw, double dur_ns)
{
    return power_mw * dur_ns / 1e6;
}
static inline double pji_kwh_from_j(double energy_j)
{
    return energy_j / 3.6e6;
}

#endif
