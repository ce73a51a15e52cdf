/* The fake's environment variables: see README.md. */
#include "fake_nvml.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const calls[FAKE_CALLS] = {
    "init",  "handle",   "energy",   "samples",  "power",   "temperature",
    "clock", "throttle", "limit",    "appclock", "thermal", "powercap",
    "ecc",   "eccfixed", "remapped", "pid",      "xid",     "use"};

const char *fake_call_name(enum fake_call call)
{
    return calls[call];
}

static long number(const char *name, long fallback)
{
    const char *text = getenv(name);
    return text && *text ? strtol(text, NULL, 0) : fallback;
}

/* Entry `index` of a comma list; false when the list is shorter. */
static bool entry(const char *list, unsigned int index, char *out, size_t size)
{
    for (; list && index > 0; index--) {
        list = strchr(list, ',');
        list = list ? list + 1 : NULL;
    }
    if (!list || !*list)
        return false;
    (void)snprintf(out, size, "%.*s", (int)strcspn(list, ","), list);
    return true;
}

static void read_gpus(struct fake_script *script)
{
    char text[32];
    long n = number("FAKE_NVML_COUNT", 1);
    script->n_gpus = n < 0 ? 0 : n > FAKE_GPUS ? FAKE_GPUS : (unsigned int)n;
    for (unsigned int i = 0; i < script->n_gpus; i++) {
        if (!entry(getenv("FAKE_NVML_UUIDS"), i, script->uuids[i], sizeof script->uuids[i]))
            (void)snprintf(script->uuids[i], sizeof script->uuids[i],
                           "GPU-fa4e%04x-0000-4000-8000-00000000%04x", i, i);
        if (!entry(getenv("FAKE_NVML_NAMES"), i, script->names[i], sizeof script->names[i]))
            (void)snprintf(script->names[i], sizeof script->names[i], "Fake GPU");
        script->buses[i] = entry(getenv("FAKE_NVML_BUSES"), i, text, sizeof text)
                               ? (unsigned int)strtoul(text, NULL, 16)
                               : 0x1b + 0x10 * i;
        script->mig[i] = entry(getenv("FAKE_NVML_MIG"), i, text, sizeof text) && text[0] == '1';
        script->persistence[i] =
            entry(getenv("FAKE_NVML_PERSISTENCE"), i, text, sizeof text) && text[0] == '1';
    }
}

/* The call that `text` begins with; *end is what follows. */
static bool parse_call(const char *text, enum fake_call *call, const char **end)
{
    size_t len = strcspn(text, ":=");
    for (int i = 0; i < FAKE_CALLS; i++) {
        if (strlen(calls[i]) == len && strncmp(calls[i], text, len) == 0) {
            *call = (enum fake_call)i;
            *end = text + len;
            return true;
        }
    }
    return false;
}

/* call[:GPU]=NUMBER[@FROM_S[-TO_S]] */
static bool parse_timed(struct fake_rule *rules, size_t *n, const char *text)
{
    struct fake_rule rule = {.gpu = -1, .from_s = 0, .to_s = 1e18};
    const char *at;
    char *end;
    if (*n == FAKE_RULES || !parse_call(text, &rule.call, &at))
        return false;
    if (*at == ':') {
        rule.gpu = (int)strtol(at + 1, &end, 10);
        at = end;
    }
    if (*at != '=')
        return false;
    rule.code = (long long)strtoull(at + 1, &end, 0);
    if (*end == '@') {
        rule.from_s = strtod(end + 1, &end);
        if (*end == '-')
            rule.to_s = strtod(end + 1, &end);
    }
    rules[(*n)++] = rule;
    return *end == '\0';
}

static bool parse_rule(struct fake_script *script, const char *text)
{
    return parse_timed(script->rules, &script->n_rules, text);
}

static bool parse_latency(struct fake_script *script, const char *text)
{
    enum fake_call call;
    const char *at;
    if (!parse_call(text, &call, &at) || *at != '=')
        return false;
    script->latency_ns[call] = (int64_t)(strtod(at + 1, NULL) * 1e6);
    return true;
}

static bool parse_value(struct fake_script *script, const char *text)
{
    return parse_timed(script->values, &script->n_values, text);
}

static bool each(struct fake_script *script, const char *name,
                 bool (*parse)(struct fake_script *, const char *), char *why, size_t size)
{
    char text[64];
    for (unsigned int i = 0; entry(getenv(name), i, text, sizeof text); i++) {
        if (!parse(script, text)) {
            (void)snprintf(why, size, "%s: '%s' is not understood", name, text);
            return false;
        }
    }
    return true;
}

static bool read_curve(struct fake_script *script, char *why, size_t size)
{
    struct fake_curve *curve = &script->curve;
    const char *square = getenv("FAKE_NVML_SQUARE"), *trace = getenv("FAKE_NVML_TRACE");
    long long low_mw = 100000, high_mw = 100000, period_ms = 1000;
    curve->spacing_ns = number("FAKE_NVML_SPACING_MS", 20) * 1000000;
    curve->limit_mw = 700000;
    if (trace && *trace)
        return fake_curve_load(curve, trace, why, size);
    if (square && sscanf(square, "%lld,%lld,%lld", &low_mw, &high_mw, &period_ms) != 3) {
        (void)snprintf(why, size, "FAKE_NVML_SQUARE is LOW_MW,HIGH_MW,PERIOD_MS");
        return false;
    }
    curve->low_mw = low_mw;
    curve->high_mw = high_mw;
    curve->period_ns = period_ms * 1000000;
    if (curve->period_ns <= 0 || curve->spacing_ns <= 0) {
        (void)snprintf(why, size, "periods must be greater than 0");
        return false;
    }
    return true;
}

bool fake_script_read(struct fake_script *script, char *why, size_t size)
{
    const char *clock_file = getenv("FAKE_NVML_CLOCK");
    memset(script, 0, sizeof *script);
    (void)snprintf(script->clock_file, sizeof script->clock_file, "%s",
                   clock_file ? clock_file : "");
    const char *pids_file = getenv("FAKE_NVML_PIDS");
    (void)snprintf(script->pids_file, sizeof script->pids_file, "%s", pids_file ? pids_file : "");
    const char *when_file = getenv("FAKE_NVML_WHEN");
    (void)snprintf(script->when_file, sizeof script->when_file, "%s", when_file ? when_file : "");
    script->ring = (size_t)number("FAKE_NVML_RING", 120);
    script->value_type = (int)number("FAKE_NVML_VALUE_TYPE", PJI_NVML_VALUE_UINT);
    read_gpus(script);
    return each(script, "FAKE_NVML_ERRORS", parse_rule, why, size) &&
           each(script, "FAKE_NVML_LATENCY_MS", parse_latency, why, size) &&
           each(script, "FAKE_NVML_VALUES", parse_value, why, size) &&
           read_curve(script, why, size);
}

void fake_script_fini(struct fake_script *script)
{
    fake_curve_fini(&script->curve);
}
