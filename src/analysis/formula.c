#include "analysis/formula.h"

#include "analysis/lexer.h"
#include "core/array.h"

#include <stdlib.h>
#include <string.h>

/* A set of terms; the empty term (mask 0) is the intercept. */
struct terms {
    uint32_t mask[PJI_FORMULA_TERMS];
    size_t n;
};

struct parser {
    struct pji_formula *f;
    struct pji_lexer lexer;
    int depth;
    struct pj_error *err;
};

enum { DEEPEST = 50 };

static pj_status sum(struct parser *p, struct terms *out, bool top);

static const struct {
    const char *name;
    enum pji_function function;
} functions[] = {
    {"log", PJI_FN_LOG}, {"log1p", PJI_FN_LOG1P}, {"sqrt", PJI_FN_SQRT}, {"factor", PJI_FN_FACTOR}};

static pj_status add(struct parser *p, struct terms *t, uint32_t mask)
{
    for (size_t i = 0; i < t->n; i++) {
        if (t->mask[i] == mask)
            return PJ_OK;
    }
    if (t->n == PJI_FORMULA_TERMS)
        return pji_fail(p->err, PJ_EINVAL, "the formula has more than %d terms", PJI_FORMULA_TERMS);
    t->mask[t->n++] = mask;
    return PJ_OK;
}

static void drop(struct terms *t, uint32_t mask)
{
    for (size_t i = 0; i < t->n; i++) {
        if (t->mask[i] == mask) {
            memmove(t->mask + i, t->mask + i + 1, (t->n - i - 1) * sizeof *t->mask);
            t->n--;
            return;
        }
    }
}

/* all products of a term of a and one of b */
static pj_status cross(struct parser *p, const struct terms *a, const struct terms *b,
                       struct terms *out)
{
    pj_status rc = PJ_OK;
    for (size_t i = 0; !rc && i < a->n; i++) {
        for (size_t j = 0; !rc && j < b->n; j++)
            rc = add(p, out, a->mask[i] | b->mask[j]);
    }
    return rc;
}

static pj_status join(struct parser *p, const struct terms *from, struct terms *to)
{
    pj_status rc = PJ_OK;
    for (size_t i = 0; !rc && i < from->n; i++)
        rc = add(p, to, from->mask[i]);
    return rc;
}

/* "name" or "function(name)" into *v (its strings are the caller's) */
static pj_status variable(struct parser *p, struct pji_formula_variable *v)
{
    struct pji_str shown = {0};
    *v = (struct pji_formula_variable){NULL, PJI_FN_NONE, NULL};
    if (p->lexer.kind != PJI_TOKEN_NAME)
        return pji_lexer_expected(&p->lexer, "the name of a column", p->err);
    v->column = pji_dup(pji_str_text(&p->lexer.word), p->err);
    bool quoted = p->lexer.quoted;
    pj_status rc = v->column ? pji_lexer_next(&p->lexer, p->err) : PJ_ENOMEM;
    if (!rc && !quoted && pji_lexer_is(&p->lexer, "(")) {
        size_t i = 0;
        size_t count = sizeof functions / sizeof *functions;
        while (i < count && strcmp(functions[i].name, v->column) != 0)
            i++;
        if (i == count)
            return pji_fail(p->err, PJ_EINVAL,
                            "the formula: '%s(…)' is not known; log, log1p, sqrt and factor are",
                            v->column);
        v->function = functions[i].function;
        free(v->column);
        v->column = NULL;
        rc = pji_lexer_next(&p->lexer, p->err);
        if (!rc && p->lexer.kind != PJI_TOKEN_NAME)
            rc = pji_lexer_expected(&p->lexer, "the name of a column", p->err);
        if (!rc) {
            v->column = pji_dup(pji_str_text(&p->lexer.word), p->err);
            rc = v->column ? pji_lexer_next(&p->lexer, p->err) : PJ_ENOMEM;
        }
        if (!rc)
            rc = pji_lexer_take(&p->lexer, ")", p->err);
        if (!rc)
            pji_str_addf(&shown, "%s(%s)", functions[i].name, v->column);
    } else if (!rc) {
        pji_str_add(&shown, v->column);
    }
    v->name = rc ? NULL : pji_str_take(&shown);
    pji_str_fini(&shown);
    if (!rc && !v->name)
        rc = pji_fail(p->err, PJ_ENOMEM, "out of memory while reading the formula");
    return rc;
}

static void variable_fini(struct pji_formula_variable *v)
{
    free(v->column);
    free(v->name);
    *v = (struct pji_formula_variable){NULL, PJI_FN_NONE, NULL};
}

