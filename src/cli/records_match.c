#include "cli/records_match.h"

#include "core/array.h"
#include "core/hash.h"
#include "core/num.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The same code made both; only another machine's last bit may differ. Requests are copied. */
static const double computed = 1e-12;
static const double copied = 0;

enum { VALUES = 9 };

/* One row of any kind: its key and its numbers (NaN: missing). */
struct row {
    char *key;
    double value[VALUES];
    size_t n;
    bool seen;
};

struct rows {
    struct row *rows;
    size_t n, cap, at;
};

/* What a row's numbers are, by kind. */
static const char *const of_metric[VALUES] = {"", ", u_ind", ", u_com"};
static const char *const of_energy[VALUES] = {", J", ", u_ind", ", u_com", ", of it gain",
                                              ", in total"};
static const char *const of_share[VALUES] = {", J", ", u_ind", ", u_com", ", end_ns"};
static const char *const of_answer[VALUES] = {", taken or not", ", right or not"};
static const char *const of_request[VALUES] = {
    ", scheduled_ns",  ", sent_ns",       ", first_token_ns",  ", last_token_ns", ", prompt_tokens",
    ", cached_tokens", ", output_tokens", ", times of tokens", ", text"};

static pj_status add(struct rows *rows, const char *key, const double *values, size_t n,
                     struct pj_error *err)
{
    if (pji_array_reserve(&rows->rows, &rows->cap, rows->n + 1, sizeof *rows->rows, err) != PJ_OK)
        return PJ_ENOMEM;
    struct row *row = &rows->rows[rows->n];
    *row = (struct row){.key = pji_dup(key, err), .n = n};
    if (row->key == NULL)
        return PJ_ENOMEM;
    memcpy(row->value, values, n * sizeof *values);
    rows->n++;
    return PJ_OK;
}

static void rows_fini(struct rows *rows)
{
    for (size_t i = 0; i < rows->n; i++)
        free(rows->rows[i].key);
    free(rows->rows);
    *rows = (struct rows){0};
}

/* Both were written in the same order, so that the next one is nearly always the right one. */
static struct row *find(struct rows *rows, const char *key)
{
    for (size_t k = 0; k < rows->n; k++) {
        size_t i = (rows->at + k) % rows->n;
        if (!rows->rows[i].seen && strcmp(rows->rows[i].key, key) == 0) {
            rows->at = i + 1;
            return &rows->rows[i];
        }
    }
    return NULL;
}

/* ---- rows of each kind ---- */

static pj_status on_metric(void *context, const struct pji_metric_row *m, struct pj_error *err)
{
    char key[256];
    double values[] = {m->value, m->u_ind, m->u_com};
    if (isnan(m->value))
        values[1] = values[2] = (double)NAN;
    snprintf(key, sizeof key, "%s%s%s", m->task, m->task[0] != '\0' ? "." : "", m->name);
    return add(context, key, values, 3, err);
}

static pj_status on_energy(void *context, const struct pji_energy_row *e, struct pj_error *err)
{
    char key[256];
    bool missing = e->energy.origin == PJ_ORIGIN_MISSING;
    double values[] = {e->energy.value_j, e->energy.u_ind_j, e->energy.u_com_j, e->energy.u_gain_j,
                       e->in_total ? 1 : 0};
    for (size_t i = 0; i < 4 && missing; i++)
        values[i] = (double)NAN;
    snprintf(key, sizeof key, "energy of %s%s%s, %s", e->phase, e->task[0] != '\0' ? " " : "",
             e->task, e->name);
    return add(context, key, values, 5, err);
}

/* a number that stands for bytes: their hash, cut to what is exact in a double */
static double mix(const void *bytes, size_t n)
{
    return (double)(pji_fnv1a(PJI_FNV1A_START, bytes, n) >> 12);
}

static pj_status on_request(void *context, const struct pji_request_row *r, struct pj_error *err)
{
    char key[320];
    double values[] = {(double)r->scheduled_ns,
                       (double)r->sent_ns,
                       (double)r->first_token_ns,
                       (double)r->last_token_ns,
                       (double)r->prompt_tokens,
                       (double)r->cached_tokens,
                       (double)r->output_tokens,
                       mix(r->token_ns, r->n_tokens * sizeof *r->token_ns),
                       r->text != NULL ? mix(r->text, strlen(r->text)) : (double)NAN};
    snprintf(key, sizeof key, "request %lld of %s%s%s (item %.60s, text %.12s)",
             (long long)r->sequence, r->phase, r->task[0] != '\0' ? " " : "", r->task, r->item,
             r->text_sha256[0] != '\0' ? r->text_sha256 : "none");
    return add(context, key, values, VALUES, err);
}

static pj_status on_share(void *context, const struct pji_share_row *r, struct pj_error *err)
{
    char key[256];
    double values[] = {r->energy_j, r->u_ind_j, r->u_com_j, (double)r->end_ns};
    snprintf(key, sizeof key, "share of request %lld of %s %s", (long long)r->sequence, r->phase,
             r->task);
    return add(context, key, values, 4, err);
}

static pj_status on_answer(void *context, const struct pji_answer_row *a, struct pj_error *err)
{
    char key[256];
    double values[] = {a->parsable ? 1 : 0, a->correct ? 1 : 0};
    snprintf(key, sizeof key, "answer '%.60s' to item %.60s of %.60s", a->answer, a->item, a->task);
    return add(context, key, values, 2, err);
}

typedef pj_status read_fn(struct pji_store *store, int64_t attempt, struct rows *rows,
                          struct pj_error *err);

