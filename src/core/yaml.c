/* core/yaml.c - YAML 1.2 (yaml.org/spec/1.2.2) from libfyaml's event stream.
 *
 * The tree is built here and not by libfyaml's documents, because then every limit is ours: aliases
 * are copies of what the anchor named (so that a tree stays a tree), each copy is counted against
 * NODES_MAX ("billion laughs"), an alias inside its own anchor is refused, and both positions of a
 * duplicate key are known. Tags are refused: a scalar is text, and its meaning is the reader's.
 * libfyaml collects its complaints in an object of ours instead of printing them.
 */
#include "core/yaml.h"

#include "core/array.h"
#include "core/str.h"
#include "core/yaml_tree.h"

#include <libfyaml.h>
#include <stdlib.h>
#include <string.h>

enum { NODES_MAX = 100000, DEPTH_MAX = 64, ANCHORS_MAX = 1000 };

struct anchor {
    char *name;
    bool complete;
    struct pji_yaml node; /* our own copy, once complete */
};

struct build {
    struct fy_parser *parser;
    struct fy_diag *diag;
    const char *name;
    struct pj_error *err;
    size_t n_nodes;
    struct anchor *anchors;
    size_t n_anchors, cap_anchors;
};

struct place {
    size_t line, column;
};

static struct place place_of_mark(const struct fy_mark *mark)
{
    if (!mark || mark->line < 0 || mark->column < 0)
        return (struct place){1, 1};
    return (struct place){(size_t)mark->line + 1, (size_t)mark->column + 1};
}

static struct place place_of(struct fy_event *event)
{
    struct place place = place_of_mark(fy_event_start_mark(event));
    /* the mark of quoted text and of an alias is behind its first character */
    enum fy_node_style style = fy_event_get_node_style(event);
    bool behind =
        style == FYNS_SINGLE_QUOTED || style == FYNS_DOUBLE_QUOTED || event->type == FYET_ALIAS;
    if (behind && place.column > 1)
        place.column--;
    return place;
}

static pj_status complain(struct build *build, struct place place, const char *what)
{
    return pji_fail(build->err, PJ_EINVAL, "%s:%zu:%zu: %s", build->name, place.line, place.column,
                    what);
}

/* libfyaml failed: its first complaint, which is the cause. */
static pj_status complain_as_libfyaml(struct build *build)
{
    void *at = NULL;
    const struct fy_diag_error *fault = fy_diag_errors_iterate(build->diag, &at);
    if (!fault)
        return pji_fail(build->err, PJ_EINVAL, "%s: not valid YAML", build->name);
    size_t len = strcspn(fault->msg, "\n");
    return pji_fail(build->err, PJ_EINVAL, "%s:%d:%d: not valid YAML: %.*s", build->name,
                    fault->line > 0 ? fault->line : 1, fault->column > 0 ? fault->column : 1,
                    (int)len, fault->msg);
}

/* The next event, never NULL on success; the caller frees it. */
static pj_status next(struct build *build, struct fy_event **event)
{
    *event = fy_parser_parse(build->parser);
    if (*event && !fy_parser_get_stream_error(build->parser))
        return PJ_OK;
    fy_parser_event_free(build->parser, *event);
    *event = NULL;
    return complain_as_libfyaml(build);
}

static pj_status count_nodes(struct build *build, size_t n, struct place place)
{
    build->n_nodes += n;
    if (build->n_nodes > NODES_MAX)
        return complain(build, place, "more than 100000 values (aliases count as what they name)");
    return PJ_OK;
}

static char *token_text(struct build *build, struct fy_token *token, struct place place)
{
    size_t len = 0;
    const char *text = token ? fy_token_get_text(token, &len) : "";
    if (!text) {
        pji_error_set(build->err, PJ_ENOMEM, 0, "%s: out of memory", build->name);
        return NULL;
    }
    if (memchr(text, '\0', len)) {
        complain(build, place, "text must not contain a NUL character");
        return NULL;
    }
    return pji_dupn(text, len, build->err);
}

/* Opens an anchor; *index gets its number. */
static pj_status open_anchor(struct build *build, struct fy_token *token, struct place place,
                             size_t *index)
{
    if (build->n_anchors == ANCHORS_MAX)
        return complain(build, place, "more than 1000 anchors");
    pj_status status = pji_array_reserve(&build->anchors, &build->cap_anchors, build->n_anchors + 1,
                                         sizeof *build->anchors, build->err);
    if (status)
        return status;
    char *name = token_text(build, token, place);
    if (!name)
        return build->err->code;
    *index = build->n_anchors++;
    build->anchors[*index] = (struct anchor){.name = name};
    return PJ_OK;
}

