/* evidence/manifest.h - facts of the machine on which a study runs: documented keys, missing is
 * missing, secrets never.
 */
#ifndef PJI_EVIDENCE_MANIFEST_H
#define PJI_EVIDENCE_MANIFEST_H

#include "core/error.h"
#include "energy/trace.h"

typedef pj_status pji_manifest_fn(void *context, const char *key, const char *value,
                                  struct pj_error *err);

/* docs/manifest.md lists all keys. Of the machine: machine.{os,kernel,arch,hostname_sha256,
 * cpu_model,sockets,threads_online,mem_b,governor,virtualisation,boot_id}, tool.version. Instead of
 * a key whose source cannot be read there is KEY.missing, with the reason. */
pj_status pji_manifest_machine(pji_manifest_fn *fn, void *context, struct pj_error *err);
/* Of the meter and of the GPUs, as its trace says: meter.channels, meter.SOURCE.DOMAIN.missing,
 * gpu.{driver,library}, gpu.N.{name,uuid,pci,vbios}. */
pj_status pji_manifest_meter(const struct pji_trace_header *header, pji_manifest_fn *fn,
                             void *context, struct pj_error *err);

#endif
