/* The GreenLab run table as the reference values see it: one row per repetition (`rep`), one row
 * per run (`run`), and subsets. Definitions: the README beside the reference values. */
#ifndef GOLDEN_TABLE_H
#define GOLDEN_TABLE_H

#include <stdbool.h>
#include <stddef.h>

enum { GOLDEN_COLUMNS = 20, GOLDEN_FACTORS = 7, GOLDEN_LEVELS = 32, GOLDEN_NAME = 16 };

struct golden_factor {
    const char *name;
    size_t k;
    char level[GOLDEN_LEVELS][GOLDEN_NAME];
    size_t *code;
};

struct golden_table {
    size_t n;
    struct {
        const char *name;
        double *x;
    } column[GOLDEN_COLUMNS];
    size_t columns;
    struct golden_factor factor[GOLDEN_FACTORS];
    size_t factors;
};

/* Reads the published file into `rep` and makes `run`; asserts on any fault. */
void golden_load(const char *path, struct golden_table *rep, struct golden_table *run);
void golden_free(struct golden_table *table);

/* Rows for which keep is true; factors keep their levels, unused ones are dropped. */
void golden_subset(const struct golden_table *from, const bool *keep, struct golden_table *to);

/* The named column or factor; fails the test when there is none. */
const double *golden_column(const struct golden_table *table, const char *name);
const struct golden_factor *golden_factor(const struct golden_table *table, const char *name);
void golden_add(struct golden_table *table, const char *name, const double *x);

#endif
