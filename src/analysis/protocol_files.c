/* The answers of a protocol as CSV files: see analysis/protocol.h. */
#include "analysis/protocol.h"

#include "core/array.h"
#include "core/csv.h"
#include "core/num.h"
#include "core/str.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_KEYS = 96 };

static const char *folder_of(const char *kind)
{
    if (strcmp(kind, "desc") == 0)
        return "Descriptive_Data_Exploration";
    if (strcmp(kind, "assumption_summary") == 0)
        return "Assumptions_Verification";
    return "Statistical_Tests";
}

/* keys of all rows in the order in which they first appear; what forbids comes last */
static size_t find_keys(const json_t *rows, const char **keys)
{
    size_t n = 0;
    size_t i;
    json_t *row;
    bool forbidden = false;
    json_array_foreach(rows, i, row)
    {
        const char *key;
        json_t *v;
        json_object_foreach(row, key, v)
        {
            size_t k = 0;
            while (k < n && strcmp(keys[k], key) != 0)
                k++;
            if (strcmp(key, "forbidden_by") == 0)
                forbidden = true;
            else if (k == n && n + 1 < MAX_KEYS)
                keys[n++] = key;
        }
    }
    if (forbidden)
        keys[n++] = "forbidden_by";
    return n;
}

static void put_cell(const json_t *v, struct pji_str *out, bool first)
{
    char number[PJI_NUM_TEXT] = "";
    const char *text = number;
    if (json_is_string(v))
        text = json_string_value(v);
    else if (json_is_boolean(v))
        text = json_is_true(v) ? "yes" : "no";
    else if (json_is_number(v))
        pji_num_format(json_number_value(v), number);
    pji_csv_add(out, text, ',', first);
}

static void write_rows(const json_t *rows, struct pji_str *out)
{
    const char *keys[MAX_KEYS];
    size_t n = find_keys(rows, keys);
    size_t i;
    json_t *row;
    for (size_t k = 0; k < n; k++)
        pji_csv_add(out, keys[k], ',', k == 0);
    pji_str_addc(out, '\n');
    json_array_foreach(rows, i, row)
    {
        for (size_t k = 0; k < n; k++)
            put_cell(json_object_get(row, keys[k]), out, k == 0);
        pji_str_addc(out, '\n');
    }
}

static pj_status write_file(const char *id, const char *kind, const json_t *rows,
                            pji_protocol_sink *sink, void *context, struct pj_error *err)
{
    struct pji_str path = {0};
    struct pji_str text = {0};
    pji_str_addf(&path, "tables/%s/%s/%s_%s.csv", folder_of(kind), id, id, kind);
    write_rows(rows, &text);
    pj_status rc = pji_str_ok(&path, err);
    if (!rc)
        rc = pji_str_ok(&text, err);
    if (!rc)
        rc = sink(context, path.text, text.text, text.len, err);
    pji_str_fini(&path);
    pji_str_fini(&text);
    return rc;
}

static json_t *finding_rows(const json_t *question)
{
    json_t *rows = json_array();
    size_t i;
    json_t *f;
    json_array_foreach(json_object_get(question, "findings"), i, f)
    {
        json_t *row = json_object();
        json_object_set(row, "code", json_object_get(f, "code"));
        json_object_set(row, "consequence", json_object_get(f, "consequence"));
        json_object_set(row, "finding", json_object_get(f, "finding"));
        json_array_append_new(rows, row);
    }
    json_array_foreach(json_object_get(question, "remarks"), i, f)
    {
        json_t *row = json_object();
        json_object_set_new(row, "code", json_string("remark"));
        json_object_set_new(row, "consequence", json_string("note"));
        json_object_set(row, "finding", f);
        json_array_append_new(rows, row);
    }
    return rows;
}

pj_status pji_protocol_files(const json_t *answers, pji_protocol_sink *sink, void *context,
                             struct pj_error *err)
{
    size_t i;
    json_t *question;
    pj_status rc = PJ_OK;
    json_array_foreach(answers, i, question)
    {
        const char *id = json_string_value(json_object_get(question, "id"));
        const char *kind;
        json_t *rows;
        json_object_foreach(json_object_get(question, "tables"), kind, rows)
        {
            if (!rc)
                rc = write_file(id, kind, rows, sink, context, err);
        }
        json_t *findings = finding_rows(question);
        if (!rc && json_array_size(findings) > 0)
            rc = write_file(id, "findings", findings, sink, context, err);
        json_decref(findings);
    }
    return rc;
}
