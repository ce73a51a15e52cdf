/* The table of checks, and those of the kernel's permissions: see host_checks.h.
 *
 * - kernel.perf_event_paranoid (Documentation/admin-guide/sysctl/kernel.rst, and
 *   Documentation/admin-guide/perf-security.rst): events of a whole CPU need <= 0, CAP_PERFMON
 *   (Linux 5.8) or CAP_SYS_ADMIN.
 * - energy_uj is 0400 since Linux 5.10, because a fine view of the energy tells about others' data
 *   (CVE-2020-8694, "PLATYPUS").
 * - lockdown (kernel_lockdown(7)): in both modes reading MSRs from user space is refused; perf
 *   events and sysfs files are not.
 */
#include "sources/host_checks.h"
#include "sources/host_machine.h"

#include "core/num.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CAP_DAC_OVERRIDE_BIT = 1, CAP_DAC_READ_BIT = 2, CAP_ADMIN_BIT = 21, CAP_PERFMON_BIT = 38 };

static const char status_file[] = "/proc/self/status";

/* The value of a line "Key:\tvalue" of a small file; false when there is none. */
static bool read_field(const struct pji_platform *platform, const char *path, const char *key,
                       char *value, size_t size)
{
    char text[8192];
    int handle = platform->ops->open(platform->context, path);
    ssize_t got = -1;

    if (handle >= 0) {
        got = platform->ops->pread(platform->context, handle, text, sizeof text - 1, 0);
        platform->ops->close(platform->context, handle);
    }
    if (got <= 0)
        return false;
    text[got] = '\0';
    for (const char *line = text; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, key, strlen(key)) != 0)
            continue;
        line += strlen(key);
        line += strspn(line, " \t");
        (void)snprintf(value, size, "%.*s", (int)strcspn(line, "\n"), line);
        return true;
    }
    return false;
}

static bool read_capabilities(const struct pji_platform *platform, uint64_t *bits)
{
    char text[32], *end;

    if (!read_field(platform, status_file, "CapEff:", text, sizeof text))
        return false;
    *bits = strtoull(text, &end, 16);
    return end != text && *end == '\0';
}

bool pji_has_capability(const struct pji_platform *platform, int capability)
{
    uint64_t bits = 0;

    return read_capabilities(platform, &bits) && (bits >> capability & 1) != 0;
}

static void check_privileges(const struct pji_platform *platform, struct pji_check *out)
{
    static const struct {
        int bit;
        const char *name;
    } known[] = {{CAP_PERFMON_BIT, "cap_perfmon"},
                 {CAP_DAC_READ_BIT, "cap_dac_read_search"},
                 {CAP_DAC_OVERRIDE_BIT, "cap_dac_override"},
                 {CAP_ADMIN_BIT, "cap_sys_admin"}};
    char uid[64];
    uint64_t bits = 0;
    size_t len;

    if (!read_field(platform, status_file, "Uid:", uid, sizeof uid) ||
        !read_capabilities(platform, &bits)) {
        out->level = PJI_CHECK_UNKNOWN;
        (void)snprintf(out->text, sizeof out->text, "/proc/self/status cannot be read");
        return;
    }
    uid[strcspn(uid, " \t")] = '\0';
    len = (size_t)snprintf(out->value, sizeof out->value, "uid %.16s", uid);
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (bits >> known[i].bit & 1)
            len +=
                (size_t)snprintf(out->value + len, sizeof out->value - len, ", %s", known[i].name);
    }
    (void)snprintf(out->text, sizeof out->text, "what perjoule itself may do here%s",
                   strcmp(uid, "0") == 0 ? "; root is more than measuring needs" : "");
}

static void check_paranoid(const struct pji_platform *platform, struct pji_check *out)
{
    int64_t level;

    if (pji_read_i64(platform, "/proc/sys/kernel/perf_event_paranoid", &level, NULL)) {
        out->level = PJI_CHECK_UNKNOWN;
        (void)snprintf(out->text, sizeof out->text,
                       "/proc/sys/kernel/perf_event_paranoid cannot be read: a kernel without perf "
                       "events, or /proc is not mounted");
        return;
    }
    (void)snprintf(out->value, sizeof out->value, "%lld", (long long)level);
    if (level <= 0) {
        (void)snprintf(out->text, sizeof out->text, "everybody may count events of a whole CPU");
    } else if (pji_has_capability(platform, CAP_PERFMON_BIT) ||
               pji_has_capability(platform, CAP_ADMIN_BIT)) {
        (void)snprintf(out->text, sizeof out->text,
                       "closed to users, but this process has the capability to count all the "
                       "same");
    } else {
        out->level = PJI_CHECK_NOTE;
        (void)snprintf(out->text, sizeof out->text,
                       "only processes with CAP_PERFMON may count the energy events of the "
                       "processor");
        (void)snprintf(out->fix, sizeof out->fix,
                       "sudo setcap cap_perfmon=ep \"$(command -v perjoule)\" opens them to "
                       "perjoule alone; kernel.perf_event_paranoid=0 to everybody");
    }
}

