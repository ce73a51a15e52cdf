/* sources/cpu_model_for.h - which model stands for the processor that was found. */
#ifndef PJI_SOURCES_CPU_MODEL_FOR_H
#define PJI_SOURCES_CPU_MODEL_FOR_H

#include "sources/cpu_info.h"
#include "sources/cpu_model.h"

/* By the table of TDPs; in a virtual machine, where the TDP of the socket is not ours, and for a
 * CPU that the table does not know, by its cores. `device` gets what a person recognises. */
void pji_cpu_model_for(const struct pji_cpu_info *cpu, struct pji_cpu_model *model, char *device,
                       size_t size);

#endif
