#include "analysis/lexer.h"

#include "core/num.h"

#include <string.h>

static bool digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool name_start(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '.' ||
           (unsigned char)c >= 128;
}

static pj_status take_number(struct pji_lexer *x, const char *start, struct pj_error *err)
{
    const char *p = start;
    while (digit(*p) || *p == '.')
        p++;
    if (*p == 'e' || *p == 'E') {
        const char *e = p + 1;
        if (*e == '+' || *e == '-')
            e++;
        if (digit(*e)) {
            while (digit(*e))
                e++;
            p = e;
        }
    }
    x->kind = PJI_TOKEN_NUMBER;
    x->at = p;
    pj_status rc = pji_num_parse(start, (size_t)(p - start), &x->number, err);
    if (rc)
        pji_error_prefix(err, "%s, column %zu", x->what, x->column);
    return rc;
}

static pj_status take_quoted(struct pji_lexer *x, const char *start, struct pj_error *err)
{
    char quote = *start;
    const char *p = start + 1;
    for (;; p++) {
        if (*p == '\0')
            return pji_fail(err, PJ_EINVAL, "%s, column %zu: the quote %c is never closed", x->what,
                            x->column, quote);
        if (*p == quote) {
            if (p[1] != quote)
                break;
            p++;
        }
        pji_str_addc(&x->word, *p);
    }
    x->kind = quote == '`' ? PJI_TOKEN_NAME : PJI_TOKEN_TEXT;
    x->quoted = true;
    x->at = p + 1;
    return pji_str_ok(&x->word, err);
}

static pj_status take_op(struct pji_lexer *x, const char *start, struct pj_error *err)
{
    static const char *const ops[] = {"==", "!=", "<=", ">=", "<", ">", "(", ")", ",",
                                      "+",  "-",  "*",  ":",  "/", "^", "~", "|", "="};
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++) {
        size_t len = strlen(ops[i]);
        if (strncmp(start, ops[i], len) == 0) {
            x->kind = PJI_TOKEN_OP;
            memcpy(x->op, ops[i], len + 1);
            x->at = start + len;
            return PJ_OK;
        }
    }
    return pji_fail(err, PJ_EINVAL, "%s, column %zu: '%c' means nothing here", x->what, x->column,
                    *start);
}

pj_status pji_lexer_next(struct pji_lexer *lexer, struct pj_error *err)
{
    const char *p = lexer->at;
    while (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r')
        p++;
    lexer->column = (size_t)(p - lexer->source) + 1;
    lexer->quoted = false;
    pji_str_clear(&lexer->word);
    if (*p == '\0') {
        lexer->kind = PJI_TOKEN_END;
        lexer->at = p;
        return PJ_OK;
    }
    if (digit(*p) || (*p == '.' && digit(p[1])))
        return take_number(lexer, p, err);
    if (*p == '"' || *p == '\'' || *p == '`')
        return take_quoted(lexer, p, err);
    if (!name_start(*p))
        return take_op(lexer, p, err);
    const char *end = p;
    while (name_start(*end) || digit(*end))
        end++;
    pji_str_addn(&lexer->word, p, (size_t)(end - p));
    lexer->kind = PJI_TOKEN_NAME;
    lexer->at = end;
    return pji_str_ok(&lexer->word, err);
}

pj_status pji_lexer_init(struct pji_lexer *lexer, const char *what, const char *source,
                         struct pj_error *err)
{
    *lexer = (struct pji_lexer){.what = what, .source = source, .at = source};
    return pji_lexer_next(lexer, err);
}

void pji_lexer_fini(struct pji_lexer *lexer)
{
    pji_str_fini(&lexer->word);
}

bool pji_lexer_is(const struct pji_lexer *lexer, const char *op)
{
    return lexer->kind == PJI_TOKEN_OP && strcmp(lexer->op, op) == 0;
}

bool pji_lexer_keyword(const struct pji_lexer *lexer, const char *word)
{
    return lexer->kind == PJI_TOKEN_NAME && !lexer->quoted &&
           strcmp(pji_str_text(&lexer->word), word) == 0;
}

pj_status pji_lexer_expected(const struct pji_lexer *lexer, const char *expected,
                             struct pj_error *err)
{
    const char *rest = lexer->source + lexer->column - 1;
    if (lexer->kind == PJI_TOKEN_END)
        return pji_fail(err, PJ_EINVAL, "%s '%s' ends where %s was expected", lexer->what,
                        lexer->source, expected);
    return pji_fail(err, PJ_EINVAL, "%s, column %zu: expected %s, found '%.40s'", lexer->what,
                    lexer->column, expected, rest);
}

pj_status pji_lexer_take(struct pji_lexer *lexer, const char *op, struct pj_error *err)
{
    char quoted[8];
    if (pji_lexer_is(lexer, op))
        return pji_lexer_next(lexer, err);
    quoted[0] = '\'';
    memcpy(quoted + 1, op, strlen(op) + 1);
    memcpy(quoted + 1 + strlen(op), "'", 2);
    return pji_lexer_expected(lexer, quoted, err);
}
