/* What the golden tests share: the tables, the reference values, one check for each group. */
#ifndef GOLDEN_WORLD_H
#define GOLDEN_WORLD_H

#include "golden_table.h"
#include "golden_value.h"

struct world {
    struct golden_table rep;
    struct golden_table run;
    struct golden_table unbalanced;
    struct golden_table no32; /* without generation 3.2 */
    struct golden_table unbalanced_no32;
    struct golden_values values;
    bool ready;
};

int world_setup(void **state);
int world_teardown(void **state);

/* Computes what `id` asks for, laid out as its values; new reference. */
typedef json_t *compute_fn(const struct world *world, const char *id);

/* Every id of the group; counts, prints, fails on one that disagrees. Skips without reference. */
void check_group(void **state, const char *group, compute_fn *compute);

/* "group/table/response/by…" cut at the slashes */
struct address {
    char text[256];
    const char *part[5];
    size_t n;
};

void split_id(const char *id, struct address *a);
const struct golden_table *table_of(const struct world *world, const char *name);

#endif
