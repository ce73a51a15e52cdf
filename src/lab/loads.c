/* load: of the study file: which arrival process, how fast, and which latencies count as good.
 * Which key belongs to which kind stands in one table; a kind that a factor chooses is checked for
 * every level that the design has.
 */
#include "lab/internal.h"

#include "core/array.h"
#include "core/num.h"
#include "core/units.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CONCURRENCY_MOST = 100000, REQUESTS_MOST = 10000000 };
#define RATE_MOST 1e6

#define OF(kind) (1U << (kind))
enum {
    ALL = (1U << PJI_ARRIVAL_KINDS) - 1U,
    DRAWN = OF(PJI_ARRIVAL_POISSON) | OF(PJI_ARRIVAL_GAMMA) | OF(PJI_ARRIVAL_ON_OFF),
    RATED = DRAWN | OF(PJI_ARRIVAL_CONSTANT),
    TRACE = OF(PJI_ARRIVAL_TRACE)
};

typedef pj_status load_fn(struct pji_load_values *out, const char *key, const char *text,
                          struct pj_error *err);

/* ---- one key from its text ---- */

static pj_status number(const char *key, const char *text, double min, double max, double *out,
                        struct pj_error *err)
{
    if (pji_num_parse(text, strlen(text), out, NULL) == PJ_OK && *out >= min && *out <= max)
        return PJ_OK;
    return pji_fail(err, PJ_EINVAL, "%s must be a number from %g to %g, not '%.60s'", key, min, max,
                    text);
}

static pj_status rate(const char *key, const char *text, double *out, struct pj_error *err)
{
    if (pji_num_parse(text, strlen(text), out, NULL) == PJ_OK && *out > 0.0 && *out <= RATE_MOST)
        return PJ_OK;
    return pji_fail(err, PJ_EINVAL,
                    "%s must be a number of requests a second, above 0 and at most 1000000, not "
                    "'%.60s'",
                    key, text);
}

static pj_status period(const char *key, const char *text, int64_t min_ns, int64_t *out,
                        struct pj_error *err)
{
    struct pj_error why = {0};
    if (pji_duration_parse(text, out, &why) != PJ_OK)
        return pji_fail(err, PJ_EINVAL, "%s: %s", key, why.text);
    if (*out < min_ns)
        return pji_fail(err, PJ_EINVAL, "%s must be at least %g ms, not '%.60s'", key,
                        (double)min_ns / 1e6, text);
    return PJ_OK;
}

static pj_status fill_concurrency(struct pji_load_values *v, const char *key, const char *text,
                                  struct pj_error *err)
{
    return pji_whole_number(key, text, 1, CONCURRENCY_MOST, &v->concurrency, err);
}

static pj_status fill_requests(struct pji_load_values *v, const char *key, const char *text,
                               struct pj_error *err)
{
    return pji_whole_number(key, text, 1, REQUESTS_MOST, &v->requests, err);
}

static pj_status fill_rate(struct pji_load_values *v, const char *key, const char *text,
                           struct pj_error *err)
{
    return rate(key, text, &v->arrival.rate_per_s, err);
}

static pj_status fill_burstiness(struct pji_load_values *v, const char *key, const char *text,
                                 struct pj_error *err)
{
    return number(key, text, 0.01, 1e6, &v->arrival.burstiness, err);
}

static pj_status fill_on(struct pji_load_values *v, const char *key, const char *text,
                         struct pj_error *err)
{
    return period(key, text, PJI_NS_PER_MS, &v->arrival.on_ns, err);
}

static pj_status fill_off(struct pji_load_values *v, const char *key, const char *text,
                          struct pj_error *err)
{
    return period(key, text, PJI_NS_PER_MS, &v->arrival.off_ns, err);
}

static pj_status fill_from(struct pji_load_values *v, const char *key, const char *text,
                           struct pj_error *err)
{
    return number(key, text, 0.0, RATE_MOST, &v->arrival.rate_per_s, err);
}

