/* load/scan.c - see scan.h. */
#include "load/scan.h"

#include <string.h>

void pji_scan_init(struct pji_scan *s, const char *json, size_t len)
{
    *s = (struct pji_scan){.p = json, .end = json + len};
}

static bool fail(struct pji_scan *s)
{
    s->bad = true;
    s->p = s->end;
    return false;
}

static bool take(struct pji_scan *s, char c)
{
    if (pji_scan_peek(s) != c)
        return fail(s);
    s->p++;
    return true;
}

bool pji_scan_enter(struct pji_scan *s, char open)
{
    if (!take(s, open) || ++s->depth > PJI_SCAN_DEPTH)
        return fail(s);
    s->fresh = true;
    return true;
}

/* Steps over the comma; false at the closing bracket (stepped over) or after a violation. */
static bool next(struct pji_scan *s, char close)
{
    if (s->bad)
        return false;
    if (pji_scan_peek(s) == close) {
        s->p++;
        s->depth--;
        s->fresh = false;
        return false;
    }
    bool ok = s->fresh || take(s, ',');
    s->fresh = false;
    return ok;
}

bool pji_scan_member(struct pji_scan *s, struct pji_slice *key)
{
    return next(s, '}') && pji_scan_string(s, key) && take(s, ':');
}

bool pji_scan_element(struct pji_scan *s)
{
    return next(s, ']');
}

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool take_escape(struct pji_scan *s)
{
    if (s->end - s->p < 2)
        return false;
    char c = s->p[1];
    s->p += 2;
    if (c != 'u')
        return c != '\0' && strchr("\"\\/bfnrt", c) != NULL;
    if (s->end - s->p < 4)
        return false;
    for (int i = 0; i < 4; i++)
        if (!is_hex(s->p[i]))
            return false;
    s->p += 4;
    return true;
}

bool pji_scan_string(struct pji_scan *s, struct pji_slice *out)
{
    if (!take(s, '"'))
        return false;
    out->p = s->p;
    for (;;) {
        const char *p = s->p, *end = s->end; /* in registers: most bytes are plain */
        while (p < end && (unsigned char)*p >= 0x20 && *p != '"' && *p != '\\')
            p++;
        s->p = p;
        if (p >= end || (unsigned char)*p < 0x20)
            return fail(s);
        if (*p == '"')
            break;
        if (!take_escape(s))
            return fail(s);
    }
    out->n = (size_t)(s->p - out->p);
    s->p++;
    return true;
}

static size_t digits(struct pji_scan *s)
{
    const char *start = s->p;
    while (s->p < s->end && *s->p >= '0' && *s->p <= '9')
        s->p++;
    return (size_t)(s->p - start);
}

static bool take_number(struct pji_scan *s)
{
    if (s->p < s->end && *s->p == '-')
        s->p++;
    const char *start = s->p;
    size_t n = digits(s);
    if (n == 0 || (n > 1 && *start == '0'))
        return fail(s);
    if (s->p < s->end && *s->p == '.') {
        s->p++;
        if (digits(s) == 0)
            return fail(s);
    }
    if (s->p < s->end && (*s->p == 'e' || *s->p == 'E')) {
        s->p++;
        if (s->p < s->end && (*s->p == '-' || *s->p == '+'))
            s->p++;
        if (digits(s) == 0)
            return fail(s);
    }
    return true;
}

int64_t pji_scan_count(struct pji_scan *s)
{
    char c = pji_scan_peek(s);
    if (c < '0' || c > '9') {
        pji_scan_skip(s);
        return -1;
    }
    const char *start = s->p;
    int64_t value = 0;
    if (!take_number(s))
        return -1;
    for (const char *p = start; p < s->p; p++) {
        if (*p < '0' || *p > '9' || value > (INT64_MAX - 9) / 10)
            return -1;
        value = value * 10 + (*p - '0');
    }
    return value;
}

static bool take_word(struct pji_scan *s, const char *word)
{
    size_t n = strlen(word);
    if ((size_t)(s->end - s->p) < n || memcmp(s->p, word, n) != 0)
        return fail(s);
    s->p += n;
    return true;
}

static void skip_scalar(struct pji_scan *s, char c)
{
    struct pji_slice unused;
    if (c == '"')
        (void)pji_scan_string(s, &unused);
    else if (c == 't')
        (void)take_word(s, "true");
    else if (c == 'f')
        (void)take_word(s, "false");
    else if (c == 'n')
        (void)take_word(s, "null");
    else
        (void)take_number(s);
}

