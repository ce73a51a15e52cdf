/* bench/day.c - does memory grow over a day? The meter's own code samples a fake machine with two
 * sockets on a simulated clock, 24 h at 100 Hz in some seconds: every reading goes into the series
 * of a run and through the trace's writer to /dev/null, as `perjoule measure --trace` does.
 *
 *     day ROOT [HOURS]     bench/meter_cost makes the tree and calls it
 *
 * The tree is opened as it is; from then on the counters that are read and all clocks are
 * simulated. Prints memory after the first minute and at the end; exit code 1 when it grew by 1 MiB
 * or more.
 */
#include "cli/run_series.h"
#include "core/units.h"
#include "meter/meter.h"
#include "meter/stream.h"
#include "sources/table.h"

#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TICK_NS (10 * PJI_NS_PER_MS)

enum { HANDLES = 256 };
enum kind { AS_IT_IS, COUNTER, STAT };

struct machine {
    struct pji_platform real, platform;
    struct pji_platform_ops ops;
    int64_t t_ns;
    enum kind kinds[HANDLES];
};

static int open_file(void *context, const char *path)
{
    struct machine *m = context;
    int handle = m->real.ops->open(m->real.context, path);
    if (handle >= 0 && handle < HANDLES)
        m->kinds[handle] = strstr(path, "/energy_uj")        ? COUNTER
                           : strcmp(path, "/proc/stat") == 0 ? STAT
                                                             : AS_IT_IS;
    return handle;
}

/* 80 W and a little more for each handle, wrapping as RAPL does; half of eight processors busy. */
static ssize_t read_file(void *context, int handle, void *buffer, size_t size, off_t offset)
{
    struct machine *m = context;
    enum kind kind = handle >= 0 && handle < HANDLES ? m->kinds[handle] : AS_IT_IS;
    long long ticks = m->t_ns / TICK_NS;
    if (kind == AS_IT_IS)
        return m->real.ops->pread(m->real.context, handle, buffer, size, offset);
    if (kind == COUNTER)
        return snprintf(buffer, size, "%lld\n",
                        (long long)(m->t_ns / 1000 * (80 + handle) % INT64_C(262143328850)));
    return snprintf(buffer, size, "cpu %lld 0 0 %lld 0 0 0 0 0 0\n", 4 * ticks, 4 * ticks);
}

static int64_t clock_ns(void *context, enum pji_clock clock)
{
    struct machine *m = context;
    return clock == PJI_CLOCK_REALTIME ? m->t_ns + INT64_C(1795000000) * PJI_NS_PER_S : m->t_ns;
}

static void close_file(void *context, int handle)
{
    struct machine *m = context;
    m->real.ops->close(m->real.context, handle);
}

static int list(void *context, const char *path, int (*visit)(void *arg, const char *name),
                void *arg)
{
    struct machine *m = context;
    return m->real.ops->list(m->real.context, path, visit, arg);
}

static ssize_t read_link(void *context, const char *path, char *buffer, size_t size)
{
    struct machine *m = context;
    return m->real.ops->readlink(m->real.context, path, buffer, size);
}

static void check(pj_status status, const struct pj_error *err)
{
    if (status != PJ_OK) {
        (void)fprintf(stderr, "day: %s\n", err->text);
        exit(2);
    }
}

static void machine_open(struct machine *m, const char *root)
{
    struct pj_error err = {0};
    check(pji_platform_open_real(&m->real, root, &err), &err);
    m->ops = *m->real.ops;
    m->ops.open = open_file;
    m->ops.pread = read_file;
    m->ops.close = close_file;
    m->ops.list = list;
    m->ops.readlink = read_link;
    m->ops.mode = NULL;
    m->ops.clock_ns = clock_ns;
    m->platform = (struct pji_platform){.ops = &m->ops, .context = m, .rooted = true};
    m->t_ns = PJI_NS_PER_S;
}

struct day {
    struct machine machine;
    struct pji_meter *meter;
    struct pji_run_series run;
    struct pji_stream *stream;
    uint64_t readings;
};

static void day_open(struct day *day, const char *root)
{
    static const struct pji_source_ops *const sources[] = {
        &pji_source_rapl_powercap, &pji_source_model_cpu, &pji_source_model_ram, NULL};
    struct pj_error err = {0};
    machine_open(&day->machine, root);
    struct pji_meter_config config = {
        .env = {.platform = &day->machine.platform}, .sources = sources, .interval_ns = TICK_NS};
    check(pji_meter_open(&day->meter, &config, &err), &err);
    const struct pji_channel_table *table = pji_meter_channels(day->meter);
    check(pji_run_series_init(&day->run, table->channels, table->n, &err), &err);
    pji_run_series_start(&day->run, day->machine.t_ns);
    struct pji_stream_config stream = {.platform = &day->machine.platform,
                                       .fd = open("/dev/null", O_WRONLY | O_CLOEXEC),
                                       .burst = pji_meter_burst(day->meter),
                                       .ring_b = 1 << 20,
                                       .patience_ns = PJI_NS_PER_S};
    check(pji_stream_open(&day->stream, &stream, &err), &err);
}

static void day_sample(struct day *day, int64_t until_ns)
{
    struct pj_error err = {0};
    while (day->machine.t_ns < until_ns) {
        const struct pji_reading *readings;
        size_t n;
        day->machine.t_ns += TICK_NS;
        check(pji_meter_sample(day->meter, &readings, &n, &err), &err);
        for (size_t i = 0; i < n; i++)
            check(pji_run_series_add(&day->run, &readings[i], &err), &err);
        check(pji_stream_readings(day->stream, readings, n, &err), &err);
        day->readings += n;
    }
}

struct memory {
    size_t heap_b;
    long peak_kib;
};

static struct memory memory_now(void)
{
    struct memory now = {.heap_b = mallinfo2().uordblks};
    char line[128];
    FILE *file = fopen("/proc/self/status", "re");
    while (file && fgets(line, sizeof line, file))
        if (strncmp(line, "VmHWM:", 6) == 0)
            now.peak_kib = strtol(line + 6, NULL, 10);
    if (file)
        (void)fclose(file);
    return now;
}

int main(int argc, char **argv)
{
    static struct day day;
    int64_t hours = argc > 2 ? strtol(argv[2], NULL, 10) : 24;
    if (argc < 2 || hours < 1) {
        (void)fprintf(stderr, "usage: day ROOT [HOURS]\n");
        return 2;
    }
    day_open(&day, argv[1]);
    day_sample(&day, 60 * PJI_NS_PER_S);
    struct memory first = memory_now();
    day_sample(&day, hours * 3600 * PJI_NS_PER_S);
    struct memory last = memory_now();
    printf("%lld h at 100 Hz, %zu channels, %llu readings\n", (long long)hours,
           pji_meter_channels(day.meter)->n, (unsigned long long)day.readings);
    printf("after one minute: %zu B on the heap, peak %ld KiB; at the end: %zu B, %ld KiB: grew by "
           "%ld KiB (target: < 1024)\n",
           first.heap_b, first.peak_kib, last.heap_b, last.peak_kib,
           last.peak_kib - first.peak_kib);
    pji_stream_close(day.stream);
    pji_run_series_fini(&day.run);
    pji_meter_close(day.meter);
    pji_platform_close_real(&day.machine.real);
    return last.peak_kib - first.peak_kib < 1024 && last.heap_b < first.heap_b + 1048576 ? 0 : 1;
}
