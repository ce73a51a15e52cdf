/* report/figures.c - see figures.h. */
#include "report/figures.h"

#include <string.h>

static const struct pji_figure_name names[] = {
    {"j_per_token", "J/token", "energy per output token", "energy per output token, J", "less",
     "more"},
    {"j_per_token_measured", "J/token, measured", "measured energy per output token",
     "measured energy per output token, J", "less", "more"},
    {"j_per_request", "J/request", "energy per request", "energy per request, J", "less", "more"},
    {"j_per_correct", "J/correct", "energy per correct answer", "energy per correct answer, J",
     "less", "more"},
    {"energy_j", "J/window", "energy of the measured window", "energy of the window, J", "less",
     "more"},
    {"energy_measured_j", "J/window, measured", "measured energy of the window",
     "measured energy of the window, J", "less", "more"},
    {"dur_s", "window, s", "duration of the measured window", "duration of the window, s",
     "shorter", "longer"},
    {"output_tok_per_s", "tok/s", "output tokens per second", "output tokens per second", "slower",
     "faster"},
    {"ttft_s", "TTFT, s", "time to first token", "time to first token, s", "shorter", "longer"},
    {"tpot_s", "TPOT, s", "time per output token", "time per output token, s", "shorter", "longer"},
    {"prefill_j_per_token", "J/prompt token", "energy of prefill per prompt token",
     "energy of prefill per prompt token, J", "less", "more"},
    {"decode_j_per_token", "J/decoded token", "energy of decode per token after the first",
     "energy of decode per token after the first, J", "less", "more"},
    {"prefill_j_per_token_measured", "J/prompt token, measured",
     "measured energy of prefill per prompt token",
     "measured energy of prefill per prompt token, J", "less", "more"},
    {"decode_j_per_token_measured", "J/decoded token, measured",
     "measured energy of decode per token after the first",
     "measured energy of decode per token after the first, J", "less", "more"},
    {"prefill_share", "prefill, share", "share of prefill in the energy of the window",
     "share of prefill in the energy of the window", "less", "more"},
    {"prefill_marginal_j_per_token", "marginal J/prompt token",
     "modelled energy of one more prompt token", "modelled energy of one more prompt token, J",
     "less", "more"},
    {"decode_marginal_j_per_token", "marginal J/decoded token",
     "modelled energy of one more decoded token", "modelled energy of one more decoded token, J",
     "less", "more"},
    {"base_power_w", "base, W", "modelled power without tokens", "modelled power without tokens, W",
     "less", "more"},
    {"energy_net_j", "J net/window", "net energy of the measured window",
     "net energy of the window, J", "less", "more"},
    {"load_j", "J to load", "energy of loading", "energy of loading, J", "less", "more"},
    {"load_break_even_requests", "requests per loading", "requests that loading is worth",
     "requests that loading is worth", "fewer", "more"},
};

const struct pji_figure_name *pji_figure_name_at(size_t i)
{
    return i < sizeof names / sizeof names[0] ? &names[i] : NULL;
}

const struct pji_figure_name *pji_figure_name_find(const char *name)
{
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(names[i].name, name) == 0)
            return &names[i];
    }
    return NULL;
}

