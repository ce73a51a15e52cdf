/* load/body.c - see body.h. Members: OpenAI API reference; "ignore_eos" as vLLM and llama.cpp. */
#include "load/body.h"

#include "core/array.h"
#include "core/json.h"
#include "load/scan.h"

#include <stdlib.h>
#include <string.h>

enum { MODEL, MAX_TOKENS, IGNORE_EOS, STOP, TEMPERATURE, SEED, N_MEMBERS };

static const char *const member_names[N_MEMBERS] = {"model", "max_tokens",  "ignore_eos",
                                                    "stop",  "temperature", "seed"};
static const char *const refused_names[] = {"prompt",         "messages", "stream",
                                            "stream_options", "n",        NULL};

static unsigned override_bit(const char *key)
{
    for (unsigned i = 0; i < N_MEMBERS; i++)
        if (strcmp(key, member_names[i]) == 0)
            return 1u << i;
    /* the same thing under its newer name */
    return strcmp(key, "max_completion_tokens") == 0 ? 1u << MAX_TOKENS : 0;
}

static pj_status parse(struct pji_extra *extra, const char *item, struct pj_error *err)
{
    json_t *object = pji_json_parse(extra->source, strlen(extra->source), "extra members", err);
    const char *key = NULL;
    json_t *value = NULL;
    struct pji_str members = {0};
    pj_status status = object ? PJ_OK : PJ_EINVAL;
    if (object && !json_is_object(object))
        status = pji_fail(err, PJ_EINVAL,
                          "the extra members of item '%s' are not a JSON object: write {\"key\": "
                          "value}",
                          item);
    for (void *i = json_object_iter(object); !status && i; i = json_object_iter_next(object, i)) {
        key = json_object_iter_key(i);
        value = json_object_iter_value(i);
        for (size_t k = 0; refused_names[k]; k++)
            if (strcmp(key, refused_names[k]) == 0)
                status = pji_fail(err, PJ_EINVAL,
                                  "the extra members of item '%s' set \"%s\", on which the records "
                                  "rest: leave it out",
                                  item, key);
        extra->overrides |= override_bit(key);
        pji_str_addc(&members, ',');
        pji_quote(&members, key, strlen(key));
        pji_str_addc(&members, ':');
        pji_json_write(&members, value, 0);
    }
    json_decref(object);
    if (!status)
        status = pji_str_ok(&members, err);
    if (!status && members.len > 0)
        extra->members = pji_str_take(&members);
    pji_str_fini(&members);
    return status;
}

static const struct pji_extra *find(const struct pji_extras *extras, const char *source)
{
    for (size_t i = extras->n; source && i-- > 0;)
        if (extras->items[i].source == source || strcmp(extras->items[i].source, source) == 0)
            return &extras->items[i];
    return NULL;
}

pj_status pji_extras_init(struct pji_extras *extras, const struct pji_request_spec *specs, size_t n,
                          struct pj_error *err)
{
    *extras = (struct pji_extras){0};
    for (size_t i = 0; i < n; i++) {
        const char *source = specs[i].extra;
        if (!source || find(extras, source))
            continue;
        pj_status status = pji_array_reserve(&extras->items, &extras->cap, extras->n + 1,
                                             sizeof *extras->items, err);
        if (status)
            return status;
        extras->items[extras->n] = (struct pji_extra){.source = source};
        status = parse(&extras->items[extras->n++], specs[i].item ? specs[i].item : "", err);
        if (status)
            return status;
    }
    return PJ_OK;
}

void pji_extras_fini(struct pji_extras *extras)
{
    for (size_t i = 0; i < extras->n; i++)
        free(extras->items[i].members);
    free(extras->items);
    *extras = (struct pji_extras){0};
}

static void add_input(struct pji_str *out, const struct pji_request_spec *spec)
{
    bool chat = spec->api == PJI_API_CHAT;
    pji_str_add(out, chat ? "{\"messages\":[{\"role\":\"user\",\"content\":" : "{\"prompt\":");
    pji_quote(out, spec->prompt, strlen(spec->prompt));
    pji_str_add(out, chat ? "}]" : "");
    pji_str_add(out, spec->whole ? ",\"stream\":false"
                                 : ",\"stream\":true,\"stream_options\":{\"include_usage\":true}");
}

void pji_body_add(struct pji_str *out, const struct pji_endpoint *endpoint,
                  const struct pji_request_spec *spec, const struct pji_extras *extras)
{
    const struct pji_extra *extra = find(extras, spec->extra);
    unsigned own = extra ? ~extra->overrides : ~0u;
    add_input(out, spec);
    if (endpoint->model && (own & 1u << MODEL)) {
        pji_str_add(out, ",\"model\":");
        pji_quote(out, endpoint->model, strlen(endpoint->model));
    }
    if (spec->max_tokens > 0 && (own & 1u << MAX_TOKENS))
        pji_str_addf(out, ",\"max_tokens\":%lld", (long long)spec->max_tokens);
    if (spec->ignore_eos && (own & 1u << IGNORE_EOS))
        pji_str_add(out, ",\"ignore_eos\":true");
    if (spec->stop && (own & 1u << STOP)) {
        pji_str_add(out, ",\"stop\":[");
        pji_quote(out, spec->stop, strlen(spec->stop));
        pji_str_addc(out, ']');
    }
    if (own & 1u << TEMPERATURE) {
        pji_str_add(out, ",\"temperature\":");
        pji_str_add_num(out, spec->temperature);
    }
    if (own & 1u << SEED)
        pji_str_addf(out, ",\"seed\":%u", (unsigned)(spec->seed & 0x7fffffffu));
    if (extra && extra->members)
        pji_str_add(out, extra->members);
    pji_str_addc(out, '}');
}
