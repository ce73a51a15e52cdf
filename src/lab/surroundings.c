#include "lab/surroundings.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void pji_circumstances_fini(struct pji_circumstances *circumstances)
{
    free(circumstances->gpus);
    *circumstances = (struct pji_circumstances){0};
}

void pji_surroundings_begin(struct pji_surroundings *s, const char *root,
                            struct pji_metering *metering)
{
    if (!s->open)
        s->open = pji_platform_open_real(&s->platform, root, NULL) == PJ_OK;
    (void)pji_metering_look(metering, &s->gpus);
    if (s->open && pji_host_read(&s->before, &s->platform, NULL) != PJ_OK)
        pji_host_fini(&s->before);
    if (s->open && pji_threads_read(&s->threads, &s->platform, &s->before, getpid(), NULL) != PJ_OK)
        pji_threads_fini(&s->threads);
    if (s->pulse == NULL)
        s->pulse = pji_pulse_start();
}

static void compare_gpus(const struct pji_surroundings *s, const struct pji_gpu_looks *after,
                         const struct pji_host_state *host, int64_t own,
                         struct pji_circumstances *out)
{
    struct pji_gpu_change changes[PJI_GPUS];
    size_t n = pji_gpu_compare(&s->gpus, &s->before, after, host, own, changes);
    out->gpus = n > 0 ? malloc(n * sizeof changes[0]) : NULL;
    if (out->gpus == NULL)
        return;
    memcpy(out->gpus, changes, n * sizeof changes[0]);
    out->n_gpus = n;
}

void pji_surroundings_end(struct pji_surroundings *s, struct pji_metering *metering, bool ours,
                          struct pji_circumstances *circumstances)
{
    struct pji_host_state after = {0};
    struct pji_gpu_looks gpus;
    int64_t own = ours ? getpid() : 0;
    struct pji_threads threads = {0};
    pji_circumstances_fini(circumstances);
    circumstances->stopped_share = pji_pulse_stop(s->pulse);
    s->pulse = NULL;
    if (s->open && s->before.t_ns != 0 && pji_host_read(&after, &s->platform, NULL) == PJ_OK)
        pji_host_compare(&s->before, &after, own, &circumstances->host);
    if (after.t_ns != 0 &&
        pji_threads_read(&threads, &s->platform, &after, getpid(), NULL) == PJ_OK)
        pji_threads_compare(&s->threads, &threads, getpid(), &s->platform, &circumstances->busiest);
    pji_threads_fini(&threads);
    if (pji_metering_look(metering, &gpus))
        compare_gpus(s, &gpus, &after, own, circumstances);
    pji_host_fini(&after);
}

void pji_surroundings_close(struct pji_surroundings *s)
{
    (void)pji_pulse_stop(s->pulse);
    s->pulse = NULL;
    pji_threads_fini(&s->threads);
    pji_host_fini(&s->before);
    if (s->open)
        pji_platform_close_real(&s->platform);
    s->open = false;
}
