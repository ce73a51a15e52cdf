#include "lab/settling.h"

#include "core/units.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

void pji_settling_add(struct pji_settling *s, const struct pji_rest_sample *sample)
{
    size_t old = 0;
    while (old + 1 < s->n && s->samples[old + 1].t_ns <= sample->t_ns - s->over_ns)
        old++;
    if (s->n - old == PJI_REST_SAMPLES)
        old++;
    memmove(s->samples, s->samples + old, (s->n - old) * sizeof s->samples[0]);
    s->n -= old;
    s->samples[s->n++] = *sample;
}

bool pji_settling_full(const struct pji_settling *s)
{
    return s->n > 2 && s->samples[s->n - 1].t_ns - s->samples[0].t_ns >= s->over_ns;
}

/* ---- one sensor ---- */

struct line {
    size_t n;
    double mean_c, slope_c_per_min;
};

/* Mean and straight line of least squares of one sensor. */
static struct line line_of(const struct pji_settling *s, const char *name)
{
    struct line line = {0};
    double t_mean = 0, ss = 0, product = 0;
    for (size_t pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < s->n; i++) {
            const struct pji_temp *temp = pji_temps_find(&s->samples[i].temps, name);
            double t_min = pji_s_from_ns(s->samples[i].t_ns - s->samples[0].t_ns) / 60;
            if (temp == NULL)
                continue;
            if (pass == 0) {
                line.n++;
                line.mean_c += temp->temp_c;
                t_mean += t_min;
            } else {
                ss += (t_min - t_mean) * (t_min - t_mean);
                product += (t_min - t_mean) * (temp->temp_c - line.mean_c);
            }
        }
        if (pass == 0 && line.n > 0) {
            line.mean_c /= (double)line.n;
            t_mean /= (double)line.n;
        }
    }
    line.slope_c_per_min = ss > 0 ? product / ss : 0;
    return line;
}

/* From the first sample whose energy is known: instruments take a moment to begin. */
static double power_of(const struct pji_settling *s)
{
    size_t i = 0;
    while (i < s->n && isnan(s->samples[i].energy_j))
        i++;
    if (i + 1 >= s->n)
        return (double)NAN;
    const struct pji_rest_sample *first = &s->samples[i], *last = &s->samples[s->n - 1];
    double dur_s = pji_s_from_ns(last->t_ns - first->t_ns);
    return dur_s > 0 ? (last->energy_j - first->energy_j) / dur_s : (double)NAN;
}

void pji_settling_mean(const struct pji_settling *s, struct pji_rest_reference *out)
{
    *out = (struct pji_rest_reference){.known = true, .power_w = power_of(s)};
    for (size_t i = 0; s->n > 0 && i < s->samples[s->n - 1].temps.n; i++) {
        const char *name = s->samples[s->n - 1].temps.at[i].name;
        pji_temps_put(&out->temps, name, line_of(s, name).mean_c);
    }
}

/* ---- the verdict ---- */

struct verdict {
    bool good;
    size_t judged;
    char *text;
    size_t size, len;
};

static void says(struct verdict *v, bool good, const char *what)
{
    v->good = v->good && good;
    v->judged++;
    if (good || v->len >= v->size)
        return;
    int n = snprintf(v->text + v->len, v->size - v->len, "%s%s", v->len > 0 ? "; " : "", what);
    v->len += n > 0 ? (size_t)n : 0;
}

static void judge_temps(struct verdict *v, const struct pji_settling *s,
                        const struct pji_rest_reference *reference)
{
    char what[200];
    for (size_t i = 0; i < reference->temps.n; i++) {
        const struct pji_temp *want = &reference->temps.at[i];
        struct line is = line_of(s, want->name);
        if (is.n < 2)
            continue; /* it is no longer there: nothing to wait for */
        snprintf(what, sizeof what, "%s %.1f C (%.1f +- 1), %+.1f C/min", want->name, is.mean_c,
                 want->temp_c, is.slope_c_per_min);
        says(v,
             fabs(is.mean_c - want->temp_c) <= PJI_SETTLED_C &&
                 fabs(is.slope_c_per_min) < PJI_SETTLED_C_PER_MIN,
             what);
    }
}

