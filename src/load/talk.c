/* load/talk.c - the requests of one phase over the pipes to a program (jsonl.h).
 *
 * An item is sent when it is handed to the pipe and answered when the read(2) that completed its
 * line returned. Items have ids base, base + 1, … in the order of the plan, so an answer finds its
 * slot by its id, and the item that waits longest is the first unanswered one. An item that is not
 * answered in time fails alone; a program that breaks the protocol, takes nothing in or ends, ends
 * the phase.
 */
#include "load/jsonl.h"
#include "load/run.h"

#include "core/array.h"
#include "core/units.h"
#include "load/scan.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { DEFAULT_TIMEOUT_S = 60, MOST_READS = 64 };

struct pji_talk {
    struct pji_jsonl *lines;
    int64_t base;                /* id of the first item of the plan */
    struct pji_flight **by_spec; /* waiting for an answer; NULL: not sent, or answered */
    size_t oldest;               /* no item before it waits */
    int64_t timeout_ns;
    int64_t moved_ns; /* when the program last took something in */
    pj_status status; /* of a write while sending: the next poll reports it */
    struct pj_error why;
};

static int64_t now(const struct pji_run *run)
{
    return pji_now_ns(&run->platform);
}

pj_status pji_talk_open(struct pji_run *run, struct pj_error *err)
{
    const struct pji_load_plan *plan = run->plan;
    struct pji_talk *t = pji_zalloc(1, sizeof *t, err);
    if (!t)
        return PJ_ENOMEM;
    run->talk = t;
    t->lines = plan->lines;
    t->base = plan->lines->next_id > 0 ? plan->lines->next_id : 1;
    t->timeout_ns =
        plan->request_timeout_ns > 0 ? plan->request_timeout_ns : DEFAULT_TIMEOUT_S * PJI_NS_PER_S;
    t->moved_ns = now(run);
    t->by_spec = pji_zalloc(plan->n + 1, sizeof(struct pji_flight *), err);
    return t->by_spec ? PJ_OK : PJ_ENOMEM;
}

static pj_status forget(struct pji_talk *t, size_t spec, struct pj_error *err)
{
    struct pji_jsonl *lines = t->lines;
    t->by_spec[spec] = NULL;
    pj_status status = pji_array_reserve(&lines->late, &lines->late_cap, lines->n_late + 1,
                                         sizeof *lines->late, err);
    if (!status)
        lines->late[lines->n_late++] = t->base + (int64_t)spec;
    return status;
}

void pji_talk_close(struct pji_run *run)
{
    struct pji_talk *t = run->talk;
    if (!t)
        return;
    for (size_t i = t->oldest; t->by_spec && i < run->next; i++)
        if (t->by_spec[i])
            (void)forget(t, i, NULL);
    t->lines->next_id = t->base + (int64_t)run->next;
    free(t->by_spec);
    free(t);
    run->talk = NULL;
}

/* ---- sending ---- */

static void add_item(struct pji_str *out, int64_t id, const struct pji_request_spec *spec)
{
    pji_str_addf(out, "{\"id\":%lld", (long long)id);
    if (spec->members)
        pji_str_addf(out, ",%s", spec->members);
    if (spec->prompt && spec->prompt[0]) {
        pji_str_add(out, ",\"prompt\":");
        pji_quote(out, spec->prompt, strlen(spec->prompt));
    }
    pji_str_add(out, "}\n");
}

static void flush(struct pji_run *run)
{
    struct pji_talk *t = run->talk;
    bool moved = false;
    bool was_pending = pji_jsonl_pending(t->lines);
    if (!t->status)
        t->status = pji_jsonl_flush(t->lines, &moved, &t->why);
    if (moved || !was_pending)
        t->moved_ns = now(run);
}

void pji_talk_send(struct pji_flight *f, size_t spec, int64_t scheduled_ns)
{
    struct pji_run *run = f->run;
    struct pji_talk *t = run->talk;
    pji_flight_begin(f, spec, scheduled_ns);
    add_item(&f->body, t->base + (int64_t)spec, &run->plan->specs[spec]);
    if (pji_str_ok(&f->body, &f->problem)) {
        pji_flight_land(f, now(run));
        return;
    }
    if (!pji_jsonl_pending(t->lines))
        t->moved_ns = now(run);
    t->by_spec[spec] = f;
    f->record->sent_ns = now(run);
    pji_jsonl_put(t->lines, f->body.text, f->body.len);
    flush(run);
}

