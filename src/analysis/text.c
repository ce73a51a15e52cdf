/* An analysis as text: see analysis/analyse.h. Objects whose values are objects of numbers become
 * tables, the names of the rows first; objects of numbers become lines; the rest are headings. */
#include "analysis/analyse.h"

#include "analysis/conclusion.h"
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

/* Which p-values are printed: the finding that forbids a conclusion and how many others do ("" for
 * none), whether the number is printed beside it, and factors of which the findings say nothing. */
struct gate {
    char code[64];
    size_t others;
    bool force;
    const json_t *spares;
    const char *adjust; /* suffix of the adjusted p-values that are concluded from; NULL: all */
};

static bool spared(const struct gate *gate, const char *name)
{
    size_t i;
    json_t *v;
    json_array_foreach(gate->spares, i, v)
    {
        if (strcmp(json_string_value(v), name) == 0)
            return true;
    }
    return false;
}

/* groups that describe or check assumptions: nothing is concluded from their p */
static bool gated_group(const char *group)
{
    static const char *const open[] = {"assumptions", "descriptive", "shapiro", "shapiro_residuals",
                                       "levene",      "rows",        "checks"};
    for (size_t i = 0; i < sizeof open / sizeof *open; i++) {
        if (strcmp(group, open[i]) == 0)
            return false;
    }
    return true;
}

/* "p", "p_bh", "welch_p", "spearman_p_t"; what is concluded from one likewise */
static bool is_p(const char *key)
{
    size_t n = strlen(key);
    return strcmp(key, "p") == 0 || strcmp(key, "equivalent") == 0 ||
           strcmp(key, "below_alpha") == 0 ||
           (strncmp(key, "p_", 2) == 0 && strcmp(key, "p_fixed") != 0) ||
           (n > 2 && strcmp(key + n - 2, "_p") == 0) || strstr(key, "_p_");
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

/* the value, or where it is withheld the code of what withholds it; row: name of its row or "" */
static void put_value(const char *row, const char *key, const json_t *v, const struct gate *gate,
                      char *out, size_t size)
{
    char text[PJI_NUM_TEXT + 24];
    char more[24] = "";
    format(v, text, sizeof text);
    if (!v || !gate || !gate->code[0] || !is_p(key) || spared(gate, row)) {
        snprintf(out, size, "%s", text);
        return;
    }
    if (gate->others > 0)
        snprintf(more, sizeof more, "+%zu", gate->others);
    snprintf(out, size, "%s%s[%s%s]", gate->force ? text : "", gate->force ? " " : "", gate->code,
             more);
}

enum { MAX_COLUMNS = 40, CELL = 160 };

struct columns {
    const char *key[MAX_COLUMNS];
    int width[MAX_COLUMNS];
    size_t n;
    int first; /* width of the names of rows */
};

/* an adjusted p other than the one that is concluded from */
static bool other_adjustment(const char *key, const struct gate *gate)
{
    static const char *const suffixes[] = {"_bh", "_holm", "_bonferroni", "_bh_no_running_min"};
    size_t n = strlen(key);
    for (size_t i = 0; gate && gate->adjust && i < sizeof suffixes / sizeof *suffixes; i++) {
        size_t len = strlen(suffixes[i]);
        if (is_p(key) && n > len && strcmp(key + n - len, suffixes[i]) == 0)
            return strcmp(suffixes[i], gate->adjust) != 0;
    }
    return false;
}

/* display width of UTF-8 text */
static int width_of(const char *text)
{
    int width = 0;
    for (const char *p = text; *p; p++)
        width += ((unsigned char)*p & 0xC0) != 0x80;
    return width;
}

static void find_columns(const json_t *o, const struct gate *gate, struct columns *c)
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
            if (other_adjustment(key, gate))
                continue;
            while (i < c->n && strcmp(c->key[i], key) != 0)
                i++;
            if (i == c->n && c->n < MAX_COLUMNS) {
                c->key[c->n] = key;
                c->width[c->n++] = width_of(key);
            }
            put_value(name, key, v, gate, text, sizeof text);
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
static void put_part(const json_t *o, const struct gate *gate, const struct columns *c, size_t from,
                     size_t to, struct pji_str *out)
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
            put_value(name, c->key[i], json_object_get(row, c->key[i]), gate, text, sizeof text);
            pji_str_add(out, "  ");
            pad(out, text, c->width[i], true);
        }
        pji_str_addc(out, '\n');
    }
}

