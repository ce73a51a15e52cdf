/* perjoule measure: the energy of one command.
 *
 * The child is started held, the baseline is read, the child is released, and the last reading is
 * taken after it was reaped: no energy is lost at either end. Without --trace, sources that are
 * slow to open are opened while the child runs; their readings reach back (meter/meter.h). It keeps
 * our process group, terminal and standard streams.
 *
 * Signals. What a terminal sends (Ctrl-C, Ctrl-\, Ctrl-Z) reaches the child by itself, because it
 * is in the same process group: a signal whose sender is the kernel is not passed on. A signal that
 * somebody sent to us is. Ctrl-Z stops us as well, so that the shell sees the job stop; what passed
 * is in the energy all the same.
 */
#include "cli/commands_lean.h"
#include "cli/emissions_result.h"
#include "cli/instruments.h"
#include "cli/outcome.h"
#include "cli/tally.h"
#include "core/units.h"
#include "platform/process.h"
#include "platform/signals.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct pji_option options[] = {
    PJI_INTERVAL_OPTION,
    {"json", 'j', "FILE", "write the result as JSON; '-': to standard output when all is over"},
    {"trace", 't', "FILE", "write every reading (trace v1)"},
    {"measured-only", 0, NULL, "leave modelled energy out of the total"},
    PJI_EMISSIONS_OPTIONS,
    PJI_ROOT_OPTION,
    {0},
};

struct run {
    const struct pji_args *args;
    struct pji_instruments instruments;
    struct pji_signals signals;
    struct pji_process child;
    struct pji_tally tally;
    struct pji_emissions emissions;
    bool deferred;         /* slow sources are opened while the command runs */
    int json_fd, trace_fd; /* -1: not wanted */
    int64_t start_ns, end_ns;
};

/* ---- signals ---- */

static const int passed_on[] = {SIGHUP,  SIGINT,  SIGQUIT, SIGTERM, SIGUSR1,
                                SIGUSR2, SIGTSTP, SIGCONT, SIGPIPE, 0};

/* Stops this process as SIGTSTP does by default; returns when it is continued. */
static void stop_self(void)
{
    sigset_t set;

    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGTSTP);
    (void)raise(SIGTSTP);
    (void)pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    (void)pthread_sigmask(SIG_BLOCK, &set, NULL);
}

static void on_signal(struct run *run)
{
    struct pji_signal got;
    struct pj_error err = {0};

    while (pji_signals_read(&run->signals, &got, &err) == PJ_OK) {
        bool from_terminal = got.sender_pid == 0;

        if (got.number == SIGPIPE)
            continue;
        if (!from_terminal || (got.number != SIGINT && got.number != SIGQUIT &&
                               got.number != SIGTSTP && got.number != SIGCONT))
            (void)pji_process_signal(&run->child, got.number, &err);
        if (got.number == SIGTSTP)
            stop_self();
    }
}

/* ---- the run ---- */

enum { CHILD, TIMER, SIGNALS, TRACE, SLOW, POLLED };

/* The slow sources are open, or their time is up. */
static void adopt_slow(struct run *run)
{
    struct pj_error err = {0};
    const struct pji_channel_table *table = pji_meter_channels(run->instruments.meter);
    size_t before = table->n;

    if (pji_meter_slow_fd(run->instruments.meter) < 0)
        return;
    if (pji_meter_adopt_slow(run->instruments.meter, &err))
        pji_tally_trouble(&run->tally, &err);
    pji_tally_extend(&run->tally);
    if (table->n > before)
        pji_tally_take(&run->tally, true);
}

static void on_ready(struct run *run, const struct pollfd *fds)
{
    struct pj_error err = {0};

    if (fds[CHILD].revents && pji_process_wait(&run->child, 0, &err) == PJ_OK)
        return;
    if (fds[SIGNALS].revents)
        on_signal(run);
    if (fds[TIMER].revents && pji_meter_tick(run->instruments.meter, &err) == PJ_OK)
        pji_tally_take(&run->tally, false);
    if (fds[TRACE].revents)
        pji_tally_pump(&run->tally);
    if (fds[SLOW].revents)
        adopt_slow(run);
    if (err.code && err.code != PJ_ETIMEOUT)
        pji_tally_trouble(&run->tally, &err);
}

