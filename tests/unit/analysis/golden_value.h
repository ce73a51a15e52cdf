/* The reference values, one per line of the table, and the count of those that agree. */
#ifndef GOLDEN_VALUE_H
#define GOLDEN_VALUE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct golden_value {
    char *id;
    char *key;
    double value;
    double rtol;
    double atol;
};

struct golden_values {
    struct golden_value *v;
    size_t n;
};

void golden_values_load(struct golden_values *values, const char *path);
void golden_values_free(struct golden_values *values);

struct golden_count {
    size_t agreed;
    size_t total;
};

/* Compares every line of one id with the numbers at its keys ("a/b/c", "a[1]") in `got`; the first
 * few that disagree are printed. */
void golden_compare(const struct golden_value *lines, size_t n, const json_t *got,
                    struct golden_count *count);

#endif
