/* evidence/gates_gpu.c - the checks that look at GPUs. Each names the first GPU on which it fires.
 */
#include "evidence/gates_inside.h"

#include "core/units.h"

#include <math.h>

static const struct {
    uint64_t bit;
    const char *name;
} causes[] = {{PJI_GPU_HW_THERMAL, "heat (hardware)"},
              {PJI_GPU_SW_THERMAL, "heat (driver)"},
              {PJI_GPU_HW_POWER_BRAKE, "the power brake"},
              {PJI_GPU_HW_SLOWDOWN, "a hardware slowdown"}};

bool pji_gate_gpu_throttled(const struct pji_gate_inputs *in, const struct pji_gate_limits *limits,
                            struct pji_str *detail)
{
    for (size_t i = 0; i < in->n_gpus; i++) {
        const struct pji_gpu_change *g = &in->gpus[i];
        bool heat = g->thermal_ns > 0 &&
                    (double)g->thermal_ns > limits->gpu_thermal_share * (double)in->window_ns;
        if (!(g->reasons & PJI_GPU_THROTTLED) && !heat)
            continue;
        pji_str_addf(detail, "%s was held below its clocks by ", g->gpu);
        for (size_t c = 0, n = 0; c < sizeof causes / sizeof causes[0]; c++) {
            if (g->reasons & causes[c].bit)
                pji_str_addf(detail, "%s%s", n++ > 0 ? " and " : "", causes[c].name);
        }
        if (!(g->reasons & PJI_GPU_THROTTLED))
            pji_str_add(detail, "heat");
        if (heat)
            pji_str_addf(detail, " for %.3f s", pji_s_from_ns(g->thermal_ns));
        return true;
    }
    return false;
}

static void say_change(struct pji_str *detail, const char *gpu, const char *what, int64_t before,
                       int64_t after, const char *unit)
{
    if (before == after)
        return;
    pji_str_addf(detail, "%s%s of %s went from %lld to %lld %s", detail->len > 0 ? "; " : "", what,
                 gpu, (long long)before, (long long)after, unit);
}

bool pji_gate_gpu_limit(const struct pji_gate_inputs *in, const struct pji_gate_limits *limits,
                        struct pji_str *detail)
{
    size_t had = detail->len;
    (void)limits;
    for (size_t i = 0; i < in->n_gpus; i++) {
        const struct pji_gpu_change *g = &in->gpus[i];
        say_change(detail, g->gpu, "the power limit", g->limit_before_mw, g->limit_after_mw, "mW");
        say_change(detail, g->gpu, "the application clock of the SMs", g->app_sm_before_mhz,
                   g->app_sm_after_mhz, "MHz");
        say_change(detail, g->gpu, "the application clock of the memory", g->app_mem_before_mhz,
                   g->app_mem_after_mhz, "MHz");
    }
    return detail->len > had;
}

bool pji_gate_gpu_foreign(const struct pji_gate_inputs *in, const struct pji_gate_limits *limits,
                          struct pji_str *detail)
{
    (void)limits;
    for (size_t i = 0; i < in->n_gpus; i++) {
        const struct pji_gpu_change *g = &in->gpus[i];
        if (g->foreign_pid == 0)
            continue;
        pji_str_addf(detail, "%s is used by %s (pid %lld) too, which is not the study's", g->gpu,
                     g->foreign_name, (long long)g->foreign_pid);
        return true;
    }
    return false;
}

bool pji_gate_gpu_ecc(const struct pji_gate_inputs *in, const struct pji_gate_limits *limits,
                      struct pji_str *detail)
{
    (void)limits;
    for (size_t i = 0; i < in->n_gpus; i++) {
        if (in->gpus[i].ecc_uncorrected <= 0)
            continue;
        pji_str_addf(detail, "%s had %lld memory errors that could not be corrected",
                     in->gpus[i].gpu, (long long)in->gpus[i].ecc_uncorrected);
        return true;
    }
    return false;
}

bool pji_gate_gpu_xid(const struct pji_gate_inputs *in, const struct pji_gate_limits *limits,
                      struct pji_str *detail)
{
    (void)limits;
    for (size_t i = 0; i < in->n_gpus; i++) {
        if (in->gpus[i].xid <= 0)
            continue;
        pji_str_addf(detail, "the driver reported a critical error of %s: Xid %lld",
                     in->gpus[i].gpu, (long long)in->gpus[i].xid);
        return true;
    }
    return false;
}

bool pji_gate_gpu_capped(const struct pji_gate_inputs *in, const struct pji_gate_limits *limits,
                         struct pji_str *detail)
{
    for (size_t i = 0; i < in->n_gpus; i++) {
        const struct pji_gpu_change *g = &in->gpus[i];
        double share = (double)g->power_ns / (double)in->window_ns;
        if (g->reasons & PJI_GPU_SW_POWER_CAP) {
            pji_str_addf(detail,
                         "the power limit held the clocks of %s down in %.0f %% of the "
                         "samples",
                         g->gpu, 100 * g->capped_share);
            return true;
        }
        if (g->power_ns > 0 && share > limits->gpu_thermal_share) {
            pji_str_addf(detail, "the power limit held the clocks of %s down for %.3f s", g->gpu,
                         pji_s_from_ns(g->power_ns));
            return true;
        }
    }
    return false;
}

bool pji_gate_gpu_corrected(const struct pji_gate_inputs *in, const struct pji_gate_limits *limits,
                            struct pji_str *detail)
{
    (void)limits;
    for (size_t i = 0; i < in->n_gpus; i++) {
        const struct pji_gpu_change *g = &in->gpus[i];
        if (g->ecc_corrected > 0)
            pji_str_addf(detail, "%s corrected %lld memory errors", g->gpu,
                         (long long)g->ecc_corrected);
        if (g->remapped > 0)
            pji_str_addf(detail, "%s%s replaced %lld rows of its memory",
                         detail->len > 0 ? "; " : "", g->gpu, (long long)g->remapped);
        if (detail->len > 0)
            return true;
    }
    return false;
}

bool pji_gate_gpu_owner(const struct pji_gate_inputs *in, const struct pji_gate_limits *limits,
                        struct pji_str *detail)
{
    (void)limits;
    for (size_t i = 0; i < in->n_gpus; i++) {
        if (in->gpus[i].nobodys == 0)
            continue;
        pji_str_addf(detail,
                     "%s has processes of which nobody can tell here whose they are: the driver "
                     "counts pids outside this pid namespace, or they may not be seen",
                     in->gpus[i].gpu);
        return true;
    }
    return false;
}

bool pji_gate_gpu_unread(const struct pji_gate_inputs *in, const struct pji_gate_limits *limits,
                         struct pji_str *detail)
{
    (void)limits;
    for (size_t i = 0; i < in->n_gpus; i++) {
        if (in->gpus[i].unread[0] == '\0')
            continue;
        pji_str_addf(detail, "%s does not tell: %s", in->gpus[i].gpu, in->gpus[i].unread);
        return true;
    }
    return false;
}
