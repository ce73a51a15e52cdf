#include "golden_value.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

void golden_values_load(struct golden_values *values, const char *path)
{
    *values = (struct golden_values){NULL, 0};
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    size_t cap = 0;
    char line[1024];
    assert_non_null(fgets(line, sizeof line, file)); /* the header */
    while (fgets(line, sizeof line, file)) {
        char *save = NULL;
        char *field[5];
        field[0] = strtok_r(line, "\t\n", &save);
        for (size_t i = 1; i < 5; i++)
            field[i] = strtok_r(NULL, "\t\n", &save);
        assert_non_null(field[4]);
        if (values->n == cap) {
            cap = cap ? 2 * cap : 4096;
            values->v = realloc(values->v, cap * sizeof *values->v);
            assert_non_null(values->v);
        }
        values->v[values->n++] =
            (struct golden_value){strdup(field[0]), strdup(field[1]), strtod(field[2], NULL),
                                  strtod(field[3], NULL), strtod(field[4], NULL)};
    }
    fclose(file);
}

void golden_values_free(struct golden_values *values)
{
    for (size_t i = 0; i < values->n; i++) {
        free(values->v[i].id);
        free(values->v[i].key);
    }
    free(values->v);
}

static const json_t *at_key(const json_t *node, const char *key)
{
    char part[256];
    while (node && *key) {
        size_t len = strcspn(key, "/");
        assert_true(len < sizeof part);
        memcpy(part, key, len);
        part[len] = '\0';
        key += len + (key[len] == '/');
        char *bracket = strchr(part, '[');
        size_t index = 0;
        if (bracket) {
            index = strtoul(bracket + 1, NULL, 10);
            *bracket = '\0';
        }
        node = json_object_get(node, part);
        if (bracket)
            node = json_array_get(node, index - 1);
    }
    return node;
}

static bool agrees(const struct golden_value *line, const json_t *node)
{
    if (!node)
        return false;
    double got = json_is_boolean(node) ? json_is_true(node) : json_number_value(node);
    if (!json_is_boolean(node) && !json_is_number(node))
        return false;
    return fabs(got - line->value) <= line->atol + line->rtol * fabs(line->value);
}

void golden_compare(const struct golden_value *lines, size_t n, const json_t *got,
                    struct golden_count *count)
{
    size_t shown = 0;
    for (size_t i = 0; i < n; i++) {
        if (strstr(lines[i].key, "lme4_default/"))
            continue; /* records what another program stopped at */
        const json_t *node = at_key(got, lines[i].key);
        count->total++;
        if (agrees(&lines[i], node)) {
            count->agreed++;
        } else if (shown++ < 4) {
            print_message("# %s %s: %.17g, not %.17g (rtol %g)\n", lines[i].id, lines[i].key,
                          node ? json_number_value(node) : (double)NAN, lines[i].value,
                          lines[i].rtol);
        }
    }
}
