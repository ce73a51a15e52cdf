/* An analysis as text: see analysis/analyse.h. Objects whose values are objects of numbers become
 * tables, the names of the rows first; objects of numbers become lines; the rest are headings. */
#include "analysis/analyse.h"

#include "core/num.h"

#include <stdlib.h>
#include <string.h>

static bool scalar(const json_t *v)
{
    return json_is_number(v) || json_is_boolean(v) || json_is_string(v);
}

/* every member is a scalar */
static bool flat(const json_t *o)
{
    const char *key;
    json_t *v;
    if (!json_is_object(o))
        return false;
    json_object_foreach((json_t *)(uintptr_t)o, key, v)
    {
        if (!scalar(v))
            return false;
    }
    return true;
}

static bool table(const json_t *o)
{
    const char *key;
    json_t *v;
    json_object_foreach((json_t *)(uintptr_t)o, key, v)
    {
        if (!flat(v))
            return false;
    }
    return json_object_size(o) > 0;
}

static void format(const json_t *v, char *out, size_t size)
{
    char text[PJI_NUM_TEXT];
    if (json_is_boolean(v)) {
        snprintf(out, size, "%s", json_is_true(v) ? "yes" : "no");
    } else if (json_is_integer(v)) {
        snprintf(out, size, "%lld", (long long)json_integer_value(v));
    } else if (json_is_real(v)) {
        pji_num_format_digits(json_real_value(v), 5, text);
        snprintf(out, size, "%s", text);
    } else {
        snprintf(out, size, "%s", v ? json_string_value(v) : "");
    }
}

enum { MAX_COLUMNS = 40, CELL = 64 };

struct columns {
    const char *key[MAX_COLUMNS];
    int width[MAX_COLUMNS];
    size_t n;
    int first; /* width of the names of rows */
};

/* display width of UTF-8 text */
static int width_of(const char *text)
{
    int width = 0;
    for (const char *p = text; *p; p++)
        width += ((unsigned char)*p & 0xC0) != 0x80;
    return width;
}

static void find_columns(const json_t *o, struct columns *c)
{
    const char *name;
    json_t *row;
    memset(c, 0, sizeof *c);
    json_object_foreach((json_t *)(uintptr_t)o, name, row)
    {
        const char *key;
        json_t *v;
        if (width_of(name) > c->first)
            c->first = width_of(name);
        json_object_foreach(row, key, v)
        {
            char text[CELL];
            size_t i = 0;
            while (i < c->n && strcmp(c->key[i], key) != 0)
                i++;
            if (i == c->n && c->n < MAX_COLUMNS) {
                c->key[c->n] = key;
                c->width[c->n++] = width_of(key);
            }
            format(v, text, sizeof text);
            if (i < c->n && width_of(text) > c->width[i])
                c->width[i] = width_of(text);
        }
    }
}

static void pad(struct pji_str *out, const char *text, int width, bool right)
{
    int gap = width - width_of(text);
    for (int i = 0; right && i < gap; i++)
        pji_str_addc(out, ' ');
    pji_str_add(out, text);
    for (int i = 0; !right && i < gap; i++)
        pji_str_addc(out, ' ');
}

/* columns from … to of the table */
static void put_part(const json_t *o, const struct columns *c, size_t from, size_t to,
                     struct pji_str *out)
{
    const char *name;
    json_t *row;
    pad(out, "", c->first + 2, false);
    for (size_t i = from; i < to; i++) {
        pji_str_add(out, "  ");
        pad(out, c->key[i], c->width[i], true);
    }
    pji_str_addc(out, '\n');
    json_object_foreach((json_t *)(uintptr_t)o, name, row)
    {
        pji_str_add(out, "  ");
        pad(out, name, c->first, false);
        for (size_t i = from; i < to; i++) {
            char text[CELL];
            format(json_object_get(row, c->key[i]), text, sizeof text);
            pji_str_add(out, "  ");
            pad(out, text, c->width[i], true);
        }
        pji_str_addc(out, '\n');
    }
}

static void put_table(const json_t *o, int width, struct pji_str *out)
{
    struct columns c;
    find_columns(o, &c);
    for (size_t from = 0; from < c.n;) {
        int used = c.first + 2;
        size_t to = from;
        while (to < c.n && (to == from || used + c.width[to] + 2 <= width)) {
            used += c.width[to] + 2;
            to++;
        }
        put_part(o, &c, from, to, out);
        from = to;
        if (from < c.n)
            pji_str_addc(out, '\n');
    }
}

static void put_line(const char *key, const json_t *v, int width, struct pji_str *out)
{
    char text[CELL];
    format(v, text, sizeof text);
    pji_str_add(out, "  ");
    pad(out, key, width, false);
    pji_str_addf(out, "  %s\n", text);
}

static void put(const char *heading, const json_t *o, int width, struct pji_str *out)
{
    const char *key;
    json_t *v;
    int names = 0;
    pji_str_addf(out, "\n%s\n", heading);
    if (table(o)) {
        put_table(o, width, out);
        return;
    }
    json_object_foreach((json_t *)(uintptr_t)o, key, v)
    {
        if (scalar(v) && width_of(key) > names)
            names = width_of(key);
    }
    json_object_foreach((json_t *)(uintptr_t)o, key, v)
    {
        if (scalar(v))
            put_line(key, v, names, out);
    }
    json_object_foreach((json_t *)(uintptr_t)o, key, v)
    {
        struct pji_str below = {0};
        if (!json_is_object(v))
            continue;
        pji_str_addf(&below, "%s: %s", heading, key);
        put(pji_str_text(&below), v, width, out);
        pji_str_fini(&below);
    }
}

void pji_analysis_text(const json_t *analysis, int width, struct pji_str *out)
{
    const char *key;
    json_t *v;
    size_t i;
    json_object_foreach((json_t *)(uintptr_t)analysis, key, v)
    {
        if (json_is_object(v) && strcmp(key, "omitted") != 0)
            put(key, v, width, out);
    }
    const json_t *omitted = json_object_get(analysis, "omitted");
    if (omitted)
        pji_str_add(out, "\nnot computed\n");
    json_object_foreach((json_t *)(uintptr_t)omitted, key, v)
        pji_str_addf(out, "  %s: %s\n", key, json_string_value(v));
    const json_t *findings = json_object_get(analysis, "findings");
    if (findings)
        pji_str_add(out, "\nfindings\n");
    json_array_foreach(findings, i, v) pji_str_addf(
        out, "  %s%s\n", json_string_value(json_object_get(v, "finding")),
        json_is_true(json_object_get(v, "forbids_conclusion")) ? " (no conclusion is possible)"
                                                               : "");
}
