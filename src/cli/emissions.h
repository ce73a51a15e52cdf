/* cli/emissions.h - CodeCarbon's emissions.csv: its columns in the three orders that its versions
 * write, one row of it, and how a row is appended to a file. docs/emissions.md.
 */
#ifndef PJI_CLI_EMISSIONS_H
#define PJI_CLI_EMISSIONS_H

#include "core/str.h"

enum { PJI_EMISSIONS_COLUMNS = 38, PJI_EMISSIONS_FIELD = 160 };

/* What a field of a column looks like: where a row lacks fields, it tells where they lack. */
enum pji_emissions_kind {
    PJI_EMISSIONS_TEXT,
    PJI_EMISSIONS_NUMBER,
    PJI_EMISSIONS_TIME,    /* 2026-01-31T12:00:00 */
    PJI_EMISSIONS_COUNTRY, /* three capital letters */
    PJI_EMISSIONS_MODE,    /* machine, process */
    PJI_EMISSIONS_YES      /* Y, N, True, False */
};

struct pji_emissions_column {
    const char *name;
    int schema; /* the smallest that has it: 32, 34 or 38 */
    enum pji_emissions_kind kind;
};

extern const struct pji_emissions_column pji_emissions_columns[PJI_EMISSIONS_COLUMNS];

/* Number of a column, -1 when there is none of this name. */
int pji_emissions_find(const char *name);

/* Which columns a file has, in its order. */
struct pji_emissions_order {
    int columns[PJI_EMISSIONS_COLUMNS];
    size_t n;
};

/* schema: 32, 34 or 38. */
void pji_emissions_order_of(struct pji_emissions_order *order, int schema);
/* 32, 34 or 38 when the set of columns is that of a schema, whatever their order; else 0. */
int pji_emissions_schema_of(const struct pji_emissions_order *order);

struct pji_emissions_row {
    char fields[PJI_EMISSIONS_COLUMNS][PJI_EMISSIONS_FIELD]; /* "" where there is no value */
};

void pji_emissions_set(struct pji_emissions_row *row, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void pji_emissions_set_num(struct pji_emissions_row *row, const char *name, double value);

void pji_emissions_header_text(const struct pji_emissions_order *order, struct pji_str *out);
void pji_emissions_row_text(const struct pji_emissions_order *order,
                            const struct pji_emissions_row *row, struct pji_str *out);

/* Whether a row could be appended, before a long run is spent on it. Creates nothing. */
pj_status pji_emissions_check(const char *path, struct pj_error *err);
/* Appends the row. Where the file has all columns of the schema and no others, in its own order;
 * where it has others, it is first renamed to PATH.bak, or PATH_0.bak, PATH_1.bak … . Others that
 * append in the same way at the same time do not disturb. */
pj_status pji_emissions_append(const char *path, int schema, const struct pji_emissions_row *row,
                               struct pj_error *err);

#endif
