/* evidence/gates.c - the gate table and its one interpreter. A gate is a row and a check function;
 * the row says what the consequence is, the check only whether it fires and with which figures.
 */
#include "evidence/gates_inside.h"

#include "core/units.h"

#include <math.h>
#include <string.h>

struct gate {
    struct pji_gate_def def;
    pji_gate_check *check;
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
    if (in->measured_share > 0)
        pji_str_addf(detail, "a model adds %.0f %% of the total; the rest was measured",
                     100 * (1 - in->measured_share));
    else
        pji_str_addf(detail, "the total rests on a model (%s), not on a measurement",
                     in->total->com_id);
    return true;
}

/* A total without it is another quantity than those of the other windows. */
static bool instrument_lost(const struct pji_gate_inputs *in, const struct pji_gate_limits *limits,
                            struct pji_str *detail)
{
    (void)limits;
    if (in->lost == NULL || in->remote_reason != NULL || in->total->origin == PJ_ORIGIN_MISSING)
        return false;
    pji_str_addf(detail, "the total lacks %s, which has no value here: %s", in->lost,
                 in->lost_reason);
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

static bool phase_sum(const struct pji_gate_inputs *in, const struct pji_gate_limits *limits,
                      struct pji_str *detail)
{
    (void)limits;
    if (!(in->phase_sum_off_share > 0.001))
        return false;
    pji_str_addf(detail, "the phases and what lies between them add up to %.2f %% off the total",
                 100 * in->phase_sum_off_share);
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

/* ---- what else the machine did ---- */

static bool host_share(const struct pji_gate_inputs *in, const struct pji_gate_limits *limits,
                       double share, double above, double up_to)
{
    return in->host != NULL && in->host->known && in->host->dur_s >= limits->host_s &&
           share > above && !(share > up_to);
}

static bool say_steal(const struct pji_gate_inputs *in, struct pji_str *detail)
{
    pji_str_addf(detail, "the hypervisor gave %.1f %% of the processors' time to others",
                 100 * in->host->steal_share);
    return true;
}

static bool steal_time(const struct pji_gate_inputs *in, const struct pji_gate_limits *limits,
                       struct pji_str *detail)
{
    double share = in->host != NULL ? in->host->steal_share : 0;
    return host_share(in, limits, share, limits->steal_invalid, (double)INFINITY) &&
           say_steal(in, detail);
}

static bool steal_some(const struct pji_gate_inputs *in, const struct pji_gate_limits *limits,
                       struct pji_str *detail)
{
    double share = in->host != NULL ? in->host->steal_share : 0;
    return host_share(in, limits, share, limits->steal_flag, limits->steal_invalid) &&
           say_steal(in, detail);
}

static bool say_foreign(const struct pji_gate_inputs *in, struct pji_str *detail)
{
    pji_str_addf(detail, "processes that are not the study's used %.1f %% of the processors' time",
                 100 * in->host->foreign_share);
    if (in->host->foreign_pid != 0)
        pji_str_addf(detail, "; the busiest that was seen: %s (pid %lld)", in->host->foreign_name,
                     (long long)in->host->foreign_pid);
    return true;
}

static bool cpu_thief(const struct pji_gate_inputs *in, const struct pji_gate_limits *limits,
                      struct pji_str *detail)
{
    double share = in->host != NULL ? in->host->foreign_share : 0;
    return host_share(in, limits, share, limits->foreign_invalid, (double)INFINITY) &&
           say_foreign(in, detail);
}

static bool cpu_foreign(const struct pji_gate_inputs *in, const struct pji_gate_limits *limits,
                        struct pji_str *detail)
{
    double share = in->host != NULL ? in->host->foreign_share : 0;
    return host_share(in, limits, share, limits->foreign_flag, limits->foreign_invalid) &&
           say_foreign(in, detail);
}

static bool say_swap(const struct pji_gate_inputs *in, struct pji_str *detail)
{
    pji_str_addf(detail, "%.1f MiB were swapped in or out", (double)in->host->swap_b / 1048576);
    return true;
}

static bool swapping(const struct pji_gate_inputs *in, const struct pji_gate_limits *limits,
                     struct pji_str *detail)
{
    return in->host != NULL && in->host->known && in->host->swap_b > limits->swap_b &&
           say_swap(in, detail);
}

static bool swap_some(const struct pji_gate_inputs *in, const struct pji_gate_limits *limits,
                      struct pji_str *detail)
{
    return in->host != NULL && in->host->known && in->host->swap_b > 0 &&
           in->host->swap_b <= limits->swap_b && say_swap(in, detail);
}

static bool throttled(const struct pji_gate_inputs *in, const struct pji_gate_limits *limits,
                      struct pji_str *detail)
{
    if (in->host == NULL || !in->host->known || in->host->throttled <= 0)
        return pji_gate_gpu_throttled(in, limits, detail);
    pji_str_addf(detail, "the processors were throttled for heat %lld times",
                 (long long)in->host->throttled);
    return true;
}

static bool limit_changed(const struct pji_gate_inputs *in, const struct pji_gate_limits *limits,
                          struct pji_str *detail)
{
    const struct pji_host_change *h = in->host;
    if (h == NULL || !h->known)
        return pji_gate_gpu_limit(in, limits, detail);
    if (h->freq_cap_before_khz != h->freq_cap_after_khz)
        pji_str_addf(detail, "the sum of the processors' highest clocks went from %lld to %lld kHz",
                     (long long)h->freq_cap_before_khz, (long long)h->freq_cap_after_khz);
    if (h->power_cap_before_uw != h->power_cap_after_uw)
        pji_str_addf(detail, "%sthe sum of the processors' power limits went from %lld to %lld uW",
                     detail->len > 0 ? "; " : "", (long long)h->power_cap_before_uw,
                     (long long)h->power_cap_after_uw);
    (void)pji_gate_gpu_limit(in, limits, detail);
    return detail->len > 0;
}

static bool never_settles(const struct pji_gate_inputs *in, const struct pji_gate_limits *limits,
                          struct pji_str *detail)
{
    (void)limits;
    if (in->unsettled == NULL)
        return false;
    pji_str_add(detail, in->unsettled);
    return true;
}

static bool cooldown_timeout(const struct pji_gate_inputs *in, const struct pji_gate_limits *limits,
                             struct pji_str *detail)
{
    (void)limits;
    if (in->cooldown_timeout == NULL)
        return false;
    pji_str_add(detail, in->cooldown_timeout);
    return true;
}

static bool start_temperature(const struct pji_gate_inputs *in,
                              const struct pji_gate_limits *limits, struct pji_str *detail)
{
    (void)limits;
    if (in->start_off == NULL)
        return false;
    pji_str_add(detail, in->start_off);
    return true;
}

/* Gates of a trial's net energy, which is known when the baseline after it is, and gates that look
 * across trials: they are told by who computes them (lab/net.c, lab/replicas.c) and never fire
 * here. */
static bool told_later(const struct pji_gate_inputs *in, const struct pji_gate_limits *limits,
                       struct pji_str *detail)
{
    (void)in;
    (void)limits;
    (void)detail;
    return false;
}

static bool itl_shared(const struct pji_gate_inputs *in, const struct pji_gate_limits *limits,
                       struct pji_str *detail)
{
    (void)limits;
    if (in->shared_gaps == 0)
        return false;
    pji_str_addf(detail,
                 "%llu of %llu gaps between chunks of text lie inside one read and have no length: "
                 "ITL is over the others",
                 (unsigned long long)in->shared_gaps, (unsigned long long)in->gaps);
    return true;
}

static const struct gate gates[] = {
    {{"energy_missing", PJI_GATE_INVALID,
      "No instrument gave a value for the window: there is nothing to compare."},
     energy_missing},
    {{"instrument_lost", PJI_GATE_INVALID,
      "An instrument that belongs to the total gave no value for the window: this total is another "
      "quantity than the others."},
     instrument_lost},
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
    {{"never_settles", PJI_GATE_INVALID,
      "A steady window was asked for and none was found: power or output kept moving."},
     never_settles},
    {{"token_mismatch", PJI_GATE_INVALID,
      "Answers of a fixed-length task have another length: the treatments did different work."},
     token_mismatch},
    {{"prefix_cache", PJI_GATE_INVALID,
      "Prompt tokens came from a cache although the study did not ask for one: later repetitions "
      "did less work than the first."},
     cache_hits},
    {{"host_bound", PJI_GATE_INVALID,
      "The client, or the server's own work on the processors, was what the requests waited for: "
      "the window measures the host, not the model."},
     pji_gate_host_bound},
    {{"cpu_thief", PJI_GATE_INVALID,
      "Processes that are not the study's used more than 25 % of the processors' time."},
     cpu_thief},
    {{"steal_time", PJI_GATE_INVALID,
      "The hypervisor gave more than 10 % of the processors' time to other machines."},
     steal_time},
    {{"swapping", PJI_GATE_INVALID, "More than 10 MiB were swapped in or out."}, swapping},
    {{"throttled", PJI_GATE_INVALID,
      "The processors were throttled for heat, or a GPU for heat or by its power brake: the "
      "treatments ran at different clocks."},
     throttled},
    {{"limit_changed", PJI_GATE_INVALID,
      "Somebody changed the processors' highest clock or power limit, or a GPU's power limit or "
      "application clocks."},
     limit_changed},
    {{"gpu_foreign", PJI_GATE_INVALID,
      "A process that is not the study's had a context on a measured GPU."},
     pji_gate_gpu_foreign},
    {{"gpu_ecc", PJI_GATE_INVALID,
      "A GPU had memory errors that could not be corrected: its results are in doubt."},
     pji_gate_gpu_ecc},
    {{"gpu_xid", PJI_GATE_INVALID, "The driver reported a critical error (Xid) of a GPU."},
     pji_gate_gpu_xid},
    {{"net_negative", PJI_GATE_INVALID,
      "The net energy is below zero by more than twice its uncertainty: the baseline is not that "
      "of "
      "this machine at rest."},
     told_later},
    {{"baseline_drift", PJI_GATE_FLAG,
      "Idle power moved between the baselines by more than 2 % of the gross energy: there is no "
      "net "
      "energy."},
     told_later},
    {{"baseline_old", PJI_GATE_FLAG,
      "A baseline is more than 30 min from the window: there is no net energy."},
     told_later},
    {{"cooldown_timeout", PJI_GATE_FLAG,
      "The machine had not come to rest when the trial began, after the longest wait."},
     cooldown_timeout},
    {{"start_temperature", PJI_GATE_FLAG,
      "The trial began more than 2 degrees warmer or colder than the study's first."},
     start_temperature},
    {{"cpu_foreign", PJI_GATE_FLAG,
      "Processes that are not the study's used 5 to 25 % of the processors' time."},
     cpu_foreign},
    {{"steal_some", PJI_GATE_FLAG,
      "The hypervisor gave 1 to 10 % of the processors' time to other machines."},
     steal_some},
    {{"swap_some", PJI_GATE_FLAG, "Up to 10 MiB were swapped in or out."}, swap_some},
    {{"gpu_power_cap", PJI_GATE_FLAG, "A GPU's power limit held its clocks down."},
     pji_gate_gpu_capped},
    {{"gpu_corrected", PJI_GATE_FLAG, "A GPU corrected memory errors or replaced rows."},
     pji_gate_gpu_corrected},
    {{"gpu_owner_unknown", PJI_GATE_FLAG,
      "A GPU has processes of which nobody can tell here whose they are."},
     pji_gate_gpu_owner},
    {{"shared_cores", PJI_GATE_FLAG,
      "Client and server use the same processors: there are fewer than four cores."},
     pji_gate_shared_cores},
    {{"prompt_changed", PJI_GATE_FLAG,
      "The server made something else of the same prompts than in the first repetition: a date in "
      "the chat template, for example."},
     told_later},
    {{"request_lost", PJI_GATE_FLAG, "Some requests failed, at most 1 %."}, request_lost},
    {{"token_unknown", PJI_GATE_FLAG, "The server told no token counts."}, token_unknown},
    {{"short_window", PJI_GATE_FLAG,
      "The window spans fewer than 10 samples: its edges dominate the uncertainty."},
     short_window},
    {{"phase_sum", PJI_GATE_FLAG,
      "The energies of the phases and of what lies between them do not add up to the attempt's "
      "total within 0.1 %."},
     phase_sum},
    {{"energy_partial", PJI_GATE_FLAG, "A domain that exists was not read."}, energy_partial},
    {{"energy_remote", PJI_GATE_NOTE, "The engine runs on another host and is not measured here."},
     energy_remote},
    {{"energy_modelled", PJI_GATE_NOTE, "The energy is modelled, not measured."}, energy_modelled},
    {{"gpu_unread", PJI_GATE_NOTE,
      "A GPU does not tell all that the gates ask: what is missing was not judged."},
     pji_gate_gpu_unread},
    {{"identical_outputs", PJI_GATE_NOTE,
      "All answers are byte for byte those of the first repetition: repetitions replicate the "
      "measurement only."},
     told_later},
    {{"itl_shared_reads", PJI_GATE_NOTE,
      "Chunks of text came in one read and share a time stamp: the gaps between them are unknown."},
     itl_shared},
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
                                    .window_ticks = 10,
                                    .host_s = 1,
                                    .steal_flag = 0.01,
                                    .steal_invalid = 0.1,
                                    .foreign_flag = 0.05,
                                    .foreign_invalid = 0.25,
                                    .swap_b = INT64_C(10) << 20,
                                    .gpu_thermal_share = 0.001,
                                    .thread_share = 0.9,
                                    .lag_share = 0.01,
                                    .lag_floor_s = 0.001,
                                    .lag_chance = 0.02,
                                    .stopped_share = 0.1,
                                    .stop_s = 0.5,
                                    .short_stopped_share = 0.3,
                                    .short_stopped_s = 0.04,
                                    .dip_share = 0.1,
                                    .gpu_use = 0.8};
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