static void put_table(const json_t *o, const struct gate *gate, int width, struct pji_str *out)
{
    struct columns c;
    find_columns(o, gate, &c);
    for (size_t from = 0; from < c.n;) {
        int used = c.first + 2;
        size_t to = from;
        while (to < c.n && (to == from || used + c.width[to] + 2 <= width)) {
            used += c.width[to] + 2;
            to++;
        }
        put_part(o, gate, &c, from, to, out);
        from = to;
        if (from < c.n)
            pji_str_addc(out, '\n');
    }
}

static void put_line(const char *key, const json_t *v, const struct gate *gate, int width,
                     struct pji_str *out)
{
    char text[CELL];
    put_value("", key, v, gate, text, sizeof text);
    pji_str_add(out, "  ");
    pad(out, key, width, false);
    pji_str_addf(out, "  %s\n", text);
}

static void put(const char *heading, const json_t *o, const struct gate *gate, int width,
                struct pji_str *out)
{
    const char *key;
    json_t *v;
    int names = 0;
    pji_str_addf(out, "\n%s\n", heading);
    if (table(o)) {
        put_table(o, gate, width, out);
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
            put_line(key, v, gate, names, out);
    }
    json_object_foreach((json_t *)(uintptr_t)o, key, v)
    {
        struct pji_str below = {0};
        if (!json_is_object(v))
            continue;
        pji_str_addf(&below, "%s: %s", heading, key);
        struct gate inside = gate ? *gate : (struct gate){.code = ""};
        if (gate && spared(gate, key))
            inside.code[0] = '\0';
        put(pji_str_text(&below), v, &inside, width, out);
        pji_str_fini(&below);
    }
}

/* the families of comparisons with the p-values that are concluded from */
static void put_conclusion(const json_t *conclusion, const struct gate *gate, int width,
                           struct pji_str *out)
{
    const char *name;
    json_t *pairs;
    double alpha = json_number_value(json_object_get(conclusion, "alpha"));
    json_object_foreach(json_object_get(conclusion, "families"), name, pairs)
    {
        struct pji_str heading = {0};
        struct gate inside = *gate;
        char words[160];
        snprintf(words, sizeof words, "%s", name);
        char *rest = NULL;
        for (char *word = strtok_r(words, " :", &rest); word; word = strtok_r(NULL, " :", &rest)) {
            if (spared(gate, word))
                inside.code[0] = '\0';
        }
        pji_str_addf(&heading,
                     "conclusion from %s: p adjusted after %s over %zu comparison%s%s, alpha %g",
                     name, json_string_value(json_object_get(conclusion, "adjust")),
                     json_object_size(pairs), json_object_size(pairs) == 1 ? "" : "s",
                     strchr(name, '|') ? " (within each | apart)" : "", alpha);
        put(pji_str_text(&heading), pairs, &inside, width, out);
        pji_str_fini(&heading);
    }
}

/* suffix of the columns that hold the adjustment; NULL: none was asked for */
static const char *suffix_of(const json_t *conclusion)
{
    const char *name = json_string_value(json_object_get(conclusion, "adjust"));
    const struct pji_adjustment *adjustment;
    return name && !pji_adjustment_find(name, &adjustment, NULL) ? adjustment->suffix : NULL;
}

/* the first finding that forbids, the number of others, and what all of them spare */
static void read_gate(const json_t *findings, struct gate *gate)
{
    size_t i;
    json_t *f;
    json_array_foreach(findings, i, f)
    {
        const char *code = json_string_value(json_object_get(f, "code"));
        const json_t *spares = json_object_get(f, "spares");
        if (!json_is_true(json_object_get(f, "forbids_conclusion")) || !code)
            continue;
        if (gate->code[0])
            gate->others++;
        else
            snprintf(gate->code, sizeof gate->code, "%s", code);
        gate->spares = gate->others == 0 ? spares : NULL;
    }
}

