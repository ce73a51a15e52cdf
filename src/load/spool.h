/* load/spool.h - the append-only file of finished requests: one JSON object for each, on one line.
 *
 * Lines collect in memory and go out with one write(2) for each round of the request loop: a crash
 * of this process loses at most the requests that ended in the current round, a crash of the
 * machine what the kernel had not written back (nothing is fsynced inside a measured window). After
 * a failed write the file is cut back to its last whole line and left alone; the failure is
 * remembered.
 *
 * Keys: phase, spec, item, stream, scheduled_ns, sent_ns, first_token_ns, last_token_ns, end_ns,
 * prompt_tokens, cached_tokens, output_tokens, http_status, finish, text, reasoning, error,
 * token_ns. What did not happen or was not told is null.
 */
#ifndef PJI_LOAD_SPOOL_H
#define PJI_LOAD_SPOOL_H

#include "load/load.h"

#include <sys/types.h>

struct pji_spool {
    int fd; /* -1: none, or given up */
    char *path;
    struct pji_str lines;
    off_t end; /* after the last whole line */
    pj_status status;
    struct pj_error why;
};

/* path NULL: a spool that keeps nothing. */
pj_status pji_spool_open(struct pji_spool *spool, const char *path, struct pj_error *err);
void pji_spool_add(struct pji_spool *spool, const struct pji_load_plan *plan,
                   const struct pji_request_record *record);
void pji_spool_flush(struct pji_spool *spool);
/* Flushes and closes; the first failure on the way, if any. */
pj_status pji_spool_close(struct pji_spool *spool, struct pj_error *err);

#endif
