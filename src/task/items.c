/* task/items.c - reading JSON Lines with positions; see task.h. */
#include "task/task.h"

#include "core/array.h"
#include "core/digest.h"
#include "platform/durable.h"
#include "task/path.h"

#include <stdlib.h>
#include <string.h>

#define FILE_LIMIT ((size_t)1 << 30)

struct reader {
    struct pji_items *items;
    size_t cap;
    const char *gold_key;
    struct pj_error *err;
};

/* A label as text; caller frees. NULL with a message when it is missing or no label. */
static char *label(struct reader *r, const json_t *fields, const char *key, size_t line)
{
    const json_t *value = pji_path_get(fields, key, strlen(key));
    struct pji_str text = {0};
    bool is_real = json_is_real(value);
    char *out = NULL;
    if (!value)
        (void)pji_fail(r->err, PJ_EINVAL, "%s:%zu: the item lacks '%s'", r->items->path, line, key);
    else if (is_real || !pji_path_write(&text, value) || text.len == 0)
        (void)pji_fail(r->err, PJ_EINVAL,
                       "%s:%zu: '%s' must be a text, a whole number, true or false", r->items->path,
                       line, key);
    else if (!pji_str_ok(&text, r->err))
        out = pji_str_take(&text);
    pji_str_fini(&text);
    return out;
}

static char *make_id(struct reader *r, const json_t *fields, size_t line)
{
    struct pji_str number = {0};
    if (json_object_get(fields, "id"))
        return label(r, fields, "id", line);
    if (json_object_get(fields, "idx"))
        return label(r, fields, "idx", line);
    pji_str_addf(&number, "%zu", line);
    char *id = pji_str_ok(&number, r->err) ? NULL : pji_str_take(&number);
    pji_str_fini(&number);
    return id;
}

static json_t *parse_line(struct reader *r, const char *text, size_t len, size_t line)
{
    json_error_t fault;
    json_t *value = json_loadb(text, len, JSON_REJECT_DUPLICATES, &fault);
    if (!value) {
        (void)pji_fail(r->err,
                       json_error_code(&fault) == json_error_out_of_memory ? PJ_ENOMEM : PJ_EINVAL,
                       "%s:%zu:%d: not valid JSON: %s (one JSON object on each line)",
                       r->items->path, line, fault.column > 0 ? fault.column : 1, fault.text);
        return NULL;
    }
    if (!json_is_object(value)) {
        (void)pji_fail(r->err, PJ_EINVAL, "%s:%zu: an item must be a JSON object on one line",
                       r->items->path, line);
        json_decref(value);
        return NULL;
    }
    return value;
}

static pj_status add_item(struct reader *r, const char *text, size_t len, size_t line)
{
    struct pji_items *items = r->items;
    pj_status status =
        pji_array_reserve(&items->items, &r->cap, items->n + 1, sizeof *items->items, r->err);
    if (status)
        return status;
    struct pji_item *item = &items->items[items->n];
    *item = (struct pji_item){.line = line, .file = items->path};
    item->fields = parse_line(r, text, len, line);
    if (!item->fields)
        return PJ_EINVAL;
    items->n++; /* from here on it is freed with the others */
    item->id = make_id(r, item->fields, line);
    if (!item->id)
        return PJ_EINVAL;
    if (r->gold_key && !(item->gold = label(r, item->fields, r->gold_key, line)))
        return PJ_EINVAL;
    return PJ_OK;
}

static bool is_blank(const char *text, size_t len)
{
    return strspn(text, " \t\r") >= len;
}

static pj_status add_lines(struct reader *r, const char *text, size_t len, size_t limit)
{
    if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
        text += 3;
        len -= 3;
    }
    for (size_t line = 1; len > 0 && (limit == 0 || r->items->n < limit); line++) {
        const char *end = memchr(text, '\n', len);
        size_t n = end ? (size_t)(end - text) : len;
        pj_status status = is_blank(text, n) ? PJ_OK : add_item(r, text, n, line);
        if (status)
            return status;
        n += end ? 1 : 0;
        text += n;
        len -= n;
    }
    if (r->items->n == 0)
        return pji_fail(r->err, PJ_EINVAL, "%s holds no items", r->items->path);
    return PJ_OK;
}

static int by_id(const void *a, const void *b)
{
    const struct pji_item *x = *(const struct pji_item *const *)a;
    const struct pji_item *y = *(const struct pji_item *const *)b;
    int order = strcmp(x->id, y->id);
    return order != 0 ? order : (x->line > y->line) - (x->line < y->line);
}

static pj_status check_ids(const struct pji_items *items, struct pj_error *err)
{
    const struct pji_item **sorted = pji_zalloc(items->n, sizeof(struct pji_item *), err);
    const struct pji_item *twin = NULL, *first = NULL;
    if (!sorted)
        return PJ_ENOMEM;
    for (size_t i = 0; i < items->n; i++)
        sorted[i] = &items->items[i];
    qsort(sorted, items->n, sizeof(struct pji_item *), by_id);
    for (size_t i = 1; i < items->n; i++)
        if (strcmp(sorted[i - 1]->id, sorted[i]->id) == 0 &&
            (!twin || sorted[i]->line < twin->line)) {
            twin = sorted[i];
            first = sorted[i - 1];
        }
    free(sorted);
    if (twin && first)
        return pji_fail(err, PJ_EINVAL,
                        "%s:%zu: the id '%s' is there already on line %zu: ids must differ",
                        items->path, twin->line, twin->id, first->line);
    return PJ_OK;
}

pj_status pji_items_read(struct pji_items *items, const char *path, const char *gold_key,
                         size_t limit, struct pj_error *err)
{
    struct pj_error own = {0};
    struct reader r = {.items = items, .gold_key = gold_key, .err = err ? err : &own};
    char *text = NULL;
    size_t len = 0;
    *items = (struct pji_items){0};
    pj_status status = (items->path = pji_dup(path, r.err)) ? PJ_OK : PJ_ENOMEM;
    if (!status)
        status = pji_read_file(path, FILE_LIMIT, &text, &len, r.err);
    if (!status)
        status = pji_sha256_bytes(text, len, items->sha256, r.err);
    if (!status)
        status = add_lines(&r, text, len, limit);
    if (!status)
        status = check_ids(items, r.err);
    free(text);
    if (status) {
        pji_items_fini(items);
        return r.err->code ? r.err->code : status;
    }
    return PJ_OK;
}

void pji_items_fini(struct pji_items *items)
{
    for (size_t i = 0; i < items->n; i++) {
        free(items->items[i].id);
        free(items->items[i].gold);
        json_decref(items->items[i].fields);
    }
    free(items->items);
    free(items->path);
    *items = (struct pji_items){0};
}
