#include "lab/observe.h"

#include "core/array.h"

#include <stdlib.h>

/* Adds one channel; false where it is missing. */
static bool add_channel(const struct pji_series *series, int64_t start_ns, int64_t step_ns,
                        size_t n, double *values)
{
    for (size_t i = 0; i < n; i++) {
        struct pj_energy e;
        int64_t from_ns = start_ns + (int64_t)i * step_ns;
        pji_series_window(series, NULL, from_ns, from_ns + step_ns, &e);
        if (e.origin == PJ_ORIGIN_MISSING)
            return false;
        values[i] += e.value_j;
    }
    return true;
}

pj_status pji_observe_energy(const struct pji_trace *trace, int64_t start_ns, int64_t step_ns,
                             size_t n, double *values, struct pj_error *err)
{
    size_t channels = trace->header.n_channels;
    struct pj_energy *each = pji_zalloc(channels + 1, sizeof *each, err);
    bool *in_total = pji_zalloc(channels + 1, sizeof *in_total, err);
    struct pji_total total = {0};
    pj_status status = each != NULL && in_total != NULL ? PJ_OK : PJ_ENOMEM;
    if (status == PJ_OK) {
        pji_trace_window(trace, start_ns, start_ns + (int64_t)n * step_ns, false, each, in_total,
                         &total);
        status = total.energy.origin == PJ_ORIGIN_MISSING ? PJI_UNOBSERVED : PJ_OK;
    }
    for (size_t i = 0; i < n; i++)
        values[i] = 0;
    for (size_t c = 0; c < channels && status == PJ_OK; c++) {
        if (in_total[c] && !add_channel(&trace->series[c], start_ns, step_ns, n, values))
            status = PJI_UNOBSERVED;
    }
    free(each);
    free(in_total);
    return status;
}
