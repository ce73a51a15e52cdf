/* Looking at a machine: see doctor.h.
 *
 * Remedies are ordered from the least privilege up. Files of sysfs are made anew at each boot, so
 * that a chmod lasts until then; a udev rule (udev(7)) repeats it. A file capability
 * (capabilities(7)) belongs to the one program and lasts until that is replaced.
 */
#include "cli/doctor.h"

#include "core/array.h"
#include "sources/cpu_info.h"
#include "sources/cpu_model_for.h"
#include "sources/table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RULES "udev rule in /etc/udev/rules.d/70-perjoule.rules"

static const char join_powercap[] =
    "sudo groupadd -rf perjoule && sudo usermod -aG perjoule \"$USER\" && sudo udevadm control "
    "--reload && sudo udevadm trigger -s powercap";
static const char join_hwmon[] =
    "sudo groupadd -rf perjoule && sudo usermod -aG perjoule \"$USER\" && sudo udevadm control "
    "--reload && sudo udevadm trigger -s hwmon";

static const struct pji_remedy perf_remedies[PJI_DOCTOR_REMEDIES] = {
    {"fix", "capability (Linux 5.8 or newer; again after each update of perjoule)",
     "sudo setcap cap_perfmon=ep \"$(command -v perjoule)\""},
    {"or", "capability of a container, with a seccomp profile that allows perf_event_open",
     "docker run --cap-add PERFMON --security-opt seccomp=PROFILE.json ..."},
    {"or", "sysctl in /etc/sysctl.d/70-perjoule.conf: opens the events to every user",
     "kernel.perf_event_paranoid = 0"},
};

static const struct pji_remedy powercap_remedies[PJI_DOCTOR_REMEDIES] = {
    {"fix", RULES,
     "SUBSYSTEM==\"powercap\", ACTION==\"add|change\", TEST==\"energy_uj\", RUN+=\"/bin/chgrp "
     "perjoule /sys%p/energy_uj\", RUN+=\"/bin/chmod 0440 /sys%p/energy_uj\""},
    {"and", "group (then log in again)", join_powercap},
    {"or", "until the next boot",
     "sudo chgrp GROUP /sys/class/powercap/*/energy_uj; sudo chmod 0440 "
     "/sys/class/powercap/*/energy_uj"},
};

static const struct pji_remedy nvml_remedies[PJI_DOCTOR_REMEDIES] = {
    {"fix", "group of the device files /dev/nvidiactl and /dev/nvidiaN (often video)",
     "sudo usermod -aG video \"$USER\""},
    {"or", "setting of the module in /etc/modprobe.d/nvidia.conf, where the files are root's alone",
     "options nvidia NVreg_DeviceFileMode=0660 NVreg_DeviceFileGID=44"},
};

static const struct pji_remedy amdsmi_remedies[PJI_DOCTOR_REMEDIES] = {
    {"fix", "group (then log in again)", "sudo usermod -aG render,video \"$USER\""},
    {"or", "devices and group of a container",
     "docker run --device /dev/kfd --device /dev/dri --group-add render ..."},
};

static const struct pji_remedy hwmon_remedies[PJI_DOCTOR_REMEDIES] = {
    {"fix", RULES,
     "SUBSYSTEM==\"hwmon\", ACTION==\"add|change\", RUN+=\"/bin/sh -c 'chgrp -f perjoule "
     "/sys%p/power*_average /sys%p/energy*_input; chmod -f g+r /sys%p/power*_average "
     "/sys%p/energy*_input'\""},
    {"and", "group (then log in again)", join_hwmon},
};

static const struct {
    const struct pji_source_ops *ops;
    const struct pji_remedy *remedies;
} ways[] = {
    {&pji_source_rapl_perf, perf_remedies}, {&pji_source_rapl_powercap, powercap_remedies},
    {&pji_source_nvml, nvml_remedies},      {&pji_source_amdsmi, amdsmi_remedies},
    {&pji_source_hwmon, hwmon_remedies},
};

/* ---- the ladder ---- */

static bool is_denial(const struct pji_missing *row)
{
    return strstr(row->reason, "permission denied") || strstr(row->reason, "not permitted") ||
           strstr(row->reason, "Insufficient Permissions");
}

