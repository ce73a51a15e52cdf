/* See cpu_calibration.h. */
#include "sources/cpu_calibration.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

void pji_cpu_key(const struct pji_cpu_info *cpu, bool rooted, char key[PJI_CPU_KEY])
{
    (void)snprintf(key, PJI_CPU_KEY, "%s%s/%d-%d-%d/%s/%s/%dx%dx%d%s", rooted ? "root:" : "",
                   cpu->vendor, cpu->family, cpu->model, cpu->stepping, cpu->microcode, cpu->name,
                   cpu->sockets, cpu->cores, cpu->threads, cpu->virtual_machine ? "/virtual" : "");
}

static bool makes_sense(const struct pji_cpu_calibration *c)
{
    return isfinite(c->idle_w) && isfinite(c->full_w) && c->idle_w > 0 && c->full_w > c->idle_w &&
           c->full_w < 1e5 && c->gain_rel >= 0 && c->gain_rel < 0.5;
}

pj_status pji_cpu_calibrate(struct pji_cpu_calibration *out, double low_w, double low_load,
                            double high_w, double high_load, int cores, struct pj_error *err)
{
    double low = pow(fmin(1, fmax(0, low_load)), pji_cpu_model_exponent(cores));
    double high = pow(fmin(1, fmax(0, high_load)), pji_cpu_model_exponent(cores));
    double span_w;

    if (!isfinite(low_load + high_load) || !(high - low > 0.3) || !(high_w > 1.3 * low_w))
        return pji_fail(err, PJ_EUNSUPPORTED,
                        "%.3g W while %.0f %% busy and %.3g W while %.0f %% busy do not tell idle "
                        "from full load: is the machine quiet, and do its counters move?",
                        low_w, 100 * low_load, high_w, 100 * high_load);
    span_w = (high_w - low_w) / (high - low);
    out->idle_w = low_w - span_w * low;
    out->full_w = out->idle_w + span_w;
    out->idle_load = low_load;
    out->full_load = high_load;
    if (!makes_sense(out))
        return pji_fail(err, PJ_EUNSUPPORTED,
                        "%.3g W at %.0f %% and %.3g W at %.0f %% load give no idle power above 0: "
                        "measure when the machine is quiet",
                        low_w, 100 * low_load, high_w, 100 * high_load);
    return PJ_OK;
}

pj_status pji_cpu_model_calibrated(struct pji_cpu_model *model, const struct pji_cpu_calibration *c,
                                   int cores, struct pj_error *err)
{
    double gain = 1.96 * c->gain_rel, idle;

    if (!makes_sense(c) || cores < 1)
        return pji_fail(err, PJ_EINVAL, "the calibration of '%s' makes no sense", c->key);
    idle = c->idle_w / c->full_w;
    *model = (struct pji_cpu_model){
        .tdp_w = c->full_w,
        .tdp_lo_w = c->full_w * (1 - gain),
        .tdp_hi_w = c->full_w * (1 + gain),
        .value = {idle, 1, pji_cpu_model_exponent(cores)},
        .low = {0.9 * idle, 0.85, 2.0},
        .high = {1.1 * idle, 1.3, 0.35},
    };
    return PJ_OK;
}

/* ---- JSON ---- */

json_t *pji_cpu_calibration_to_json(const struct pji_cpu_calibration *c)
{
    return json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:s, s:s}", "cpu", c->key, "idle_w",
                     pji_json_num(c->idle_w), "full_w", pji_json_num(c->full_w), "gain_rel",
                     pji_json_num(c->gain_rel), "idle_load", pji_json_num(c->idle_load),
                     "full_load", pji_json_num(c->full_load), "dur_s", pji_json_num(c->dur_s),
                     "source", c->source, "date", c->date);
}

pj_status pji_cpu_calibration_from_json(struct pji_cpu_calibration *out, const json_t *object,
                                        struct pj_error *err)
{
    static const char what[] = "calibration";
    const char *key = "", *source = "", *date = "";
    const struct {
        const char *name;
        double *value;
    } numbers[] = {{"idle_w", &out->idle_w},       {"full_w", &out->full_w},
                   {"gain_rel", &out->gain_rel},   {"idle_load", &out->idle_load},
                   {"full_load", &out->full_load}, {"dur_s", &out->dur_s}};
    pj_status status;

    *out = (struct pji_cpu_calibration){.idle_w = 0};
    status = pji_json_get_str(object, "cpu", what, &key, err);
    if (!status)
        status = pji_json_get_str(object, "source", what, &source, err);
    if (!status)
        status = pji_json_get_str(object, "date", what, &date, err);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0] && !status; i++)
        status = pji_json_get_num(object, numbers[i].name, what, numbers[i].value, err);
    if (status)
        return status;
    (void)snprintf(out->key, sizeof out->key, "%s", key);
    (void)snprintf(out->source, sizeof out->source, "%s", source);
    (void)snprintf(out->date, sizeof out->date, "%s", date);
    return makes_sense(out)
               ? PJ_OK
               : pji_fail(err, PJ_EINVAL, "the calibration of '%s' makes no sense", out->key);
}
