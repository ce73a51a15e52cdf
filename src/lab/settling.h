/* lab/settling.h - has the machine come to rest again? Pure: samples with their times in, a verdict
 * in words out.
 *
 * At rest (docs/study-file.md, `cooldown: {until: settled}`) means, over the last `over_ns`: every
 * sensor that the reference has is on average within 1 degree of it, its straight line of least
 * squares rises or falls by less than 0.2 degrees a minute, and the power is within 2 % of the
 * reference's. The reference is the same kind of look, taken before the first trial. Power counts
 * where an instrument measured it then and now: a model of the processors' load knows no leakage.
 * Without sensors and such power nothing can be judged, which is said and is not rest.
 */
#ifndef PJI_LAB_SETTLING_H
#define PJI_LAB_SETTLING_H

#include "core/json.h"
#include "evidence/sensors.h"

#define PJI_SETTLED_C         1.0 /* of the reference */
#define PJI_SETTLED_C_PER_MIN 0.2
#define PJI_SETTLED_POWER     0.02 /* share of the reference */
#define PJI_START_OFF_C       2.0  /* start temperatures differ */

/* A look at the machine. */
struct pji_rest_sample {
    int64_t t_ns;
    struct pji_temps temps;
    double energy_j; /* cumulative, of an instrument that measures; NaN: none does */
};

/* What rest is. */
struct pji_rest_reference {
    bool known;
    struct pji_temps temps; /* means */
    double power_w;         /* NaN: not measured */
};

enum { PJI_REST_SAMPLES = 128 };

/* Zero-initialise; over_ns is the caller's. */
struct pji_settling {
    int64_t over_ns;
    struct pji_rest_sample samples[PJI_REST_SAMPLES]; /* in order of time */
    size_t n;
};

/* Keeps what is not older than over_ns and one sample before it. Samples should come every
 * over_ns / 60. */
void pji_settling_add(struct pji_settling *settling, const struct pji_rest_sample *sample);
/* They span over_ns. */
bool pji_settling_full(const struct pji_settling *settling);
/* Means over what there is. */
void pji_settling_mean(const struct pji_settling *settling, struct pji_rest_reference *out);

enum pji_settled { PJI_SETTLED_NOT_YET, PJI_SETTLED, PJI_SETTLED_BLIND };

/* text (may be NULL): what is waited for, or what was found. */
enum pji_settled pji_settling_judge(const struct pji_settling *settling,
                                    const struct pji_rest_reference *reference, char *text,
                                    size_t size);

/* The sensor whose start temperature is farthest from the reference, NULL: none in common. */
const struct pji_temp *pji_start_off(const struct pji_temps *start,
                                     const struct pji_rest_reference *reference, double *off_c);

/* {"temps": {name: C, …}, "power_w": W or null}: new reference; and back (PJ_EINVAL). */
json_t *pji_rest_to_json(const struct pji_rest_reference *reference);
pj_status pji_rest_from_json(struct pji_rest_reference *reference, const json_t *object,
                             struct pj_error *err);

#endif
