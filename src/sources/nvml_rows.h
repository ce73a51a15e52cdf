/* sources/nvml_rows.h - the channel rows of one GPU, with what is known of their errors.
 *
 * Three ways to the energy of a GPU, best first; all are of the board with its memory:
 *   power    the driver's power sample buffer (nvmlDeviceGetSamples), integrated
 *   energy   the energy counter (nvmlDeviceGetTotalEnergyConsumption, Volta and later), mJ
 *   usage    nvmlDeviceGetPowerUsage, polled and integrated: only where neither exists
 * Where both power and energy exist, power is preferred (its edges are good to 20 ms, and it costs
 * a fiftieth of the counter's calls) and the counter is kept beside it as the witness.
 *
 * Gain. NVIDIA states +-5 % of the reading, for Fermi and Kepler (NVML API reference,
 * nvmlDeviceGetPowerUsage) and nothing for later chips: +-5 % is taken for all, rectangular, so
 * 0.05/sqrt(3) for k = 1. Buffer and counter come from one sensor: one com_id, and their agreement
 * (0.5 % on an H200) says nothing about it.
 *
 * Lag. A sample is the mean over the stretch that ends at its time stamp: held from there until the
 * next one it describes the past by one spacing. The sensor smooths a little more than that: a step
 * of real power reaches into the samples up to one spacing before and after, which is taken as the
 * rest of the lag, rectangular (on an H200 the time from a kernel's start or end to the first
 * sample past half way was 10 to 32 ms, 10-90 %; with this rest 22 of 24 bursts of 0.2 to 2 s lay
 * within two standard uncertainties of the counter's account of them: tests/unit/sources). The
 * counter is fed from the same sensor, half a spacing behind, and published at each refresh: read
 * at any moment it is a further half refresh old (the spread of that is energy/'s refresh phase);
 * asked more often than it refreshes, the moment of each refresh is known (energy/refresh.c).
 * PowerUsage is the mean of the last second since Ampere, instantaneous before (NVML API
 * reference); polled and held it is half a poll older.
 *
 * Part-time sampling. Yang, Adamek and Armour (arXiv:2312.02741) found that the power reading of
 * A100 and H100 covers 25 % of the time: a mean over 25 ms, refreshed every 100 ms. So a sample
 * counts as the mean over its spacing, but of 25 ms at most (average_ns); for the rest of a longer
 * spacing energy/ allows whatever lies between the neighbouring samples. Against a load whose
 * period is a multiple of the spacing that is no bound: such aliasing cannot be seen from inside.
 */
#ifndef PJI_SOURCES_NVML_ROWS_H
#define PJI_SOURCES_NVML_ROWS_H

#include "energy/channel.h"
#include "sources/nvml_select.h"

/* What the rows need to know of a GPU. */
struct pji_nvml_gpu_facts {
    const struct pji_nvml_identity *identity;
    unsigned int number; /* as nvidia-smi counts: the N of gpu-N */
    int64_t cap_mw;      /* highest power limit the board accepts; 0: unknown */
    int64_t spacing_ns;  /* of the sample buffer; 0: there is none */
    int64_t counter_refresh_ns;
    int64_t counter_poll_ns; /* how often the counter is asked, where that is more often */
    int64_t usage_poll_ns;
    bool usage_averaged; /* Ampere and later */
};

enum pji_nvml_row {
    PJI_NVML_ROW_POWER,
    PJI_NVML_ROW_ENERGY,
    PJI_NVML_ROW_USAGE,
    PJI_NVML_ROW_TEMP,
    PJI_NVML_ROW_CLOCK,
    PJI_NVML_ROW_THROTTLE,
    PJI_NVML_ROWS
};

/* `preferred` is the index of the channel that this one is an alternative to, or -1. */
void pji_nvml_row(struct pji_channel *out, enum pji_nvml_row row,
                  const struct pji_nvml_gpu_facts *facts, int32_t preferred);

#endif
