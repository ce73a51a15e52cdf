/* evidence/gates_inside.h - the checks of the gate table, by what they look at; private to
 * evidence/.
 */
#ifndef PJI_EVIDENCE_GATES_INSIDE_H
#define PJI_EVIDENCE_GATES_INSIDE_H

#include "evidence/gates.h"

/* Whether the gate fires; then `detail` gets a sentence with the figures. */
typedef bool pji_gate_check(const struct pji_gate_inputs *in, const struct pji_gate_limits *limits,
                            struct pji_str *detail);

/* gates_gpu.c; the first two speak of the GPUs alone */
pji_gate_check pji_gate_gpu_throttled, pji_gate_gpu_limit, pji_gate_gpu_foreign, pji_gate_gpu_ecc,
    pji_gate_gpu_xid, pji_gate_gpu_capped, pji_gate_gpu_corrected, pji_gate_gpu_owner,
    pji_gate_gpu_unread;

/* gates_host.c */
pji_gate_check pji_gate_host_bound, pji_gate_shared_cores;

#endif
