#include "evidence/host.h"

#include "core/array.h"
#include "core/num.h"
#include "core/units.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct reading {
    struct pji_host_state *state;
    const struct pji_platform *platform;
    struct pj_error *err;
    pj_status status;
};

/* ---- counters of the whole machine ---- */

/* The next number of a line; false at its end. */
static bool next_number(const char **text, uint64_t *value)
{
    char *end = NULL;
    *text += strspn(*text, " \t");
    if (!isdigit((unsigned char)**text))
        return false;
    *value = strtoull(*text, &end, 10);
    *text = end;
    return true;
}

/* cpu user nice system idle iowait irq softirq steal guest guest_nice: guest time is in user. */
static void read_stat(struct reading *r)
{
    enum { USER, NICE, SYSTEM, IDLE, IOWAIT, IRQ, SOFTIRQ, STEAL, FIELDS };
    enum { SIZE = 1 << 18 };
    char *text = malloc(SIZE);
    uint64_t field[FIELDS] = {0};
    if (text == NULL) {
        r->status = pji_fail(r->err, PJ_ENOMEM, "out of memory");
        return;
    }
    if (pji_read_text(r->platform, "/proc/stat", text, SIZE, NULL, NULL) == PJ_OK &&
        strncmp(text, "cpu ", 4) == 0) {
        const char *at = text + 4;
        for (size_t i = 0; i < FIELDS && next_number(&at, &field[i]); i++)
            continue;
        for (at = strstr(text, "\ncpu"); at != NULL; at = strstr(at + 1, "\ncpu"))
            r->state->cpus++;
    }
    r->state->busy_ticks = field[USER] + field[NICE] + field[SYSTEM] + field[IRQ] + field[SOFTIRQ];
    r->state->steal_ticks = field[STEAL];
    free(text);
}

static void read_swap(struct reading *r)
{
    enum { SIZE = 1 << 15 };
    static const char *const keys[] = {"pswpin ", "pswpout "};
    char *text = malloc(SIZE);
    int64_t sum = 0;
    bool all =
        text != NULL && pji_read_text(r->platform, "/proc/vmstat", text, SIZE, NULL, NULL) == PJ_OK;
    for (size_t i = 0; i < 2 && all; i++) {
        const char *at = strstr(text, keys[i]);
        uint64_t pages = 0;
        if (at != NULL)
            at += strlen(keys[i]);
        all = at != NULL && next_number(&at, &pages);
        sum += (int64_t)pages;
    }
    r->state->swap_pages = all ? sum : -1;
    free(text);
}

static void add_file(struct reading *r, const char *path, int64_t *sum)
{
    int64_t value = 0;
    if (pji_read_i64(r->platform, path, &value, NULL) == PJ_OK && value >= 0)
        *sum = (*sum < 0 ? 0 : *sum) + value;
}

static int visit_cpu(void *arg, const char *name)
{
    struct reading *r = arg;
    char path[160];
    if (strncmp(name, "cpu", 3) != 0 || !isdigit((unsigned char)name[3]))
        return 0;
    static const char *const counts[] = {"core_throttle_count", "package_throttle_count"};
    for (size_t i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "/sys/devices/system/cpu/%.40s/thermal_throttle/%s", name,
                 counts[i]);
        add_file(r, path, &r->state->throttle_count);
    }
    snprintf(path, sizeof path, "/sys/devices/system/cpu/%.40s/cpufreq/scaling_max_freq", name);
    add_file(r, path, &r->state->freq_cap_khz);
    return 0;
}

static int visit_zone(void *arg, const char *name)
{
    struct reading *r = arg;
    char path[160];
    if (strncmp(name, "intel-rapl", 10) != 0)
        return 0;
    for (int i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "/sys/class/powercap/%.60s/constraint_%d_power_limit_uw", name,
                 i);
        add_file(r, path, &r->state->power_cap_uw);
    }
    return 0;
}

/* ---- processes ---- */

static int visit_process(void *arg, const char *name)
{
    struct reading *r = arg;
    struct pji_host_state *s = r->state;
    int64_t pid = 0;
    if (!isdigit((unsigned char)name[0]) ||
        pji_num_parse_i64(name, strlen(name), &pid, NULL) != PJ_OK)
        return 0;
    r->status = pji_array_reserve(&s->processes, &s->cap, s->n + 1, sizeof *s->processes, r->err);
    if (r->status != PJ_OK)
        return 1;
    s->n += pji_proc_stat_read(r->platform, (pid_t)pid, &s->processes[s->n]) ? 1 : 0;
    return 0;
}

static void read_namespace(struct reading *r)
{
    char target[64] = "";
    const struct pji_platform_ops *ops = r->platform->ops;
    ssize_t got = ops->readlink(r->platform->context, "/proc/self/ns/pid", target, sizeof target);
    r->state->first_pids = got > 0 && strcmp(target, "pid:[4026531836]") == 0;
}

static int by_pid(const void *a, const void *b)
{
    const struct pji_proc_stat *p = a;
    const struct pji_proc_stat *q = b;
    return (p->pid > q->pid) - (p->pid < q->pid);
}