/* No recursion: the stack of open brackets is a bit each. */
void pji_scan_skip(struct pji_scan *s)
{
    bool is_object[PJI_SCAN_DEPTH + 1];
    struct pji_slice key;
    int base = s->depth;
    do {
        char c = pji_scan_peek(s);
        if (c == '{' || c == '[') {
            if (!pji_scan_enter(s, c))
                return;
            is_object[s->depth - base] = c == '{';
        } else {
            skip_scalar(s, c);
        }
        while (!s->bad && s->depth > base) {
            bool more = is_object[s->depth - base] ? pji_scan_member(s, &key) : pji_scan_element(s);
            if (more)
                break;
        }
    } while (!s->bad && s->depth > base);
}

bool pji_scan_end(struct pji_scan *s)
{
    if (pji_scan_peek(s) != '\0' || s->p < s->end || s->depth != 0)
        (void)fail(s);
    return !s->bad;
}

size_t pji_utf8_length(const char *text, size_t n)
{
    const unsigned char *p = (const unsigned char *)text;
    static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
    size_t len = p[0] < 0x80 ? 1 : p[0] < 0xc0 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
    if (len <= 1 || len > n || p[0] > 0xf4)
        return len == 1;
    uint32_t code = p[0] & (0x7fu >> len);
    for (size_t i = 1; i < len; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
        code = code << 6 | (p[i] & 0x3fu);
    }
    bool good = code >= least[len] && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff);
    return good ? len : 0;
}

static void add_code(struct pji_str *out, uint32_t code)
{
    char b[4];
    size_t n = 0;
    if (code < 0x80) {
        b[n++] = (char)code;
    } else if (code < 0x800) {
        b[n++] = (char)(0xc0 | code >> 6);
        b[n++] = (char)(0x80 | (code & 0x3f));
    } else if (code < 0x10000) {
        b[n++] = (char)(0xe0 | code >> 12);
        b[n++] = (char)(0x80 | (code >> 6 & 0x3f));
        b[n++] = (char)(0x80 | (code & 0x3f));
    } else {
        b[n++] = (char)(0xf0 | code >> 18);
        b[n++] = (char)(0x80 | (code >> 12 & 0x3f));
        b[n++] = (char)(0x80 | (code >> 6 & 0x3f));
        b[n++] = (char)(0x80 | (code & 0x3f));
    }
    pji_str_addn(out, b, n);
}

static uint32_t hex4(const char *p)
{
    uint32_t value = 0;
    for (int i = 0; i < 4; i++) {
        char c = p[i];
        uint32_t digit = c <= '9' ? (uint32_t)(c - '0') : (uint32_t)((c | 0x20) - 'a') + 10;
        value = value << 4 | digit;
    }
    return value;
}

/* One escape (its form was checked by the scan); the bytes it took. */
static size_t decode_escape(const char *p, size_t n, struct pji_str *out)
{
    static const char from[] = "bfnrt", to[] = "\b\f\n\r\t";
    if (p[1] != 'u') {
        const char *at = strchr(from, p[1]);
        pji_str_addc(out, at ? to[at - from] : p[1]);
        return 2;
    }
    uint32_t code = hex4(p + 2);
    if (code >= 0xd800 && code < 0xdc00 && n >= 12 && p[6] == '\\' && p[7] == 'u') {
        uint32_t low = hex4(p + 8);
        if (low >= 0xdc00 && low < 0xe000) {
            add_code(out, 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00));
            return 12;
        }
    }
    add_code(out, code == 0 || (code >= 0xd800 && code < 0xe000) ? 0xfffd : code);
    return 6;
}

bool pji_slice_decode(struct pji_slice slice, struct pji_str *out)
{
    const char *p = slice.p, *end = slice.p + slice.n;
    while (p < end) {
        const char *start = p;
        while (p < end && *p != '\\') {
            size_t n = pji_utf8_length(p, (size_t)(end - p));
            if (n == 0)
                return false;
            p += n;
        }
        if (p > start)
            pji_str_addn(out, start, (size_t)(p - start));
        if (p < end)
            p += decode_escape(p, (size_t)(end - p), out);
    }
    return true;
}
