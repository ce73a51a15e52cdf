/* Reading a protocol: see analysis/protocol.h. Everything is checked here, so that the rest can
 * rely on it; text is borrowed from the YAML tree. */
#include "analysis/protocol.h"

#include "core/array.h"
#include "core/num.h"
#include "core/str.h"

#include <stdlib.h>
#include <string.h>

struct reader {
    const struct pji_protocol *protocol;
    struct pj_error *err;
};

static pj_status wrong(const struct reader *r, const struct pji_yaml *node, const char *words)
{
    return pji_fail(r->err, PJ_EINVAL, "%s:%zu:%zu: %s", r->protocol->doc.name, node->line,
                    node->column, words);
}

static pj_status wrong_key(const struct reader *r, const struct pji_yaml *key, const char *where,
                           const char *const *known)
{
    const char *nearest = pji_str_nearest(key->text, known);
    return pji_fail(r->err, PJ_EINVAL, "%s:%zu:%zu: %s has no key '%s'%s%s%s",
                    r->protocol->doc.name, key->line, key->column, where, key->text,
                    nearest ? ", did you mean '" : "", nearest ? nearest : "", nearest ? "'?" : "");
}

static pj_status check_keys(const struct reader *r, const struct pji_yaml *node, const char *where,
                            const char *const *known)
{
    if (node->kind != PJI_YAML_MAPPING)
        return wrong(r, node, "here a mapping of keys is needed");
    for (size_t i = 0; i < node->n; i++) {
        size_t k = 0;
        while (known[k] && strcmp(known[k], node->keys[i].text) != 0)
            k++;
        if (!known[k])
            return wrong_key(r, &node->keys[i], where, known);
    }
    return PJ_OK;
}

static pj_status text_of(const struct reader *r, const struct pji_yaml *mapping, const char *key,
                         bool needed, const char **out)
{
    const struct pji_yaml *node = pji_yaml_get(mapping, key);
    struct pji_str words = {0};
    pj_status rc = PJ_OK;
    if (node && node->kind == PJI_YAML_SCALAR) {
        *out = node->text;
    } else if (node) {
        pji_str_addf(&words, "'%s' takes one value", key);
        rc = wrong(r, node, pji_str_text(&words));
    } else if (needed) {
        pji_str_addf(&words, "'%s' is missing", key);
        rc = wrong(r, mapping, pji_str_text(&words));
    }
    pji_str_fini(&words);
    return rc;
}

static pj_status flag_of(const struct reader *r, const struct pji_yaml *mapping, const char *key,
                         bool *out)
{
    const char *text = "false";
    pj_status rc = text_of(r, mapping, key, false, &text);
    *out = strcmp(text, "true") == 0;
    if (!rc && !*out && strcmp(text, "false") != 0)
        rc = wrong(r, pji_yaml_get(mapping, key), "here true or false is needed");
    return rc;
}

static pj_status list_of(const struct reader *r, const struct pji_yaml *mapping, const char *key,
                         struct pji_protocol_list *out)
{
    const struct pji_yaml *node = pji_yaml_get(mapping, key);
    if (!node)
        return PJ_OK;
    if (node->kind != PJI_YAML_SEQUENCE)
        return wrong(r, node, "here a list is needed: [a, b]");
    for (size_t i = 0; i < node->n; i++) {
        if (node->items[i].kind != PJI_YAML_SCALAR)
            return wrong(r, &node->items[i], "an entry of this list is one value");
        if (out->n == PJI_PROTOCOL_LIST)
            return wrong(r, &node->items[i], "the list is too long");
        out->item[out->n++] = node->items[i].text;
    }
    return PJ_OK;
}

