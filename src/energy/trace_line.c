/* energy/trace_line.c - the lines of trace v1 as values, checked. */
#include "energy/trace_line.h"

#include "core/array.h"
#include "core/hash.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

pj_status pji_trace_corrupt(const struct pji_trace_place *place, struct pj_error *err,
                            const char *what)
{
    return pji_fail(err, PJ_ECORRUPT, "%s:%llu: %s", place->name, (unsigned long long)place->line,
                    what);
}

/* A refusal below becomes a corrupt trace, with its place in front. */
static pj_status misread(const struct pji_trace_place *place, struct pj_error *err,
                         pj_status status)
{
    if (status != PJ_EINVAL) {
        return status;
    }
    pji_error_prefix(err, "%s:%llu", place->name, (unsigned long long)place->line);
    if (err != NULL) {
        err->code = PJ_ECORRUPT;
    }
    return PJ_ECORRUPT;
}

static bool time_in_range(int64_t t_ns)
{
    const int64_t limit_ns = INT64_C(1) << 62;
    return t_ns >= -limit_ns && t_ns <= limit_ns;
}

pj_status pji_trace_time(const json_t *object, int64_t *t_ns, const struct pji_trace_place *place,
                         struct pj_error *err)
{
    const json_t *value = json_object_get(object, "t_ns");
    if (!json_is_integer(value) || !time_in_range(json_integer_value(value))) {
        return pji_trace_corrupt(place, err, "\"t_ns\" is not a time in nanoseconds");
    }
    *t_ns = json_integer_value(value);
    return PJ_OK;
}

/* ---- header and footer ---- */

void pji_trace_header_fini(struct pji_trace_header *header)
{
    free(header->channels);
    free(header->missing);
    json_decref(header->machine);
    json_decref(header->schedule);
    json_decref(header->instruments);
    *header = (struct pji_trace_header){0};
}

static pj_status parse_channels(struct pji_trace_header *header, const json_t *list,
                                const struct pji_trace_place *place, struct pj_error *err)
{
    if (!json_is_array(list)) {
        return pji_trace_corrupt(place, err, "the header has no list \"channels\"");
    }
    size_t n = json_array_size(list);
    header->channels = pji_zalloc(n > 0 ? n : 1, sizeof *header->channels, err);
    if (header->channels == NULL) {
        return PJ_ENOMEM;
    }
    header->n_channels = n;
    for (size_t i = 0; i < n; i++) {
        struct pji_channel *channel = &header->channels[i];
        pj_status status = pji_channel_from_json(channel, json_array_get(list, i), err);
        if (status != PJ_OK) {
            return misread(place, err, status);
        }
        if (channel->companion >= 0 && (size_t)channel->companion >= n) {
            return pji_trace_corrupt(place, err, "a channel's companion does not exist");
        }
    }
    return PJ_OK;
}

static pj_status parse_missing(struct pji_trace_header *header, const json_t *list,
                               const struct pji_trace_place *place, struct pj_error *err)
{
    if (list == NULL) {
        return PJ_OK;
    }
    if (!json_is_array(list)) {
        return pji_trace_corrupt(place, err, "\"missing\" is not a list");
    }
    size_t n = json_array_size(list);
    header->missing = pji_zalloc(n > 0 ? n : 1, sizeof *header->missing, err);
    if (header->missing == NULL) {
        return PJ_ENOMEM;
    }
    header->n_missing = n;
    for (size_t i = 0; i < n; i++) {
        pj_status status = pji_missing_from_json(&header->missing[i], json_array_get(list, i), err);
        if (status != PJ_OK) {
            return misread(place, err, status);
        }
    }
    return PJ_OK;
}

