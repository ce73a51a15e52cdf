/* See outcome.h. */
#include "cli/outcome.h"

#include "core/array.h"
#include "core/num.h"

#include <stdlib.h>
#include <string.h>

static const struct pji_series *companion_of(const struct pji_outcome *outcome,
                                             const struct pji_series *series, size_t i)
{
    for (size_t k = 0; k < outcome->n; k++) {
        if (outcome->channels[k].role == PJI_ROLE_UNCERTAINTY &&
            outcome->channels[k].companion == (int32_t)i)
            return &series[k];
    }
    return NULL;
}

static bool has_energy(const struct pji_channel *channel)
{
    return channel->role == PJI_ROLE_ENERGY || channel->role == PJI_ROLE_POWER;
}

pj_status pji_outcome_make(struct pji_outcome *outcome, const struct pji_series *series,
                           bool measured_only, struct pj_error *err)
{
    outcome->energies = pji_zalloc(outcome->n + 1, sizeof *outcome->energies, err);
    outcome->in_total = pji_zalloc(outcome->n + 1, sizeof *outcome->in_total, err);
    if (!outcome->energies || !outcome->in_total)
        return PJ_ENOMEM;
    for (size_t i = 0; i < outcome->n; i++) {
        if (has_energy(&outcome->channels[i]))
            pji_series_total(&series[i], companion_of(outcome, series, i), &outcome->energies[i]);
    }
    pji_ledger_cover_read(outcome->channels, outcome->energies, outcome->n, measured_only,
                          outcome->in_total);
    pji_ledger_total(&outcome->total, outcome->channels, outcome->energies, outcome->in_total,
                     outcome->n, outcome->missing, outcome->n_missing);
    return PJ_OK;
}

void pji_outcome_fini(struct pji_outcome *outcome)
{
    free(outcome->energies);
    free(outcome->in_total);
    outcome->energies = NULL;
    outcome->in_total = NULL;
}

bool pji_outcome_valid(const struct pji_outcome *outcome)
{
    return outcome->total.energy.origin != PJ_ORIGIN_MISSING;
}

/* ---- JSON ---- */

static json_t *channels_json(const struct pji_outcome *outcome)
{
    json_t *list = json_array();

    for (size_t i = 0; i < outcome->n; i++) {
        const struct pji_channel *c = &outcome->channels[i];

        if (has_energy(c))
            (void)json_array_append_new(list, json_pack("{s:s, s:s, s:o}", "name", c->name,
                                                        "domain", c->domain, "energy_j",
                                                        pji_energy_to_json(&outcome->energies[i])));
    }
    return list;
}

static json_t *total_json(const struct pji_outcome *outcome)
{
    const struct pji_total *total = &outcome->total;
    json_t *set = json_array();

    for (size_t i = 0; i < outcome->n; i++) {
        if (outcome->in_total[i])
            (void)json_array_append_new(set, json_string(outcome->channels[i].name));
    }
    return json_pack("{s:o, s:o, s:s, s:o, s:o}", "energy_j", pji_energy_to_json(&total->energy),
                     "set", set, "label", total->label, "measured_j",
                     pji_energy_to_json(&total->measured), "modelled_j",
                     pji_energy_to_json(&total->modelled));
}

static json_t *missing_json(const struct pji_outcome *outcome)
{
    json_t *list = json_array();

    for (size_t i = 0; i < outcome->n_missing; i++)
        (void)json_array_append_new(list, pji_missing_to_json(&outcome->missing[i]));
    return list;
}

/* Flags are the quality of the total: what happened to it on its way. Only a missing value makes a
 * measurement not valid; everything else is in u. */
static json_t *validity_json(const struct pji_outcome *outcome)
{
    json_t *total = pji_energy_to_json(&outcome->total.energy);
    json_t *flags = json_incref(json_object_get(total, "quality"));
    json_t *reasons = json_array();
    bool valid = pji_outcome_valid(outcome);

    if (!valid)
        (void)json_array_append_new(reasons, json_string(outcome->total.energy.reason));
    json_decref(total);
    return json_pack("{s:b, s:o, s:o}", "valid", (int)valid, "reasons", reasons, "flags",
                     flags ? flags : json_array());
}

