#include "synthetic_recording.h"

#include "core/prng.h"
#include "core/units.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* name, s, idle W, full W, spacing, jitter, average, step, poll, call, rise, wall s, read, ring,
 * stall s, repeats, seeds, empty, aliased */
const struct synthetic_row synthetic_rows[] = {
    {"like an H200", 90, 78, 690, 20, 7, -1, 100, 20, 3.5, 3, 1795254670, 1000, 120, 0, 0, 3, 0, 0},
    {"even means", 90, 78, 690, 20, 7, 20, 100, 20, 3.5, 3, 1795254670, 1000, 120, 0, 0, 2, 0, 0},
    {"slow counter", 70, 60, 400, 20, 2, 20, 200, 50, 1, 5, 1600000000, 1000, 120, 0, 0, 2, 0, 0},
    {"quick counter", 70, 35, 300, 20, 4, 20, 20, 10, 0.2, 2, 1700000000, 900, 120, 0, 0, 2, 0, 0},
    {"slow samples", 90, 50, 350, 100, 5, 100, 100, 20, 3, 10, 1800000000, 1000, 120, 0, 0, 3, 0,
     0},
    {"rare samples", 90, 50, 250, 167, 0, 167, 100, 25, 2, 10, 1500000000, 1000, 16, 0, 0, 2, 0, 0},
    {"quick samples", 60, 90, 700, 10, 1, 10, 100, 20, 3, 1, 1650000000, 1000, 240, 0, 0, 2, 0, 0},
    {"small ring", 60, 70, 500, 10, 2, 10, 100, 20, 1, 2, 1650000001, 500, 100, 0, 0, 2, 0, 0},
    {"momentary samples", 80, 40, 280, 20, 3, 0, 100, 20, 3, 4, 1750000000, 1000, 120, 0, 0, 2, 0,
     0},
    {"no counter", 60, 25, 150, 20, 5, 20, 0, 20, 0, 3, 1, 1000, 120, 0, 0, 1, 0, 0},
    {"stalled reader", 90, 80, 650, 20, 6, 20, 100, 20, 4, 3, 1795000000, 1000, 120, 2, 0, 2, 0, 0},
    {"lost samples", 90, 80, 650, 20, 6, 20, 100, 20, 4, 3, 1795000000, 1000, 120, 4, 0, 2, 0, 0},
    {"written twice", 60, 30, 220, 20, 5, 20, 100, 20, 3, 3, 1720000000, 1000, 120, 0, 1, 2, 0, 0},
    {"small card", 60, 4, 22, 20, 5, 20, 100, 20, 2, 3, 1720000000, 1000, 120, 0, 0, 2, 0, 0},
    {"great board", 60, 300, 2400, 20, 5, 20, 100, 20, 3, 3, 1720000000, 1000, 120, 0, 0, 2, 0, 0},
    {"short", 9, 70, 600, 20, 5, 20, 100, 20, 3, 3, 1720000000, 1000, 120, 0, 0, 2, 0, 0},
    {"empty at first", 60, 70, 600, 20, 2, 20, 100, 20, 3, 3, 1720000000, 1000, 120, 0, 0, 2, 1, 0},
    {"part-time sensor", 60, 70, 600, 100, 2, 25, 100, 20, 3, 3, 172000000, 1000, 50, 0, 0, 1, 0,
     1},
    {0}};

static const int64_t grid_ns = 100000; /* of the truth */

struct maker {
    struct synthetic *s;
    struct pji_prng prng;
    double *watt;
    size_t at, grid;
};

static double uniform(struct maker *m, double low, double high)
{
    return low + (high - low) * pji_prng_unit(&m->prng);
}

static int64_t ms_ns(double ms)
{
    return (int64_t)llround(ms * 1e6);
}

/* ---- the truth ---- */

static void hold(struct maker *m, double ms, double watt)
{
    size_t n = (size_t)(ms * 1e6 / (double)grid_ns);
    for (; n > 0 && m->at < m->grid; n--)
        m->watt[m->at++] = watt * (1 + 0.01 * pji_prng_normal(&m->prng));
}

static int64_t now(const struct maker *m)
{
    return m->s->start_ns + (int64_t)m->at * grid_ns;
}

static void phase(struct maker *m, const char *name, int64_t start_ns, bool load)
{
    struct synthetic *s = m->s;
    size_t most = sizeof s->phases / sizeof s->phases[0];
    if (s->n_phases < most && m->at < m->grid)
        s->phases[s->n_phases++] = (struct synthetic_phase){name, start_ns, now(m), load};
}

static void square(struct maker *m, const char *name, double half_ms, double dur_ms)
{
    const struct synthetic_row *row = &m->s->row;
    int64_t start_ns = now(m);
    for (double done = 0; done < dur_ms; done += 2 * half_ms) {
        hold(m, half_ms, row->full_w);
        hold(m, half_ms, row->idle_w);
    }
    phase(m, name, start_ns, false);
}