/* Until the child is reaped, whatever else goes wrong: it is the caller's work, not ours. */
static void follow(struct run *run)
{
    struct pj_error err = {0};

    if (pji_meter_timer_start(run->instruments.meter, &err))
        pji_tally_trouble(&run->tally, &err);
    while (!run->child.reaped) {
        struct pollfd fds[POLLED] = {
            [CHILD] = {.fd = run->child.pidfd, .events = POLLIN},
            [TIMER] = {.fd = pji_meter_timer_fd(run->instruments.meter), .events = POLLIN},
            [SIGNALS] = {.fd = run->signals.fd, .events = POLLIN},
            [TRACE] = {.fd = pji_tally_poll_fd(&run->tally), .events = POLLOUT},
            [SLOW] = {.fd = pji_meter_slow_fd(run->instruments.meter), .events = POLLIN},
        };

        if (poll(fds, POLLED, -1) >= 0)
            on_ready(run, fds);
        else if (errno != EINTR && pji_process_wait(&run->child, -1, &err))
            break;
    }
    run->end_ns = pji_now_ns(&run->instruments.platform);
    pji_tally_end(&run->tally, run->end_ns);
    pji_tally_take(&run->tally, true);
    adopt_slow(run);
    if (pji_meter_settle(run->instruments.meter))
        pji_tally_take(&run->tally, true);
}

static int exec_failed(const struct run *run, pj_status status, const struct pj_error *err)
{
    pji_lean_say(run->args, "cannot run '%s': %s", run->args->rest[0],
                 err->sys_errno ? strerror(err->sys_errno) : err->text);
    if (status == PJ_ENOTFOUND)
        return PJI_EXIT_NOT_FOUND;
    return status == PJ_EACCESS || err->sys_errno == ENOEXEC || err->sys_errno == ENOTDIR
               ? PJI_EXIT_NOT_EXECUTABLE
               : PJI_EXIT_OURS;
}

/* 0, or the exit code when the child could not be started. */
static int start_child(struct run *run)
{
    struct pji_spawn how = {.argv = (const char *const *)run->args->rest,
                            .fd_in = -1,
                            .fd_out = -1,
                            .fd_err = -1,
                            .keep_all = true,
                            .hold = true,
                            .mask = &run->signals.before};
    struct pj_error err = {0};
    pj_status status = pji_process_spawn(&run->child, &how, &err);

    if (status) {
        pji_lean_say(run->args, "%s", err.text);
        return PJI_EXIT_OURS;
    }
    pji_tally_take(&run->tally, true);
    run->start_ns = pji_now_ns(&run->instruments.platform);
    pji_tally_start(&run->tally, run->start_ns);
    status = pji_process_release(&run->child, &err);
    if (status) {
        pji_process_end(&run->child, 0);
        return exec_failed(run, status, &err);
    }
    if (run->deferred && pji_meter_start_slow(run->instruments.meter, &err))
        pji_tally_trouble(&run->tally, &err);
    return PJI_EXIT_DONE;
}

/* ---- before and after ---- */

static pj_status open_file(int *fd, const char *path, int flags, struct pj_error *err)
{
    if (!path)
        return PJ_OK;
    *fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | flags, 0666);
    if (*fd < 0)
        return pji_fail_errno(err, errno, "cannot write '%s'", path);
    return PJ_OK;
}

/* The JSON file is opened before the run, so that a long one is not spent on a path that cannot be
 * written, and cut when its new content is there. */
static pj_status open_outputs(struct run *run, struct pj_error *err)
{
    const char *json = pji_args_get(run->args, "json");
    const char *trace = pji_args_get(run->args, "trace");
    pj_status status = PJ_OK;

    if (trace && strcmp(trace, "-") == 0)
        return pji_fail(err, PJ_EINVAL,
                        "--trace needs a file: standard output belongs to the command");
    if (json && strcmp(json, "-") == 0)
        run->json_fd = STDOUT_FILENO;
    else
        status = open_file(&run->json_fd, json, 0, err);
    if (!status)
        status = open_file(&run->trace_fd, trace, O_TRUNC, err);
    return status;
}

/* A trace names all channels in its first line, and whether it can be written is said before
 * anything is spent: then the slow sources come first. */
static pj_status prepare(struct run *run, struct pj_error *err)
{
    pj_status status;

    run->deferred = !pji_args_has(run->args, "trace");
    status = run->deferred ? pji_instruments_open_deferred(&run->instruments, run->args, err)
                           : pji_instruments_open(&run->instruments, run->args, NULL, err);
    if (!status)
        status = pji_emissions_open(&run->emissions, run->args, &run->instruments.platform, err);
    if (!status)
        status = open_outputs(run, err);
    if (!status)
        status = pji_signals_open(&run->signals, passed_on, err);
    if (!status)
        status = pji_tally_init(&run->tally, &run->instruments, run->trace_fd, err);
    return status;
}

