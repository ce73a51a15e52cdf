/* store/export.h - the study as one table: a row for each trial in planned order.
 *
 * Columns: trial, one for each factor under its own name, repetition, block, state, reason,
 * attempt, start_utc, flags, then results sorted by name: `<task>.<metric>` (the metric alone where
 * it belongs to no task), and for figures that rest on energy `…_u` and `…_origin` behind it; then
 * the energy totals of the phases as `total.<phase>[.<task>].energy_j` with `_u` and `_origin`. The
 * set of columns is that of the whole study, whatever a trial has. Results come from the latest
 * attempt of trials that are done, invalid or failed.
 *
 * CSV is RFC 4180 with CRLF; a missing result is an empty cell. In JSON it is null with a reason.
 * docs/formats/export-v1.md is the manual.
 */
#ifndef PJI_STORE_EXPORT_H
#define PJI_STORE_EXPORT_H

#include "store/store.h"

enum pji_export_format { PJI_EXPORT_CSV, PJI_EXPORT_JSON };

/* Gets the text piece by piece. A non-zero result ends the export and is returned. */
typedef pj_status pji_export_sink(void *context, const char *text, size_t len,
                                  struct pj_error *err);
pj_status pji_store_export(struct pji_store *store, enum pji_export_format format,
                           pji_export_sink *sink, void *context, struct pj_error *err);
/* Experiment Runner's run_table.csv: one row for each trial, DONE for those that are done, TODO for
 * all others; results of done trials, without uncertainties; a blank where there is none. */
pj_status pji_store_export_run_table(struct pji_store *store, pji_export_sink *sink, void *context,
                                     struct pj_error *err);
/* One row for each request of the trials that have ended, CSV: its trial, its times
 * (CLOCK_MONOTONIC of the machine that ran it), its tokens, and its share of the window's energy,
 * which is modelled by the rule of docs/metrics.md; an empty cell and origin `missing` where it has
 * none. */
pj_status pji_store_export_requests(struct pji_store *store, pji_export_sink *sink, void *context,
                                    struct pj_error *err);

#endif
