/* perjoule/window.h - energy between two moments of a program. Windows have names, may nest and
 * overlap in any way, and may begin in one thread and end in another.
 *
 * Beginning and ending only take a time stamp (well below a microsecond; docs/performance.md): no
 * lock, no allocation, no reading of an instrument. The energy is computed from the readings when
 * the window is read, by the code that `perjoule replay --windows` runs on a trace.
 */
#ifndef PERJOULE_WINDOW_H
#define PERJOULE_WINDOW_H

#include "perjoule/energy.h"
#include "perjoule/session.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A handle: a number that is never used again, so that a window that was freed is recognised.
 * 0 is never a window. */
typedef uint64_t pj_window;

enum { PJ_WINDOW_NAME = 96 }; /* bytes of a name with its end */

/* Names need not be unique; UTF-8, shorter than PJ_WINDOW_NAME; NULL is "". The last thing done is
 * to take the time. On failure *window is 0.
 *
 * PJ_EINVAL: the name. PJ_EBUSY: max_windows exist; free those that were read. PJ_ESTATE: the
 * session was stopped, or belongs to another process. */
PJ_API pj_status pj_window_begin(struct pj_session *session, const char *name, pj_window *window,
                                 struct pj_error *err);

/* PJ_ESTATE: it has ended before (its end stands). PJ_EINVAL: no window of this session. */
PJ_API pj_status pj_window_end(struct pj_session *session, pj_window window, struct pj_error *err);

/* The energy of one source in a window. Allocated by the library: fields are only ever added at
 * the end. */
struct pj_part {
    const struct pj_source *source;
    struct pj_energy energy; /* J; missing with a reason where there is no value */
    int in_total;            /* the total has added it */
};

/* Owned by the caller (pj_result_free), independent of session and window. Allocated by the
 * library: fields are only ever added at the end. */
struct pj_result {
    const char *name;
    int64_t start_ns, end_ns;  /* CLOCK_MONOTONIC */
    struct pj_energy total;    /* J; of a set of domains that do not overlap */
    struct pj_energy measured; /* its counter and integrated part */
    struct pj_energy modelled; /* its modelled and constant part */
    const char *label;         /* "machine", or what the total is instead */
    size_t part_count;
};

/* NULL beyond the last one. Borrowed until pj_result_free. */
PJ_API const struct pj_part *pj_result_part(const struct pj_result *result, size_t i);

/* The energy of a window that has ended. Waits until every instrument has shown its end: at most
 * wait_ns; 0 does not wait, negative waits as long as it makes sense (up to 5 s, where an
 * instrument does not answer). An alternative reading of a domain (a GPU's energy counter beside
 * its power samples) is not waited for: it can be missing, or marked, where the total is not. May
 * be repeated; each time with all readings until now.
 *
 * PJ_WINDOW_EARLY (positive, with a result): the time was up first. Parts that are behind say so:
 * PJ_QUALITY_EDGE, or missing.
 * PJ_ESTATE: it has not ended. PJ_EINVAL: no window of this session. Others: sampling has failed.
 * *result is NULL then. */
enum { PJ_WINDOW_EARLY = 1 };
PJ_API pj_status pj_window_read(struct pj_session *session, pj_window window, int64_t wait_ns,
                                struct pj_result **result, struct pj_error *err);
PJ_API void pj_result_free(struct pj_result *result); /* NULL is allowed */

/* Gives the window's place back, whether it has ended or not. Readings that no window needs any
 * more are folded away: memory is bounded by the number of windows that exist, not by time. Not at
 * the same time as another call on the same window. PJ_EINVAL: no window of this session. */
PJ_API pj_status pj_window_free(struct pj_session *session, pj_window window, struct pj_error *err);

#ifdef __cplusplus
}
#endif
#endif
