/* raw/samples.h - energibridge.csv: what each of its columns is, and its samples in memory.
 *
 * Columns (EnergiBridge 0.0.7 and perjoule's own, docs/greenlab.md): `Time` since 1970;
 * counters `PACKAGE_ENERGY (J)` and `CPU_ENERGY (J)` (AMD) of the processor, `PP0_ENERGY (J)` its
 * cores, `PP1_ENERGY (J)` its uncore, `DRAM_ENERGY (J)`, `PSYS_ENERGY (J)`, `GPU0_ENERGY (mJ)`;
 * powers `GPU0_POWER (mWatts)` and so on. A number behind the word or behind ENERGY is that of the
 * socket or GPU. All others are left to the copy of the file that the study keeps.
 */
#ifndef PJI_RAW_SAMPLES_H
#define PJI_RAW_SAMPLES_H

#include "energy/channel.h"
#include "raw/source.h"

enum { PJI_RAW_COLUMNS = 64 };

struct pji_raw_column {
    char name[64]; /* as in the header */
    size_t column;
    enum pji_domain_kind kind;
    bool power;      /* W: a gauge; else J: a counter */
    unsigned number; /* of the socket or GPU */
    double factor;   /* from the column's unit to J or W (no unit) */
    double *values;  /* one for each sample, J or W; NaN: no value in the field */
    size_t unread;   /* of those, how many are NaN */
    bool all_zero;   /* EnergiBridge writes 0 for what it cannot read */
};

struct pji_raw_samples {
    size_t n, cap;
    int64_t *t_ns; /* since 1970; never falls */
    struct pji_raw_column columns[PJI_RAW_COLUMNS];
    size_t n_columns;
    size_t backward;         /* rows left out because the clock had stepped back */
    double interval_s;       /* median distance of samples */
    double gpu_start_temp_c; /* NaN: not told */
};

/* Is this the header of an energy or power column? factor is 0 where it is one without a unit, or
 * with one that is not known. */
bool pji_raw_column_parse(const char *name, struct pji_raw_column *out);

/* Bounded by the number of samples of the one file. */
pj_status pji_raw_samples_read(struct pji_raw_samples *samples, struct pji_raw_source *source,
                               struct pj_error *err);
void pji_raw_samples_fini(struct pji_raw_samples *samples);

/* The column of a kind and number; NULL when there is none. */
const struct pji_raw_column *pji_raw_samples_find(const struct pji_raw_samples *samples,
                                                  enum pji_domain_kind kind, unsigned number);

#endif
