/* raw/energies.h - from samples to energies: channels, repaired series, windows, the total.
 *
 * Counters go through the repair of energy/ with the modulus that raw/modulus.h found. A power is
 * integrated by the trapezoidal rule on the time stamps: each value holds from the middle of the
 * interval before it to the middle of the one behind it, which over whole samples is the same sum.
 * Time is nanoseconds since 1970 here: the files know no other clock.
 */
#ifndef PJI_RAW_ENERGIES_H
#define PJI_RAW_ENERGIES_H

#include "energy/ledger.h"
#include "raw/modulus.h"
#include "raw/samples.h"

struct pji_raw_energies {
    size_t n;
    struct pji_channel channels[PJI_RAW_COLUMNS];
    struct pji_series series[PJI_RAW_COLUMNS];
    struct pji_raw_modulus modulus[PJI_RAW_COLUMNS]; /* counters */
    size_t column[PJI_RAW_COLUMNS];                  /* of the samples */
    size_t wraps;                                    /* of the package counters */
    struct pji_missing missing[PJI_RAW_COLUMNS];
    size_t n_missing, first_lacking; /* from there on: those without a column */
};

/* Which domains files have columns for: bits by kind, and by number for packages and GPUs. */
struct pji_raw_domains {
    uint32_t kinds;
    uint64_t packages, gpus;
};
void pji_raw_domains_add(struct pji_raw_domains *domains, const struct pji_raw_column *column);

/* A kind of domain that is `expected` (NULL: none is), because other runs have it, and has no
 * column here becomes a missing row, and so does one whose column is 0 throughout. */
pj_status pji_raw_energies_make(struct pji_raw_energies *energies,
                                const struct pji_raw_samples *samples,
                                const struct pji_raw_domains *expected, struct pj_error *err);
void pji_raw_energies_fini(struct pji_raw_energies *energies);

struct pji_raw_window {
    struct pj_energy channels[PJI_RAW_COLUMNS];
    bool in_total[PJI_RAW_COLUMNS];
    struct pji_total total;
    struct pj_energy cpu, gpu; /* sums over the total's packages and GPUs */
};

/* `stamp_ns`: how finely the instants of the edges are known that lie inside the recording (0:
 * exactly); adds to u what may have fallen on the other side. */
void pji_raw_energies_window(const struct pji_raw_energies *energies, int64_t start_ns,
                             int64_t end_ns, int64_t stamp_ns, struct pji_raw_window *out);

#endif