static void bursts(struct maker *m)
{
    static const double lengths_ms[] = {200, 350, 500, 1000, 2000};
    const struct synthetic_row *row = &m->s->row;
    for (size_t i = 0; i < sizeof lengths_ms / sizeof lengths_ms[0]; i++) {
        hold(m, uniform(m, 300, 700), row->idle_w);
        int64_t start_ns = now(m);
        hold(m, lengths_ms[i], row->full_w);
        phase(m, "burst", start_ns, false);
    }
}

static void prompts(struct maker *m)
{
    const struct synthetic_row *row = &m->s->row;
    for (int i = 0; i < 3; i++) {
        int64_t start_ns = now(m);
        hold(m, uniform(m, 60, 500), row->full_w * uniform(m, 0.9, 1));
        phase(m, "prefill", start_ns, false);
        start_ns = now(m);
        double decode_w = row->idle_w + (row->full_w - row->idle_w) * uniform(m, 0.4, 0.7);
        for (double ms = uniform(m, 400, 1800); ms > 0; ms -= 15) {
            hold(m, 11, decode_w * 1.1);
            hold(m, 4, decode_w * 0.7);
        }
        phase(m, "decode", start_ns, false);
        hold(m, uniform(m, 100, 900), row->idle_w);
    }
}

static void run_through(struct maker *m)
{
    const struct synthetic_row *row = &m->s->row;
    hold(m, 3000, row->idle_w);
    int64_t start_ns = now(m);
    hold(m, row->dur_s > 20 ? 11000 : 4500, row->full_w);
    phase(m, "full", start_ns, row->dur_s > 20);
    start_ns = now(m);
    hold(m, uniform(m, 1000, 2000), row->idle_w);
    phase(m, "idle", start_ns, false);
    while (m->at < m->grid) {
        bursts(m);
        prompts(m);
        square(m, "square 50 ms", 50, 1500);
        square(m, "square 300 ms", 300, 3000);
        square(m, "square 17 ms", 17, 1000);
        square(m, "square 1 s", 1000, 4000);
        hold(m, 1200, row->idle_w);
    }
}

/* The board follows its load with a time constant. */
static void add_up(struct maker *m)
{
    struct synthetic *s = m->s;
    double watt = m->watt[0], joule = 0;
    double follow = 1 - exp(-(double)grid_ns / 1e6 / s->row.rise_ms);
    for (size_t i = 0; i < m->grid; i++) {
        s->joule[i] = joule;
        watt += (m->watt[i] - watt) * follow;
        joule += watt * (double)grid_ns / 1e9;
    }
    s->n = m->grid;
}

static double joule_at(const struct synthetic *s, int64_t t_ns)
{
    double x = (double)(t_ns - s->start_ns) / (double)grid_ns;
    size_t i = x > 0 ? (size_t)x : 0;
    if (i + 1 >= s->n)
        return s->joule[s->n - 1];
    double slope = s->joule[i + 1] - s->joule[i];
    return s->joule[i] + slope * (x - (double)i); /* straight on before the start */
}

double synthetic_joule(const struct synthetic *synthetic, int64_t start_ns, int64_t end_ns)
{
    return joule_at(synthetic, end_ns) - joule_at(synthetic, start_ns);
}

/* ---- the instrument and its reader ---- */

static bool stalled(const struct synthetic *s, int64_t t_ns)
{
    double t_s = (double)(t_ns - s->start_ns) / 1e9;
    return s->row.stall_s > 0 && t_s > 16 && fmod(t_s, 15) < s->row.stall_s;
}

static int64_t mean_mw(const struct synthetic *s, int64_t t_ns, int64_t last_ns)
{
    double average_ms = s->row.average_ms;
    int64_t over_ns = average_ms > 0 ? ms_ns(average_ms) : grid_ns;
    if (average_ms < 0 && last_ns != INT64_MIN)
        over_ns = t_ns - last_ns;
    return llround(synthetic_joule(s, t_ns - over_ns, t_ns) * 1e12 / (double)over_ns);
}

/* All samples that were; those that no read found in the ring are then dropped. */
static void take_samples(struct maker *m)
{
    struct synthetic *s = m->s;
    double past_ms = s->row.empty ? 0 : s->row.ring * s->row.spacing_ms;
    double dur_ms = (double)(s->end_ns - s->start_ns) / 1e6 + past_ms;
    size_t cap = (size_t)(dur_ms / s->row.spacing_ms) + 2, n = 0, kept = 0;
    s->samples = calloc(cap, sizeof *s->samples);
    double first_ms = uniform(m, 0, s->row.spacing_ms) - past_ms;
    for (size_t i = 0; n + 1 < cap; i++) {
        double ms = first_ms + (double)i * s->row.spacing_ms +
                    uniform(m, -1, 1) * fmin(s->row.jitter_ms, 0.45 * s->row.spacing_ms);
        int64_t t_ns = s->start_ns + ms_ns(ms);
        if (t_ns > s->end_ns)
            break;
        /* the device counts whole microseconds */
        t_ns = (t_ns + s->offset_ns) / 1000 * 1000 - s->offset_ns;
        int64_t last_ns = n > 0 ? s->samples[n - 1].t_ns : INT64_MIN;
        s->samples[n++] =
            (struct synthetic_sample){.t_ns = t_ns, .power_mw = mean_mw(s, t_ns, last_ns)};
    }
    size_t next = 0;
    for (int64_t t_ns = s->start_ns; t_ns <= s->end_ns + ms_ns(s->row.read_ms);
         t_ns += ms_ns(s->row.read_ms)) {
        while (stalled(s, t_ns))
            t_ns += ms_ns(50);
        size_t until = next;
        while (until < n && s->samples[until].t_ns <= t_ns)
            until++;
        size_t from = until - next > s->row.ring ? until - s->row.ring : next;
        for (next = until; from < until; from++) {
            s->samples[kept] = s->samples[from];
            s->samples[kept++].read_ns = t_ns;
        }
    }
    s->n_samples = kept;
}

