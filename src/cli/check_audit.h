/* cli/check_audit.h - what `check` says about a plan beside the plan itself: aliases, degrees of
 * freedom, the smallest difference that can be found, estimates from a pilot.
 */
#ifndef PJI_CLI_CHECK_AUDIT_H
#define PJI_CLI_CHECK_AUDIT_H

#include "core/json.h"
#include "lab/audit.h"
#include "lab/forecast.h"
#include "lab/pilot.h"

struct pji_check_audit {
    const struct pji_study *study;
    const struct pji_plan *plan;
    const struct pji_forecast *forecast;
    struct pji_plan_audit audit;
    double cv;             /* stated: share; 0: not stated */
    double power_w;        /* stated; 0: not stated */
    const char *pilot_dir; /* NULL: none */
    struct pji_pilot pilot;
    struct pji_pilot_estimate estimate;
};

/* "2%" or "0.02"; at most 1000 %. */
pj_status pji_check_cv_parse(const char *text, double *cv, struct pj_error *err);
/* Audits the plan and reads the pilot. */
pj_status pji_check_audit_make(struct pji_check_audit *c, struct pj_error *err);
void pji_check_audit_fini(struct pji_check_audit *c);
/* Time, energy and disk from what was stated or piloted: after the forecast's lines. */
void pji_check_audit_print_estimate(const struct pji_check_audit *c);
void pji_check_audit_print(const struct pji_check_audit *c);
/* Adds "aliases", "tests", "detectable" and "pilot" to the object. */
void pji_check_audit_json(const struct pji_check_audit *c, json_t *root);
/* "1.5 h" */
void pji_check_print_duration(double s);

#endif
