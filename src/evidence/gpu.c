#include "evidence/gpu.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- one look ---- */

static int64_t number(const json_t *gpu, const char *key)
{
    const json_t *value = json_object_get(gpu, key);
    return json_is_integer(value) && json_integer_value(value) >= 0 ? json_integer_value(value)
                                                                    : -1;
}

static void take_pids(struct pji_gpu_look *look, const json_t *list)
{
    look->n_pids = json_is_array(list) ? 0 : -1;
    for (size_t i = 0; i < json_array_size(list) && look->n_pids < PJI_GPU_PIDS; i++) {
        json_int_t pid = json_integer_value(json_array_get(list, i));
        if (pid > 0 && pid <= INT32_MAX)
            look->pids[look->n_pids++] = (int32_t)pid;
    }
}

static void take_xids(struct pji_gpu_look *look, const json_t *list)
{
    size_t n = json_array_size(list);
    look->xid = json_is_array(list) ? 0 : -1;
    if (n > 0)
        look->xid = (int64_t)json_integer_value(json_array_get(list, n - 1));
}

/* [[t_ns, percent], …]: the newest, where there are more than have room. */
static void take_uses(struct pji_gpu_look *look, const json_t *list)
{
    size_t n = json_array_size(list);
    for (size_t i = n > PJI_GPU_USES ? n - PJI_GPU_USES : 0; i < n; i++) {
        const json_t *pair = json_array_get(list, i);
        const json_t *t = json_array_get(pair, 0), *percent = json_array_get(pair, 1);
        if (json_is_integer(t) && json_is_number(percent))
            look->uses[look->n_uses++] =
                (struct pji_gpu_use){json_integer_value(t), json_number_value(percent)};
    }
}

static void take_unread(struct pji_gpu_look *look, json_t *unread)
{
    const char *key;
    json_t *why;
    size_t len = 0;
    json_object_foreach(unread, key, why)
    {
        const char *text = json_is_string(why) ? json_string_value(why) : "?";
        int more = snprintf(look->unread + len, sizeof look->unread - len, "%s%s (%s)",
                            len > 0 ? ", " : "", key, text);
        len += more > 0 ? (size_t)more : 0;
        if (len >= sizeof look->unread)
            return;
    }
}

static void take_gpu(struct pji_gpu_look *look, const json_t *gpu)
{
    const char *name = json_string_value(json_object_get(gpu, "gpu"));
    *look = (struct pji_gpu_look){.reasons = number(gpu, "reasons"),
                                  .thermal_ns = number(gpu, "thermal_ns"),
                                  .power_ns = number(gpu, "power_ns"),
                                  .limit_mw = number(gpu, "limit_mw"),
                                  .app_sm_mhz = number(gpu, "app_sm_mhz"),
                                  .app_mem_mhz = number(gpu, "app_mem_mhz"),
                                  .ecc_uncorrected = number(gpu, "ecc_uncorrected"),
                                  .ecc_corrected = number(gpu, "ecc_corrected"),
                                  .remapped = number(gpu, "remapped")};
    snprintf(look->gpu, sizeof look->gpu, "%s", name != NULL ? name : "?");
    take_pids(look, json_object_get(gpu, "processes"));
    take_xids(look, json_object_get(gpu, "xids"));
    take_uses(look, json_object_get(gpu, "use"));
    take_unread(look, json_object_get(gpu, "unread"));
}

void pji_gpu_looks_parse(struct pji_gpu_looks *looks, const json_t *event)
{
    const json_t *seen = json_object_get(event, "seen");
    looks->n = 0;
    for (size_t i = 0; i < json_array_size(seen); i++) {
        const json_t *gpus = json_object_get(json_array_get(seen, i), "gpus");
        for (size_t g = 0; g < json_array_size(gpus) && looks->n < PJI_GPUS; g++)
            take_gpu(&looks->gpus[looks->n++], json_array_get(gpus, g));
    }
}

/* ---- the difference of two ---- */

static int64_t grown(int64_t before, int64_t after)
{
    return before >= 0 && after >= before ? after - before : -1;
}

