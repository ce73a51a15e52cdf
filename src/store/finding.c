/* Findings of a whole study. The table joined schema version 1 later: a study without it has none.
 */
#include "store/internal.h"

#include <jansson.h>

/* SQLite would not let a CHECK call its JSON functions: trusted_schema is off. */
static pj_status check_figures(const struct pji_finding_row *row, struct pj_error *err)
{
    json_t *figures = json_loads(row->figures, JSON_REJECT_DUPLICATES, NULL);
    bool good = json_is_object(figures);
    json_decref(figures);
    if (good)
        return PJ_OK;
    return pji_fail(err, PJ_EINVAL, "finding %s: its figures are not a JSON object", row->code);
}

pj_status pji_store_add_finding(struct pji_store *store, const struct pji_finding_row *row,
                                struct pj_error *err)
{
    struct pji_query q;
    pj_status st = check_figures(row, err);
    if (st)
        return st;
    st = pji_store_insert(
        store, &q,
        "INSERT INTO finding (code, subject, consequence, detail, figures) VALUES (?, ?, ?, ?, ?)",
        err);
    if (st)
        return st;
    pji_query_text(&q, row->code);
    pji_query_text(&q, row->subject);
    pji_query_text(&q, row->consequence);
    pji_query_text(&q, row->detail);
    pji_query_text(&q, row->figures);
    return pji_query_run(&q, err);
}

struct visit {
    pji_store_finding_fn *fn;
    void *context;
};

static pj_status finding_row(void *context, struct pji_query *q, struct pj_error *err)
{
    struct visit *v = context;
    struct pji_finding_row row = {
        .code = pji_query_col_text(q, 0),
        .subject = pji_query_col_text(q, 1),
        .consequence = pji_query_col_text(q, 2),
        .detail = pji_query_col_text(q, 3),
        .figures = pji_query_col_text(q, 4),
    };
    return v->fn(v->context, &row, err);
}

pj_status pji_store_each_finding(struct pji_store *store, pji_store_finding_fn *fn, void *context,
                                 struct pj_error *err)
{
    struct visit v = {fn, context};
    struct pji_query q;
    bool has = false;
    pj_status st = pji_schema_has(&store->db, "finding", &has, err);
    if (st || !has)
        return st;
    st = pji_query_open(&q, &store->db,
                        "SELECT code, subject, consequence, detail, figures FROM finding"
                        " ORDER BY id",
                        err);
    return st ? st : pji_query_each(&q, finding_row, &v, err);
}
