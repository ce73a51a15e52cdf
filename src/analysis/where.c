/* Recursive descent over the tokens, once for each row: an expression is short, and a table that is
 * read from text has cost more before. */
#include "analysis/where.h"

#include "analysis/lexer.h"
#include "core/num.h"

#include <string.h>

/* Kleene's logic: a missing cell makes a comparison unknown */
enum truth { FALSE, UNKNOWN, TRUE };

enum { DEEPEST = 100 };

struct scan {
    const struct pji_table *table;
    size_t row;
    struct pji_lexer lexer;
    int depth;
    struct pj_error *err;
};

static pj_status either(struct scan *s, enum truth *out);

static enum truth truth_of(bool value)
{
    return value ? TRUE : FALSE;
}

static bool compares(const char *op, int order)
{
    switch (op[0]) {
    case '=':
        return order == 0;
    case '!':
        return order != 0;
    case '<':
        return op[1] == '=' ? order <= 0 : order < 0;
    default:
        return op[1] == '=' ? order >= 0 : order > 0;
    }
}

static int order_of(double a, double b)
{
    return (a > b) - (a < b);
}

/* consumes the value and compares the cell with it */
static pj_status compare(struct scan *s, size_t col, const char *op, enum truth *out)
{
    const char *cell = pji_table_cell(s->table, s->row, col);
    bool missing = pji_table_missing(cell);
    bool negative = pji_lexer_is(&s->lexer, "-");
    pj_status rc = negative ? pji_lexer_next(&s->lexer, s->err) : PJ_OK;
    double number = 0;
    if (rc)
        return rc;
    if (s->lexer.kind == PJI_TOKEN_NUMBER) {
        if (!missing)
            rc = pji_table_number(s->table, s->row, col, &number, s->err);
        double value = negative ? -s->lexer.number : s->lexer.number;
        *out = missing ? UNKNOWN : truth_of(compares(op, order_of(number, value)));
        return rc ? rc : pji_lexer_next(&s->lexer, s->err);
    }
    if (negative || s->lexer.kind != PJI_TOKEN_TEXT)
        return pji_lexer_expected(&s->lexer, "a number or quoted text", s->err);
    if (op[0] == '<' || op[0] == '>')
        return pji_fail(s->err, PJ_EINVAL, "--where, column %zu: '%s' compares numbers, not text",
                        s->lexer.column, op);
    const char *text = pji_str_text(&s->lexer.word);
    double value;
    int order = strcmp(cell, text);
    if (!pji_num_parse(text, strlen(text), &value, NULL) &&
        !pji_num_parse(cell, strlen(cell), &number, NULL))
        order = order_of(number, value);
    *out = missing ? UNKNOWN : truth_of(compares(op, order));
    return pji_lexer_next(&s->lexer, s->err);
}

/* ( value, … ) behind `in` */
static pj_status listed(struct scan *s, size_t col, enum truth *out)
{
    pj_status rc = pji_lexer_take(&s->lexer, "(", s->err);
    *out = FALSE;
    while (!rc) {
        enum truth one = FALSE;
        rc = compare(s, col, "==", &one);
        if (one > *out)
            *out = one;
        if (rc || !pji_lexer_is(&s->lexer, ","))
            break;
        rc = pji_lexer_next(&s->lexer, s->err);
    }
    return rc ? rc : pji_lexer_take(&s->lexer, ")", s->err);
}

static enum truth negate(enum truth value)
{
    return value == TRUE ? FALSE : value == FALSE ? TRUE : UNKNOWN;
}

static pj_status comparison(struct scan *s, enum truth *out)
{
    static const char *const ops[] = {"==", "!=", "<=", ">=", "<", ">"};
    size_t col;
    if (s->lexer.kind != PJI_TOKEN_NAME)
        return pji_lexer_expected(&s->lexer, "the name of a column", s->err);
    pj_status rc = pji_table_find(s->table, pji_str_text(&s->lexer.word), &col, s->err);
    if (!rc)
        rc = pji_lexer_next(&s->lexer, s->err);
    if (rc)
        return rc;
    bool negated = pji_lexer_keyword(&s->lexer, "not");
    if (negated)
        rc = pji_lexer_next(&s->lexer, s->err);
    if (!rc && pji_lexer_keyword(&s->lexer, "in")) {
        rc = pji_lexer_next(&s->lexer, s->err);
        if (!rc)
            rc = listed(s, col, out);
        *out = negated ? negate(*out) : *out;
        return rc;
    }
    for (size_t i = 0; !rc && !negated && i < sizeof ops / sizeof *ops; i++) {
        if (pji_lexer_is(&s->lexer, ops[i])) {
            rc = pji_lexer_next(&s->lexer, s->err);
            return rc ? rc : compare(s, col, ops[i], out);
        }
    }
    return rc ? rc : pji_lexer_expected(&s->lexer, "a comparison (== != < <= > >= in)", s->err);
}

static pj_status primary(struct scan *s, enum truth *out)
{
    if (++s->depth > DEEPEST)
        return pji_fail(s->err, PJ_EINVAL, "--where is nested more than %d deep", DEEPEST);
    pj_status rc;
    if (pji_lexer_keyword(&s->lexer, "not")) {
        rc = pji_lexer_next(&s->lexer, s->err);
        if (!rc)
            rc = primary(s, out);
        *out = negate(*out);
    } else if (pji_lexer_is(&s->lexer, "(")) {
        rc = pji_lexer_next(&s->lexer, s->err);
        if (!rc)
            rc = either(s, out);
        if (!rc)
            rc = pji_lexer_take(&s->lexer, ")", s->err);
    } else {
        rc = comparison(s, out);
    }
    s->depth--;
    return rc;
}

static pj_status both(struct scan *s, enum truth *out)
{
    pj_status rc = primary(s, out);
    while (!rc && pji_lexer_keyword(&s->lexer, "and")) {
        enum truth right = FALSE;
        rc = pji_lexer_next(&s->lexer, s->err);
        if (!rc)
            rc = primary(s, &right);
        *out = right < *out ? right : *out;
    }
    return rc;
}

static pj_status either(struct scan *s, enum truth *out)
{
    pj_status rc = both(s, out);
    while (!rc && pji_lexer_keyword(&s->lexer, "or")) {
        enum truth right = FALSE;
        rc = pji_lexer_next(&s->lexer, s->err);
        if (!rc)
            rc = both(s, &right);
        *out = right > *out ? right : *out;
    }
    return rc;
}

static pj_status one_row(const struct pji_table *table, const char *expression, size_t row,
                         bool *keep, struct pj_error *err)
{
    struct scan s = {.table = table, .row = row, .err = err};
    enum truth value = FALSE;
    pj_status rc = pji_lexer_init(&s.lexer, "--where", expression, err);
    if (!rc)
        rc = either(&s, &value);
    if (!rc && s.lexer.kind != PJI_TOKEN_END)
        rc = pji_lexer_expected(&s.lexer, "'and', 'or' or the end", err);
    pji_lexer_fini(&s.lexer);
    *keep = *keep && value == TRUE;
    return rc;
}

pj_status pji_where_apply(const struct pji_table *table, const char *expression, bool *keep,
                          struct pj_error *err)
{
    pj_status rc = PJ_OK;
    for (size_t row = 0; !rc && row < table->rows; row++)
        rc = one_row(table, expression, row, &keep[row], err);
    return rc;
}
