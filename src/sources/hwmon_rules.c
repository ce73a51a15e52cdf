/* The table of hwmon chips. A chip or sensor that is not in it is shown and recorded, but never
 * added: what it covers is anybody's guess.
 *
 * power_meter on NVIDIA Grace (ACPI power meter; NVIDIA Grace Performance Tuning Guide, "Power
 *   Telemetry"): power1_oem_info names what is metered. "Grace Power" is the socket with its
 * LPDDR5X memory and regulator losses; CPU and SysIO are rails within. "Module Power" holds the
 * Hopper GPU as well, which NVML reads: recorded, not added. Other machines' ACPI meters cover what
 * their firmware likes. xe, i915 (Documentation/ABI/testing/sysfs-driver-intel-xe-hwmon,
 * -i915-hwmon): discrete GPUs only; energy1 is the card, energy2 the package on it. They stay
 * monotonic where the energy counter of Level Zero was seen to jump (intel/compute-runtime issue
 * 938). amdgpu (Documentation/gpu/amdgpu/thermal.rst): PPT, socket power. An integrated GPU shows
 * the power of the whole processor under the same name; it has no power1_cap_max. An Instinct APU
 * has one. amd_energy (Documentation/hwmon/amd_energy.rst of Linux 5.8 to 5.12): RAPL again.
 * ina3221 on Jetson modules (Jetson Linux Developer Guide, "Power Monitors"): VDD_IN is the
 * module's input. Orin AGX and Xavier AGX have none: their rails are inputs side by side, save
 *   VDDQ_VDD2_1V8AO (memory), which we take to be fed by VIN_SYS_5V0.
 *
 * Limits of the gain are our own type B evaluation (GUM 4.3). INA3221: 0.25 % gain error at most
 * (Texas Instruments SBOS576) and shunts of 1 %: 2 %. Vendors state none for the others: 10 %;
 * amd_energy: 15 % as RAPL on AMD.
 */
#include "sources/hwmon_rules.h"

#include <stdio.h>
#include <string.h>

/* ---- the table ---- */

#define GRACE(label, kind, role, domain, parent, covers, memory)                                   \
    {                                                                                              \
        "power_meter", PJI_HWMON_POWER, label, NULL, kind, role, domain, parent, covers, 0.10,     \
            memory, false                                                                          \
    }
#define INTEL_GPU(chip, label, kind, domain, parent, covers)                                       \
    {                                                                                              \
        chip, PJI_HWMON_ENERGY, label, NULL, kind, PJI_ROLE_ENERGY, domain, parent, covers, 0.10,  \
            false, false                                                                           \
    }
#define RAIL(label, kind, domain, parent, covers, memory)                                          \
    {                                                                                              \
        "ina3221", PJI_HWMON_RAIL, label, NULL, kind, PJI_ROLE_POWER, domain, parent, covers,      \
            0.02, memory, false                                                                    \
    }

