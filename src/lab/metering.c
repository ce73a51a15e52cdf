/* lab/metering.c - one reader thread for each trial. The thread alone touches the trace until it
 * has ended; what others may ask for while it runs (lost, power) is kept beside it under a lock.
 */
#include "lab/metering.h"

#include "core/array.h"
#include "core/units.h"
#include "platform/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

/* NVML's calls take milliseconds, under load some ten; a library that hangs must not hold us. */
#define LOOK_WAIT_NS (2 * PJI_NS_PER_S)

struct pji_metering {
    struct pji_metering_config config;
    struct pji_process child;
    int fd_in;    /* write end of the meter's standard input */
    int fd_out;   /* read end of its standard output */
    int fd_file;  /* the trace file */
    int lost_fd;  /* eventfd */
    int first_fd; /* eventfd: a reading arrived, or the thread ended */
    pthread_t thread;
    bool thread_started;
    struct pji_trace trace; /* the thread's */
    struct pji_trace_reader *reader;
    struct pji_trace_visitor builder; /* of `trace` */
    pthread_mutex_t lock;
    pthread_cond_t looked;
    struct pji_gpu_looks looks; /* the last ones */
    uint64_t n_looks;
    bool stopping, saw_reading, ended;
    pj_status result; /* of the thread */
    struct pj_error error;
    double power_w;
    double measured_w, measured_j; /* of measured channels: power, and energy at time 0 of it */
    struct pji_temps temps;
    /* the thread's own: previous energy and time of each channel */
    double *last_uj;
    int64_t *last_ns;
    double *channel_w;
};

static bool is_measured(const struct pji_channel *channel)
{
    return channel->origin == PJ_ORIGIN_COUNTER || channel->origin == PJ_ORIGIN_INTEGRATED;
}

/* AUX channels of instruments that know how warm they are (NVML). Under the lock. */
static void update_temps(struct pji_metering *m)
{
    for (size_t i = 0; i < m->trace.header.n_channels; i++) {
        const struct pji_channel *channel = &m->trace.header.channels[i];
        const struct pji_series *s = &m->trace.series[i];
        if (channel->role == PJI_ROLE_AUX && strcmp(channel->unit, "mC") == 0 && s->n > 0)
            pji_temps_put(&m->temps, channel->name, s->points[s->n - 1].energy_uj / 1000);
    }
}

static void event_set(int fd)
{
    uint64_t one = 1;
    ssize_t written = write(fd, &one, sizeof one);
    (void)written; /* an eventfd that is already set stays set */
}

/* Power of each channel from the two latest points of its series. */
static void update_power(struct pji_metering *m)
{
    size_t n = m->trace.header.n_channels;
    if (!m->trace.has_header || n == 0)
        return;
    if (m->last_uj == NULL) {
        m->last_uj = calloc(n, sizeof *m->last_uj);
        m->last_ns = calloc(n, sizeof *m->last_ns);
        m->channel_w = calloc(n, sizeof *m->channel_w);
        if (m->last_uj == NULL || m->last_ns == NULL || m->channel_w == NULL)
            return;
        for (size_t i = 0; i < n; i++)
            m->channel_w[i] = (double)NAN;
    }
    if (m->last_ns == NULL || m->channel_w == NULL)
        return;
    double sum_w = 0, measured_w = 0, measured_j = 0;
    bool any = false, measured = false;
    for (size_t i = 0; i < n; i++) {
        const struct pji_series *s = &m->trace.series[i];
        if (s->n == 0)
            continue;
        const struct pji_point *p = &s->points[s->n - 1];
        if (m->last_ns[i] != 0 && p->t_ns > m->last_ns[i]) {
            m->channel_w[i] = pji_j_from_uj(p->energy_uj - m->last_uj[i]) /
                              pji_s_from_ns(p->t_ns - m->last_ns[i]);
        }
        m->last_uj[i] = p->energy_uj;
        m->last_ns[i] = p->t_ns;
    }
    bool in_total[256];
    if (n > sizeof in_total)
        return;
    pji_ledger_cover(m->trace.header.channels, n, false, in_total);
    for (size_t i = 0; i < n; i++) {
        if (in_total[i]) { /* NaN until each of them has been read twice */
            sum_w += m->channel_w[i];
            any = true;
            if (!is_measured(&m->trace.header.channels[i]))
                continue;
            measured = true;
            measured_w += m->channel_w[i];
            measured_j +=
                pji_j_from_uj(m->last_uj[i]) - m->channel_w[i] * pji_s_from_ns(m->last_ns[i]);
        }
    }
    pthread_mutex_lock(&m->lock);
    m->power_w = any ? sum_w : (double)NAN;
    m->measured_w = measured_w;
    m->measured_j = measured ? measured_j : (double)NAN;
    update_temps(m);
    pthread_mutex_unlock(&m->lock);
    if (m->config.on_power != NULL)
        m->config.on_power(m->config.power_context, any ? sum_w : (double)NAN);
}

