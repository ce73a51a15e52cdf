/* proc(5): /proc/stat has one line "cpuN user nice system …" for each CPU that is on line, in front
 * of everything else; /proc/meminfo is in KiB; used memory is MemTotal - MemAvailable. The
 * frequency is cpufreq's scaling_cur_freq (kHz; Documentation/admin-guide/pm/cpufreq.rst) or, where
 * there is no cpufreq, "cpu MHz" of /proc/cpuinfo.
 */
#include "cli/bridge_host.h"

#include "core/array.h"
#include "core/num.h"
#include "sources/cpu_stat.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT_B = 1 << 20, MAX_CPUS = 8192 };

struct pji_bridge_cpu {
    int number;
    int freq_handle; /* -1: from /proc/cpuinfo, if at all */
    bool has_freq, has_last;
    size_t usage_column, freq_column;
    struct pji_cpu_stat last;
};

static int open_file(const struct pji_bridge_host *host, const char *path)
{
    int handle = host->platform->ops->open(host->platform->context, path);

    return handle < 0 ? -1 : handle;
}

static void close_file(const struct pji_bridge_host *host, int handle)
{
    if (handle >= 0)
        host->platform->ops->close(host->platform->context, handle);
}

/* The whole file, as far as there is room, NUL-terminated. */
static const char *read_file(struct pji_bridge_host *host, int handle)
{
    size_t len = 0;

    while (handle >= 0 && len < TEXT_B) {
        ssize_t got = host->platform->ops->pread(host->platform->context, handle, host->text + len,
                                                 TEXT_B - len, (off_t)len);

        if (got <= 0)
            break;
        len += (size_t)got;
    }
    host->text[len] = '\0';
    return host->text;
}

/* Behind the end of this line, NULL at the end of the text. */
static const char *next_line(const char *at)
{
    const char *end = strchr(at, '\n');

    return end && end[1] ? end + 1 : NULL;
}

static struct pji_bridge_cpu *find_cpu(const struct pji_bridge_host *host, long number)
{
    for (size_t i = 0; i < host->n_cpus; i++) {
        if (host->cpus[i].number == number)
            return &host->cpus[i];
    }
    return NULL;
}

/* ---- usage ---- */

/* The line "cpuN …" at `at`: false when it is none. */
static bool parse_cpu(const char *at, int *number, struct pji_cpu_stat *stat)
{
    char line[256];
    char *rest;
    long value;

    if (strncmp(at, "cpu", 3) != 0 || at[3] < '0' || at[3] > '9')
        return false;
    value = strtol(at + 3, &rest, 10);
    if (value < 0 || value >= MAX_CPUS || *rest != ' ')
        return false;
    *number = (int)value;
    (void)snprintf(line, sizeof line, "cpu %.*s\n", (int)strcspn(rest, "\n"), rest);
    return pji_cpu_stat_parse(line, strlen(line), stat) == 0;
}

static void sample_usage(struct pji_bridge_host *host, struct pji_bridge_table *table)
{
    for (const char *at = read_file(host, host->stat_handle); at; at = next_line(at)) {
        struct pji_cpu_stat stat;
        struct pji_bridge_cpu *cpu;
        int number;

        if (!parse_cpu(at, &number, &stat)) {
            if (strncmp(at, "cpu", 3) != 0)
                break;
            continue;
        }
        cpu = find_cpu(host, number);
        if (!cpu)
            continue;
        if (cpu->has_last && stat.total > cpu->last.total && stat.busy >= cpu->last.busy)
            pji_bridge_table_set(table, cpu->usage_column,
                                 100.0 * (double)(stat.busy - cpu->last.busy) /
                                     (double)(stat.total - cpu->last.total));
        if (!cpu->has_last || stat.total != cpu->last.total)
            cpu->last = stat;
        cpu->has_last = true;
    }
}

/* ---- frequency ---- */

/* Calls for each "cpu MHz" of /proc/cpuinfo; table NULL: only notes which CPUs have one. */
static void scan_cpuinfo(struct pji_bridge_host *host, struct pji_bridge_table *table)
{
    struct pji_bridge_cpu *cpu = NULL;

    for (const char *at = read_file(host, host->cpuinfo_handle); at; at = next_line(at)) {
        const char *colon = at + strcspn(at, ":\n");
        double mhz;

        if (*colon != ':')
            continue;
        colon += 1 + strspn(colon + 1, " \t");
        if (strncmp(at, "processor", 9) == 0)
            cpu = find_cpu(host, strtol(colon, NULL, 10));
        if (!cpu || cpu->freq_handle >= 0 || strncmp(at, "cpu MHz", 7) != 0 ||
            pji_num_parse(colon, strcspn(colon, " \t\n"), &mhz, NULL))
            continue;
        cpu->has_freq = true;
        if (table)
            pji_bridge_table_set(table, cpu->freq_column, mhz);
    }
}

static void sample_frequency(struct pji_bridge_host *host, struct pji_bridge_table *table)
{
    for (size_t i = 0; i < host->n_cpus; i++) {
        uint64_t khz;

        if (host->cpus[i].freq_handle >= 0 &&
            pji_pread_u64(host->platform, host->cpus[i].freq_handle, &khz) == 0)
            pji_bridge_table_set(table, host->cpus[i].freq_column, (double)khz / 1e3);
    }
    if (host->cpuinfo_handle >= 0)
        scan_cpuinfo(host, table);
}

