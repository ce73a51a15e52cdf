#include "stats/condition.h"

const char *pji_stats_reason(pj_status condition)
{
    switch (condition) {
    case PJI_STATS_FEW:
        return "too few values";
    case PJI_STATS_CONSTANT:
        return "no variation";
    case PJI_STATS_UNDEFINED:
        return "undefined for these values";
    case PJI_STATS_DEFICIENT:
        return "not estimable: the design is rank deficient";
    case PJI_STATS_SINGULAR:
        return "a variance component is estimated as zero";
    case PJI_STATS_SATURATED:
        return "no residual degrees of freedom";
    case PJI_STATS_TOO_LARGE:
        return "too large for the exact computation";
    default:
        return condition == PJ_OK ? "ok" : pj_status_name(condition);
    }
}
