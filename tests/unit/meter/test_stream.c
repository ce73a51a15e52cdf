/* The trace on its way out: one write for each tick, a slow reader, a reader that went away. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/units.h"
#include "meter/stream.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct pji_platform platform;

static int setup_all(void **state)
{
    (void)state;
    (void)signal(SIGPIPE, SIG_IGN);
    return pji_platform_open_real(&platform, NULL, NULL);
}

static int teardown_all(void **state)
{
    (void)state;
    pji_platform_close_real(&platform);
    return 0;
}

static struct pji_stream *open_stream(int fd, size_t burst, size_t ring_b)
{
    struct pji_stream_config config = {.platform = &platform,
                                       .fd = fd,
                                       .burst = burst,
                                       .ring_b = ring_b,
                                       .patience_ns = 20 * PJI_NS_PER_MS};
    struct pji_stream *stream;

    assert_int_equal(pji_stream_open(&stream, &config, NULL), PJ_OK);
    return stream;
}

static pj_status put_tick(struct pji_stream *stream, int64_t t_ns, size_t n)
{
    struct pji_reading readings[8];

    assert_true(n <= 8);
    for (size_t i = 0; i < n; i++)
        readings[i] = (struct pji_reading){
            .t_ns = t_ns, .value = (int64_t)i, .channel = (int32_t)i, .status = PJI_READ_OK};
    return pji_stream_readings(stream, readings, n, NULL);
}

static void a_tick_is_one_write(void **state)
{
    struct pji_stream *stream;
    char packet[4096];
    int fds[2];

    (void)state;
    /* O_DIRECT: a pipe of packets, one for each write(2) */
    assert_int_equal(pipe2(fds, O_DIRECT | O_NONBLOCK | O_CLOEXEC), 0);
    stream = open_stream(fds[1], 8, 4096);
    for (int64_t t_ns = 1; t_ns <= 3; t_ns++)
        assert_int_equal(put_tick(stream, t_ns, 4), PJ_OK);
    for (int64_t t_ns = 1; t_ns <= 3; t_ns++) {
        char expected[128];
        ssize_t got = read(fds[0], packet, sizeof packet);

        assert_true(got > 0);
        (void)snprintf(expected, sizeof expected, "{\"t_ns\":%d,\"r\":[[0,0],[1,1],[2,2],[3,3]]}\n",
                       (int)t_ns);
        assert_int_equal(got, strlen(expected));
        assert_memory_equal(packet, expected, (size_t)got);
    }
    assert_int_equal(pji_stream_poll_fd(stream), -1);
    pji_stream_close(stream);
    (void)close(fds[0]);
    (void)close(fds[1]);
}

/* Collects what the reader of the trace sees. */
struct seen {
    size_t readings, lost, events;
    int64_t last_ns, lost_from_ns;
};

static pj_status see_reading(void *context, const struct pji_reading *reading, struct pj_error *err)
{
    struct seen *seen = context;

    (void)err;
    assert_true(reading->t_ns >= seen->last_ns);
    seen->last_ns = reading->t_ns;
    seen->readings++;
    return PJ_OK;
}

static pj_status see_event(void *context, int64_t t_ns, const char *name, const json_t *fields,
                           struct pj_error *err)
{
    struct seen *seen = context;

    (void)err;
    assert_string_equal(name, "dropped");
    seen->events++;
    seen->lost += (size_t)json_integer_value(json_object_get(fields, "readings"));
    seen->lost_from_ns = json_integer_value(json_object_get(fields, "from_ns"));
    assert_int_equal(json_integer_value(json_object_get(fields, "to_ns")), t_ns);
    assert_true(seen->lost_from_ns > seen->last_ns); /* said where they would have been */
    return PJ_OK;
}

static void put_header(struct pji_stream *stream)
{
    struct pji_channel channels[2] = {
        {.name = "a", .origin = PJ_ORIGIN_COUNTER, .companion = -1},
        {.name = "b", .origin = PJ_ORIGIN_COUNTER, .companion = -1},
    };
    struct pji_trace_header header = {.channels = channels, .n_channels = 2};
    struct pji_str line = {0};

    assert_int_equal(pji_trace_put_header(&line, &header, NULL), PJ_OK);
    assert_int_equal(pji_stream_put(stream, line.text, line.len, NULL), PJ_OK);
    pji_str_fini(&line);
}

static void drain_pipe(int fd, struct pji_trace_reader *reader)
{
    char buffer[4096];
    struct pj_error err = {0};
    ssize_t got;

    while ((got = read(fd, buffer, sizeof buffer)) > 0) {
        if (pji_trace_reader_feed(reader, buffer, (size_t)got, &err))
            fail_msg("%s", err.text);
    }
}

