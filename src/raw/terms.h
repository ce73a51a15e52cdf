/* raw/terms.h - the energies of one run as different people would compute them: what the causes of
 * a difference are made of (raw/audit.h).
 */
#ifndef PJI_RAW_TERMS_H
#define PJI_RAW_TERMS_H

#include "raw/run.h"

enum pji_terms_window { PJI_TERMS_PROMPTS, PJI_TERMS_WHOLE, PJI_TERMS_WINDOWS };
/* The last sample is taken after the command has ended; EnergiBridge leaves it out of its sum. */
enum pji_terms_edge { PJI_TERMS_ALL, PJI_TERMS_SHORT, PJI_TERMS_EDGES };
/* How a counter that is lower than before was treated. */
enum pji_terms_wrap {
    PJI_TERMS_REPAIRED,
    PJI_TERMS_RAW_COUNTER, /* the new value in the place of the negative difference */
    PJI_TERMS_SIGNED,      /* last - first as it is */
    PJI_TERMS_SIGN_LOST,   /* |last - first| */
    PJI_TERMS_DROPPED,     /* 0 in the place of the negative difference */
    PJI_TERMS_WRAPS
};
enum pji_terms_gpu {
    PJI_TERMS_TRAPEZOID,
    PJI_TERMS_HOLD,         /* each value until the next time stamp */
    PJI_TERMS_ROWS_NOMINAL, /* number of samples x the interval asked for */
    PJI_TERMS_ROWS_MEDIAN,  /* … x the median interval */
    PJI_TERMS_GPUS
};

struct pji_terms {
    bool known;
    double cpu_j[PJI_TERMS_WINDOWS][PJI_TERMS_EDGES][PJI_TERMS_WRAPS];
    double gpu_j[PJI_TERMS_WINDOWS][PJI_TERMS_GPUS];
    double dur_s[PJI_TERMS_WINDOWS];
    double nominal_s;     /* interval of samples, rounded to two digits */
    double tokens;        /* NaN: not told */
    double energy_j, u_j; /* recomputed: prompts, CPU once, GPU on its time stamps */
    /* extremes between two samples of the prompts: of all instruments, of the CPU packages */
    double low_w, high_w, cpu_low_w, cpu_high_w;
    double cpu_peak_w; /* of the CPU packages in the whole recording */
};

/* A run without a CPU or without a GPU has 0 there, and NaN in energy_j where the total is missing.
 */
void pji_terms_take(struct pji_terms *terms, const struct pji_raw_run *run);

#endif
