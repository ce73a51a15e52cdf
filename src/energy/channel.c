/* energy/channel.c - channel rows and missing rows as JSON objects of the trace header, and back.
 * A row from a file is hostile input: names that do not fit, unknown kinds and impossible numbers
 * are refused; an unknown role becomes AUX and an unknown domain kind OTHER (they come from a later
 * version, and neither can then enter a wrong total).
 */
#include "energy/channel.h"

#include <stdbool.h>
#include <string.h>

static const char *const kind_names[] = {[PJI_COUNTER] = "counter", [PJI_GAUGE] = "gauge", NULL};
static const char *const role_names[] = {[PJI_ROLE_ENERGY] = "energy",
                                         [PJI_ROLE_POWER] = "power",
                                         [PJI_ROLE_UNCERTAINTY] = "uncertainty",
                                         [PJI_ROLE_AUX] = "aux",
                                         NULL};
static const char *const domain_names[] = {[PJI_DOMAIN_MACHINE] = "machine",
                                           [PJI_DOMAIN_PSYS] = "psys",
                                           [PJI_DOMAIN_PACKAGE] = "package",
                                           [PJI_DOMAIN_CORE] = "core",
                                           [PJI_DOMAIN_UNCORE] = "uncore",
                                           [PJI_DOMAIN_DRAM] = "dram",
                                           [PJI_DOMAIN_GPU] = "gpu",
                                           [PJI_DOMAIN_OTHER] = "other",
                                           NULL};

void pji_com_id_name(char *out, size_t size, const char *name)
{
    size_t len = strnlen(name, size - 1);
    for (size_t i = 0; i < len; i++) {
        out[i] = name[i] == '+' || name[i] == '@' ? '-' : name[i];
    }
    out[len] = '\0';
}

const char *pji_domain_kind_name(enum pji_domain_kind kind)
{
    return (unsigned)kind <= PJI_DOMAIN_OTHER ? domain_names[kind] : "other";
}

/* Index of `name`, -1 when it is none of them. */
static int find_name(const char *const *names, const char *name)
{
    for (int i = 0; names[i] != NULL; i++) {
        if (strcmp(names[i], name) == 0) {
            return i;
        }
    }
    return -1;
}

json_t *pji_channel_to_json(const struct pji_channel *c)
{
    json_t *object = json_object();
    int rc = 0;
    rc |= json_object_set_new(object, "name", json_string(c->name));
    rc |= json_object_set_new(object, "source", json_string(c->source));
    rc |= json_object_set_new(object, "domain", json_string(c->domain));
    rc |= json_object_set_new(object, "parent", json_string(c->parent));
    rc |= json_object_set_new(object, "domain_kind",
                              json_string(pji_domain_kind_name(c->domain_kind)));
    rc |= json_object_set_new(object, "kind", json_string(kind_names[c->kind]));
    rc |= json_object_set_new(object, "role", json_string(role_names[c->role]));
    rc |= json_object_set_new(object, "unit", json_string(c->unit));
    rc |= json_object_set_new(object, "origin", json_string(pj_origin_name(c->origin)));
    rc |= json_object_set_new(object, "modulus", json_integer(c->modulus));
    rc |= json_object_set_new(object, "refresh_ns", json_integer(c->refresh_ns));
    rc |= json_object_set_new(object, "quantum", pji_json_num(c->quantum));
    rc |= json_object_set_new(object, "gain_rel", pji_json_num(c->gain_rel));
    rc |= json_object_set_new(object, "offset_mw", pji_json_num(c->offset_mw));
    rc |= json_object_set_new(object, "average_ns", json_integer(c->average_ns));
    rc |= json_object_set_new(object, "lag_ns", json_integer(c->lag_ns));
    rc |= json_object_set_new(object, "edge_u_ns", json_integer(c->edge_u_ns));
    rc |= json_object_set_new(object, "cap_mw", pji_json_num(c->cap_mw));
    rc |= json_object_set_new(object, "companion", json_integer(c->companion));
    rc |= json_object_set_new(object, "com_id", json_string(c->com_id));
    rc |= json_object_set_new(object, "device", json_string(c->device));
    if (rc != 0) {
        json_decref(object);
        return NULL;
    }
    return object;
}

/* ---- reading a row ---- */