static void a_slow_reader_loses_nothing_silently(void **state)
{
    struct seen seen = {0};
    struct pji_trace_visitor visitor = {
        .context = &seen, .reading = see_reading, .event = see_event};
    struct pji_trace_reader *reader;
    struct pji_stream *stream;
    int64_t t_ns = 0;
    int fds[2];

    (void)state;
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    assert_int_equal(fcntl(fds[0], F_SETFL, O_NONBLOCK), 0);
    assert_true(fcntl(fds[1], F_SETPIPE_SZ, 4096) >= 4096);
    assert_int_equal(pji_trace_reader_new(&reader, "pipe", &visitor, NULL), PJ_OK);
    stream = open_stream(fds[1], 2, 8192);
    put_header(stream);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 1000; i++) /* nobody reads: never blocks */
            assert_int_equal(put_tick(stream, ++t_ns, 2), PJ_OK);
        assert_int_equal(pji_stream_poll_fd(stream), fds[1]);
        for (int i = 0; i < 10; i++) {
            drain_pipe(fds[0], reader);
            assert_int_equal(pji_stream_pump(stream, NULL), PJ_OK);
        }
        drain_pipe(fds[0], reader);
    }
    assert_int_equal(put_tick(stream, ++t_ns, 2), PJ_OK);
    drain_pipe(fds[0], reader); /* the event; the tick waits in the ring */
    assert_int_equal(pji_stream_drain(stream, NULL), PJ_OK);
    drain_pipe(fds[0], reader);
    assert_int_equal(pji_trace_reader_end(reader, NULL, NULL, NULL), PJ_OK);
    assert_true(seen.lost > 0);
    assert_int_equal(seen.events, 3);
    assert_int_equal(seen.lost, pji_stream_dropped(stream));
    assert_int_equal(seen.readings + seen.lost, 2 * 3001);
    pji_trace_reader_free(reader);
    pji_stream_close(stream);
    (void)close(fds[0]);
    (void)close(fds[1]);
}

static void what_was_dropped_last_is_said_at_the_end(void **state)
{
    struct seen seen = {0};
    struct pji_trace_visitor visitor = {
        .context = &seen, .reading = see_reading, .event = see_event};
    struct pji_trace_reader *reader;
    struct pji_stream *stream;
    int fds[2];

    (void)state;
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    assert_int_equal(fcntl(fds[0], F_SETFL, O_NONBLOCK), 0);
    assert_int_equal(pji_trace_reader_new(&reader, "pipe", &visitor, NULL), PJ_OK);
    stream = open_stream(fds[1], 2, 4096);
    put_header(stream);
    for (int i = 1; i <= 5000; i++)
        assert_int_equal(put_tick(stream, i, 2), PJ_OK);
    assert_int_equal(pji_stream_drain(stream, NULL), PJ_ETIMEOUT); /* gives up after its patience */
    do
        drain_pipe(fds[0], reader);
    while (pji_stream_drain(stream, NULL) == PJ_ETIMEOUT);
    assert_int_equal(pji_stream_drain(stream, NULL), PJ_OK);
    drain_pipe(fds[0], reader);
    assert_int_equal(seen.events, 1);
    assert_int_equal(seen.readings + seen.lost, 10000);
    pji_trace_reader_free(reader);
    pji_stream_close(stream);
    (void)close(fds[0]);
    (void)close(fds[1]);
}

static void a_reader_that_left_ends_it(void **state)
{
    struct pji_stream *stream;
    int fds[2];

    (void)state;
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    stream = open_stream(fds[1], 2, 4096);
    assert_int_equal(put_tick(stream, 1, 2), PJ_OK);
    (void)close(fds[0]);
    assert_int_equal(put_tick(stream, 2, 2), PJI_STREAM_CLOSED);
    assert_int_equal(pji_stream_put(stream, "x\n", 2, NULL), PJI_STREAM_CLOSED);
    pji_stream_close(stream);
    (void)close(fds[1]);
}

static void files_are_written_whole(void **state)
{
    char path[] = "/tmp/perjoule-test-stream-XXXXXX";
    struct pji_stream *stream;
    char text[256] = "";
    int fd = mkstemp(path);

    (void)state;
    assert_true(fd >= 0);
    stream = open_stream(fd, 2, 0);
    assert_int_equal(pji_stream_put(stream, "first\n", 6, NULL), PJ_OK);
    assert_int_equal(put_tick(stream, 7, 1), PJ_OK);
    assert_int_equal(pji_stream_drain(stream, NULL), PJ_OK);
    assert_true(pread(fd, text, sizeof text - 1, 0) > 0);
    assert_string_equal(text, "first\n{\"t_ns\":7,\"r\":[[0,0]]}\n");
    pji_stream_close(stream);
    (void)close(fd);
    (void)unlink(path);
}

static void a_full_disk_is_said(void **state)
{
    int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
    struct pji_stream *stream;
    struct pj_error err = {0};
    struct pji_reading reading = {.t_ns = 1};

    (void)state;
    if (fd < 0)
        skip();
    stream = open_stream(fd, 1, 0);
    assert_int_equal(pji_stream_readings(stream, &reading, 1, &err), PJ_ENOSPC);
    assert_non_null(strstr(err.text, "trace"));
    pji_stream_close(stream);
    (void)close(fd);
}

static void more_than_a_burst_is_refused(void **state)
{
    struct pji_reading readings[64] = {{0}};
    int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
    struct pji_stream *stream = open_stream(fd, 1, 0);

    (void)state;
    for (size_t i = 0; i < 64; i++)
        readings[i] = (struct pji_reading){.t_ns = INT64_MAX - (int64_t)i, .value = INT64_MIN};
    assert_int_equal(pji_stream_readings(stream, readings, 64, NULL), PJ_EINVAL);
    assert_int_equal(pji_stream_readings(stream, readings, 0, NULL), PJ_OK);
    pji_stream_close(stream);
    (void)close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tick_is_one_write),
        cmocka_unit_test(a_slow_reader_loses_nothing_silently),
        cmocka_unit_test(what_was_dropped_last_is_said_at_the_end),
        cmocka_unit_test(a_reader_that_left_ends_it),
        cmocka_unit_test(files_are_written_whole),
        cmocka_unit_test(a_full_disk_is_said),
        cmocka_unit_test(more_than_a_burst_is_refused),
    };

    return cmocka_run_group_tests(tests, setup_all, teardown_all);
}