/* Whose the processes of one look are. */
static void add_processes(struct pji_gpu_change *change, const struct pji_gpu_look *look,
                          const struct pji_host_state *host, int64_t own)
{
    int ours = 0;
    bool here = host->first_pids;
    char name[16] = "";
    for (int i = 0; i < look->n_pids; i++)
        ours += pji_host_owner(host, own, look->pids[i], name) == PJI_OWNER_US ? 1 : 0;
    here = here || ours > 0;
    change->ours += ours;
    for (int i = 0; i < look->n_pids; i++) {
        enum pji_owner owner = pji_host_owner(host, own, look->pids[i], name);
        if (owner == PJI_OWNER_US)
            continue;
        if (owner == PJI_OWNER_UNSEEN || !here) {
            change->nobodys++;
        } else if (change->foreign_pid == 0) {
            change->foreign_pid = look->pids[i];
            memcpy(change->foreign_name, name, sizeof name);
        }
    }
}

static void compare(struct pji_gpu_change *change, const struct pji_gpu_look *before,
                    const struct pji_gpu_look *after)
{
    *change = (struct pji_gpu_change){
        .reasons = (uint64_t)(before->reasons > 0 ? before->reasons : 0) |
                   (uint64_t)(after->reasons > 0 ? after->reasons : 0),
        .capped_share = (double)NAN,
        .thermal_ns = grown(before->thermal_ns, after->thermal_ns),
        .power_ns = grown(before->power_ns, after->power_ns),
        .limit_before_mw = before->limit_mw,
        .limit_after_mw = after->limit_mw,
        .app_sm_before_mhz = before->app_sm_mhz,
        .app_sm_after_mhz = after->app_sm_mhz,
        .app_mem_before_mhz = before->app_mem_mhz,
        .app_mem_after_mhz = after->app_mem_mhz,
        .ecc_uncorrected = grown(before->ecc_uncorrected, after->ecc_uncorrected),
        .ecc_corrected = grown(before->ecc_corrected, after->ecc_corrected),
        .remapped = grown(before->remapped, after->remapped),
        .xid = after->xid};
    memcpy(change->gpu, after->gpu, sizeof change->gpu);
    /* the power limit works at any time: only the samples inside say that it did in the window */
    change->reasons &= ~(uint64_t)PJI_GPU_SW_POWER_CAP;
    memcpy(change->unread, after->unread, sizeof change->unread);
    memcpy(change->uses, after->uses, sizeof change->uses);
    change->n_uses = after->n_uses;
}

size_t pji_gpu_compare(const struct pji_gpu_looks *before, const struct pji_host_state *host_before,
                       const struct pji_gpu_looks *after, const struct pji_host_state *host_after,
                       int64_t own, struct pji_gpu_change changes[PJI_GPUS])
{
    size_t n = 0;
    for (size_t i = 0; i < after->n; i++) {
        const struct pji_gpu_look *old = NULL;
        for (size_t b = 0; b < before->n && old == NULL; b++)
            if (strcmp(before->gpus[b].gpu, after->gpus[i].gpu) == 0)
                old = &before->gpus[b];
        if (old == NULL)
            continue;
        struct pji_gpu_change *change = &changes[n++];
        compare(change, old, &after->gpus[i]);
        if (own != 0) {
            add_processes(change, old, host_before, own);
            add_processes(change, &after->gpus[i], host_after, own);
        }
    }
    return n;
}

/* ---- inside the window ---- */

void pji_gpu_sampled(struct pji_gpu_change *change, const struct pji_trace *trace, int64_t start_ns,
                     int64_t end_ns)
{
    size_t n = 0, capped = 0;
    for (size_t c = 0; c < trace->header.n_channels; c++) {
        const struct pji_channel *channel = &trace->header.channels[c];
        const struct pji_series *series = &trace->series[c];
        const char *what = strrchr(channel->name, ':');
        if (channel->role != PJI_ROLE_AUX || strcmp(channel->domain, change->gpu) != 0 ||
            what == NULL || strcmp(what, ":throttle") != 0)
            continue;
        for (size_t i = 0; i < series->n; i++) {
            /* a value of this role is kept as it was read */
            uint64_t reasons = (uint64_t)series->points[i].energy_uj;
            if (series->points[i].t_ns < start_ns || series->points[i].t_ns > end_ns)
                continue;
            n++;
            capped += reasons & PJI_GPU_SW_POWER_CAP ? 1 : 0;
            change->reasons |= reasons;
        }
    }
    change->capped_share = n > 0 ? (double)capped / (double)n : (double)NAN;
}
