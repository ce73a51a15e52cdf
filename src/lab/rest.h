/* lab/rest.h - what an attempt does while its engine is not there: waiting until the machine came
 * to rest, a look at how warm it is, and idle baselines.
 *
 * In order: phase `cooldown` (cooldown: {until: settled}; the first trial of a study has nothing to
 * come to rest from and takes the reference in phase `reference` instead), start temperatures,
 * phase `baseline_before`, then the engine; after it `cooldown_after` and `baseline_after`. Idle
 * means that no engine runs: phase `idle` of a study file is another thing, with the engine up.
 * Which of these an attempt has is decided where the plan is (struct pji_around), because a testbed
 * sees one attempt only.
 */
#ifndef PJI_LAB_REST_H
#define PJI_LAB_REST_H

#include "lab/metering.h"
#include "lab/records.h"
#include "lab/settling.h"
#include "lab/watch.h"

/* Zeroed: nothing of all that, and the start temperatures become the reference. */
struct pji_around {
    bool baseline_before, baseline_after;
    struct pji_rest_reference reference; /* of the study's first trial */
};

struct pji_rest {
    const struct pji_study *study;
    const struct pji_around *around;
    const struct pji_watch *watch;
    struct pji_metering *metering;
    struct pji_trial_data *data;
    void (*say)(void *context, const char *what); /* what is waited for */
    void *context;
    /* private */
    struct pji_platform platform;
    bool open;
    struct pji_settling *settling;
};

/* The members above are the caller's; root may be NULL. */
pj_status pji_rest_open(struct pji_rest *rest, const char *root, struct pj_error *err);
void pji_rest_close(struct pji_rest *rest);

/* Both: PJI_WATCH_TIMER when all is well, PJI_WATCH_NONE on lack of memory, else what ended it. */
enum pji_watch_cause pji_rest_before(struct pji_rest *rest, struct pj_error *err);
enum pji_watch_cause pji_rest_after(struct pji_rest *rest, struct pj_error *err);

/* A warning of the study where cooldown: {until: settled} has no sensor to look at here. */
void pji_rest_warn(struct pji_study *study, const char *root);

/* The longest that all of it can take. */
int64_t pji_rest_most_ns(const struct pji_study *study);

/* For a testbed: {"baseline_before", "baseline_after", "reference"}. New reference; and back:
 * object NULL leaves everything zeroed. */
json_t *pji_around_to_json(const struct pji_around *around);
pj_status pji_around_from_json(struct pji_around *around, const json_t *object,
                               struct pj_error *err);

#endif