/* ---- answers ---- */

static bool was_late(struct pji_jsonl *lines, int64_t id)
{
    for (size_t i = 0; i < lines->n_late; i++)
        if (lines->late[i] == id) {
            memmove(&lines->late[i], &lines->late[i + 1],
                    (--lines->n_late - i) * sizeof *lines->late);
            lines->dropped++;
            return true;
        }
    return false;
}

static pj_status stray(struct pji_run *run, int64_t id, struct pj_error *err)
{
    struct pji_talk *t = run->talk;
    if (was_late(t->lines, id))
        return PJ_OK;
    if (id >= 1 && id < t->base + (int64_t)run->next)
        return pji_jsonl_break(t->lines, "id_duplicate", err,
                               "the program answered the item with id %lld twice", (long long)id);
    return pji_jsonl_break(t->lines, "id_unknown", err,
                           "the program answered id %lld, which it was not given", (long long)id);
}

/* The slot's record gets what the answer says. */
static void take_over(struct pji_flight *f, struct pji_answer_line *answer)
{
    struct pji_request_record *r = f->record;
    f->kind = PJI_ANSWER_JSON;
    if (answer->error) {
        (void)pji_fail(&f->problem, PJ_EPEER, "the program reported an error: %s",
                       answer->error[0] ? answer->error : "(without a message)");
        return;
    }
    pji_str_addn(&f->text, pji_str_text(&answer->output), answer->output.len);
    r->prompt_tokens = answer->prompt_tokens;
    r->output_tokens = answer->output_tokens;
    r->counts = answer->counts;
    r->n_counts = answer->n_counts;
    answer->counts = NULL;
}

static pj_status take_answer(struct pji_run *run, const char *line, size_t len, int64_t t_ns,
                             struct pj_error *err)
{
    struct pji_talk *t = run->talk;
    struct pj_error why = {0};
    struct pji_answer_line answer;
    pj_status status = pji_answer_parse(&answer, line, len, &why);
    if (status == PJ_ENOMEM)
        return pji_fail(err, status, "%s", why.text);
    if (status)
        return pji_jsonl_break(t->lines, "line_malformed", err, "the program's answer: %s",
                               why.text);
    int64_t spec = answer.id - t->base; /* both fit: ids are counted from 1 */
    struct pji_flight *f =
        answer.id >= t->base && (uint64_t)spec < run->next ? t->by_spec[spec] : NULL;
    if (f) {
        t->by_spec[spec] = NULL;
        f->read_ns = t_ns;
        take_over(f, &answer);
        pji_flight_land(f, t_ns);
        pji_run_send_due(run, t_ns, 1);
    } else {
        status = stray(run, answer.id, err);
    }
    pji_answer_fini(&answer);
    return status;
}

static pj_status take_lines(struct pji_run *run, int64_t t_ns, struct pj_error *err)
{
    const char *line = NULL;
    size_t len = 0;
    pj_status status;
    while ((status = pji_jsonl_take(run->talk->lines, &line, &len, err)) == PJ_OK)
        if ((status = take_answer(run, line, len, t_ns, err)) != PJ_OK)
            return status;
    return status == PJI_JSONL_NONE ? PJ_OK : status;
}

/* Bounded: a program that writes without end must not keep us from deadlines. */
static pj_status take_in(struct pji_run *run, struct pj_error *err)
{
    struct pji_jsonl *lines = run->talk->lines;
    pj_status status = PJ_OK;
    for (int i = 0; i < MOST_READS && !status && !lines->ended; i++) {
        size_t before = lines->in.len - lines->at;
        status = pji_jsonl_fill(lines, err);
        if (!status && lines->in.len == before && !lines->ended)
            break;
        if (!status)
            status = take_lines(run, now(run), err);
    }
    return status;
}

/* ---- waiting ---- */

