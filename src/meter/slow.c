/* The sampler's slow sources: their lanes, and opening them in the background. */
#include "meter/inside.h"

#include "core/array.h"
#include "core/units.h"

#include <stdio.h>
#include <stdlib.h>

#define LANE_TICK_NS (5 * PJI_NS_PER_S)

pj_status pji_meter_make_sink(struct pji_meter *meter, struct pj_error *err)
{
    size_t cap = 0;

    for (size_t i = 0; i < meter->n_slots; i++)
        cap += meter->slots[i].n_channels * meter->slots[i].ops->burst;
    free(meter->sink.readings);
    meter->sink.n = meter->sink.cap = 0;
    meter->sink.readings = pji_zalloc(cap + 1, sizeof *meter->sink.readings, err);
    if (!meter->sink.readings)
        return PJ_ENOMEM;
    meter->sink.cap = cap;
    return PJ_OK;
}

pj_status pji_slot_start_lane(struct pji_meter *meter, struct pji_slot *slot, int32_t base,
                              struct pj_error *err)
{
    /* on its own schedule: a buffer of 2.4 s cannot wait for an interval of 10 s */
    int64_t period_ns =
        slot->ops->min_period_ns > 0 ? slot->ops->min_period_ns : meter->interval_ns;

    if (!slot->ops->slow || slot->n_channels == 0)
        return PJ_OK;
    if (meter->tick_ns > LANE_TICK_NS)
        meter->tick_ns = LANE_TICK_NS;
    return pji_lane_open(&slot->lane, slot->ops, slot->state, slot->n_channels, base, period_ns,
                         err);
}

/* ---- in the background ---- */

pj_status pji_meter_start_slow(struct pji_meter *meter, struct pj_error *err)
{
    struct pji_opening_source *sources = pji_zalloc(meter->n_slots + 1, sizeof *sources, err);
    pj_status status = PJ_OK;
    size_t n = 0;

    if (!sources)
        return PJ_ENOMEM;
    for (size_t i = 0; i < meter->n_slots; i++) {
        const struct pji_slot *slot = &meter->slots[i];

        if (slot->ops->slow && !slot->open)
            sources[n++] =
                (struct pji_opening_source){.tag = i, .ops = slot->ops, .state = slot->state};
    }
    if (n > 0)
        status = pji_opening_start(&meter->opening, &meter->env, sources, n, err);
    free(sources);
    return status;
}

int pji_meter_slow_fd(const struct pji_meter *meter)
{
    return meter->opening ? pji_opening_fd(meter->opening) : -1;
}

/* The rows of the opening's table, behind the others. */
static pj_status add_rows(struct pji_meter *meter, const struct pji_channel_table *from,
                          struct pj_error *err)
{
    int32_t base = (int32_t)meter->table.n;
    pj_status status = PJ_OK;

    for (size_t i = 0; i < from->n && !status; i++) {
        struct pji_channel channel = from->channels[i];

        if (channel.companion >= 0)
            channel.companion += base;
        status = pji_channel_table_add(&meter->table, &channel, NULL, err);
    }
    for (size_t i = 0; i < from->n_missing && !status; i++) {
        const struct pji_missing *row = &from->missing[i];

        status = pji_channel_table_miss(&meter->table, row->source, row->domain_kind, row->domain,
                                        row->reason, row->fix, err);
    }
    return status;
}

/* Takes over what was opened, so that it gets closed whatever comes next. */
static void take_over(struct pji_meter *meter)
{
    const struct pji_opening_source *sources = pji_opening_sources(meter->opening);

    for (size_t i = 0; sources[i].ops; i++) {
        struct pji_slot *slot = &meter->slots[sources[i].tag];

        slot->open = sources[i].open;
        slot->n_channels = sources[i].n_channels;
    }
}

static pj_status start_lanes(struct pji_meter *meter, int32_t base, struct pj_error *err)
{
    pj_status status = PJ_OK;

    for (size_t i = 0; i < meter->n_slots && !status; i++) {
        struct pji_slot *slot = &meter->slots[i];

        if (slot->open && slot->ops->slow && !slot->lane)
            status = pji_slot_start_lane(meter, slot, base, err);
    }
    return status;
}

/* The thread hangs in a library: everything it may touch stays as it is. */
static pj_status lose(struct pji_meter *meter, struct pj_error *err)
{
    const struct pji_opening_source *sources = pji_opening_sources(meter->opening);
    pj_status status = PJ_OK;
    char reason[160];

    for (size_t i = 0; sources[i].ops; i++) {
        meter->slots[sources[i].tag].lost = true;
        (void)snprintf(reason, sizeof reason, "its library did not start within %.1f s",
                       pji_s_from_ns(meter->lane_wait_ns));
        if (!status)
            status = pji_channel_table_miss(&meter->table, sources[i].ops->name, PJI_DOMAIN_GPU,
                                            "gpu", reason, "", err);
    }
    meter->opening = NULL;
    return status;
}

pj_status pji_meter_adopt_slow(struct pji_meter *meter, struct pj_error *err)
{
    int32_t base = (int32_t)meter->table.n;
    pj_status status;

    if (!meter->opening)
        return PJ_OK;
    status = pji_opening_wait(meter->opening, meter->lane_wait_ns, err);
    if (status == PJI_OPENING_LATE)
        return lose(meter, err);
    take_over(meter);
    if (!status)
        status = add_rows(meter, pji_opening_table(meter->opening), err);
    pji_opening_free(meter->opening);
    meter->opening = NULL;
    if (!status)
        status = start_lanes(meter, base, err);
    return status ? status : pji_meter_make_sink(meter, err);
}

void pji_meter_end_opening(struct pji_meter *meter)
{
    if (!meter->opening)
        return;
    if (pji_opening_wait(meter->opening, meter->lane_wait_ns, NULL) == PJI_OPENING_LATE) {
        (void)lose(meter, NULL);
        return;
    }
    take_over(meter);
    pji_opening_free(meter->opening);
    meter->opening = NULL;
}