pj_status pji_host_read(struct pji_host_state *state, const struct pji_platform *platform,
                        struct pj_error *err)
{
    struct reading r = {.state = state, .platform = platform, .err = err};
    pji_host_fini(state);
    state->t_ns = pji_now_ns(platform);
    state->throttle_count = state->freq_cap_khz = state->power_cap_uw = -1;
    read_stat(&r);
    read_swap(&r);
    read_namespace(&r);
    const struct pji_platform_ops *ops = platform->ops;
    (void)ops->list(platform->context, "/sys/devices/system/cpu", visit_cpu, &r);
    (void)ops->list(platform->context, "/sys/class/powercap", visit_zone, &r);
    if (r.status == PJ_OK)
        (void)ops->list(platform->context, "/proc", visit_process, &r);
    if (state->n > 1)
        qsort(state->processes, state->n, sizeof *state->processes, by_pid);
    return r.status;
}

void pji_host_fini(struct pji_host_state *state)
{
    free(state->processes);
    *state = (struct pji_host_state){0};
}

/* ---- difference ---- */

static const struct pji_proc_stat *find(const struct pji_host_state *state, pid_t pid)
{
    struct pji_proc_stat key = {.pid = pid};
    return state->n > 0 ? bsearch(&key, state->processes, state->n, sizeof key, by_pid) : NULL;
}

static bool is_own(const struct pji_host_state *state, const struct pji_proc_stat *p, int64_t own)
{
    for (size_t depth = 0; p != NULL && depth <= state->n; depth++) {
        if (p->pid == own)
            return true;
        p = find(state, p->parent);
    }
    return false;
}

enum pji_owner pji_host_owner(const struct pji_host_state *state, int64_t own, int64_t pid,
                              char name[16])
{
    const struct pji_proc_stat *p = find(state, (pid_t)pid);
    if (p == NULL)
        return PJI_OWNER_UNSEEN;
    memcpy(name, p->name, sizeof p->name);
    return is_own(state, p, own) ? PJI_OWNER_US : PJI_OWNER_FOREIGN;
}

/* The same process at both looks, not a number that was used again. */
static bool same(const struct pji_proc_stat *old, const struct pji_proc_stat *now)
{
    return old != NULL && now != NULL && old->start_ticks == now->start_ticks;
}

static uint64_t less(uint64_t a, uint64_t b)
{
    return a > b ? a - b : 0;
}

/* CPU time of our family between the looks. `waited` of a child that lived at the first look holds
 * what it had used before that as well: taken off again. */
static double own_time(const struct pji_host_state *before, const struct pji_host_state *after,
                       int64_t own)
{
    double ticks = 0;
    for (size_t i = 0; i < after->n; i++) {
        const struct pji_proc_stat *p = &after->processes[i];
        const struct pji_proc_stat *old = find(before, p->pid);
        if (!is_own(after, p, own))
            continue;
        ticks += (double)(p->own_ticks + p->waited_ticks);
        if (same(old, p))
            ticks -= (double)(old->own_ticks + old->waited_ticks);
    }
    for (size_t i = 0; i < before->n; i++) {
        const struct pji_proc_stat *p = &before->processes[i];
        if (is_own(before, p, own) && !same(p, find(after, p->pid)))
            ticks -= (double)(p->own_ticks + p->waited_ticks);
    }
    return ticks;
}

static void name_busiest(const struct pji_host_state *before, const struct pji_host_state *after,
                         int64_t own, struct pji_host_change *change)
{
    uint64_t most = 0;
    for (size_t i = 0; i < after->n; i++) {
        const struct pji_proc_stat *p = &after->processes[i];
        const struct pji_proc_stat *old = find(before, p->pid);
        uint64_t used = less(p->own_ticks, same(old, p) ? old->own_ticks : 0);
        if (used <= most || is_own(after, p, own))
            continue;
        most = used;
        change->foreign_pid = p->pid;
        memcpy(change->foreign_name, p->name, sizeof change->foreign_name);
    }
}

void pji_host_compare(const struct pji_host_state *before, const struct pji_host_state *after,
                      int64_t own, struct pji_host_change *change)
{
    *change = (struct pji_host_change){.known = true,
                                       .dur_s = pji_s_from_ns(after->t_ns - before->t_ns),
                                       .steal_share = (double)NAN,
                                       .foreign_share = (double)NAN,
                                       .swap_b = -1,
                                       .throttled = -1,
                                       .freq_cap_before_khz = before->freq_cap_khz,
                                       .freq_cap_after_khz = after->freq_cap_khz,
                                       .power_cap_before_uw = before->power_cap_uw,
                                       .power_cap_after_uw = after->power_cap_uw};
    double all_ticks = change->dur_s * (double)sysconf(_SC_CLK_TCK) * (double)after->cpus;
    if (before->cpus > 0 && all_ticks > 0) {
        double stolen_ticks = (double)less(after->steal_ticks, before->steal_ticks);
        change->steal_share = fmin(stolen_ticks / all_ticks, 1);
        if (own != 0) {
            double busy_ticks = (double)less(after->busy_ticks, before->busy_ticks);
            double foreign_ticks = fmax(busy_ticks - own_time(before, after, own), 0);
            change->foreign_share = fmin(foreign_ticks / all_ticks, 1); /* ticks are coarse */
            name_busiest(before, after, own, change);
        }
    }
    if (before->swap_pages >= 0 && after->swap_pages >= before->swap_pages)
        change->swap_b = (after->swap_pages - before->swap_pages) * sysconf(_SC_PAGESIZE);
    if (before->throttle_count >= 0 && after->throttle_count >= before->throttle_count)
        change->throttled = after->throttle_count - before->throttle_count;
}
