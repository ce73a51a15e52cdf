/* fakes/fake_nvml.h - a scripted libnvidia-ml: README.md describes the variables. */
#ifndef FAKE_NVML_H
#define FAKE_NVML_H

#include "sources/nvml_api.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { FAKE_GPUS = 16, FAKE_RULES = 32 };

/* ---- for tests in the same process, through dlsym ---- */

/* Both are read at every call from now on, and a call's latency moves them instead of sleeping;
 * NULL: the machine's clocks. */
typedef void fake_nvml_use_clock_fn(int64_t *mono_ns, int64_t *wall_ns);
/* Calls of a function since init, by its short name ("energy"); 0 for an unknown one. */
typedef uint64_t fake_nvml_calls_fn(const char *call);

/* ---- inside the fake ---- */

enum fake_call {
    FAKE_INIT,
    FAKE_HANDLE,
    FAKE_ENERGY,
    FAKE_SAMPLES,
    FAKE_POWER,
    FAKE_TEMPERATURE,
    FAKE_CLOCK,
    FAKE_THROTTLE,
    FAKE_LIMIT,
    FAKE_APPCLOCK,
    FAKE_THERMAL,  /* time of thermal violation, ns */
    FAKE_POWERCAP, /* time of power violation, ns */
    FAKE_ECC,      /* uncorrected */
    FAKE_ECCFIXED, /* corrected */
    FAKE_REMAPPED,
    FAKE_PID, /* a process on the GPU */
    FAKE_XID, /* an event, given once */
    FAKE_USE, /* utilisation, percent */
    FAKE_CALLS
};

struct fake_rule {
    enum fake_call call;
    int gpu; /* -1: all */
    long long code;
    double from_s, to_s;
};

/* What a GPU does over time: a recording, or a square wave. */
struct fake_row {
    int64_t t_ns; /* middle of the call; for buffer the sample's own time */
    int64_t value;
};
struct fake_series {
    struct fake_row *rows;
    size_t n, cap;
};
enum fake_kind {
    FAKE_K_COUNTER,
    FAKE_K_BUFFER,
    FAKE_K_USAGE,
    FAKE_K_TEMP,
    FAKE_K_THROTTLE,
    FAKE_K_SMCLK,
    FAKE_KINDS
};
struct fake_curve {
    bool recorded;
    int64_t start_ns; /* time zero on the recording's clock */
    int64_t limit_mw;
    struct fake_series series[FAKE_KINDS];
    int64_t low_mw, high_mw, period_ns, spacing_ns;
};

struct fake_script {
    unsigned int n_gpus;
    char uuids[FAKE_GPUS][PJI_NVML_TEXT];
    char names[FAKE_GPUS][PJI_NVML_TEXT];
    unsigned int buses[FAKE_GPUS];
    bool mig[FAKE_GPUS];
    bool persistence[FAKE_GPUS];
    int64_t latency_ns[FAKE_CALLS];
    struct fake_rule rules[FAKE_RULES];
    size_t n_rules;
    struct fake_rule values[FAKE_RULES]; /* code is the value */
    size_t n_values;
    int value_type;
    size_t ring;
    char clock_file[256];
    char pids_file[256];
    char when_file[256];
    bool xid_given[FAKE_RULES]; /* by number of the value rule */
    struct fake_curve curve;
};

/* false when a variable or the recording makes no sense; `why` gets a sentence. */
bool fake_script_read(struct fake_script *script, char *why, size_t size);
void fake_script_fini(struct fake_script *script);
const char *fake_call_name(enum fake_call call);

bool fake_curve_load(struct fake_curve *curve, const char *path, char *why, size_t size);
void fake_curve_fini(struct fake_curve *curve);
/* Values at t_ns after time zero. */
int64_t fake_curve_at(const struct fake_curve *curve, enum fake_kind kind, int64_t t_ns);
/* The newest `cap` samples not younger than t_ns, oldest first, times relative to time zero. */
size_t fake_curve_samples(const struct fake_curve *curve, int64_t t_ns, struct fake_row *out,
                          size_t cap);

#endif
