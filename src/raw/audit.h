/* raw/audit.h - a published figure against the recomputed one, and their difference by cause.
 *
 * Recomputed is always the same: the energy of the prompts, every CPU package once with its wraps
 * repaired, every GPU integrated on its time stamps (raw/run.h); the length of that window; the
 * tokens of the responses. A published column of energies is explained by the scheme (which window,
 * how often the CPU, which sum over the GPU's samples) that reproduces most of its rows; a row that
 * this scheme does not reproduce and another one does is explained by that. The causes are the
 * steps from one to the other, so that they add up. What no scheme reproduces stays `unexplained`;
 * a column that none comes near is all unexplained.
 *
 * Amounts are whole millionths of the unit, so that causes add up exactly.
 */
#ifndef PJI_RAW_AUDIT_H
#define PJI_RAW_AUDIT_H

#include "raw/runs_table.h"
#include "raw/terms.h"

enum pji_quantity {
    PJI_QUANTITY_ENERGY, /* J */
    PJI_QUANTITY_TIME,   /* s */
    PJI_QUANTITY_POWER,  /* W: published energy over published time */
    PJI_QUANTITY_TOKENS,
    PJI_QUANTITIES
};

enum pji_cause {
    PJI_CAUSE_CPU_TWICE,
    PJI_CAUSE_CPU_MISSING,
    PJI_CAUSE_GPU_MISSING,
    PJI_CAUSE_OTHER_MISSING,
    PJI_CAUSE_LOADING,
    PJI_CAUSE_GPU_METHOD,
    PJI_CAUSE_LAST_SAMPLE,
    PJI_CAUSE_WRAP,
    PJI_CAUSE_DECIMAL_COMMA,
    PJI_CAUSE_ROUNDING,
    PJI_CAUSE_UNEXPLAINED,
    PJI_CAUSES
};
struct pji_cause_def {
    const char *code, *meaning;
};
extern const struct pji_cause_def pji_causes[PJI_CAUSES];
extern const char *const pji_quantity_names[PJI_QUANTITIES]; /* "energy_j", … */

/* How a column was computed: PJI_TERMS_… */
struct pji_scheme {
    int window, cpu, gpu; /* cpu: how often; gpu -1: not counted */
};

struct pji_audit_row {
    const char *run; /* borrowed name */
    bool published_known, recomputed_known;
    int64_t published_u6, recomputed_u6, difference_u6; /* millionths of the unit */
    int64_t cause_u6[PJI_CAUSES];                       /* they add up to the difference */
    double u;                                           /* standard uncertainty of recomputed */
    int wrap;         /* PJI_TERMS_…: how this row's published figure treated a fall */
    bool own_scheme;  /* explained by another scheme than the column's */
    bool implausible; /* the mean power that it means was never drawn */
    double mean_w;    /* that power */
};

struct pji_audit_column {
    enum pji_quantity quantity;
    const char *name;         /* of the published column, borrowed from the table */
    char computed[256];       /* the scheme in words */
    bool fits;                /* a scheme reproduces most of it */
    struct pji_scheme scheme; /* energy */
    struct pji_audit_row *rows;
    size_t n_rows;   /* one for each matched run */
    size_t n_commas; /* numbers with a decimal comma that was not declared */
    int64_t sum_u6[PJI_CAUSES];
    int64_t published_u6, recomputed_u6;
    size_t n_compared, n_unexplained, n_implausible;
    size_t n_cause[PJI_CAUSES]; /* rows with an amount of it */
};

struct pji_audit_run { /* of the study */
    char *name;
    int64_t run, repetition;
    struct pji_terms terms;
    size_t row; /* of the table; SIZE_MAX when unmatched */
};

struct pji_audit {
    struct pji_audit_run *runs; /* the matched ones first */
    size_t n_runs, n_matched, cap_runs;
    struct pji_audit_column *columns;
    size_t n_columns;
    const char *overlooked[8]; /* columns that look like figures and are not compared; borrowed */
    size_t n_overlooked;       /* how many, also beyond those */
    bool energy_compared;
    bool *row_used; /* of the table */
    size_t n_unmatched_rows;
};

/* The done runs of an imported study, from the raw files that it keeps; PJ_ECORRUPT when one of
 * them is not what was imported. pji_audit_fini in every case. */
pj_status pji_audit_load(struct pji_audit *audit, struct pji_store *store, struct pj_error *err);
/* Finds the row of each run; `runs` and n_runs are set by the caller. */
pj_status pji_audit_match(struct pji_audit *audit, const struct pji_runs_table *table,
                          struct pj_error *err);
/* Compares the columns that the table has: energies as `energy`, `energy_j`, `total_energy_j` and
 * published_…_j, or the one named `energy_column`; docs/greenlab.md has the list. PJ_EINVAL when
 * the table has none, or a number is none. */
pj_status pji_audit_make(struct pji_audit *audit, const struct pji_runs_table *table,
                         const char *energy_column, bool decimal_comma, struct pj_error *err);
void pji_audit_fini(struct pji_audit *audit); /* also the runs and their names */

#endif
