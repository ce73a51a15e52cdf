/* perjoule energibridge: the command line, the table and the summary of EnergiBridge 0.0.7, so that
 * what was written for it runs unchanged; also when perjoule is called by the name `energibridge`.
 * docs/energibridge.md holds the format and says where the total differs, and why.
 *
 * A row's Time is that of its sample; it is written when the next sample is due, and Delta says how
 * long it waited. The first and the last row are written at once. Everything that EnergiBridge does
 * not write goes to files of its own.
 */
#include "cli/bridge.h"
#include "cli/commands_lean.h"
#include "core/units.h"

#include <errno.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct pji_option options[] = {
    {"output", 'o', "FILE", "write the table to FILE (default: standard output)"},
    {"separator", 's', "TEXT", "what stands between columns (default: ,)"},
    {"command-output", 'c', "FILE", "write the standard output of the command to FILE"},
    {"output-command", 0, "FILE", "the same as --command-output"},
    {"interval", 'i', "MS", "milliseconds between rows, 0.1 to 3600000 (default: 200)"},
    {"max-execution", 'm', "S", "end the command after S seconds (default: 0, never)"},
    {"gpu", 'g', NULL, "columns of NVIDIA GPUs as well"},
    {"summary", 0, NULL, "print the energy of the CPU packages and the time at the end"},
    {"compat", 0, NULL, "the total and the columns exactly as EnergiBridge computes them"},
    {"json", 0, "FILE", "extra file: all energies with uncertainty and origin"},
    {"trace", 0, "FILE", "extra file: every reading (trace v1)"},
    PJI_ROOT_OPTION,
    {"version", 'V', NULL, "print the version"},
    {0},
};

/* ---- the run ---- */

static const int64_t grace_ns = 2 * PJI_NS_PER_S; /* between TERM and KILL */

/* A terminal has told the command already. */
static void interrupt(struct pji_bridge *bridge, bool from_terminal)
{
    static const char words[] = "\nReceived Ctrl+C, stopping...\n";
    struct pj_error err = {0};

    bridge->interrupted = true;
    (void)pji_lean_write(STDOUT_FILENO, words, sizeof words - 1);
    if (!from_terminal || pji_process_wait(&bridge->child, grace_ns, &err))
        pji_process_end(&bridge->child, grace_ns);
}

static void on_signal(struct pji_bridge *bridge)
{
    struct pji_signal got;
    struct pj_error err = {0};

    while (!bridge->child.reaped && pji_signals_read(&bridge->signals, &got, &err) == PJ_OK) {
        if (got.number != SIGPIPE) /* a write says it as well */
            interrupt(bridge, got.sender_pid == 0);
    }
}

/* Milliseconds until the command has run for long enough, at least 1; -1: no limit. */
static int rest_ms(const struct pji_bridge *bridge)
{
    int64_t rest_ns =
        bridge->start_ns + bridge->limit_ns - pji_now_ns(&bridge->instruments.platform);

    if (bridge->limit_ns == 0)
        return -1;
    return rest_ns > 0 ? (int)(fmin((double)rest_ns / 1e6, 1e9)) + 1 : 0;
}

enum { CHILD, TIMER, SIGNALS, TRACE, POLLED };

static void on_ready(struct pji_bridge *bridge, const struct pollfd *fds)
{
    struct pj_error err = {0};

    if (fds[CHILD].revents && pji_process_wait(&bridge->child, 0, &err) == PJ_OK)
        return;
    if (fds[SIGNALS].revents)
        on_signal(bridge);
    if (bridge->child.reaped)
        return;
    if (fds[TIMER].revents && pji_meter_tick(bridge->instruments.meter, &err) == PJ_OK)
        pji_bridge_row(bridge, PJI_BRIDGE_BETWEEN);
    if (fds[TRACE].revents)
        pji_tally_pump(&bridge->tally);
    if (err.code && err.code != PJ_ETIMEOUT)
        pji_tally_trouble(&bridge->tally, &err);
}

