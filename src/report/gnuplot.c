/* report/gnuplot.c - gnuplot as a child. A script goes in through an anonymous file on standard
 * input. Nothing of the user's surroundings gets into a picture: no start-up file (-d), no locale,
 * no time zone. `env` is the program that sets those two, so a missing gnuplot is its exit 127.
 */
#include "report/gnuplot.h"

#include "core/units.h"
#include "platform/process.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { MAX_AT_ONCE = 4, DEADLINE_S = 300 };

struct worker {
    int fd, sink;
    struct pji_process child;
};

static pj_status write_all(int fd, const char *bytes, size_t len, struct pj_error *err)
{
    while (len > 0) {
        ssize_t n = write(fd, bytes, len);
        if (n < 0 && errno != EINTR)
            return pji_fail_errno(err, errno, "cannot hand the plot to gnuplot");
        bytes += n > 0 ? n : 0;
        len -= n > 0 ? (size_t)n : 0;
    }
    return lseek(fd, 0, SEEK_SET) == 0 ? PJ_OK
                                       : pji_fail_errno(err, errno, "cannot hand the plot over");
}

static pj_status start(struct worker *w, const struct pji_str *script, const char *dir,
                       struct pj_error *err)
{
    static const char *const argv[] = {"env", "TZ=UTC0", "LC_ALL=C", "gnuplot", "-d", "-", NULL};
    w->fd = memfd_create("plot", MFD_CLOEXEC);
    w->sink = memfd_create("words", MFD_CLOEXEC);
    if (w->fd < 0 || w->sink < 0)
        return pji_fail_errno(err, errno, "cannot hand the plot to gnuplot");
    pj_status status = write_all(w->fd, pji_str_text(script), script->len, err);
    if (status != PJ_OK)
        return status;
    struct pji_spawn how = {
        .argv = argv, .cwd = dir, .fd_in = w->fd, .fd_out = w->sink, .fd_err = w->sink};
    return pji_process_spawn(&w->child, &how, err);
}

/* The first line that says something: gnuplot begins with empty lines and the offending text. */
static void first_words(int sink, char *words, size_t size)
{
    ssize_t n = pread(sink, words, size - 1, 0);
    words[n > 0 ? n : 0] = '\0';
    char *error = strstr(words, "line ");
    char *from = error != NULL ? error : words + strspn(words, "\n ");
    from[strcspn(from, "\n")] = '\0';
    memmove(words, from, strlen(from) + 1);
}

static pj_status finish(struct worker *w, struct pj_error *err)
{
    char words[600] = "";
    pj_status status = pji_process_wait(&w->child, DEADLINE_S * PJI_NS_PER_S, err);
    if (status == PJ_ETIMEOUT) {
        pji_process_end(&w->child, 0);
        return pji_fail(err, PJ_ETIMEOUT, "gnuplot did not finish within %d s", DEADLINE_S);
    }
    if (status != PJ_OK)
        return status;
    int code = pji_process_exit_code(w->child.wait_status);
    if (code == 127 || code == 126)
        return pji_fail(err, PJ_ENOTFOUND,
                        "gnuplot is missing, so there are no pictures: install gnuplot-nox");
    first_words(w->sink, words, sizeof words);
    if (code != 0)
        return pji_fail(err, PJ_EPEER, "gnuplot failed (exit code %d): %s", code, words);
    return PJ_OK;
}

pj_status pji_gnuplot_run(const struct pji_str *scripts, size_t n, const char *dir,
                          struct pj_error *err)
{
    struct worker workers[MAX_AT_ONCE] = {0};
    size_t started = 0;
    pj_status status = PJ_OK;
    if (n > MAX_AT_ONCE)
        return pji_fail(err, PJ_EINVAL, "too many scripts at once");
    for (size_t i = 0; i < n; i++)
        workers[i].fd = workers[i].sink = -1;
    for (; started < n && status == PJ_OK; started++)
        status = start(&workers[started], &scripts[started], dir, err);
    for (size_t i = 0; i < started; i++) {
        if (workers[i].child.pid > 0 && !workers[i].child.reaped) {
            pj_status end = finish(&workers[i], err);
            status = status == PJ_OK ? end : status;
        }
    }
    for (size_t i = 0; i < started; i++) {
        if (workers[i].fd >= 0)
            close(workers[i].fd);
        if (workers[i].sink >= 0)
            close(workers[i].sink);
    }
    return status;
}
