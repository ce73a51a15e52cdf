/* load/spool.c - see spool.h. */
#include "load/spool.h"

#include "load/scan.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

pj_status pji_spool_open(struct pji_spool *spool, const char *path, struct pj_error *err)
{
    *spool = (struct pji_spool){.fd = -1};
    if (!path)
        return PJ_OK;
    if (!(spool->path = pji_dup(path, err)))
        return PJ_ENOMEM;
    spool->fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (spool->fd < 0) {
        pj_status status = pji_fail_errno(err, errno, "cannot open the spool %s", path);
        free(spool->path);
        spool->path = NULL;
        return status;
    }
    spool->end = lseek(spool->fd, 0, SEEK_END);
    return PJ_OK;
}

static void add_int(struct pji_str *out, int64_t value)
{
    char digits[24];
    size_t at = sizeof digits;
    uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    do {
        digits[--at] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    if (value < 0)
        digits[--at] = '-';
    pji_str_addn(out, digits + at, sizeof digits - at);
}

static void add_number(struct pji_str *out, const char *key, int64_t value, bool known)
{
    pji_str_add(out, key);
    if (known)
        add_int(out, value);
    else
        pji_str_addn(out, "null", 4);
}

static void add_text(struct pji_str *out, const char *key, const char *text)
{
    pji_str_add(out, key);
    if (text)
        pji_quote(out, text, strlen(text));
    else
        pji_str_addn(out, "null", 4);
}

void pji_spool_add(struct pji_spool *spool, const struct pji_load_plan *plan,
                   const struct pji_request_record *r)
{
    struct pji_str *out = &spool->lines;
    if (spool->fd < 0)
        return;
    add_text(out, "{\"phase\":", plan->phase);
    add_number(out, ",\"spec\":", (int64_t)r->spec, true);
    add_text(out, ",\"item\":", plan->specs[r->spec].item);
    add_number(out, ",\"stream\":", r->stream, true);
    add_number(out, ",\"scheduled_ns\":", r->scheduled_ns, r->scheduled_ns != 0);
    add_number(out, ",\"sent_ns\":", r->sent_ns, r->sent_ns != 0);
    add_number(out, ",\"first_token_ns\":", r->first_token_ns, r->first_token_ns != 0);
    add_number(out, ",\"last_token_ns\":", r->last_token_ns, r->last_token_ns != 0);
    add_number(out, ",\"end_ns\":", r->end_ns, r->end_ns != 0);
    add_number(out, ",\"prompt_tokens\":", r->prompt_tokens, r->prompt_tokens >= 0);
    add_number(out, ",\"cached_tokens\":", r->cached_tokens, r->cached_tokens >= 0);
    add_number(out, ",\"output_tokens\":", r->output_tokens, r->output_tokens >= 0);
    add_number(out, ",\"http_status\":", r->http_status, r->http_status != 0);
    add_text(out, ",\"finish\":", r->finish[0] ? r->finish : NULL);
    add_text(out, ",\"text\":", r->text);
    add_text(out, ",\"reasoning\":", r->reasoning);
    add_text(out, ",\"error\":", r->error);
    pji_str_add(out, ",\"token_ns\":[");
    for (size_t i = 0; i < r->n_tokens; i++) {
        if (i > 0)
            pji_str_addc(out, ',');
        add_int(out, r->token_ns[i]);
    }
    pji_str_addc(out, ']');
    for (size_t i = 0; i < r->n_counts; i++) {
        pji_str_addf(out, "%s\"%s\":", i > 0 ? "," : ",\"counts\":{", r->counts[i].name);
        pji_str_add_num(out, r->counts[i].value);
    }
    pji_str_add(out, r->n_counts > 0 ? "}}\n" : "}\n");
}

static void give_up(struct pji_spool *spool)
{
    spool->status = spool->why.code;
    if (ftruncate(spool->fd, spool->end) < 0) {
        /* a device or a broken disk: readers drop an unfinished last line anyway */
    }
    close(spool->fd);
    spool->fd = -1;
}

void pji_spool_flush(struct pji_spool *spool)
{
    if (spool->fd < 0)
        return;
    const char *p = pji_str_text(&spool->lines);
    size_t left = spool->lines.len;
    bool whole = pji_str_ok(&spool->lines, &spool->why) == PJ_OK;
    while (whole && left > 0) {
        ssize_t n = write(spool->fd, p, left);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            (void)pji_fail_errno(&spool->why, errno, "the spool %s cannot be written on",
                                 spool->path);
            whole = false;
        } else {
            p += n;
            left -= (size_t)n;
        }
    }
    if (whole)
        spool->end += (off_t)spool->lines.len;
    else
        give_up(spool);
    pji_str_clear(&spool->lines);
}

pj_status pji_spool_close(struct pji_spool *spool, struct pj_error *err)
{
    pji_spool_flush(spool);
    if (spool->fd >= 0)
        close(spool->fd);
    spool->fd = -1;
    pji_str_fini(&spool->lines);
    free(spool->path);
    spool->path = NULL;
    if (spool->status == PJ_OK)
        return PJ_OK;
    return pji_fail(err, spool->status, "%s", spool->why.text);
}
