/* task/choice.c - which of the choices an answer is; the normalisation is documented in task.h.
 *
 * Exact on purpose: an answer that only contains a choice somewhere ("I would not say yes") is
 * unparsable, and a reader of the report sees how many there were.
 */
#include "task/task.h"

#include <string.h>

struct span {
    const char *p;
    size_t n;
};

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool is_punct(char c)
{
    return (c >= '!' && c <= '/') || (c >= ':' && c <= '@') || (c >= '[' && c <= '`') ||
           (c >= '{' && c <= '~');
}

/* Bytes of a dash or quote of U+2013…U+201E (e2 80 93…9e) at p. */
static size_t wide_punct(const char *p, size_t n)
{
    return n >= 3 && p[0] == '\xe2' && p[1] == '\x80' && (unsigned char)p[2] >= 0x93 &&
                   (unsigned char)p[2] <= 0x9e
               ? 3
               : 0;
}

static bool is_sign_of_number(const char *p, size_t n)
{
    return n >= 2 && (*p == '-' || *p == '+') && p[1] >= '0' && p[1] <= '9';
}

static struct span trim(struct span s)
{
    while (s.n > 0) {
        size_t skip = wide_punct(s.p, s.n);
        if (is_space(*s.p) || (is_punct(*s.p) && !is_sign_of_number(s.p, s.n)))
            skip = 1;
        if (skip == 0)
            break;
        s.p += skip;
        s.n -= skip;
    }
    while (s.n > 0) {
        size_t cut = s.n >= 3 ? wide_punct(s.p + s.n - 3, 3) : 0;
        if (is_space(s.p[s.n - 1]) || is_punct(s.p[s.n - 1]))
            cut = 1;
        if (cut == 0)
            break;
        s.n -= cut;
    }
    return s;
}

/* The first line of text that is not empty after trimming. */
static struct span first_line(const char *text)
{
    struct span line = {text, 0};
    while (*text) {
        size_t n = strcspn(text, "\n");
        line = trim((struct span){text, n});
        if (line.n > 0)
            break;
        text += n + (text[n] == '\n');
    }
    return line;
}

static struct span first_word(struct span line)
{
    size_t n = 0;
    while (n < line.n && !is_space(line.p[n]))
        n++;
    return trim((struct span){line.p, n});
}

static bool has_blank(struct span s)
{
    for (size_t i = 0; i < s.n; i++)
        if (is_space(s.p[i]))
            return true;
    return false;
}

static char fold(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* Next character of s at *at: folded, a run of blanks as one; '\0' at the end. */
static char next(struct span s, size_t *at)
{
    if (*at >= s.n)
        return '\0';
    char c = s.p[(*at)++];
    if (!is_space(c))
        return fold(c);
    while (*at < s.n && is_space(s.p[*at]))
        (*at)++;
    return ' ';
}

static bool same(struct span a, struct span b)
{
    size_t i = 0, k = 0;
    for (;;) {
        char x = next(a, &i), y = next(b, &k);
        if (x != y)
            return false;
        if (x == '\0')
            return i >= a.n && k >= b.n;
    }
}

int pji_choice_extract(const char *text, const char *const *choices, size_t n)
{
    struct span line = first_line(text ? text : "");
    struct span word = first_word(line);
    if (line.n == 0)
        return -1;
    for (int several = 1; several >= 0; several--)
        for (size_t i = 0; i < n; i++) {
            struct span choice = trim((struct span){choices[i], strlen(choices[i])});
            if (choice.n > 0 && has_blank(choice) == (several == 1) &&
                same(several ? line : word, choice))
                return (int)i;
        }
    return -1;
}
