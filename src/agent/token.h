/* agent/token.h - the secret that an orchestrator must show: 64 hex digits in STATE/token, made at
 * the first start with mode 0600. A file that others may read is refused.
 */
#ifndef PJI_AGENT_TOKEN_H
#define PJI_AGENT_TOKEN_H

#include "core/error.h"

#include <stdbool.h>

struct pji_token {
    char sha256[65];
};

/* *created: it was made just now. */
pj_status pji_token_open(struct pji_token *token, const char *path, bool *created,
                         struct pj_error *err);
/* Does "Bearer …" (NULL: no header) carry it? Takes as long for a wrong one as for the right one.
 */
bool pji_token_matches(const struct pji_token *token, const char *authorization);

#endif
