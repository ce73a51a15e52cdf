/* See fake_amdsmi.h. */
#include "fake_amdsmi.h"

#include <stdio.h>

static struct fake_amdsmi fake;

static int fake_init(uint64_t flags)
{
    fake.inits += fake.init_status == 0;
    return flags == 2 ? fake.init_status : 1;
}

static int fake_shut_down(void)
{
    fake.shut_downs++;
    return 0;
}

static int fake_sockets(uint32_t *n, void **sockets)
{
    for (uint32_t i = 0; i < fake.n && i < *n; i++)
        sockets[i] = &fake.gpus[i];
    *n = fake.n;
    return 0;
}

static int fake_processors(void *socket, uint32_t *n, void **processors)
{
    if (*n < 1)
        return 15;
    processors[0] = socket;
    *n = 1;
    return 0;
}

static int fake_type(void *processor, int *type)
{
    const struct fake_amdsmi_gpu *gpu = processor;

    *type = gpu->type;
    return 0;
}

static int fake_bdf(void *processor, uint64_t *bdf)
{
    const struct fake_amdsmi_gpu *gpu = processor;

    *bdf = gpu->bdf;
    return 0;
}

static int fake_energy(void *processor, uint64_t *count, float *count_uj, uint64_t *device_ns)
{
    struct fake_amdsmi_gpu *gpu = processor;

    if (gpu->status)
        return gpu->status;
    *count = gpu->count;
    *count_uj = gpu->count_uj != 0 ? gpu->count_uj : 15.2587890625F;
    *device_ns = 1;
    gpu->count += gpu->step;
    return 0;
}

static const struct scripted_symbol symbols[] = {
    {"amdsmi_init", (void (*)(void))fake_init},
    {"amdsmi_shut_down", (void (*)(void))fake_shut_down},
    {"amdsmi_get_socket_handles", (void (*)(void))fake_sockets},
    {"amdsmi_get_processor_handles", (void (*)(void))fake_processors},
    {"amdsmi_get_processor_type", (void (*)(void))fake_type},
    {"amdsmi_get_gpu_bdf_id", (void (*)(void))fake_bdf},
    {"amdsmi_get_energy_count", (void (*)(void))fake_energy},
    {0},
};

uint64_t fake_amdsmi_card(struct scripted *s, unsigned bus, const char *model, const char *class)
{
    char path[96], target[64];

    (void)snprintf(path, sizeof path, "/sys/bus/pci/devices/0000:%02x:00.0/device", bus);
    scripted_filef(s, path, "%s\n", model);
    (void)snprintf(path, sizeof path, "/sys/bus/pci/devices/0000:%02x:00.0/class", bus);
    scripted_filef(s, path, "%s\n", class);
    (void)snprintf(path, sizeof path, "/sys/bus/pci/drivers/amdgpu/0000:%02x:00.0", bus);
    (void)snprintf(target, sizeof target, "/sys/bus/pci/devices/0000:%02x:00.0", bus);
    scripted_link(s, path, target);
    return (uint64_t)bus << 8;
}

struct fake_amdsmi *fake_amdsmi_install(struct scripted *s, const char *model)
{
    fake = (struct fake_amdsmi){.n = 2};
    for (uint32_t i = 0; i < FAKE_AMDSMI_GPUS; i++)
        fake.gpus[i] = (struct fake_amdsmi_gpu){.type = 1, .count = 65536, .step = 65536};
    for (uint32_t i = 0; i < fake.n; i++)
        fake.gpus[i].bdf = fake_amdsmi_card(s, 0x03 + 0x40 * i, model, "0x038000");
    scripted_file(s, "/dev/kfd", "");
    scripted_library(s, "libamd_smi.so", symbols);
    return &fake;
}

void fake_amdsmi_node(struct scripted *s, unsigned number, unsigned simds, unsigned bus,
                      uint64_t unique_id)
{
    char path[96];

    (void)snprintf(path, sizeof path, "/sys/class/kfd/kfd/topology/nodes/%u/properties", number);
    scripted_filef(s, path,
                   "cpu_cores_count %d\nsimd_count %u\nvendor_id 4098\nlocation_id %u\n"
                   "domain 0\nunique_id %llu\n",
                   simds ? 0 : 16, simds, bus << 8, (unsigned long long)unique_id);
}