static void expire(struct pji_run *run)
{
    struct pji_talk *t = run->talk;
    int64_t now_ns = now(run);
    for (; t->oldest < run->next; t->oldest++) {
        struct pji_flight *f = t->by_spec[t->oldest];
        if (!f)
            continue;
        if (f->record->sent_ns + t->timeout_ns > now_ns)
            return;
        (void)pji_fail(&f->problem, PJ_ETIMEOUT, "deadline: no answer within %g s",
                       pji_s_from_ns(t->timeout_ns));
        if (forget(t, t->oldest, run->err))
            pji_run_out_of_memory(run);
        pji_flight_land(f, now_ns);
    }
}

/* Until the first deadline of an item or of a blocked pipe; negative: there is none. */
static int64_t limit_wait(const struct pji_run *run, int64_t timeout_ns)
{
    const struct pji_talk *t = run->talk;
    int64_t first_ns = pji_jsonl_pending(t->lines) ? t->moved_ns : INT64_MAX;
    for (size_t i = t->oldest; i < run->next; i++)
        if (t->by_spec[i]) {
            int64_t sent_ns = t->by_spec[i]->record->sent_ns;
            first_ns = sent_ns < first_ns ? sent_ns : first_ns;
            break;
        }
    if (first_ns == INT64_MAX)
        return timeout_ns;
    int64_t left_ns = first_ns + t->timeout_ns - now(run);
    left_ns = left_ns > 0 ? left_ns : 0;
    return timeout_ns >= 0 && timeout_ns < left_ns ? timeout_ns : left_ns;
}

static bool waits_for_answers(const struct pji_run *run)
{
    for (size_t i = run->talk->oldest; i < run->next; i++)
        if (run->talk->by_spec[i])
            return true;
    return false;
}

static pj_status check(struct pji_run *run, bool died, struct pj_error *err)
{
    struct pji_talk *t = run->talk;
    bool cut = t->status == PJ_EPEER || t->lines->ended;
    if (t->status && !cut)
        return pji_fail(err, t->status, "%s", t->why.text);
    if (died || (cut && pji_jsonl_ended(t->lines)))
        return pji_jsonl_break(t->lines, "engine_died", err,
                               "the program ended before all items were answered: its last words, "
                               "if any, are in engine.log");
    if (t->lines->ended)
        return pji_jsonl_break(t->lines, "output_closed", err,
                               "the program closed its output before all items were answered");
    if (cut)
        return pji_jsonl_break(t->lines, "input_closed", err, "%s", t->why.text);
    if (pji_jsonl_pending(t->lines) && now(run) >= t->moved_ns + t->timeout_ns)
        return pji_jsonl_break(t->lines, "input_blocked", err,
                               "the program has not read its standard input for %g s",
                               pji_s_from_ns(t->timeout_ns));
    return PJ_OK;
}

pj_status pji_talk_poll(struct pji_run *run, int64_t timeout_ns, int extra_fd, struct pj_error *err)
{
    struct pji_talk *t = run->talk;
    struct pji_jsonl *lines = t->lines;
    int64_t wait_ns = limit_wait(run, timeout_ns);
    struct timespec limit = {.tv_sec = (time_t)(wait_ns / PJI_NS_PER_S),
                             .tv_nsec = (long)(wait_ns % PJI_NS_PER_S)};
    struct pollfd fds[4] = {
        {.fd = lines->from_fd, .events = POLLIN},
        {.fd = pji_jsonl_pending(lines) ? lines->to_fd : -1, .events = POLLOUT},
        {.fd = extra_fd, .events = POLLIN},
        {.fd = lines->alive_fd, .events = POLLIN},
    };
    if (ppoll(fds, 4, wait_ns < 0 ? NULL : &limit, NULL) < 0 && errno != EINTR)
        return pji_fail_errno(err, errno, "cannot wait for the program's answers");
    if (fds[1].revents)
        flush(run);
    bool died = fds[3].revents != 0; /* what it wrote before is still in the pipe */
    pj_status status = fds[0].revents || died ? take_in(run, err) : PJ_OK;
    if (!status && (waits_for_answers(run) || run->next < run->plan->n || pji_jsonl_pending(lines)))
        status = check(run, died, err);
    if (status)
        return status;
    expire(run);
    return fds[2].revents ? PJI_HTTP_WOKEN : PJ_OK;
}