void synthetic_make(struct synthetic *synthetic, const struct synthetic_row *row, uint64_t seed)
{
    struct maker m = {.s = synthetic, .grid = (size_t)(row->dur_s * 1e9 / (double)grid_ns)};
    *synthetic = (struct synthetic){.row = *row, .seed = seed};
    pji_prng_init(&m.prng, seed, row->name);
    synthetic->start_ns = (int64_t)(uniform(&m, 1, 5e5) * 1e9);
    synthetic->end_ns = synthetic->start_ns + (int64_t)(m.grid - 1) * grid_ns;
    synthetic->offset_ns = (int64_t)(row->wall_s * 1e9) + (int64_t)uniform(&m, 0, 1e9);
    synthetic->joule = calloc(m.grid, sizeof *synthetic->joule);
    m.watt = calloc(m.grid, sizeof *m.watt);
    run_through(&m);
    add_up(&m);
    take_samples(&m);
    free(m.watt);
}

void synthetic_free(struct synthetic *synthetic)
{
    free(synthetic->joule);
    free(synthetic->samples);
}

/* ---- the file ---- */

/* The reads of the buffer until t_ns. */
static void write_buffer(const struct synthetic *s, FILE *file, size_t *next, int64_t t_ns)
{
    while (*next < s->n_samples && s->samples[*next].read_ns <= t_ns) {
        int64_t read_ns = s->samples[*next].read_ns;
        size_t until = *next;
        while (until < s->n_samples && s->samples[until].read_ns == read_ns)
            until++;
        size_t from = !s->row.repeats ? *next : until > s->row.ring ? until - s->row.ring : 0;
        for (; from < until; from++)
            fprintf(file, "buffer,%lld,%lld,%lld,%lld\n", (long long)read_ns,
                    (long long)read_ns + 170000, (long long)s->samples[from].power_mw,
                    (long long)((s->samples[from].t_ns + s->offset_ns) / 1000));
        *next = until;
    }
}

static void write_counter(const struct synthetic *s, FILE *file, struct pji_prng *prng,
                          int64_t t_ns, double first_ms)
{
    int64_t call_ns = ms_ns(s->row.call_ms * (0.7 + 0.6 * pji_prng_unit(prng)));
    int64_t step_ns = ms_ns(s->row.counter_step_ms);
    int64_t since_ns = t_ns + call_ns / 2 - s->start_ns + ms_ns(first_ms);
    int64_t shown_ns = t_ns + call_ns / 2 - since_ns % step_ns;
    fprintf(file, "counter,%lld,%lld,%lld,0\n", (long long)t_ns, (long long)(t_ns + call_ns),
            (long long)(5e6 + joule_at(s, shown_ns) * 1e3));
}

void synthetic_write(const struct synthetic *synthetic, const char *path)
{
    const struct synthetic *s = synthetic;
    struct pji_prng prng;
    pji_prng_init(&prng, s->seed, "reader");
    double first_ms = pji_prng_unit(&prng) * s->row.counter_step_ms;
    int64_t poll_ns = ms_ns(s->row.counter_poll_ms), slow_ns = s->start_ns;
    size_t next = 0;
    FILE *file = fopen(path, "w");
    if (!file)
        abort();
    fprintf(file, "# NVIDIA Synthetic driver 1.0 limit_mw %.0f realtime_minus_monotonic_ns %lld\n",
            s->row.full_w * 1000, (long long)s->offset_ns);
    fprintf(file, "kind,t_before_ns,t_after_ns,value,device_ts_us\n");
    for (int64_t t_ns = s->start_ns; t_ns <= s->end_ns; t_ns += poll_ns) {
        while (stalled(s, t_ns))
            t_ns += ms_ns(50);
        if (s->row.counter_step_ms > 0)
            write_counter(s, file, &prng, t_ns, first_ms);
        if (t_ns >= slow_ns) {
            fprintf(file, "usage,%lld,%lld,%lld,0\n", (long long)t_ns, (long long)t_ns + 23000,
                    (long long)mean_mw(s, t_ns, t_ns - ms_ns(20)));
            fprintf(file, "temp,%lld,%lld,41,0\n", (long long)t_ns, (long long)t_ns + 9000);
            slow_ns = t_ns + ms_ns(500);
        }
        write_buffer(s, file, &next, t_ns);
    }
    write_buffer(s, file, &next, INT64_MAX);
    fclose(file);
}
