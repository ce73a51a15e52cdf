/* session_of.h - what the tests of the library share. */
#ifndef SESSION_OF_H
#define SESSION_OF_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "live_tree.h"

#include "perjoule/perjoule.h"

#define MS INT64_C(1000000)

static inline void pause_ms(long ms)
{
    struct timespec rest = {.tv_sec = ms / 1000, .tv_nsec = (ms % 1000) * 1000000};

    while (nanosleep(&rest, &rest) < 0)
        ;
}

static inline struct pj_session *session_of(const struct pj_session_options *options)
{
    struct pj_error err = {0};
    struct pj_session *session = NULL;

    if (pj_session_open(&session, options, &err))
        fail_msg("%s", err.text);
    return session;
}

static inline pj_window begin(struct pj_session *session, const char *name)
{
    struct pj_error err = {0};
    pj_window window;

    if (pj_window_begin(session, name, &window, &err))
        fail_msg("%s", err.text);
    return window;
}

static inline void end(struct pj_session *session, pj_window window)
{
    struct pj_error err = {0};

    if (pj_window_end(session, window, &err))
        fail_msg("%s", err.text);
}

static inline struct pj_result *result_of(struct pj_session *session, pj_window window)
{
    struct pj_error err = {0};
    struct pj_result *result = NULL;

    if (pj_window_read(session, window, -1, &result, &err))
        fail_msg("%s", err.text);
    return result;
}

#endif
