/* cli/windows.h - windows of a trace from a CSV file (columns name, start_ns, end_ns). */
#ifndef PJI_CLI_WINDOWS_H
#define PJI_CLI_WINDOWS_H

#include "core/str.h"
#include "energy/trace.h"

/* A list of {"name", "start_ns", "end_ns", "energy_j", "set", "channels": [{"name", "energy_j"}]}
 * in the order of the file. New reference in *out. PJ_EINVAL names file and line. */
pj_status pji_windows_read(json_t **out, const char *path, const struct pji_trace *trace,
                           bool measured_only, struct pj_error *err);
/* The same for people: one line each. NULL gives nothing. */
void pji_windows_text(const json_t *windows, struct pji_str *out);

#endif
