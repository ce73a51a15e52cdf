/* analysis/formula.h - the formula of a linear model.
 *
 *     response ~ terms            response: y, log(y), log1p(y), sqrt(y)
 *     terms     a + b             both;            a - b   without
 *               a : b             interaction;     a * b   a + b + a:b;    a / b   a + a:b
 *               (a + b)^2         all interactions up to that order
 *               1, 0, -1          with, without intercept
 *               (1 | s)           one random intercept
 *     variable  name, `any name`, log(x), log1p(x), sqrt(x), factor(x)
 *
 * The algebra is that of G. N. Wilkinson and C. E. Rogers (1973, doi:10.2307/2346786). Terms are
 * sorted by their order, then by their appearance.
 */
#ifndef PJI_ANALYSIS_FORMULA_H
#define PJI_ANALYSIS_FORMULA_H

#include "core/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PJI_FORMULA_VARIABLES = 20, PJI_FORMULA_TERMS = 256 };

enum pji_function { PJI_FN_NONE, PJI_FN_LOG, PJI_FN_LOG1P, PJI_FN_SQRT, PJI_FN_FACTOR };

struct pji_formula_variable {
    char *column;
    enum pji_function function;
    char *name; /* as displayed: "x", "log(x)" */
};

struct pji_formula {
    struct pji_formula_variable response;
    struct pji_formula_variable variable[PJI_FORMULA_VARIABLES];
    size_t variables;
    uint32_t term[PJI_FORMULA_TERMS];
    size_t terms;
    bool intercept;
    char *random; /* column of the random intercept, NULL: none */
};

/* PJ_EINVAL with the column of the formula at which it went wrong. */
pj_status pji_formula_parse(struct pji_formula *formula, const char *text, struct pj_error *err);
void pji_formula_fini(struct pji_formula *formula);

/* Index of the variable with this displayed name or column, or variables. */
size_t pji_formula_find(const struct pji_formula *formula, const char *name);

#endif
