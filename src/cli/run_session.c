/* cli/run_session.c - see session.h. Ctrl-C once asks the runner to finish cleanly; twice ends at
 * once: the store is consistent at every instant, the keeper and the meter end because our end of
 * their pipes closes.
 */
#include "cli/run_session.h"

#include "cli/progress.h"
#include "platform/signals.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

static void log_words(void *context, enum pji_log_level level, const char *text)
{
    (void)context;
    if (level == PJI_LOG_DEBUG)
        return;
    fprintf(stderr, "perjoule: %s%s\n", level == PJI_LOG_WARNING ? "warning: " : "", text);
}

const struct pji_log pji_cli_log = {.write = log_words};

void pji_cli_say_problems(const struct pji_study *study)
{
    for (size_t i = 0; i < study->errors.n; i++)
        fprintf(stderr, "perjoule: %s\n", study->errors.items[i].text);
    for (size_t i = 0; i < study->warnings.n; i++)
        fprintf(stderr, "perjoule: warning: %s\n", study->warnings.items[i].text);
}

struct watcher {
    struct pji_signals signals;
    int stop_fd; /* eventfd: asked to stop */
    int end_fd;  /* eventfd: the watcher itself ends */
    pthread_t thread;
    bool started;
};

static void *watch_signals(void *arg)
{
    struct watcher *w = arg;
    struct pollfd wait[2] = {{.fd = w->signals.fd, .events = POLLIN},
                             {.fd = w->end_fd, .events = POLLIN}};
    unsigned asked = 0;
    for (;;) {
        struct pji_signal signal;
        if (poll(wait, 2, -1) < 0 && errno != EINTR)
            return NULL;
        if (wait[1].revents != 0)
            return NULL;
        while (pji_signals_read(&w->signals, &signal, NULL) == PJ_OK) {
            if (asked++ > 0) {
                static const char words[] = "\nperjoule: stopped at once\n";
                ssize_t n = write(STDERR_FILENO, words, sizeof words - 1);
                (void)n;
                _exit(128 + signal.number);
            }
            uint64_t one = 1;
            ssize_t n = write(w->stop_fd, &one, sizeof one);
            (void)n;
            fputs("\nperjoule: stopping: the engine ends and the state is saved (once more: stop "
                  "at once)\n",
                  stderr);
        }
    }
}

static pj_status watcher_start(struct watcher *w, struct pj_error *err)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP, 0};
    *w = (struct watcher){.signals = {.fd = -1}};
    w->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    w->end_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (w->stop_fd < 0 || w->end_fd < 0)
        return pji_fail_errno(err, errno, "cannot create an event descriptor");
    pj_status status = pji_signals_open(&w->signals, numbers, err);
    if (status != PJ_OK)
        return status;
    int rc = pthread_create(&w->thread, NULL, watch_signals, w);
    if (rc != 0)
        return pji_fail_errno(err, rc, "cannot start the thread that watches for signals");
    w->started = true;
    return PJ_OK;
}

static void watcher_end(struct watcher *w)
{
    uint64_t one = 1;
    if (w->started) {
        ssize_t n = write(w->end_fd, &one, sizeof one);
        (void)n;
        pthread_join(w->thread, NULL);
    }
    pji_signals_leave(&w->signals);
    if (w->stop_fd >= 0)
        close(w->stop_fd);
    if (w->end_fd >= 0)
        close(w->end_fd);
}

pj_status pji_programs_find(struct pji_programs *p, struct pj_error *err)
{
    static const char *const places[] = {"perjoule", "../../bin/perjoule", "../bin/perjoule"};
    char dir[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", dir, sizeof dir - 1);
    dir[n > 0 ? n : 0] = '\0';
    char *slash = strrchr(dir, '/');
    if (slash != NULL)
        *slash = '\0';
    int len = snprintf(p->keeper, sizeof p->keeper, "%s/perjoule-keeper", dir);
    if (len < 0 || len >= PATH_MAX || access(p->keeper, X_OK) != 0)
        return pji_fail(err, PJ_ENOTFOUND,
                        "cannot run %s, under which engines are started; it belongs beside "
                        "perjoule-lab: install perjoule again",
                        p->keeper);
    const char *chosen = getenv("PERJOULE_METER");
    if (chosen != NULL && chosen[0] != '\0') {
        snprintf(p->meter, sizeof p->meter, "%s", chosen);
        return PJ_OK;
    }
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        len = snprintf(p->meter, sizeof p->meter, "%s/%s", dir, places[i]);
        if (len > 0 && len < PATH_MAX && access(p->meter, X_OK) == 0)
            return PJ_OK;
    }
    snprintf(p->meter, sizeof p->meter, "perjoule");
    return PJ_OK;
}

const char *pji_cli_lookup(const char *name)
{
    return getenv(name);
}

static int say_end(const char *dir, const struct pji_run_summary *s)
{
    fprintf(stderr, "perjoule: %zu done, %zu failed, %zu invalid, %zu open\n", s->done, s->failed,
            s->invalid, s->planned);
    if (s->disk_full)
        fprintf(stderr,
                "perjoule: the disk is full: make room, then go on with: perjoule resume %s\n",
                dir);
    else if (s->agent_lost)
        fprintf(stderr,
                "perjoule: the agent does not answer: once it does, go on with: perjoule resume "
                "%s\n",
                dir);
    else if (s->agent_refuses)
        fprintf(
            stderr,
            "perjoule: the agent refuses the trials of this study (above): once that is mended, "
            "go on with: perjoule resume %s\n",
            dir);
    else if (s->planned > 0)
        fprintf(stderr, "perjoule: go on with: perjoule resume %s\n", dir);
    else
        fprintf(stderr, "perjoule: see the answer with: perjoule report %s\n", dir);
    if (s->failed > 0)
        fprintf(stderr, "perjoule: see why trials failed with: perjoule status %s\n", dir);
    if (s->failed > 0 || s->planned > 0)
        return 1;
    return s->invalid > 0 ? 3 : 0;
}

int pji_session_run(const char *dir, const char *root, struct pji_store *store,
                    const struct pji_study *study, const struct pji_workload *workload)
{
    struct pji_programs programs;
    struct watcher watcher;
    struct pji_progress progress;
    struct pji_run_summary summary = {0};
    struct pj_error err = {0};
    /* A meter or an engine that dies closes its pipe: that is a trial's failure, not our end. */
    signal(SIGPIPE, SIG_IGN);
    const char *const keeper[] = {programs.keeper, NULL};
    pji_progress_init(&progress, stderr);
    pj_status status = watcher_start(&watcher, &err);
    if (status == PJ_OK)
        status = pji_programs_find(&programs, &err);
    if (status == PJ_OK) {
        struct pji_run_env env = {.perjoule = programs.meter,
                                  .keeper_argv = keeper,
                                  .root = root,
                                  .log = &pji_cli_log,
                                  .stop_fd = watcher.stop_fd,
                                  .lookup = pji_cli_lookup,
                                  .event = pji_progress_event,
                                  .power = pji_progress_power,
                                  .event_context = &progress};
        status = pji_study_run(&env, study, workload, store, &summary, &err);
    }
    pji_progress_fini(&progress);
    watcher_end(&watcher);
    if (status != PJ_OK) {
        fprintf(stderr, "perjoule: %s\n", err.text);
        fprintf(stderr, "perjoule: go on with: perjoule resume %s\n", dir);
        return 1;
    }
    return say_end(dir, &summary);
}
