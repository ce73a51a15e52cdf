/* The doctor's JSON: docs/doctor.md names every key. */
#include "cli/doctor.h"

#include <string.h>

static json_t *missing_of(const struct pji_doctor *d, const struct pji_source_ops *ops)
{
    json_t *list = json_array();

    for (size_t i = 0; i < d->table->n_missing; i++) {
        const struct pji_missing *m = &d->table->missing[i];

        if (strcmp(m->source, ops->name) == 0)
            (void)json_array_append_new(list, pji_missing_to_json(m));
    }
    return list;
}

static json_t *channels_of(const struct pji_doctor *d, const struct pji_source_ops *ops)
{
    json_t *list = json_array();

    for (size_t i = 0; i < d->table->n; i++) {
        const struct pji_channel *c = &d->table->channels[i];

        if (strcmp(c->source, ops->name) == 0)
            (void)json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:b, s:s}", "name",
                                                        c->name, "domain", c->domain, "origin",
                                                        pj_origin_name(c->origin), "in_total",
                                                        (int)d->in_total[i], "device", c->device));
    }
    return list;
}

static json_t *remedies_of(const struct pji_rung *rung)
{
    json_t *list = json_array();

    for (size_t i = 0; rung->remedies && i < PJI_DOCTOR_REMEDIES && rung->remedies[i].kind; i++)
        (void)json_array_append_new(
            list, json_pack("{s:s, s:s, s:s}", "step", rung->remedies[i].lead, "kind",
                            rung->remedies[i].kind, "do", rung->remedies[i].text));
    return list;
}

static json_t *rungs_json(const struct pji_doctor *d)
{
    json_t *list = json_array();

    for (size_t i = 0; i < d->n_rungs; i++) {
        const struct pji_rung *rung = &d->rungs[i];

        (void)json_array_append_new(
            list,
            json_pack("{s:s, s:s, s:s, s:b, s:s?, s:o, s:o, s:o}", "name", rung->ops->name, "about",
                      rung->ops->about, "state", pji_rung_state_name(rung->state), "denied",
                      (int)rung->denied, "note", rung->note, "channels", channels_of(d, rung->ops),
                      "missing", missing_of(d, rung->ops), "remedies", remedies_of(rung)));
    }
    return list;
}

static json_t *checks_json(const struct pji_doctor *d)
{
    json_t *list = json_array();

    for (size_t i = 0; i < d->n_checks; i++) {
        const struct pji_check *c = &d->checks[i];

        (void)json_array_append_new(list,
                                    json_pack("{s:s, s:s, s:o, s:s, s:s}", "check", c->name,
                                              "level", pji_check_level_name(c->level), "value",
                                              c->value[0] ? json_string(c->value) : json_null(),
                                              "text", c->text, "fix", c->fix));
    }
    return list;
}

static json_t *tools_json(const struct pji_doctor *d)
{
    json_t *list = json_array();

    if (!d->tools_known) {
        json_decref(list);
        return json_null();
    }
    for (size_t i = 0; i < d->n_tools; i++)
        (void)json_array_append_new(list,
                                    json_pack("{s:s, s:i, s:s}", "name", d->tools[i].name, "pid",
                                              d->tools[i].pid, "effect", d->tools[i].effect));
    return list;
}

static json_t *text_or_null(const char *text)
{
    return text && text[0] ? json_string(text) : json_null();
}

static json_t *variable(const char *value)
{
    return value ? json_string(value) : json_null();
}

static json_t *gpus_json(const struct pji_doctor *d)
{
    json_t *list = json_array();

    for (size_t i = 0; d->inventory && i < d->inventory->n; i++) {
        const struct pji_doctor_gpu *gpu = &d->gpus[i];

        (void)json_array_append_new(
            list,
            json_pack("{s:i, s:s, s:o, s:o, s:o, s:b, s:b, s:o}", "number", (int)gpu->number,
                      "name", gpu->identity->name, "uuid", text_or_null(gpu->identity->uuid), "pci",
                      text_or_null(gpu->identity->pci), "vbios", text_or_null(gpu->vbios),
                      "selected", (int)gpu->selected, "mig", (int)gpu->identity->mig, "persistence",
                      gpu->persistence < 0 ? json_null() : json_boolean(gpu->persistence != 0)));
    }
    return json_pack("{s:o, s:b, s:o, s:o, s:s?, s:o, s:o}", "driver", text_or_null(d->driver),
                     "persistence_daemon", (int)d->persistenced, "cuda_visible_devices",
                     variable(d->env->cuda_visible_devices), "cuda_device_order",
                     text_or_null(d->env->cuda_device_order), "selection_note",
                     pji_doctor_selection_note(d), "selection_entry",
                     text_or_null(d->selection.entry), "gpus", list);
}

static json_t *amd_json(const struct pji_doctor *d)
{
    json_t *list = json_array();

    for (size_t i = 0; i < d->amd.n; i++) {
        const struct pji_amd_node *node = &d->amd.nodes[i];
        char address[24];

        pji_amd_address_text(node->bdf, address);
        (void)json_array_append_new(list,
                                    json_pack("{s:i, s:o, s:s, s:b}", "number", (int)i, "uuid",
                                              text_or_null(node->uuid), "pci", address, "selected",
                                              (int)pji_amd_visible(&d->amd, node->bdf)));
    }
    return json_pack("{s:o, s:o, s:o}", "rocr_visible_devices",
                     variable(d->env->rocr_visible_devices), "hip_visible_devices",
                     variable(d->env->hip_visible_devices), "gpus", list);
}

static json_t *power_json(const struct pji_cpu_power *power)
{
    return json_pack("{s:o, s:o, s:[o, o]}", "value_w", pji_json_num(power->value_w), "u_w",
                     pji_json_num(power->u_w), "ci95_w", pji_json_num(power->lo_w),
                     pji_json_num(power->hi_w));
}

static json_t *worth_json(const struct pji_doctor *d)
{
    json_t *model =
        d->cpu != PJI_WORTH_MODELLED
            ? json_null()
            : json_pack("{s:s, s:b, s:o, s:o, s:o}", "of", d->model_of, "calibrated",
                        (int)d->calibrated, "idle", power_json(&d->model[0]), "half_load",
                        power_json(&d->model[1]), "full_load", power_json(&d->model[2]));

    return json_pack("{s:s, s:s, s:s, s:o}", "cpu", pji_worth_name(d->cpu), "memory",
                     pji_worth_name(d->memory), "gpu", pji_worth_name(d->gpu), "cpu_model", model);
}

json_t *pji_doctor_json(const struct pji_doctor *d)
{
    return json_pack("{s:b, s:b, s:o, s:o, s:o, s:o, s:o, s:o}", "can_measure",
                     (int)pji_doctor_can_measure(d), "rooted", (int)d->env->platform->rooted,
                     "worth", worth_json(d), "instruments", rungs_json(d), "checks", checks_json(d),
                     "other_tools", tools_json(d), "nvidia", gpus_json(d), "amd", amd_json(d));
}