static void climb(struct pji_doctor *d, const struct pji_source_ops *ops)
{
    struct pji_rung *rung = &d->rungs[d->n_rungs++];
    size_t n_missing = 0;

    *rung = (struct pji_rung){.ops = ops};
    for (size_t i = 0; i < d->table->n; i++) {
        if (strcmp(d->table->channels[i].source, ops->name) == 0) {
            rung->n_channels++;
            rung->n_added += d->in_total[i];
        }
    }
    for (size_t i = 0; i < d->table->n_missing; i++) {
        if (strcmp(d->table->missing[i].source, ops->name) == 0) {
            n_missing++;
            rung->denied = rung->denied || is_denial(&d->table->missing[i]);
        }
    }
    rung->state = rung->n_added > 0      ? PJI_RUNG_IN_USE
                  : rung->n_channels > 0 ? PJI_RUNG_STANDBY
                  : rung->denied         ? PJI_RUNG_DENIED
                  : n_missing > 0        ? PJI_RUNG_FAULTY
                                         : PJI_RUNG_ABSENT;
    if (ops == &pji_source_rapl_perf && d->env->platform->rooted)
        rung->note = "not asked below a root folder: perf events are the running machine's own";
    for (size_t i = 0; rung->denied && i < sizeof ways / sizeof ways[0]; i++) {
        if (ways[i].ops == ops)
            rung->remedies = ways[i].remedies;
    }
}

/* ---- what the energy is worth ---- */

static bool is_measured(const struct pji_channel *c)
{
    return c->origin == PJ_ORIGIN_COUNTER || c->origin == PJ_ORIGIN_INTEGRATED;
}

static enum pji_worth worth_of(const struct pji_doctor *d, enum pji_domain_kind kind)
{
    enum pji_worth worth = PJI_WORTH_NONE;

    for (size_t i = 0; i < d->table->n; i++) {
        if (!d->in_total[i] || d->table->channels[i].domain_kind != kind)
            continue;
        if (is_measured(&d->table->channels[i]))
            return PJI_WORTH_MEASURED;
        worth = PJI_WORTH_MODELLED;
    }
    for (size_t i = 0; worth == PJI_WORTH_NONE && i < d->table->n_missing; i++) {
        if (d->table->missing[i].domain_kind == kind)
            worth = PJI_WORTH_MISSING;
    }
    return worth;
}

static bool has_worth(enum pji_worth worth)
{
    return worth == PJI_WORTH_MEASURED || worth == PJI_WORTH_MODELLED;
}

/* An instrument of the whole machine or of psys has processor and memory in it. */
static enum pji_worth or_whole(const struct pji_doctor *d, enum pji_worth part)
{
    if (has_worth(part) || (worth_of(d, PJI_DOMAIN_PSYS) != PJI_WORTH_MEASURED &&
                            worth_of(d, PJI_DOMAIN_MACHINE) != PJI_WORTH_MEASURED))
        return part;
    return PJI_WORTH_MEASURED;
}

static void judge(struct pji_doctor *d)
{
    static const double utilisation[] = {0, 0.5, 1};
    struct pji_cpu_model model;
    struct pji_cpu_info cpu;

    d->cpu = or_whole(d, worth_of(d, PJI_DOMAIN_PACKAGE));
    d->memory = or_whole(d, worth_of(d, PJI_DOMAIN_DRAM));
    d->gpu = worth_of(d, PJI_DOMAIN_GPU);
    for (size_t i = 0; i < d->table->n_missing; i++) {
        /* beside GPUs that are read, one that is not */
        if (d->table->missing[i].domain_kind == PJI_DOMAIN_GPU && d->gpu == PJI_WORTH_NONE)
            d->gpu = PJI_WORTH_MISSING;
    }
    if (d->cpu != PJI_WORTH_MODELLED)
        return;
    pji_cpu_info_read(d->env->platform, &cpu);
    d->calibrated = pji_cpu_model_for(d->env, &cpu, &model, d->model_of, sizeof d->model_of);
    for (size_t i = 0; i < 3; i++)
        pji_cpu_model_power(&model, utilisation[i], &d->model[i]);
}

/* ---- NVIDIA's GPUs ---- */

const char *pji_doctor_selection_note(const struct pji_doctor *d)
{
    switch (d->selection.note) {
    case PJI_NVML_NOTE_NONE:
        return d->selection.order_unsure ? "order unsure" : NULL;
    case PJI_NVML_NOTE_INVALID:
        return "names no GPU here: it ends the list";
    case PJI_NVML_NOTE_DUPLICATE:
        return "names a GPU again: CUDA shows no GPU then";
    case PJI_NVML_NOTE_MIG:
        return "is a MIG slice: only whole GPUs can be metered";
    }
    return NULL;
}

