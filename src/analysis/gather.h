/* analysis/gather.h - the records of a study in memory, as the summary needs them (room-internal).
 */
#ifndef PJI_ANALYSIS_GATHER_H
#define PJI_ANALYSIS_GATHER_H

#include "analysis/summary.h"

struct pji_gathered_metric {
    char *task, *name;
    double value, u_ind, u_com;
    char origin[16];
    char reason[PJ_REASON];
};

struct pji_gathered_energy {
    char *task;
    char domain[48];
    bool total; /* of the measured window; else one channel that is in it */
    struct pj_energy energy;
};

struct pji_gathered_answer {
    char *task, *item, *gold, *answer; /* answer NULL: unparsable */
};

struct pji_gathered_output {
    char *task, *item, *sha256;
};

struct pji_gathered_trial {
    int64_t id, cell, block, attempt;
    enum pji_trial_state state;
    char *reason;
    char **levels;
    struct pji_gathered_metric *metrics;
    size_t n_metrics, cap_metrics;
    struct pji_gathered_energy *energies;
    size_t n_energies, cap_energies;
    struct pji_gathered_answer *answers;
    size_t n_answers, cap_answers;
    struct pji_gathered_output *outputs;
    size_t n_outputs, cap_outputs;
};

struct pji_gathered {
    struct pji_gathered_trial *trials;
    size_t n, cap;
    size_t n_factors;
    char **factor_names;
};

/* Trials in planned order; metrics, energies, answers and output digests of done ones only. */
pj_status pji_gather(struct pji_gathered *gathered, struct pji_store *store, struct pj_error *err);
void pji_gathered_fini(struct pji_gathered *gathered);

const struct pji_gathered_metric *pji_gathered_find(const struct pji_gathered_trial *trial,
                                                    const char *task, const char *name);
const struct pj_energy *pji_gathered_energy(const struct pji_gathered_trial *trial,
                                            const char *task);
/* The channels of that total, at most `size`; without any, the total itself. Their number. */
size_t pji_gathered_parts(const struct pji_gathered_trial *trial, const char *task,
                          struct pj_energy *parts, size_t size);

#endif