static json_t *lateness_json(const struct pji_lateness *lateness)
{
    if (!lateness || lateness->n == 0)
        return json_null();
    return json_pack("{s:I, s:I, s:I}", "p50", (json_int_t)pji_lateness_quantile_ns(lateness, 0.5),
                     "p99", (json_int_t)pji_lateness_quantile_ns(lateness, 0.99), "max",
                     (json_int_t)lateness->max_ns);
}

json_t *pji_outcome_json(const struct pji_outcome *outcome)
{
    return json_pack("{s:o, s:o, s:o, s:o, s:I, s:I, s:o, s:o, s:o, s:o}", "total",
                     total_json(outcome), "channels", channels_json(outcome), "missing",
                     missing_json(outcome), "wall_s", pji_json_num(outcome->wall_s), "samples",
                     (json_int_t)outcome->samples, "late_ticks", (json_int_t)outcome->late_ticks,
                     "lateness_ns", lateness_json(outcome->lateness), "own_cpu_s",
                     pji_json_num(outcome->own_cpu_s), "child_status",
                     outcome->child_status < 0 ? json_null() : json_integer(outcome->child_status),
                     "validity", validity_json(outcome));
}

/* ---- for people ---- */

static void add_number(struct pji_str *out, double value, int digits, const char *unit)
{
    char text[PJI_NUM_TEXT];

    (void)pji_num_format_digits(value, digits, text);
    pji_str_addf(out, "%s %s", text, unit);
}

void pji_outcome_add_energy(struct pji_str *out, const struct pj_energy *energy)
{
    if (energy->origin == PJ_ORIGIN_MISSING) {
        pji_str_addf(out, "missing, %s", energy->reason);
        return;
    }
    add_number(out, energy->value_j, 4, "J");
    pji_str_add(out, " \xC2\xB1 ");
    add_number(out, 1.96 * pj_energy_u(energy), 2, "J");
    pji_str_add(out, " (95 %)");
}

static void add_parts(struct pji_str *out, const struct pji_outcome *outcome, const char *prefix)
{
    for (size_t i = 0; i < outcome->n; i++) {
        const struct pji_channel *c = &outcome->channels[i];
        const struct pj_energy *energy = &outcome->energies[i];

        if (!has_energy(c))
            continue;
        pji_str_addf(out, "%s  %c %s: ", prefix, outcome->in_total[i] ? '+' : ' ', c->name);
        pji_outcome_add_energy(out, energy);
        if (energy->origin != PJ_ORIGIN_MISSING)
            pji_str_addf(out, ", %s%s", pj_origin_name(energy->origin),
                         outcome->in_total[i] ? "" : ", not in the total");
        pji_str_addc(out, '\n');
    }
}

static void add_flags(struct pji_str *out, const struct pj_energy *energy, const char *prefix)
{
    json_t *object = pji_energy_to_json(energy);
    json_t *flags = json_object_get(object, "quality");

    for (size_t i = 0; i < json_array_size(flags); i++) {
        if (i == 0)
            pji_str_addf(out, "%s  flags: ", prefix);
        else
            pji_str_add(out, ", ");
        pji_str_add(out, json_string_value(json_array_get(flags, i)));
    }
    if (json_array_size(flags) > 0)
        pji_str_addc(out, '\n');
    json_decref(object);
}

static void add_heading(struct pji_str *out, const struct pji_outcome *outcome, const char *prefix)
{
    const struct pji_total *total = &outcome->total;

    if (!pji_outcome_valid(outcome)) {
        pji_str_addf(out, "%sno energy: %s\n", prefix, total->energy.reason);
        return;
    }
    pji_str_addf(out, "%s%s: ", prefix, total->label);
    pji_outcome_add_energy(out, &total->energy);
    pji_str_add(out, " in ");
    add_number(out, outcome->wall_s, 4, "s");
    if (outcome->wall_s > 0) {
        pji_str_add(out, ", ");
        add_number(out, total->energy.value_j / outcome->wall_s, 4, "W");
    }
    pji_str_addc(out, '\n');
}

void pji_outcome_text(const struct pji_outcome *outcome, const char *prefix, struct pji_str *out)
{
    add_heading(out, outcome, prefix);
    add_parts(out, outcome, prefix);
    add_flags(out, &outcome->total.energy, prefix);
    for (size_t i = 0; i < outcome->n_missing; i++) {
        const struct pji_missing *m = &outcome->missing[i];

        pji_str_addf(out, "%s  not measured: %s: %s\n", prefix, m->domain, m->reason);
    }
}
