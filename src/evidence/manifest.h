/* evidence/manifest.h - facts of the machine on which a study runs: documented keys, missing is
 * missing, secrets never.
 */
#ifndef PJI_EVIDENCE_MANIFEST_H
#define PJI_EVIDENCE_MANIFEST_H

#include "core/error.h"

typedef pj_status pji_manifest_fn(void *context, const char *key, const char *value,
                                  struct pj_error *err);

/* Keys: machine.{os,kernel,arch,hostname_sha256,cpu_model,sockets,threads_online,mem_b,governor,
 * virtualisation,boot_id}, tool.version. A key whose source cannot be read is left out. */
pj_status pji_manifest_machine(pji_manifest_fn *fn, void *context, struct pj_error *err);

#endif