/* text broken at blanks, behind a first line that is already indented */
static void put_wrapped(const char *text, int indent, int width, struct pji_str *out)
{
    int column = indent;
    while (*text) {
        size_t len = strcspn(text, " ");
        if (column > indent && column + 1 + (int)len > width) {
            pji_str_addf(out, "\n%*s", indent, "");
            column = indent;
        } else if (column > indent) {
            pji_str_addc(out, ' ');
            column++;
        }
        pji_str_addn(out, text, len);
        column += (int)len;
        text += len + strspn(text + len, " ");
    }
    pji_str_addc(out, '\n');
}

static void put_findings(const json_t *findings, const struct gate *gate, int width,
                         struct pji_str *out)
{
    size_t i;
    json_t *f;
    if (json_array_size(findings) > 0)
        pji_str_add(out, "\nfindings\n");
    json_array_foreach(findings, i, f)
    {
        struct pji_str head = {0};
        pji_str_addf(&head, "  %-6s  %s: ", json_string_value(json_object_get(f, "consequence")),
                     json_string_value(json_object_get(f, "code")));
        pji_str_add(out, pji_str_text(&head));
        put_wrapped(json_string_value(json_object_get(f, "finding")), 10,
                    width - (int)head.len + 10, out);
        pji_str_fini(&head);
    }
    if (gate->code[0] && !gate->force)
        pji_str_add(out, "  p-values are withheld where a finding forbids a conclusion; --force "
                         "prints them beside it\n");
}

static void put_checks(const json_t *checks, int width, struct pji_str *out)
{
    const char *code;
    json_t *check;
    bool any = false;
    json_object_foreach((json_t *)(uintptr_t)checks, code, check)
    {
        const char *reason = json_string_value(json_object_get(check, "reason"));
        if (strcmp(json_string_value(json_object_get(check, "state")), "not checkable") != 0)
            continue;
        if (!any)
            pji_str_add(out, "\nnot checkable\n");
        any = true;
        pji_str_addf(out, "  %s: ", code);
        put_wrapped(reason ? reason : "", (int)strlen(code) + 4, width, out);
    }
}

/* what a study declared before it ran, or that this look is another one */
static void put_plan(const json_t *plan, struct pji_str *out)
{
    const char *reason = json_string_value(json_object_get(plan, "reason"));
    const char *sha256 = json_string_value(json_object_get(plan, "sha256"));
    if (!plan)
        return;
    pji_str_addf(out, "%s analysis", json_string_value(json_object_get(plan, "status")));
    if (reason)
        pji_str_addf(out, ": %s", reason);
    else
        pji_str_addf(out, ", as declared before the run (plan %.12s)", sha256 ? sha256 : "");
    pji_str_addc(out, '\n');
}

void pji_analysis_text(const json_t *analysis, int width, bool force, struct pji_str *out)
{
    const char *key;
    json_t *v;
    struct gate gate = {.force = force};
    const json_t *findings = json_object_get(analysis, "findings");
    const json_t *conclusion = json_object_get(analysis, "conclusion");
    read_gate(findings, &gate);
    gate.adjust = suffix_of(conclusion);
    put_plan(json_object_get(analysis, "plan"), out);
    json_object_foreach((json_t *)(uintptr_t)analysis, key, v)
    {
        if (json_is_object(v) && strcmp(key, "omitted") != 0 && strcmp(key, "checks") != 0 &&
            strcmp(key, "plan") != 0 && strcmp(key, "conclusion") != 0)
            put(key, v, gated_group(key) ? &gate : NULL, width, out);
    }
    put_conclusion(conclusion, &gate, width, out);
    const json_t *omitted = json_object_get(analysis, "omitted");
    if (omitted)
        pji_str_add(out, "\nnot computed\n");
    json_object_foreach((json_t *)(uintptr_t)omitted, key, v)
        pji_str_addf(out, "  %s: %s\n", key, json_string_value(v));
    put_findings(findings, &gate, width, out);
    put_checks(json_object_get(analysis, "checks"), width, out);
}