static pj_status known_variable(struct parser *p, uint32_t *mask)
{
    struct pji_formula_variable v;
    pj_status rc = variable(p, &v);
    if (rc) {
        variable_fini(&v);
        return rc;
    }
    size_t at = 0;
    while (at < p->f->variables && strcmp(p->f->variable[at].name, v.name) != 0)
        at++;
    if (at < p->f->variables) {
        variable_fini(&v);
    } else if (at == PJI_FORMULA_VARIABLES) {
        variable_fini(&v);
        return pji_fail(p->err, PJ_EINVAL, "the formula has more than %d variables",
                        PJI_FORMULA_VARIABLES);
    } else {
        p->f->variable[p->f->variables++] = v;
    }
    *mask = UINT32_C(1) << at;
    return PJ_OK;
}

/* behind "( 1 |" */
static pj_status random_intercept(struct parser *p)
{
    if (p->f->random)
        return pji_fail(p->err, PJ_EINVAL,
                        "the formula has two random terms; one random intercept (1 | s) is known");
    pj_status rc = pji_lexer_next(&p->lexer, p->err);
    if (!rc && p->lexer.kind != PJI_TOKEN_NAME)
        rc = pji_lexer_expected(&p->lexer, "the column of the random intercept", p->err);
    if (rc)
        return rc;
    p->f->random = pji_dup(pji_str_text(&p->lexer.word), p->err);
    rc = p->f->random ? pji_lexer_next(&p->lexer, p->err) : PJ_ENOMEM;
    if (!rc && !pji_lexer_is(&p->lexer, ")"))
        return pji_fail(p->err, PJ_EINVAL,
                        "the formula, column %zu: only a random intercept of one column, "
                        "(1 | s), is known",
                        p->lexer.column);
    return rc ? rc : pji_lexer_next(&p->lexer, p->err);
}

static pj_status parenthesis(struct parser *p, struct terms *out)
{
    pj_status rc = pji_lexer_next(&p->lexer, p->err);
    if (!rc)
        rc = sum(p, out, false);
    if (!rc && pji_lexer_is(&p->lexer, "|")) {
        bool one = out->n == 1 && out->mask[0] == 0;
        if (!one)
            return pji_fail(p->err, PJ_EINVAL,
                            "the formula, column %zu: random slopes are not known; a random "
                            "intercept is (1 | s)",
                            p->lexer.column);
        out->n = 0;
        return random_intercept(p);
    }
    return rc ? rc : pji_lexer_take(&p->lexer, ")", p->err);
}

static pj_status number(struct parser *p, struct terms *out)
{
    if (p->lexer.number != 0 && p->lexer.number != 1)
        return pji_lexer_expected(&p->lexer, "a column, 0 or 1", p->err);
    if (p->lexer.number == 1) {
        out->mask[0] = 0;
        out->n = 1;
    } else {
        p->f->intercept = false;
    }
    return pji_lexer_next(&p->lexer, p->err);
}

static pj_status atom(struct parser *p, struct terms *out)
{
    pj_status rc;
    out->n = 0;
    if (++p->depth > DEEPEST)
        return pji_fail(p->err, PJ_EINVAL, "the formula is nested more than %d deep", DEEPEST);
    if (p->lexer.kind == PJI_TOKEN_NUMBER) {
        rc = number(p, out);
    } else if (pji_lexer_is(&p->lexer, "(")) {
        rc = parenthesis(p, out);
    } else {
        uint32_t mask = 0;
        rc = known_variable(p, &mask);
        out->mask[0] = mask;
        out->n = 1;
    }
    p->depth--;
    return rc;
}

static pj_status power(struct parser *p, struct terms *out)
{
    pj_status rc = atom(p, out);
    if (rc || !pji_lexer_is(&p->lexer, "^"))
        return rc;
    rc = pji_lexer_next(&p->lexer, p->err);
    double order = p->lexer.number;
    if (!rc && (p->lexer.kind != PJI_TOKEN_NUMBER || !(order >= 1 && order <= 10)))
        rc = pji_lexer_expected(&p->lexer, "an order from 1 to 10", p->err);
    struct terms base = *out;
    for (double i = 1; !rc && i < order; i++) {
        struct terms before = *out;
        rc = cross(p, &before, &base, out);
    }
    return rc ? rc : pji_lexer_next(&p->lexer, p->err);
}

static pj_status interaction(struct parser *p, struct terms *out)
{
    pj_status rc = power(p, out);
    while (!rc && pji_lexer_is(&p->lexer, ":")) {
        struct terms left = *out;
        struct terms right;
        rc = pji_lexer_next(&p->lexer, p->err);
        if (!rc)
            rc = power(p, &right);
        out->n = 0;
        if (!rc)
            rc = cross(p, &left, &right, out);
    }
    return rc;
}

