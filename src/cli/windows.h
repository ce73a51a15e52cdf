/* cli/windows.h - windows of a trace from a CSV file (columns name, start_ns, end_ns). */
#ifndef PJI_CLI_WINDOWS_H
#define PJI_CLI_WINDOWS_H

#include "core/str.h"
#include "energy/trace.h"

struct pji_window {
    char *name;
    int64_t start_ns, end_ns; /* on the trace's clock */
};

/* Read before the trace, so that reading it needs to keep only what lies near their edges. */
struct pji_windows {
    struct pji_window *rows; /* in the order of the file */
    size_t n, cap;
    int64_t *edges_ns; /* for pji_trace.edges_ns */
    size_t n_edges;
};

/* path NULL: no windows. PJ_EINVAL names file and line. fini also after a failure. */
pj_status pji_windows_load(struct pji_windows *windows, const char *path, struct pj_error *err);
void pji_windows_fini(struct pji_windows *windows);

/* A list of {"name", "start_ns", "end_ns", "energy_j", "set", "channels": [{"name", "energy_j"}]}
 * in the order of the file. New reference in *out. */
pj_status pji_windows_energies(json_t **out, const struct pji_windows *windows,
                               const struct pji_trace *trace, bool measured_only,
                               struct pj_error *err);
/* The same for people: one line each. NULL gives nothing. */
void pji_windows_text(const json_t *windows, struct pji_str *out);

#endif