/* ---- the trace as it comes: into the series, and looks to whoever waits for them ---- */

static pj_status on_header(void *context, const struct pji_trace_header *header,
                           struct pj_error *err)
{
    struct pji_metering *m = context;
    return m->builder.header(m->builder.context, header, err);
}

static pj_status on_reading(void *context, const struct pji_reading *reading, struct pj_error *err)
{
    struct pji_metering *m = context;
    return m->builder.reading(m->builder.context, reading, err);
}

static pj_status on_event(void *context, int64_t t_ns, const char *name, const json_t *fields,
                          struct pj_error *err)
{
    struct pji_metering *m = context;
    if (strcmp(name, "look") == 0) {
        pthread_mutex_lock(&m->lock);
        pji_gpu_looks_parse(&m->looks, fields);
        m->n_looks++;
        pthread_cond_broadcast(&m->looked);
        pthread_mutex_unlock(&m->lock);
    }
    return m->builder.event(m->builder.context, t_ns, name, fields, err);
}

static pj_status on_footer(void *context, const struct pji_trace_footer *footer,
                           struct pj_error *err)
{
    struct pji_metering *m = context;
    return m->builder.footer(m->builder.context, footer, err);
}

static pj_status write_all(int fd, const char *bytes, size_t len, const char *path,
                           struct pj_error *err)
{
    while (len > 0) {
        ssize_t n = write(fd, bytes, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return pji_fail_errno(err, errno, "cannot write the trace %s", path);
        bytes += n;
        len -= (size_t)n;
    }
    return PJ_OK;
}

static bool any_point(const struct pji_trace *trace)
{
    for (size_t i = 0; i < trace->header.n_channels; i++) {
        if (trace->series[i].n > 0)
            return true;
    }
    return false;
}

static void note_first(struct pji_metering *m)
{
    /* A machine on which nothing can be measured has a header and no channel: that is a first
     * answer too. */
    if (m->saw_reading || !m->trace.has_header)
        return;
    if (m->trace.header.n_channels > 0 && !any_point(&m->trace))
        return;
    pthread_mutex_lock(&m->lock);
    m->saw_reading = true;
    pthread_mutex_unlock(&m->lock);
    event_set(m->first_fd);
}

/* One read from the pipe: 0 to go on, 1 at the end of the trace, negative on failure. */
static pj_status drain_once(struct pji_metering *m, char *buffer, size_t size, int timeout_ms)
{
    struct pollfd wait = {.fd = m->fd_out, .events = POLLIN};
    int ready = poll(&wait, 1, timeout_ms);
    if (ready < 0 && errno == EINTR)
        return PJ_OK;
    if (ready <= 0)
        return pji_fail(&m->error, PJ_EPEER, "the meter said nothing for %.1f s",
                        pji_s_from_ns(m->config.silence_ns));
    ssize_t got = read(m->fd_out, buffer, size);
    if (got < 0 && (errno == EINTR || errno == EAGAIN))
        return PJ_OK;
    if (got < 0)
        return pji_fail_errno(&m->error, errno, "cannot read from the meter");
    if (got == 0)
        return 1;
    pj_status status = write_all(m->fd_file, buffer, (size_t)got, m->config.trace_path, &m->error);
    if (status == PJ_OK)
        status = pji_trace_reader_feed(m->reader, buffer, (size_t)got, &m->error);
    return status;
}

static void *drain(void *arg)
{
    struct pji_metering *m = arg;
    enum { SIZE = 1 << 16 };
    char *buffer = malloc(SIZE);
    pj_status status = buffer != NULL ? PJ_OK : PJ_ENOMEM;
    int timeout_ms = (int)(m->config.silence_ns / PJI_NS_PER_MS);
    while (status == PJ_OK) {
        status = drain_once(m, buffer, SIZE, timeout_ms < 1 ? 1 : timeout_ms);
        if (status == PJ_OK) {
            note_first(m);
            update_power(m);
        }
    }
    pthread_mutex_lock(&m->lock);
    bool early = status == 1 && !m->stopping;
    m->result = status == 1 ? PJ_OK : status;
    if (early)
        m->result = pji_fail(&m->error, PJ_EPEER, "the meter ended before it was asked to");
    bool lost = m->result != PJ_OK;
    pthread_mutex_unlock(&m->lock);
    if (lost)
        event_set(m->lost_fd);
    event_set(m->first_fd);
    pthread_mutex_lock(&m->lock);
    m->ended = true;
    pthread_cond_broadcast(&m->looked);
    pthread_mutex_unlock(&m->lock);
    free(buffer);
    return NULL;
}

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static void metering_free(struct pji_metering *m)
{
    close_fd(&m->fd_in);
    if (m->child.pid > 0 && !m->child.reaped)
        pji_process_end(&m->child, m->config.silence_ns);
    if (m->thread_started)
        pthread_join(m->thread, NULL);
    close_fd(&m->fd_out);
    close_fd(&m->fd_file);
    close_fd(&m->lost_fd);
    close_fd(&m->first_fd);
    pji_trace_reader_free(m->reader);
    pji_trace_fini(&m->trace);
    pthread_cond_destroy(&m->looked);
    pthread_mutex_destroy(&m->lock);
    free(m->last_uj);
    free(m->last_ns);
    free(m->channel_w);
    free(m);
}

/* Cores of the meter: the last one where there are at least four, so that it neither disturbs the
 * engine nor waits for it. */
static const char *meter_core(char *text, size_t size)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    if (cores < 4)
        return NULL;
    snprintf(text, size, "%ld", cores - 1);
    return text;
}

