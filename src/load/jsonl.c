/* load/jsonl.c - see jsonl.h. Reading and writing never wait; memory is bounded by the limit of a
 * line, whatever the program writes.
 */
#include "load/jsonl.h"

#include "core/array.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* The kernel closes the pipes of a dying process before its end can be seen. */
enum { READ_BYTES = 64 * 1024, LAST_WORD_MS = 500 };

void pji_jsonl_init(struct pji_jsonl *lines, int to_fd, int from_fd, int alive_fd)
{
    *lines = (struct pji_jsonl){.to_fd = to_fd, .from_fd = from_fd, .alive_fd = alive_fd};
}

void pji_jsonl_fini(struct pji_jsonl *lines)
{
    if (lines->to_fd >= 0)
        close(lines->to_fd);
    if (lines->from_fd >= 0)
        close(lines->from_fd);
    pji_str_fini(&lines->in);
    pji_str_fini(&lines->out);
    free(lines->late);
    *lines = (struct pji_jsonl){.to_fd = -1, .from_fd = -1, .alive_fd = -1};
}

pj_status pji_jsonl_break(struct pji_jsonl *lines, const char *code, struct pj_error *err,
                          const char *format, ...)
{
    char sentence[400];
    va_list args;
    va_start(args, format);
    vsnprintf(sentence, sizeof sentence, format, args);
    va_end(args);
    if (lines->failure == NULL)
        lines->failure = code;
    return pji_fail(err, PJ_EPEER, "%s", sentence);
}

/* ---- from the program ---- */

pj_status pji_jsonl_fill(struct pji_jsonl *lines, struct pj_error *err)
{
    char bytes[READ_BYTES];
    if (lines->at > 0) {
        lines->in.len -= lines->at;
        memmove(lines->in.text, lines->in.text + lines->at, lines->in.len);
        lines->searched -= lines->at;
        lines->at = 0;
    }
    ssize_t n = lines->from_fd >= 0 ? read(lines->from_fd, bytes, sizeof bytes) : 0;
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return PJ_OK;
    if (n < 0)
        return pji_fail_errno(err, errno, "cannot read what the program answers");
    lines->ended = n == 0;
    pji_str_addn(&lines->in, bytes, (size_t)n);
    return pji_str_ok(&lines->in, err);
}

static size_t limit_of(const struct pji_jsonl *lines)
{
    return lines->line_limit > 0 ? lines->line_limit : PJI_JSONL_LIMIT;
}

pj_status pji_jsonl_take(struct pji_jsonl *lines, const char **line, size_t *len,
                         struct pj_error *err)
{
    const char *text = pji_str_text(&lines->in);
    const char *end = memchr(text + lines->searched, '\n', lines->in.len - lines->searched);
    size_t n = end != NULL ? (size_t)(end - text) - lines->at : lines->in.len - lines->at;
    if (n > limit_of(lines))
        return pji_jsonl_break(lines, "line_too_long", err,
                               "the program wrote a line of more than %zu bytes", limit_of(lines));
    lines->searched = lines->in.len;
    if (end == NULL && lines->ended && n > 0)
        return pji_jsonl_break(lines, "line_malformed", err,
                               "the program's output ended in the middle of a line");
    if (end == NULL)
        return PJI_JSONL_NONE;
    *line = text + lines->at;
    *len = n > 0 && text[lines->at + n - 1] == '\r' ? n - 1 : n;
    lines->at += n + 1;
    lines->searched = lines->at;
    return PJ_OK;
}

/* ---- to the program ---- */

void pji_jsonl_put(struct pji_jsonl *lines, const char *text, size_t len)
{
    if (lines->out_at == lines->out.len) {
        pji_str_clear(&lines->out);
        lines->out_at = 0;
    }
    pji_str_addn(&lines->out, text, len);
}

bool pji_jsonl_pending(const struct pji_jsonl *lines)
{
    return lines->out_at < lines->out.len;
}

/* write(2) that leaves no SIGPIPE behind: a pipe has no MSG_NOSIGNAL, and a library does not change
 * what its program does about signals. */
static ssize_t write_quietly(int fd, const char *bytes, size_t n)
{
    const struct timespec at_once = {0};
    sigset_t only, before, pending;
    sigemptyset(&only);
    sigaddset(&only, SIGPIPE);
    sigemptyset(&pending);
    sigpending(&pending);
    pthread_sigmask(SIG_BLOCK, &only, &before);
    ssize_t written = write(fd, bytes, n);
    int saved = errno;
    if (written < 0 && saved == EPIPE && sigismember(&pending, SIGPIPE) != 1)
        while (sigtimedwait(&only, NULL, &at_once) < 0 && errno == EINTR) {
        }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = saved;
    return written;
}

