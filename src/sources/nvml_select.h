/* sources/nvml_select.h - which GPUs a CUDA program would see, by CUDA's own rule.
 *
 * CUDA C++ Programming Guide, "Environment Variables": CUDA_VISIBLE_DEVICES unset = all; empty =
 * none; else a list of indices or of UUIDs (a beginning that is unique suffices), in the order of
 * enumeration; the first invalid entry ends the list and only what stands before it counts.
 * Observed in CUDA and kept here (PyTorch's torch.cuda does the same): an index is read as strtol
 * does, so "1gpu" is 1; the first entry decides whether the list is one of indices or of UUIDs and
 * an entry of the other kind is invalid; a device that is named twice leaves no device at all.
 *
 * Indices count in CUDA_DEVICE_ORDER. PCI_BUS_ID is the order of the PCI bus, which NVML reports.
 * FASTEST_FIRST, CUDA's default, ranks by a measure of speed that NVML does not have: PCI order is
 * used and `order_unsure` says when that can differ (unlike models in the machine, indices given).
 */
#ifndef PJI_SOURCES_NVML_SELECT_H
#define PJI_SOURCES_NVML_SELECT_H

#include "sources/nvml_api.h"

#include <stdbool.h>
#include <stddef.h>

enum { PJI_NVML_GPUS = 64 };

struct pji_nvml_identity {
    char uuid[PJI_NVML_TEXT]; /* "GPU-8932f937-…", "" when unknown */
    char name[PJI_NVML_TEXT]; /* "NVIDIA H200" */
    char pci[20];             /* "00000000:1b:00.0", "" when unknown */
    unsigned int domain, bus, device;
    bool mig; /* partitioned: it is metered whole */
};

enum pji_nvml_note {
    PJI_NVML_NOTE_NONE,
    PJI_NVML_NOTE_INVALID,   /* an invalid entry ended the list */
    PJI_NVML_NOTE_DUPLICATE, /* a device is named twice: CUDA shows none */
    PJI_NVML_NOTE_MIG        /* a MIG slice is asked for, which NVML cannot meter alone */
};

struct pji_nvml_selection {
    size_t n;
    unsigned int index[PJI_NVML_GPUS]; /* into the identities, in CUDA's order */
    bool order_unsure;
    enum pji_nvml_note note;
    char entry[PJI_NVML_TEXT]; /* the entry that `note` is about, cut to fit */
};

/* visible and order are the values of the two variables, NULL when unset; n <= PJI_NVML_GPUS. */
void pji_nvml_select(const struct pji_nvml_identity *gpus, size_t n, const char *visible,
                     const char *order, struct pji_nvml_selection *out);

#endif
