/* perjoule model cpu: what the model of a CPU says, without measuring anything. */
#include "cli/commands_lean.h"
#include "cli/lean.h"
#include "core/json.h"
#include "core/num.h"
#include "sources/cpu_info.h"
#include "sources/cpu_model.h"
#include "sources/cpu_tdp.h"

#include <math.h>
#include <string.h>

static const struct pji_option options[] = {
    {"tdp", 0, "W", "thermal design power of one socket; without it and --cpu: unknown"},
    {"cpu", 0, "NAME", "take the TDP of this processor, as /proc/cpuinfo names it"},
    {"sockets", 0, "N", "sockets (default: 1)"},
    {"cores", 0, "N", "physical cores of one socket"},
    {"threads", 0, "N", "hardware threads of one socket (default: as many as cores)"},
    {"utilisation", 'u', "U", "busy part of all hardware threads, 0 to 1"},
    {"json", 'j', NULL, "print JSON"},
    {0},
};

struct request {
    double tdp_w; /* NaN: unknown */
    int sockets, cores, threads;
    double utilisation;
};

static pj_status read_request(const struct pji_args *args, struct request *r, struct pj_error *err)
{
    const char *cpu = pji_args_get(args, "cpu");
    pj_status status = pji_args_num(args, "tdp", (double)NAN, &r->tdp_w, err);

    if (!status)
        status = pji_args_int(args, "sockets", 1, &r->sockets, err);
    if (!status)
        status = pji_args_int(args, "cores", 0, &r->cores, err);
    if (!status)
        status = pji_args_int(args, "threads", r->cores, &r->threads, err);
    if (!status)
        status = pji_args_num(args, "utilisation", (double)NAN, &r->utilisation, err);
    if (status)
        return status;
    if (cpu && isnan(r->tdp_w)) {
        char name[PJI_CPU_NAME];
        const struct pji_cpu_tdp *row;

        pji_cpu_short_name(cpu, name);
        row = pji_cpu_tdp_find(name);
        if (!row)
            return pji_fail(err, PJ_EINVAL, "the CPU '%s' is not in the table; give its --tdp",
                            cpu);
        r->tdp_w = row->tdp_w;
    }
    if (!(r->utilisation >= 0 && r->utilisation <= 1))
        return pji_fail(err, PJ_EINVAL, "--utilisation must be given, from 0 to 1");
    return PJ_OK;
}

static pj_status choose(struct pji_cpu_model *model, const struct request *r, struct pj_error *err)
{
    if (!isnan(r->tdp_w))
        return pji_cpu_model_known(model, r->tdp_w, r->sockets, r->cores, r->threads, err);
    /* the figures are checked in the same way */
    if (pji_cpu_model_known(model, 1, r->sockets, r->cores, r->threads, err))
        return PJ_EINVAL;
    pji_cpu_model_unknown(model, r->sockets, r->cores, false);
    return PJ_OK;
}

static void add_json(struct pji_str *out, const struct pji_cpu_power *power)
{
    json_t *object = json_pack("{s:o, s:o, s:[o, o]}", "value_w", pji_json_num(power->value_w),
                               "u_w", pji_json_num(power->u_w), "ci95_w", pji_json_num(power->lo_w),
                               pji_json_num(power->hi_w));

    out->failed = out->failed || !object;
    pji_json_write(out, object, 0);
    pji_str_addc(out, '\n');
    json_decref(object);
}

static void add_text(struct pji_str *out, const struct pji_cpu_power *power)
{
    const double values[] = {power->value_w, power->lo_w, power->hi_w};
    char text[3][PJI_NUM_TEXT];

    for (size_t i = 0; i < 3; i++)
        (void)pji_num_format_digits(values[i], 3, text[i]);
    pji_str_addf(out, "modelled, not measured: %s W (95 %%: %s to %s W)\n", text[0], text[1],
                 text[2]);
}

static int model(const struct pji_args *args)
{
    struct request request;
    struct pji_cpu_model chosen;
    struct pji_cpu_power power;
    struct pji_str out = {0};
    struct pj_error err = {0};
    int code = pji_lean_check_rest(args, 1, 1, "say what to model: cpu");

    if (code)
        return code;
    if (strcmp(args->rest[0], "cpu") != 0) {
        pji_lean_say(args, "there is no model of '%s'; there is one of: cpu", args->rest[0]);
        return PJI_EXIT_USAGE;
    }
    if (read_request(args, &request, &err) || choose(&chosen, &request, &err))
        return pji_lean_failed(args, &err);
    pji_cpu_model_power(&chosen, request.utilisation, &power);
    (pji_args_has(args, "json") ? add_json : add_text)(&out, &power);
    code = pji_lean_print(args, &out);
    pji_str_fini(&out);
    return code;
}

const struct pji_command pji_cmd_model = {
    .name = "model",
    .synopsis = "cpu --cores N --utilisation U [--tdp W | --cpu NAME] [OPTION...]",
    .about = "show the power that the model of a CPU gives for a utilisation",
    .details = "This is the model that stands in where no counter can be read (docs/cpu-model.md). "
               "The interval is part of the answer.",
    .options = options,
    .run = model,
};