pj_status pji_jsonl_flush(struct pji_jsonl *lines, bool *moved, struct pj_error *err)
{
    *moved = false;
    pj_status status = pji_str_ok(&lines->out, err);
    while (status == PJ_OK && pji_jsonl_pending(lines)) {
        ssize_t n = lines->to_fd < 0 ? -1
                                     : write_quietly(lines->to_fd, lines->out.text + lines->out_at,
                                                     lines->out.len - lines->out_at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return PJ_OK;
        if (n < 0)
            return pji_fail(err, PJ_EPEER,
                            "the program closed its standard input while items were left");
        *moved = true;
        lines->out_at += (size_t)n;
    }
    return status;
}

/* ---- answers ---- */

void pji_answer_fini(struct pji_answer_line *answer)
{
    pji_str_fini(&answer->output);
    free(answer->error);
    free(answer->counts);
    *answer = (struct pji_answer_line){0};
}

/* Letters a-z, digits and '_', not starting with a digit; none of the names whose figures perjoule
 * makes itself. */
static bool is_count_name(const char *name)
{
    static const char *const ours[] = {"token", "request", "correct", NULL};
    size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_");
    for (size_t i = 0; ours[i] != NULL; i++)
        if (strcmp(name, ours[i]) == 0)
            return false;
    return n > 0 && n < PJI_COUNT_NAME && name[n] == '\0' && name[0] >= 'a' && name[0] <= 'z';
}

static pj_status take_count(struct pji_answer_line *answer, const char *name, const json_t *value,
                            struct pj_error *err)
{
    double number = json_number_value(value);
    bool prompt = strcmp(name, "prompt_tokens") == 0, output = strcmp(name, "output_tokens") == 0;
    if (!json_is_number(value) || !(number >= 0.0 && number <= 9e15))
        return pji_fail(err, PJ_EPEER, "the count '%.40s' is not a number from 0 to 9e15", name);
    if (prompt || output) {
        if (!json_is_integer(value))
            return pji_fail(err, PJ_EPEER, "'%s' is not a whole number", name);
        *(prompt ? &answer->prompt_tokens : &answer->output_tokens) = json_integer_value(value);
        return PJ_OK;
    }
    if (!is_count_name(name))
        return pji_fail(err, PJ_EPEER,
                        "'%.40s' cannot name a count: a unit in the singular is needed, of a-z, "
                        "0-9 and _, at most %d long, and not token, request or correct",
                        name, PJI_COUNT_NAME - 1);
    struct pji_count *count = &answer->counts[answer->n_counts++];
    snprintf(count->name, sizeof count->name, "%s", name);
    count->value = number;
    return PJ_OK;
}

static pj_status take_counts(struct pji_answer_line *answer, json_t *counts, struct pj_error *err)
{
    pj_status status = PJ_OK;
    if (counts == NULL || json_is_null(counts))
        return PJ_OK;
    if (!json_is_object(counts) || json_object_size(counts) > PJI_COUNTS)
        return pji_fail(err, PJ_EPEER, "counts is not an object of at most %d numbers",
                        (int)PJI_COUNTS);
    answer->counts = pji_zalloc(json_object_size(counts) + 1, sizeof *answer->counts, err);
    if (answer->counts == NULL)
        return PJ_ENOMEM;
    for (void *i = json_object_iter(counts); i != NULL && status == PJ_OK;
         i = json_object_iter_next(counts, i))
        status = take_count(answer, json_object_iter_key(i), json_object_iter_value(i), err);
    return status;
}

/* A text as it is; anything else as the JSON that it is. */
static void take_output(struct pji_str *out, const json_t *output)
{
    if (json_is_string(output))
        pji_str_addn(out, json_string_value(output), json_string_length(output));
    else
        pji_json_write(out, output, 0);
}

static pj_status take_members(struct pji_answer_line *answer, const json_t *object,
                              struct pj_error *err)
{
    const json_t *id = json_object_get(object, "id");
    const json_t *output = json_object_get(object, "output");
    const json_t *error = json_object_get(object, "error");
    if (!json_is_integer(id))
        return pji_fail(err, PJ_EPEER, "an answer needs the id of its item, a whole number");
    answer->id = json_integer_value(id);
    if (error != NULL && !json_is_null(error)) {
        if (!json_is_string(error))
            return pji_fail(err, PJ_EPEER, "error is not a text");
        answer->error = pji_dup(json_string_value(error), err);
        return answer->error != NULL ? PJ_OK : PJ_ENOMEM;
    }
    if (output == NULL)
        return pji_fail(err, PJ_EPEER, "an answer needs an output or an error");
    take_output(&answer->output, output);
    pj_status status = pji_str_ok(&answer->output, err);
    return status == PJ_OK ? take_counts(answer, json_object_get(object, "counts"), err) : status;
}

pj_status pji_answer_parse(struct pji_answer_line *answer, const char *line, size_t len,
                           struct pj_error *err)
{
    struct pj_error why = {0};
    json_error_t fault;
    *answer = (struct pji_answer_line){.prompt_tokens = -1, .output_tokens = -1};
    json_t *object = json_loadb(line, len, JSON_REJECT_DUPLICATES, &fault);
    pj_status status = PJ_OK;
    if (object == NULL && len > 0 && line[0] == '{') /* nearly: what is wrong helps */
        status = pji_fail(&why, PJ_EPEER, "it is not a JSON object (%.100s)", fault.text);
    else if (!json_is_object(object))
        status = pji_fail(&why, PJ_EPEER, "it is not a JSON object");
    else
        status = take_members(answer, object, &why);
    json_decref(object);
    if (status != PJ_OK) {
        char excerpt[PJI_EXCERPT];
        pji_answer_fini(answer);
        if (status == PJ_ENOMEM)
            return pji_fail(err, status, "out of memory while reading an answer");
        return pji_fail(err, PJ_EPEER, "%s: '%s'", why.text, pji_excerpt(line, len, excerpt));
    }
    return PJ_OK;
}

bool pji_jsonl_ended(const struct pji_jsonl *lines)
{
    struct pollfd end = {.fd = lines->alive_fd, .events = POLLIN};
    return lines->alive_fd >= 0 && poll(&end, 1, LAST_WORD_MS) == 1;
}