static pj_status spawn_meter(struct pji_metering *m, struct pj_error *err)
{
    int in[2] = {-1, -1};
    int out[2] = {-1, -1};
    pj_status status = PJ_OK;
    if (pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0) {
        status = pji_fail_errno(err, errno, "cannot create a pipe to the meter");
    } else {
        char interval[32];
        char core[32];
        snprintf(interval, sizeof interval, "%g", pji_ms_from_ns(m->config.interval_ns));
        const char *argv[8] = {m->config.perjoule, "record", "--interval", interval};
        if (m->config.root != NULL) {
            argv[4] = "--root";
            argv[5] = m->config.root;
        }
        struct pji_spawn how = {.argv = argv,
                                .fd_in = in[0],
                                .fd_out = out[1],
                                .fd_err = -1,
                                .new_session = true,
                                .cpus = meter_core(core, sizeof core)};
        status = pji_process_spawn(&m->child, &how, err);
    }
    close_fd(&in[0]);
    close_fd(&out[1]);
    if (status == PJ_OK) {
        m->fd_in = in[1];
        m->fd_out = out[0];
        fcntl(m->fd_in, F_SETFL, O_NONBLOCK);
        return PJ_OK;
    }
    close_fd(&in[1]);
    close_fd(&out[0]);
    pji_error_prefix(err, "cannot start the meter");
    return status;
}

static pj_status wait_first(struct pji_metering *m, struct pj_error *err)
{
    struct pollfd wait = {.fd = m->first_fd, .events = POLLIN};
    int timeout_ms = (int)(m->config.silence_ns / PJI_NS_PER_MS);
    int ready;
    do {
        ready = poll(&wait, 1, timeout_ms);
    } while (ready < 0 && errno == EINTR);
    pthread_mutex_lock(&m->lock);
    bool saw = m->saw_reading;
    pthread_mutex_unlock(&m->lock);
    if (saw)
        return PJ_OK;
    if (ready == 0)
        return pji_fail(err, PJ_ETIMEOUT, "the meter gave no reading within %.1f s",
                        pji_s_from_ns(m->config.silence_ns));
    return pji_fail(err, PJ_EPEER, "the meter ended at once: run `perjoule devices` to see why");
}

