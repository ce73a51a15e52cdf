#include "lab/secrets.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

/* Where there is one at `at`, and the character before it (0: none). */
typedef bool find_fn(const char *at, const char *end, char before);

static bool starts(const char *at, const char *end, const char *word)
{
    size_t n = strlen(word);
    return (size_t)(end - at) >= n && strncasecmp(at, word, n) == 0;
}

static bool is_word(char c)
{
    return isalnum((unsigned char)c) || c == '_' || c == '-';
}

/* --api-key, --password …: the whole name, whatever follows. --api-key-file names a file. */
static bool is_option(const char *at, const char *end, char before)
{
    static const char *const names[] = {
        "api-key",      "api_key",    "apikey",     "hf-token", "hf_token",
        "token",        "password",   "passwd",     "secret",   "access-token",
        "access_token", "auth-token", "auth_token", NULL};
    if (is_word(before) || !starts(at, end, "--"))
        return false;
    at += 2;
    for (size_t i = 0; names[i] != NULL; i++) {
        const char *after = at + strlen(names[i]);
        if (starts(at, end, names[i]) && (after == end || !is_word(*after)))
            return true;
    }
    return false;
}

/* scheme://user:password@host */
static bool is_address(const char *at, const char *end, char before)
{
    bool colon = false;
    (void)before;
    if (!starts(at, end, "://"))
        return false;
    for (at += 3; at < end; at++) {
        if (*at == '@')
            return colon;
        if (*at == '/' || isspace((unsigned char)*at) || strchr("\"',]}", *at) != NULL)
            return false;
        colon = colon || *at == ':';
    }
    return false;
}

static size_t run_of(const char *at, const char *end)
{
    size_t n = 0;
    while (at + n < end && (is_word(at[n]) || strchr(".~+/=", at[n]) != NULL))
        n++;
    return n;
}

static const char *past_blanks(const char *at, const char *end)
{
    while (at < end && (*at == ' ' || *at == '\t'))
        at++;
    return at;
}

/* Authorization: Bearer x, x-api-key: x */
static bool is_header(const char *at, const char *end, char before)
{
    static const char *const names[] = {"authorization:", "x-api-key:", "api-key:", "bearer ",
                                        NULL};
    static const char *const schemes[] = {"basic ", "bearer ", "token ", NULL};
    if (is_word(before))
        return false;
    for (size_t i = 0; names[i] != NULL; i++) {
        if (!starts(at, end, names[i]))
            continue;
        const char *value = at + strlen(names[i]);
        value = past_blanks(value, end);
        for (size_t w = 0; schemes[w] != NULL; w++)
            if (starts(value, end, schemes[w]))
                value = past_blanks(value + strlen(schemes[w]), end);
        if (run_of(value, end) >= 6)
            return true;
    }
    return false;
}

/* Keys as OpenAI, Hugging Face, GitHub and Amazon give them out. */
static bool is_known_key(const char *at, const char *end, char before)
{
    static const struct {
        const char *start;
        size_t least; /* of what follows */
    } shapes[] = {{"sk-", 20}, {"hf_", 20}, {"ghp_", 30}, {"github_pat_", 30}, {"AKIA", 16}};
    if (is_word(before))
        return false;
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        size_t n = strlen(shapes[i].start);
        if ((size_t)(end - at) > n && strncmp(at, shapes[i].start, n) == 0 &&
            run_of(at + n, end) >= shapes[i].least)
            return true;
    }
    return false;
}

bool pji_secret_find(const char *text, size_t len, size_t *line, size_t *column, const char **what)
{
    static const struct {
        find_fn *find;
        const char *what;
    } kinds[] = {{is_option, "an option that takes a secret"},
                 {is_address, "a user name and a password in an address"},
                 {is_header, "a header with a key"},
                 {is_known_key, "an API key"}};
    size_t begin = 0;
    *line = 1;
    for (size_t i = 0; i < len; i++) {
        char before = i > begin ? text[i - 1] : '\0';
        for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
            if (!kinds[k].find(text + i, text + len, before))
                continue;
            *column = i - begin + 1;
            *what = kinds[k].what;
            return true;
        }
        if (text[i] == '\n') {
            (*line)++;
            begin = i + 1;
        }
    }
    return false;
}
