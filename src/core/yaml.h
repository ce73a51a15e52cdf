/* core/yaml.h - YAML through libfyaml as a plain tree that keeps positions for messages
 * (perjoule-lab only). Scalars stay text exactly as written: "2" never becomes 2.0. Duplicate keys,
 * anchors with cycles, tags, keys that are not plain text, an empty document and more than one
 * document are errors with file:line:column. An alias is a copy of what its anchor named, with the
 * positions of that text. Limits: 100 000 values (copies count), depth 64, files of 16 MiB.
 */
#ifndef PJI_CORE_YAML_H
#define PJI_CORE_YAML_H

#include "core/error.h"

#include <stdbool.h>
#include <stddef.h>

enum pji_yaml_kind { PJI_YAML_SCALAR, PJI_YAML_SEQUENCE, PJI_YAML_MAPPING };

struct pji_yaml {
    enum pji_yaml_kind kind;
    char *text;  /* SCALAR: its text, unescaped, NUL-terminated */
    bool quoted; /* SCALAR: was written in quotes (then "null" or "" are text, not absence) */
    size_t n;    /* SEQUENCE, MAPPING: number of children */
    struct pji_yaml *items; /* n values; for MAPPING keys[i] belongs to items[i] */
    struct pji_yaml *keys;  /* MAPPING: n scalar keys, else NULL */
    size_t line, column;    /* 1-based position of the first character */
};

struct pji_yaml_doc {
    char *name; /* file name as given, for messages */
    struct pji_yaml root;
};

/* Parses text[0..len); `name` is used in messages. On success the caller calls pji_yaml_fini. */
pj_status pji_yaml_parse(struct pji_yaml_doc *doc, const char *text, size_t len, const char *name,
                         struct pj_error *err);
pj_status pji_yaml_read(struct pji_yaml_doc *doc, const char *path, struct pj_error *err);
void pji_yaml_fini(struct pji_yaml_doc *doc);

/* Value of `key` in a mapping, or NULL. Borrowed. */
const struct pji_yaml *pji_yaml_get(const struct pji_yaml *mapping, const char *key);

#endif
