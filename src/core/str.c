/* core/str.c - growable byte strings; see core/str.h for the sticky failure flag. */
#include "core/str.h"

#include "core/num.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void pji_str_fini(struct pji_str *s)
{
    free(s->text);
    *s = (struct pji_str){0};
}

void pji_str_clear(struct pji_str *s)
{
    s->len = 0;
    s->failed = false;
    if (s->text)
        s->text[0] = '\0';
}

/* Room for `more` bytes and the terminator. */
static bool grow(struct pji_str *s, size_t more)
{
    if (s->failed)
        return false;
    if (more < s->cap - s->len)
        return true;
    size_t need;
    if (__builtin_add_overflow(s->len, more, &need) || need >= SIZE_MAX / 2) {
        s->failed = true;
        return false;
    }
    size_t cap = s->cap ? s->cap : 32;
    while (cap <= need)
        cap *= 2;
    char *fresh = realloc(s->text, cap);
    if (!fresh) {
        s->failed = true;
        return false;
    }
    s->text = fresh;
    s->cap = cap;
    return true;
}

void pji_str_addn(struct pji_str *s, const void *bytes, size_t len)
{
    if (!grow(s, len))
        return;
    if (len)
        memcpy(s->text + s->len, bytes, len);
    s->len += len;
    s->text[s->len] = '\0';
}

void pji_str_add(struct pji_str *s, const char *text)
{
    pji_str_addn(s, text, strlen(text));
}

void pji_str_addc(struct pji_str *s, char c)
{
    pji_str_addn(s, &c, 1);
}

void pji_str_addf(struct pji_str *s, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    pji_str_addv(s, format, args);
    va_end(args);
}

void pji_str_addv(struct pji_str *s, const char *format, va_list args)
{
    if (s->failed)
        return;
    va_list again;
    va_copy(again, args);
    size_t room = s->cap - s->len;
    int n = vsnprintf(room ? s->text + s->len : NULL, room, format, args);
    if (n < 0) {
        s->failed = true;
    } else if ((size_t)n < room) {
        s->len += (size_t)n;
    } else if (grow(s, (size_t)n)) {
        (void)vsnprintf(s->text + s->len, s->cap - s->len, format, again);
        s->len += (size_t)n;
    } else if (s->text) {
        s->text[s->len] = '\0';
    }
    va_end(again);
}

void pji_str_add_num(struct pji_str *s, double value)
{
    char text[PJI_NUM_TEXT];
    pji_str_addn(s, text, pji_num_format(value, text));
}

const char *pji_str_text(const struct pji_str *s)
{
    return s->text ? s->text : "";
}

pj_status pji_str_ok(const struct pji_str *s, struct pj_error *err)
{
    if (s->failed)
        return pji_fail(err, PJ_ENOMEM, "out of memory after %zu bytes of text", s->len);
    return PJ_OK;
}

char *pji_str_take(struct pji_str *s)
{
    if (!s->text && !s->failed)
        (void)grow(s, 0);
    char *text = s->failed ? NULL : s->text;
    if (text) {
        text[s->len] = '\0';
        *s = (struct pji_str){0};
    } else {
        pji_str_fini(s);
    }
    return text;
}

char *pji_dupn(const char *text, size_t len, struct pj_error *err)
{
    char *copy = len < SIZE_MAX ? malloc(len + 1) : NULL;
    if (!copy) {
        pji_error_set(err, PJ_ENOMEM, 0, "out of memory: %zu bytes of text", len);
        return NULL;
    }
    if (len)
        memcpy(copy, text, len);
    copy[len] = '\0';
    return copy;
}

char *pji_dup(const char *text, struct pj_error *err)
{
    return pji_dupn(text, strlen(text), err);
}

void pji_str_add_shown(struct pji_str *s, const char *text)
{
    static const char names[] = "\tt\nn\rr";
    for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
        const char *name = memchr(names, *p, sizeof names - 1);
        if (*p == 0xc2 && p[1] >= 0x80 && p[1] <= 0x9f)
            pji_str_addf(s, "\\u00%02x", *++p);
        else if (*p < 0x20 && name)
            pji_str_addf(s, "\\%c", name[1]);
        else if (*p < 0x20 || *p == 0x7f)
            pji_str_addf(s, "\\x%02x", *p);
        else
            pji_str_addc(s, (char)*p);
    }
}

const char *pji_excerpt(const char *text, size_t len, char out[PJI_EXCERPT])
{
    size_t room = PJI_EXCERPT - 4; /* "..." and the terminator */
    size_t n = len < room ? len : room;
    while (n < len && n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80)
        n--;
    size_t good = pji_utf8_span(text, n);
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)text[i];
        bool stray = i == good;
        if (stray) /* the next run of whole characters begins behind this byte */
            good = i + 1 + pji_utf8_span(text + i + 1, n - i - 1);
        out[i] = stray || c < 0x20 || c == 0x7f ? '?' : text[i];
    }
    memcpy(out + n, n < len ? "..." : "", n < len ? 4 : 1);
    return out;
}

enum { WORD_MAX = 64 };

/* Optimal string alignment distance: edits and swaps of neighbours. Damerau (1964),
 * doi:10.1145/363958.363994. */
static size_t edit_distance(const char *a, size_t n, const char *b, size_t m)
{
    size_t rows[3][WORD_MAX + 1];
    size_t *before = rows[0];
    size_t *last = rows[1];
    size_t *now = rows[2];
    for (size_t j = 0; j <= m; j++) {
        before[j] = 0;
        last[j] = j;
    }
    for (size_t i = 1; i <= n; i++) {
        now[0] = i;
        for (size_t j = 1; j <= m; j++) {
            size_t best = last[j - 1] + (a[i - 1] != b[j - 1]);
            best = last[j] + 1 < best ? last[j] + 1 : best;
            best = now[j - 1] + 1 < best ? now[j - 1] + 1 : best;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                before[j - 2] + 1 < best)
                best = before[j - 2] + 1;
            now[j] = best;
        }
        size_t *spare = before;
        before = last;
        last = now;
        now = spare;
    }
    return last[m];
}

const char *pji_str_nearest(const char *word, const char *const *candidates)
{
    size_t len = strlen(word);
    if (len == 0 || len > WORD_MAX)
        return NULL;
    size_t limit = len / 3 > 1 ? len / 3 : 1;
    const char *best = NULL;
    for (; *candidates; candidates++) {
        size_t n = strlen(*candidates);
        if (n > WORD_MAX)
            continue;
        size_t distance = edit_distance(word, len, *candidates, n);
        if (distance <= limit) {
            best = *candidates;
            if (distance == 0)
                break;
            limit = distance - 1; /* only a strictly nearer one replaces it */
        }
    }
    return best;
}

void pji_hide(char *text, size_t len, const char *secret)
{
    size_t n = secret != NULL ? strlen(secret) : 0;
    for (char *at = text; n > 0 && len - (size_t)(at - text) >= n; at += n) {
        at = memmem(at, len - (size_t)(at - text), secret, n);
        if (at == NULL)
            return;
        memset(at, '*', n);
    }
}

bool pji_is_one_line(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
            return false;
    return true;
}
