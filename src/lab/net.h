/* lab/net.h - net energy: gross less what the idle machine would have taken meanwhile.
 *
 * The idle power of a window is that on the straight line between the baseline before it and the
 * one after it, at the middle of the window; each baseline stands at its own middle. Its
 * independent uncertainty is that of the line, its common one (the same instrument) subtracts
 * linearly from the gross energy's. There is no net energy, with the reason and a gate, when a
 * baseline is more than 30 min away from the window or when the two differ by more than 2 % of the
 * gross energy over its length. A negative one is kept while it is within twice its uncertainty;
 * beyond, the baseline cannot be that of this machine at rest and the trial is invalid. docs:
 * metrics.md.
 */
#ifndef PJI_LAB_NET_H
#define PJI_LAB_NET_H

#include "energy/series.h"
#include "store/store.h"

#define PJI_NET_OLD_NS      (INT64_C(1800) * 1000000000)
#define PJI_NET_DRIFT_SHARE 0.02

/* What the total adds, channel by channel: only there is it known what two energies share. */
struct pji_net_part {
    char name[64];
    struct pj_energy energy;
};
struct pji_net_parts {
    struct pji_net_part *items; /* owned */
    size_t n, cap;
};

struct pji_idle_power {
    int64_t start_ns, end_ns;
    struct pj_energy per_s;     /* watts: the energy of one second; u_ind with the scatter in it */
    struct pji_net_parts parts; /* likewise of one second */
};

enum pji_net_verdict {
    PJI_NET_GOOD,
    PJI_NET_MISSING, /* gross, or a baseline, has no value: energy.reason */
    PJI_NET_OLD,
    PJI_NET_DRIFT,
    PJI_NET_NEGATIVE
};

struct pji_net {
    enum pji_net_verdict verdict;
    struct pj_energy energy; /* missing with a reason unless GOOD or NEGATIVE */
    double idle_w;           /* of the window; NaN: unknown */
    double drift_share;      /* of the gross energy; NaN: unknown */
    char detail[200];        /* OLD, DRIFT, NEGATIVE: in figures */
};

/* before or after NULL: there is none that has a value. parts of gross, NULL: not known; the common
 * uncertainties of gross and idle energy then count as if they had nothing in common, unless the
 * total is of one instrument. */
void pji_net_compute(struct pji_net *out, const struct pj_energy *gross,
                     const struct pji_net_parts *parts, int64_t start_ns, int64_t end_ns,
                     const struct pji_idle_power *before, const struct pji_idle_power *after);

/* Net energies of all windows of done trials that have none yet and whose baseline after them is
 * there (`last`: also where none will come), computed from the records and added to them: the
 * figures energy_net_j, baseline_power_w, baseline_drift_share, the gates baseline_old,
 * baseline_drift and net_negative, the last of which makes the trial invalid. */
pj_status pji_net_store(struct pji_store *store, bool last, struct pj_error *err);

/* The figures of an attempt's net energies once more, from the records of `from`, into another
 * store: what is there must come out again. Those that are missing there are left out. */
pj_status pji_net_again(struct pji_store *from, int64_t attempt, struct pji_store *into,
                        int64_t into_attempt, struct pj_error *err);

#endif
