/* Neither Intel nor AMD states an accuracy. The figures here are our own type B evaluation
 * (GUM 4.3): limits +-L within which we expect the gain, a rectangular distribution, u = L /
 * sqrt(3).
 *
 * - Intel since Haswell measures the current in the voltage regulators: Hackenberg et al., "An
 * Energy Efficiency Feature Survey of the Intel Haswell Processor", IPDPSW 2015, and Khan et al.,
 * "RAPL in Action", ACM TOMPECS 3(2) 2018, doi:10.1145/3177754, find one line against an external
 * reference for all workloads. L = 5 %.
 * - Intel before Haswell models the energy from event counts; Hackenberg et al., "Power Measurement
 *   Techniques on Standard Compute Nodes", ISPASS 2013, find a bias that depends on the workload.
 *   L = 20 %.
 * - DRAM: Desrochers, Paradis, Weaver, "A Validation of DRAM RAPL Power Measurements", MEMSYS 2016,
 *   doi:10.1145/2989081.2989088. L = 20 %.
 * - AMD Zen: modelled; Schoene et al., "Energy Efficiency Aspects of the AMD Zen 2 Architecture",
 *   CLUSTER 2021, arXiv:2108.00808, find a dependence on workload and operand data. L = 15 %.
 * - Core and uncore planes, psys (its scope and its sensor are the board vendor's) and anything
 *   unknown: L = 20 %.
 */
#include "sources/rapl_accuracy.h"

#include <math.h>
#include <string.h>

static bool is_modelling_intel(const struct pji_cpu_info *cpu)
{
    /* Sandy Bridge, Sandy Bridge-EP, Ivy Bridge, Ivy Bridge-EP */
    return cpu->family == 6 &&
           (cpu->model == 42 || cpu->model == 45 || cpu->model == 58 || cpu->model == 62);
}

double pji_rapl_gain_rel(const struct pji_cpu_info *cpu, enum pji_domain_kind kind)
{
    double limit = 0.20;

    if (kind == PJI_DOMAIN_PACKAGE && strcmp(cpu->vendor, "GenuineIntel") == 0 &&
        !is_modelling_intel(cpu))
        limit = 0.05;
    else if (kind == PJI_DOMAIN_PACKAGE && strcmp(cpu->vendor, "AuthenticAMD") == 0)
        limit = 0.15;
    return limit / sqrt(3);
}
