/* analysis/lexer.h - the words of formulas and of --where (room-internal).
 *
 * A name is a letter, underscore or dot followed by letters, digits, underscores and dots (bytes
 * above 127 count as letters), or anything between backticks. Text is between single or double
 * quotes, a quote inside is doubled. Operators are taken as long as possible.
 */
#ifndef PJI_ANALYSIS_LEXER_H
#define PJI_ANALYSIS_LEXER_H

#include "core/str.h"

#include <stdbool.h>

enum pji_token_kind {
    PJI_TOKEN_END,
    PJI_TOKEN_NAME,
    PJI_TOKEN_NUMBER,
    PJI_TOKEN_TEXT,
    PJI_TOKEN_OP
};

struct pji_lexer {
    const char *what; /* "--where", "the formula": for messages */
    const char *source;
    const char *at; /* behind the current token */
    size_t column;  /* of the current token, 1-based */
    enum pji_token_kind kind;
    char op[3];          /* of PJI_TOKEN_OP */
    double number;       /* of PJI_TOKEN_NUMBER */
    struct pji_str word; /* of names and text */
    bool quoted;         /* a name in backticks: never a keyword */
};

/* Starts at the first token. */
pj_status pji_lexer_init(struct pji_lexer *lexer, const char *what, const char *source,
                         struct pj_error *err);
void pji_lexer_fini(struct pji_lexer *lexer);
pj_status pji_lexer_next(struct pji_lexer *lexer, struct pj_error *err);

/* Is the current token this operator (or this keyword, an unquoted name)? */
bool pji_lexer_is(const struct pji_lexer *lexer, const char *op);
bool pji_lexer_keyword(const struct pji_lexer *lexer, const char *word);

/* PJ_EINVAL: "the formula, column 7: expected …, found …". */
pj_status pji_lexer_expected(const struct pji_lexer *lexer, const char *expected,
                             struct pj_error *err);
/* Consumes the operator or fails as above. */
pj_status pji_lexer_take(struct pji_lexer *lexer, const char *op, struct pj_error *err);

#endif
