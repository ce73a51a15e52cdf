/* library/session.h - inside of a session; private to library/.
 *
 * Who touches what: the meter and the sampler's own fields belong to the sampler's thread from its
 * start to its end; everything below `lock` is guarded by it; the pool needs no lock, but a window
 * is freed under it, so that whoever holds it can look at the ones that ended. The rest is constant
 * after pj_session_open.
 */
#ifndef PJI_LIBRARY_SESSION_H
#define PJI_LIBRARY_SESSION_H

#include "perjoule/perjoule.h"

#include "library/pool.h"
#include "meter/meter.h"
#include "meter/stream.h"

#include <pthread.h>
#include <signal.h>

struct pj_session {
    pid_t owner;
    struct pji_platform platform;
    struct pji_log log;
    void (*say)(void *context, const char *text);
    void *say_context;
    bool measured_only;
    struct pj_source *sources; /* views of the channels that are energies */
    size_t n_sources;
    struct pj_missing *missing; /* views */
    size_t n_missing;
    int64_t settling_ns, refresh_ns; /* the longest of all channels */
    struct pji_pool pool;
    _Atomic bool stopped; /* no window may begin */
    int wake_fd;
    bool platform_open, lock_made, started;

    /* the sampler's */
    struct pji_meter *meter;
    pthread_t thread;
    int64_t *edges_ns; /* 2 for each window */
    size_t fold_at;    /* points of a series */

    pthread_mutex_t lock;
    pthread_cond_t news; /* readings came, or the sampler ended */
    struct pji_trace trace;
    struct pji_trace_visitor feed; /* into trace */
    uint64_t asked, answered;      /* readings out of turn */
    bool running, stop, joining;
    pj_status failed; /* of sampling */
    struct pj_error failed_why;

    /* the trace file; also guarded by the lock */
    struct pji_stream *stream; /* NULL: none, or it has failed */
    int trace_fd;
    pj_status unwritten;
    struct pj_error unwritten_why;
};

/* sampler.c */
pj_status pji_session_sample_first(struct pj_session *session, struct pj_error *err);
pj_status pji_session_start(struct pj_session *session, struct pj_error *err);
/* Asks the sampler for a reading now, or for the end. */
void pji_session_wake(const struct pj_session *session);

/* record.c: failures are kept in `unwritten`, sampling goes on */
pj_status pji_session_record_open(struct pj_session *session, const char *path, int64_t interval_ns,
                                  struct pj_error *err);
void pji_session_record_readings(struct pj_session *session, const struct pji_reading *readings,
                                 size_t n, int64_t suspended_ns);
void pji_session_record_windows(struct pj_session *session);
void pji_session_record_end(struct pj_session *session);
void pji_session_record_close(struct pj_session *session);

/* A trace may be a pipe whose reader goes away, and the program's threads have SIGPIPE as they
 * like: around writes that a caller's thread makes. */
struct pji_quiet {
    sigset_t before;
    bool pending; /* one was there already: it is not ours */
};
void pji_quiet_begin(struct pji_quiet *quiet);
void pji_quiet_end(const struct pji_quiet *quiet);

/* listing.c */
pj_status pji_session_list(struct pj_session *session, struct pj_error *err);
void pji_source_view(struct pj_source *source, const struct pji_channel *channel);
bool pji_source_is(const struct pji_channel *channel); /* an energy, not a companion of one */
bool pji_source_is_alternative(const struct pji_channel *channel); /* of another source's domain */

/* PJ_ESTATE in a child of the process that opened the session. */
pj_status pji_session_check(const struct pj_session *session, struct pj_error *err);

#endif
