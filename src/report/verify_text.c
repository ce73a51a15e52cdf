/* report/verify_text.c - two texts line by line, and differing lines token by token. */
#include "report/verify_parts.h"

#include "core/array.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LOOK_AHEAD = 400 /* lines that may be missing or added in one place */ };
static const char mark[] = "data:image/svg+xml;base64,";

/* ---- lines ---- */

pj_status pji_lines_split(struct pji_lines *lines, const char *text, size_t len,
                          struct pj_error *err)
{
    size_t n = 1;
    *lines = (struct pji_lines){0};
    for (size_t i = 0; i < len; i++)
        n += text[i] == '\n' ? 1 : 0;
    lines->at = pji_zalloc(n, sizeof *lines->at, err);
    lines->len = pji_zalloc(n, sizeof *lines->len, err);
    if (lines->at == NULL || lines->len == NULL) {
        pji_lines_fini(lines);
        return PJ_ENOMEM;
    }
    for (size_t from = 0; from < len;) {
        const char *end = memchr(text + from, '\n', len - from);
        size_t to = end != NULL ? (size_t)(end - text) : len;
        lines->at[lines->n] = text + from;
        lines->len[lines->n] = to - from;
        if (to > from && text[to - 1] == '\r') /* an editor may change how lines end */
            lines->len[lines->n]--;
        lines->n++;
        from = to + 1;
    }
    return PJ_OK;
}

void pji_lines_fini(struct pji_lines *lines)
{
    free(lines->at);
    free(lines->len);
    *lines = (struct pji_lines){0};
}

static bool same_line(const struct pji_verify_file *f, size_t i, size_t j)
{
    return f->given.len[i] == f->expected.len[j] &&
           memcmp(f->given.at[i], f->expected.at[j], f->given.len[i]) == 0;
}

/* ---- tokens ---- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_word(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
           (unsigned char)c >= 0x80;
}

size_t pji_verify_token(const char *text, size_t len, bool *number)
{
    size_t n = 0;
    *number = false;
    if (len == 0 || !is_word(text[0]))
        return len > 0 ? 1 : 0;
    bool digits = true;
    while (n < len) {
        char next = n + 1 < len ? text[n + 1] : '\0';
        bool exponent = n > 0 && (text[n] == '-' || text[n] == '+') &&
                        (text[n - 1] == 'e' || text[n - 1] == 'E') && is_digit(next) && digits;
        bool point = text[n] == '.' && n > 0 && is_digit(text[n - 1]) && is_digit(next);
        if (!is_word(text[n]) && !point && !exponent)
            break;
        digits = digits && (is_digit(text[n]) || point || exponent || text[n] == 'e');
        n++;
    }
    *number = digits && is_digit(text[0]);
    return n;
}

static size_t count_numbers(const struct pji_lines *lines)
{
    size_t n = 0;
    for (size_t i = 0; i < lines->n; i++) {
        for (size_t at = 0; at < lines->len[i];) {
            bool number = false;
            at += pji_verify_token(lines->at[i] + at, lines->len[i] - at, &number);
            n += number ? 1 : 0;
        }
    }
    return n;
}

/* ---- one finding ---- */

pj_status pji_verify_add(struct pji_verified *out, const char *name, size_t line, const char *where,
                         const char *printed, const char *recomputed, const char *records,
                         struct pj_error *err)
{
    pj_status status =
        pji_array_reserve(&out->differences, &out->cap, out->n + 1, sizeof *out->differences, err);
    if (status != PJ_OK)
        return status;
    struct pji_difference *d = &out->differences[out->n++];
    *d = (struct pji_difference){.file = pji_dup(name, err),
                                 .line = line,
                                 .where = pji_dup(where, err),
                                 .records = pji_dup(records, err)};
    if (printed != NULL) {
        d->printed = pji_dup(printed, err);
        d->recomputed = pji_dup(recomputed, err);
    }
    bool ok = d->file != NULL && d->where != NULL && d->records != NULL &&
              (printed == NULL || (d->printed != NULL && d->recomputed != NULL));
    return ok ? PJ_OK : PJ_ENOMEM;
}

void pji_verify_excerpt(struct pji_str *out, const char *text, size_t len)
{
    char cut[PJI_EXCERPT];
    const char *from = pji_excerpt(text, len, cut);
    size_t n = strlen(from);
    for (size_t i = 0; i < n;) {
        size_t good = pji_utf8_span(from + i, n - i);
        pji_str_addn(out, from + i, good);
        i += good;
        if (i < n) {
            pji_str_addc(out, '?');
            i++;
        }
    }
}

static void excerpt(struct pji_str *out, const char *text, size_t len)
{
    if (len == 0)
        pji_str_add(out, "(nothing)");
    else
        pji_verify_excerpt(out, text, len);
}

