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

static size_t word_of(const char *at, const char *end)
{
    size_t n = 0;
    while (at + n < end && is_word(at[n]))
        n++;
    return n;
}

static bool is_run(char c)
{
    return is_word(c) || strchr(".~+/=", c) != NULL;
}

/* Longer runs say nothing more, and would be measured again from each of their places: a text of
 * megabytes may come over the network. */
enum { RUN_MOST = 512 };

static size_t run_of(const char *at, const char *end)
{
    size_t n = 0;
    while (at + n < end && n < RUN_MOST && is_run(at[n]))
        n++;
    return n;
}

static const char *past_blanks(const char *at, const char *end)
{
    while (at < end && (*at == ' ' || *at == '\t'))
        at++;
    return at;
}

static bool has_digit(const char *at, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (isdigit((unsigned char)at[i]))
            return true;
    return false;
}

/* Does name[0..n) end with the words of `tail`, as api-key and WANDB_API_KEY do? */
static bool ends_in(const char *name, size_t n, const char *tail)
{
    size_t t = strlen(tail);
    if (n < t || (n > t && name[n - t - 1] != '-' && name[n - t - 1] != '_'))
        return false;
    for (size_t i = 0; i < t; i++) {
        char c = (char)tolower((unsigned char)name[n - t + i]);
        if ((c == '_' ? '-' : c) != tail[i])
            return false;
    }
    return true;
}

/* Names of secrets. A token is one where it stands alone or its owner is named: pad-token is not.
 */
static bool names_secret(const char *name, size_t n)
{
    static const char *const tails[] = {
        "api-key",      "apikey",     "password",      "passwd",       "secret",
        "passphrase",   "secret-key", "access-key",    "private-key",  "api-token",
        "access-token", "auth-token", "bearer-token",  "hf-token",     "hub-token",
        "github-token", "git-token",  "session-token", "secret-token", NULL};
    for (size_t i = 0; tails[i] != NULL; i++)
        if (ends_in(name, n, tails[i]))
            return true;
    if (n > 8 && strncasecmp(name + n - 8, "password", 8) == 0) /* PGPASSWORD */
        return true;
    return n == 5 && strncasecmp(name, "token", 5) == 0;
}

/* --api-key, --password …: the whole name, whatever follows. --api-key-file names a file. */
static bool is_option(const char *at, const char *end, char before)
{
    if (is_word(before) || !starts(at, end, "--") || end - at < 3 || at[2] == '-')
        return false;
    return names_secret(at + 2, word_of(at + 2, end));
}

/* HF_TOKEN=x, api_key: x, "api_key": "x", ?key=x. Prose has such words too: there a value of some
 * length with a digit. */
static bool is_assignment(const char *at, const char *end, char before)
{
    if (is_word(before) || at[0] == '-') /* before a word is measured: each of them once */
        return false;
    size_t n = word_of(at, end);
    const char *sign = at + n;
    if (n == 0)
        return false;
    bool query = before == '?' || before == '&';
    bool secret = names_secret(at, n) || (isupper((unsigned char)at[0]) && ends_in(at, n, "token"));
    if (!secret && !(query && (ends_in(at, n, "key") || ends_in(at, n, "token"))))
        return false;
    sign += sign < end && (*sign == '"' || *sign == '\'') ? 1 : 0;
    sign = past_blanks(sign, end);
    if (sign >= end || (*sign != '=' && *sign != ':'))
        return false;
    const char *value = past_blanks(sign + 1, end);
    value += value < end && (*value == '"' || *value == '\'') ? 1 : 0;
    size_t len = run_of(value, end);
    bool plain = memchr(at, '_', n) == NULL && memchr(at, '-', n) == NULL;
    bool prose = plain && (*sign == ':' || strncmp(at, "token", n) == 0);
    return prose || !secret ? len >= 8 && has_digit(value, len) : len >= 6;
}

/* scheme://user:password@host, scheme://token@host */
static bool is_address(const char *at, const char *end, char before)
{
    bool colon = false;
    (void)before;
    if (!starts(at, end, "://"))
        return false;
    at += 3;
    for (const char *c = at; c < end; c++) {
        if (*c == '@')
            return colon || (c - at >= 16 && has_digit(at, (size_t)(c - at)));
        if (*c == '/' || isspace((unsigned char)*c) || strchr("\"']}", *c) != NULL)
            return false;
        colon = colon || *c == ':';
    }
    return false;
}

/* Authorization: Bearer x, x-api-key: x */
static bool is_header(const char *at, const char *end, char before)
{
    static const char *const names[] = {"authorization:",
                                        "proxy-authorization:",
                                        "cookie:",
                                        "x-api-key:",
                                        "api-key:",
                                        "bearer ",
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

/* Keys as OpenAI, Hugging Face, GitHub, GitLab, Amazon, Google, NVIDIA, Groq, Slack and others give
 * them out. */
static bool is_known_key(const char *at, const char *end, char before)
{
    static const struct {
        const char *start;
        size_t least; /* of what follows */
    } shapes[] = {{"sk-", 20},  {"hf_", 20},   {"ghp_", 30},  {"gho_", 30}, {"ghu_", 30},
                  {"ghs_", 30}, {"ghr_", 30},  {"AKIA", 16},  {"ASIA", 16}, {"github_pat_", 30},
                  {"AIza", 30}, {"xoxb-", 20}, {"xoxp-", 20}, {"gsk_", 20}, {"glpat-", 20},
                  {"npm_", 30}, {"r8_", 30},   {"nvapi-", 20}};
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

/* A signed token (RFC 7519: three parts with dots between, the first a JSON object in base64), or
 * a private key as text (RFC 7468). */
static bool is_signed(const char *at, const char *end, char before)
{
    static const char begin[] = "-----BEGIN ", key[] = "PRIVATE KEY-----";
    size_t n = 0, dots = 0;
    if (starts(at, end, begin)) {
        for (at += strlen(begin); at < end && *at != '\n' && *at != '-'; at++)
            if (starts(at, end, key))
                return true;
        return false;
    }
    if (is_word(before) || !starts(at, end, "eyJ"))
        return false;
    for (; at + n < end && is_run(at[n]) && dots <= 2; n++)
        dots += at[n] == '.' ? 1 : 0;
    return n >= 40 && dots == 2;
}

bool pji_secret_find(const char *text, size_t len, size_t *line, size_t *column, const char **what)
{
    static const struct {
        find_fn *find;
        const char *what;
    } kinds[] = {{is_option, "an option that takes a secret"},
                 {is_address, "a user name and a password in an address"},
                 {is_header, "a header with a key"},
                 {is_assignment, "a name of a secret with a value"},
                 {is_signed, "a signed token or a private key"},
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
