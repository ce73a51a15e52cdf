/* perjoule record: the meter as a child process. Trace v1 to a pipe or file until standard input
 * ends, each byte that arrives there asks for a reading at once (the edge of a window), and the
 * footer at the end. perjoule-lab meters through this, so that a meter that dies is noticed and a
 * parent that dies ends the meter.
 */
#include "cli/commands_lean.h"
#include "cli/instruments.h"
#include "core/units.h"
#include "meter/stream.h"
#include "platform/signals.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

static const struct pji_option options[] = {
    PJI_INTERVAL_OPTION,
    {"out", 'o', "FILE", "where the trace goes (default: -, standard output)"},
    {"replay", 0, "TRACE", "play a recorded trace in its own time, read no instrument"},
    PJI_ROOT_OPTION,
    {0},
};

enum { LOOK = 'L' }; /* on standard input; any other byte asks for a reading alone */

struct recorder {
    struct pji_instruments instruments;
    struct pji_signals signals;
    struct pji_stream *stream;
    int fd; /* of the trace */
    bool done;
};

/* A reader that went away ends the recording without complaint. */
static pj_status settle(struct recorder *recorder, pj_status status)
{
    if (status == PJI_STREAM_CLOSED)
        recorder->done = true;
    return status > 0 ? PJ_OK : status;
}

/* As energy/trace.h wants it: before the readings whose step holds the suspended time. */
static pj_status put_suspend(struct recorder *recorder, struct pj_error *err)
{
    int64_t dur_ns = pji_meter_suspended_ns(recorder->instruments.meter);
    struct pji_str line = {0};
    pj_status status;

    if (dur_ns == 0)
        return PJ_OK;
    status = pji_trace_put_event(&line, pji_now_ns(&recorder->instruments.platform), "suspend",
                                 json_pack("{s:I}", "dur_ns", (json_int_t)dur_ns), err);
    if (!status)
        status = pji_stream_put(recorder->stream, pji_str_text(&line), line.len, err);
    pji_str_fini(&line);
    return status;
}

static pj_status take_readings(struct recorder *recorder, bool all, struct pj_error *err)
{
    const struct pji_reading *readings;
    size_t n;
    pj_status status =
        (all ? pji_meter_read : pji_meter_sample)(recorder->instruments.meter, &readings, &n, err);

    if (!status)
        status = put_suspend(recorder, err);
    if (!status)
        status = pji_stream_readings(recorder->stream, readings, n, err);
    return settle(recorder, status);
}

/* The state of the devices, for whoever judges what lies between two looks. */
static pj_status put_look(struct recorder *recorder, struct pj_error *err)
{
    const struct pji_platform *platform = &recorder->instruments.platform;
    int64_t begun_ns = pji_now_ns(platform);
    json_t *seen = pji_meter_look(recorder->instruments.meter);
    struct pji_str line = {0};
    pj_status status =
        pji_trace_put_event(&line, begun_ns, "look",
                            json_pack("{s:I, s:o*}", "dur_ns",
                                      (json_int_t)(pji_now_ns(platform) - begun_ns), "seen", seen),
                            err);

    if (!status)
        status =
            settle(recorder, pji_stream_put(recorder->stream, pji_str_text(&line), line.len, err));
    pji_str_fini(&line);
    return status;
}

static pj_status on_input(struct recorder *recorder, struct pj_error *err)
{
    char bytes[256];
    ssize_t got = read(STDIN_FILENO, bytes, sizeof bytes);
    pj_status status = PJ_OK;
    bool looked = false;

    for (ssize_t i = 0; i < got && !looked; i++)
        looked = bytes[i] == LOOK;
    if (looked)
        status = put_look(recorder, err);
    if (got > 0)
        return status ? status : take_readings(recorder, true, err);
    if (got == 0 || (errno != EAGAIN && errno != EINTR))
        recorder->done = true;
    return PJ_OK;
}

static pj_status on_signal(struct recorder *recorder, struct pj_error *err)
{
    struct pji_signal got;
    pj_status status = pji_signals_read(&recorder->signals, &got, err);

    if (status == PJ_ETIMEOUT)
        return PJ_OK;
    if (!status && got.number != SIGPIPE) /* EPIPE says the same */
        recorder->done = true;
    return status;
}

enum { TIMER, SIGNALS, INPUT, OUTPUT, POLLED };

static pj_status on_ready(struct recorder *recorder, const struct pollfd *fds, struct pj_error *err)
{
    pj_status status = PJ_OK;

    if (fds[TIMER].revents) {
        status = pji_meter_tick(recorder->instruments.meter, err);
        if (!status)
            status = take_readings(recorder, false, err);
        else if (status == PJI_METER_NO_TICK)
            status = PJ_OK;
    }
    if (!status && fds[SIGNALS].revents)
        status = on_signal(recorder, err);
    if (!status && fds[INPUT].revents)
        status = on_input(recorder, err);
    if (!status && fds[OUTPUT].revents)
        status = settle(recorder, pji_stream_pump(recorder->stream, err));
    return status;
}

