/* energy/ledger.h - which domains add up. Domains form a tree (machine > psys > package > core;
 * machine > dram; machine > gpu): a total is a non-overlapping cover and names the set it added;
 * adding a node and its descendant is impossible by construction.
 *
 * Cover: all packages with their sibling dram, gpu and other leaves; psys only where no package is
 * readable (its scope is vendor-defined: docs/ARCHITECTURE.md), then without dram. Core and uncore
 * are parts of a package and enter only when the package itself cannot be read. Where a domain has
 * several channels (twins, alternatives), the preferred one enters. Measured domains take
 * precedence over modelled ones of the same kind (a modelled CPU never joins a measured package).
 */
#ifndef PJI_ENERGY_LEDGER_H
#define PJI_ENERGY_LEDGER_H

#include "energy/series.h"

/* Chooses the cover. `in_total[i]` says whether channel i is added. measured_only leaves modelled
 * and constant channels out. */
void pji_ledger_cover(const struct pji_channel *channels, size_t n, bool measured_only,
                      bool *in_total);
/* The same among the channels that gave a value: one whose energy is missing counts as not
 * readable, so that an alternative reading or the parts of its domain can enter instead. */
void pji_ledger_cover_read(const struct pji_channel *channels, const struct pj_energy *energies,
                           size_t n, bool measured_only, bool *in_total);

struct pji_total {
    struct pj_energy energy;   /* all of the cover */
    struct pj_energy measured; /* its counter + integrated part */
    struct pj_energy modelled; /* its modelled + constant part */
    /* "machine" when a cover of everything known exists, else what it is: "measured domains",
     * "modelled, not measured", … An accelerator that is there but unread forbids "machine". */
    char label[48];
};

/* Adds energies[i] of the channels in the cover. `missing` lists what exists but was not read. */
void pji_ledger_total(struct pji_total *out, const struct pji_channel *channels,
                      const struct pj_energy *energies, const bool *in_total, size_t n,
                      const struct pji_missing *missing, size_t n_missing);

#endif
