/* energy/trace_write.c - trace v1, writing. Readings are formatted by hand into the caller's
 * buffer, because that happens on the sampling path: no allocation, no locale, no printf.
 */
#include "energy/trace_line.h"

#include "core/hash.h"

#include <string.h>

#define TRACE_FORMAT  "perjoule-trace"
#define TRACE_VERSION 1

/* Longest parts: {"t_ns":-9223372036854775808,"r":[ and [2147483647,null,9223372036854775807,1]
 * and ]} with its newline. */
_Static_assert(PJI_TRACE_READING_MAX >= 33 + 41 + 3, "a reading alone on its line must fit");

static char *put_text(char *out, const char *text, size_t len)
{
    memcpy(out, text, len);
    return out + len;
}

static char *put_i64(char *out, int64_t value)
{
    char digits[20];
    size_t n = 0;
    uint64_t rest = value < 0 ? ~(uint64_t)value + 1 : (uint64_t)value;
    do {
        digits[n++] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    if (value < 0) {
        *out++ = '-';
    }
    while (n > 0) {
        *out++ = digits[--n];
    }
    return out;
}

static char *put_reading(char *out, const struct pji_reading *reading)
{
    *out++ = '[';
    out = put_i64(out, reading->channel);
    out = put_text(out, ",null,", reading->status == PJI_READ_OK ? 1 : 6);
    out = put_i64(out, reading->value);
    if (reading->status == PJI_READ_GONE) {
        out = put_text(out, ",1", 2);
    }
    *out++ = ']';
    return out;
}

/* One reading with what belongs around it: the line's beginning and end. */
static char *put_item(char *out, const struct pji_reading *readings, size_t n, size_t i)
{
    if (i == 0 || readings[i].t_ns != readings[i - 1].t_ns) {
        out = put_text(out, "{\"t_ns\":", 8);
        out = put_i64(out, readings[i].t_ns);
        out = put_text(out, ",\"r\":[", 6);
    } else {
        *out++ = ',';
    }
    out = put_reading(out, &readings[i]);
    if (i + 1 == n || readings[i + 1].t_ns != readings[i].t_ns) {
        out = put_text(out, "]}\n", 3);
    }
    return out;
}

size_t pji_trace_format_readings(char *buffer, size_t size, const struct pji_reading *readings,
                                 size_t n)
{
    size_t used = 0;
    for (size_t i = 0; i < n; i++) {
        char item[PJI_TRACE_READING_MAX];
        size_t len = (size_t)(put_item(item, readings, n, i) - item);
        if (len > size - used) {
            return 0;
        }
        memcpy(buffer + used, item, len);
        used += len;
    }
    return used;
}

/* Writes the object as one line; takes it. NULL or incomplete: out of memory. */
static pj_status put_line(struct pji_str *out, json_t *object, int rc, struct pj_error *err)
{
    if (object == NULL || rc != 0) {
        json_decref(object);
        return pji_fail(err, PJ_ENOMEM, "out of memory while writing a line of the trace");
    }
    pji_json_write(out, object, 0);
    pji_str_addc(out, '\n');
    json_decref(object);
    return pji_str_ok(out, err);
}

pj_status pji_trace_put_header(struct pji_str *out, const struct pji_trace_header *header,
                               struct pj_error *err)
{
    json_t *channels = json_array(), *missing = json_array(), *object = json_object();
    int rc = 0;
    for (size_t i = 0; i < header->n_channels; i++) {
        rc |= json_array_append_new(channels, pji_channel_to_json(&header->channels[i]));
    }
    for (size_t i = 0; i < header->n_missing; i++) {
        rc |= json_array_append_new(missing, pji_missing_to_json(&header->missing[i]));
    }
    rc |= json_object_set_new(object, "type", json_string("header"));
    rc |= json_object_set_new(object, "format", json_string(TRACE_FORMAT));
    rc |= json_object_set_new(object, "version", json_integer(TRACE_VERSION));
    rc |= json_object_set_new(object, "tool", json_string(header->tool));
    rc |= json_object_set_new(object, "t_ns", json_integer(header->t_ns));
    rc |= json_object_set_new(object, "wall_ns", json_integer(header->wall_ns));
    rc |= json_object_set_new(object, "interval_ns", json_integer(header->interval_ns));
    if (header->machine != NULL) {
        rc |= json_object_set(object, "machine", header->machine);
    }
    if (header->schedule != NULL) {
        rc |= json_object_set(object, "schedule", header->schedule);
    }
    if (header->instruments != NULL) {
        rc |= json_object_set(object, "instruments", header->instruments);
    }
    rc |= json_object_set_new(object, "channels", channels);
    rc |= json_object_set_new(object, "missing", missing);
    return put_line(out, object, rc, err);
}

pj_status pji_trace_put_event(struct pji_str *out, int64_t t_ns, const char *name, json_t *fields,
                              struct pj_error *err)
{
    json_t *object = json_object();
    int rc = 0;
    rc |= json_object_set_new(object, "type", json_string("event"));
    rc |= json_object_set_new(object, "t_ns", json_integer(t_ns));
    rc |= json_object_set_new(object, "name", json_string(name));
    if (fields != NULL) {
        rc |= json_object_update_missing(object, fields); /* type, t_ns and name are ours */
        json_decref(fields);
    }
    return put_line(out, object, rc, err);
}

static void put_lateness(struct pji_str *out, const struct pji_lateness *lateness)
{
    const char *comma = "";
    if (lateness->n == 0) {
        return;
    }
    pji_str_addf(out, ",\"lateness\":{\"max_ns\":%lld,\"bins\":[", (long long)lateness->max_ns);
    for (size_t i = 0; i < PJI_LATENESS_BINS; i++) {
        if (lateness->ticks[i] > 0) {
            pji_str_addf(out, "%s[%lld,%llu]", comma, (long long)pji_lateness_upto_ns(i),
                         (unsigned long long)lateness->ticks[i]);
            comma = ",";
        }
    }
    pji_str_add(out, "]}");
}

void pji_trace_put_footer(struct pji_str *out, const struct pji_trace_footer *footer)
{
    size_t start = out->len;
    pji_str_addf(out, "{\"type\":\"footer\",\"t_ns\":%lld,\"samples\":%llu,\"late_ticks\":%llu,",
                 (long long)footer->t_ns, (unsigned long long)footer->samples,
                 (unsigned long long)footer->late_ticks);
    pji_str_add(out, "\"own_cpu_s\":");
    pji_str_add_num(out, footer->own_cpu_s);
    put_lateness(out, &footer->lateness);
    if (footer->seal != PJI_SEAL_NONE && !out->failed) {
        uint64_t hash = pji_fnv1a(footer->hash, out->text + start, out->len - start);
        pji_str_addf(out, PJI_TRACE_DIGEST "%016llx\"", (unsigned long long)hash);
    }
    pji_str_add(out, "}\n");
}
