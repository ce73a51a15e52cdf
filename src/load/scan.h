/* load/scan.h - reads JSON (RFC 8259) front to back without building a tree.
 *
 * A token stream is thousands of small objects of which two or three members matter; walking them
 * in place is several times as fast as allocating a tree for each. The walk is strict: what is
 * skipped is checked too. A violation sets `bad`, after which every call says "nothing more".
 *
 *     if (pji_scan_enter(&s, '{'))
 *         while (pji_scan_member(&s, &key))
 *             if (pji_slice_is(key, "text")) pji_scan_string(&s, &text); else pji_scan_skip(&s);
 *     pji_scan_end(&s);
 */
#ifndef PJI_LOAD_SCAN_H
#define PJI_LOAD_SCAN_H

#include "core/str.h"

#include <stdint.h>
#include <string.h>

enum { PJI_SCAN_DEPTH = 128 };

struct pji_scan {
    const char *p, *end;
    int depth;
    bool fresh; /* just entered an object or array: no comma yet */
    bool bad;
};

struct pji_slice {
    const char *p; /* inside the quotes, escapes as written */
    size_t n;
};

void pji_scan_init(struct pji_scan *s, const char *json, size_t len);
/* First byte of the next value ('{', '[', '"', 't', 'f', 'n', '-', '0'…'9'), 0: none. */
static inline char pji_scan_peek(struct pji_scan *s)
{
    while (s->p < s->end && (*s->p == ' ' || *s->p == '\n' || *s->p == '\r' || *s->p == '\t'))
        s->p++;
    return s->p < s->end ? *s->p : '\0';
}
bool pji_scan_enter(struct pji_scan *s, char open);              /* '{' or '[' */
bool pji_scan_member(struct pji_scan *s, struct pji_slice *key); /* false: the object ended */
bool pji_scan_element(struct pji_scan *s);                       /* false: the array ended */
bool pji_scan_string(struct pji_scan *s, struct pji_slice *out);
/* The next value when it is a whole number >= 0 that fits; any other valid value gives -1. */
int64_t pji_scan_count(struct pji_scan *s);
void pji_scan_skip(struct pji_scan *s);
bool pji_scan_end(struct pji_scan *s); /* nothing but white space follows, and all was well */

/* Inline: the names are literals, whose lengths the compiler knows. */
static inline bool pji_slice_is(struct pji_slice slice, const char *text)
{
    size_t n = strlen(text);
    return slice.n == n && memcmp(slice.p, text, n) == 0;
}
/* Appends the text that a string stands for, as UTF-8; U+0000 and lone surrogates become U+FFFD.
 * False: not UTF-8. */
bool pji_slice_decode(struct pji_slice slice, struct pji_str *out);

/* Length of the UTF-8 sequence at the start of text[0..n), n > 0 (RFC 3629: shortest form, no
 * surrogates); 0: it is none. */
size_t pji_utf8_length(const char *text, size_t n);
/* Appends text as a JSON string with its quotes; bytes that are not UTF-8 become U+FFFD. */
void pji_quote(struct pji_str *out, const char *text, size_t len);

#endif
