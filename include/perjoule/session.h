/* perjoule/session.h - a session: the instruments of this machine, read by a thread of the library.
 *
 * Threads: everything here and in window.h may be called from any thread at any time, except that
 * pj_session_close must be the last call on its session. The library's own threads (the sampler,
 * and one for each slow vendor library) block all signals.
 *
 * fork: a session belongs to the process that opened it. In a child every call on it is refused
 * with PJ_ESTATE and touches nothing; pj_session_close does nothing there. The child may open a
 * session of its own. Descriptors are close-on-exec.
 *
 * The library reads no environment variable, never prints, and installs no handler of any kind:
 * what it should know stands in the options.
 */
#ifndef PERJOULE_SESSION_H
#define PERJOULE_SESSION_H

#include "perjoule/energy.h"
#include "perjoule/status.h"

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

struct pj_session;

/* Zero-initialise and set `size`; whatever is left 0 takes its default. Fields are only ever added
 * at the end. Strings are borrowed for the call of pj_session_open. */
struct pj_session_options {
    size_t size;             /* sizeof(struct pj_session_options) of the header you compiled with */
    int64_t interval_ns;     /* between samples, 0.1 ms to 1 h; 0: 100 ms. Windows have their edges
                                between samples: choose a tenth of your shortest window */
    const char *root;        /* read ROOT/sys, ROOT/proc, ROOT/dev instead of the machine's own */
    const char *trace_path;  /* every reading goes to this file (trace v1), and an event
                                for each window that ended; replaced when it exists */
    const char *replay_path; /* play this trace in its own time, read no instrument */
    const char *nvml_path;   /* another NVML library */
    const char *cuda_visible_devices; /* value of CUDA_VISIBLE_DEVICES: NULL means all GPUs. The
                                         library does not look: pass getenv(…) */
    const char *cuda_device_order;    /* value of CUDA_DEVICE_ORDER, NULL: unset */
    const char *hip_visible_devices;  /* value of HIP_VISIBLE_DEVICES, NULL: unset */
    const char *rocr_visible_devices; /* value of ROCR_VISIBLE_DEVICES, NULL: unset */
    uint32_t max_windows;             /* windows that exist at once, at most 1 048 576; 0: 4096 */
    int measured_only;                /* not 0: totals leave modelled and constant domains out */
    /* Warnings, one sentence each; may be called from several threads. NULL: silent. */
    void (*log)(void *context, const char *text);
    void *log_context;
};

/* Finds the instruments, takes the first reading and starts sampling. options NULL: all defaults.
 * A machine without a readable instrument is no failure: pj_session_missing says why, and every
 * energy is missing with that reason.
 *
 * PJ_EINVAL: an option is wrong (or is not known to this library: it is older than the header).
 * Other codes: no memory, no thread, or the trace file cannot be written. *out is NULL then. */
PJ_API pj_status pj_session_open(struct pj_session **out, const struct pj_session_options *options,
                                 struct pj_error *err);

/* Ends sampling: waits until what lags has shown this moment (up to 0.3 s with a GPU), takes the
 * last reading and completes the trace. Windows stay readable, and now have exactly what a replay
 * of the trace gives; no new window can begin. Stopping twice is allowed.
 *
 * A failure to write the trace is reported here (and with it that the trace is incomplete); windows
 * are not affected by it. */
PJ_API pj_status pj_session_stop(struct pj_session *session, struct pj_error *err);

/* Stops when that was not done, and frees everything but results. NULL is allowed. */
PJ_API void pj_session_close(struct pj_session *session);

/* ---- what is read, and what is not ---- */

/* One energy that is read. Static for the life of the session (and, in a part of a result, of the
 * result). Allocated by the library: fields are only ever added at the end. */
struct pj_source {
    const char *name;       /* unique: "rapl:package-0" */
    const char *instrument; /* "rapl_perf", "nvml", "model_cpu" … (docs/instruments.md) */
    const char *domain;     /* node in the tree of domains: "package-0" */
    const char *parent;     /* its parent node: "machine" */
    const char *kind;       /* "package", "dram", "gpu", … */
    const char *device;     /* what a person recognises */
    enum pj_origin origin;  /* of all its values */
    int64_t refresh_ns;     /* the instrument's own update period; 0: unknown */
};

/* What exists or should exist here and cannot be read. */
struct pj_missing {
    const char *domain, *instrument, *kind;
    const char *reason; /* a sentence */
    const char *fix;    /* the least-privilege remedy, "" when there is none */
};

PJ_API size_t pj_session_source_count(const struct pj_session *session);
/* NULL beyond the last one. Borrowed until pj_session_close. */
PJ_API const struct pj_source *pj_session_source(const struct pj_session *session, size_t i);
PJ_API size_t pj_session_missing_count(const struct pj_session *session);
PJ_API const struct pj_missing *pj_session_missing(const struct pj_session *session, size_t i);

#ifdef __cplusplus
}
#endif
#endif
