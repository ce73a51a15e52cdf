/* See cpu_model_for.h. */
#include "sources/cpu_model_for.h"

#include "sources/cpu_tdp.h"

#include <stdio.h>

void pji_cpu_model_for(const struct pji_cpu_info *cpu, struct pji_cpu_model *model, char *device,
                       size_t size)
{
    const struct pji_cpu_tdp *row = cpu->virtual_machine ? NULL : pji_cpu_tdp_find(cpu->name);
    const char *name = cpu->name[0] ? cpu->name : "unknown cpu";

    if (row &&
        !pji_cpu_model_known(model, row->tdp_w, cpu->sockets, cpu->cores, cpu->threads, NULL)) {
        (void)snprintf(device, size, "%d x %s, TDP %u W each", cpu->sockets, name, row->tdp_w);
        return;
    }
    pji_cpu_model_unknown(model, cpu->sockets, cpu->cores, cpu->virtual_machine);
    (void)snprintf(device, size, "%.30s%s, TDP unknown", name,
                   cpu->virtual_machine ? " (virtual)" : "");
}