static void look_at_gpus(struct pji_doctor *d, const struct pji_nvml_api *api)
{
    struct pji_nvml_selection *selection = &d->selection;

    if (!api->driver_version ||
        api->driver_version(d->driver, sizeof d->driver) != PJI_NVML_SUCCESS)
        d->driver[0] = '\0';
    pji_nvml_inventory_take(api, d->inventory);
    pji_nvml_select(d->inventory->identities, d->inventory->n, d->env->cuda_visible_devices,
                    d->env->cuda_device_order, selection);
    for (unsigned int i = 0; i < d->inventory->n; i++) {
        struct pji_doctor_gpu *gpu = &d->gpus[i];
        pji_nvml_device device = d->inventory->devices[i];

        *gpu = (struct pji_doctor_gpu){
            .identity = &d->inventory->identities[i], .number = i, .persistence = -1};
        for (size_t k = 0; k < selection->n; k++)
            gpu->selected = gpu->selected || selection->index[k] == i;
        if (d->inventory->codes[i] != PJI_NVML_SUCCESS)
            continue;
        if (!api->vbios || api->vbios(device, gpu->vbios, sizeof gpu->vbios) != PJI_NVML_SUCCESS)
            gpu->vbios[0] = '\0';
        if (!api->persistence || api->persistence(device, &gpu->persistence) != PJI_NVML_SUCCESS)
            gpu->persistence = -1;
    }
}

static pj_status look_at_nvml(struct pji_doctor *d, struct pj_error *err)
{
    const struct pji_platform *platform = d->env->platform;
    struct pji_nvml_api api;
    pj_status status = PJ_OK;

    if (!d->env->nvml_path && platform->rooted && !pji_path_exists(platform, "/dev/nvidiactl"))
        return PJ_OK;
    if (pji_nvml_load(&api, platform, d->env->nvml_path, NULL))
        return PJ_OK; /* the instrument says why, where a GPU should be there */
    if (api.init() == PJI_NVML_SUCCESS) {
        d->inventory = pji_zalloc(1, sizeof *d->inventory, err);
        status = d->inventory ? PJ_OK : PJ_ENOMEM;
        if (!status)
            look_at_gpus(d, &api);
        if (api.shutdown)
            (void)api.shutdown();
    }
    pji_nvml_unload(&api);
    return status;
}

static int visit_persistenced(void *arg, const char *name)
{
    const struct pji_platform *platform = ((const struct pji_doctor *)arg)->env->platform;
    char path[64], comm[32];

    if (strlen(name) > 9 || strspn(name, "0123456789") != strlen(name))
        return 0;
    (void)snprintf(path, sizeof path, "/proc/%s/comm", name);
    return pji_read_text(platform, path, comm, sizeof comm, NULL, NULL) == PJ_OK &&
           strncmp(comm, "nvidia-persistenced", 15) == 0;
}

/* ---- all of it ---- */

pj_status pji_doctor_look(struct pji_doctor *d, const struct pji_instruments *instruments,
                          struct pj_error *err)
{
    const struct pji_platform *platform = &instruments->platform;

    *d = (struct pji_doctor){.env = &instruments->env,
                             .table = pji_meter_channels(instruments->meter)};
    d->in_total = pji_zalloc(d->table->n + 1, sizeof *d->in_total, err);
    if (!d->in_total)
        return PJ_ENOMEM;
    pji_ledger_cover(d->table->channels, d->table->n, false, d->in_total);
    for (size_t i = 0; pji_sources[i] && d->n_rungs < PJI_DOCTOR_RUNGS; i++) {
        if (pji_sources[i] != &pji_source_replay)
            climb(d, pji_sources[i]);
    }
    judge(d);
    d->n_checks = pji_host_checks(platform, d->checks);
    d->tools_known = pji_energy_tools_find(platform, d->tools, &d->n_tools);
    d->persistenced = platform->ops->list(platform->context, "/proc", visit_persistenced, d) == 1;
    pji_amd_visibility_read(d->env, &d->amd);
    return look_at_nvml(d, err);
}

void pji_doctor_fini(struct pji_doctor *d)
{
    free(d->in_total);
    free(d->inventory);
    d->in_total = NULL;
    d->inventory = NULL;
}

bool pji_doctor_can_measure(const struct pji_doctor *d)
{
    for (size_t i = 0; i < d->table->n; i++) {
        if (d->in_total[i])
            return true;
    }
    return false;
}

const char *pji_rung_state_name(enum pji_rung_state state)
{
    switch (state) {
    case PJI_RUNG_IN_USE:
        return "in use";
    case PJI_RUNG_STANDBY:
        return "standby";
    case PJI_RUNG_DENIED:
        return "denied";
    case PJI_RUNG_FAULTY:
        return "unreadable";
    case PJI_RUNG_ABSENT:
        return "absent";
    }
    return "absent";
}

const char *pji_worth_name(enum pji_worth worth)
{
    switch (worth) {
    case PJI_WORTH_MEASURED:
        return "measured";
    case PJI_WORTH_MODELLED:
        return "modelled";
    case PJI_WORTH_MISSING:
        return "missing";
    case PJI_WORTH_NONE:
        return "none";
    }
    return "none";
}
