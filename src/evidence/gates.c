/* evidence/gates.c - the gate table and its one interpreter. A gate is a row and a check function;
 * the row says what the consequence is, the check only whether it fires and with which figures.
 */
#include "evidence/gates.h"

#include "core/units.h"

#include <math.h>
#include <string.h>

typedef bool check_fn(const struct pji_gate_inputs *in, const struct pji_gate_limits *limits,
                      struct pji_str *detail);

struct gate {
    struct pji_gate_def def;
    check_fn *check;
};

static bool energy_missing(const struct pji_gate_inputs *in, const struct pji_gate_limits *limits,
                           struct pji_str *detail)
{
    (void)limits;
    if (in->remote_reason != NULL || in->total->origin != PJ_ORIGIN_MISSING)
        return false;
    pji_str_addf(detail, "no energy: %s", in->total->reason);
    return true;
}

static bool energy_remote(const struct pji_gate_inputs *in, const struct pji_gate_limits *limits,
                          struct pji_str *detail)
{
    (void)limits;
    if (in->remote_reason == NULL)
        return false;
    pji_str_addf(detail, "the engine's energy is missing: %s; local energy is the client's",
                 in->remote_reason);
    return true;
}

static bool energy_modelled(const struct pji_gate_inputs *in, const struct pji_gate_limits *limits,
                            struct pji_str *detail)
{
    (void)limits;
    if (in->total->origin != PJ_ORIGIN_MODELLED && in->total->origin != PJ_ORIGIN_CONSTANT)
        return false;
    pji_str_addf(detail, "the total rests on a model (%s), not on a measurement",
                 in->total->com_id);
    return true;
}

static bool energy_partial(const struct pji_gate_inputs *in, const struct pji_gate_limits *limits,
                           struct pji_str *detail)
{
    (void)limits;
    if (in->total->origin == PJ_ORIGIN_MISSING || !(in->total->quality & PJ_QUALITY_PARTIAL))
        return false;
    pji_str_add(detail, "a domain that exists was not read, so the total lacks it");
    return true;
}

static bool energy_doubtful(const struct pji_gate_inputs *in, const struct pji_gate_limits *limits,
                            struct pji_str *detail)
{
    (void)limits;
    if (in->total->origin == PJ_ORIGIN_MISSING || !(in->total->quality & PJ_QUALITY_AMBIGUOUS))
        return false;
    pji_str_add(detail, "a counter may have wrapped more than once in a gap of the readings");
    return true;
}

static bool sample_gap(const struct pji_gate_inputs *in, const struct pji_gate_limits *limits,
                       struct pji_str *detail)
{
    double limit_ns =
        fmax((double)limits->gap_floor_ns, limits->gap_intervals * (double)in->interval_ns);
    if ((double)in->max_gap_ns <= limit_ns)
        return false;
    pji_str_addf(detail, "the meter paused for %.2f s (limit %.2f s)",
                 pji_s_from_ns(in->max_gap_ns), limit_ns / 1e9);
    return true;
}

static bool short_window(const struct pji_gate_inputs *in, const struct pji_gate_limits *limits,
                         struct pji_str *detail)
{
    if ((double)in->window_ns >= limits->window_ticks * (double)in->interval_ns)
        return false;
    pji_str_addf(detail, "the window of %.3f s spans fewer than %.0f samples of %.0f ms",
                 pji_s_from_ns(in->window_ns), limits->window_ticks,
                 pji_ms_from_ns(in->interval_ns));
    return true;
}

static bool request_errors(const struct pji_gate_inputs *in, const struct pji_gate_limits *limits,
                           struct pji_str *detail)
{
    if (in->requests == 0 || (double)in->failed <= limits->failed_share * (double)in->requests)
        return false;
    pji_str_addf(detail, "%llu of %llu requests failed", (unsigned long long)in->failed,
                 (unsigned long long)in->requests);
    return true;
}

static bool request_lost(const struct pji_gate_inputs *in, const struct pji_gate_limits *limits,
                         struct pji_str *detail)
{
    if (in->failed == 0 || (double)in->failed > limits->failed_share * (double)in->requests)
        return false;
    pji_str_addf(detail, "%llu of %llu requests failed and count nowhere",
                 (unsigned long long)in->failed, (unsigned long long)in->requests);
    return true;
}

