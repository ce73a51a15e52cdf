/* lab/internal.h - what the files that read a study share. */
#ifndef PJI_LAB_INTERNAL_H
#define PJI_LAB_INTERNAL_H

#include "core/str.h"
#include "lab/study.h"

#include <stdarg.h>

/* ---- problems: at most PJI_STUDY_PROBLEMS are kept, further ones are dropped ---- */
void pji_study_error(struct pji_study *study, const struct pji_yaml *at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void pji_study_warn(struct pji_study *study, const struct pji_yaml *at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Sorts the problems; PJ_EINVAL with the first error in the file when there is one. */
pj_status pji_study_report(struct pji_study *study, struct pj_error *err);
void pji_problems_fini(struct pji_problems *problems);

/* ---- reading nodes: each says what is wrong and returns false (or NULL) ---- */

/* False when node is no mapping; keys other than these (NULL-terminated) are reported. */
bool pji_node_keys(struct pji_study *study, const struct pji_yaml *node, const char *what,
                   const char *const *known);
/* Some key of the mapping looks like `key`, which is among the known ones. */
bool pji_node_misspells(const struct pji_yaml *node, const char *key, const char *const *known);
/* A scalar that is not empty; its text is borrowed. */
const char *pji_node_text(struct pji_study *study, const struct pji_yaml *node, const char *what);
bool pji_node_i64(struct pji_study *study, const struct pji_yaml *node, const char *what,
                  int64_t min, int64_t max, int64_t *out);
bool pji_node_duration(struct pji_study *study, const struct pji_yaml *node, const char *what,
                       int64_t min_ns, int64_t max_ns, int64_t *out_ns);
char *pji_study_dup(struct pji_study *study, const char *text);
void *pji_study_alloc(struct pji_study *study, size_t n, size_t size);

/* ---- names ---- */
size_t
pji_name_len(const char *text); /* length of the [A-Za-z_][A-Za-z0-9_]* that text begins with */
/* Index of a factor; n_factors when there is none. */
size_t pji_factor_find(const struct pji_study *study, const char *name, size_t len);
pj_status pji_unknown_factor(const struct pji_study *study, const char *name, size_t len,
                             struct pj_error *err);
/* Every ${…} below the node names a factor. */
bool pji_study_check_names(struct pji_study *study, const struct pji_yaml *node);

/* ---- sections ---- */
void pji_parse_factors(struct pji_study *study, const struct pji_yaml *node);
void pji_parse_exclusions(struct pji_study *study, const struct pji_yaml *node);
void pji_parse_engine(struct pji_study *study, const struct pji_yaml *node);
void pji_parse_load(struct pji_study *study, const struct pji_yaml *node);
void pji_parse_executor(struct pji_study *study, const struct pji_yaml *node);
void pji_parse_baseline(struct pji_study *study, const struct pji_yaml *node);
/* cooldown: {until: settled, max: 10m, over: 1m} */
void pji_parse_settle(struct pji_study *study, const struct pji_yaml *node);
void pji_executor_fini(struct pji_executor *executor);
void pji_parse_analysis(struct pji_study *study, const struct pji_yaml *node);
void pji_parse_tasks(struct pji_study *study, const struct pji_yaml *node);
/* program.c: what a program that answers items has no use for is refused. */
void pji_check_program(struct pji_study *study);

/* pji_study_task that also says which node is wrong. */
pj_status pji_task_fill(const struct pji_study *study, size_t index, const char *const *levels,
                        struct pji_task_values *out, const struct pji_yaml **at,
                        struct pj_error *err);
pj_status pji_load_fill(const struct pji_study *study, const char *const *levels,
                        struct pji_load_values *out, const struct pji_yaml **at,
                        struct pj_error *err);
/* preset, scorer, labels, positive, answer_after, tolerance of a task whose other texts are read.
 */
bool pji_parse_scoring(struct pji_study *study, struct pji_task_spec *spec);
/* "key must be a whole number from min to max, not 'text'" */
pj_status pji_whole_number(const char *key, const char *text, int64_t min, int64_t max,
                           int64_t *out, struct pj_error *err);
/* YAML as JSON text: unquoted true, false, null and numbers are what they look like. */
pj_status pji_yaml_to_json(const struct pji_study *study, const struct pji_yaml *node,
                           const char *const *levels, char **out, struct pj_error *err);

#endif