static pj_status read_columns(const struct reader *r, struct pji_protocol *p,
                              const struct pji_yaml *node)
{
    static const char *const known[] = {"number",  "decimal_comma", "optional",
                                        "aliases", "from",          NULL};
    if (node->kind != PJI_YAML_MAPPING)
        return wrong(r, node, "columns is a mapping: column: {number: true}");
    for (size_t i = 0; i < node->n; i++) {
        if (p->columns == PJI_PROTOCOL_COLUMNS)
            return wrong(r, &node->keys[i], "too many columns");
        struct pji_protocol_column *c = &p->column[p->columns++];
        c->name = node->keys[i].text;
        pj_status rc = check_keys(r, &node->items[i], "a column", known);
        if (!rc)
            rc = flag_of(r, &node->items[i], "number", &c->number);
        if (!rc)
            rc = flag_of(r, &node->items[i], "decimal_comma", &c->decimal_comma);
        if (!rc)
            rc = flag_of(r, &node->items[i], "optional", &c->optional);
        if (!rc)
            rc = list_of(r, &node->items[i], "aliases", &c->aliases);
        if (!rc)
            rc = list_of(r, &node->items[i], "from", &c->from);
        if (rc)
            return rc;
    }
    return PJ_OK;
}

static pj_status read_derivation(const struct reader *r, const struct pji_yaml *node,
                                 struct pji_protocol_derived *d)
{
    static const char *const known[] = {"copy", "strip", "suffix", "text", "ratio", NULL};
    struct pji_protocol_list ratio = {.n = 0};
    d->a = d->b = NULL;
    pj_status rc = check_keys(r, node, "a derived column", known);
    if (!rc && pji_yaml_get(node, "copy")) {
        d->kind = PJI_DERIVE_COPY;
        return text_of(r, node, "copy", true, &d->a);
    }
    if (!rc && pji_yaml_get(node, "text")) {
        d->kind = PJI_DERIVE_TEXT;
        return text_of(r, node, "text", true, &d->a);
    }
    if (!rc && pji_yaml_get(node, "strip")) {
        d->kind = PJI_DERIVE_STRIP;
        rc = text_of(r, node, "strip", true, &d->a);
        return rc ? rc : text_of(r, node, "suffix", true, &d->b);
    }
    d->kind = PJI_DERIVE_RATIO;
    if (!rc)
        rc = list_of(r, node, "ratio", &ratio);
    if (!rc && ratio.n != 2)
        rc = wrong(r, node, "a derived column is copy, strip with suffix, text, or ratio: [a, b]");
    d->a = ratio.item[0];
    d->b = ratio.item[1];
    return rc;
}

static pj_status read_derived(const struct reader *r, const struct pji_yaml *node,
                              struct pji_protocol_derived *out, size_t *n)
{
    if (!node)
        return PJ_OK;
    if (node->kind != PJI_YAML_MAPPING)
        return wrong(r, node, "derive is a mapping: name: {ratio: [a, b]}");
    pj_status rc = PJ_OK;
    for (size_t i = 0; !rc && i < node->n; i++) {
        if (*n == PJI_PROTOCOL_COLUMNS)
            return wrong(r, &node->keys[i], "too many derived columns");
        out[*n].name = node->keys[i].text;
        rc = read_derivation(r, &node->items[i], &out[(*n)++]);
    }
    return rc;
}

static pj_status read_levels(const struct reader *r, struct pji_protocol *p,
                             const struct pji_yaml *node)
{
    if (node && node->kind != PJI_YAML_MAPPING)
        return wrong(r, node, "levels is a mapping: column: [first, second]");
    for (size_t i = 0; node && i < node->n; i++) {
        struct pji_protocol_list list = {.n = 0};
        struct pji_str text = {0};
        if (p->n_levels == PJI_PROTOCOL_LIST)
            return wrong(r, &node->keys[i], "too many orders of levels");
        pj_status rc = list_of(r, node, node->keys[i].text, &list);
        if (rc)
            return rc;
        pji_str_addf(&text, "%s=", node->keys[i].text);
        for (size_t l = 0; l < list.n; l++)
            pji_str_addf(&text, "%s%s", l ? "," : "", list.item[l]);
        rc = pji_str_ok(&text, r->err);
        p->levels[p->n_levels] = pji_str_take(&text);
        if (rc)
            return rc;
        p->n_levels++;
    }
    return PJ_OK;
}

