/* core/yaml.c - YAML 1.2 (yaml.org/spec/1.2.2) from libfyaml's event stream.
 *
 * The tree is built here and not by libfyaml's documents, because then every limit is ours: aliases
 * are copies of what the anchor named (so that a tree stays a tree), each copy is counted against
 * NODES_MAX ("billion laughs"), an alias inside its own anchor is refused, and both positions of a
 * duplicate key are known. Tags are refused: a scalar is text, and its meaning is the reader's.
 */
#include "core/yaml.h"

#include "core/array.h"
#include "core/str.h"
#include "core/yaml_stream.h"
#include "core/yaml_tree.h"

#include <stdlib.h>
#include <string.h>

enum { NODES_MAX = 100000, DEPTH_MAX = 64, ANCHORS_MAX = 1000 };

struct anchor {
    char *name;
    bool complete;
    struct pji_yaml node; /* our own copy, once complete */
};

struct build {
    struct pji_yaml_stream stream;
    struct pj_error *err; /* of the stream */
    size_t n_nodes;
    struct anchor *anchors;
    size_t n_anchors, cap_anchors;
};

static pj_status count_nodes(struct build *build, size_t n, struct pji_yaml_place place)
{
    build->n_nodes += n;
    if (build->n_nodes > NODES_MAX)
        return pji_yaml_complain(&build->stream, place,
                                 "more than 100000 values (aliases count as what they name)");
    return PJ_OK;
}

/* Opens an anchor; *index gets its number. */
static pj_status open_anchor(struct build *build, struct fy_token *token,
                             struct pji_yaml_place place, size_t *index)
{
    if (build->n_anchors == ANCHORS_MAX)
        return pji_yaml_complain(&build->stream, place, "more than 1000 anchors");
    pj_status status = pji_array_reserve(&build->anchors, &build->cap_anchors, build->n_anchors + 1,
                                         sizeof *build->anchors, build->err);
    if (status)
        return status;
    char *name = pji_yaml_token_text(&build->stream, token, place);
    if (!name)
        return build->err->code;
    *index = build->n_anchors++;
    build->anchors[*index] = (struct anchor){.name = name};
    return PJ_OK;
}

static pj_status close_anchor(struct build *build, size_t index, const struct pji_yaml *node)
{
    struct anchor *anchor = &build->anchors[index];
    pj_status status = count_nodes(build, pji_yaml_node_count(node),
                                   (struct pji_yaml_place){node->line, node->column});
    if (!status)
        status = pji_yaml_node_copy(&anchor->node, node, build->err);
    anchor->complete = status == PJ_OK;
    return status;
}

/* What the alias at `place` stands for, in *anchor. */
static pj_status find_anchor(struct build *build, const char *name, struct pji_yaml_place place,
                             const struct anchor **anchor)
{
    char shown[PJI_EXCERPT];
    *anchor = NULL;
    pji_excerpt(name, strlen(name), shown);
    for (size_t i = build->n_anchors; i > 0 && !*anchor; i--) {
        if (strcmp(build->anchors[i - 1].name, name) == 0)
            *anchor = &build->anchors[i - 1]; /* the latest one counts */
    }
    if (!*anchor)
        return pji_fail(build->err, PJ_EINVAL, "%s:%zu:%zu: no anchor '&%s' above this alias",
                        build->stream.name, place.line, place.column, shown);
    if (!(*anchor)->complete)
        return pji_fail(build->err, PJ_EINVAL, "%s:%zu:%zu: '*%s' refers to itself",
                        build->stream.name, place.line, place.column, shown);
    return PJ_OK;
}

static pj_status take_alias(struct build *build, struct fy_event *event, size_t depth,
                            struct pji_yaml *node)
{
    struct pji_yaml_place place = pji_yaml_place(event);
    const struct anchor *anchor;
    char *name = pji_yaml_token_text(&build->stream, event->alias.anchor, place);
    if (!name)
        return build->err->code;
    pj_status status = find_anchor(build, name, place, &anchor);
    free(name);
    if (status)
        return status;
    if (depth + pji_yaml_node_depth(&anchor->node) > DEPTH_MAX)
        return pji_yaml_complain(&build->stream, place, "values are nested more than 64 deep");
    status = count_nodes(build, pji_yaml_node_count(&anchor->node), place);
    return status ? status : pji_yaml_node_copy(node, &anchor->node, build->err);
}

static pj_status take_node(struct build *build, struct fy_event *event, size_t depth,
                           struct pji_yaml *node);

