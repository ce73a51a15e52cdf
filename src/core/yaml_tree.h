/* core/yaml_tree.h - the tree of core/yaml.h by hand; for core/yaml*.c only. */
#ifndef PJI_CORE_YAML_TREE_H
#define PJI_CORE_YAML_TREE_H

#include "core/yaml.h"

void pji_yaml_node_fini(struct pji_yaml *node);
/* Number of nodes in the tree, keys included. */
size_t pji_yaml_node_count(const struct pji_yaml *node);
/* Levels below the node: 0 for a scalar. */
size_t pji_yaml_node_depth(const struct pji_yaml *node);
/* Deep copy; `copy` is empty after a failure. */
pj_status pji_yaml_node_copy(struct pji_yaml *copy, const struct pji_yaml *node,
                             struct pj_error *err);

#endif
