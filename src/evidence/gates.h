/* evidence/gates.h - what makes a trial invalid, what is only flagged and what is noted: one table
 * of codes, each with its consequence and its definition, and one pure function that applies it.
 *
 * `invalid` excludes the trial from every conclusion and leads to exit code 3; `flag` and `note`
 * are printed beside the result. Thresholds stand in struct pji_gate_limits, so that tests and
 * later studies can set them.
 */
#ifndef PJI_EVIDENCE_GATES_H
#define PJI_EVIDENCE_GATES_H

#include "core/str.h"
#include "evidence/gpu.h"
#include "evidence/gpu_idle.h"
#include "evidence/host.h"
#include "evidence/threads.h"
#include "perjoule/energy.h"

#include <stdbool.h>
#include <stdint.h>

enum pji_gate_consequence { PJI_GATE_NOTE, PJI_GATE_FLAG, PJI_GATE_INVALID };

struct pji_gate_def {
    const char *code;
    enum pji_gate_consequence consequence;
    const char *meaning; /* one sentence: when it fires and why that matters */
};

/* The i-th gate in the order in which they are reported; NULL past the last. */
const struct pji_gate_def *pji_gate_at(size_t i);
const struct pji_gate_def *pji_gate_find(const char *code); /* NULL: no such gate */
/* "note", "flag" or "invalid". */
const char *pji_gate_consequence_name(enum pji_gate_consequence consequence);

struct pji_gate_limits {
    double failed_share;  /* failed requests / requests above this: invalid */
    double gap_intervals; /* longest gap between meter ticks, in sampling intervals */
    int64_t gap_floor_ns; /* … but never less than this */
    double token_share;   /* requests whose output is not of the fixed length, above this */
    double window_ticks;  /* a window of fewer ticks is flagged */
    double host_s;        /* windows shorter than this are not judged by steal and foreign */
    double steal_flag, steal_invalid;     /* share of all processors' time, above this */
    double foreign_flag, foreign_invalid; /* share of all processors' time, above this */
    int64_t swap_b;                       /* swapped in or out, above this: invalid */
    double gpu_thermal_share;             /* of the window: held down for longer counts */
    double thread_share; /* of a processor, of one thread of client or server, above this */
    double lag_share;    /* p99 of the send lag / median time to the first token, above this … */
    double lag_floor_s;  /* … and above this: less cannot be told from the timer's own lateness */
    double lag_chance;   /* … and so many late requests are no chance at this level */
    double stopped_share; /* of the window in which the client could not run, above this */
    double stop_s; /* in windows shorter than this one hiccup is such a share, so there … */
    double short_stopped_share; /* … it is above this … */
    double short_stopped_s;     /* … and for longer than this */
    double dip_share; /* of the time in which requests waited with an idle GPU, above this */
    double gpu_use;   /* utilisation of the GPU while requests waited, below this */
};
struct pji_gate_limits pji_gate_limits_default(void);

/* The client and what it waited for. */
struct pji_client_state {
    struct pji_busiest busiest;
    double stopped_share; /* NaN: unknown */
    const double *lag_s;  /* of each request sent, as far as the client held it back */
    size_t n_lags;
    double ttft_p50_s;   /* NaN: no request has one */
    double answer_p50_s; /* send to end: stands in for it where answers come as a whole */
    struct pji_gpu_idle gpu;
    bool shared_cores; /* with a server that runs on the processors */
};

/* What the gates look at: one measured phase of one task of one trial. */
struct pji_gate_inputs {
    const char *task;
    int64_t window_ns;
    int64_t interval_ns;       /* sampling period */
    int64_t max_gap_ns;        /* longest gap between meter ticks inside the trial */
    uint64_t requests, failed; /* 0 requests: a command */
    uint64_t wrong_length;     /* of the succeeded: output length is not the fixed one */
    uint64_t uncounted;        /* of the succeeded: the server told no token count */
    uint64_t cache_hits;       /* of the succeeded: the server reports cached prompt tokens */
    uint64_t gaps;             /* between successive chunks of one answer */
    uint64_t shared_gaps;      /* of them between chunks that came in one read */
    bool cache_expected;       /* the study asked for a prompt cache */
    const struct pji_host_change *host; /* NULL: nobody looked */
    const struct pji_gpu_change *gpus;  /* n_gpus; none: nobody looked, or there are none */
    size_t n_gpus;
    const struct pji_client_state *client; /* NULL: nobody looked */
    const struct pj_energy *total;
    const char *lost; /* an instrument of the total without a value in this window; NULL: none */
    const char *lost_reason;
    double measured_share; /* of a total that a model adds to; 0: nothing of it was measured */
    double
        phase_sum_off_share; /* |sum of the phases - the attempt's total| / total; NaN: unknown */
    const char *unsettled;   /* a steady window was asked for and not found: why; else NULL */
    const char *cooldown_timeout; /* the machine did not come to rest: why; else NULL */
    const char *start_off;     /* it began at another temperature than the first trial; else NULL */
    const char *remote_reason; /* energy of the engine is elsewhere; NULL: it is here */
};

typedef pj_status pji_gate_sink(void *context, const struct pji_gate_def *gate, const char *detail,
                                struct pj_error *err);

/* Calls sink for every gate that fires, with a sentence that gives the figures. */
pj_status pji_gates_apply(const struct pji_gate_inputs *inputs,
                          const struct pji_gate_limits *limits, pji_gate_sink *sink, void *context,
                          struct pj_error *err);

#endif
