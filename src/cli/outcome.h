/* cli/outcome.h - what a measurement found, and the two forms in which `measure` gives it: JSON for
 * programs and a few lines for people.
 */
#ifndef PJI_CLI_OUTCOME_H
#define PJI_CLI_OUTCOME_H

#include "core/str.h"
#include "energy/lateness.h"
#include "energy/ledger.h"

struct pji_outcome {
    const struct pji_channel *channels; /* borrowed */
    size_t n;
    const struct pji_missing *missing; /* borrowed */
    size_t n_missing;
    struct pj_energy *energies; /* n, owned */
    bool *in_total;             /* n, owned */
    struct pji_total total;
    double wall_s;
    uint64_t samples, late_ticks;
    const struct pji_lateness *lateness; /* of the ticks; borrowed, NULL: not known */
    double own_cpu_s;
    int child_status; /* exit code of the child, 128 + n for a signal; < 0: there was none */
};

/* Energy of each series from its first to its last reading, and the total over the cover of what
 * gave a value. series: one for each channel. pji_outcome_fini frees, also after a failure. */
pj_status pji_outcome_make(struct pji_outcome *outcome, const struct pji_series *series,
                           bool measured_only, struct pj_error *err);
void pji_outcome_fini(struct pji_outcome *outcome);

/* Whether an instrument gave a value. */
bool pji_outcome_valid(const struct pji_outcome *outcome);

/* The object of `measure --json`: docs/formats/measure.md. New reference; NULL on lack of memory.
 */
json_t *pji_outcome_json(const struct pji_outcome *outcome);
/* Lines for people, each beginning with `prefix`. */
void pji_outcome_text(const struct pji_outcome *outcome, const char *prefix, struct pji_str *out);
/* "12.3 J ± 0.4 J (95 %)", or "missing, REASON". */
void pji_outcome_add_energy(struct pji_str *out, const struct pj_energy *energy);

#endif