static pj_status fill_to(struct pji_load_values *v, const char *key, const char *text,
                         struct pj_error *err)
{
    return rate(key, text, &v->arrival.to_rate_per_s, err);
}

static pj_status fill_over(struct pji_load_values *v, const char *key, const char *text,
                           struct pj_error *err)
{
    return period(key, text, PJI_NS_PER_MS, &v->arrival.over_ns, err);
}

static pj_status fill_speed(struct pji_load_values *v, const char *key, const char *text,
                            struct pj_error *err)
{
    return number(key, text, 0.001, 1e6, &v->arrival.speed, err);
}

static const struct {
    const char *key;
    unsigned kinds;    /* that know the key */
    unsigned required; /* that need it */
    load_fn *fill;     /* NULL: read by pji_study_times or fill_slo */
    const char *example;
} keys[] = {
    {"concurrency", ALL, 0, fill_concurrency, ""},
    {"requests", ALL, 0, fill_requests, ""},
    {"slo", ALL, 0, NULL, ""},
    {"rate", RATED, RATED, fill_rate, "rate: 10 (requests a second)"},
    {"burstiness", OF(PJI_ARRIVAL_GAMMA), OF(PJI_ARRIVAL_GAMMA), fill_burstiness,
     "burstiness: 0.5 (1 is a Poisson process, less is burstier)"},
    {"on", OF(PJI_ARRIVAL_ON_OFF), OF(PJI_ARRIVAL_ON_OFF), fill_on, "on: 5s"},
    {"off", OF(PJI_ARRIVAL_ON_OFF), OF(PJI_ARRIVAL_ON_OFF), fill_off, "off: 10s"},
    {"from", OF(PJI_ARRIVAL_RAMP), OF(PJI_ARRIVAL_RAMP), fill_from, "from: 1 (requests a second)"},
    {"to", OF(PJI_ARRIVAL_RAMP), OF(PJI_ARRIVAL_RAMP), fill_to, "to: 20 (requests a second)"},
    {"over", OF(PJI_ARRIVAL_RAMP), OF(PJI_ARRIVAL_RAMP), fill_over, "over: 60s"},
    {"times", TRACE, TRACE, NULL, "times: arrivals.csv"},
    {"field", TRACE, 0, NULL, ""},
    {"unit", TRACE, 0, NULL, ""},
    {"speed", TRACE, 0, fill_speed, ""},
};

enum { N_KEYS = sizeof keys / sizeof keys[0] };

/* ---- the whole mapping ---- */

static pj_status fill_kind(const struct pji_study *study, const char *const *levels,
                           struct pji_load_values *out, struct pj_error *err)
{
    const struct pji_yaml *node = pji_yaml_get(study->load_node, "kind");
    char *text = NULL;
    pj_status st = node ? pji_study_fill(study, node, levels, &text, err) : PJ_OK;
    if (st || !text)
        return st;
    int kind = 0;
    while (kind < PJI_ARRIVAL_KINDS &&
           strcmp(pji_arrival_name((enum pji_arrival_kind)kind), text) != 0)
        kind++;
    if (kind == PJI_ARRIVAL_KINDS)
        st = pji_fail(err, PJ_EINVAL,
                      "unknown load kind '%.60s': known are closed, constant, poisson, gamma, "
                      "on-off, ramp and trace",
                      text);
    else
        out->arrival.kind = (enum pji_arrival_kind)kind;
    free(text);
    return st;
}