static pj_status check_version(const json_t *object, const struct pji_trace_place *place,
                               struct pj_error *err)
{
    const char *format = json_string_value(json_object_get(object, "format"));
    const json_t *version = json_object_get(object, "version");
    if (format == NULL || strcmp(format, "perjoule-trace") != 0 || !json_is_integer(version)) {
        return pji_trace_corrupt(place, err, "this is not a perjoule trace");
    }
    if (json_integer_value(version) != 1) {
        return pji_fail(err, PJ_EUNSUPPORTED,
                        "%s: trace version %lld, this program reads version 1: use a newer one",
                        place->name, (long long)json_integer_value(version));
    }
    return PJ_OK;
}

static pj_status parse_scalars(struct pji_trace_header *header, const json_t *object,
                               const struct pji_trace_place *place, struct pj_error *err)
{
    const char *tool = json_string_value(json_object_get(object, "tool"));
    if (tool != NULL) {
        size_t len = strnlen(tool, sizeof header->tool - 1);
        memcpy(header->tool, tool, len);
    }
    pj_status status = pji_trace_time(object, &header->t_ns, place, err);
    if (status == PJ_OK) {
        status = pji_json_get_i64(object, "wall_ns", "header", &header->wall_ns, err);
    }
    if (status == PJ_OK) {
        status = pji_json_get_i64(object, "interval_ns", "header", &header->interval_ns, err);
    }
    if (status == PJ_OK && header->interval_ns < 0) {
        status = pji_fail(err, PJ_EINVAL, "header: \"interval_ns\" is negative");
    }
    return misread(place, err, status);
}

pj_status pji_trace_header_parse(struct pji_trace_header *header, const json_t *object,
                                 const struct pji_trace_place *place, struct pj_error *err)
{
    pj_status status = check_version(object, place, err);
    if (status == PJ_OK) {
        status = parse_scalars(header, object, place, err);
    }
    if (status == PJ_OK) {
        status = parse_channels(header, json_object_get(object, "channels"), place, err);
    }
    if (status == PJ_OK) {
        status = parse_missing(header, json_object_get(object, "missing"), place, err);
    }
    json_t *machine = json_object_get(object, "machine");
    if (status == PJ_OK && json_is_object(machine)) {
        header->machine = json_incref(machine);
    }
    json_t *schedule = json_object_get(object, "schedule");
    if (status == PJ_OK && json_is_object(schedule)) {
        header->schedule = json_incref(schedule);
    }
    json_t *instruments = json_object_get(object, "instruments");
    if (status == PJ_OK && json_is_array(instruments)) {
        header->instruments = json_incref(instruments);
    }
    return status;
}

/* Optional: traces of earlier writers have none. */
static pj_status parse_lateness(struct pji_lateness *lateness, const json_t *object,
                                struct pj_error *err)
{
    const json_t *value = json_object_get(object, "lateness");
    const json_t *bins = json_object_get(value, "bins");
    *lateness = (struct pji_lateness){0};
    if (value == NULL) {
        return PJ_OK;
    }
    pj_status status = pji_json_get_i64(value, "max_ns", "lateness", &lateness->max_ns, err);
    if (status == PJ_OK && !json_is_array(bins)) {
        status = pji_fail(err, PJ_EINVAL, "lateness: \"bins\" is not a list");
    }
    for (size_t i = 0; status == PJ_OK && i < json_array_size(bins); i++) {
        const json_t *bin = json_array_get(bins, i);
        json_int_t upto_ns = json_integer_value(json_array_get(bin, 0));
        json_int_t ticks = json_integer_value(json_array_get(bin, 1));
        if (upto_ns <= 0 || ticks <= 0 || ticks > INT64_MAX / PJI_LATENESS_BINS) {
            return pji_fail(err, PJ_EINVAL, "lateness: a bin is not [upto_ns, ticks]");
        }
        lateness->ticks[pji_lateness_bin(upto_ns - 1)] += (uint64_t)ticks;
        lateness->n += (uint64_t)ticks;
    }
    return status;
}