static const struct pji_hwmon_rule rules[] = {
    GRACE("Grace Power Socket #", PJI_DOMAIN_PACKAGE, PJI_ROLE_POWER, "package-#", "machine",
          "Grace socket with its memory", true),
    GRACE("CPU Power Socket #", PJI_DOMAIN_CORE, PJI_ROLE_POWER, "package-#/core", "package-#",
          "CPU rail of the Grace socket", false),
    GRACE("SysIO Power Socket #", PJI_DOMAIN_UNCORE, PJI_ROLE_POWER, "package-#/uncore",
          "package-#", "SysIO rail of the Grace socket", false),
    GRACE("Module Power Socket #", PJI_DOMAIN_OTHER, PJI_ROLE_AUX, "module-#", "machine",
          "Grace socket, its memory and its GPU", false),

    INTEL_GPU("xe", "card", PJI_DOMAIN_GPU, "gpu-#", "machine", "Intel GPU card"),
    INTEL_GPU("xe", "", PJI_DOMAIN_GPU, "gpu-#", "machine", "Intel GPU card"),
    INTEL_GPU("xe", "pkg", PJI_DOMAIN_OTHER, "gpu-#/package", "gpu-#", "Intel GPU package"),
    INTEL_GPU("i915", "", PJI_DOMAIN_GPU, "gpu-#", "machine", "Intel GPU card"),

    {"amdgpu", PJI_HWMON_POWER, "PPT", "power1_cap_max", PJI_DOMAIN_GPU, PJI_ROLE_POWER, "gpu-#",
     "machine", "AMD GPU socket", 0.10, false, true},
    {"amd_energy", PJI_HWMON_ENERGY, "Esocket#", NULL, PJI_DOMAIN_PACKAGE, PJI_ROLE_ENERGY,
     "package-#", "machine", "AMD package (RAPL)", 0.15, false, false},

    RAIL("VDD_IN", PJI_DOMAIN_PSYS, "module", "machine", "Jetson module, all of it", true),
    RAIL("VDD_CPU_GPU_CV", PJI_DOMAIN_OTHER, "module/cpu-gpu-cv", "module",
         "CPU, GPU and vision rail", false),
    RAIL("VDD_SOC", PJI_DOMAIN_OTHER, "module/soc", "module", "SoC rail", false),
    RAIL("VDD_CPU_CV", PJI_DOMAIN_PACKAGE, "package-0", "module", "CPU and vision rail", false),
    RAIL("VDD_GPU_SOC", PJI_DOMAIN_OTHER, "module/gpu-soc", "module", "GPU and SoC rail", false),
    RAIL("VIN_SYS_5V0", PJI_DOMAIN_OTHER, "module/sys-5v", "module", "5 V input of the module",
         true),
    RAIL("VDDQ_VDD2_1V8AO", PJI_DOMAIN_DRAM, "module/dram", "module/sys-5v", "memory rail", true),
    RAIL("CPU", PJI_DOMAIN_PACKAGE, "package-0", "module", "CPU rail", false),
    RAIL("GPU", PJI_DOMAIN_OTHER, "module/gpu", "module", "GPU rail", false),
    RAIL("SOC", PJI_DOMAIN_OTHER, "module/soc", "module", "SoC rail", false),
    RAIL("CV", PJI_DOMAIN_OTHER, "module/cv", "module", "vision rail", false),
    RAIL("VDDRQ", PJI_DOMAIN_DRAM, "module/dram", "module", "memory rail", true),
    RAIL("SYS5V", PJI_DOMAIN_OTHER, "module/sys-5v", "module", "5 V rail of the module", false),
};

/* ---- looking up ---- */

/* The rest of the label after the rule's fixed part, NULL: it is another label. */
static const char *match(const char *wanted, const char *label)
{
    size_t len = strlen(wanted);

    if (len == 0 || wanted[len - 1] != '#')
        return strcmp(wanted, label) == 0 ? "" : NULL;
    len--;
    if (strncmp(wanted, label, len) != 0 || label[len] == '\0' || strlen(label + len) > 4 ||
        label[len + strspn(label + len, "0123456789")] != '\0')
        return NULL;
    return label + len;
}

const struct pji_hwmon_rule *pji_hwmon_rule_find(const char *chip, enum pji_hwmon_reading reading,
                                                 const char *label, const char **number)
{
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        const char *rest = match(rules[i].label, label);

        if (!rest || rules[i].reading != reading || strcmp(rules[i].chip, chip) != 0)
            continue;
        if (number)
            *number = rest;
        return &rules[i];
    }
    return NULL;
}

bool pji_hwmon_holds_memory(const struct pji_channel *channel)
{
    if (strcmp(channel->source, "hwmon") != 0 || channel->role == PJI_ROLE_AUX)
        return false;
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        /* device: "CHIP: COVERS (…)" */
        size_t chip_len = strlen(rules[i].chip), covers_len = strlen(rules[i].covers);

        if (rules[i].holds_memory && strncmp(channel->device, rules[i].chip, chip_len) == 0 &&
            strncmp(channel->device + chip_len, ": ", 2) == 0 &&
            strncmp(channel->device + chip_len + 2, rules[i].covers, covers_len) == 0)
            return true;
    }
    return false;
}

bool pji_hwmon_power_is_absurd(int64_t power_uw)
{
    /* 2^32 - 1 mW was seen from ACPI power meters (sustainable-computing-io/kepler issue 1049);
     * nothing that one sensor meters draws a megawatt */
    return power_uw < 0 || power_uw >= INT64_C(1000000000000) || power_uw == UINT32_MAX ||
           power_uw == INT32_MAX;
}
