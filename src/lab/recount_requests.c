/* Requests as the spool has them (load/spool.h): see recount_parts.h. */
#include "lab/recount_parts.h"

#include "core/array.h"
#include "core/json.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct spooled {
    struct recounting *w;
    bool *seen[MOST_PHASES]; /* of each phase, one flag for each request */
    size_t line;
};

static int64_t number(const json_t *o, const char *key, int64_t none)
{
    const json_t *v = json_object_get(o, key);
    return json_is_integer(v) ? (int64_t)json_integer_value(v) : none;
}

static const char *text_at(const json_t *o, const char *key)
{
    return json_string_value(json_object_get(o, key));
}

static int64_t distance_ns(const struct pji_phase_data *phase, int64_t t_ns)
{
    if (t_ns < phase->start_ns)
        return phase->start_ns - t_ns;
    return t_ns > phase->end_ns ? t_ns - phase->end_ns : 0;
}

/* Tasks of one trial share the phase's name in the spool: the one in whose time the request fell.
 */
static size_t phase_of(const struct recounting *w, const json_t *o)
{
    const char *name = text_at(o, "phase");
    int64_t t_ns = number(o, "scheduled_ns", 0);
    size_t best = w->data.n;
    for (size_t i = 0; i < w->data.n; i++) {
        const struct pji_phase_data *phase = &w->data.phases[i];
        if (name == NULL || strcmp(phase->name, name) != 0)
            continue;
        if (best == w->data.n ||
            distance_ns(phase, t_ns) < distance_ns(&w->data.phases[best], t_ns))
            best = i;
    }
    return best;
}

static pj_status replace_text(char **text, const char *with, struct pj_error *err)
{
    free(*text);
    *text = with != NULL ? pji_dup(with, err) : NULL;
    return with != NULL && *text == NULL ? PJ_ENOMEM : PJ_OK;
}

static pj_status replace_times(struct pji_request_record *r, const json_t *times,
                               struct pj_error *err)
{
    size_t n = json_array_size(times);
    free(r->token_ns);
    r->n_tokens = n;
    r->token_ns = n > 0 ? pji_zalloc(n, sizeof *r->token_ns, err) : NULL;
    if (n > 0 && r->token_ns == NULL)
        return PJ_ENOMEM;
    for (size_t i = 0; i < n; i++)
        r->token_ns[i] = (int64_t)json_integer_value(json_array_get(times, i));
    return PJ_OK;
}

/* What a program's answer counted: the database keeps the sums alone. */
static pj_status replace_counts(struct pji_request_record *r, json_t *counts, struct pj_error *err)
{
    size_t n = json_object_size(counts);
    free(r->counts);
    r->n_counts = 0;
    r->counts = n > 0 ? pji_zalloc(n, sizeof *r->counts, err) : NULL;
    if (n > 0 && r->counts == NULL)
        return PJ_ENOMEM;
    void *i = json_object_iter(counts);
    for (; i != NULL && r->counts != NULL && r->n_counts < n;
         i = json_object_iter_next(counts, i)) {
        struct pji_count *count = &r->counts[r->n_counts++];
        snprintf(count->name, sizeof count->name, "%s", json_object_iter_key(i));
        count->value = json_number_value(json_object_iter_value(i));
    }
    return PJ_OK;
}

static pj_status replace(struct pji_request_record *r, const json_t *o, struct pj_error *err)
{
    const char *finish = text_at(o, "finish");
    r->stream = number(o, "stream", 0);
    r->scheduled_ns = number(o, "scheduled_ns", 0);
    r->sent_ns = number(o, "sent_ns", 0);
    r->first_token_ns = number(o, "first_token_ns", 0);
    r->last_token_ns = number(o, "last_token_ns", 0);
    r->end_ns = number(o, "end_ns", 0);
    r->prompt_tokens = number(o, "prompt_tokens", -1);
    r->cached_tokens = number(o, "cached_tokens", -1);
    r->output_tokens = number(o, "output_tokens", -1);
    snprintf(r->finish, sizeof r->finish, "%s", finish != NULL ? finish : "");
    pj_status status = replace_text(&r->text, text_at(o, "text"), err);
    if (status == PJ_OK)
        status = replace_text(&r->error, text_at(o, "error"), err);
    if (status == PJ_OK)
        status = replace_times(r, json_object_get(o, "token_ns"), err);
    return status == PJ_OK ? replace_counts(r, json_object_get(o, "counts"), err) : status;
}

