/* The answers of a protocol for people: see analysis/protocol.h. */
#include "analysis/protocol.h"

#include "core/num.h"
#include "core/str.h"

#include <string.h>

static const char *text_of(const json_t *o, const char *key)
{
    const char *text = json_string_value(json_object_get(o, key));
    return text ? text : "";
}

static void put_number(struct pji_str *out, const char *before, const json_t *v, int digits)
{
    char number[PJI_NUM_TEXT];
    if (!json_is_number(v))
        return;
    if (json_is_integer(v))
        pji_str_addf(out, "%s%lld", before, (long long)json_integer_value(v));
    else {
        pji_num_format_digits(json_real_value(v), digits, number);
        pji_str_addf(out, "%s%s", before, number);
    }
}

/* the p-value, or what withholds it */
static void put_p(struct pji_str *out, const json_t *row, const char *key, bool force)
{
    const char *forbidden = text_of(row, "forbidden_by");
    if (!json_object_get(row, key))
        return;
    pji_str_addf(out, ", %s ", key);
    if (!*forbidden || force)
        put_number(out, "", json_object_get(row, key), 3);
    if (*forbidden)
        pji_str_addf(out, "%s[%s]", force ? " " : "", forbidden);
}

static void put_effects(struct pji_str *out, const json_t *row)
{
    static const struct {
        const char *key, *name;
    } effects[] = {{"eta2", "eta2"},
                   {"omega2", "omega2"},
                   {"omega2_partial", "omega2_p"},
                   {"epsilon2_rank", "epsilon2"},
                   {"hedges_g", "g"},
                   {"cliffs_delta", "delta"}};
    for (size_t i = 0; i < sizeof effects / sizeof *effects; i++) {
        const json_t *v = json_object_get(row, effects[i].key);
        if (json_is_number(v)) {
            pji_str_addf(out, ", %s ", effects[i].name);
            put_number(out, "", v, 3);
        }
    }
}

static bool chosen(const json_t *row)
{
    return strcmp(text_of(row, "chosen"), "yes") == 0;
}

static void put_omnibus(struct pji_str *out, const json_t *rows, bool force)
{
    size_t i;
    json_t *row;
    json_array_foreach(rows, i, row)
    {
        if (!chosen(row))
            continue;
        pji_str_addf(out, "  %s, %s (%s): %s", text_of(row, "test"), text_of(row, "term"),
                     text_of(row, "scale"), text_of(row, "statistic"));
        if (!json_object_get(row, "value")) {
            pji_str_add(out, " cannot be computed from these data\n");
            continue;
        }
        put_number(out, "(", json_object_get(row, "df1"), 4);
        put_number(out, ", ", json_object_get(row, "df2"), 4);
        put_number(out, ") ", json_object_get(row, "value"), 4);
        put_p(out, row, "p", force);
        put_effects(out, row);
        pji_str_addc(out, '\n');
    }
}

/* contrasts of the question's factor, without those within levels of others */
static void put_consecutive(struct pji_str *out, const json_t *rows, bool force)
{
    size_t i;
    json_t *row;
    json_array_foreach(rows, i, row)
    {
        const char *scale = text_of(row, "scale");
        if (!chosen(row) || strchr(text_of(row, "contrast"), '|'))
            continue;
        pji_str_addf(out, "    %s, %s (%s):", text_of(row, "test"), text_of(row, "contrast"),
                     scale);
        put_number(out, " ", json_object_get(row, "estimate"), 4);
        put_number(out, " ± ", json_object_get(row, "se"), 3);
        put_number(out, " z ", json_object_get(row, "z"), 3);
        put_number(out, " W ", json_object_get(row, "W"), 4);
        put_p(out, row, "p_BH", force);
        put_effects(out, row);
        pji_str_addc(out, '\n');
    }
}

static void put_correlations(struct pji_str *out, const json_t *rows)
{
    size_t i;
    json_t *row;
    json_array_foreach(rows, i, row)
    {
        if (i == 0)
            pji_str_addf(out, "  Spearman of %s with %s:", text_of(row, "y"), text_of(row, "x"));
        if (strcmp(text_of(row, "rows"), "rows") != 0)
            continue;
        const char *key;
        json_t *v;
        const char *level = "";
        json_object_foreach(row, key, v)
        {
            if (json_is_string(v)) /* the last text is the level */
                level = json_string_value(v);
        }
        pji_str_addf(out, "%s %s", i ? "," : "", level);
        put_number(out, ": ", json_object_get(row, "spearman_rho"), 3);
    }
    if (json_array_size(rows) > 0)
        pji_str_addc(out, '\n');
}

static void put_variance(struct pji_str *out, const json_t *rows)
{
    const json_t *row = json_array_get(rows, 0);
    if (!json_object_get(row, "icc"))
        return;
    pji_str_addf(out, "  mixed model on scale %s: ICC", text_of(row, "scale"));
    put_number(out, " ", json_object_get(row, "icc"), 4);
    put_number(out, ", R2 marginal ", json_object_get(row, "r2_marginal"), 3);
    put_number(out, ", conditional ", json_object_get(row, "r2_conditional"), 4);
    pji_str_addf(out, ", %s, converged\n",
                 json_is_true(json_object_get(row, "singular")) ? "singular" : "not singular");
}

/* whether the question was declared before the study ran; nothing for a table */
static void put_label(struct pji_str *out, const json_t *plan)
{
    if (!plan)
        return;
    if (json_object_get(plan, "reason"))
        pji_str_addf(out, "  %s: %s\n", text_of(plan, "status"), text_of(plan, "reason"));
    else
        pji_str_addf(out, "  %s, as declared before the run (plan %.12s)\n",
                     text_of(plan, "status"), text_of(plan, "sha256"));
}

