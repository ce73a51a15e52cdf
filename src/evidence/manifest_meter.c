/* evidence/manifest_meter.c - see manifest.h: what the header of a trace says of the meter and of
 * the GPUs.
 */
#include "evidence/manifest.h"

#include "core/str.h"

#include <stdio.h>
#include <string.h>

struct writer {
    pji_manifest_fn *fn;
    void *context;
    struct pj_error *err;
    pj_status status;
};

static void put(struct writer *w, const char *key, const char *value)
{
    if (w->status == PJ_OK && value != NULL && value[0] != '\0')
        w->status = w->fn(w->context, key, value, w->err);
}

static const char *text_of(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

/* A GPU that does not tell its firmware: missing, not empty. */
static void put_gpu(struct writer *w, const json_t *gpu)
{
    static const char *const keys[] = {"name", "uuid", "pci", "vbios"};
    long long number = json_integer_value(json_object_get(gpu, "number"));
    char key[64];
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        const char *value = text_of(gpu, keys[i]);
        bool has = value != NULL && value[0] != '\0';
        snprintf(key, sizeof key, "gpu.%lld.%s%s", number, keys[i], has ? "" : ".missing");
        put(w, key, has ? value : "the driver does not tell");
    }
}

static void put_probe(struct writer *w, const json_t *instrument)
{
    const json_t *probe = json_object_get(instrument, "probe");
    const json_t *gpus = json_object_get(probe, "gpus");
    const char *name = text_of(instrument, "name");
    if (name == NULL || strcmp(name, "nvml") != 0)
        return;
    put(w, "gpu.driver", text_of(probe, "driver"));
    put(w, "gpu.library", text_of(probe, "library"));
    for (size_t i = 0; i < json_array_size(gpus); i++)
        put_gpu(w, json_array_get(gpus, i));
}

pj_status pji_manifest_meter(const struct pji_trace_header *header, pji_manifest_fn *fn,
                             void *context, struct pj_error *err)
{
    struct writer w = {.fn = fn, .context = context, .err = err};
    struct pji_str names = {0};
    char key[128];
    for (size_t i = 0; i < header->n_channels; i++)
        pji_str_addf(&names, "%s%s", i > 0 ? "," : "", header->channels[i].name);
    w.status = pji_str_ok(&names, err);
    put(&w, "meter.channels", pji_str_text(&names));
    for (size_t i = 0; i < json_array_size(header->instruments); i++)
        put_probe(&w, json_array_get(header->instruments, i));
    for (size_t i = 0; i < header->n_missing; i++) {
        const struct pji_missing *m = &header->missing[i];
        snprintf(key, sizeof key, "meter.%s.%s.missing", m->source, m->domain);
        put(&w, key, m->reason);
    }
    pji_str_fini(&names);
    return w.status;
}
