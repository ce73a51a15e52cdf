/* core/error.c - the one place where a struct pj_error is written.
 *
 * The text of an errno comes from strerrordesc_np (glibc 2.32): static strings, so it is safe in
 * every thread and is not translated by the host's locale, unlike strerror. Messages are kept to
 * one line of UTF-8, whatever bytes a program, a server or a file name put into them: they go to
 * terminals, into the store and into JSON.
 */
#include "core/error.h"

#include "core/str.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

const char *pj_status_name(pj_status status)
{
    switch (status) {
    case PJ_OK:
        return "ok";
    case PJ_EINVAL:
        return "invalid input";
    case PJ_ENOMEM:
        return "out of memory";
    case PJ_EIO:
        return "input/output error";
    case PJ_EACCESS:
        return "permission denied";
    case PJ_ENOTFOUND:
        return "not found";
    case PJ_EUNSUPPORTED:
        return "not supported";
    case PJ_ESTATE:
        return "wrong state";
    case PJ_ECORRUPT:
        return "corrupt data";
    case PJ_ETIMEOUT:
        return "timed out";
    case PJ_EPEER:
        return "peer misbehaved";
    case PJ_EBUSY:
        return "busy";
    case PJ_ENOSPC:
        return "disk full";
    case PJ_ECANCELED:
        return "canceled";
    default:
        return status > 0 ? "condition" : "unknown status";
    }
}

/* Drops a UTF-8 sequence that vsnprintf cut in the middle, so that the text stays valid. */
static void trim_utf8(char *text)
{
    size_t len = strlen(text);
    size_t back = 0;
    while (back < 3 && back < len && ((unsigned char)text[len - 1 - back] & 0xc0) == 0x80)
        back++;
    if (back >= len)
        return;
    unsigned char lead = (unsigned char)text[len - 1 - back];
    size_t want = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : lead >= 0xc0 ? 1 : 0;
    if (want > back)
        text[len - 1 - back] = '\0';
}

static void tidy(char *text, bool was_cut)
{
    if (was_cut)
        trim_utf8(text);
    size_t len = strlen(text);
    for (size_t i = pji_utf8_span(text, len); i < len; i += pji_utf8_span(text + i, len - i))
        text[i++] = '?';
    for (char *c = text; *c; c++) {
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            *c = ' ';
        else if (c[0] == '\xc2' && (unsigned char)c[1] < 0xa0) /* U+0080 to U+009F: controls too */
            c[0] = c[1] = ' ';
    }
}

void pji_error_set(struct pj_error *err, pj_status code, int sys_errno, const char *format, ...)
{
    if (!err || err->code != PJ_OK)
        return;
    va_list args;
    va_start(args, format);
    int n = vsnprintf(err->text, sizeof err->text, format, args);
    va_end(args);
    if (n < 0)
        err->text[0] = '\0';
    size_t len = strlen(err->text);
    if (sys_errno != 0) {
        const char *reason = strerrordesc_np(sys_errno);
        int more = reason
                       ? snprintf(err->text + len, sizeof err->text - len, ": %s", reason)
                       : snprintf(err->text + len, sizeof err->text - len, ": errno %d", sys_errno);
        n = n < 0 || more < 0 ? more : n + more;
    }
    err->code = code;
    err->sys_errno = sys_errno;
    tidy(err->text, n >= (int)sizeof err->text);
}

void pji_error_prefix(struct pj_error *err, const char *format, ...)
{
    if (!err || err->code == PJ_OK)
        return;
    char joined[sizeof err->text];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(joined, sizeof joined, format, args);
    va_end(args);
    if (n < 0)
        return;
    size_t len = strlen(joined);
    int more = snprintf(joined + len, sizeof joined - len, ": %s", err->text);
    tidy(joined, n + more >= (int)sizeof joined);
    memcpy(err->text, joined, sizeof joined);
}

void pji_error_clear(struct pj_error *err)
{
    if (err)
        *err = (struct pj_error){0};
}
