/* evidence/manifest.c - see manifest.h. Sources: uname(2), /etc/os-release, /proc/cpuinfo,
 * /proc/meminfo, cpufreq sysfs (Documentation/admin-guide/pm/cpufreq.rst), sysfs hypervisor and
 * DMI.
 */
#include "evidence/manifest.h"

#include "core/digest.h"
#include "core/str.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

struct writer {
    pji_manifest_fn *fn;
    void *context;
    struct pj_error *err;
    pj_status status;
};

static void put(struct writer *w, const char *key, const char *value)
{
    if (w->status == PJ_OK && value[0] != '\0')
        w->status = w->fn(w->context, key, value, w->err);
}

/* `source` is where it is looked for. */
static void put_or_say(struct writer *w, const char *key, const char *value, const char *source)
{
    char missing[64], reason[160];
    if (value[0] != '\0') {
        put(w, key, value);
        return;
    }
    snprintf(missing, sizeof missing, "%s.missing", key);
    snprintf(reason, sizeof reason, "%s does not tell", source);
    put(w, missing, reason);
}

/* First line of a small file without its newline; "" when it cannot be read. */
static void first_line(const char *path, char *text, size_t size)
{
    FILE *file = fopen(path, "re");
    text[0] = '\0';
    if (file == NULL)
        return;
    if (fgets(text, (int)size, file) != NULL)
        text[strcspn(text, "\n")] = '\0';
    fclose(file);
}

/* Value after `key` and its separator in a file of "key: value" or KEY="value" lines. */
static void field(const char *path, const char *key, char separator, char *text, size_t size)
{
    FILE *file = fopen(path, "re");
    char line[512];
    text[0] = '\0';
    if (file == NULL)
        return;
    while (fgets(line, sizeof line, file) != NULL) {
        size_t len = strlen(key);
        if (strncmp(line, key, len) != 0)
            continue;
        const char *value = strchr(line, separator);
        if (value == NULL)
            continue;
        value += strspn(value + 1, " \t\"") + 1;
        snprintf(text, size, "%s", value);
        text[strcspn(text, "\n\"")] = '\0';
        break;
    }
    fclose(file);
}

static int count_sockets(void)
{
    FILE *file = fopen("/proc/cpuinfo", "re");
    char line[512];
    int highest = -1;
    if (file == NULL)
        return 0;
    while (fgets(line, sizeof line, file) != NULL) {
        if (strncmp(line, "physical id", 11) != 0)
            continue;
        const char *colon = strchr(line, ':');
        int id = colon != NULL ? atoi(colon + 1) : 0;
        highest = id > highest ? id : highest;
    }
    fclose(file);
    return highest + 1;
}

static void put_cpu(struct writer *w)
{
    char text[256];
    field("/proc/cpuinfo", "model name", ':', text, sizeof text);
    put_or_say(w, "machine.cpu_model", text, "/proc/cpuinfo");
    int sockets = count_sockets();
    snprintf(text, sizeof text, "%d", sockets);
    put_or_say(w, "machine.sockets", sockets > 0 ? text : "", "/proc/cpuinfo");
    snprintf(text, sizeof text, "%ld", sysconf(_SC_NPROCESSORS_ONLN));
    put(w, "machine.threads_online", text);
    first_line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", text, sizeof text);
    put_or_say(w, "machine.governor", text,
               "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor");
}

static void put_virtualisation(struct writer *w)
{
    char flags[4096];
    field("/proc/cpuinfo", "flags", ':', flags, sizeof flags);
    if (flags[0] == '\0') {
        put_or_say(w, "machine.virtualisation", "", "/proc/cpuinfo");
        return;
    }
    char *found = strstr(flags, " hypervisor");
    put(w, "machine.virtualisation", found != NULL ? "virtual machine" : "none seen");
}

pj_status pji_manifest_machine(pji_manifest_fn *fn, void *context, struct pj_error *err)
{
    struct writer w = {.fn = fn, .context = context, .err = err};
    struct utsname names;
    char text[256];
    char sha256[PJI_SHA256_HEX];
    put(&w, "tool.version", "perjoule " PJ_VERSION);
    field("/etc/os-release", "PRETTY_NAME", '=', text, sizeof text);
    put_or_say(&w, "machine.os", text, "/etc/os-release");
    if (uname(&names) == 0) {
        put(&w, "machine.kernel", names.release);
        put(&w, "machine.arch", names.machine);
        /* Which machine, without telling its name to whoever gets the study. */
        if (pji_sha256_bytes(names.nodename, strlen(names.nodename), sha256, err) == PJ_OK)
            put(&w, "machine.hostname_sha256", sha256);
    }
    put_cpu(&w);
    put_virtualisation(&w);
    long pages = sysconf(_SC_PHYS_PAGES);
    if (pages > 0) {
        snprintf(text, sizeof text, "%lld", (long long)pages * sysconf(_SC_PAGESIZE));
        put(&w, "machine.mem_b", text);
    }
    first_line("/proc/sys/kernel/random/boot_id", text, sizeof text);
    put_or_say(&w, "machine.boot_id", text, "/proc/sys/kernel/random/boot_id");
    return w.status;
}