/* ---- the files of powercap ---- */

struct counters {
    const struct pji_platform *platform;
    size_t n, readable;
    int fault;
    struct pji_file_mode mode; /* of the first one */
};

static int visit_zone(void *arg, const char *name)
{
    struct counters *counters = arg;
    const struct pji_platform *platform = counters->platform;
    char path[160];
    int handle;

    (void)snprintf(path, sizeof path, "/sys/class/powercap/%s/energy_uj", name);
    if (!pji_path_exists(platform, path))
        return 0;
    if (counters->n == 0)
        counters->fault = pji_path_mode(platform, path, &counters->mode);
    counters->n++;
    handle = platform->ops->open(platform->context, path);
    if (handle >= 0) {
        counters->readable++;
        platform->ops->close(platform->context, handle);
    }
    return 0;
}

static void check_powercap(const struct pji_platform *platform, struct pji_check *out)
{
    struct counters c = {.platform = platform};

    (void)platform->ops->list(platform->context, "/sys/class/powercap", visit_zone, &c);
    if (c.n == 0) {
        out->level = PJI_CHECK_UNKNOWN;
        (void)snprintf(out->text, sizeof out->text,
                       "there is no energy_uj below /sys/class/powercap");
        return;
    }
    if (c.fault)
        (void)snprintf(out->value, sizeof out->value, "%zu of %zu readable", c.readable, c.n);
    else
        (void)snprintf(out->value, sizeof out->value, "%04o uid %u gid %u, %zu of %zu readable",
                       c.mode.bits, c.mode.uid, c.mode.gid, c.readable, c.n);
    if (c.readable < c.n) {
        out->level = PJI_CHECK_NOTE;
        (void)snprintf(out->text, sizeof out->text,
                       "the kernel gives the counters to root alone, since a fine view of the "
                       "energy tells about others' data (CVE-2020-8694)");
        (void)snprintf(out->fix, sizeof out->fix,
                       "open them to one group, not to all: see rapl_powercap above");
    } else if (!c.fault && (c.mode.bits & 04) != 0) {
        out->level = PJI_CHECK_NOTE;
        (void)snprintf(out->text, sizeof out->text,
                       "everybody on this machine may read the counters; on a shared machine that "
                       "tells about others' data (CVE-2020-8694)");
    } else {
        (void)snprintf(out->text, sizeof out->text, "this process may read the counters");
    }
}

static void check_lockdown(const struct pji_platform *platform, struct pji_check *out)
{
    char text[96];
    const char *open;

    if (pji_read_text(platform, "/sys/kernel/security/lockdown", text, sizeof text, NULL, NULL)) {
        out->level = PJI_CHECK_UNKNOWN;
        (void)snprintf(out->text, sizeof out->text,
                       "/sys/kernel/security/lockdown cannot be read: no lockdown in this kernel, "
                       "or securityfs is not mounted");
        return;
    }
    open = strchr(text, '[');
    if (open)
        (void)snprintf(out->value, sizeof out->value, "%.*s", (int)strcspn(open + 1, "]"),
                       open + 1);
    if (strcmp(out->value, "none") == 0) {
        (void)snprintf(out->text, sizeof out->text, "the kernel is not locked down");
    } else {
        out->level = PJI_CHECK_NOTE;
        (void)snprintf(out->text, sizeof out->text,
                       "tools that read MSRs (turbostat, EnergiBridge) are refused; perjoule uses "
                       "perf events and powercap, which stay open");
    }
}

/* ---- the table ---- */

static const struct {
    const char *name, *title;
    void (*check)(const struct pji_platform *platform, struct pji_check *out);
} rows[] = {
    {"clock_source", "clock source", pji_check_clock_source},
    {"virtual_machine", "virtual machine", pji_check_virtual_machine},
    {"container", "container", pji_check_container},
    {"governor", "frequency governor", pji_check_governor},
    {"turbo", "turbo", pji_check_turbo},
    {"power_supply", "power supply", pji_check_power_supply},
    {"load", "other load", pji_check_load},
    {"privileges", "own privileges", check_privileges},
    {"perf_event_paranoid", "perf_event_paranoid", check_paranoid},
    {"powercap_mode", "powercap files", check_powercap},
    {"lockdown", "kernel lockdown", check_lockdown},
};

size_t pji_host_checks(const struct pji_platform *platform,
                       struct pji_check checks[PJI_HOST_CHECKS])
{
    size_t n = sizeof rows / sizeof rows[0];

    for (size_t i = 0; i < n; i++) {
        checks[i] = (struct pji_check){.name = rows[i].name, .title = rows[i].title};
        rows[i].check(platform, &checks[i]);
    }
    return n;
}

const char *pji_check_level_name(enum pji_check_level level)
{
    switch (level) {
    case PJI_CHECK_OK:
        return "ok";
    case PJI_CHECK_NOTE:
        return "note";
    case PJI_CHECK_WARNING:
        return "warning";
    case PJI_CHECK_UNKNOWN:
        return "unknown";
    }
    return "unknown";
}
