/* raw/outcome.h - what an import keeps of each run in memory, for the findings. */
#ifndef PJI_RAW_OUTCOME_H
#define PJI_RAW_OUTCOME_H

#include "raw/plan.h"
#include "raw/terms.h"

struct pji_raw_answer {
    uint64_t prompt, output; /* first 64 bits of their digests */
    int32_t day;             /* UTC, days since 1970 */
};

struct pji_raw_outcome {
    const struct pji_raw_planned *planned;
    enum pji_trial_state state;
    char samples_sha256[PJI_SHA256_HEX];
    struct pji_raw_answer *answers; /* in the order of asking */
    size_t n_answers, judged;
    double judge_sum;
    bool has_judge;
    double summary_j, summary_dur_s;
    double cpu_j, energy_j, dur_s, load_j; /* cpu_j: of the whole recording; others: measured */
    struct pji_terms terms;
    struct pji_raw_domains read; /* what it has values of */
    size_t wraps, falls, backward;
    double modulus_j, unit_j, wrap_step_w, wrap_usual_w;
    char wrapped_domain[48];
};

pj_status pji_raw_outcome_take(struct pji_raw_outcome *outcome, const struct pji_raw_run *run,
                               struct pj_error *err);
void pji_raw_outcome_fini(struct pji_raw_outcome *outcome);

#endif
