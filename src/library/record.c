/* library/record.c - the trace file of a session: the same lines that `perjoule record` writes, and
 * an event for each window that ended. A trace that cannot be written does not stop the meter; it
 * is reported when the session stops.
 */
#include "library/session.h"

#include "core/units.h"
#include "sources/machine.h"

#include <fcntl.h>
#include <unistd.h>

/* Takes over a failure; the trace ends there. */
static void written(struct pj_session *session, pj_status status, const struct pj_error *why)
{
    if (!status)
        return;
    session->unwritten = status < 0 ? status : PJ_EPEER;
    session->unwritten_why = *why;
    if (status > 0)
        session->unwritten_why =
            (struct pj_error){.code = PJ_EPEER, .text = "nobody reads the trace any more"};
    pji_stream_close(session->stream);
    session->stream = NULL;
}

pj_status pji_session_record_open(struct pj_session *session, const char *path, int64_t interval_ns,
                                  struct pj_error *err)
{
    struct pji_stream_config config = {.platform = &session->platform,
                                       .burst = pji_meter_burst(session->meter),
                                       .ring_b = 1 << 20,
                                       .patience_ns = PJI_NS_PER_S};
    struct pji_str line = {0};
    struct pji_trace_header header = session->trace.header;
    pj_status status;

    if (!path)
        return PJ_OK;
    session->trace_fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (session->trace_fd < 0)
        return pji_fail_errno(err, errno, "cannot write the trace '%s'", path);
    config.fd = session->trace_fd;
    header.interval_ns = interval_ns;
    header.machine = pji_machine_facts(&session->platform);
    header.schedule = pji_meter_schedule(session->meter);
    header.instruments = pji_meter_describe(session->meter);
    status = pji_stream_open(&session->stream, &config, err);
    if (!status)
        status = pji_trace_put_header(&line, &header, err);
    if (!status)
        status = pji_stream_put(session->stream, pji_str_text(&line), line.len, err);
    json_decref(header.machine);
    json_decref(header.schedule);
    json_decref(header.instruments);
    pji_str_fini(&line);
    if (status > 0)
        status = pji_fail(err, PJ_EPEER, "nobody reads the trace '%s'", path);
    return status;
}

void pji_quiet_begin(struct pji_quiet *quiet)
{
    sigset_t pending, pipe;

    (void)sigemptyset(&pipe);
    (void)sigaddset(&pipe, SIGPIPE);
    (void)sigpending(&pending);
    quiet->pending = sigismember(&pending, SIGPIPE) == 1;
    (void)pthread_sigmask(SIG_BLOCK, &pipe, &quiet->before);
}

void pji_quiet_end(const struct pji_quiet *quiet)
{
    const struct timespec now = {0};
    sigset_t pipe;

    (void)sigemptyset(&pipe);
    (void)sigaddset(&pipe, SIGPIPE);
    while (!quiet->pending && sigtimedwait(&pipe, NULL, &now) < 0 && errno == EINTR)
        ;
    (void)pthread_sigmask(SIG_SETMASK, &quiet->before, NULL);
}

static void put_event(struct pj_session *session, const char *name, json_t *fields)
{
    struct pj_error err = {0};
    struct pji_str line = {0};
    pj_status status =
        pji_trace_put_event(&line, pji_now_ns(&session->platform), name, fields, &err);

    if (!status)
        status = pji_stream_put(session->stream, pji_str_text(&line), line.len, &err);
    pji_str_fini(&line);
    written(session, status, &err);
}

void pji_session_record_readings(struct pj_session *session, const struct pji_reading *readings,
                                 size_t n, int64_t suspended_ns)
{
    struct pj_error err = {0};

    if (session->stream && suspended_ns > 0)
        put_event(session, "suspend", json_pack("{s:I}", "dur_ns", (json_int_t)suspended_ns));
    if (session->stream)
        written(session, pji_stream_readings(session->stream, readings, n, &err), &err);
}

static void record_window(void *context, struct pji_window_slot *slot)
{
    struct pj_session *session = context;

    if (slot->recorded || !session->stream)
        return;
    slot->recorded = true;
    put_event(session, "window",
              json_pack("{s:s, s:I, s:I}", "window", slot->name, "start_ns",
                        (json_int_t)atomic_load(&slot->start_ns), "end_ns",
                        (json_int_t)atomic_load(&slot->end_ns)));
}

void pji_session_record_windows(struct pj_session *session)
{
    if (session->stream)
        pji_pool_visit_ended(&session->pool, record_window, session);
}

void pji_session_record_end(struct pj_session *session)
{
    struct pji_meter_stats stats;
    struct pji_trace_footer footer = {.t_ns = pji_now_ns(&session->platform),
                                      .seal = PJI_SEAL_INTACT};
    const struct pji_platform_ops *ops = session->platform.ops;
    struct pji_str line = {0};
    struct pj_error err = {0};
    pj_status status;

    pji_session_record_windows(session);
    if (!session->stream)
        return;
    pji_meter_stats(session->meter, &stats);
    footer.samples = stats.samples;
    footer.late_ticks = stats.late_ticks;
    /* the process is not ours: of the thread that samples */
    footer.own_cpu_s = pji_s_from_ns(ops->clock_ns(session->platform.context, PJI_CLOCK_THREAD));
    footer.lateness = stats.lateness;
    status = pji_stream_drain(session->stream, &err);
    footer.hash = pji_stream_hash(session->stream);
    pji_trace_put_footer(&line, &footer);
    if (!status)
        status = pji_stream_put(session->stream, pji_str_text(&line), line.len, &err);
    if (!status)
        status = pji_stream_drain(session->stream, &err);
    pji_str_fini(&line);
    written(session, status, &err);
}

void pji_session_record_close(struct pj_session *session)
{
    pji_stream_close(session->stream);
    session->stream = NULL;
    if (session->trace_fd >= 0 && close(session->trace_fd) < 0 && !session->unwritten)
        session->unwritten =
            pji_fail_errno(&session->unwritten_why, errno, "cannot write the trace");
    session->trace_fd = -1;
}
