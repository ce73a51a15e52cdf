/* fakes/fake_amdsmi.h - libamd_smi played by the test program itself: symbols for
 * scripted_library(), and what they answer. Each GPU is a socket of one processor.
 */
#ifndef FAKE_AMDSMI_H
#define FAKE_AMDSMI_H

#include "scripted_platform.h"

enum { FAKE_AMDSMI_GPUS = 8 };

struct fake_amdsmi_gpu {
    uint64_t bdf;
    int type; /* 1: GPU */
    /* also used by the thread that reads */
    _Atomic int status;     /* of the energy call */
    _Atomic uint64_t count; /* what the next call gives */
    _Atomic uint64_t step;  /* added by each call */
    float count_uj;         /* 0: the usual 15.259 */
};

struct fake_amdsmi {
    int init_status;
    int inits, shut_downs;
    uint32_t n;
    struct fake_amdsmi_gpu gpus[FAKE_AMDSMI_GPUS];
};

/* Resets it to two GPUs, 0000:03:00.0 and 0000:43:00.0, and puts library, device node, driver and
 * PCI devices (model, class 0x038000) into the script. */
struct fake_amdsmi *fake_amdsmi_install(struct scripted *s, const char *model);
/* One more PCI device of the driver; the bdf that belongs to it. */
uint64_t fake_amdsmi_card(struct scripted *s, unsigned bus, const char *model, const char *class);

/* A node of the driver's topology: a GPU at that bus address, or with simds 0 a processor. */
void fake_amdsmi_node(struct scripted *s, unsigned number, unsigned simds, unsigned bus,
                      uint64_t unique_id);

#endif
