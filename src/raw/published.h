/* raw/published.h - numbers as they stand in a published table, and what a program that takes a
 * comma for a mark of grouping makes of them.
 */
#ifndef PJI_RAW_PUBLISHED_H
#define PJI_RAW_PUBLISHED_H

#include "raw/audit.h"

struct pji_published {
    bool known;
    double meant;     /* a decimal comma is one (no unit) */
    double read;      /* without it: "198,88" is 19888; the same as meant where there is none */
    double half_unit; /* of the last digit printed */
};

/* A cell; empty or NA: not known. `declared`: the comma was declared, read is meant. */
pj_status pji_published_read(struct pji_published *out, const struct pji_runs_table *table,
                             size_t row, size_t column, bool declared, struct pj_error *err);

/* Which columns of a table are published figures: the quantity of a name, and the factor to J, s or
 * tokens; false for any other name. */
bool pji_published_column(const char *name, enum pji_quantity *quantity, double *factor);
/* A column of another name that looks like a published figure: it is not compared, and said. */
bool pji_published_overlooked(const char *name);

#endif