static void write_json(struct run *run, const struct pji_outcome *outcome)
{
    json_t *object = pji_outcome_json(outcome);
    struct pji_str text = {0};
    struct pj_error err = {0};
    int failed;

    pji_json_write(&text, object, 2);
    pji_str_addc(&text, '\n');
    failed = !object || text.failed ? ENOMEM : 0;
    if (!failed) {
        struct stat st;

        if (fstat(run->json_fd, &st) == 0 && S_ISREG(st.st_mode) && run->json_fd != STDOUT_FILENO)
            failed = ftruncate(run->json_fd, 0) < 0 ? errno : 0;
    }
    if (!failed)
        failed = pji_lean_write(run->json_fd, pji_str_text(&text), text.len);
    if (failed) {
        (void)pji_fail_errno(&err, failed, "cannot write the result as JSON");
        pji_tally_trouble(&run->tally, &err);
    }
    pji_str_fini(&text);
    json_decref(object);
}

static void write_emissions(struct run *run, const struct pji_outcome *outcome)
{
    struct pj_error err = {0};

    if (!run->emissions.path)
        return;
    if (run->emissions.grid.basis == PJI_GRID_MISSING)
        pji_lean_say(run->args, "emissions are missing: no region was given (--country, --cloud or "
                                "--carbon-intensity)");
    if (pji_emissions_write(&run->emissions, &run->instruments.platform, outcome, &err))
        pji_tally_trouble(&run->tally, &err);
}

/* Prints and writes the result; returns the exit code. */
static int finish(struct run *run)
{
    const struct pji_channel_table *table = pji_meter_channels(run->instruments.meter);
    struct pji_outcome outcome = {.channels = table->channels,
                                  .n = table->n,
                                  .missing = table->missing,
                                  .n_missing = table->n_missing,
                                  .wall_s = pji_s_from_ns(run->end_ns - run->start_ns),
                                  .child_status = pji_process_exit_code(run->child.wait_status)};
    struct pji_meter_stats stats;
    struct pji_str text = {0};
    struct pj_error err = {0};
    int code = outcome.child_status;

    pji_tally_finish(&run->tally);
    pji_meter_stats(run->instruments.meter, &stats);
    outcome.samples = stats.samples;
    outcome.late_ticks = stats.late_ticks;
    outcome.lateness = &stats.lateness;
    outcome.own_cpu_s = stats.own_cpu_s;
    if (run->tally.run.n == table->n &&
        pji_outcome_make(&outcome, run->tally.run.series, pji_args_has(run->args, "measured-only"),
                         &err) == PJ_OK) {
        pji_outcome_text(&outcome, "perjoule: ", &text);
        (void)pji_lean_write(STDERR_FILENO, pji_str_text(&text), text.len);
        if (run->json_fd >= 0)
            write_json(run, &outcome);
        write_emissions(run, &outcome);
        if (code == 0 && !pji_outcome_valid(&outcome))
            code = PJI_EXIT_INVALID;
    } else {
        pji_tally_trouble(&run->tally, &err);
    }
    if (run->tally.trouble.code) {
        pji_lean_say(run->args, "%s", run->tally.trouble.text);
        code = outcome.child_status ? outcome.child_status : PJI_EXIT_OURS;
    }
    pji_str_fini(&text);
    pji_outcome_fini(&outcome);
    return code;
}

static void close_all(struct run *run)
{
    pji_tally_fini(&run->tally);
    if (run->json_fd > STDERR_FILENO)
        (void)close(run->json_fd);
    if (run->trace_fd >= 0)
        (void)close(run->trace_fd);
    pji_instruments_close(&run->instruments);
    /* The mask is not restored: a signal that came too late to matter must not change the exit
     * code of what is done. */
    if (run->signals.fd >= 0)
        (void)close(run->signals.fd);
}

static int measure(const struct pji_args *args)
{
    struct run run = {.args = args, .json_fd = -1, .trace_fd = -1, .signals = {.fd = -1}};
    struct pj_error err = {0};
    int code = pji_lean_check_rest(args, 1, SIZE_MAX, "no command given");

    if (code)
        return code;
    if (prepare(&run, &err)) {
        code = pji_lean_failed(args, &err);
        code = code == PJI_EXIT_USAGE ? code : PJI_EXIT_OURS;
    } else {
        code = start_child(&run);
        if (!code) {
            follow(&run);
            code = finish(&run);
        }
    }
    close_all(&run);
    return code;
}

const struct pji_command pji_cmd_measure = {
    .name = "measure",
    .synopsis = "[OPTION...] [--] COMMAND [ARG...]",
    .about = "run a command and print the energy that the machine used meanwhile",
    .details =
        "The first reading is taken before the command starts and the last one after it has ended. "
        "The result goes to standard error; the command keeps standard input, output and error, "
        "its "
        "process group and its terminal. A signal sent to perjoule is passed on to the command, "
        "and "
        "the result is printed all the same.\n\n"
        "The exit code is that of the command (128 + n when signal n ended it); 3 when the command "
        "succeeded but no instrument gave a value; 2 for wrong options; 125 when perjoule itself "
        "failed, 126 when the command cannot be executed, 127 when it does not exist.",
    .options = options,
    .passthrough = true,
    .run = measure,
};
