/* Channel rows of a GPU: see nvml_rows.h for where each figure comes from. */
#include "sources/nvml_rows.h"

#include "core/units.h"

#include <stdio.h>
#include <string.h>

static const double gain_rel = 0.05 / 1.7320508075688772; /* +-5 %, rectangular */
static const double sqrt12 = 3.4641016151377544;          /* full width to k = 1 */
static const int64_t averaging_ns = 25 * PJI_NS_PER_MS;   /* arXiv:2312.02741 */
static const int64_t usage_average_ns = PJI_NS_PER_S;     /* NVML API reference */
static const int64_t usage_refresh_ns = 100 * PJI_NS_PER_MS;
static const int64_t usual_spacing_ns = 20 * PJI_NS_PER_MS; /* of the sensor behind the counter */

struct shape {
    const char *suffix, *unit;
    enum pji_channel_kind kind;
    enum pji_channel_role role;
    enum pj_origin origin;
    double quantum;
};

static const struct shape shapes[PJI_NVML_ROWS] = {
    [PJI_NVML_ROW_POWER] = {"power", "mW", PJI_GAUGE, PJI_ROLE_POWER, PJ_ORIGIN_INTEGRATED, 1},
    [PJI_NVML_ROW_ENERGY] = {"energy", "uJ", PJI_COUNTER, PJI_ROLE_ENERGY, PJ_ORIGIN_COUNTER, 1000},
    [PJI_NVML_ROW_USAGE] = {"usage", "mW", PJI_GAUGE, PJI_ROLE_POWER, PJ_ORIGIN_INTEGRATED, 1},
    [PJI_NVML_ROW_TEMP] = {"temp", "mC", PJI_GAUGE, PJI_ROLE_AUX, PJ_ORIGIN_COUNTER, 1000},
    [PJI_NVML_ROW_CLOCK] = {"sm-clock", "MHz", PJI_GAUGE, PJI_ROLE_AUX, PJ_ORIGIN_COUNTER, 1},
    [PJI_NVML_ROW_THROTTLE] = {"throttle", "mask", PJI_GAUGE, PJI_ROLE_AUX, PJ_ORIGIN_COUNTER, 1},
};

static int64_t rectangular_ns(int64_t width_ns)
{
    return (int64_t)((double)width_ns / sqrt12);
}

static int64_t least(int64_t a_ns, int64_t b_ns)
{
    return a_ns < b_ns ? a_ns : b_ns;
}

static void set_errors(struct pji_channel *out, enum pji_nvml_row row,
                       const struct pji_nvml_gpu_facts *facts)
{
    int64_t sensor_ns = facts->spacing_ns > 0 ? facts->spacing_ns : usual_spacing_ns;
    int64_t usage_ns = facts->usage_averaged ? usage_average_ns : usage_refresh_ns;
    switch (row) {
    case PJI_NVML_ROW_POWER:
        out->refresh_ns = facts->spacing_ns;
        out->lag_ns = facts->spacing_ns;
        out->average_ns = least(facts->spacing_ns, averaging_ns);
        out->edge_u_ns = rectangular_ns(2 * facts->spacing_ns);
        break;
    case PJI_NVML_ROW_ENERGY:
        out->refresh_ns = facts->counter_refresh_ns;
        out->lag_ns = sensor_ns / 2;
        if (facts->counter_poll_ns >= facts->counter_refresh_ns)
            out->lag_ns += facts->counter_refresh_ns / 2;
        out->edge_u_ns = sensor_ns / 2;
        break;
    case PJI_NVML_ROW_USAGE:
        out->refresh_ns = usage_refresh_ns;
        out->lag_ns = (usage_ns + facts->usage_poll_ns) / 2;
        out->edge_u_ns = rectangular_ns(usage_ns + facts->usage_poll_ns);
        break;
    case PJI_NVML_ROW_TEMP:
    case PJI_NVML_ROW_CLOCK:
    case PJI_NVML_ROW_THROTTLE:
    case PJI_NVML_ROWS:
        return;
    }
    out->gain_rel = gain_rel;
    out->cap_mw = (double)facts->cap_mw;
}

void pji_nvml_row(struct pji_channel *out, enum pji_nvml_row row,
                  const struct pji_nvml_gpu_facts *facts, int32_t preferred)
{
    const struct shape *shape = &shapes[row];
    const char *uuid = facts->identity->uuid[0] ? facts->identity->uuid : facts->identity->pci;
    *out = (struct pji_channel){.domain_kind = PJI_DOMAIN_GPU,
                                .kind = shape->kind,
                                .role = shape->role,
                                .origin = shape->origin,
                                .quantum = shape->quantum,
                                .companion = preferred};
    (void)snprintf(out->name, sizeof out->name, "nvml:%u:%s", facts->number, shape->suffix);
    (void)snprintf(out->source, sizeof out->source, "nvml");
    (void)snprintf(out->domain, sizeof out->domain, "gpu-%u", facts->number);
    (void)snprintf(out->parent, sizeof out->parent, "machine");
    (void)snprintf(out->unit, sizeof out->unit, "%s", shape->unit);
    (void)snprintf(out->com_id, sizeof out->com_id, "nvml:%.*s", PJ_COM_ID - 6, uuid);
    (void)snprintf(out->device, sizeof out->device, "%.42s%s%s", uuid,
                   facts->identity->pci[0] ? " " : "", facts->identity->pci);
    set_errors(out, row, facts);
}
