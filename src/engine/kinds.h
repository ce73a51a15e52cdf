/* engine/kinds.h - the rows of engine/table.c, each defined in the file of its kind. */
#ifndef PJI_ENGINE_KINDS_H
#define PJI_ENGINE_KINDS_H

#include "engine/engine.h"

extern const struct pji_engine_ops pji_engine_llamacpp;      /* llamacpp.c */
extern const struct pji_engine_ops pji_engine_vllm;          /* vllm.c */
extern const struct pji_engine_ops pji_engine_openai;        /* openai.c */
extern const struct pji_engine_ops pji_engine_command;       /* command.c */
extern const struct pji_engine_ops pji_engine_command_lines; /* command_lines.c */

/* Settings of kind command: both of its rows know them. */
extern const char *const pji_command_keys[];
/* `run` is there, a list, and names a program. */
pj_status pji_command_check(const struct pji_setting *settings, size_t n, struct pj_error *err);
/* Its program can be run from the folder of the study. */
pj_status pji_command_preflight(const struct pji_setting *settings, size_t n,
                                const struct pji_engine_env *env, struct pj_error *err);

/* `args` of a server (NULL: none) leave alone where it listens: it would be waited for elsewhere.
 */
pj_status pji_setting_args(const struct pji_setting *args, struct pj_error *err);

/* Values of a list setting as a NULL-terminated argv with room for `extra` more pointers; the
 * strings are borrowed. The caller frees the array. */
const char **pji_setting_argv(const struct pji_setting *setting, size_t extra,
                              struct pj_error *err);

#endif