static pj_status take_scalar(struct build *build, struct fy_event *event, struct pji_yaml *node)
{
    node->kind = PJI_YAML_SCALAR;
    node->text = pji_yaml_token_text(&build->stream, event->scalar.value,
                                     (struct pji_yaml_place){node->line, node->column});
    if (!node->text)
        return build->err->code;
    node->quoted = event->scalar.value && fy_token_scalar_style(event->scalar.value) != FYSS_PLAIN;
    return PJ_OK;
}

static pj_status take_sequence(struct build *build, size_t depth, struct pji_yaml *node)
{
    size_t cap = 0;
    node->kind = PJI_YAML_SEQUENCE;
    for (;;) {
        struct fy_event *event;
        pj_status status = pji_yaml_stream_next(&build->stream, &event);
        if (status)
            return status;
        if (event->type == FYET_SEQUENCE_END) {
            pji_yaml_stream_free(&build->stream, event);
            return PJ_OK;
        }
        status =
            pji_array_reserve(&node->items, &cap, node->n + 1, sizeof *node->items, build->err);
        if (!status)
            status = take_node(build, event, depth + 1, &node->items[node->n++]);
        pji_yaml_stream_free(&build->stream, event);
        if (status)
            return status;
    }
}

/* By text, then by position: the order in which equal keys become neighbours. */
static int compare_keys(const void *a, const void *b)
{
    const struct pji_yaml *x = *(const struct pji_yaml *const *)a;
    const struct pji_yaml *y = *(const struct pji_yaml *const *)b;
    int order = strcmp(x->text, y->text);
    if (order)
        return order;
    if (x->line != y->line)
        return x->line < y->line ? -1 : 1;
    return x->column < y->column ? -1 : x->column > y->column;
}

static pj_status check_keys(struct build *build, const struct pji_yaml *map)
{
    if (map->n < 2)
        return PJ_OK;
    const struct pji_yaml **keys = pji_zalloc(map->n, sizeof(void *), build->err);
    if (!keys)
        return PJ_ENOMEM;
    for (size_t i = 0; i < map->n; i++)
        keys[i] = &map->keys[i];
    qsort(keys, map->n, sizeof(void *), compare_keys);
    pj_status status = PJ_OK;
    for (size_t i = 1; i < map->n && !status; i++) {
        const struct pji_yaml *key = keys[i];
        char shown[PJI_EXCERPT];
        if (strcmp(keys[i - 1]->text, key->text) == 0)
            status = pji_fail(build->err, PJ_EINVAL,
                              "%s:%zu:%zu: the key '%s' is given twice, first in line %zu column "
                              "%zu",
                              build->stream.name, key->line, key->column,
                              pji_excerpt(key->text, strlen(key->text), shown), keys[i - 1]->line,
                              keys[i - 1]->column);
    }
    free(keys);
    return status;
}

/* One key, whose event is given, and its value. */
static pj_status take_pair(struct build *build, struct fy_event *event, size_t depth,
                           struct pji_yaml *map, size_t index)
{
    pj_status status = take_node(build, event, depth + 1, &map->keys[index]);
    const struct pji_yaml *key = &map->keys[index];
    if (!status && key->kind != PJI_YAML_SCALAR)
        status = pji_yaml_complain(&build->stream, (struct pji_yaml_place){key->line, key->column},
                                   "a key must be plain text");
    if (status)
        return status;
    struct fy_event *value;
    status = pji_yaml_stream_next(&build->stream, &value);
    if (status)
        return status;
    status = take_node(build, value, depth + 1, &map->items[index]);
    pji_yaml_stream_free(&build->stream, value);
    return status;
}

static pj_status take_mapping(struct build *build, size_t depth, struct pji_yaml *node)
{
    size_t cap_items = 0;
    size_t cap_keys = 0;
    node->kind = PJI_YAML_MAPPING;
    for (;;) {
        struct fy_event *event;
        pj_status status = pji_yaml_stream_next(&build->stream, &event);
        if (status)
            return status;
        if (event->type == FYET_MAPPING_END) {
            pji_yaml_stream_free(&build->stream, event);
            return check_keys(build, node);
        }
        status = pji_array_reserve(&node->items, &cap_items, node->n + 1, sizeof *node->items,
                                   build->err);
        if (!status)
            status = pji_array_reserve(&node->keys, &cap_keys, node->n + 1, sizeof *node->keys,
                                       build->err);
        if (!status) {
            node->n++;
            status = take_pair(build, event, depth, node, node->n - 1);
        }
        pji_yaml_stream_free(&build->stream, event);
        if (status)
            return status;
    }
}

