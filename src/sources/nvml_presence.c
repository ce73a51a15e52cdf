/* Evidence of an NVIDIA GPU and the reasons why it cannot be read: see nvml_presence.h. */
#include "sources/nvml_presence.h"

#include <stdio.h>
#include <string.h>

struct search {
    const struct pji_platform *platform;
    bool found;
};

static int visit_pci(void *arg, const char *name)
{
    struct search *search = arg;
    char path[160], text[32];
    (void)snprintf(path, sizeof path, "/sys/bus/pci/devices/%s/vendor", name);
    if (pji_read_text(search->platform, path, text, sizeof text, NULL, NULL) ||
        strcmp(text, "0x10de") != 0)
        return 0;
    (void)snprintf(path, sizeof path, "/sys/bus/pci/devices/%s/class", name);
    if (pji_read_text(search->platform, path, text, sizeof text, NULL, NULL) ||
        strncmp(text, "0x03", 4) != 0)
        return 0;
    search->found = true;
    return 1;
}

void pji_nvml_presence(const struct pji_platform *platform, struct pji_nvml_presence *out)
{
    struct search search = {.platform = platform};
    (void)platform->ops->list(platform->context, "/sys/bus/pci/devices", visit_pci, &search);
    *out = (struct pji_nvml_presence){.driver =
                                          pji_path_exists(platform, "/proc/driver/nvidia/version"),
                                      .node = pji_path_exists(platform, "/dev/nvidiactl") ||
                                              pji_path_exists(platform, "/dev/nvidia0"),
                                      .pci = search.found};
}

static pj_status miss(struct pji_channel_table *table, const char *reason, const char *fix,
                      struct pj_error *err)
{
    return pji_channel_table_miss(table, "nvml", PJI_DOMAIN_GPU, "gpu", reason, fix, err);
}

pj_status pji_nvml_miss_library(const struct pji_nvml_presence *presence, const char *why,
                                struct pji_channel_table *table, struct pj_error *err)
{
    if (!pji_nvml_present(presence))
        return PJ_OK;
    if (!presence->driver && !presence->node)
        return miss(table, "an NVIDIA GPU is on the PCI bus, but no NVIDIA driver is loaded",
                    "install and load NVIDIA's driver (modprobe nvidia)", err);
    return miss(table, why,
                "install the driver's libnvidia-ml.so.1; in a container add the driver capability "
                "'utility'; PERJOULE_NVML names a library elsewhere",
                err);
}

pj_status pji_nvml_miss_init(const struct pji_nvml_presence *presence,
                             const struct pji_nvml_api *api, pji_nvml_return code,
                             struct pji_channel_table *table, struct pj_error *err)
{
    char reason[160];
    const char *fix = "";
    if (!pji_nvml_present(presence))
        return PJ_OK;
    (void)snprintf(reason, sizeof reason, "NVML does not start: %.120s", pji_nvml_why(api, code));
    if (code == PJI_NVML_DRIVER_NOT_LOADED)
        fix = "load NVIDIA's driver (modprobe nvidia), or give the container its devices";
    else if (code == PJI_NVML_NO_PERMISSION)
        fix = "allow reading and writing /dev/nvidiactl and /dev/nvidia* (often: group video)";
    else if (code == PJI_NVML_LIB_RM_VERSION_MISMATCH)
        fix = "library and kernel module differ in version: reload the module or reboot";
    return miss(table, reason, fix, err);
}