/* Copies a string; absent leaves "" unless it is required. */
static pj_status take_text(const json_t *object, const char *key, const char *what, bool required,
                           char *out, size_t size, struct pj_error *err)
{
    out[0] = '\0';
    if (!required && json_object_get(object, key) == NULL) {
        return PJ_OK;
    }
    const char *text = NULL;
    pj_status status = pji_json_get_str(object, key, what, &text, err);
    if (status != PJ_OK) {
        return status;
    }
    size_t len = strlen(text);
    if (len >= size) {
        return pji_fail(err, PJ_EINVAL, "%s: \"%s\" is longer than %zu bytes", what, key, size - 1);
    }
    memcpy(out, text, len + 1);
    return PJ_OK;
}

static pj_status take_name(const json_t *object, const char *key, const char *what,
                           const char *const *names, int fallback, int *out, struct pj_error *err)
{
    const char *text = NULL;
    pj_status status = pji_json_get_str(object, key, what, &text, err);
    if (status != PJ_OK) {
        return status;
    }
    *out = find_name(names, text);
    if (*out < 0) {
        *out = fallback;
    }
    return *out >= 0 ? PJ_OK
                     : pji_fail(err, PJ_EINVAL, "%s: unknown \"%s\": \"%.40s\"", what, key, text);
}

static pj_status take_i64(const json_t *object, const char *key, const char *what, int64_t min,
                          int64_t max, int64_t *out, struct pj_error *err)
{
    if (json_object_get(object, key) == NULL) {
        return PJ_OK;
    }
    pj_status status = pji_json_get_i64(object, key, what, out, err);
    if (status == PJ_OK && (*out < min || *out > max)) {
        status = pji_fail(err, PJ_EINVAL, "%s: \"%s\" is out of range", what, key);
    }
    return status;
}

/* Far beyond any instrument, and small enough that squares of energies stay finite. */
#define NUMBER_MAX 1e15

static pj_status take_num(const json_t *object, const char *key, const char *what, double *out,
                          struct pj_error *err)
{
    if (json_object_get(object, key) == NULL) {
        return PJ_OK;
    }
    pj_status status = pji_json_get_num(object, key, what, out, err);
    if (status == PJ_OK && !(*out >= 0 && *out <= NUMBER_MAX)) {
        status = pji_fail(err, PJ_EINVAL, "%s: \"%s\" is out of range", what, key);
    }
    return status;
}

static enum pj_origin origin_of(const char *name)
{
    for (int i = PJ_ORIGIN_COUNTER; i <= PJ_ORIGIN_CONSTANT; i++) {
        if (strcmp(pj_origin_name((enum pj_origin)i), name) == 0) {
            return (enum pj_origin)i;
        }
    }
    return PJ_ORIGIN_MISSING;
}

static pj_status take_texts(struct pji_channel *c, const json_t *object, struct pj_error *err)
{
    const struct {
        const char *key;
        bool required;
        char *out;
        size_t size;
    } texts[] = {
        {"name", true, c->name, sizeof c->name},
        {"source", false, c->source, sizeof c->source},
        {"domain", true, c->domain, sizeof c->domain},
        {"parent", false, c->parent, sizeof c->parent},
        {"unit", true, c->unit, sizeof c->unit},
        {"com_id", false, c->com_id, sizeof c->com_id},
        {"device", false, c->device, sizeof c->device},
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        pj_status status = take_text(object, texts[i].key, "channel", texts[i].required,
                                     texts[i].out, texts[i].size, err);
        if (status != PJ_OK) {
            return status;
        }
    }
    return PJ_OK;
}

static pj_status take_kinds(struct pji_channel *c, const json_t *object, struct pj_error *err)
{
    int domain = PJI_DOMAIN_OTHER, kind = 0, role = 0;
    const char *origin = NULL;
    pj_status status = PJ_OK;
    if (json_object_get(object, "domain_kind") != NULL) {
        status =
            take_name(object, "domain_kind", c->name, domain_names, PJI_DOMAIN_OTHER, &domain, err);
    }
    if (status == PJ_OK) {
        status = take_name(object, "kind", c->name, kind_names, -1, &kind, err);
    }
    if (status == PJ_OK) {
        status = take_name(object, "role", c->name, role_names, PJI_ROLE_AUX, &role, err);
    }
    if (status == PJ_OK) {
        status = pji_json_get_str(object, "origin", c->name, &origin, err);
    }
    if (status != PJ_OK) {
        return status;
    }
    c->domain_kind = (enum pji_domain_kind)domain;
    c->kind = (enum pji_channel_kind)kind;
    c->role = (enum pji_channel_role)role;
    c->origin = origin_of(origin);
    if (c->origin == PJ_ORIGIN_MISSING) {
        return pji_fail(err, PJ_EINVAL, "%s: unknown \"origin\": \"%.40s\"", c->name, origin);
    }
    bool counter = c->role == PJI_ROLE_ENERGY || c->role == PJI_ROLE_UNCERTAINTY;
    if ((counter && c->kind != PJI_COUNTER) ||
        (c->role == PJI_ROLE_POWER && c->kind != PJI_GAUGE)) {
        return pji_fail(err, PJ_EINVAL, "%s: role \"%s\" does not go with kind \"%s\"", c->name,
                        role_names[c->role], kind_names[c->kind]);
    }
    return PJ_OK;
}