enum pji_trace_seal pji_trace_seal_check(uint64_t hash, const char *line, size_t len)
{
    static const char key[] = PJI_TRACE_DIGEST;
    enum { TAIL_LEN = sizeof key - 1 + 16 + 2 };
    char expected[TAIL_LEN + 1];
    if (len < TAIL_LEN) {
        return PJI_SEAL_BROKEN;
    }
    hash = pji_fnv1a(hash, line, len - TAIL_LEN);
    snprintf(expected, sizeof expected, "%s%016llx\"}", key, (unsigned long long)hash);
    return memcmp(line + len - TAIL_LEN, expected, TAIL_LEN) == 0 ? PJI_SEAL_INTACT
                                                                  : PJI_SEAL_BROKEN;
}

pj_status pji_trace_footer_parse(struct pji_trace_footer *footer, const json_t *object,
                                 const struct pji_trace_place *place, struct pj_error *err)
{
    int64_t samples = 0, late_ticks = 0;
    pj_status status = pji_trace_time(object, &footer->t_ns, place, err);
    if (status == PJ_OK) {
        status = pji_json_get_i64(object, "samples", "footer", &samples, err);
    }
    if (status == PJ_OK) {
        status = pji_json_get_i64(object, "late_ticks", "footer", &late_ticks, err);
    }
    if (status == PJ_OK) {
        status = pji_json_get_num(object, "own_cpu_s", "footer", &footer->own_cpu_s, err);
    }
    if (status == PJ_OK && (samples < 0 || late_ticks < 0 || !(footer->own_cpu_s >= 0))) {
        status = pji_fail(err, PJ_EINVAL, "footer: a count is negative");
    }
    if (status == PJ_OK) {
        status = parse_lateness(&footer->lateness, object, err);
    }
    footer->samples = (uint64_t)samples;
    footer->late_ticks = (uint64_t)late_ticks;
    return misread(place, err, status);
}

/* ---- readings, any spelling ---- */

static pj_status parse_reading(struct pji_reading *reading, const json_t *item, size_t n_channels,
                               const struct pji_trace_place *place, struct pj_error *err)
{
    const json_t *channel = json_array_get(item, 0), *value = json_array_get(item, 1);
    const json_t *code = json_array_get(item, 2), *gone = json_array_get(item, 3);
    if (!json_is_array(item) || !json_is_integer(channel)) {
        return pji_trace_corrupt(place, err, "a reading is not [channel, value]");
    }
    if (json_integer_value(channel) < 0 || (uint64_t)json_integer_value(channel) >= n_channels) {
        return pji_trace_corrupt(place, err, "a reading of a channel that the header lacks");
    }
    reading->channel = (int32_t)json_integer_value(channel);
    reading->status = PJI_READ_OK;
    if (json_is_null(value)) {
        bool ended = json_is_integer(gone) && json_integer_value(gone) == 1;
        reading->status = ended ? PJI_READ_GONE : PJI_READ_FAILED;
        value = code;
    }
    if (!json_is_integer(value)) {
        return pji_trace_corrupt(place, err, "a value is not a whole number");
    }
    reading->value = json_integer_value(value);
    return PJ_OK;
}

pj_status pji_trace_readings_parse(const json_t *object, size_t n_channels,
                                   const struct pji_trace_visitor *visitor,
                                   const struct pji_trace_place *place, struct pj_error *err)
{
    struct pji_reading reading = {0};
    const json_t *list = json_object_get(object, "r");
    pj_status status = pji_trace_time(object, &reading.t_ns, place, err);
    if (status == PJ_OK && !json_is_array(list)) {
        status = pji_trace_corrupt(place, err, "\"r\" is not a list of readings");
    }
    for (size_t i = 0; status == PJ_OK && i < json_array_size(list); i++) {
        status = parse_reading(&reading, json_array_get(list, i), n_channels, place, err);
        if (status == PJ_OK && visitor->reading != NULL) {
            status = visitor->reading(visitor->context, &reading, err);
        }
    }
    return status;
}