static bool token_mismatch(const struct pji_gate_inputs *in, const struct pji_gate_limits *limits,
                           struct pji_str *detail)
{
    uint64_t ok = in->requests - in->failed;
    if (ok == 0 || (double)in->wrong_length <= limits->token_share * (double)ok)
        return false;
    pji_str_addf(detail, "%llu of %llu answers do not have the fixed length that was asked for",
                 (unsigned long long)in->wrong_length, (unsigned long long)ok);
    return true;
}

static bool token_unknown(const struct pji_gate_inputs *in, const struct pji_gate_limits *limits,
                          struct pji_str *detail)
{
    (void)limits;
    if (in->uncounted == 0)
        return false;
    pji_str_addf(detail,
                 "the server told no token count for %llu requests: per-token figures are "
                 "missing",
                 (unsigned long long)in->uncounted);
    return true;
}

static bool cache_hits(const struct pji_gate_inputs *in, const struct pji_gate_limits *limits,
                       struct pji_str *detail)
{
    (void)limits;
    if (in->cache_hits == 0 || in->cache_expected)
        return false;
    pji_str_addf(detail, "the server took prompt tokens of %llu requests from a cache",
                 (unsigned long long)in->cache_hits);
    return true;
}

static const struct gate gates[] = {
    {{"energy_missing", PJI_GATE_INVALID,
      "No instrument gave a value for the window: there is nothing to compare."},
     energy_missing},
    {{"sample_gap", PJI_GATE_INVALID,
      "The meter paused longer than 10 sampling intervals (at least 1 s): what happened meanwhile "
      "is unknown."},
     sample_gap},
    {{"counter_ambiguous", PJI_GATE_INVALID,
      "A counter may have wrapped more than once between two readings."},
     energy_doubtful},
    {{"request_errors", PJI_GATE_INVALID,
      "More than 1 % of the requests failed: the treatment did not do its work."},
     request_errors},
    {{"token_mismatch", PJI_GATE_INVALID,
      "Answers of a fixed-length task have another length: the treatments did different work."},
     token_mismatch},
    {{"prefix_cache", PJI_GATE_INVALID,
      "Prompt tokens came from a cache although the study did not ask for one: later repetitions "
      "did less work than the first."},
     cache_hits},
    {{"request_lost", PJI_GATE_FLAG, "Some requests failed, at most 1 %."}, request_lost},
    {{"token_unknown", PJI_GATE_FLAG, "The server told no token counts."}, token_unknown},
    {{"short_window", PJI_GATE_FLAG,
      "The window spans fewer than 10 samples: its edges dominate the uncertainty."},
     short_window},
    {{"energy_partial", PJI_GATE_FLAG, "A domain that exists was not read."}, energy_partial},
    {{"energy_remote", PJI_GATE_NOTE, "The engine runs on another host and is not measured here."},
     energy_remote},
    {{"energy_modelled", PJI_GATE_NOTE, "The energy is modelled, not measured."}, energy_modelled},
};

enum { N_GATES = sizeof gates / sizeof gates[0] };

const char *pji_gate_consequence_name(enum pji_gate_consequence consequence)
{
    switch (consequence) {
    case PJI_GATE_NOTE:
        return "note";
    case PJI_GATE_FLAG:
        return "flag";
    case PJI_GATE_INVALID:
        return "invalid";
    }
    return "invalid";
}

const struct pji_gate_def *pji_gate_at(size_t i)
{
    return i < N_GATES ? &gates[i].def : NULL;
}

const struct pji_gate_def *pji_gate_find(const char *code)
{
    for (size_t i = 0; i < N_GATES; i++) {
        if (strcmp(gates[i].def.code, code) == 0)
            return &gates[i].def;
    }
    return NULL;
}

struct pji_gate_limits pji_gate_limits_default(void)
{
    return (struct pji_gate_limits){.failed_share = 0.01,
                                    .gap_intervals = 10,
                                    .gap_floor_ns = PJI_NS_PER_S,
                                    .token_share = 0,
                                    .window_ticks = 10};
}

pj_status pji_gates_apply(const struct pji_gate_inputs *inputs,
                          const struct pji_gate_limits *limits, pji_gate_sink *sink, void *context,
                          struct pj_error *err)
{
    struct pji_str detail = {0};
    pj_status status = PJ_OK;
    for (size_t i = 0; i < N_GATES && status == PJ_OK; i++) {
        pji_str_clear(&detail);
        if (!gates[i].check(inputs, limits, &detail))
            continue;
        status = pji_str_ok(&detail, err);
        if (status == PJ_OK)
            status = sink(context, &gates[i].def, pji_str_text(&detail), err);
    }
    pji_str_fini(&detail);
    return status;
}
