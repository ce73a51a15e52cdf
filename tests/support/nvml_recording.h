/* support/nvml_recording.h - the one reader of recordings of a GPU, strict: what is wrong is named
 * by file and line.
 *
 * First line "# NAME driver … limit_mw N realtime_minus_monotonic_ns N", then rows
 * "kind,t_before_ns,t_after_ns,value,device_ts_us" with host times around the call on
 * CLOCK_MONOTONIC. Kinds: counter (mJ), buffer (one sample of the power sample buffer, mW, with the
 * driver's wall-clock time stamp), usage (mW), temp (degrees C), smclk (MHz), throttle (mask); rows
 * of other kinds are counted and left out.
 */
#ifndef TEST_SUPPORT_NVML_RECORDING_H
#define TEST_SUPPORT_NVML_RECORDING_H

#include "core/error.h"
#include "sources/nvml_rows.h"

#include <stddef.h>
#include <stdint.h>

struct nvml_recording_row {
    enum pji_nvml_row kind;
    int64_t before_ns, after_ns, value, device_us;
};

struct nvml_recording {
    char name[PJI_NVML_TEXT];
    int64_t limit_mw, offset_ns;
    struct nvml_recording_row *rows;
    size_t n, cap;
    uint64_t unknown; /* rows of kinds that are left out */
};

/* PJ_EINVAL when it is no recording; nothing to free then. */
pj_status nvml_recording_read(struct nvml_recording *recording, const char *path,
                              struct pj_error *err);
void nvml_recording_fini(struct nvml_recording *recording);

#endif
