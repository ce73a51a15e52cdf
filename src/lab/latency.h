/* lab/latency.h - what the requests of one measured window say about tokens and latencies.
 * docs/metrics.md is the manual; each figure is defined there once and computed here once.
 *
 * Pure: request records in, figures out. Only requests that succeeded have latencies; failed ones
 * are counted and count as not good. Nothing is padded: what a request does not tell (token counts,
 * the times of tokens that came in one read) is left out and counted.
 */
#ifndef PJI_LAB_LATENCY_H
#define PJI_LAB_LATENCY_H

#include "lab/study.h"
#include "load/load.h"

struct pji_sample {
    double *values;
    size_t n, cap;
};

struct pji_latency {
    uint64_t requests, failed, uncounted, wrong_length, cache_hits;
    uint64_t unprompted; /* succeeded without a count of prompt tokens */
    int64_t prompt_tokens, output_tokens, chunks;
    struct pji_sample ttft_s, tpot_s, e2e_s;     /* from the actual send */
    struct pji_sample ttft_sched_s, e2e_sched_s; /* from the time the request was due */
    struct pji_sample lag_s;                     /* actual send less due time, of all sent */
    struct pji_sample itl_s;                     /* between reads that brought text, pooled */
    uint64_t gaps, shared_gaps; /* between successive chunks; of them inside one read */
    uint64_t one_read;          /* requests of 2 tokens or more whose text came in one read */
    uint64_t good;              /* kept every limit of the SLO */
};

/* fixed_length: every answer must have max_tokens. */
pj_status pji_latency_add(struct pji_latency *latency, const struct pji_request_record *record,
                          const struct pji_slo *slo, bool fixed_length, int64_t max_tokens,
                          struct pj_error *err);
void pji_latency_fini(struct pji_latency *latency);

bool pji_slo_set(const struct pji_slo *slo);

/* Calls put for each figure, NaN with a reason where it is missing. */
typedef pj_status pji_latency_sink(void *context, const char *name, double value,
                                   const char *reason);
pj_status pji_latency_each(const struct pji_latency *latency, const struct pji_slo *slo,
                           double dur_s, pji_latency_sink *put, void *context,
                           struct pj_error *err);

#endif
