/* cli/bridge_energy.h - the columns of `energibridge` that come from a meter, and its total.
 *
 * Energies are J of a counter as it stands, so that two rows differ by what was used between them.
 * Corrected (the default): summed over all sockets, never falling, with wraps repaired. Literal
 * (--compat): what one socket's counter says, wraps included. docs/energibridge.md tells both.
 */
#ifndef PJI_CLI_BRIDGE_ENERGY_H
#define PJI_CLI_BRIDGE_ENERGY_H

#include "cli/bridge_table.h"
#include "cli/outcome.h"
#include "cli/tally.h"

enum { PJI_BRIDGE_DOMAINS = 4 };

struct pji_bridge_member { /* a channel that is part of a column */
    int32_t channel;
    int64_t first_uj; /* its counter in the first row */
};

struct pji_bridge_domain {
    struct pji_bridge_member *members; /* none: no column */
    size_t n, cap;
    size_t column;
};

struct pji_bridge_gpu {
    int32_t channel;
    size_t column;
    double scale; /* to the unit of the column */
};

struct pji_bridge_energy {
    const struct pji_tally *tally; /* borrowed */
    bool literal, amd;
    bool started;
    struct pji_bridge_domain domains[PJI_BRIDGE_DOMAINS];
    struct pji_bridge_gpu *gpus;
    size_t n_gpus, cap_gpus;
    int64_t literal_first_uj, literal_last_uj; /* of the rows while the command ran */
};

/* Adds the columns of what the instruments of `tally` give. pji_bridge_energy_fini also after a
 * failure. */
pj_status pji_bridge_energy_init(struct pji_bridge_energy *energy, const struct pji_tally *tally,
                                 bool literal, struct pji_bridge_table *table,
                                 struct pj_error *err);
void pji_bridge_energy_fini(struct pji_bridge_energy *energy);

/* Sets the columns from the readings that the tally took last. `last`: the command has ended. */
void pji_bridge_energy_row(struct pji_bridge_energy *energy, bool last,
                           struct pji_bridge_table *table);

/* Whether the CPU's energy is measured here at all. */
bool pji_bridge_energy_found(const struct pji_bridge_energy *energy);
/* Why it is not: a sentence. */
void pji_bridge_energy_why(const struct pji_bridge_energy *energy, struct pji_str *out);

/* The total of the CPU packages, J: false when there is none. *lacking: a package is not in it. */
bool pji_bridge_energy_total(const struct pji_bridge_energy *energy,
                             const struct pji_outcome *outcome, double *total_j, bool *lacking);

#endif