static uint32_t everything(const struct terms *t)
{
    uint32_t all = 0;
    for (size_t i = 0; i < t->n; i++)
        all |= t->mask[i];
    return all;
}

static pj_status product(struct parser *p, struct terms *out)
{
    pj_status rc = interaction(p, out);
    while (!rc && (pji_lexer_is(&p->lexer, "*") || pji_lexer_is(&p->lexer, "/"))) {
        bool nested = p->lexer.op[0] == '/';
        struct terms left = *out;
        struct terms right;
        rc = pji_lexer_next(&p->lexer, p->err);
        if (!rc)
            rc = interaction(p, &right);
        if (nested) {
            left.mask[0] = everything(&left);
            left.n = left.n > 0 ? 1 : 0;
        }
        if (!rc && !nested)
            rc = join(p, &right, out);
        if (!rc)
            rc = cross(p, &left, &right, out);
    }
    return rc;
}

/* top: the right side itself, where 0 and -1 speak of the intercept */
static pj_status sum(struct parser *p, struct terms *out, bool top)
{
    out->n = 0;
    bool minus = pji_lexer_is(&p->lexer, "-");
    pj_status rc =
        minus || pji_lexer_is(&p->lexer, "+") ? pji_lexer_next(&p->lexer, p->err) : PJ_OK;
    while (!rc) {
        struct terms next;
        rc = product(p, &next);
        if (rc)
            break;
        if (!minus)
            rc = join(p, &next, out);
        for (size_t i = 0; minus && i < next.n; i++) {
            drop(out, next.mask[i]);
            if (top && next.mask[i] == 0)
                p->f->intercept = false;
        }
        minus = pji_lexer_is(&p->lexer, "-");
        if (rc || (!minus && !pji_lexer_is(&p->lexer, "+")))
            break;
        rc = pji_lexer_next(&p->lexer, p->err);
    }
    return rc;
}

static int bits(uint32_t mask)
{
    return __builtin_popcount(mask);
}

/* terms by order, keeping their appearance; the empty one has become the intercept */
static void sort_terms(struct pji_formula *f, const struct terms *t)
{
    for (int order = 1; order <= 32; order++) {
        for (size_t i = 0; i < t->n; i++) {
            if (bits(t->mask[i]) == order)
                f->term[f->terms++] = t->mask[i];
        }
    }
}

static pj_status check_response(struct parser *p)
{
    if (p->f->response.function == PJI_FN_FACTOR)
        return pji_fail(p->err, PJ_EINVAL, "the response of a formula is a number, not factor(…)");
    for (size_t v = 0; v < p->f->variables; v++) {
        if (strcmp(p->f->variable[v].column, p->f->response.column) == 0)
            return pji_fail(p->err, PJ_EINVAL,
                            "the formula has '%s' on both sides: a response cannot explain itself",
                            p->f->response.column);
    }
    return PJ_OK;
}

pj_status pji_formula_parse(struct pji_formula *formula, const char *text, struct pj_error *err)
{
    memset(formula, 0, sizeof *formula);
    formula->intercept = true;
    struct parser p = {.f = formula, .err = err};
    struct terms *right = pji_zalloc(1, sizeof *right, err);
    pj_status rc = right ? pji_lexer_init(&p.lexer, "the formula", text, err) : PJ_ENOMEM;
    if (!rc)
        rc = variable(&p, &formula->response);
    if (!rc)
        rc = pji_lexer_take(&p.lexer, "~", err);
    if (!rc)
        rc = sum(&p, right, true);
    if (!rc && p.lexer.kind != PJI_TOKEN_END)
        rc = pji_lexer_expected(&p.lexer, "an operator (+ - * : / ^) or the end", err);
    if (!rc)
        rc = check_response(&p);
    if (!rc)
        sort_terms(formula, right);
    pji_lexer_fini(&p.lexer);
    free(right);
    if (rc)
        pji_formula_fini(formula);
    return rc;
}

void pji_formula_fini(struct pji_formula *formula)
{
    variable_fini(&formula->response);
    for (size_t v = 0; v < formula->variables; v++)
        variable_fini(&formula->variable[v]);
    free(formula->random);
    memset(formula, 0, sizeof *formula);
}

size_t pji_formula_find(const struct pji_formula *formula, const char *name)
{
    for (size_t v = 0; v < formula->variables; v++) {
        if (strcmp(formula->variable[v].name, name) == 0)
            return v;
    }
    for (size_t v = 0; v < formula->variables; v++) {
        if (strcmp(formula->variable[v].column, name) == 0)
            return v;
    }
    return formula->variables;
}
