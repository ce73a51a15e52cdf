/* nvml_log SECONDS [COUNTER_MS]: every NVML reading of GPU 0 on standard output, in the format of a
 * recording (tests/tools/recording_to_trace.c): the counter every COUNTER_MS (20), the new entries
 * of the sample buffer every second, usage, temperature, SM clock and throttle reasons every 500
 * ms. SIGTERM and SIGINT end it in good order. nvml_log --stamp prints CLOCK_MONOTONIC in ns.
 *
 * It asks far more often than a meter may: it is the reference beside one.
 */
#include "core/units.h"
#include "sources/nvml_api.h"
#include "sources/nvml_track.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { SAMPLES = 4096 };

static struct pji_nvml_api api;
static struct pji_platform platform;
static pji_nvml_device device;

static volatile sig_atomic_t stopped;

static void stop(int number)
{
    (void)number;
    stopped = 1;
}

static int64_t now_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * PJI_NS_PER_S + now.tv_nsec;
}

static void put(const char *kind, int64_t before_ns, int64_t value, uint64_t device_us)
{
    printf("%s,%lld,%lld,%lld,%llu\n", kind, (long long)before_ns, (long long)now_ns(),
           (long long)value, (unsigned long long)device_us);
}

static void log_counter(void)
{
    unsigned long long energy_mj = 0;
    int64_t before_ns = now_ns();
    if (api.energy && api.energy(device, &energy_mj) == PJI_NVML_SUCCESS)
        put("counter", before_ns, (int64_t)energy_mj, 0);
}

static void log_buffer(void)
{
    static struct pji_nvml_sample samples[SAMPLES];
    static unsigned long long last_us;
    unsigned int n = SAMPLES;
    int type;
    int64_t before_ns = now_ns();
    if (!api.samples || api.samples(device, PJI_NVML_TOTAL_POWER_SAMPLES, last_us, &type, &n,
                                    samples) != PJI_NVML_SUCCESS)
        return;
    int64_t after_ns = now_ns();
    for (unsigned int i = 0; i < n; i++) {
        if (samples[i].device_us <= last_us)
            continue;
        last_us = samples[i].device_us;
        printf("buffer,%lld,%lld,%lld,%llu\n", (long long)before_ns, (long long)after_ns,
               (long long)pji_nvml_value(&samples[i].value, type), last_us);
    }
}

static void log_slow(void)
{
    unsigned int small = 0;
    unsigned long long wide = 0;
    int64_t before_ns = now_ns();
    if (api.power && api.power(device, &small) == PJI_NVML_SUCCESS)
        put("usage", before_ns, small, 0);
    before_ns = now_ns();
    if (api.temperature &&
        api.temperature(device, PJI_NVML_TEMPERATURE_GPU, &small) == PJI_NVML_SUCCESS)
        put("temp", before_ns, small, 0);
    before_ns = now_ns();
    if (api.clock && api.clock(device, PJI_NVML_CLOCK_SM, &small) == PJI_NVML_SUCCESS)
        put("smclk", before_ns, small, 0);
    before_ns = now_ns();
    if (api.throttle && api.throttle(device, &wide) == PJI_NVML_SUCCESS)
        put("throttle", before_ns, (int64_t)wide, 0);
}

static int start(void)
{
    char name[PJI_NVML_TEXT] = "GPU", driver[PJI_NVML_TEXT] = "?";
    unsigned int limit_mw = 0;
    struct pj_error err = {0};
    if (pji_platform_open_real(&platform, NULL, &err) ||
        pji_nvml_load(&api, &platform, getenv("PERJOULE_NVML"), &err)) {
        (void)fprintf(stderr, "nvml_log: %s\n", err.text);
        return 1;
    }
    pji_nvml_return code = api.init();
    if (code == PJI_NVML_SUCCESS)
        code = api.handle(0, &device);
    if (code != PJI_NVML_SUCCESS) {
        (void)fprintf(stderr, "nvml_log: %s\n", pji_nvml_why(&api, code));
        return 1;
    }
    if (api.name)
        (void)api.name(device, name, sizeof name);
    if (api.driver_version)
        (void)api.driver_version(driver, sizeof driver);
    if (api.enforced_limit)
        (void)api.enforced_limit(device, &limit_mw);
    printf("# %s driver %s limit_mw %u realtime_minus_monotonic_ns %lld\n", name, driver, limit_mw,
           (long long)pji_nvml_wall_offset(&platform));
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--stamp") == 0) {
        printf("%lld\n", (long long)now_ns());
        return 0;
    }
    if (argc < 2 || atof(argv[1]) <= 0) {
        (void)fprintf(stderr, "usage: nvml_log SECONDS [COUNTER_MS] | --stamp\n");
        return 2;
    }
    int64_t period_ns = (argc > 2 ? atoll(argv[2]) : 20) * PJI_NS_PER_MS;
    if (start())
        return 1;
    (void)signal(SIGTERM, stop);
    (void)signal(SIGINT, stop);
    int64_t begin_ns = now_ns(), end_ns = begin_ns + (int64_t)(atof(argv[1]) * 1e9);
    for (int64_t i = 0, t_ns = begin_ns; t_ns < end_ns && !stopped;
         i++, t_ns = begin_ns + i * period_ns) {
        struct timespec due = {.tv_sec = (time_t)(t_ns / PJI_NS_PER_S),
                               .tv_nsec = (long)(t_ns % PJI_NS_PER_S)};
        (void)clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL);
        if (i * period_ns % (500 * PJI_NS_PER_MS) < period_ns)
            log_slow();
        log_counter();
        if (i * period_ns % PJI_NS_PER_S < period_ns)
            log_buffer();
    }
    log_buffer();
    (void)api.shutdown();
    return fflush(stdout) ? 1 : 0;
}
