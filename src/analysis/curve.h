/* analysis/curve.h - the power of a trial over time, as coordinates for a plot. */
#ifndef PJI_ANALYSIS_CURVE_H
#define PJI_ANALYSIS_CURVE_H

#include "energy/trace.h"
#include "store/store.h"

/* Mean power of the channels in the total between successive readings, and the phases of the trial;
 * times in seconds from the start of the trace. */
struct pji_curve {
    double start_s; /* where the first step begins */
    double *t_s;    /* n step ends; power_w[i] holds from t_s[i-1] (or start_s) to t_s[i] */
    double *power_w;
    size_t n;
    struct pji_curve_phase {
        char name[48]; /* "measure energy" */
        double start_s, end_s;
    } * phases;
    size_t n_phases;
    bool modelled; /* the curve comes from a model */
};

/* Reads the trace artefact of an attempt. PJI_CURVE_NONE: nothing to draw (no readings). */
enum { PJI_CURVE_NONE = 1 };
pj_status pji_curve_make(struct pji_curve *curve, struct pji_store *store, int64_t attempt,
                         struct pj_error *err);
void pji_curve_fini(struct pji_curve *curve);

#endif
