/* See bridge.h. */
#include "cli/bridge.h"

#include "core/units.h"
#include "sources/table.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

/* ---- rows ---- */

void pji_bridge_write(struct pji_bridge *bridge, int fd)
{
    struct pj_error err = {0};
    int failed = bridge->text.failed
                     ? ENOMEM
                     : pji_lean_write(fd, pji_str_text(&bridge->text), bridge->text.len);

    if (failed) {
        (void)pji_fail_errno(&err, failed, "cannot write the table");
        pji_tally_trouble(&bridge->tally, &err);
    }
    pji_str_clear(&bridge->text);
}

static void write_row(struct pji_bridge *bridge)
{
    int64_t now_ns = pji_now_ns(&bridge->instruments.platform);

    if (bridge->row_t_ns == 0)
        return;
    pji_bridge_table_row(&bridge->table, (now_ns - bridge->row_t_ns) / PJI_NS_PER_MS,
                         bridge->row_wall_ns / PJI_NS_PER_MS, bridge->separator, &bridge->text);
    bridge->row_t_ns = 0;
    pji_bridge_write(bridge, bridge->table_fd);
}

void pji_bridge_row(struct pji_bridge *bridge, enum pji_bridge_moment moment)
{
    write_row(bridge);
    bridge->row_t_ns = pji_now_ns(&bridge->instruments.platform);
    bridge->row_wall_ns = pji_wall_ns(&bridge->instruments.platform);
    pji_bridge_table_clear(&bridge->table);
    pji_tally_take(&bridge->tally, moment != PJI_BRIDGE_BETWEEN);
    pji_bridge_host_sample(&bridge->host, &bridge->table);
    pji_bridge_energy_row(&bridge->energy, moment == PJI_BRIDGE_LAST, &bridge->table);
    if (moment != PJI_BRIDGE_BETWEEN)
        write_row(bridge);
}

void pji_bridge_write_header(struct pji_bridge *bridge)
{
    pji_bridge_table_header(&bridge->table, bridge->separator, &bridge->text);
    pji_bridge_write(bridge, bridge->table_fd);
}

/* ---- opening and closing ---- */

static pj_status open_file(int *fd, const char *path, struct pj_error *err)
{
    if (!path)
        return PJ_OK;
    *fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_TRUNC, 0666);
    if (*fd < 0)
        return pji_fail_errno(err, errno, "cannot write '%s'", path);
    return PJ_OK;
}

static pj_status open_files(struct pji_bridge *bridge, struct pj_error *err)
{
    const struct pji_args *args = &bridge->args;
    const char *child = pji_args_get(args, "command-output");
    pj_status status;

    status = open_file(&bridge->table_fd, pji_args_get(args, "output"), err);
    if (!status)
        status =
            open_file(&bridge->child_fd, child ? child : pji_args_get(args, "output-command"), err);
    if (!status)
        status = open_file(&bridge->json_fd, pji_args_get(args, "json"), err);
    if (!status)
        status = open_file(&bridge->trace_fd, pji_args_get(args, "trace"), err);
    return status;
}

/* Only what measures: a modelled column would look like a measured one in this table. */
static void choose_sources(struct pji_bridge *bridge)
{
    bool gpu = pji_args_has(&bridge->args, "gpu");
    size_t n = 0;

    for (size_t i = 0; pji_sources[i] && n < PJI_BRIDGE_SOURCES; i++) {
        const char *name = pji_sources[i]->name;
        bool gpus = strcmp(name, "nvml") == 0 || strcmp(name, "amdsmi") == 0;

        if (strncmp(name, "model", 5) != 0 && strcmp(name, "replay") != 0 && (gpu || !gpus))
            bridge->sources[n++] = pji_sources[i];
    }
}

static pj_status read_options(struct pji_bridge *bridge, struct pj_error *err)
{
    const char *separator = pji_args_get(&bridge->args, "separator");
    double limit_s;
    pj_status status = pji_args_num(&bridge->args, "max-execution", 0, &limit_s, err);

    for (size_t i = 0; bridge->args.command->options[i].name; i++) {
        if (bridge->args.command->options[i].letter == 'i' && !bridge->args.values[i])
            bridge->args.values[i] = "200";
    }
    bridge->separator = separator ? separator : ",";
    bridge->literal = pji_args_has(&bridge->args, "compat");
    if (!status && !(limit_s >= 0 && limit_s < 1e9))
        status = pji_fail(err, PJ_EINVAL, "--max-execution must be seconds, 0 for no limit");
    if (!status && !bridge->separator[0])
        status = pji_fail(err, PJ_EINVAL, "--separator must not be empty");
    if (!status)
        bridge->limit_ns = (int64_t)llround(limit_s * (double)PJI_NS_PER_S);
    return status;
}

pj_status pji_bridge_open(struct pji_bridge *bridge, const struct pji_args *args,
                          struct pj_error *err)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGPIPE, 0};
    pj_status status;

    *bridge = (struct pji_bridge){.args = *args,
                                  .signals = {.fd = -1},
                                  .table_fd = STDOUT_FILENO,
                                  .child_fd = -1,
                                  .json_fd = -1,
                                  .trace_fd = -1};
    status = read_options(bridge, err);

    if (!status)
        status = pji_signals_open(&bridge->signals, numbers, err); /* before there are threads */
    choose_sources(bridge);
    if (!status)
        status =
            pji_instruments_open_table(&bridge->instruments, &bridge->args, bridge->sources, err);
    if (!status)
        status = open_files(bridge, err);
    if (!status)
        status = pji_tally_init(&bridge->tally, &bridge->instruments, bridge->trace_fd, err);
    if (!status)
        status =
            pji_bridge_host_open(&bridge->host, &bridge->instruments.platform, &bridge->table, err);
    if (!status)
        status = pji_bridge_energy_init(&bridge->energy, &bridge->tally, bridge->literal,
                                        &bridge->table, err);
    return status;
}

void pji_bridge_close(struct pji_bridge *bridge)
{
    const int fds[] = {bridge->table_fd, bridge->child_fd, bridge->json_fd, bridge->trace_fd};

    pji_bridge_energy_fini(&bridge->energy);
    pji_bridge_host_close(&bridge->host);
    pji_bridge_table_fini(&bridge->table);
    pji_tally_fini(&bridge->tally);
    for (size_t i = 0; i < sizeof fds / sizeof fds[0]; i++) {
        if (fds[i] > STDERR_FILENO)
            (void)close(fds[i]);
    }
    pji_instruments_close(&bridge->instruments);
    /* The mask is not restored: a signal that came too late must not change the exit code. */
    if (bridge->signals.fd >= 0)
        (void)close(bridge->signals.fd);
    pji_str_fini(&bridge->text);
}
