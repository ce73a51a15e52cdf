#include "analysis/stored.h"

#include "core/str.h"

#include <string.h>

static pj_status take(void *context, const struct pji_finding_row *row, struct pj_error *err)
{
    (void)err;
    const char *how = strcmp(row->consequence, "forbids") == 0 ? "forbid"
                      : strcmp(row->consequence, "flag") == 0  ? "warn"
                                                               : "note";
    json_t *o = json_object();
    json_object_set_new(o, "code", json_string(row->code));
    json_object_set_new(o, "subject", json_string(row->subject));
    json_object_set_new(o, "consequence", json_string(how));
    json_object_set_new(o, "finding", json_string(row->detail));
    json_object_set_new(o, "forbids_conclusion", json_boolean(strcmp(how, "forbid") == 0));
    json_array_append_new(context, o);
    return PJ_OK;
}

pj_status pji_stored_findings(struct pji_store *store, json_t **out, struct pj_error *err)
{
    *out = json_array();
    return pji_store_each_finding(store, take, *out, err);
}

static const char *text_of(const json_t *o, const char *key)
{
    const char *text = json_string_value(json_object_get(o, key));
    return text ? text : "";
}

/* is the subject among the words of a formula or a list, or the word itself? */
static bool names(const char *text, const char *subject)
{
    size_t len = strlen(subject);
    for (const char *p = text ? strstr(text, subject) : NULL; p; p = strstr(p + 1, subject)) {
        static const char *const inside =
            "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.";
        bool starts = p == text || !strchr(inside, p[-1]);
        bool ends = p[len] == '\0' || !strchr(inside, p[len]);
        if (len > 0 && starts && ends)
            return true;
    }
    return false;
}

/* what is not about the question: counted by code */
static void add_rest(json_t *findings, const json_t *counts)
{
    struct pji_str text = {0};
    const char *code;
    json_t *n;
    size_t i = 0;
    if (json_object_size(counts) == 0)
        return;
    pji_str_add(&text, "recorded with the study about single runs or other columns:");
    json_object_foreach((json_t *)(uintptr_t)counts, code, n)
        pji_str_addf(&text, "%s %lld %s", i++ ? "," : "", (long long)json_integer_value(n), code);
    json_t *o = json_object();
    json_object_set_new(o, "code", json_string("recorded"));
    json_object_set_new(o, "consequence", json_string("note"));
    json_object_set_new(o, "finding", json_string(pji_str_text(&text)));
    json_object_set_new(o, "forbids_conclusion", json_false());
    json_object_set(o, "figures", (json_t *)(uintptr_t)counts);
    json_array_append_new(findings, o);
    pji_str_fini(&text);
}

/* adds those that `ours` says are about the question; codes gets those that forbid */
static void add(json_t *findings, const json_t *stored, const char *const *ours, size_t n,
                struct pji_str *codes)
{
    json_t *counts = json_object();
    size_t i;
    json_t *f;
    json_array_foreach(stored, i, f)
    {
        const char *subject = text_of(f, "subject");
        const char *code = text_of(f, "code");
        bool about = strcmp(subject, "study") == 0;
        for (size_t k = 0; k < n; k++)
            about = about || names(ours[k], subject);
        if (!about) {
            json_int_t before = json_integer_value(json_object_get(counts, code));
            json_object_set_new(counts, code, json_integer(before + 1));
            continue;
        }
        json_array_append(findings, f);
        if (json_is_true(json_object_get(f, "forbids_conclusion")) && !names(codes->text, code))
            pji_str_addf(codes, "%s%s", codes->len > 0 ? "," : "", code);
    }
    add_rest(findings, counts);
    json_decref(counts);
}

void pji_stored_add(json_t *analysis, const json_t *stored, const struct pji_analysis *request,
                    bool *conclusive)
{
    const char *ours[] = {request->response, request->by, request->model, request->correlate};
    struct pji_str codes = {0};
    if (json_array_size(stored) == 0)
        return;
    json_t *findings = json_object_get(analysis, "findings");
    if (!findings) {
        findings = json_array();
        json_object_set_new(analysis, "findings", findings);
    }
    add(findings, stored, ours, 4, &codes);
    *conclusive = *conclusive && codes.len == 0;
    pji_str_fini(&codes);
}

static void forbid_rows(json_t *tables, const char *codes)
{
    const char *kind;
    json_t *rows;
    json_object_foreach(tables, kind, rows)
    {
        size_t i;
        json_t *row;
        json_array_foreach(rows, i, row)
        {
            const json_t *before = json_object_get(row, "forbidden_by");
            struct pji_str text = {0};
            if (!before)
                continue;
            pji_str_addf(&text, "%s%s%s", json_string_value(before),
                         *json_string_value(before) ? "," : "", codes);
            json_object_set_new(row, "forbidden_by", json_string(pji_str_text(&text)));
            pji_str_fini(&text);
        }
    }
}

void pji_stored_add_answers(json_t *answers, const json_t *stored, bool *conclusive)
{
    size_t i;
    json_t *q;
    if (json_array_size(stored) == 0)
        return;
    json_array_foreach(answers, i, q)
    {
        const char *ours[] = {text_of(q, "response"), text_of(q, "by")};
        struct pji_str codes = {0};
        add(json_object_get(q, "findings"), stored, ours, 2, &codes);
        if (codes.len > 0)
            forbid_rows(json_object_get(q, "tables"), pji_str_text(&codes));
        *conclusive = *conclusive && codes.len == 0;
        pji_str_fini(&codes);
    }
}
