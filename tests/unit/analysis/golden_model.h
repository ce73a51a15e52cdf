/* Models of the reference values written as "response~a*b+x". */
#ifndef GOLDEN_MODEL_H
#define GOLDEN_MODEL_H

#include "golden_table.h"

#include "analysis/model.h"

struct golden_model {
    struct pji_model model;
    struct pji_variable variable[4];
    const char *name[4];
    const char *const *level[4];
    const char *level_text[4][GOLDEN_LEVELS];
    double mean[4];
    uint32_t term[4];
    const char *group_level[GOLDEN_LEVELS];
};

/* The random intercept is the run; `mixed` adds it. */
void golden_model(const struct golden_table *table, const char *formula, bool mixed,
                  struct golden_model *out);

#endif