static pj_status note(const struct spooled *s, const char *what, struct pj_error *err)
{
    struct pji_str words = {0};
    pji_str_addf(&words, "requests.jsonl:%zu: %s", s->line, what);
    pj_status status = pji_str_ok(&words, err);
    if (status == PJ_OK)
        status = s->w->r->note(s->w->r->context, words.text, err);
    pji_str_fini(&words);
    return status;
}

/* A warm-up goes over its requests until its time is over; the database has the last pass. */
static bool is_earlier_pass(const struct pji_phase_data *phase, size_t spec, const json_t *o)
{
    return strcmp(phase->name, "warmup") == 0 &&
           phase->load.records[spec].sent_ns != number(o, "sent_ns", 0);
}

static pj_status take_line(struct spooled *s, const json_t *o, struct pj_error *err)
{
    size_t i = phase_of(s->w, o);
    int64_t spec = number(o, "spec", -1);
    const char *item = text_at(o, "item");
    struct pji_phase_data *phase = i < s->w->data.n ? &s->w->data.phases[i] : NULL;
    if (phase == NULL || spec < 0 || (size_t)spec >= phase->load.n)
        return note(s, "this request is not in the database", err);
    if (item == NULL || strcmp(item, phase->run.specs[spec].item) != 0)
        return note(s, "the database names another item", err);
    if (is_earlier_pass(phase, (size_t)spec, o))
        return PJ_OK;
    s->seen[i][spec] = true;
    return replace(&phase->load.records[spec], o, err);
}

static pj_status read_lines(struct spooled *s, FILE *file, struct pj_error *err)
{
    char *text = NULL;
    size_t cap = 0;
    pj_status status = PJ_OK;
    for (ssize_t len; status == PJ_OK && (len = getline(&text, &cap, file)) > 0;) {
        s->line++;
        json_t *o = pji_json_parse(text, (size_t)len, "requests.jsonl", NULL);
        status = json_is_object(o) ? take_line(s, o, err)
                                   : note(s, "this line is no record of a request", err);
        json_decref(o);
    }
    free(text);
    return status;
}

/* A request that was sent left a line. */
static pj_status note_unseen(const struct spooled *s, struct pj_error *err)
{
    pj_status status = PJ_OK;
    for (size_t i = 0; i < s->w->data.n; i++) {
        const struct pji_phase_data *phase = &s->w->data.phases[i];
        for (size_t r = 0; r < phase->load.n && status == PJ_OK; r++) {
            struct pji_str words = {0};
            if (s->seen[i][r] || phase->load.records[r].sent_ns == 0)
                continue;
            pji_str_addf(&words, "request %zu of %s %s is in the database, not in requests.jsonl",
                         r, phase->name, s->w->phase_task[i]);
            status = s->w->r->note(s->w->r->context, pji_str_text(&words), err);
            pji_str_fini(&words);
        }
    }
    return status;
}

pj_status pji_recount_requests(struct recounting *w, struct pj_error *err)
{
    struct spooled s = {.w = w};
    struct pji_str path = {0};
    pji_str_addf(&path, "%s/artefacts/%lld/requests.jsonl", pji_store_dir(w->r->from),
                 (long long)w->r->attempt->id);
    FILE *file = fopen(pji_str_text(&path), "re");
    bool none = file == NULL && errno == ENOENT;
    pj_status status = file != NULL || none
                           ? PJ_OK
                           : pji_fail_errno(err, errno, "cannot read %s", pji_str_text(&path));
    pji_str_fini(&path);
    if (file == NULL)
        return status;
    for (size_t i = 0; i < w->data.n && status == PJ_OK; i++) {
        s.seen[i] = pji_zalloc(w->data.phases[i].load.n + 1, sizeof **s.seen, err);
        status = s.seen[i] != NULL ? PJ_OK : PJ_ENOMEM;
    }
    if (status == PJ_OK)
        status = read_lines(&s, file, err);
    if (status == PJ_OK)
        status = note_unseen(&s, err);
    for (size_t i = 0; i < w->data.n; i++)
        free(s.seen[i]);
    fclose(file);
    return status;
}