static pj_status take_numbers(struct pji_channel *c, const json_t *object, struct pj_error *err)
{
    const int64_t max_ns = INT64_C(1) << 60;
    int64_t companion = -1;
    const struct {
        const char *key;
        int64_t min, max;
        int64_t *out;
    } whole[] = {
        {"modulus", 0, INT64_MAX, &c->modulus},    {"refresh_ns", 0, max_ns, &c->refresh_ns},
        {"average_ns", 0, max_ns, &c->average_ns}, {"lag_ns", -max_ns, max_ns, &c->lag_ns},
        {"edge_u_ns", 0, max_ns, &c->edge_u_ns},   {"companion", -1, INT32_MAX, &companion},
    };
    const struct {
        const char *key;
        double *out;
    } real[] = {{"quantum", &c->quantum},
                {"gain_rel", &c->gain_rel},
                {"offset_mw", &c->offset_mw},
                {"cap_mw", &c->cap_mw}};
    pj_status status = PJ_OK;
    for (size_t i = 0; status == PJ_OK && i < sizeof whole / sizeof whole[0]; i++) {
        status =
            take_i64(object, whole[i].key, c->name, whole[i].min, whole[i].max, whole[i].out, err);
    }
    for (size_t i = 0; status == PJ_OK && i < sizeof real / sizeof real[0]; i++) {
        status = take_num(object, real[i].key, c->name, real[i].out, err);
    }
    c->companion = (int32_t)companion;
    return status;
}

pj_status pji_channel_from_json(struct pji_channel *channel, const json_t *object,
                                struct pj_error *err)
{
    *channel = (struct pji_channel){.companion = -1};
    if (!json_is_object(object)) {
        return pji_fail(err, PJ_EINVAL, "channel: not a JSON object");
    }
    pj_status status = take_texts(channel, object, err);
    if (status == PJ_OK) {
        status = take_kinds(channel, object, err);
    }
    if (status == PJ_OK) {
        status = take_numbers(channel, object, err);
    }
    return status;
}

/* ---- what is missing ---- */

json_t *pji_missing_to_json(const struct pji_missing *m)
{
    json_t *object = json_object();
    int rc = 0;
    rc |= json_object_set_new(object, "domain", json_string(m->domain));
    rc |= json_object_set_new(object, "source", json_string(m->source));
    rc |= json_object_set_new(object, "domain_kind",
                              json_string(pji_domain_kind_name(m->domain_kind)));
    rc |= json_object_set_new(object, "reason", json_string(m->reason));
    rc |= json_object_set_new(object, "fix", json_string(m->fix));
    if (rc != 0) {
        json_decref(object);
        return NULL;
    }
    return object;
}

pj_status pji_missing_from_json(struct pji_missing *m, const json_t *object, struct pj_error *err)
{
    *m = (struct pji_missing){.domain_kind = PJI_DOMAIN_OTHER};
    if (!json_is_object(object)) {
        return pji_fail(err, PJ_EINVAL, "missing row: not a JSON object");
    }
    int domain = PJI_DOMAIN_OTHER;
    pj_status status = PJ_OK;
    if (json_object_get(object, "domain_kind") != NULL) {
        status = take_name(object, "domain_kind", "missing row", domain_names, PJI_DOMAIN_OTHER,
                           &domain, err);
    }
    m->domain_kind = (enum pji_domain_kind)domain;
    const struct {
        const char *key;
        bool required;
        char *out;
        size_t size;
    } texts[] = {
        {"domain", true, m->domain, sizeof m->domain},
        {"source", false, m->source, sizeof m->source},
        {"reason", true, m->reason, sizeof m->reason},
        {"fix", false, m->fix, sizeof m->fix},
    };
    for (size_t i = 0; status == PJ_OK && i < sizeof texts / sizeof texts[0]; i++) {
        status = take_text(object, texts[i].key, "missing row", texts[i].required, texts[i].out,
                           texts[i].size, err);
    }
    return status;
}
