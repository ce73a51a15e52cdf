/* See stream.h. pipe(7): poll(2) reports a pipe writable when PIPE_BUF bytes fit, so after POLLOUT
 * a write of at most PIPE_BUF bytes does not block even though the descriptor is a blocking one.
 * O_NONBLOCK is left alone on purpose: it belongs to the open file description, which we share with
 * the process that gave it to us.
 */
#include "meter/stream.h"

#include "core/array.h"
#include "core/hash.h"
#include "core/units.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { EVENT_MAX = 256 }; /* a "dropped" line is shorter */

struct pji_stream {
    const struct pji_platform *platform;
    int64_t patience_ns;
    int fd;
    bool direct; /* a regular file: never polled, written whole */
    char *line;  /* one tick, formatted */
    size_t line_cap;
    char *ring; /* bytes that wait: [head, head + used), circular */
    size_t ring_cap, head, used;
    uint64_t hash;           /* of what was put */
    uint64_t dropped;        /* readings, since open */
    uint64_t dropped_unsaid; /* not yet in an event */
    int64_t dropped_from_ns, dropped_to_ns;
};

pj_status pji_stream_open(struct pji_stream **out, const struct pji_stream_config *config,
                          struct pj_error *err)
{
    struct pji_stream *stream;
    struct stat st;

    *out = NULL;
    if (fstat(config->fd, &st) < 0)
        return pji_fail_errno(err, errno, "cannot write the trace");
    stream = pji_zalloc(1, sizeof *stream, err);
    if (!stream)
        return PJ_ENOMEM;
    stream->platform = config->platform;
    stream->patience_ns = config->patience_ns;
    stream->fd = config->fd;
    stream->hash = PJI_FNV1A_START;
    stream->direct = S_ISREG(st.st_mode);
    stream->line_cap = (config->burst + 1) * PJI_TRACE_READING_MAX;
    stream->ring_cap = config->ring_b > stream->line_cap ? config->ring_b : stream->line_cap;
    stream->line = pji_zalloc(1, stream->line_cap, err);
    stream->ring = pji_zalloc(1, stream->ring_cap, err);
    if (!stream->line || !stream->ring) {
        pji_stream_close(stream);
        return PJ_ENOMEM;
    }
    *out = stream;
    return PJ_OK;
}

void pji_stream_close(struct pji_stream *stream)
{
    if (!stream)
        return;
    free(stream->line);
    free(stream->ring);
    free(stream);
}

