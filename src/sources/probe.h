/* sources/probe.h - how an instrument behaves when it is asked often: for `perjoule doctor
 * --probe`. It takes a second for each instrument and costs up to a core meanwhile; nothing is
 * changed.
 */
#ifndef PJI_SOURCES_PROBE_H
#define PJI_SOURCES_PROBE_H

#include "meter/source.h"
#include "sources/nvml_known.h"

struct pji_probe_row {
    char channel[64];
    char source[24];
    struct pji_call_cost read; /* of one read of the whole source */
    size_t changes;            /* new values seen */
    int64_t refresh_ns;        /* median distance of new values; 0: it did not move */
    bool at_most;              /* it moved between any two reads: the refresh is that or less */
};

struct pji_probe {
    struct pji_probe_row *rows;
    size_t n, cap;
};

/* Opens the source, reads it for dur_ns at its own speed (a pause of 0.2 ms between reads) and
 * appends a row for each channel. */
pj_status pji_probe_source(struct pji_probe *probe, const struct pji_source_ops *ops,
                           const struct pji_source_env *env, int64_t dur_ns, struct pj_error *err);
void pji_probe_fini(struct pji_probe *probe);

/* Median and 99th percentile of n durations, which it sorts. */
void pji_call_cost_of(struct pji_call_cost *out, int64_t *durs_ns, size_t n);

/* One GPU through NVML itself: each call alone, the counter's steps, and over which time PowerUsage
 * averages (by comparison with the sample buffer, where the power changed meanwhile). About
 * dur_ns + 2 s. */
pj_status pji_nvml_measure(struct pji_nvml_known *out, const struct pji_nvml_api *api,
                           pji_nvml_device device, int64_t dur_ns, struct pj_error *err);

#endif
