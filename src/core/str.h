/* core/str.h - a growable byte string with a sticky failure flag.
 *
 * Appending never fails visibly: on lack of memory `failed` is set and everything later is a
 * no-op; the owner checks once at the end (pji_str_ok). `text` is always NUL-terminated (or NULL
 * before the first append: use pji_str_text). Zero-initialise before use.
 */
#ifndef PJI_CORE_STR_H
#define PJI_CORE_STR_H

#include "core/error.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

struct pji_str {
    char *text;
    size_t len;
    size_t cap;
    bool failed;
};

void pji_str_fini(struct pji_str *s);  /* frees, and leaves it zeroed */
void pji_str_clear(struct pji_str *s); /* empties, keeps memory and clears `failed` */
void pji_str_add(struct pji_str *s, const char *text);
void pji_str_addn(struct pji_str *s, const void *bytes, size_t len);
void pji_str_addc(struct pji_str *s, char c);
void pji_str_addf(struct pji_str *s, const char *format, ...) __attribute__((format(printf, 2, 3)));
void pji_str_addv(struct pji_str *s, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));
/* Shortest text that reads back as exactly `value` (core/num.h). */
void pji_str_add_num(struct pji_str *s, double value);
const char *pji_str_text(const struct pji_str *s);                   /* never NULL */
pj_status pji_str_ok(const struct pji_str *s, struct pj_error *err); /* PJ_ENOMEM when failed */
char *pji_str_take(struct pji_str *s); /* caller frees; NULL when failed; s becomes empty */

/* strdup, strndup that report; result is the caller's, NULL + PJ_ENOMEM in err on failure. */
char *pji_dup(const char *text, struct pj_error *err);
char *pji_dupn(const char *text, size_t len, struct pj_error *err);

/* Every occurrence of a secret (NULL or empty: none) in text[0..len) becomes as many asterisks. */
void pji_hide(char *text, size_t len, const char *secret);

/* No control character in it (U+0000 to U+001F, U+007F): one line, as a header or a path takes it.
 */
bool pji_is_one_line(const char *text, size_t len);

/* text for people, on one line and with nothing that a terminal would obey: control characters as
 * \n, \t, \r, \xHH, those of U+0080 to U+009F as \u00HH. Not to be read back. */
void pji_str_add_shown(struct pji_str *s, const char *text);

/* text[0..len) made fit for a message: control characters and bytes that are no UTF-8 become '?',
 * long text is cut with "..." at a UTF-8 boundary. Returns `out`. */
enum { PJI_EXCERPT = 64 };
const char *pji_excerpt(const char *text, size_t len, char out[PJI_EXCERPT]);

/* Number of leading bytes of text[0..len) that are well-formed UTF-8 (RFC 3629: no surrogates, no
 * overlong forms); len when all of it is. */
size_t pji_utf8_span(const char *text, size_t len);

/* Edit distance helper for "did you mean": the candidate nearest to `word` (Damerau-Levenshtein
 * distance at most max(1, len/3)), or NULL. Candidates end with a NULL pointer. */
const char *pji_str_nearest(const char *word, const char *const *candidates);

#endif
