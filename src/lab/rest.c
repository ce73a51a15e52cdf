#include "lab/rest.h"

#include "core/array.h"
#include "core/units.h"
#include "lab/internal.h"
#include "platform/clock.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Looks per span that is looked back on. */
enum { LOOKS = 60 };

pj_status pji_rest_open(struct pji_rest *rest, const char *root, struct pj_error *err)
{
    rest->settling = pji_zalloc(1, sizeof *rest->settling, err);
    if (rest->settling == NULL)
        return PJ_ENOMEM;
    rest->open = pji_platform_open_real(&rest->platform, root, NULL) == PJ_OK;
    return PJ_OK;
}

void pji_rest_close(struct pji_rest *rest)
{
    if (rest->open)
        pji_platform_close_real(&rest->platform);
    free(rest->settling);
    rest->open = false;
    rest->settling = NULL;
}

static void look(struct pji_rest *rest, struct pji_rest_sample *sample)
{
    *sample = (struct pji_rest_sample){.t_ns = pji_clock_ns(CLOCK_MONOTONIC)};
    if (rest->open)
        pji_temps_read(&sample->temps, &rest->platform);
    pji_metering_temps(rest->metering, &sample->temps);
    sample->energy_j = pji_metering_energy_j(rest->metering, sample->t_ns);
}

static void say(struct pji_rest *rest, const char *phase, const char *what)
{
    char text[160];
    snprintf(text, sizeof text, "%.24s: %.130s", phase, what);
    rest->say(rest->context, text);
}

/* ---- looking on ---- */

/* Looks again and again for at most most_ns; with a reference until the machine is at rest. */
static enum pji_watch_cause look_on(struct pji_rest *rest, const char *name, int64_t most_ns,
                                    const struct pji_rest_reference *reference,
                                    struct pj_error *err)
{
    struct pji_settling *settling = rest->settling;
    struct pji_rest_sample sample;
    enum pji_watch_cause cause = PJI_WATCH_TIMER;
    char text[200] = "";
    struct pji_phase_data *phase = pji_trial_data_phase(rest->data, name, err);
    if (phase == NULL)
        return PJI_WATCH_NONE;
    *settling = (struct pji_settling){.over_ns = rest->study->phases.settle_over_ns};
    pji_metering_mark(rest->metering);
    phase->start_ns = pji_clock_ns(CLOCK_MONOTONIC);
    while (cause == PJI_WATCH_TIMER) {
        look(rest, &sample);
        pji_settling_add(settling, &sample);
        int64_t left_ns = phase->start_ns + most_ns - sample.t_ns;
        if (reference != NULL &&
            pji_settling_judge(settling, reference, text, sizeof text) == PJI_SETTLED)
            break;
        if (left_ns <= 0) {
            if (reference != NULL && rest->data->cooldown_detail[0] == '\0')
                snprintf(rest->data->cooldown_detail, sizeof rest->data->cooldown_detail,
                         "after %.4g s: %s", pji_s_from_ns(most_ns), text);
            break;
        }
        say(rest, name, reference != NULL ? text : "the machine as it is before the first trial");
        int64_t step_ns = settling->over_ns / LOOKS;
        cause = pji_watch_sleep(rest->watch, step_ns < left_ns ? step_ns : left_ns);
    }
    phase->end_ns = pji_clock_ns(CLOCK_MONOTONIC);
    pji_metering_mark(rest->metering);
    return cause;
}

static enum pji_watch_cause sleep_idle(struct pji_rest *rest, const char *name,
                                       struct pj_error *err)
{
    char text[60];
    int64_t dur_ns = rest->study->baseline.idle_ns;
    struct pji_phase_data *phase = pji_trial_data_phase(rest->data, name, err);
    if (phase == NULL)
        return PJI_WATCH_NONE;
    snprintf(text, sizeof text, "%.4g s without an engine", pji_s_from_ns(dur_ns));
    say(rest, name, text);
    pji_metering_mark(rest->metering);
    phase->start_ns = pji_clock_ns(CLOCK_MONOTONIC);
    enum pji_watch_cause cause = pji_watch_sleep(rest->watch, dur_ns);
    phase->end_ns = pji_clock_ns(CLOCK_MONOTONIC);
    pji_metering_mark(rest->metering);
    return cause;
}

/* ---- before and after the engine ---- */

