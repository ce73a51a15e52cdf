/* sources/cpu_model_for.h - which model stands for the processor that was found. */
#ifndef PJI_SOURCES_CPU_MODEL_FOR_H
#define PJI_SOURCES_CPU_MODEL_FOR_H

#include "meter/source.h"
#include "sources/cpu_calibration.h"

/* A calibration of exactly this processor where env has one; else by the table of TDPs; in a
 * virtual machine, where the TDP of the socket is not ours, and for a CPU that the table does not
 * know, by its cores. `device` gets what a person recognises: "…, calibrated: 31 to 240 W". true: a
 * calibration is used. */
bool pji_cpu_model_for(const struct pji_source_env *env, const struct pji_cpu_info *cpu,
                       struct pji_cpu_model *model, char *device, size_t size);

#endif