static pj_status fill_slo(const struct pji_study *study, const struct pji_yaml *node,
                          const char *const *levels, struct pji_slo *out, struct pj_error *err)
{
    const struct {
        const char *key;
        int64_t *ns;
    } limits[] = {{"ttft", &out->ttft_ns}, {"tpot", &out->tpot_ns}, {"e2e", &out->e2e_ns}};
    pj_status st = PJ_OK;
    for (size_t i = 0; i < sizeof limits / sizeof limits[0] && st == PJ_OK; i++) {
        const struct pji_yaml *value = pji_yaml_get(node, limits[i].key);
        char *text = NULL;
        char what[32];
        snprintf(what, sizeof what, "slo %s", limits[i].key);
        if (value)
            st = pji_study_fill(study, value, levels, &text, err);
        if (st == PJ_OK && text)
            st = period(what, text, PJI_NS_PER_US, limits[i].ns, err);
        free(text);
    }
    return st;
}

/* A key whose kind has no use for it is a mistake unless a factor chooses the kind. */
static bool kind_varies(const struct pji_study *study)
{
    const struct pji_yaml *kind = pji_yaml_get(study->load_node, "kind");
    return kind && strchr(kind->text, '$') != NULL;
}

static pj_status fill_key(const struct pji_study *study, size_t k, const char *const *levels,
                          struct pji_load_values *out, const struct pji_yaml **at,
                          struct pj_error *err)
{
    const struct pji_yaml *node = pji_yaml_get(study->load_node, keys[k].key);
    const char *kind = pji_arrival_name(out->arrival.kind);
    unsigned bit = OF(out->arrival.kind);
    if (!node && (keys[k].required & bit))
        return pji_fail(err, PJ_EINVAL, "a %s load needs '%s': write %s", kind, keys[k].key,
                        keys[k].example);
    if (!node || (!(keys[k].kinds & bit) && kind_varies(study)))
        return PJ_OK;
    *at = node;
    if (!(keys[k].kinds & bit))
        return pji_fail(err, PJ_EINVAL, "'%s' has no meaning for a %s load", keys[k].key, kind);
    if (strcmp(keys[k].key, "slo") == 0)
        return fill_slo(study, node, levels, &out->slo, err);
    if (!keys[k].fill)
        return PJ_OK;
    char *text = NULL;
    pj_status st = pji_study_fill(study, node, levels, &text, err);
    if (st == PJ_OK)
        st = keys[k].fill(out, keys[k].key, text, err);
    free(text);
    if (st == PJ_OK)
        *at = study->load_node;
    return st;
}

pj_status pji_load_fill(const struct pji_study *study, const char *const *levels,
                        struct pji_load_values *out, const struct pji_yaml **at,
                        struct pj_error *err)
{
    *out = (struct pji_load_values){.arrival = {.kind = PJI_ARRIVAL_CLOSED, .speed = 1.0}};
    const struct pji_yaml *kind = pji_yaml_get(study->load_node, "kind");
    *at = kind ? kind : study->load_node;
    pj_status st = fill_kind(study, levels, out, err);
    if (st == PJ_OK)
        *at = study->load_node;
    for (size_t k = 0; k < N_KEYS && st == PJ_OK; k++)
        st = fill_key(study, k, levels, out, at, err);
    if (st == PJ_OK && out->arrival.kind == PJI_ARRIVAL_CLOSED && out->concurrency == 0)
        out->concurrency = 1;
    return st;
}

pj_status pji_study_load(const struct pji_study *study, const char *const *levels,
                         struct pji_load_values *out, struct pj_error *err)
{
    const struct pji_yaml *at = NULL;
    return pji_load_fill(study, levels, out, &at, err);
}

/* ---- the trace to replay ---- */

static double unit_of(const char *text)
{
    static const struct {
        const char *name;
        double ns;
    } units[] = {{"s", 1e9}, {"ms", 1e6}, {"us", 1e3}, {"ns", 1.0}};
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
        if (strcmp(units[i].name, text) == 0)
            return units[i].ns;
    return 0.0;
}

