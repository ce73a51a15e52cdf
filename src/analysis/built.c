#include "analysis/built.h"

#include "stats/moments.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const struct pji_level_order *pji_order_of(const struct pji_build_options *options,
                                           const char *column)
{
    for (size_t i = 0; i < options->orders; i++) {
        if (strcmp(options->order[i].column, column) == 0)
            return &options->order[i];
    }
    return NULL;
}

static uint32_t used_variables(const struct pji_formula *f)
{
    uint32_t used = 0;
    for (size_t t = 0; t < f->terms; t++)
        used |= f->term[t];
    return used;
}

/* finds a column, leaves out rows without value or with a level that is not listed */
static pj_status require(struct pji_built *b, const struct pji_table *table, const char *name,
                         bool *keep, const struct pji_build_options *options, size_t *col,
                         struct pj_error *err)
{
    pj_status rc = pji_table_find(table, name, col, err);
    if (rc)
        return rc;
    pji_keep_present(table, *col, keep, &b->left_out);
    const struct pji_level_order *order = pji_order_of(options, name);
    return order ? pji_keep_listed(table, *col, order, keep, &b->left_out, err) : PJ_OK;
}

static bool is_factor(const struct pji_built *b, size_t v, size_t col,
                      const struct pji_build_options *options)
{
    const struct pji_formula_variable *variable = &b->formula.variable[v];
    if (variable->function != PJI_FN_NONE)
        return variable->function == PJI_FN_FACTOR;
    for (size_t i = 0; i < options->factors; i++) {
        if (strcmp(options->factor[i], variable->column) == 0)
            return true;
    }
    if (pji_order_of(options, variable->column))
        return true;
    bool numeric = true;
    for (size_t i = 0; numeric && i < b->frame.n; i++) {
        double value;
        numeric = !pji_table_number(b->frame.table, b->frame.row[i], col, &value, NULL);
    }
    return !numeric;
}

static pj_status check_levels(const struct pji_factor *f, const char *name, size_t n,
                              struct pj_error *err)
{
    if (f->k >= 2)
        return PJ_OK;
    return pji_fail(err, PJ_EINVAL,
                    "factor '%s' has one level ('%s') in the %zu rows used: a factor needs two",
                    name, f->k > 0 ? f->level[0] : "", n);
}

static double apply(enum pji_function function, double x)
{
    switch (function) {
    case PJI_FN_NONE:
    case PJI_FN_FACTOR:
        break;
    case PJI_FN_LOG:
        return log(x);
    case PJI_FN_LOG1P:
        return log1p(x);
    case PJI_FN_SQRT:
        return sqrt(x);
    }
    return x;
}

/* The covariate's values in the reference grid: its mean, or both when it has two values only (it
 * then stands for two groups); the function of the formula is applied to them. */
static pj_status covariate_grid(struct pji_built *b, size_t v, size_t col, struct pj_error *err)
{
    double *raw;
    pj_status rc = pji_frame_numbers(&b->frame, col, PJI_FN_NONE, &raw, err);
    if (rc)
        return rc;
    double low = raw[0];
    double high = raw[0];
    for (size_t i = 1; i < b->frame.n; i++) {
        low = fmin(low, raw[i]);
        high = fmax(high, raw[i]);
    }
    bool two = true;
    for (size_t i = 0; i < b->frame.n; i++)
        two = two && (raw[i] == low || raw[i] == high);
    enum pji_function function = b->formula.variable[v].function;
    two = two && low < high;
    b->grid[v][0] = apply(function, two ? low : pji_mean(raw, b->frame.n));
    b->grid[v][1] = apply(function, high);
    b->model.grid.value[v] = b->grid[v];
    b->model.grid.count[v] = two ? 2 : 1;
    free(raw);
    return PJ_OK;
}

