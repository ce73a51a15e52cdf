/* report/verify_parts.h - the pieces of verify (room-internal). */
#ifndef PJI_REPORT_VERIFY_PARTS_H
#define PJI_REPORT_VERIFY_PARTS_H

#include "report/verify.h"

/* A text as lines without their ends. */
struct pji_lines {
    const char **at;
    size_t *len;
    size_t n;
};
pj_status pji_lines_split(struct pji_lines *lines, const char *text, size_t len,
                          struct pj_error *err);
void pji_lines_fini(struct pji_lines *lines);

enum pji_verify_kind {
    PJI_VERIFY_HTML,
    PJI_VERIFY_MD,
    PJI_VERIFY_CSV,
    PJI_VERIFY_TEX,
    PJI_VERIFY_SVG
};

/* One file that is being compared with what it should be. */
struct pji_verify_file {
    struct pji_verified *out;
    const struct pji_doc *doc;
    const char *name; /* as shown */
    char base[128];   /* without folder and suffix */
    enum pji_verify_kind kind;
    bool without_pictures; /* embedded ones cannot be compared */
    struct pji_lines given, expected;
};

pj_status pji_verify_text(struct pji_verify_file *file, const char *given, size_t given_len,
                          const char *expected, size_t expected_len, struct pj_error *err);

/* Where byte `offset` of the expected line stands, and from which records it comes. */
void pji_verify_where(const struct pji_verify_file *file, size_t line, size_t offset,
                      struct pji_str *where, struct pji_str *records);

/* A piece of text for a message: short, valid UTF-8 without control characters. */
void pji_verify_excerpt(struct pji_str *out, const char *text, size_t len);

/* Length of the token at text[0..len): a number with point and exponent, a word, or one character;
 * *number: it begins with a digit and is no word. */
size_t pji_verify_token(const char *text, size_t len, bool *number);

#endif
