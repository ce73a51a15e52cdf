/* What the meter reads and how often, for the header of a trace, and the state of its devices. */
#include "meter/inside.h"

static int64_t period_of(const struct pji_meter *meter, const struct pji_slot *slot)
{
    int64_t least_ns = slot->ops->min_period_ns;

    if (slot->lane && least_ns > 0)
        return least_ns;
    return least_ns > meter->interval_ns ? least_ns : meter->interval_ns;
}

json_t *pji_meter_schedule(const struct pji_meter *meter)
{
    return json_pack("{s:I, s:I}", "interval_ns", (json_int_t)meter->interval_ns, "tick_ns",
                     (json_int_t)meter->tick_ns);
}

json_t *pji_meter_describe(const struct pji_meter *meter)
{
    json_t *list = json_array();

    for (size_t i = 0; list && i < meter->n_slots; i++) {
        const struct pji_slot *slot = &meter->slots[i];
        json_t *probe = NULL;

        if (!slot->open || slot->n_channels == 0)
            continue;
        if (slot->ops->describe)
            probe = slot->ops->describe(slot->state);
        if (json_array_append_new(list, json_pack("{s:s, s:s, s:i, s:I, s:b, s:o*}", "name",
                                                  slot->ops->name, "about", slot->ops->about,
                                                  "channels", (int)slot->n_channels, "period_ns",
                                                  (json_int_t)period_of(meter, slot), "own_thread",
                                                  (int)(slot->lane != NULL), "probe", probe))) {
            json_decref(list);
            list = NULL;
        }
    }
    return list;
}

json_t *pji_meter_look(struct pji_meter *meter)
{
    json_t *list = json_array();

    for (size_t i = 0; list && i < meter->n_slots; i++) {
        const struct pji_slot *slot = &meter->slots[i];
        json_t *seen;

        if (!slot->open || slot->lost || slot->n_channels == 0 || !slot->ops->look)
            continue;
        seen = slot->ops->look(slot->state);
        if (!seen || json_object_set_new(seen, "source", json_string(slot->ops->name)) ||
            json_array_append_new(list, seen)) {
            json_decref(list);
            list = NULL;
        }
    }
    return list;
}
