/* lab/study.h - the study file (YAML) as a checked structure. docs/study-file.md is its manual.
 *
 * Values may name a factor as ${factor} (or $factor when it is the whole value): the trial's level
 * is filled in as text. Errors carry file:line:column, the offending text and a suggestion.
 */
#ifndef PJI_LAB_STUDY_H
#define PJI_LAB_STUDY_H

#include "core/yaml.h"
#include "engine/engine.h"

#include <stdint.h>

struct pji_factor {
    char *name;
    char **levels; /* text as written */
    size_t n;
};

/* One exclusion: the product of these level sets. levels[f][l] for factor f, level l. */
struct pji_exclusion {
    bool **levels; /* NULL for a factor that is not named: any level */
};

struct pji_task_spec {
    char *name;       /* "energy", "accuracy"; default: "task" */
    char *items_path; /* as written */
    char *prompt;     /* template text */
    char *gold;       /* key of the gold label, NULL: unscored */
    char **choices;   /* accepted answers, in order; n_choices 0: distinct gold labels */
    size_t n_choices;
    const struct pji_yaml *node; /* for values that name factors: max_tokens, limit, … */
};

struct pji_phases {
    int64_t warmup_ns, idle_ns, cooldown_ns;
};

struct pji_limits {
    int64_t engine_start_ns, request_ns, trial_ns, engine_stop_ns, meter_ns;
    int64_t attempts; /* failed attempts of one trial before the runner gives it up */
};

struct pji_study {
    char *path, *dir; /* the study file and its folder */
    char *text;       /* its bytes, stored with the study */
    size_t text_len;
    struct pji_yaml_doc doc;
    char *name, *question;
    struct pji_factor *factors;
    size_t n_factors;
    struct pji_exclusion *exclusions;
    size_t n_exclusions;
    int64_t repetitions;
    uint64_t seed;
    char *blocks; /* "repetition" (default: each block holds every cell once) or "none" */
    const struct pji_engine_ops *engine;
    const struct pji_yaml *engine_node, *load_node; /* load_node NULL: none */
    struct pji_task_spec *tasks;
    size_t n_tasks;
    struct pji_phases phases;
    struct pji_limits limits;
    int64_t meter_interval_ns;
};

/* Reads and checks everything that can be checked before anything starts. */
pj_status pji_study_read(struct pji_study *study, const char *path, struct pj_error *err);
/* The same from text (a study stored earlier): `path` is used in messages and to find `dir`. */
pj_status pji_study_parse(struct pji_study *study, const char *text, size_t len, const char *path,
                          struct pj_error *err);
void pji_study_fini(struct pji_study *study);

/* The text of a scalar with ${factor} filled in from levels (one for each factor); caller frees.
 * NULL levels: any level (for checking). */
pj_status pji_study_fill(const struct pji_study *study, const struct pji_yaml *scalar,
                         const char *const *levels, char **out, struct pj_error *err);
/* The engine's settings with levels filled in; freed with pji_settings_free. */
pj_status pji_study_settings(const struct pji_study *study, const char *const *levels,
                             struct pji_setting **out, size_t *n, struct pj_error *err);
void pji_settings_free(struct pji_setting *settings, size_t n);

/* Duration text: "250ms", "10s", "5m", "2h". */
pj_status pji_duration_parse(const char *text, int64_t *out_ns, struct pj_error *err);

#endif
