/* engine/image.h - which code a running engine executes: its program and the inference libraries
 * that it has mapped, with digests. A version string says what somebody called a build; the digest
 * says whether two trials ran the same one.
 */
#ifndef PJI_ENGINE_IMAGE_H
#define PJI_ENGINE_IMAGE_H

#include "engine/engine.h"

#include <sys/types.h>

/* Facts engine.program, engine.program.sha256 and engine.library.<file>.sha256 for every mapped
 * file whose name holds one of `words` (NULL-terminated). What cannot be read is left out. */
pj_status pji_image_facts(pid_t pid, const char *const *words, struct pji_digest_cache *cache,
                          pji_fact_fn *fn, void *context, struct pj_error *err);

#endif
