/* cli/instruments.h - the instruments of this machine, opened for a command of the lean program. */
#ifndef PJI_CLI_INSTRUMENTS_H
#define PJI_CLI_INSTRUMENTS_H

#include "cli/lean.h"
#include "meter/meter.h"

struct pji_instruments {
    struct pji_platform platform;
    bool platform_open;
    struct pji_log log;
    struct pji_source_env env;                /* as the sources got it */
    struct pji_cpu_calibration *calibrations; /* from the cache, owned */
    struct pji_nvml_known *nvml_known;        /* the same */
    struct pji_meter *meter;
    int64_t interval_ns;
};

/* Opens every source (or only the replay of `replay`, when that is not NULL), below the root that
 * --root or PERJOULE_ROOT names, sampled at --interval. On failure nothing stays open. */
pj_status pji_instruments_open(struct pji_instruments *instruments, const struct pji_args *args,
                               const char *replay, struct pj_error *err);
/* The same with another table of sources (NULL-terminated, borrowed until close). */
pj_status pji_instruments_open_table(struct pji_instruments *instruments,
                                     const struct pji_args *args,
                                     const struct pji_source_ops *const *sources,
                                     struct pj_error *err);
/* As pji_instruments_open for a live run, but slow sources wait for pji_meter_start_slow. */
pj_status pji_instruments_open_deferred(struct pji_instruments *instruments,
                                        const struct pji_args *args, struct pj_error *err);
void pji_instruments_close(struct pji_instruments *instruments);

/* The header line of a trace, as text in `out`. */
pj_status pji_instruments_header(const struct pji_instruments *instruments, struct pji_str *out,
                                 struct pj_error *err);
/* The footer line of a trace that ends now; hash: of all lines before it (pji_stream_hash). */
void pji_instruments_footer(const struct pji_instruments *instruments, uint64_t hash,
                            struct pji_str *out);

/* The options that every command with instruments has. */
#define PJI_ROOT_OPTION                                                                            \
    {                                                                                              \
        "root", 0, "DIR", "read DIR/sys, DIR/proc, DIR/dev instead of the machine's own"           \
    }
#define PJI_INTERVAL_OPTION                                                                        \
    {                                                                                              \
        "interval", 'i', "MS", "milliseconds between samples, 0.1 to 3600000 (default: 100)"       \
    }

#endif
