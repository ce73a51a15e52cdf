/* engine/launch.h - what the kinds that start a server share before it starts: where programs and
 * models are, which port, and the command line for the manifest.
 */
#ifndef PJI_ENGINE_LAUNCH_H
#define PJI_ENGINE_LAUNCH_H

#include "core/str.h"

#include <stdint.h>

/* A relative path starts at the study's folder. The folder is written without detours (the
 * manifest shows it); the last part stays as it is: the python of a virtual environment is a
 * symbolic link that must not be followed. */
void pji_engine_path(struct pji_str *out, const char *study_dir, const char *path);
/* argv with blanks between; `port` (the same pointer as in argv) as "*": it differs from start to
 * start and means nothing. */
void pji_argv_text(struct pji_str *out, const char *const *argv, const char *port);
/* *port 0: a free one is chosen; else PJ_EBUSY when it is in use. */
pj_status pji_choose_port(const char *host, int64_t *port, struct pj_error *err);

#endif
