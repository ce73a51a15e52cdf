/* See cpu_model_for.h. */
#include "sources/cpu_model_for.h"

#include "sources/cpu_tdp.h"

#include <stdio.h>
#include <string.h>

static const struct pji_cpu_calibration *find(const struct pji_source_env *env,
                                              const struct pji_cpu_info *cpu)
{
    char key[PJI_CPU_KEY];

    pji_cpu_key(cpu, env->platform->rooted, key);
    for (size_t i = env->n_calibrations; i > 0; i--) { /* the newest one is the last */
        if (strcmp(env->calibrations[i - 1].key, key) == 0)
            return &env->calibrations[i - 1];
    }
    return NULL;
}

bool pji_cpu_model_for(const struct pji_source_env *env, const struct pji_cpu_info *cpu,
                       struct pji_cpu_model *model, char *device, size_t size)
{
    const struct pji_cpu_calibration *calibration = find(env, cpu);
    const struct pji_cpu_tdp *row = cpu->virtual_machine ? NULL : pji_cpu_tdp_find(cpu->name);
    const char *name = cpu->name[0] ? cpu->name : "unknown cpu";

    if (calibration && !pji_cpu_model_calibrated(model, calibration, cpu->cores, NULL)) {
        (void)snprintf(device, size, "%d x %.24s, calibrated: %.4g to %.4g W", cpu->sockets, name,
                       calibration->idle_w, calibration->full_w);
        return true;
    }
    if (row &&
        !pji_cpu_model_known(model, row->tdp_w, cpu->sockets, cpu->cores, cpu->threads, NULL)) {
        (void)snprintf(device, size, "%d x %s, TDP %u W each", cpu->sockets, name, row->tdp_w);
        return false;
    }
    pji_cpu_model_unknown(model, cpu->sockets, cpu->cores, cpu->virtual_machine);
    (void)snprintf(device, size, "%.30s%s, TDP unknown", name,
                   cpu->virtual_machine ? " (virtual)" : "");
    return false;
}