/* a plan that no question of the protocol is: where its answer is */
static void put_unanswered(struct pji_str *out, const json_t *answers)
{
    const json_t *plan = json_object_get(json_array_get(answers, 0), "plan");
    const json_t *declared = json_object_get(plan, "declared");
    size_t i;
    json_t *q;
    json_array_foreach(answers, i, q)
    {
        if (strcmp(text_of(json_object_get(q, "plan"), "status"), "planned") == 0)
            return;
    }
    if (!declared)
        return;
    pji_str_addf(out, "\nthe study declared another analysis before it ran: %s by",
                 text_of(declared, "response"));
    json_array_foreach(json_object_get(declared, "factors"), i, q)
        pji_str_addf(out, "%s %s", i ? "," : "", json_string_value(q));
    pji_str_addf(out, " (plan %.12s); `perjoule analyse STUDY` without a protocol follows it\n",
                 text_of(plan, "sha256"));
}

static void put_question(struct pji_str *out, const json_t *q, bool force)
{
    const json_t *tables = json_object_get(q, "tables");
    const json_t *a = json_object_get(q, "assumptions");
    pji_str_addf(out, "\n%s  %s (%s in %s; %lld %s)\n", text_of(q, "id"), text_of(q, "title"),
                 text_of(q, "response"), text_of(q, "unit"),
                 (long long)json_integer_value(json_object_get(q, "n")), text_of(q, "rows"));
    put_label(out, json_object_get(q, "plan"));
    pji_str_addf(out, "  route: %s, scale %s: %s\n", text_of(a, "route"),
                 text_of(a, "recommended_scale"), text_of(a, "reason"));
    put_omnibus(out, json_object_get(tables, "omnibus"), force);
    put_consecutive(out, json_object_get(tables, "consec"), force);
    put_variance(out, json_object_get(tables, "variance"));
    put_correlations(out, json_object_get(tables, "correlation"));
}

/* text broken at blanks behind a first line that is already there */
static void put_wrapped(const char *text, int column, int indent, int width, struct pji_str *out)
{
    bool first = true;
    while (*text) {
        size_t len = strcspn(text, " ");
        if (!first && column + 1 + (int)len > width) {
            pji_str_addf(out, "\n%*s", indent, "");
            column = indent;
        } else if (!first) {
            pji_str_addc(out, ' ');
            column++;
        }
        pji_str_addn(out, text, len);
        column += (int)len;
        first = false;
        text += len + strspn(text + len, " ");
    }
    pji_str_addc(out, '\n');
}

/* each finding once, with the questions that it concerns */
static void put_findings(struct pji_str *out, const json_t *answers, int width)
{
    json_t *seen = json_object(); /* sentence → ids */
    json_t *heads = json_object();
    size_t i, j;
    json_t *q, *f;
    json_array_foreach(answers, i, q)
    {
        json_array_foreach(json_object_get(q, "findings"), j, f)
        {
            const char *sentence = text_of(f, "finding");
            struct pji_str ids = {0};
            struct pji_str head = {0};
            const char *before = json_string_value(json_object_get(seen, sentence));
            pji_str_addf(&ids, "%s%s%s", before ? before : "", before ? ", " : "",
                         text_of(q, "id"));
            pji_str_addf(&head, "  %-6s  %s", text_of(f, "consequence"), text_of(f, "code"));
            json_object_set_new(seen, sentence, json_string(pji_str_text(&ids)));
            json_object_set_new(heads, sentence, json_string(pji_str_text(&head)));
            pji_str_fini(&ids);
            pji_str_fini(&head);
        }
    }
    const char *sentence;
    json_t *ids;
    if (json_object_size(seen) > 0)
        pji_str_add(out, "\nfindings\n");
    json_object_foreach(seen, sentence, ids)
    {
        const char *head = json_string_value(json_object_get(heads, sentence));
        struct pji_str line = {0};
        pji_str_addf(&line, "%s (%s): ", head, json_string_value(ids));
        pji_str_add(out, pji_str_text(&line));
        put_wrapped(sentence, (int)line.len, 10, width, out);
        pji_str_fini(&line);
    }
    json_decref(seen);
    json_decref(heads);
}

static void put_remarks(struct pji_str *out, const json_t *answers, int width)
{
    size_t i, j;
    json_t *q, *r;
    bool any = false;
    json_array_foreach(answers, i, q)
    {
        json_array_foreach(json_object_get(q, "remarks"), j, r)
        {
            if (!any)
                pji_str_add(out, "\nremarks of the protocol\n");
            any = true;
            pji_str_addf(out, "  %s: ", text_of(q, "id"));
            put_wrapped(json_string_value(r), (int)strlen(text_of(q, "id")) + 4, 10, width, out);
        }
    }
}

void pji_protocol_text(const struct pji_protocol *protocol, const json_t *answers, int width,
                       bool force, struct pji_str *out)
{
    size_t i;
    json_t *q;
    bool withheld = false;
    pji_str_addf(out, "%s (protocol %s)\n", protocol->title, protocol->name);
    json_array_foreach(answers, i, q)
    {
        size_t j;
        json_t *f;
        put_question(out, q, force);
        json_array_foreach(json_object_get(q, "findings"), j, f) withheld =
            withheld || json_is_true(json_object_get(f, "forbids_conclusion"));
    }
    put_findings(out, answers, width);
    if (withheld && !force)
        pji_str_add(out, "  p-values are withheld where a finding forbids a conclusion; --force "
                         "prints them beside it\n");
    put_unanswered(out, answers);
    put_remarks(out, answers, width);
}