static pj_status close_anchor(struct build *build, size_t index, const struct pji_yaml *node)
{
    struct anchor *anchor = &build->anchors[index];
    pj_status status =
        count_nodes(build, pji_yaml_node_count(node), (struct place){node->line, node->column});
    if (!status)
        status = pji_yaml_node_copy(&anchor->node, node, build->err);
    anchor->complete = status == PJ_OK;
    return status;
}

static pj_status take_alias(struct build *build, struct fy_event *event, size_t depth,
                            struct pji_yaml *node)
{
    struct place place = place_of(event);
    char shown[PJI_EXCERPT];
    size_t len = 0;
    const char *name = fy_token_get_text(event->alias.anchor, &len);
    pji_excerpt(name ? name : "", len, shown);
    const struct anchor *anchor = NULL;
    for (size_t i = build->n_anchors; i > 0 && !anchor; i--) {
        const char *known = build->anchors[i - 1].name;
        if (name && strlen(known) == len && memcmp(known, name, len) == 0)
            anchor = &build->anchors[i - 1];
    }
    if (!anchor)
        return pji_fail(build->err, PJ_EINVAL, "%s:%zu:%zu: no anchor '&%s' above this alias",
                        build->name, place.line, place.column, shown);
    if (!anchor->complete)
        return pji_fail(build->err, PJ_EINVAL, "%s:%zu:%zu: '*%s' refers to itself", build->name,
                        place.line, place.column, shown);
    if (depth + pji_yaml_node_depth(&anchor->node) > DEPTH_MAX)
        return complain(build, place, "values are nested more than 64 deep");
    pj_status status = count_nodes(build, pji_yaml_node_count(&anchor->node), place);
    return status ? status : pji_yaml_node_copy(node, &anchor->node, build->err);
}

static pj_status take_node(struct build *build, struct fy_event *event, size_t depth,
                           struct pji_yaml *node);

