/* core/yaml_tree.c - the tree of core/yaml.h. Recursion is bounded by the depth that the reader
 * accepts.
 */
#include "core/yaml_tree.h"

#include "core/array.h"
#include "core/str.h"

#include <stdlib.h>
#include <string.h>

void pji_yaml_node_fini(struct pji_yaml *node)
{
    for (size_t i = 0; i < node->n; i++) {
        if (node->keys)
            pji_yaml_node_fini(&node->keys[i]);
        if (node->items)
            pji_yaml_node_fini(&node->items[i]);
    }
    free(node->keys);
    free(node->items);
    free(node->text);
    *node = (struct pji_yaml){0};
}

size_t pji_yaml_node_count(const struct pji_yaml *node)
{
    size_t count = 1;
    for (size_t i = 0; i < node->n; i++)
        count += pji_yaml_node_count(&node->items[i]) + (node->keys ? 1 : 0);
    return count;
}

size_t pji_yaml_node_depth(const struct pji_yaml *node)
{
    size_t depth = 0;
    for (size_t i = 0; i < node->n; i++) {
        size_t below = pji_yaml_node_depth(&node->items[i]) + 1;
        depth = below > depth ? below : depth;
    }
    return depth;
}

pj_status pji_yaml_node_copy(struct pji_yaml *copy, const struct pji_yaml *node,
                             struct pj_error *err)
{
    pj_status status = PJ_OK;
    *copy = (struct pji_yaml){
        .kind = node->kind, .quoted = node->quoted, .line = node->line, .column = node->column};
    if (node->text) {
        copy->text = pji_dup(node->text, err);
        status = copy->text ? PJ_OK : PJ_ENOMEM;
    }
    if (!status && node->n) {
        copy->items = pji_zalloc(node->n, sizeof *copy->items, err);
        copy->keys = node->keys ? pji_zalloc(node->n, sizeof *copy->keys, err) : NULL;
        copy->n = node->n; /* zeroed children are safe to finish */
        if (!copy->items || (node->keys && !copy->keys))
            status = PJ_ENOMEM;
    }
    for (size_t i = 0; !status && i < node->n; i++) {
        status = pji_yaml_node_copy(&copy->items[i], &node->items[i], err);
        if (!status && node->keys)
            status = pji_yaml_node_copy(&copy->keys[i], &node->keys[i], err);
    }
    if (status)
        pji_yaml_node_fini(copy);
    return status;
}

void pji_yaml_fini(struct pji_yaml_doc *doc)
{
    free(doc->name);
    pji_yaml_node_fini(&doc->root);
    *doc = (struct pji_yaml_doc){0};
}

const struct pji_yaml *pji_yaml_get(const struct pji_yaml *mapping, const char *key)
{
    if (!mapping || mapping->kind != PJI_YAML_MAPPING)
        return NULL;
    for (size_t i = 0; i < mapping->n; i++) {
        if (strcmp(mapping->keys[i].text, key) == 0)
            return &mapping->items[i];
    }
    return NULL;
}