static pj_status check_tests(const struct reader *r, const struct pji_yaml *node,
                             const struct pji_protocol_question *q)
{
    static const char *const known[] = {"oneway", "consecutive", "polynomial", "kruskal",
                                        "dunn",   "wilcoxon",    NULL};
    for (size_t i = 0; i < q->tests.n; i++) {
        size_t k = 0;
        while (known[k] && strcmp(known[k], q->tests.item[i]) != 0)
            k++;
        if (!known[k])
            return pji_fail(r->err, PJ_EINVAL,
                            "%s:%zu:%zu: no test is named '%s': oneway, consecutive, polynomial, "
                            "kruskal, dunn, wilcoxon",
                            r->protocol->doc.name, node->line, node->column, q->tests.item[i]);
    }
    if (q->link && strcmp(q->link, "log") != 0 && strcmp(q->link, "log1p") != 0 &&
        strcmp(q->link, "sqrt") != 0)
        return wrong(r, pji_yaml_get(node, "link"), "link is log, log1p or sqrt");
    if (q->correlate.n != 0 && q->correlate.n != 2)
        return wrong(r, pji_yaml_get(node, "correlate"), "correlate takes two columns: [y, x]");
    return PJ_OK;
}

static pj_status read_lists(const struct reader *r, const struct pji_yaml *node,
                            struct pji_protocol_question *q)
{
    const struct {
        const char *key;
        struct pji_protocol_list *list;
    } lists[] = {{"within", &q->within}, {"describe", &q->describe},   {"tests", &q->tests},
                 {"pairs", &q->pairs},   {"correlate", &q->correlate}, {"remarks", &q->remarks}};
    pj_status rc = PJ_OK;
    for (size_t i = 0; !rc && i < sizeof lists / sizeof *lists; i++)
        rc = list_of(r, node, lists[i].key, lists[i].list);
    if (q->within.n == 0)
        q->within = (struct pji_protocol_list){{q->by}, 1};
    if (q->describe.n == 0)
        q->describe = (struct pji_protocol_list){{q->response}, 1};
    return rc;
}

static pj_status read_question(const struct reader *r, const struct pji_yaml *node,
                               struct pji_protocol_question *q)
{
    static const char *const known[] = {
        "id",     "title",        "rows",       "response",  "unit",    "by",
        "within", "describe",     "tests",      "factorial", "pairs",   "mixed",
        "link",   "means_within", "rank_cells", "correlate", "remarks", NULL};
    const char *rows = "rows";
    const struct {
        const char *key;
        bool needed;
        const char **out;
    } texts[] = {{"id", true, &q->id},
                 {"title", true, &q->title},
                 {"rows", false, &rows},
                 {"response", true, &q->response},
                 {"unit", true, &q->unit},
                 {"by", true, &q->by},
                 {"factorial", false, &q->factorial},
                 {"mixed", false, &q->mixed},
                 {"link", false, &q->link},
                 {"means_within", false, &q->means_within},
                 {"rank_cells", false, &q->rank_cells}};
    pj_status rc = check_keys(r, node, "a question", known);
    for (size_t i = 0; !rc && i < sizeof texts / sizeof *texts; i++)
        rc = text_of(r, node, texts[i].key, texts[i].needed, texts[i].out);
    if (!rc && strcmp(rows, "runs") != 0 && strcmp(rows, "rows") != 0)
        rc = wrong(r, pji_yaml_get(node, "rows"), "rows is rows or runs");
    if (!rc && (q->id[0] == '\0' || strpbrk(q->id, "/\\") || q->id[0] == '.'))
        rc = wrong(r, pji_yaml_get(node, "id"), "the id of a question names files: no '/'");
    q->on_runs = strcmp(rows, "runs") == 0;
    if (!rc)
        rc = read_lists(r, node, q);
    return rc ? rc : check_tests(r, node, q);
}

static pj_status read_questions(const struct reader *r, struct pji_protocol *p,
                                const struct pji_yaml *node)
{
    pj_status rc = PJ_OK;
    if (!node || node->kind != PJI_YAML_SEQUENCE || node->n == 0)
        return wrong(r, node ? node : &p->doc.root, "questions is a list with at least one entry");
    for (size_t i = 0; !rc && i < node->n; i++) {
        if (p->questions == PJI_PROTOCOL_QUESTIONS)
            return wrong(r, &node->items[i], "too many questions");
        rc = read_question(r, &node->items[i], &p->question[p->questions++]);
    }
    return rc;
}