static pj_status take_scalar(struct build *build, struct fy_event *event, struct pji_yaml *node)
{
    node->kind = PJI_YAML_SCALAR;
    node->text = token_text(build, event->scalar.value, (struct place){node->line, node->column});
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
        pj_status status = next(build, &event);
        if (status)
            return status;
        if (event->type == FYET_SEQUENCE_END) {
            fy_parser_event_free(build->parser, event);
            return PJ_OK;
        }
        status =
            pji_array_reserve(&node->items, &cap, node->n + 1, sizeof *node->items, build->err);
        if (!status)
            status = take_node(build, event, depth + 1, &node->items[node->n++]);
        fy_parser_event_free(build->parser, event);
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
    const struct pji_yaml **keys = pji_zalloc(map->n, sizeof(const struct pji_yaml *), build->err);
    if (!keys)
        return PJ_ENOMEM;
    for (size_t i = 0; i < map->n; i++)
        keys[i] = &map->keys[i];
    qsort(keys, map->n, sizeof *keys, compare_keys);
    pj_status status = PJ_OK;
    for (size_t i = 1; i < map->n && !status; i++) {
        const struct pji_yaml *key = keys[i];
        char shown[PJI_EXCERPT];
        if (strcmp(keys[i - 1]->text, key->text) == 0)
            status = pji_fail(build->err, PJ_EINVAL,
                              "%s:%zu:%zu: the key '%s' is given twice, first in line %zu column "
                              "%zu",
                              build->name, key->line, key->column,
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
        status =
            complain(build, (struct place){key->line, key->column}, "a key must be plain text");
    if (status)
        return status;
    struct fy_event *value;
    status = next(build, &value);
    if (status)
        return status;
    status = take_node(build, value, depth + 1, &map->items[index]);
    fy_parser_event_free(build->parser, value);
    return status;
}

static pj_status take_mapping(struct build *build, size_t depth, struct pji_yaml *node)
{
    size_t cap_items = 0;
    size_t cap_keys = 0;
    node->kind = PJI_YAML_MAPPING;
    for (;;) {
        struct fy_event *event;
        pj_status status = next(build, &event);
        if (status)
            return status;
        if (event->type == FYET_MAPPING_END) {
            fy_parser_event_free(build->parser, event);
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
        fy_parser_event_free(build->parser, event);
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
    return complain(build, place_of(event), "not valid YAML: a value was expected here");
}

/* The node that starts with `event` (borrowed). After a failure it is unfinished but can be freed
 * with what it hangs on. */
static pj_status take_node(struct build *build, struct fy_event *event, size_t depth,
                           struct pji_yaml *node)
{
    struct place place = place_of(event);
    if (event->type == FYET_ALIAS)
        return take_alias(build, event, depth, node);
    node->line = place.line;
    node->column = place.column;
    if (depth > DEPTH_MAX)
        return complain(build, place, "values are nested more than 64 deep");
    struct fy_token *tag = fy_event_get_tag_token(event);
    if (tag)
        return complain(build, place_of_mark(fy_token_start_mark(tag)),
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
        pj_status status = next(build, event);
        if (status)
            return status;
        if ((*event)->type == FYET_DOCUMENT_START || (*event)->type == FYET_STREAM_END)
            return PJ_OK;
        fy_parser_event_free(build->parser, *event);
    }
}

static pj_status take_document(struct build *build, struct pji_yaml *root)
{
    struct fy_event *event = NULL;
    pj_status status = next_top(build, &event);
    if (status)
        return status;
    bool empty = event->type == FYET_STREAM_END;
    fy_parser_event_free(build->parser, event);
    if (empty)
        return pji_fail(build->err, PJ_EINVAL, "%s: the file holds no YAML value", build->name);
    status = next(build, &event);
    if (status)
        return status;
    status = take_node(build, event, 0, root);
    fy_parser_event_free(build->parser, event);
    if (status)
        return status;
    if (root->kind == PJI_YAML_SCALAR && !root->quoted && root->text[0] == '\0')
        return pji_fail(build->err, PJ_EINVAL, "%s: the file holds no YAML value", build->name);
    status = next_top(build, &event);
    if (status)
        return status;
    if (event->type == FYET_DOCUMENT_START)
        status = complain(build, place_of(event), "a second document starts here: one is allowed");
    fy_parser_event_free(build->parser, event);
    return status;
}

static void say_nothing(struct fy_diag *diag, void *user, const char *text, size_t len)
{
    (void)diag;
    (void)user;
    (void)text;
    (void)len;
}

static pj_status open_parser(struct build *build, const char *text, size_t len)
{
    struct fy_diag_cfg quiet = {.output_fn = say_nothing, .level = FYET_ERROR};
    quiet.module_mask = (1U << FYEM_MAX) - 1;
    build->diag = fy_diag_create(&quiet);
    if (!build->diag)
        return pji_fail(build->err, PJ_ENOMEM, "%s: out of memory", build->name);
    fy_diag_set_collect_errors(build->diag, true);
    unsigned flags = FYPCF_QUIET | FYPCF_JSON_NONE; /* a set: none of the enumerators */
    struct fy_parse_cfg config = {.flags = (enum fy_parse_cfg_flags)flags, .diag = build->diag};
    build->parser = fy_parser_create(&config);
    if (!build->parser || fy_parser_set_string(build->parser, text, len))
        return pji_fail(build->err, PJ_ENOMEM, "%s: out of memory", build->name);
    return PJ_OK;
}

static void close_parser(struct build *build)
{
    if (build->parser)
        fy_parser_destroy(build->parser);
    if (build->diag)
        fy_diag_destroy(build->diag);
    for (size_t i = 0; i < build->n_anchors; i++) {
        free(build->anchors[i].name);
        pji_yaml_node_fini(&build->anchors[i].node);
    }
    free(build->anchors);
}

/* libfyaml would take a NUL for the end of the text, bytes that are not UTF-8 for an empty value
 * and control characters for text, each without a word. */
static pj_status check_bytes(struct build *build, const char *text, size_t len)
{
    size_t good = pji_utf8_span(text, len);
    for (size_t i = 0; i < good; i++) {
        unsigned char c = (unsigned char)text[i];
        if ((c < 0x20 && c != '\t' && c != '\n' && c != '\r') || c == 0x7f)
            good = i;
    }
    if (good == len)
        return PJ_OK;
    struct place place = {1, 1};
    for (size_t i = 0; i < good; i++) {
        place.column = text[i] == '\n' ? 1 : place.column + 1;
        place.line += text[i] == '\n';
    }
    unsigned char bad = (unsigned char)text[good];
    return pji_fail(build->err, PJ_EINVAL, "%s:%zu:%zu: the byte 0x%02x has no place in UTF-8 text",
                    build->name, place.line, place.column, bad);
}

pj_status pji_yaml_parse(struct pji_yaml_doc *doc, const char *text, size_t len, const char *name,
                         struct pj_error *err)
{
    struct pj_error own = {0};
    struct build build = {.name = name, .err = err ? err : &own};
    *doc = (struct pji_yaml_doc){.name = pji_dup(name, err)};
    if (!doc->name)
        return PJ_ENOMEM;
    pj_status status = check_bytes(&build, text, len);
    if (!status)
        status = open_parser(&build, text, len);
    if (!status)
        status = take_document(&build, &doc->root);
    close_parser(&build);
    if (status)
        pji_yaml_fini(doc);
    return status;
}
