/* cli/bridge_table.h - the table that `energibridge` writes: Delta, Time, then named columns in
 * byte order ("CPU_USAGE_10" before "CPU_USAGE_2"). A value that is not known is an empty field.
 */
#ifndef PJI_CLI_BRIDGE_TABLE_H
#define PJI_CLI_BRIDGE_TABLE_H

#include "core/str.h"

#include <stdint.h>

struct pji_bridge_column {
    char name[40];
    double value;
    bool known;
};

struct pji_bridge_table {
    struct pji_bridge_column *columns; /* as they were added: an index stays valid */
    size_t n, cap;
    size_t *order; /* as they are written */
    size_t cap_order;
};

/* *index gets the column's number. No column is added after the header was written. */
pj_status pji_bridge_table_add(struct pji_bridge_table *table, size_t *index, struct pj_error *err,
                               const char *format, ...) __attribute__((format(printf, 4, 5)));
void pji_bridge_table_fini(struct pji_bridge_table *table);

void pji_bridge_table_set(struct pji_bridge_table *table, size_t index, double value);
/* Forgets all values, before a new row. */
void pji_bridge_table_clear(struct pji_bridge_table *table);

void pji_bridge_table_header(const struct pji_bridge_table *table, const char *separator,
                             struct pji_str *out);
void pji_bridge_table_row(const struct pji_bridge_table *table, int64_t delta_ms, int64_t wall_ms,
                          const char *separator, struct pji_str *out);

/* The shortest text of a number that is not written with an exponent: those who read these files
 * with patterns do not know exponents. */
void pji_bridge_add_num(struct pji_str *out, double value);

#endif
