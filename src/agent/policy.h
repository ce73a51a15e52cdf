/* agent/policy.h - what this testbed's owner lets an orchestrator run (docs/agent-api.md).
 *
 * A study asks for engines, models and items by words. Each word is looked up here and what stands
 * here is used: nothing that came over the wire becomes a program, an argument, an address or a
 * file name. Only settings that are allowed as `number` take over the study's own value, and that
 * must be a whole number, on or off.
 */
#ifndef PJI_AGENT_POLICY_H
#define PJI_AGENT_POLICY_H

#include "lab/study.h"

struct pji_policy {
    struct pji_yaml_doc doc;
    char *dir; /* of the file: relative paths start there */
    bool open;
};

pj_status pji_policy_read(struct pji_policy *policy, const char *path, struct pj_error *err);
void pji_policy_fini(struct pji_policy *policy);

/* Replaces the settings in place; PJ_EACCESS names the first that is not allowed. */
pj_status pji_policy_allow(const struct pji_policy *policy, const char *kind,
                           struct pji_setting *settings, size_t n, struct pj_error *err);
/* Puts our paths in the place of every task's items and examples and of the load's times;
 * PJ_EACCESS when one is not allowed. */
pj_status pji_policy_files(const struct pji_policy *policy, struct pji_study *study,
                           struct pj_error *err);
/* A path of a file beside the configuration: where relative paths of engines start. */
pj_status pji_policy_study_path(const struct pji_policy *policy, char **path, struct pj_error *err);

#endif