static pj_status loop(struct recorder *recorder, struct pj_error *err)
{
    pj_status status = pji_meter_timer_start(recorder->instruments.meter, err);

    while (!status && !recorder->done) {
        struct pollfd fds[POLLED] = {
            [TIMER] = {.fd = pji_meter_timer_fd(recorder->instruments.meter), .events = POLLIN},
            [SIGNALS] = {.fd = recorder->signals.fd, .events = POLLIN},
            [INPUT] = {.fd = STDIN_FILENO, .events = POLLIN},
            [OUTPUT] = {.fd = pji_stream_poll_fd(recorder->stream), .events = POLLOUT},
        };

        if (poll(fds, POLLED, -1) < 0 && errno != EINTR)
            return pji_fail_errno(err, errno, "cannot wait for the next tick");
        status = on_ready(recorder, fds, err);
    }
    return status;
}

static pj_status put_header(struct recorder *recorder, struct pj_error *err)
{
    struct pji_str line = {0};
    pj_status status = pji_instruments_header(&recorder->instruments, &line, err);

    if (!status)
        status =
            settle(recorder, pji_stream_put(recorder->stream, pji_str_text(&line), line.len, err));
    pji_str_fini(&line);
    return status;
}

static pj_status put_footer(struct recorder *recorder, struct pj_error *err)
{
    struct pji_str line = {0};
    pj_status status = pji_stream_drain(recorder->stream, err);

    pji_instruments_footer(&recorder->instruments, pji_stream_hash(recorder->stream), &line);
    if (!status)
        status = pji_stream_put(recorder->stream, pji_str_text(&line), line.len, err);
    if (!status)
        status = pji_stream_drain(recorder->stream, err);
    pji_str_fini(&line);
    return settle(recorder, status);
}

static pj_status record(struct recorder *recorder, struct pj_error *err)
{
    pj_status status = put_header(recorder, err);

    if (!status)
        status = take_readings(recorder, true, err);
    if (!status)
        status = loop(recorder, err);
    /* the last reading, then the footer; both are lost only on a reader that went away. What
       lags shall have shown the end of the last window by then */
    (void)pji_meter_settle(recorder->instruments.meter);
    if (!status)
        status = take_readings(recorder, true, err);
    if (!status)
        status = put_footer(recorder, err);
    return status;
}

/* Only when everything else is in order: a wrong option must not cost anybody a file. */
static pj_status open_output(struct recorder *recorder, const char *out, struct pj_error *err)
{
    recorder->fd = STDOUT_FILENO;
    if (!out || strcmp(out, "-") == 0)
        return PJ_OK;
    recorder->fd = open(out, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (recorder->fd < 0)
        return pji_fail_errno(err, errno, "cannot write '%s'", out);
    return PJ_OK;
}

static pj_status start(struct recorder *recorder, const struct pji_args *args, struct pj_error *err)
{
    static const int numbers[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGPIPE, 0};
    struct pji_stream_config config = {.platform = &recorder->instruments.platform,
                                       .ring_b = 1 << 20,
                                       .patience_ns = 5 * PJI_NS_PER_S};
    pj_status status = pji_signals_open(&recorder->signals, numbers, err);

    if (!status)
        status =
            pji_instruments_open(&recorder->instruments, args, pji_args_get(args, "replay"), err);
    if (!status)
        status = open_output(recorder, pji_args_get(args, "out"), err);
    if (status)
        return status;
    config.fd = recorder->fd;
    config.burst = pji_meter_burst(recorder->instruments.meter);
    return pji_stream_open(&recorder->stream, &config, err);
}

static int run(const struct pji_args *args)
{
    struct recorder recorder = {.signals = {.fd = -1}, .fd = -1};
    struct pj_error err = {0};
    int code = pji_lean_check_rest(args, 0, 0, "");
    pj_status status;

    if (code)
        return code;
    status = start(&recorder, args, &err);
    if (!status)
        status = record(&recorder, &err);
    pji_stream_close(recorder.stream);
    pji_instruments_close(&recorder.instruments);
    /* The mask is not restored: a signal that came too late to matter must not change the exit
     * code of what is done. */
    if (recorder.signals.fd >= 0)
        (void)close(recorder.signals.fd);
    if (recorder.fd > STDERR_FILENO && close(recorder.fd) < 0 && !status)
        status = pji_fail_errno(&err, errno, "cannot write '%s'", pji_args_get(args, "out"));
    return status ? pji_lean_failed(args, &err) : PJI_EXIT_DONE;
}

const struct pji_command pji_cmd_record = {
    .name = "record",
    .synopsis = "[--interval MS] [--out FILE] [--root DIR]",
    .about = "write a trace of all readings until standard input ends",
    .details =
        "The trace is JSON Lines (docs/formats/trace-v1.md): a header, readings, a footer. "
        "Recording ends at the end of standard input, on SIGTERM, SIGINT, SIGHUP or SIGQUIT, or "
        "when nobody reads any more; each byte on standard input takes a reading at once, and an L "
        "an "
        "event named \"look\" before it: limits, errors and processes of the GPUs.\n\n"
        "A reader that is too slow never delays a sample: up to 1 MiB waits for it, then whole "
        "ticks are dropped and an event named \"dropped\" says how many readings were lost.",
    .options = options,
    .run = run,
};