static pj_status take_variable(struct pji_built *b, size_t v, size_t col,
                               const struct pji_build_options *options, struct pj_error *err)
{
    const struct pji_formula_variable *variable = &b->formula.variable[v];
    b->name[v] = variable->name;
    if (is_factor(b, v, col, options)) {
        pj_status rc = pji_frame_factor(&b->frame, col, pji_order_of(options, variable->column),
                                        &b->factor[v], err);
        if (rc)
            return rc;
        b->level[v] = (const char *const *)b->factor[v].level;
        b->variable[v] = (struct pji_variable){b->factor[v].code, b->factor[v].k, NULL};
        return check_levels(&b->factor[v], variable->name, b->frame.n, err);
    }
    pj_status rc = pji_frame_numbers(&b->frame, col, variable->function, &b->covariate[v], err);
    if (rc)
        return rc;
    b->variable[v] = (struct pji_variable){NULL, 0, b->covariate[v]};
    return covariate_grid(b, v, col, err);
}

static pj_status take_random(struct pji_built *b, size_t col,
                             const struct pji_build_options *options, struct pj_error *err)
{
    pj_status rc =
        pji_frame_factor(&b->frame, col, pji_order_of(options, b->formula.random), &b->random, err);
    if (rc)
        return rc;
    b->model.group = b->random.code;
    b->model.groups = b->random.k;
    b->model.group_level = (const char *const *)b->random.level;
    return check_levels(&b->random, b->formula.random, b->frame.n, err);
}

static pj_status find_columns(struct pji_built *b, const struct pji_table *table, bool *keep,
                              const struct pji_build_options *options, size_t *cols,
                              struct pj_error *err)
{
    const struct pji_formula *f = &b->formula;
    uint32_t used = used_variables(f);
    pj_status rc =
        require(b, table, f->response.column, keep, options, &cols[PJI_FORMULA_VARIABLES], err);
    for (size_t v = 0; !rc && v < f->variables; v++) {
        if (used >> v & 1)
            rc = require(b, table, f->variable[v].column, keep, options, &cols[v], err);
    }
    if (!rc && f->random)
        rc = require(b, table, f->random, keep, options, &cols[PJI_FORMULA_VARIABLES + 1], err);
    if (!rc)
        rc = pji_frame_init(&b->frame, table, keep, err);
    if (!rc && b->frame.n == 0)
        rc = pji_fail(err, PJ_EINVAL, "%s: no row is left for the model", table->name);
    return rc;
}

static pj_status fill(struct pji_built *b, const struct pji_table *table, bool *keep,
                      const struct pji_build_options *options, struct pj_error *err)
{
    size_t cols[PJI_FORMULA_VARIABLES + 2];
    const struct pji_formula *f = &b->formula;
    pj_status rc = find_columns(b, table, keep, options, cols, err);
    if (!rc)
        rc = pji_frame_numbers(&b->frame, cols[PJI_FORMULA_VARIABLES], f->response.function, &b->y,
                               err);
    uint32_t used = used_variables(f);
    for (size_t v = 0; !rc && v < f->variables; v++) {
        if (used >> v & 1)
            rc = take_variable(b, v, cols[v], options, err);
    }
    if (!rc && f->random)
        rc = take_random(b, cols[PJI_FORMULA_VARIABLES + 1], options, err);
    b->model.y = b->y;
    b->model.terms =
        (struct pji_terms){b->variable, f->variables, f->term, f->terms, f->intercept, b->frame.n};
    b->model.name = b->name;
    b->model.level = b->level;
    return rc;
}

pj_status pji_built_init(struct pji_built *built, const struct pji_table *table, bool *keep,
                         const char *formula, const struct pji_build_options *options,
                         struct pj_error *err)
{
    memset(built, 0, sizeof *built);
    pj_status rc = pji_formula_parse(&built->formula, formula, err);
    if (!rc && built->formula.terms == 0 && !built->formula.intercept)
        rc = pji_fail(err, PJ_EINVAL, "the formula has neither terms nor an intercept");
    if (!rc)
        rc = fill(built, table, keep, options, err);
    if (rc)
        pji_built_fini(built);
    return rc;
}

void pji_built_fini(struct pji_built *built)
{
    for (size_t v = 0; v < PJI_FORMULA_VARIABLES; v++) {
        pji_factor_fini(&built->factor[v]);
        free(built->covariate[v]);
    }
    pji_factor_fini(&built->random);
    free(built->y);
    pji_frame_fini(&built->frame);
    pji_formula_fini(&built->formula);
    memset(built, 0, sizeof *built);
}