static pj_status differ(struct pji_verify_file *f, size_t given_line, size_t expected_line,
                        size_t offset, const char *printed, size_t printed_len,
                        const char *recomputed, size_t recomputed_len, struct pj_error *err)
{
    struct pji_str where = {0};
    struct pji_str records = {0};
    struct pji_str a = {0};
    struct pji_str b = {0};
    pji_verify_where(f, expected_line, offset, &where, &records);
    excerpt(&a, printed, printed_len);
    excerpt(&b, recomputed, recomputed_len);
    pj_status status =
        pji_verify_add(f->out, f->name, given_line + 1, pji_str_text(&where), pji_str_text(&a),
                       pji_str_text(&b), pji_str_text(&records), err);
    pji_str_fini(&where);
    pji_str_fini(&records);
    pji_str_fini(&a);
    pji_str_fini(&b);
    return status;
}

/* ---- embedded pictures ---- */

/* Start and length of the picture's text in a line; false: there is none. */
static bool find_picture(const char *line, size_t len, size_t *from, size_t *n)
{
    const char *at = memmem(line, len, mark, sizeof mark - 1);
    if (at == NULL)
        return false;
    *from = (size_t)(at - line) + sizeof mark - 1;
    const char *end = memchr(line + *from, '"', len - *from);
    *n = end != NULL ? (size_t)(end - line) - *from : len - *from;
    return true;
}

/* NULL when it is no base64. */
static char *decode(const char *text, size_t len, size_t *out_len, struct pj_error *err)
{
    char *bytes = pji_zalloc(len + 4, 1, err);
    if (bytes == NULL || len > (size_t)INT32_MAX / 2)
        return bytes;
    int n = EVP_DecodeBlock((unsigned char *)bytes, (const unsigned char *)text, (int)len);
    size_t padding = 0;
    while (padding < 2 && padding < len && text[len - 1 - padding] == '=')
        padding++;
    if (n < 0) {
        free(bytes);
        return NULL;
    }
    *out_len = (size_t)n - padding;
    return bytes;
}

static pj_status compare_picture(struct pji_verify_file *f, size_t i, size_t j, size_t from_i,
                                 size_t n_i, size_t from_j, size_t n_j, struct pj_error *err)
{
    struct pji_str name = {0};
    size_t a_len = 0;
    size_t b_len = 0;
    size_t before = f->out->n;
    char *a = decode(f->given.at[i] + from_i, n_i, &a_len, err);
    char *b = decode(f->expected.at[j] + from_j, n_j, &b_len, err);
    pj_status status = PJ_OK;
    pji_str_addf(&name, "%s:%zu (picture)", f->name, i + 1);
    if (a != NULL && b != NULL) {
        struct pji_verify_file inner = {
            .out = f->out, .doc = f->doc, .name = pji_str_text(&name), .kind = PJI_VERIFY_SVG};
        size_t alt = 0;
        const char *text = memmem(f->expected.at[j], f->expected.len[j], "alt=\"", 5);
        if (text != NULL) {
            text += 5;
            alt = strcspn(text, "\"");
            snprintf(inner.base, sizeof inner.base, "%.*s", (int)(alt < 100 ? alt : 100), text);
        }
        status = pji_verify_text(&inner, a, a_len, b, b_len, err);
    }
    if (status == PJ_OK && f->out->n == before)
        status = differ(f, i, j, from_j, "(a picture in another encoding)", 31,
                        "(the picture of the records)", 28, err);
    free(a);
    free(b);
    pji_str_fini(&name);
    return status;
}

/* ---- one line ---- */

static pj_status compare_part(struct pji_verify_file *f, size_t i, size_t j, size_t from_i,
                              size_t to_i, size_t from_j, size_t to_j, struct pj_error *err)
{
    const char *a = f->given.at[i];
    const char *b = f->expected.at[j];
    pj_status status = PJ_OK;
    while (status == PJ_OK && from_i < to_i && from_j < to_j) {
        bool number = false;
        size_t n_a = pji_verify_token(a + from_i, to_i - from_i, &number);
        size_t n_b = pji_verify_token(b + from_j, to_j - from_j, &number);
        if (n_a == n_b && memcmp(a + from_i, b + from_j, n_a) == 0) {
            from_i += n_a;
            from_j += n_b;
            continue;
        }
        bool both_words = is_word(a[from_i]) && is_word(b[from_j]);
        if (!both_words) /* structure: the rest of the part as a whole */
            break;
        status = differ(f, i, j, from_j, a + from_i, n_a, b + from_j, n_b, err);
        from_i += n_a;
        from_j += n_b;
    }
    if (status != PJ_OK || (from_i >= to_i && from_j >= to_j))
        return status;
    const size_t end_i = to_i;
    while (to_i > from_i && to_j > from_j && a[to_i - 1] == b[to_j - 1]) {
        to_i--;
        to_j--;
    }
    while (to_i < end_i && (is_word(a[to_i]) || a[to_i] == '.')) { /* whole numbers and words */
        to_i++;
        to_j++;
    }
    return differ(f, i, j, from_j, a + from_i, to_i - from_i, b + from_j, to_j - from_j, err);
}