static void follow(struct pji_bridge *bridge)
{
    struct pj_error err = {0};

    if (pji_meter_timer_start(bridge->instruments.meter, &err))
        pji_tally_trouble(&bridge->tally, &err);
    while (!bridge->child.reaped) {
        struct pollfd fds[POLLED] = {
            [CHILD] = {.fd = bridge->child.pidfd, .events = POLLIN},
            [TIMER] = {.fd = pji_meter_timer_fd(bridge->instruments.meter), .events = POLLIN},
            [SIGNALS] = {.fd = bridge->signals.fd, .events = POLLIN},
            [TRACE] = {.fd = pji_tally_poll_fd(&bridge->tally), .events = POLLOUT},
        };

        if (poll(fds, POLLED, rest_ms(bridge)) >= 0)
            on_ready(bridge, fds);
        else if (errno != EINTR && pji_process_wait(&bridge->child, -1, &err))
            break;
        if (!bridge->child.reaped && rest_ms(bridge) == 0) {
            bridge->expired = true;
            pji_process_end(&bridge->child, grace_ns);
            break;
        }
    }
    bridge->end_ns = pji_now_ns(&bridge->instruments.platform);
    pji_tally_end(&bridge->tally, bridge->end_ns);
    pji_bridge_row(bridge, PJI_BRIDGE_LAST);
    if (pji_meter_settle(bridge->instruments.meter))
        pji_tally_take(&bridge->tally, true);
}

static int exec_failed(const struct pji_bridge *bridge, pj_status status,
                       const struct pj_error *err)
{
    pji_lean_say(&bridge->args, "cannot run '%s': %s", bridge->args.rest[0],
                 err->sys_errno ? strerror(err->sys_errno) : err->text);
    if (status == PJ_ENOTFOUND)
        return PJI_EXIT_NOT_FOUND;
    return status == PJ_EACCESS ? PJI_EXIT_NOT_EXECUTABLE : PJI_EXIT_OURS;
}

static void begin(struct pji_bridge *bridge)
{
    pji_bridge_row(bridge, PJI_BRIDGE_FIRST);
    bridge->start_ns = pji_now_ns(&bridge->instruments.platform);
    pji_tally_start(&bridge->tally, bridge->start_ns);
}

/* 0, or the exit code when the command could not be started. EnergiBridge samples first when the
 * command runs already. */
static int start_child(struct pji_bridge *bridge)
{
    struct pji_spawn how = {.argv = (const char *const *)bridge->args.rest,
                            .fd_in = -1,
                            .fd_out = bridge->child_fd,
                            .fd_err = -1,
                            .keep_all = true,
                            .hold = true,
                            .mask = &bridge->signals.before};
    struct pj_error err = {0};
    pj_status status = pji_process_spawn(&bridge->child, &how, &err);

    if (status) {
        pji_lean_say(&bridge->args, "%s", err.text);
        return PJI_EXIT_OURS;
    }
    pji_bridge_write_header(bridge);
    if (!bridge->literal)
        begin(bridge);
    status = pji_process_release(&bridge->child, &err);
    if (status) {
        pji_process_end(&bridge->child, 0);
        return exec_failed(bridge, status, &err);
    }
    if (bridge->literal)
        begin(bridge);
    return PJI_EXIT_DONE;
}

/* ---- after ---- */

static void write_json(struct pji_bridge *bridge, const struct pji_outcome *outcome)
{
    json_t *object = pji_outcome_json(outcome);

    pji_json_write(&bridge->text, object, 2);
    pji_str_addc(&bridge->text, '\n');
    pji_bridge_write(bridge, bridge->json_fd);
    json_decref(object);
}

/* Nobody shall take an absent column for an oversight. */
static void say_missing(struct pji_bridge *bridge)
{
    pji_str_clear(&bridge->text);
    pji_bridge_energy_why(&bridge->energy, &bridge->text);
    pji_lean_say(&bridge->args, "%s", pji_str_text(&bridge->text));
    pji_str_clear(&bridge->text);
}