struct kind {
    read_fn *read;
    const char *const *what;
    bool all; /* every stored row must be made again */
    double tolerance;
};

/* ---- comparing ---- */

static bool same(double a, double b, double tolerance)
{
    if (isnan(a) || isnan(b))
        return isnan(a) && isnan(b);
    return fabs(a - b) <= tolerance * fmax(fabs(a), fabs(b));
}

static void write_number(double value, char text[PJI_NUM_TEXT])
{
    if (isnan(value))
        snprintf(text, PJI_NUM_TEXT, "missing");
    else
        pji_num_format(value, text);
}

static pj_status differ(const struct pji_match *m, const char *key, const char *what,
                        const char *stored, const char *again, struct pj_error *err)
{
    struct pji_str where = {0};
    char records[64];
    pji_str_addf(&where, "trial %lld, %s%s", (long long)m->trial, key, what);
    snprintf(records, sizeof records, "artefacts/%lld", (long long)m->attempt);
    pj_status status = pji_str_ok(&where, err);
    if (status == PJ_OK)
        status = pji_verify_add(m->out, "study.sqlite", 0, where.text, stored, again, records, err);
    pji_str_fini(&where);
    return status;
}

static pj_status compare_row(const struct pji_match *m, const struct row *stored,
                             const struct row *again, const struct kind *kind, struct pj_error *err)
{
    pj_status status = PJ_OK;
    for (size_t i = 0; i < stored->n && status == PJ_OK; i++) {
        char a[PJI_NUM_TEXT] = "", b[PJI_NUM_TEXT] = "";
        m->checked->numbers += isnan(stored->value[i]) ? 0 : 1;
        if (same(stored->value[i], again->value[i], kind->tolerance))
            continue;
        write_number(stored->value[i], a);
        write_number(again->value[i], b);
        status = differ(m, stored->key, kind->what[i], a, b, err);
    }
    return status;
}

/* Whether "name," is one of "a,b,": not the end of a longer one. */
static bool listed(const char *names, const char *name)
{
    const char *at = names != NULL ? strstr(names, name) : NULL;
    while (at != NULL && at != names && at[-1] != ',')
        at = strstr(at + 1, name);
    return at != NULL;
}

/* A figure that no file holds the makings of, by name, each once. */
static void leave(struct pji_records_checked *checked, const struct row *row)
{
    const char *dot = strrchr(row->key, '.');
    const char *name = dot != NULL ? dot + 1 : row->key;
    struct pji_str quoted = {0};
    checked->unchecked += isnan(row->value[0]) ? 0 : 1;
    pji_str_addf(&quoted, "%s,", name);
    if (!listed(checked->names.text, pji_str_text(&quoted)))
        pji_str_addf(&checked->names, "%s,", name);
    pji_str_fini(&quoted);
}

static pj_status compare(const struct pji_match *m, struct rows *stored, struct rows *again,
                         const struct kind *kind, struct pj_error *err)
{
    pj_status status = PJ_OK;
    for (size_t i = 0; i < stored->n && status == PJ_OK; i++) {
        struct row *other = find(again, stored->rows[i].key);
        if (other != NULL) {
            other->seen = true;
            status = compare_row(m, &stored->rows[i], other, kind, err);
        } else if (kind->all) {
            status = differ(m, stored->rows[i].key, "", "a row", "none", err);
        } else {
            leave(m->checked, &stored->rows[i]);
        }
    }
    for (size_t i = 0; i < again->n && status == PJ_OK; i++) {
        if (!again->rows[i].seen)
            status = differ(m, again->rows[i].key, "", "no row", "one", err);
    }
    return status;
}

static pj_status read_metrics(struct pji_store *store, int64_t attempt, struct rows *rows,
                              struct pj_error *err)
{
    return pji_store_each_metric(store, attempt, on_metric, rows, err);
}

static pj_status read_energies(struct pji_store *store, int64_t attempt, struct rows *rows,
                               struct pj_error *err)
{
    return pji_store_each_energy(store, attempt, on_energy, rows, err);
}

static pj_status read_requests(struct pji_store *store, int64_t attempt, struct rows *rows,
                               struct pj_error *err)
{
    return pji_store_each_request(store, attempt, on_request, rows, err);
}

static pj_status read_answers(struct pji_store *store, int64_t attempt, struct rows *rows,
                              struct pj_error *err)
{
    return pji_store_each_answer(store, attempt, on_answer, rows, err);
}

static pj_status read_shares(struct pji_store *store, int64_t attempt, struct rows *rows,
                             struct pj_error *err)
{
    return pji_store_each_share(store, attempt, on_share, rows, err);
}

pj_status pji_records_match(const struct pji_match *match, struct pj_error *err)
{
    const struct kind kinds[] = {{read_requests, of_request, true, copied},
                                 {read_answers, of_answer, true, copied},
                                 {read_shares, of_share, true, computed},
                                 {read_energies, of_energy, true, computed},
                                 {read_metrics, of_metric, false, computed}};
    pj_status status = PJ_OK;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0] && status == PJ_OK; i++) {
        struct rows stored = {0}, again = {0};
        status = kinds[i].read(match->stored, match->attempt, &stored, err);
        if (status == PJ_OK)
            status = kinds[i].read(match->again, match->again_attempt, &again, err);
        if (status == PJ_OK)
            status = compare(match, &stored, &again, &kinds[i], err);
        rows_fini(&stored);
        rows_fini(&again);
    }
    return status;
}
