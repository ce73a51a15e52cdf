/* meter/source.h - the contract of an instrument. One file in sources/ for each, one row in
 * sources/table.c; the conformance suite (tests/conformance) runs against every row.
 *
 * Life: the framework allocates `state_size` zeroed bytes; `open` discovers what exists, adds its
 * channels and what is missing; `read` appends one reading for each of its channels; `close` frees.
 *
 * open:  may allocate, open files, load libraries. Returns 0 also when nothing was found: then it
 *        has added no channel, and a `missing` row where something should exist here. Negative only
 *        for lack of memory or a fault of perjoule itself. After a negative return, close is not
 *        called: open has cleaned up.
 * read:  called from one thread at a time; allocates nothing, opens nothing; never blocks longer
 *        than the instrument's own latency. A failed channel gets a reading with PJI_READ_FAILED;
 *        one that is gone gets PJI_READ_GONE once. Always 0 unless perjoule itself is at fault.
 * close: after a successful open, once.
 * describe, rest_ns, look: may be NULL; see there.
 */
#ifndef PJI_METER_SOURCE_H
#define PJI_METER_SOURCE_H

#include "core/json.h"
#include "core/log.h"
#include "energy/channel.h"
#include "platform/platform.h"

#include <stdbool.h>

struct pji_cpu_calibration; /* sources/cpu_calibration.h */
struct pji_nvml_known;      /* sources/nvml_known.h */

/* What a source may know of its surroundings. Nothing here is read from the environment by the
 * library: cli/ fills it. */
struct pji_source_env {
    const struct pji_platform *platform;
    const struct pji_log *log;        /* may be NULL */
    const char *nvml_path;            /* another NVML library, NULL: the usual names */
    const char *cuda_visible_devices; /* value of CUDA_VISIBLE_DEVICES, NULL: unset */
    const char *cuda_device_order;    /* value of CUDA_DEVICE_ORDER, NULL: unset */
    const char *hip_visible_devices;  /* value of HIP_VISIBLE_DEVICES, NULL: unset */
    const char *rocr_visible_devices; /* value of ROCR_VISIBLE_DEVICES, NULL: unset */
    const char *replay_path;          /* trace to replay, NULL: none */
    const struct pji_cpu_calibration *calibrations; /* of processors, borrowed */
    size_t n_calibrations;
    const struct pji_nvml_known *nvml_known; /* of GPUs, borrowed */
    size_t n_nvml_known;
    int64_t interval_ns; /* intended sampling period */
};

/* Growing tables owned by the meter; a source only adds. Indices are those of the trace. */
struct pji_channel_table {
    struct pji_channel *channels;
    size_t n, cap;
    struct pji_missing *missing;
    size_t n_missing, cap_missing;
};

/* Copies the row; *index (may be NULL) gets its number. A duplicate name is PJ_EINVAL. */
pj_status pji_channel_table_add(struct pji_channel_table *table, const struct pji_channel *channel,
                                int32_t *index, struct pj_error *err);
pj_status pji_channel_table_miss(struct pji_channel_table *table, const char *source,
                                 enum pji_domain_kind kind, const char *domain, const char *reason,
                                 const char *fix, struct pj_error *err);
void pji_channel_table_fini(struct pji_channel_table *table);

/* Fixed-capacity sink of one tick: preallocated by the meter. */
struct pji_reading_sink {
    struct pji_reading *readings;
    size_t n, cap;
    uint64_t dropped; /* no room: counted, never silent */
    bool edge;        /* a baseline or last reading: be fresh, whatever your own schedule says */
};

static inline void pji_reading_put(struct pji_reading_sink *sink, int32_t channel, int64_t t_ns,
                                   enum pji_reading_status status, int64_t value)
{
    if (sink->n == sink->cap) {
        sink->dropped++;
        return;
    }
    sink->readings[sink->n++] =
        (struct pji_reading){.t_ns = t_ns, .value = value, .channel = channel, .status = status};
}

struct pji_source_ops {
    const char *name;  /* "rapl_powercap" */
    const char *about; /* one line for `perjoule devices` */
    size_t state_size;
    size_t burst;          /* most readings that one read can put for each channel (1 for most; a
                              sample buffer gives many) */
    int64_t min_period_ns; /* never read more often; 0: as the sampler likes */
    bool slow;   /* a read can take milliseconds: it gets a thread of its own (lane.h), and
                    open and close are called by another thread than read */
    bool prompt; /* slow to read, but never opened in the background (meter.h, defer_slow): its
                    readings do not reach back, or others look for its channels */
    pj_status (*open)(void *state, const struct pji_source_env *env,
                      struct pji_channel_table *table, struct pj_error *err);
    pj_status (*read)(void *state, struct pji_reading_sink *sink, struct pj_error *err);
    void (*close)(void *state);
    /* What its probe found, as a new JSON object for the header of a trace; called after open,
     * maybe while another thread reads: only of what no longer changes. NULL: nothing. */
    json_t *(*describe)(const void *state);
    /* Of a slow source: how long it has nothing to read, asked by its lane after each read, so that
     * nobody is woken in vain. NULL, or less than min_period_ns: min_period_ns. */
    int64_t (*rest_ns)(const void *state);
    /* What state its devices are in (limits, errors, who uses them), for whoever judges a
     * measurement by it: a new JSON object. Asked outside measured windows only, by the sampler's
     * thread, maybe while a lane reads: it touches nothing that read does. NULL: nothing. */
    json_t *(*look)(void *state);
};

#endif
