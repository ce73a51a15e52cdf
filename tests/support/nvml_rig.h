/* support/nvml_rig.h - the nvml source over the fake libnvidia-ml (tests/fakes) on a scripted
 * machine whose clock the test moves; the library sees the same clock.
 *
 *     struct nvml_rig rig;
 *     nvml_rig_setup(&rig);                       // clears FAKE_NVML_*
 *     setenv("FAKE_NVML_COUNT", "2", 1);
 *     nvml_rig_open(&rig);                        // asserts that open succeeds
 *     nvml_rig_run(&rig, 5 * PJI_NS_PER_S);       // reads every 100 ms, as a sampler does
 *     … rig.readings, rig.n, rig.table …
 *     nvml_rig_teardown(&rig);                    // asserts that nothing stays open
 */
#ifndef TEST_SUPPORT_NVML_RIG_H
#define TEST_SUPPORT_NVML_RIG_H

#include "meter/source.h"

struct scripted;

enum { NVML_RIG_READINGS = 65536 };

struct nvml_rig {
    struct scripted *machine; /* files and clocks */
    struct pji_platform platform;
    struct pji_platform_ops ops;
    struct pji_source_env env; /* change before open */
    struct pji_channel_table table;
    struct pji_log log;
    char said[512]; /* last line of the log */
    void *state;
    bool open;
    int64_t mono_ns, wall_ns; /* the latencies of the fake's calls move them, too */
    const char *hidden;       /* a symbol that the library seems not to have */
    void *library;
    struct pji_reading *readings; /* all so far */
    size_t n;
    uint64_t dropped;
};

/* The fake in its new or its old form. */
void nvml_rig_library(char *path, size_t size, bool old);
/* One rig at a time. The usual names of the library lead nowhere: only env.nvml_path does. */
void nvml_rig_setup(struct nvml_rig *rig);
void nvml_rig_open(struct nvml_rig *rig);
/* One read of the source, as at a tick or at an edge. */
void nvml_rig_read(struct nvml_rig *rig, bool edge);
void nvml_rig_advance(struct nvml_rig *rig, int64_t dur_ns);
void nvml_rig_run(struct nvml_rig *rig, int64_t dur_ns);
void nvml_rig_close(struct nvml_rig *rig);
void nvml_rig_teardown(struct nvml_rig *rig);

/* Index of a channel by name; the test fails when there is none. */
int32_t nvml_rig_channel(const struct nvml_rig *rig, const char *name);
/* Number of readings of a channel with this status. */
size_t nvml_rig_count(const struct nvml_rig *rig, int32_t channel, enum pji_reading_status status);
/* Calls of the fake's function since init. */
uint64_t nvml_rig_calls(const struct nvml_rig *rig, const char *call);
/* The only missing row; the test fails when there is not exactly one. */
const struct pji_missing *nvml_rig_missing(const struct nvml_rig *rig);

#endif