/* How much went out, 0 when the descriptor is full now, or a negative errno. */
static ssize_t write_some(const struct pji_stream *stream, const char *bytes, size_t len)
{
    ssize_t wrote;

    if (!stream->direct) {
        struct pollfd pollfd = {.fd = stream->fd, .events = POLLOUT};

        if (poll(&pollfd, 1, 0) <= 0 || !(pollfd.revents & (POLLOUT | POLLERR | POLLHUP)))
            return 0;
        if (len > PIPE_BUF)
            len = PIPE_BUF;
    }
    wrote = write(stream->fd, bytes, len);
    if (wrote < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : -errno;
    return wrote;
}

static pj_status write_failed(int sys_errno, struct pj_error *err)
{
    if (sys_errno == EPIPE || sys_errno == ECONNRESET)
        return PJI_STREAM_CLOSED;
    return pji_fail_errno(err, sys_errno, "cannot write the trace");
}

pj_status pji_stream_pump(struct pji_stream *stream, struct pj_error *err)
{
    while (stream->used > 0) {
        size_t run = stream->ring_cap - stream->head;
        ssize_t wrote;

        if (run > stream->used)
            run = stream->used;
        wrote = write_some(stream, stream->ring + stream->head, run);
        if (wrote < 0)
            return write_failed((int)-wrote, err);
        if (wrote == 0)
            return PJ_OK;
        stream->head = (stream->head + (size_t)wrote) % stream->ring_cap;
        stream->used -= (size_t)wrote;
    }
    stream->head = 0; /* keeps the touched part of the ring small */
    return PJ_OK;
}

static bool keep(struct pji_stream *stream, const char *bytes, size_t len)
{
    size_t tail = (stream->head + stream->used) % stream->ring_cap;
    size_t run = stream->ring_cap - tail;

    if (len > stream->ring_cap - stream->used)
        return false;
    if (run > len)
        run = len;
    memcpy(stream->ring + tail, bytes, run);
    memcpy(stream->ring, bytes + run, len - run);
    stream->used += len;
    return true;
}

/* Writes what goes and keeps the rest; *taken is false when there was no room for all of it (then
 * nothing was written). */
static pj_status offer(struct pji_stream *stream, const char *bytes, size_t len, bool *taken,
                       struct pj_error *err)
{
    const char *all = bytes;
    size_t all_len = len;
    pj_status status = pji_stream_pump(stream, err);

    *taken = true;
    while (!status && stream->used == 0 && len > 0) {
        ssize_t wrote = write_some(stream, bytes, len);

        if (wrote < 0)
            return write_failed((int)-wrote, err);
        if (wrote == 0)
            break;
        bytes += wrote;
        len -= (size_t)wrote;
    }
    /* after a partial write the rest fits: the ring is empty and holds more than a line */
    if (!status && len > 0)
        *taken = keep(stream, bytes, len);
    if (!status && *taken)
        stream->hash = pji_fnv1a(stream->hash, all, all_len);
    return status;
}

static pj_status say_dropped(struct pji_stream *stream, struct pj_error *err)
{
    struct pji_str line = {0};
    bool taken = false;
    pj_status status;
    json_t *fields;

    if (stream->dropped_unsaid == 0 || stream->ring_cap - stream->used < EVENT_MAX)
        return PJ_OK;
    fields =
        json_pack("{s:I,s:I,s:I}", "readings", (json_int_t)stream->dropped_unsaid, "from_ns",
                  (json_int_t)stream->dropped_from_ns, "to_ns", (json_int_t)stream->dropped_to_ns);
    status = pji_trace_put_event(&line, stream->dropped_to_ns, "dropped", fields, err);
    if (!status)
        status = offer(stream, pji_str_text(&line), line.len, &taken, err);
    if (!status && taken)
        stream->dropped_unsaid = 0;
    pji_str_fini(&line);
    return status;
}

pj_status pji_stream_put(struct pji_stream *stream, const char *lines, size_t len,
                         struct pj_error *err)
{
    pj_status status = PJ_OK;

    while (len > 0 && !status) {
        size_t part = len < stream->ring_cap ? len : stream->ring_cap;
        bool taken = false;

        status = offer(stream, lines, part, &taken, err);
        if (!status && taken) {
            lines += part;
            len -= part;
        } else if (!status) {
            /* header, events and the footer are never dropped: wait for the reader */
            status = pji_stream_drain(stream, err);
        }
    }
    return status;
}

pj_status pji_stream_readings(struct pji_stream *stream, const struct pji_reading *readings,
                              size_t n, struct pj_error *err)
{
    bool taken = false;
    pj_status status;
    size_t len;

    if (n == 0)
        return PJ_OK;
    len = pji_trace_format_readings(stream->line, stream->line_cap, readings, n);
    if (len == 0)
        return pji_fail(err, PJ_EINVAL,
                        "a tick of %zu readings is more than the stream was "
                        "opened for",
                        n);
    status = pji_stream_pump(stream, err);
    if (!status)
        status = say_dropped(stream, err);
    if (!status && stream->dropped_unsaid == 0)
        status = offer(stream, stream->line, len, &taken, err);
    if (status || taken)
        return status;
    if (stream->dropped_unsaid == 0)
        stream->dropped_from_ns = readings[0].t_ns;
    stream->dropped_to_ns = readings[n - 1].t_ns;
    stream->dropped_unsaid += n;
    stream->dropped += n;
    return PJ_OK;
}

int pji_stream_poll_fd(const struct pji_stream *stream)
{
    return stream->used > 0 ? stream->fd : -1;
}

pj_status pji_stream_drain(struct pji_stream *stream, struct pj_error *err)
{
    int64_t deadline_ns = pji_now_ns(stream->platform) + stream->patience_ns;
    pj_status status = pji_stream_pump(stream, err);

    while (!status && stream->used > 0) {
        struct pollfd pollfd = {.fd = stream->fd, .events = POLLOUT};
        int64_t left_ns = deadline_ns - pji_now_ns(stream->platform);

        if (left_ns <= 0)
            return pji_fail(err, PJ_ETIMEOUT,
                            "the reader of the trace took nothing in time; "
                            "its end is lost");
        (void)poll(&pollfd, 1, left_ns > PJI_NS_PER_S ? 1000 : (int)(left_ns / PJI_NS_PER_MS) + 1);
        status = pji_stream_pump(stream, err);
    }
    /* what was dropped at the very end is said before the footer */
    if (!status && stream->dropped_unsaid > 0)
        status = say_dropped(stream, err);
    return status;
}

uint64_t pji_stream_hash(const struct pji_stream *stream)
{
    return stream->hash;
}

uint64_t pji_stream_dropped(const struct pji_stream *stream)
{
    return stream->dropped;
}
