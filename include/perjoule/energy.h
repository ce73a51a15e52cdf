/* perjoule/energy.h - the shared type of an energy: a value never travels without its uncertainty
 * and its origin. Definitions follow the GUM (JCGM 100:2008): standard uncertainties, k = 1.
 */
#ifndef PERJOULE_ENERGY_H
#define PERJOULE_ENERGY_H

#include "perjoule/api.h"

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Where a number comes from. Ordered from strongest to weakest evidence: a sum takes the weakest
 * origin among its parts. */
enum pj_origin {
    PJ_ORIGIN_MISSING = 0, /* no value; `reason` says why */
    PJ_ORIGIN_COUNTER,     /* difference of a hardware energy counter */
    PJ_ORIGIN_INTEGRATED,  /* measured power integrated over time */
    PJ_ORIGIN_MODELLED,    /* computed by a model from something else (utilisation) */
    PJ_ORIGIN_CONSTANT     /* an assumed constant */
};

/* Bit mask of what happened to a value on its way. 0 = nothing to report. */
enum {
    PJ_QUALITY_WRAP = 1u << 0,    /* a counter wrap was repaired with its modulus */
    PJ_QUALITY_BRIDGED = 1u << 1, /* readings were missing inside; the gap was bridged, u says it */
    PJ_QUALITY_RESET = 1u << 2,   /* a counter reset or backwards step was bridged */
    PJ_QUALITY_AMBIGUOUS = 1u << 3, /* a gap in which more than one wrap is possible */
    PJ_QUALITY_EDGE = 1u << 4,      /* a window edge lies outside the readings: extrapolated */
    PJ_QUALITY_STALLED = 1u << 5,   /* the counter did not move while others did */
    PJ_QUALITY_CAPPED = 1u << 6,    /* a physically impossible step was refused and bridged */
    PJ_QUALITY_PARTIAL = 1u << 7,   /* a sum that lacks a part which exists but was not read */
    PJ_QUALITY_SUSPEND = 1u << 8    /* the machine was suspended inside the window */
};

enum { PJ_COM_ID = 64, PJ_REASON = 192 };

/* An energy in joules. u_ind_j is independent between windows (quantisation, edges, noise);
 * u_com_j is shared by all windows of the instrument com_id (gain, offset, model scale) and does
 * not shrink with repetitions. u_gain_j <= u_com_j is the part of u_com_j proportional to the
 * value, which cancels in a ratio of two energies of the same com_id.
 * value_j has no meaning when origin is PJ_ORIGIN_MISSING. */
struct pj_energy {
    double value_j;
    double u_ind_j;
    double u_com_j;
    double u_gain_j;
    enum pj_origin origin;
    uint32_t quality;       /* PJ_QUALITY_* */
    char com_id[PJ_COM_ID]; /* instrument whose common error this value carries */
    char reason[PJ_REASON]; /* why the value, or with PARTIAL a part of it, is missing; "" else */
};

/* Combined standard uncertainty sqrt(u_ind^2 + u_com^2), J. */
PJ_API double pj_energy_u(const struct pj_energy *energy);

/* Whether there is a value. What happened to it on its way is in quality and in u. */
PJ_API bool pj_energy_valid(const struct pj_energy *energy);

/* "counter", "integrated", "modelled", "constant" or "missing"; a static string. */
PJ_API const char *pj_origin_name(enum pj_origin origin);

/* "wrap", "bridged", … for one flag of PJ_QUALITY_*; NULL for anything else. A static string. */
PJ_API const char *pj_quality_name(uint32_t flag);

#ifdef __cplusplus
}
#endif
#endif