static pj_status read_alpha(const struct reader *r, struct pji_protocol *p)
{
    const char *alpha = "0.05";
    const char *adjust = "BH";
    pj_status rc = text_of(r, &p->doc.root, "alpha", false, &alpha);
    if (!rc)
        rc = text_of(r, &p->doc.root, "adjust", false, &adjust);
    if (!rc && (pji_num_parse(alpha, strlen(alpha), &p->alpha, NULL) || !(p->alpha > 0) ||
                !(p->alpha < 1)))
        rc = wrong(r, pji_yaml_get(&p->doc.root, "alpha"), "alpha is a number between 0 and 1");
    if (!rc && strcmp(adjust, "BH") != 0)
        rc = wrong(r, pji_yaml_get(&p->doc.root, "adjust"),
                   "adjust is BH: what the tables of a protocol hold");
    return rc;
}

static pj_status read_runs(const struct reader *r, struct pji_protocol *p)
{
    static const char *const known[] = {"by", "derive", NULL};
    const struct pji_yaml *node = pji_yaml_get(&p->doc.root, "runs");
    if (!node)
        return wrong(r, &p->doc.root, "'runs' is missing: runs: {by: run}");
    pj_status rc = check_keys(r, node, "runs", known);
    if (!rc)
        rc = text_of(r, node, "by", true, &p->run);
    if (!rc)
        rc = read_derived(r, pji_yaml_get(node, "derive"), p->run_derived, &p->n_run_derived);
    return rc;
}

static pj_status read_root(struct pji_protocol *p, struct pj_error *err)
{
    static const char *const known[] = {"protocol", "title",     "columns", "keep",
                                        "derive",   "runs",      "levels",  "alpha",
                                        "adjust",   "questions", "units",   NULL};
    struct reader r = {p, err};
    const struct pji_yaml *root = &p->doc.root;
    pj_status rc = check_keys(&r, root, "a protocol", known);
    if (!rc)
        rc = text_of(&r, root, "protocol", true, &p->name);
    p->title = p->name;
    if (!rc)
        rc = text_of(&r, root, "title", false, &p->title);
    if (!rc)
        rc = text_of(&r, root, "keep", false, &p->keep);
    const struct pji_yaml *columns = pji_yaml_get(root, "columns");
    if (!rc)
        rc = columns ? read_columns(&r, p, columns) : wrong(&r, root, "'columns' is missing");
    if (!rc)
        rc = read_derived(&r, pji_yaml_get(root, "derive"), p->derived, &p->n_derived);
    if (!rc)
        rc = read_runs(&r, p);
    if (!rc)
        rc = read_levels(&r, p, pji_yaml_get(root, "levels"));
    if (!rc)
        rc = read_alpha(&r, p);
    p->units = pji_yaml_get(root, "units");
    if (!rc && p->units && p->units->kind != PJI_YAML_MAPPING)
        rc = wrong(&r, p->units, "units is a mapping: column: unit");
    return rc ? rc : read_questions(&r, p, pji_yaml_get(root, "questions"));
}

const char *pji_protocol_unit(const struct pji_protocol *protocol, const char *column)
{
    const struct pji_yaml *node = protocol->units ? pji_yaml_get(protocol->units, column) : NULL;
    return node && node->kind == PJI_YAML_SCALAR ? node->text : NULL;
}

pj_status pji_protocol_parse(struct pji_protocol *protocol, const char *text, size_t len,
                             const char *name, struct pj_error *err)
{
    memset(protocol, 0, sizeof *protocol);
    pj_status rc = pji_yaml_parse(&protocol->doc, text, len, name, err);
    if (rc)
        return rc;
    rc = read_root(protocol, err);
    if (rc)
        pji_protocol_fini(protocol);
    return rc;
}

void pji_protocol_fini(struct pji_protocol *protocol)
{
    for (size_t i = 0; i < protocol->n_levels; i++)
        free(protocol->levels[i]);
    pji_yaml_fini(&protocol->doc);
    memset(protocol, 0, sizeof *protocol);
}
