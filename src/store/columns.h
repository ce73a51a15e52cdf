/* store/columns.h - the result columns of a study and the results of one trial (export only). */
#ifndef PJI_STORE_COLUMNS_H
#define PJI_STORE_COLUMNS_H

#include "store/store.h"

struct pji_column {
    char *name;                  /* as in the export, unique */
    char *phase, *task, *metric; /* metric NULL: the energy total of phase and task */
    bool energy;                 /* rests on energy: has an uncertainty and an origin */
};

struct pji_result {
    bool known; /* a row is there; it may say that the figure is missing */
    double value, u_ind, u_com;
    char origin[16];
    char reason[PJ_REASON];
};

struct pji_columns {
    struct pji_column *items;
    size_t n, cap;
    char **factors; /* names */
    size_t n_factors, cap_factors;
    char *window; /* "steady", where only that part of each task was measured; else NULL */
    struct pji_result *results; /* of the trial read last: n */
    char flags[256];            /* gates that fired as flags, comma-separated */
};

/* Is it, whatever its capitals, a column that the export of every study may have? */
bool pji_column_is_fixed(const char *name);

/* Factors and the union of all results in the store. */
pj_status pji_columns_read(struct pji_columns *columns, struct pji_store *store,
                           struct pj_error *err);
void pji_columns_fini(struct pji_columns *columns);
/* Fills results and flags from an attempt; 0: none, everything unknown. */
pj_status pji_columns_load(struct pji_columns *columns, struct pji_store *store, int64_t attempt,
                           struct pj_error *err);

#endif