/* docs/metrics.md in one sentence each. */
static const struct pji_definition definitions[] = {
    {"j_per_token", "J/token",
     "energy of the measured window divided by its output tokens; the prompt's work is in it"},
    {"j_per_token_measured", "J/token, measured",
     "the part of the total that instruments measured, without what models add, divided by the "
     "output "
     "tokens"},
    {"energy_measured_j", "J/window, measured",
     "the part of the window's energy that instruments measured, without what models add"},
    {"j_per_request", "J/request",
     "energy of the measured window divided by the requests that succeeded"},
    {"j_per_correct", "J/correct",
     "energy of the measured window divided by the answers in it that are right"},
    {"mcnemar", "answers compared",
     "items that both treatments answered, joined by their id, each right when the majority of its "
     "answers is; p is McNemar's exact test of the items that only one got right, adjusted after "
     "Holm over the rows"},
    {"energy_j", "J/window",
     "energy of the total's channels over the measured window, from the first request sent to the "
     "last byte received"},
    {"energy_net_j", "J net/window",
     "energy of the measured window less that of the idle machine over its length, from the "
     "baselines before and after it"},
    {"dur_s", "window, s", "length of the measured window"},
    {"output_tok_per_s", "tok/s", "output tokens of the window divided by its length"},
    {"ttft_s", "TTFT, s",
     "time from sending a request to the first chunk with text, mean over the requests"},
    {"tpot_s", "TPOT, s",
     "time from the first to the last token divided by the output tokens less one, mean over the "
     "requests with two tokens or more"},
    {"prefill_j_per_token", "J/prompt token",
     "energy from sending a request to its first token, pooled over the requests of the window and "
     "divided by their prompt tokens; only where one request was in flight at a time"},
    {"decode_j_per_token", "J/decoded token",
     "energy from the first token of an answer to its end, pooled over the requests of the window "
     "and divided by their output tokens after the first; only where one request was in flight at "
     "a time"},
    {"prefill_j_per_token_measured", "J/prompt token, measured",
     "the part of prefill's energy that instruments measured, without what models add, divided by "
     "the same prompt tokens"},
    {"decode_j_per_token_measured", "J/decoded token, measured",
     "the part of decode's energy that instruments measured, without what models add, divided by "
     "the same tokens"},
    {"prefill_share", "prefill, share",
     "energy of prefill divided by that of the window, both as instruments measured them where any "
     "did; the gain of one instrument cancels"},
    {"prefill_marginal_j_per_token", "marginal J/prompt token",
     "modelled, where several requests are in flight: slope on prompt tokens of a regression of "
     "the "
     "energies of slices of the window on the tokens processed in them and on time"},
    {"decode_marginal_j_per_token", "marginal J/decoded token",
     "modelled: slope on decoded tokens of the same regression"},
    {"base_power_w", "base, W", "modelled: slope on time of the same regression"},
    {"load_j", "J to load",
     "energy of the phase load, from starting the engine until it is ready; the same for each task "
     "of a trial, and in no other figure"},
    {"load_break_even_requests", "requests per loading",
     "energy of loading divided by energy per request: after so many requests serving has taken as "
     "much as loading"},
    {"accuracy_share", "accuracy",
     "share of distinct items answered correctly; an unparsable answer counts as wrong"},
    {"mean", "mean",
     "arithmetic mean over the done trials of a treatment; its 95 % interval combines the scatter "
     "of the repetitions with the common uncertainty of the instrument, which repetition does not "
     "shrink (GUM G.4.1)"},
    {"ratio", "ratio",
     "geometric mean over the blocks of other / base; what the instruments share cancels, the rest "
     "of their common uncertainty is combined with the scatter between blocks"},
    {"accuracy", "accuracy",
     "correct answers over distinct items with Wilson's 95 % interval, beside the share of the "
     "commonest label"},
    {"count", "count", "trials of the plan in a state"},
    {"value", "value",
     "the value of one trial, with its combined standard uncertainty where it rests on energy"},
    {"trial", "trial", "number of the trial in the plan, in the order in which they were planned"},
    {"attempt", "attempt",
     "number of the attempt that the trial's state comes from; its files lie below artefacts/ of "
     "the "
     "study under this number"},
    {"block", "block", "repetition of the plan: each holds every treatment once"},
    {"state", "state", "how the trial ended, with the reason where it is not done"},
    {"fact", "recorded fact",
     "recorded when the study was created, or with the attempt of the trial named here (table fact "
     "of study.sqlite)"},
    {"instrument", "instrument",
     "a channel of the meter, with the uncertainty of its energy in the measured window of the "
     "trial "
     "named here (table energy of study.sqlite)"},
    {"plan", "plan", "recorded when the study was created (table meta of study.sqlite)"},
    {"gate", "gate", "trials in which a rule of the measurement fired (docs/gates.md)"},
    {"agreement", "agreement",
     "pairs of answers to one item in repetitions of one treatment, compared by the digest of "
     "their text"},
    {"domains", "energy by domain",
     "mean over the done trials of the energy of each channel that the total adds"},
    {"power", "power", "energy between two readings of the total divided by the time between them"},
};

const struct pji_definition *pji_definition_at(size_t i)
{
    return i < sizeof definitions / sizeof definitions[0] ? &definitions[i] : NULL;
}

const struct pji_definition *pji_definition_find(const char *key)
{
    for (size_t i = 0; pji_definition_at(i) != NULL; i++) {
        if (strcmp(definitions[i].key, key) == 0)
            return &definitions[i];
    }
    return NULL;
}
