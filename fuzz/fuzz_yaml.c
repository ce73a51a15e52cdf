/* fuzz/fuzz_yaml.c - the YAML reader on any bytes: an error with a sentence, or a tree that holds
 * its promises (terminated text, positions, distinct keys).
 */
#include "core/yaml.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds)
        abort();
}

static void check(const struct pji_yaml *node, size_t depth)
{
    must(node->line >= 1 && node->column >= 1 && depth <= 65);
    if (node->kind == PJI_YAML_SCALAR)
        must(node->text && node->n == 0);
    for (size_t i = 0; i < node->n; i++) {
        check(&node->items[i], depth + 1);
        if (node->kind != PJI_YAML_MAPPING)
            continue;
        check(&node->keys[i], depth + 1);
        must(node->keys[i].kind == PJI_YAML_SCALAR);
        must(i > 1000 || pji_yaml_get(node, node->keys[i].text) == &node->items[i]);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pji_yaml_doc doc;
    struct pj_error err = {0};
    pj_status status = pji_yaml_parse(&doc, (const char *)data, size, "fuzz", &err);
    if (status == PJ_OK)
        check(&doc.root, 0);
    else
        must(status == PJ_EINVAL && err.text[0]);
    pji_yaml_fini(&doc);
    return 0;
}