/* One line on standard output, or why there is none on standard error. */
static void summarise(struct pji_bridge *bridge, const struct pji_outcome *outcome)
{
    double total_j;
    bool lacking;

    if (!pji_bridge_energy_total(&bridge->energy, outcome, &total_j, &lacking)) {
        if (pji_bridge_energy_found(&bridge->energy))
            pji_lean_say(&bridge->args, "the counters gave no energy: %s",
                         outcome->total.energy.reason);
        return;
    }
    if (lacking)
        pji_lean_say(&bridge->args, "a CPU package could not be read: the energy lacks it");
    if (!(total_j > 0)) {
        pji_lean_say(&bridge->args, "no energy: the counter did not advance%s",
                     bridge->literal ? " (or wrapped, which --compat does not repair)" : "");
        return;
    }
    pji_str_add(&bridge->text, "Energy consumption in joules: ");
    pji_bridge_add_num(&bridge->text, total_j);
    pji_str_add(&bridge->text, " for ");
    pji_bridge_add_num(&bridge->text, outcome->wall_s);
    pji_str_add(&bridge->text, " sec of execution.\n");
    pji_bridge_write(bridge, STDOUT_FILENO);
}

static int finish(struct pji_bridge *bridge)
{
    const struct pji_channel_table *table = pji_meter_channels(bridge->instruments.meter);
    struct pji_outcome outcome = {.channels = table->channels,
                                  .n = table->n,
                                  .missing = table->missing,
                                  .n_missing = table->n_missing,
                                  .wall_s = pji_s_from_ns(bridge->end_ns - bridge->start_ns),
                                  .child_status = pji_process_exit_code(bridge->child.wait_status)};
    struct pji_meter_stats stats;
    struct pj_error err = {0};
    int code = bridge->interrupted ? PJI_EXIT_FAILED
               : bridge->expired   ? PJI_EXIT_DONE
                                   : outcome.child_status;

    pji_tally_finish(&bridge->tally);
    pji_meter_stats(bridge->instruments.meter, &stats);
    outcome.samples = stats.samples;
    outcome.late_ticks = stats.late_ticks;
    outcome.own_cpu_s = stats.own_cpu_s;
    if (!pji_bridge_energy_found(&bridge->energy))
        say_missing(bridge);
    if (pji_outcome_make(&outcome, bridge->tally.run.series, true, &err)) {
        pji_tally_trouble(&bridge->tally, &err);
    } else {
        if (pji_args_has(&bridge->args, "summary"))
            summarise(bridge, &outcome);
        if (bridge->json_fd >= 0)
            write_json(bridge, &outcome);
    }
    pji_outcome_fini(&outcome);
    if (bridge->tally.trouble.code) {
        pji_lean_say(&bridge->args, "%s", bridge->tally.trouble.text);
        code = code ? code : PJI_EXIT_OURS;
    }
    return code;
}

static int energibridge(const struct pji_args *args)
{
    struct pji_bridge bridge;
    struct pj_error err = {0};
    int code;

    if (pji_args_has(args, "version")) {
        (void)puts("energibridge 0.0.7 (perjoule " PJ_VERSION ")");
        return PJI_EXIT_DONE;
    }
    if (args->n_rest == 0) {
        pji_command_help(args->command, "perjoule", stderr);
        return PJI_EXIT_FAILED;
    }
    if (pji_bridge_open(&bridge, args, &err)) {
        code = pji_lean_failed(args, &err);
        code = code == PJI_EXIT_USAGE ? code : PJI_EXIT_OURS;
    } else {
        code = start_child(&bridge);
        if (!code) {
            follow(&bridge);
            code = finish(&bridge);
        }
    }
    pji_bridge_close(&bridge);
    return code;
}

const struct pji_command pji_cmd_energibridge = {
    .name = "energibridge",
    .synopsis = "[OPTION...] [--] COMMAND [ARG...]",
    .about = "run a command as EnergiBridge does: its options, its table, its summary",
    .details =
        "For what was written for EnergiBridge 0.0.7 (docs/energibridge.md). perjoule does the "
        "same when it is called by the name energibridge, for instance through a link.\n\n"
        "The total is that of the CPU packages: of all sockets, with wraps repaired, from before "
        "the command starts until after it has ended. --compat gives what EnergiBridge would say. "
        "Where no counter can be read there are no energy columns and no summary.\n\n"
        "The exit code is that of the command; 0 when -m ended it; 1 after SIGINT or SIGTERM and "
        "when no command was given.",
    .options = options,
    .passthrough = true,
    .run = energibridge,
};