/* ---- memory ---- */

enum { TOTAL_MEMORY, USED_MEMORY, TOTAL_SWAP, USED_SWAP };

static const char *const memory_names[] = {"TOTAL_MEMORY", "USED_MEMORY", "TOTAL_SWAP",
                                           "USED_SWAP"};

static bool meminfo(const char *text, const char *key, double *size_b)
{
    for (const char *at = text; at; at = next_line(at)) {
        size_t len = strlen(key);

        if (strncmp(at, key, len) == 0 && at[len] == ':') {
            *size_b = strtod(at + len + 1, NULL) * 1024;
            return true;
        }
    }
    return false;
}

static void sample_memory(struct pji_bridge_host *host, struct pji_bridge_table *table)
{
    const char *text = read_file(host, host->meminfo_handle);
    double total_b, rest_b;

    if (meminfo(text, "MemTotal", &total_b)) {
        pji_bridge_table_set(table, host->memory_columns[TOTAL_MEMORY], total_b);
        if (meminfo(text, "MemAvailable", &rest_b))
            pji_bridge_table_set(table, host->memory_columns[USED_MEMORY], total_b - rest_b);
    }
    if (meminfo(text, "SwapTotal", &total_b)) {
        pji_bridge_table_set(table, host->memory_columns[TOTAL_SWAP], total_b);
        if (meminfo(text, "SwapFree", &rest_b))
            pji_bridge_table_set(table, host->memory_columns[USED_SWAP], total_b - rest_b);
    }
}

/* ---- opening ---- */

static pj_status find_cpus(struct pji_bridge_host *host, struct pj_error *err)
{
    for (const char *at = read_file(host, host->stat_handle); at; at = next_line(at)) {
        struct pji_cpu_stat stat;
        struct pji_bridge_cpu *cpu;
        char path[80];
        int number;

        if (!parse_cpu(at, &number, &stat) || find_cpu(host, number))
            continue;
        if (pji_array_reserve(&host->cpus, &host->cap_cpus, host->n_cpus + 1, sizeof *cpu, err))
            return PJ_ENOMEM;
        cpu = &host->cpus[host->n_cpus++];
        (void)snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%d/cpufreq/scaling_cur_freq",
                       number);
        *cpu = (struct pji_bridge_cpu){.number = number, .freq_handle = open_file(host, path)};
        cpu->has_freq = cpu->freq_handle >= 0;
    }
    return PJ_OK;
}

static pj_status find_frequencies(struct pji_bridge_host *host, struct pji_bridge_table *table,
                                  struct pj_error *err)
{
    bool all = true;
    pj_status status = PJ_OK;

    for (size_t i = 0; i < host->n_cpus; i++)
        all = all && host->cpus[i].has_freq;
    if (!all) {
        host->cpuinfo_handle = open_file(host, "/proc/cpuinfo");
        scan_cpuinfo(host, NULL);
    }
    for (size_t i = 0; i < host->n_cpus && !status; i++) {
        status = pji_bridge_table_add(table, &host->cpus[i].usage_column, err, "CPU_USAGE_%zu", i);
        if (!status && host->cpus[i].has_freq)
            status = pji_bridge_table_add(table, &host->cpus[i].freq_column, err,
                                          "CPU_FREQUENCY_%zu", i);
    }
    return status;
}

pj_status pji_bridge_host_open(struct pji_bridge_host *host, const struct pji_platform *platform,
                               struct pji_bridge_table *table, struct pj_error *err)
{
    pj_status status;

    *host = (struct pji_bridge_host){.platform = platform,
                                     .stat_handle = -1,
                                     .meminfo_handle = -1,
                                     .cpuinfo_handle = -1,
                                     .text = malloc(TEXT_B + 1)};
    if (!host->text)
        return pji_fail(err, PJ_ENOMEM, "no memory for the files of /proc");
    host->stat_handle = open_file(host, "/proc/stat");
    host->meminfo_handle = open_file(host, "/proc/meminfo");
    status = find_cpus(host, err);
    if (!status)
        status = find_frequencies(host, table, err);
    for (size_t i = 0; i < 4 && host->meminfo_handle >= 0 && !status; i++)
        status = pji_bridge_table_add(table, &host->memory_columns[i], err, "%s", memory_names[i]);
    return status;
}

void pji_bridge_host_close(struct pji_bridge_host *host)
{
    if (!host->platform)
        return;
    for (size_t i = 0; i < host->n_cpus; i++)
        close_file(host, host->cpus[i].freq_handle);
    close_file(host, host->stat_handle);
    close_file(host, host->meminfo_handle);
    close_file(host, host->cpuinfo_handle);
    free(host->cpus);
    free(host->text);
    *host = (struct pji_bridge_host){0};
}

void pji_bridge_host_sample(struct pji_bridge_host *host, struct pji_bridge_table *table)
{
    if (host->stat_handle >= 0)
        sample_usage(host, table);
    sample_frequency(host, table);
    if (host->meminfo_handle >= 0)
        sample_memory(host, table);
}
