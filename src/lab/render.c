#include "lab/render.h"

#include "core/array.h"
#include "core/json.h"
#include "core/units.h"
#include "load/body.h"

#include <stdlib.h>
#include <string.h>

enum { ITEMS_MOST = 32 };

#define ANSWER_LIMIT ((size_t)16 * 1024 * 1024)

struct asking {
    const struct pji_endpoint *endpoint;
    struct pji_http *http;
    struct pji_str root; /* of the server, without /v1 */
};

/* Where a server tells it, and the member of the answer. */
static const struct {
    const char *path, *member;
} ways[] = {{"/apply-template", "prompt"}, {"/tokenize", "tokens"}};

/* Appends what the server makes of one prompt; false: it does not tell. */
static bool ask(struct asking *a, size_t way, const struct pji_request_spec *spec,
                struct pji_str *out)
{
    struct pji_str url = {0}, body = {0};
    struct pji_extras extras = {0};
    struct pji_http_answer answer = {0};
    bool told = false;
    pji_str_addf(&url, "%s%s", pji_str_text(&a->root), ways[way].path);
    if (pji_extras_init(&extras, spec, 1, NULL) == PJ_OK) {
        pji_body_add(&body, a->endpoint, spec, &extras);
        struct pji_http_exchange what = {.method = "POST",
                                         .url = pji_str_text(&url),
                                         .bearer = a->endpoint->bearer,
                                         .body = pji_str_text(&body),
                                         .body_len = body.len,
                                         .timeout_ns = 5 * PJI_NS_PER_S,
                                         .limit = ANSWER_LIMIT,
                                         .stop_fd = -1};
        if (pji_str_ok(&body, NULL) == PJ_OK && pji_str_ok(&url, NULL) == PJ_OK &&
            pji_http_exchange(&a->http, &what, &answer, NULL) == PJ_OK &&
            answer.http_status == 200) {
            json_t *object = pji_json_parse(answer.body, answer.len, "the answer", NULL);
            const json_t *member = json_object_get(object, ways[way].member);
            told = json_is_string(member) || json_is_array(member);
            if (told)
                pji_json_write(out, member, 0);
            json_decref(object);
        }
    }
    pji_extras_fini(&extras);
    free(answer.body);
    pji_str_fini(&body);
    pji_str_fini(&url);
    return told;
}

static int by_item(const void *a, const void *b)
{
    const struct pji_request_spec *const *p = a, *const *q = b;
    return strcmp((*p)->item, (*q)->item);
}

static bool render_all(struct asking *a, size_t way, const struct pji_request_spec **specs,
                       size_t n, struct pji_rendered *rendered)
{
    struct pji_str texts = {0}, items = {0};
    bool told = true;
    size_t asked = 0;
    for (size_t i = 0; i < n && asked < ITEMS_MOST && told; i++) {
        if (i > 0 && strcmp(specs[i]->item, specs[i - 1]->item) == 0)
            continue; /* asked again in the same phase */
        told = ask(a, way, specs[i], &texts);
        pji_str_addn(&texts, "", 1);
        pji_str_addn(&items, specs[i]->item, strlen(specs[i]->item) + 1);
        asked++;
    }
    told = told && asked > 0 && pji_str_ok(&texts, NULL) == PJ_OK &&
           pji_str_ok(&items, NULL) == PJ_OK &&
           pji_sha256_bytes(texts.text, texts.len, rendered->sha256, NULL) == PJ_OK &&
           pji_sha256_bytes(items.text, items.len, rendered->items_sha256, NULL) == PJ_OK;
    if (told) {
        rendered->by = ways[way].path;
        rendered->n = asked;
    }
    pji_str_fini(&texts);
    pji_str_fini(&items);
    return told;
}

void pji_render(struct pji_rendered *rendered, const struct pji_endpoint *endpoint,
                const struct pji_request_spec *specs, size_t n)
{
    struct asking a = {.endpoint = endpoint};
    const struct pji_request_spec **order = pji_zalloc(n + 1, sizeof(void *), NULL);
    size_t len = strlen(endpoint->base_url);
    *rendered = (struct pji_rendered){0};
    if (order == NULL)
        return;
    size_t chats = 0;
    for (size_t i = 0; i < n; i++)
        if (specs[i].api == PJI_API_CHAT)
            order[chats++] = &specs[i];
    qsort(order, chats, sizeof(void *), by_item);
    if (len >= 3 && strcmp(endpoint->base_url + len - 3, "/v1") == 0)
        len -= 3;
    pji_str_addn(&a.root, endpoint->base_url, len);
    for (size_t way = 0; way < sizeof ways / sizeof ways[0] && chats > 0; way++)
        if (render_all(&a, way, order, chats, rendered))
            break;
    pji_http_close(a.http);
    pji_str_fini(&a.root);
    free(order);
}