pj_status pji_study_times(const struct pji_study *study, char **path, const char **field,
                          double *unit_ns, struct pj_error *err)
{
    const struct pji_yaml *times = pji_yaml_get(study->load_node, "times");
    const struct pji_yaml *column = pji_yaml_get(study->load_node, "field");
    const struct pji_yaml *unit = pji_yaml_get(study->load_node, "unit");
    struct pji_str text = {0};
    *path = NULL;
    *field = column ? column->text : NULL;
    *unit_ns = unit ? unit_of(unit->text) : 0.0;
    if (!times)
        return PJ_OK;
    if (study->times_path) {
        *path = pji_dup(study->times_path, err);
        return *path ? PJ_OK : PJ_ENOMEM;
    }
    if (times->text[0] != '/')
        pji_str_addf(&text, "%s/", study->dir);
    pji_str_add(&text, times->text);
    *path = pji_str_take(&text);
    return *path ? PJ_OK : pji_fail(err, PJ_ENOMEM, "out of memory");
}

/* ---- parsing ---- */

static pj_status check_load(void *context, const char *const *levels, struct pj_error *err)
{
    struct pji_study *study = context;
    struct pji_load_values values;
    const struct pji_yaml *at = NULL;
    struct pj_error why = {0};
    (void)err;
    if (pji_load_fill(study, levels, &values, &at, &why) == PJ_OK)
        return PJ_OK;
    pji_study_error(study, at, "%s", why.text);
    return 1;
}

/* Read once for the whole study: they name no factor. */
static bool check_fixed(struct pji_study *study, const struct pji_yaml *node)
{
    static const char *const fixed[] = {"times", "field", "unit"};
    bool good = true;
    bool *used = pji_study_alloc(study, study->n_factors, sizeof *used);
    for (size_t i = 0; i < sizeof fixed / sizeof fixed[0] && used; i++) {
        const struct pji_yaml *value = pji_yaml_get(node, fixed[i]);
        if (!value)
            continue;
        if (!pji_node_text(study, value, fixed[i])) {
            good = false;
            continue;
        }
        memset(used, 0, study->n_factors * sizeof *used);
        pji_study_uses(study, value, used);
        for (size_t f = 0; f < study->n_factors; f++)
            if (used[f]) {
                good = false;
                pji_study_error(study, value,
                                "%s cannot name factor '%s': a trace is read once for all trials",
                                fixed[i], study->factors[f].name);
            }
    }
    free(used);
    const struct pji_yaml *unit = pji_yaml_get(node, "unit");
    if (good && unit && !(unit_of(unit->text) > 0)) {
        pji_study_error(study, unit, "unit must be s, ms, us or ns, not '%.60s'", unit->text);
        good = false;
    }
    return good && used;
}

static bool check_slo(struct pji_study *study, const struct pji_yaml *node)
{
    static const char *const known[] = {"ttft", "tpot", "e2e", NULL};
    const struct pji_yaml *slo = pji_yaml_get(node, "slo");
    if (!slo)
        return true;
    size_t before = study->errors.n;
    if (pji_node_keys(study, slo, "slo", known) && slo->n == 0)
        pji_study_error(study, slo, "slo is empty: write slo: {ttft: 500ms, tpot: 50ms, e2e: 10s}");
    return study->errors.n == before;
}

void pji_parse_load(struct pji_study *study, const struct pji_yaml *node)
{
    const char *known[N_KEYS + 2] = {"kind"};
    size_t before = study->errors.n;
    for (size_t k = 0; k < N_KEYS; k++)
        known[k + 1] = keys[k].key;
    if (!pji_node_keys(study, node, "load", known))
        return;
    const struct pji_yaml *kind = pji_yaml_get(node, "kind");
    if ((kind && !pji_node_text(study, kind, "load kind")) || !check_slo(study, node))
        return;
    study->load_node = node;
    if (study->errors.n > before || !pji_study_check_names(study, node) ||
        !check_fixed(study, node))
        return;
    bool *used = pji_study_alloc(study, study->n_factors, sizeof *used);
    if (!used)
        return;
    pji_study_uses(study, node, used);
    pji_study_each_combination(study, used, check_load, study, NULL);
    free(used);
}
