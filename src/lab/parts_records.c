#include "lab/parts_records.h"

#include "core/units.h"

#include <math.h>
#include <stdio.h>

struct pji_phase_row pji_parts_edge(const struct pji_parts *parts, enum pji_part part,
                                    const char *task, int64_t start_ns, int64_t end_ns)
{
    if (part == PJI_PART_RAMP)
        return (struct pji_phase_row){"ramp", task, start_ns, parts->steady_ns[0]};
    return (struct pji_phase_row){"drain", task, parts->steady_ns[1], end_ns};
}

static pj_status put(struct pji_store *store, int64_t attempt, const struct pji_phase_row *row,
                     const char *what, double value, struct pj_error *err)
{
    char name[32];
    snprintf(name, sizeof name, "%s_%s", row->name, what);
    struct pji_metric_row metric = {
        .task = row->task, .name = name, .value = value, .origin = "", .reason = ""};
    return pji_store_add_metric(store, attempt, &metric, err);
}

pj_status pji_parts_store_edge(struct pji_store *store, int64_t attempt,
                               const struct pji_parts *parts, enum pji_part part,
                               const struct pji_load_result *load, const struct pji_phase_row *row,
                               const struct pj_energy *energy, struct pj_error *err)
{
    char name[32];
    double requests = 0;
    for (size_t i = 0; i < load->n; i++)
        requests += pji_parts_of(parts, &load->records[i]) == part ? 1 : 0;
    snprintf(name, sizeof name, "%s_energy_j", row->name);
    struct pji_metric_row metric = pji_metric_per(row->task, name, energy, 1, "");
    pj_status status = pji_store_add_phase(store, attempt, row, err);
    if (status == PJ_OK)
        status = pji_store_add_metric(store, attempt, &metric, err);
    if (status == PJ_OK)
        status = put(store, attempt, row, "dur_s", pji_s_from_ns(row->end_ns - row->start_ns), err);
    return status == PJ_OK ? put(store, attempt, row, "requests", requests, err) : status;
}

pj_status pji_parts_store_unsettled(struct pji_store *store, int64_t attempt, const char *task,
                                    struct pj_error *err)
{
    static const char *const figures[] = {"energy_j",    "dur_s",         "power_w",
                                          "j_per_token", "j_per_request", "output_tok_per_s"};
    pj_status status = PJ_OK;
    for (size_t i = 0; i < sizeof figures / sizeof figures[0] && status == PJ_OK; i++) {
        struct pji_metric_row metric = {.task = task,
                                        .name = figures[i],
                                        .value = (double)NAN,
                                        .origin = "",
                                        .reason = "the task never became steady"};
        status = pji_store_add_metric(store, attempt, &metric, err);
    }
    return status;
}