static pj_status compare_line(struct pji_verify_file *f, size_t i, size_t j, struct pj_error *err)
{
    size_t from_i = 0;
    size_t from_j = 0;
    size_t n_i = 0;
    size_t n_j = 0;
    if (!find_picture(f->given.at[i], f->given.len[i], &from_i, &n_i) ||
        !find_picture(f->expected.at[j], f->expected.len[j], &from_j, &n_j))
        return compare_part(f, i, j, 0, f->given.len[i], 0, f->expected.len[j], err);
    pj_status status = compare_part(f, i, j, 0, from_i, 0, from_j, err);
    bool same = n_i == n_j && memcmp(f->given.at[i] + from_i, f->expected.at[j] + from_j, n_i) == 0;
    if (status == PJ_OK && !same && !f->without_pictures)
        status = compare_picture(f, i, j, from_i, n_i, from_j, n_j, err);
    if (status == PJ_OK)
        status = compare_part(f, i, j, from_i + n_i, f->given.len[i], from_j + n_j,
                              f->expected.len[j], err);
    return status;
}

/* ---- the whole ---- */

/* How many lines to leave out of the given (*skip_i) or the expected text (*skip_j) until both go
 * on alike; 0 and 0: these two lines are one that changed. */
static void realign(const struct pji_verify_file *f, size_t i, size_t j, size_t *skip_i,
                    size_t *skip_j)
{
    *skip_i = *skip_j = 0;
    bool next = i + 1 < f->given.n && j + 1 < f->expected.n && same_line(f, i + 1, j + 1);
    if (next || (f->given.n - i == f->expected.n - j))
        return;
    for (size_t k = 1; k <= LOOK_AHEAD; k++) {
        if (i + k < f->given.n && same_line(f, i + k, j)) {
            *skip_i = k;
            return;
        }
        if (j + k < f->expected.n && same_line(f, i, j + k)) {
            *skip_j = k;
            return;
        }
    }
}

static pj_status missing_lines(struct pji_verify_file *f, size_t i, size_t j, size_t n,
                               bool in_given, struct pj_error *err)
{
    pj_status status = PJ_OK;
    for (size_t k = 0; k < n && status == PJ_OK; k++) {
        if ((in_given ? f->given.len[i + k] : f->expected.len[j + k]) == 0)
            continue; /* an empty line says nothing */
        if (in_given)
            status = differ(f, i + k, j < f->expected.n ? j : f->expected.n - 1, 0,
                            f->given.at[i + k], f->given.len[i + k], "", 0, err);
        else
            status =
                differ(f, i, j + k, 0, "", 0, f->expected.at[j + k], f->expected.len[j + k], err);
    }
    return status;
}

static pj_status compare_lines(struct pji_verify_file *f, struct pj_error *err)
{
    size_t i = 0;
    size_t j = 0;
    pj_status status = PJ_OK;
    while (status == PJ_OK && i < f->given.n && j < f->expected.n) {
        size_t skip_i = 0;
        size_t skip_j = 0;
        if (same_line(f, i, j)) {
            i++;
            j++;
            continue;
        }
        realign(f, i, j, &skip_i, &skip_j);
        if (skip_i > 0)
            status = missing_lines(f, i, j, skip_i, true, err);
        else if (skip_j > 0)
            status = missing_lines(f, i, j, skip_j, false, err);
        else
            status = compare_line(f, i, j, err);
        i += skip_i > 0 ? skip_i : skip_j > 0 ? 0 : 1;
        j += skip_j > 0 ? skip_j : skip_i > 0 ? 0 : 1;
    }
    if (status == PJ_OK && i < f->given.n)
        status = missing_lines(f, i, j, f->given.n - i, true, err);
    if (status == PJ_OK && j < f->expected.n)
        status = missing_lines(f, i, j, f->expected.n - j, false, err);
    return status;
}

pj_status pji_verify_text(struct pji_verify_file *f, const char *given, size_t given_len,
                          const char *expected, size_t expected_len, struct pj_error *err)
{
    pj_status status = pji_lines_split(&f->given, given, given_len, err);
    if (status == PJ_OK)
        status = pji_lines_split(&f->expected, expected, expected_len, err);
    if (status == PJ_OK) {
        f->out->numbers += count_numbers(&f->given);
        status = compare_lines(f, err);
    }
    pji_lines_fini(&f->given);
    pji_lines_fini(&f->expected);
    return status;
}
