/* lab/records.h - what one attempt left in memory, and how it gets into the store: phases,
 * requests, energies of every window, derived figures, answers, gates. One transaction, after the
 * windows.
 */
#ifndef PJI_LAB_RECORDS_H
#define PJI_LAB_RECORDS_H

#include "energy/trace.h"
#include "evidence/gates.h"
#include "lab/render.h"
#include "lab/settling.h"
#include "lab/surroundings.h"
#include "lab/workload.h"
#include "store/store.h"

struct pji_phase_data {
    const char *name;        /* static */
    struct pji_task_run run; /* n = 0: no requests */
    struct pji_load_result load;
    int64_t start_ns, end_ns;
    struct pji_rendered rendered;    /* what the chat template makes of its prompts */
    struct pji_circumstances around; /* what else the machine and its GPUs did meanwhile */
};

/* Whether it was reached: a phase that was cut off before it began leaves nothing. */
static inline bool pji_phase_began(const struct pji_phase_data *phase)
{
    return phase->end_ns >= phase->start_ns && phase->start_ns != 0;
}

struct pji_trial_data {
    struct pji_phase_data *phases;
    size_t n, cap;
    struct pji_trace trace;
    bool has_trace;
    char remote_reason[160]; /* see engine/engine.h; "": the engine runs here */
    bool cache_expected;
    bool shared_cores;  /* of client and server (lab/cores.h) */
    bool loads_nothing; /* the server was there before the trial: its loading is nobody's here */
    int64_t interval_ns;
    struct pji_gate_limits gates;
    int64_t start_ns, end_ns;
    /* the machine at rest (lab/rest.h) */
    bool looked, took_reference; /* at the start; the reference below is this attempt's */
    bool wants_net;              /* the study has baselines */
    struct pji_temps start_temps;
    struct pji_rest_reference reference;
    char cooldown_detail[280]; /* it did not come to rest: why; "": it did, or nobody waited */
    char boot_id[48];
};

/* Adds an empty phase; the pointer is valid until the next call. NULL on lack of memory. */
struct pji_phase_data *pji_trial_data_phase(struct pji_trial_data *data, const char *name,
                                            struct pj_error *err);
void pji_trial_data_fini(struct pji_trial_data *data);

/* Stores everything (inside the caller's transaction). gates_failed gets the codes of `invalid`
 * gates, comma-separated; energy_j the total of the whole trial (NaN: missing). */
pj_status pji_records_store(struct pji_store *store, int64_t attempt,
                            const struct pji_trial_data *data, struct pji_str *gates_failed,
                            double *energy_j, struct pj_error *err);

#endif