pj_status pji_metering_start(struct pji_metering **out, const struct pji_metering_config *config,
                             struct pj_error *err)
{
    struct pji_metering *m = pji_zalloc(1, sizeof *m, err);
    if (m == NULL)
        return PJ_ENOMEM;
    m->config = *config;
    m->fd_in = m->fd_out = m->fd_file = -1;
    m->power_w = m->measured_j = (double)NAN;
    m->child.pidfd = m->child.gate_fd = m->child.exec_fd = -1;
    pthread_mutex_init(&m->lock, NULL);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&m->looked, &monotonic);
    pthread_condattr_destroy(&monotonic);
    m->lost_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    m->first_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    pj_status status = PJ_OK;
    if (m->lost_fd < 0 || m->first_fd < 0)
        status = pji_fail_errno(err, errno, "cannot create an event descriptor");
    if (status == PJ_OK) {
        m->fd_file = open(config->trace_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
        if (m->fd_file < 0)
            status = pji_fail_errno(err, errno, "cannot create the trace %s", config->trace_path);
    }
    m->builder = pji_trace_builder(&m->trace);
    struct pji_trace_visitor visitor = {.context = m,
                                        .header = on_header,
                                        .reading = on_reading,
                                        .event = on_event,
                                        .footer = on_footer};
    if (status == PJ_OK)
        status = pji_trace_reader_new(&m->reader, config->trace_path, &visitor, err);
    if (status == PJ_OK)
        status = spawn_meter(m, err);
    if (status == PJ_OK && config->on_process != NULL)
        status =
            config->on_process(config->context, "meter", m->child.pid, m->child.start_ticks, err);
    if (status == PJ_OK) {
        int rc = pthread_create(&m->thread, NULL, drain, m);
        m->thread_started = rc == 0;
        if (rc != 0)
            status = pji_fail_errno(err, rc, "cannot start the thread that reads the meter");
    }
    if (status == PJ_OK)
        status = wait_first(m, err);
    if (status != PJ_OK) {
        metering_free(m);
        return status;
    }
    *out = m;
    return PJ_OK;
}

void pji_metering_mark(struct pji_metering *metering)
{
    ssize_t written = write(metering->fd_in, "\n", 1);
    (void)written; /* see the header: the edge is then interpolated */
}

bool pji_metering_look(struct pji_metering *m, struct pji_gpu_looks *looks)
{
    int64_t until_ns = pji_clock_ns(CLOCK_MONOTONIC) + LOOK_WAIT_NS;
    struct timespec until = {.tv_sec = until_ns / PJI_NS_PER_S, .tv_nsec = until_ns % PJI_NS_PER_S};
    looks->n = 0;
    pthread_mutex_lock(&m->lock);
    uint64_t before = m->n_looks;
    int rc = write(m->fd_in, "L", 1) == 1 ? 0 : EPIPE;
    while (rc == 0 && m->n_looks == before && !m->ended)
        rc = pthread_cond_timedwait(&m->looked, &m->lock, &until);
    bool seen = m->n_looks > before;
    if (seen)
        *looks = m->looks;
    pthread_mutex_unlock(&m->lock);
    return seen;
}

int pji_metering_lost_fd(const struct pji_metering *metering)
{
    return metering->lost_fd;
}

double pji_metering_power_w(struct pji_metering *metering)
{
    pthread_mutex_lock(&metering->lock);
    double power_w = metering->power_w;
    pthread_mutex_unlock(&metering->lock);
    return power_w;
}

double pji_metering_energy_j(struct pji_metering *metering, int64_t t_ns)
{
    pthread_mutex_lock(&metering->lock);
    double energy_j = metering->measured_j + metering->measured_w * pji_s_from_ns(t_ns);
    pthread_mutex_unlock(&metering->lock);
    return energy_j;
}

void pji_metering_temps(struct pji_metering *metering, struct pji_temps *temps)
{
    pthread_mutex_lock(&metering->lock);
    for (size_t i = 0; i < metering->temps.n; i++)
        pji_temps_put(temps, metering->temps.at[i].name, metering->temps.at[i].temp_c);
    pthread_mutex_unlock(&metering->lock);
}

pj_status pji_metering_stop(struct pji_metering *metering, struct pji_trace *trace,
                            struct pj_error *err)
{
    struct pji_metering *m = metering;
    pthread_mutex_lock(&m->lock);
    m->stopping = true;
    pthread_mutex_unlock(&m->lock);
    close_fd(&m->fd_in);
    /* The thread ends at the meter's end of file, or when it has been silent for too long. */
    pthread_join(m->thread, NULL);
    m->thread_started = false;
    bool complete = false;
    bool torn = false;
    pj_status status = m->result;
    if (status != PJ_OK) {
        if (err != NULL && err->code == 0)
            *err = m->error;
    } else {
        status = pji_trace_reader_end(m->reader, &complete, &torn, err);
        if (status == PJ_OK && (!complete || torn))
            status = pji_fail(err, PJ_EPEER, "the meter ended without finishing its trace %s",
                              m->config.trace_path);
        else if (status == PJ_OK && m->trace.footer.seal == PJI_SEAL_BROKEN)
            status = pji_fail(err, PJ_EPEER,
                              "the trace %s is not what the meter wrote: its digest does not fit",
                              m->config.trace_path);
    }
    if (status == PJ_OK) {
        *trace = m->trace;
        memset(&m->trace, 0, sizeof m->trace);
    }
    metering_free(m);
    return status;
}