/* Without a cool-down by state one look is the reference. */
static enum pji_watch_cause take_reference(struct pji_rest *rest, struct pj_error *err)
{
    struct pji_trial_data *data = rest->data;
    struct pji_rest_sample sample;
    if (rest->study->phases.settle) {
        enum pji_watch_cause cause =
            look_on(rest, "reference", rest->study->phases.settle_over_ns, NULL, err);
        if (cause != PJI_WATCH_TIMER)
            return cause;
        pji_settling_mean(rest->settling, &data->reference);
    } else {
        look(rest, &sample);
        data->reference = (struct pji_rest_reference){
            .known = true, .temps = sample.temps, .power_w = (double)NAN};
    }
    data->took_reference = true;
    return PJI_WATCH_TIMER;
}

enum pji_watch_cause pji_rest_before(struct pji_rest *rest, struct pj_error *err)
{
    const struct pji_phases *p = &rest->study->phases;
    struct pji_trial_data *data = rest->data;
    struct pji_rest_sample sample;
    enum pji_watch_cause cause = PJI_WATCH_TIMER;
    data->reference = rest->around->reference;
    if (!data->reference.known)
        cause = take_reference(rest, err);
    else if (p->settle)
        cause = look_on(rest, "cooldown", p->settle_most_ns, &data->reference, err);
    if (cause == PJI_WATCH_TIMER && rest->around->baseline_before)
        cause = sleep_idle(rest, "baseline_before", err);
    look(rest, &sample);
    data->start_temps = sample.temps;
    data->looked = true;
    return cause;
}

enum pji_watch_cause pji_rest_after(struct pji_rest *rest, struct pj_error *err)
{
    const struct pji_phases *p = &rest->study->phases;
    enum pji_watch_cause cause = PJI_WATCH_TIMER;
    if (!rest->around->baseline_after)
        return cause;
    if (p->settle && rest->data->reference.known)
        cause = look_on(rest, "cooldown_after", p->settle_most_ns, &rest->data->reference, err);
    return cause == PJI_WATCH_TIMER ? sleep_idle(rest, "baseline_after", err) : cause;
}

void pji_rest_warn(struct pji_study *study, const char *root)
{
    struct pji_platform platform;
    struct pji_temps temps = {0};
    const struct pji_yaml *phases = pji_yaml_get(&study->doc.root, "phases");
    const struct pji_yaml *at = phases != NULL ? pji_yaml_get(phases, "cooldown") : NULL;
    if (at == NULL || !study->phases.settle || study->executor.agent ||
        pji_platform_open_real(&platform, root, NULL) != PJ_OK)
        return;
    pji_temps_read(&temps, &platform);
    pji_platform_close_real(&platform);
    if (temps.n == 0)
        pji_study_warn(study, at,
                       "this machine shows no temperature of a processor: until: settled is judged "
                       "by measured power and by instruments that tell a temperature, and where "
                       "there are none every trial waits for %.4g s and is flagged",
                       pji_s_from_ns(study->phases.settle_most_ns));
}

int64_t pji_rest_most_ns(const struct pji_study *study)
{
    const struct pji_phases *p = &study->phases;
    int64_t settle_ns = p->settle ? 2 * p->settle_most_ns + p->settle_over_ns : 0;
    return settle_ns + (study->baseline.asked ? 2 * study->baseline.idle_ns : 0);
}

/* ---- JSON ---- */

json_t *pji_around_to_json(const struct pji_around *around)
{
    json_t *object = json_object();
    json_object_set_new(object, "baseline_before", json_boolean(around->baseline_before));
    json_object_set_new(object, "baseline_after", json_boolean(around->baseline_after));
    if (around->reference.known)
        json_object_set_new(object, "reference", pji_rest_to_json(&around->reference));
    return object;
}

pj_status pji_around_from_json(struct pji_around *around, const json_t *object,
                               struct pj_error *err)
{
    const json_t *before = json_object_get(object, "baseline_before");
    const json_t *after = json_object_get(object, "baseline_after");
    const json_t *reference = json_object_get(object, "reference");
    *around = (struct pji_around){0};
    if (object == NULL)
        return PJ_OK;
    if (!json_is_boolean(before) || !json_is_boolean(after))
        return pji_fail(err, PJ_EINVAL,
                        "around must have baseline_before and baseline_after, true or false");
    around->baseline_before = json_is_true(before);
    around->baseline_after = json_is_true(after);
    return reference != NULL ? pji_rest_from_json(&around->reference, reference, err) : PJ_OK;
}