enum pji_settled pji_settling_judge(const struct pji_settling *s,
                                    const struct pji_rest_reference *reference, char *text,
                                    size_t size)
{
    char own[8] = "", what[100];
    struct verdict v = {.good = true, .text = text, .size = size};
    if (text == NULL || size == 0) {
        v.text = own;
        v.size = sizeof own;
    }
    v.text[0] = '\0';
    judge_temps(&v, s, reference);
    double power_w = power_of(s);
    if (isfinite(power_w) && isfinite(reference->power_w)) {
        snprintf(what, sizeof what, "%.1f W (%.1f +- 2 %%)", power_w, reference->power_w);
        says(&v, fabs(power_w - reference->power_w) <= PJI_SETTLED_POWER * fabs(reference->power_w),
             what);
    }
    if (v.judged == 0 && (!pji_settling_full(s) || !reference->known)) {
        snprintf(v.text, v.size, "first look");
        return PJI_SETTLED_NOT_YET;
    }
    if (v.judged == 0) {
        snprintf(v.text, v.size, "no temperature sensor and no measured power to judge by");
        return PJI_SETTLED_BLIND;
    }
    if (v.good && pji_settling_full(s))
        return PJI_SETTLED;
    if (v.good)
        snprintf(v.text, v.size, "steady for %.0f of %.0f s",
                 s->n > 1 ? pji_s_from_ns(s->samples[s->n - 1].t_ns - s->samples[0].t_ns) : 0.0,
                 pji_s_from_ns(s->over_ns));
    return PJI_SETTLED_NOT_YET;
}

const struct pji_temp *pji_start_off(const struct pji_temps *start,
                                     const struct pji_rest_reference *reference, double *off_c)
{
    const struct pji_temp *worst = NULL;
    for (size_t i = 0; i < start->n; i++) {
        const struct pji_temp *want = pji_temps_find(&reference->temps, start->at[i].name);
        if (want == NULL)
            continue;
        double off = start->at[i].temp_c - want->temp_c;
        if (worst == NULL || fabs(off) > fabs(*off_c)) {
            worst = &start->at[i];
            *off_c = off;
        }
    }
    return worst;
}

/* ---- JSON ---- */

json_t *pji_rest_to_json(const struct pji_rest_reference *reference)
{
    json_t *object = json_object(), *temps = json_object();
    for (size_t i = 0; i < reference->temps.n; i++)
        json_object_set_new(temps, reference->temps.at[i].name,
                            pji_json_num(reference->temps.at[i].temp_c));
    json_object_set_new(object, "temps", temps);
    json_object_set_new(object, "power_w",
                        isfinite(reference->power_w) ? pji_json_num(reference->power_w)
                                                     : json_null());
    return object;
}

pj_status pji_rest_from_json(struct pji_rest_reference *reference, const json_t *object,
                             struct pj_error *err)
{
    const json_t *temps = json_object_get(object, "temps");
    const json_t *power_w = json_object_get(object, "power_w");
    const char *name;
    json_t *value;
    *reference = (struct pji_rest_reference){.known = true, .power_w = (double)NAN};
    bool good = json_is_object(temps) && json_object_size(temps) <= PJI_TEMPS &&
                (json_is_number(power_w) || json_is_null(power_w));
    if (good && json_is_number(power_w))
        reference->power_w = json_number_value(power_w);
    json_object_foreach((json_t *)(uintptr_t)temps, name, value)
    {
        good = good && json_is_number(value) && strlen(name) < sizeof reference->temps.at[0].name;
        if (good)
            pji_temps_put(&reference->temps, name, json_number_value(value));
    }
    return good ? PJ_OK
                : pji_fail(err, PJ_EINVAL,
                           "the reference must be {\"temps\": {name: degrees}, \"power_w\": number "
                           "or null}");
}
