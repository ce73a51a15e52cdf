#include "lab/pulse.h"

#include "core/prng.h"
#include "platform/clock.h"
#include "platform/throttle.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

/* Between two wakes, 3 to 17 ms: in step with what stops the client, a wake every 10 ms would
 * always fall into the moments in which it runs. */
static const int64_t shortest_ns = 3 * PJI_NS_PER_MS, spread_ns = 14 * PJI_NS_PER_MS;

struct pji_pulse {
    pthread_t thread;
    atomic_bool ending;
    int64_t start_ns, end_ns;
    int64_t late_ns;   /* not awake although due */
    int64_t queued_ns; /* of it waiting for a processor; -1: unknown */
    struct pji_platform platform;
    int64_t throttled_ns; /* by a limit on our control group: before, then meanwhile */
};

/* Time that this thread waited for a processor so far. */
static int64_t queued_ns(void)
{
    long long ran = 0, waited = -1;
    FILE *file = fopen("/proc/thread-self/schedstat", "re");
    if (file == NULL)
        return -1;
    if (fscanf(file, "%lld %lld", &ran, &waited) != 2)
        waited = -1;
    fclose(file);
    return waited;
}

static void *beat(void *arg)
{
    struct pji_pulse *p = arg;
    struct pji_prng prng;
    int64_t queued_before_ns = queued_ns();
    int64_t due_ns = pji_clock_ns(CLOCK_MONOTONIC);
    p->start_ns = due_ns;
    pji_prng_init(&prng, (uint64_t)due_ns, "pulse");
    while (!atomic_load(&p->ending)) {
        int64_t gap_ns = shortest_ns + (int64_t)((double)spread_ns * pji_prng_unit(&prng));
        due_ns += gap_ns;
        struct timespec due = {.tv_sec = due_ns / PJI_NS_PER_S, .tv_nsec = due_ns % PJI_NS_PER_S};
        while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL) != 0)
            continue;
        int64_t now_ns = pji_clock_ns(CLOCK_MONOTONIC);
        p->late_ns += now_ns - due_ns;
        if (now_ns - due_ns > shortest_ns) /* what was missed meanwhile is one lateness */
            due_ns = now_ns;
    }
    p->end_ns = pji_clock_ns(CLOCK_MONOTONIC);
    int64_t queued_after_ns = queued_ns();
    p->queued_ns = queued_before_ns >= 0 && queued_after_ns >= queued_before_ns
                       ? queued_after_ns - queued_before_ns
                       : -1;
    return NULL;
}

struct pji_pulse *pji_pulse_start(void)
{
    struct pji_pulse *p = calloc(1, sizeof *p);
    if (p == NULL)
        return NULL;
    if (pji_platform_open_real(&p->platform, NULL, NULL) != PJ_OK) {
        free(p);
        return NULL;
    }
    p->throttled_ns = pji_throttled_ns(&p->platform);
    if (pthread_create(&p->thread, NULL, beat, p) != 0) {
        pji_platform_close_real(&p->platform);
        free(p);
        return NULL;
    }
    return p;
}

double pji_pulse_stop(struct pji_pulse *p)
{
    if (p == NULL)
        return (double)NAN;
    atomic_store(&p->ending, true);
    pthread_join(p->thread, NULL);
    p->throttled_ns = pji_throttled_ns(&p->platform) - p->throttled_ns;
    pji_platform_close_real(&p->platform);
    if (p->queued_ns >= 0 && p->throttled_ns > 0) /* that wait was for no processor */
        p->queued_ns = p->queued_ns > p->throttled_ns ? p->queued_ns - p->throttled_ns : 0;
    double dur_ns = (double)(p->end_ns - p->start_ns);
    double share = (double)NAN;
    if (p->queued_ns >= 0 && dur_ns > 0)
        share = fmax((double)(p->late_ns - p->queued_ns), 0) / dur_ns;
    free(p);
    return share;
}
