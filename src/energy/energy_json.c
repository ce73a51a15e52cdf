/* energy/energy_json.c - an energy as JSON, and back. */
#include "energy/channel.h"

#include <math.h>
#include <string.h>

enum { FLAGS = 32 };

static json_t *quality_to_json(uint32_t quality)
{
    json_t *list = json_array();
    for (unsigned i = 0; list != NULL && i < FLAGS; i++) {
        const char *name = pj_quality_name(quality & UINT32_C(1) << i);
        if (name != NULL && json_array_append_new(list, json_string(name)) != 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

json_t *pji_energy_to_json(const struct pj_energy *energy)
{
    bool missing = energy->origin == PJ_ORIGIN_MISSING;
    json_t *object = json_object();
    int rc = 0;
    const struct {
        const char *key;
        double value;
    } numbers[] = {
        {"value", energy->value_j}, {"u", pj_energy_u(energy)},   {"u_ind", energy->u_ind_j},
        {"u_com", energy->u_com_j}, {"u_gain", energy->u_gain_j},
    };
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        json_t *number = missing ? json_null() : pji_json_num(numbers[i].value);
        rc |= json_object_set_new(object, numbers[i].key, number);
    }
    rc |= json_object_set_new(object, "origin", json_string(pj_origin_name(energy->origin)));
    rc |= json_object_set_new(object, "quality", quality_to_json(energy->quality));
    rc |= json_object_set_new(object, "com_id", json_string(energy->com_id));
    if (missing || energy->reason[0] != '\0') {
        rc |= json_object_set_new(object, "reason", json_string(energy->reason));
    }
    if (rc != 0) {
        json_decref(object);
        return NULL;
    }
    return object;
}

static pj_status quality_from_json(const json_t *list, uint32_t *quality, struct pj_error *err)
{
    *quality = 0;
    if (list == NULL) {
        return PJ_OK;
    }
    if (!json_is_array(list)) {
        return pji_fail(err, PJ_EINVAL, "energy: \"quality\" is not a list of names");
    }
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *name = json_string_value(json_array_get(list, i));
        if (name == NULL) {
            return pji_fail(err, PJ_EINVAL, "energy: \"quality\" is not a list of names");
        }
        for (unsigned k = 0; k < FLAGS; k++) {
            const char *known = pj_quality_name(UINT32_C(1) << k);
            if (known != NULL && strcmp(name, known) == 0) {
                *quality |= UINT32_C(1) << k;
            }
        }
    }
    return PJ_OK;
}

static pj_status copy_text(const json_t *object, const char *key, char *out, size_t size,
                           struct pj_error *err)
{
    if (json_object_get(object, key) == NULL) {
        return PJ_OK;
    }
    const char *text = NULL;
    pj_status status = pji_json_get_str(object, key, "energy", &text, err);
    if (status != PJ_OK) {
        return status;
    }
    if (strlen(text) >= size) {
        return pji_fail(err, PJ_EINVAL, "energy: \"%s\" is longer than %zu bytes", key, size - 1);
    }
    memcpy(out, text, strlen(text) + 1);
    return PJ_OK;
}

static pj_status values_from_json(struct pj_energy *energy, const json_t *object,
                                  struct pj_error *err)
{
    pj_status status = pji_json_get_num(object, "value", "energy", &energy->value_j, err);
    if (status == PJ_OK) {
        status = pji_json_get_num(object, "u_ind", "energy", &energy->u_ind_j, err);
    }
    if (status == PJ_OK) {
        status = pji_json_get_num(object, "u_com", "energy", &energy->u_com_j, err);
    }
    if (status == PJ_OK && json_object_get(object, "u_gain") != NULL) {
        status = pji_json_get_num(object, "u_gain", "energy", &energy->u_gain_j, err);
    }
    if (status == PJ_OK && (energy->u_ind_j < 0 || energy->u_com_j < 0 || energy->u_gain_j < 0)) {
        status = pji_fail(err, PJ_EINVAL, "energy: an uncertainty is negative");
    }
    return status;
}

pj_status pji_energy_from_json(struct pj_energy *energy, const json_t *object, struct pj_error *err)
{
    *energy = (struct pj_energy){.origin = PJ_ORIGIN_MISSING};
    if (!json_is_object(object)) {
        return pji_fail(err, PJ_EINVAL, "energy: not a JSON object");
    }
    const char *origin = NULL;
    pj_status status = pji_json_get_str(object, "origin", "energy", &origin, err);
    if (status != PJ_OK) {
        return status;
    }
    int found = -1;
    for (int i = PJ_ORIGIN_MISSING; i <= PJ_ORIGIN_CONSTANT; i++) {
        if (strcmp(origin, pj_origin_name((enum pj_origin)i)) == 0) {
            found = i;
        }
    }
    if (found < 0) {
        return pji_fail(err, PJ_EINVAL, "energy: unknown \"origin\": \"%.40s\"", origin);
    }
    energy->origin = (enum pj_origin)found;
    status = quality_from_json(json_object_get(object, "quality"), &energy->quality, err);
    if (status == PJ_OK && energy->origin != PJ_ORIGIN_MISSING) {
        status = values_from_json(energy, object, err);
    }
    if (status == PJ_OK) {
        status = copy_text(object, "com_id", energy->com_id, sizeof energy->com_id, err);
    }
    if (status == PJ_OK) {
        status = copy_text(object, "reason", energy->reason, sizeof energy->reason, err);
    }
    return status;
}
