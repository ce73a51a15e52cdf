/* support/synthetic_recording.h - recordings of GPUs that never were, with a known truth.
 *
 * The same CSV as a recording of a real GPU (tests/tools/recording_to_trace.c says what is in it),
 * made from a power curve of which every energy is known. The sensor takes means over `average_ns`
 * before each sample; the energy counter adds up the true power and shows it in steps.
 *
 *     struct synthetic synthetic;
 *     synthetic_make(&synthetic, &synthetic_rows[3], 42);
 *     synthetic_write(&synthetic, "recording.csv");
 *     … synthetic_joule(&synthetic, start_ns, end_ns) …
 *     synthetic_free(&synthetic);
 */
#ifndef TEST_SUPPORT_SYNTHETIC_RECORDING_H
#define TEST_SUPPORT_SYNTHETIC_RECORDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Times in ms, powers in W, all of one recording. */
struct synthetic_row {
    const char *name;
    double dur_s, idle_w, full_w;
    double spacing_ms, jitter_ms; /* of the buffer's samples; jitter: uniform, +- */
    double average_ms;            /* of each sample; 0: momentary; -1: since the sample before */
    double counter_step_ms;       /* 0: this GPU has no counter */
    double counter_poll_ms, call_ms;
    double rise_ms; /* time constant of the board at a step of load */
    double wall_s;  /* realtime - monotonic */
    double read_ms; /* of the buffer */
    unsigned ring;  /* samples that the buffer holds */
    double stall_s; /* the reader sleeps this long once in every 15 s; 0: never */
    bool repeats;   /* each read writes the whole buffer down, old samples as well */
    unsigned seeds; /* how often a test makes it */
    bool empty;     /* nothing in the buffer at the beginning, else a ring full of idling */
    bool aliased;   /* the sensor cannot see this load: intervals are not tested */
};

/* The rows that tests play; ends with one without a name. */
extern const struct synthetic_row synthetic_rows[];

struct synthetic_phase {
    const char *name;
    int64_t start_ns, end_ns;
    bool load; /* long, at the highest mean power */
};

struct synthetic_sample {
    int64_t t_ns, power_mw, read_ns; /* device time on CLOCK_MONOTONIC; when it was read */
};

struct synthetic {
    struct synthetic_row row;
    int64_t start_ns, end_ns, offset_ns;
    double *joule; /* of the truth since start, every 0.1 ms */
    size_t n;
    struct synthetic_phase phases[96];
    size_t n_phases;
    struct synthetic_sample *samples; /* that a reader got, once each */
    size_t n_samples;
    uint64_t seed;
};

void synthetic_make(struct synthetic *synthetic, const struct synthetic_row *row, uint64_t seed);
void synthetic_write(const struct synthetic *synthetic, const char *path);
double synthetic_joule(const struct synthetic *synthetic, int64_t start_ns, int64_t end_ns);
void synthetic_free(struct synthetic *synthetic);

#endif