static pj_status take_content(struct build *build, struct fy_event *event, size_t depth,
                              struct pji_yaml *node)
{
    if (event->type == FYET_SCALAR)
        return take_scalar(build, event, node);
    if (event->type == FYET_SEQUENCE_START)
        return take_sequence(build, depth, node);
    if (event->type == FYET_MAPPING_START)
        return take_mapping(build, depth, node);
    return pji_yaml_complain(&build->stream, pji_yaml_place(event),
                             "not valid YAML: a value was expected here");
}

/* The node that starts with `event` (borrowed). After a failure it is unfinished but can be freed
 * with what it hangs on. */
static pj_status take_node(struct build *build, struct fy_event *event, size_t depth,
                           struct pji_yaml *node)
{
    struct pji_yaml_place place = pji_yaml_place(event);
    if (event->type == FYET_ALIAS)
        return take_alias(build, event, depth, node);
    node->line = place.line;
    node->column = place.column;
    if (depth > DEPTH_MAX)
        return pji_yaml_complain(&build->stream, place, "values are nested more than 64 deep");
    struct fy_token *tag = fy_event_get_tag_token(event);
    if (tag)
        return pji_yaml_complain(&build->stream, pji_yaml_tag_place(tag),
                                 "tags such as !!str are not used here: write plain text");
    pj_status status = count_nodes(build, 1, place);
    struct fy_token *anchored = fy_event_get_anchor_token(event);
    size_t index = 0;
    if (!status && anchored)
        status = open_anchor(build, anchored, place, &index);
    if (!status)
        status = take_content(build, event, depth, node);
    if (!status && anchored)
        status = close_anchor(build, index, node);
    return status;
}

/* Skips to the next event of a kind that matters at the top: a document's start or the end. */
static pj_status next_top(struct build *build, struct fy_event **event)
{
    for (;;) {
        pj_status status = pji_yaml_stream_next(&build->stream, event);
        if (status)
            return status;
        if ((*event)->type == FYET_DOCUMENT_START || (*event)->type == FYET_STREAM_END)
            return PJ_OK;
        pji_yaml_stream_free(&build->stream, *event);
    }
}

static pj_status take_document(struct build *build, struct pji_yaml *root)
{
    struct fy_event *event = NULL;
    pj_status status = next_top(build, &event);
    if (status)
        return status;
    bool empty = event->type == FYET_STREAM_END;
    pji_yaml_stream_free(&build->stream, event);
    if (empty)
        return pji_fail(build->err, PJ_EINVAL, "%s: the file holds no YAML value",
                        build->stream.name);
    status = pji_yaml_stream_next(&build->stream, &event);
    if (status)
        return status;
    status = take_node(build, event, 0, root);
    pji_yaml_stream_free(&build->stream, event);
    if (status)
        return status;
    if (root->kind == PJI_YAML_SCALAR && !root->quoted && root->text[0] == '\0')
        return pji_fail(build->err, PJ_EINVAL, "%s: the file holds no YAML value",
                        build->stream.name);
    status = next_top(build, &event);
    if (status)
        return status;
    if (event->type == FYET_DOCUMENT_START)
        status = pji_yaml_complain(&build->stream, pji_yaml_place(event),
                                   "a second document starts here: one is allowed");
    pji_yaml_stream_free(&build->stream, event);
    return status;
}

static void forget_anchors(struct build *build)
{
    for (size_t i = 0; i < build->n_anchors; i++) {
        free(build->anchors[i].name);
        pji_yaml_node_fini(&build->anchors[i].node);
    }
    free(build->anchors);
}

pj_status pji_yaml_parse(struct pji_yaml_doc *doc, const char *text, size_t len, const char *name,
                         struct pj_error *err)
{
    struct pj_error own = {0};
    struct build build = {.err = err ? err : &own};
    *doc = (struct pji_yaml_doc){.name = pji_dup(name, err)};
    if (!doc->name)
        return PJ_ENOMEM;
    pj_status status = pji_yaml_stream_open(&build.stream, text, len, name, build.err);
    if (!status)
        status = take_document(&build, &doc->root);
    pji_yaml_stream_close(&build.stream);
    forget_anchors(&build);
    if (status)
        pji_yaml_fini(doc);
    return status;
}
