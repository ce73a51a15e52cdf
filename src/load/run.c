/* load/run.c - the request loop: sends what is due while slots are free, until all has ended.
 *
 * One rule for every arrival process: the next request of the plan is sent when its time has come
 * (at once without due times) and a slot is free (always without a concurrency). A slot that lands
 * takes the next request before anything else happens, so that a closed loop keeps N in flight as
 * long as there is work.
 */
#include "load/run.h"

#include "core/array.h"

#include <stdlib.h>
#include <string.h>

/* Requests sent before answers are looked at again: keeps the stamps of a burst of arrivals honest.
 */
enum { BURST = 16 };

void pji_run_out_of_memory(struct pji_run *run)
{
    if (!run->status)
        run->status = pji_fail(run->err, PJ_ENOMEM, "out of memory while sending requests");
}

static pj_status check_plan(const struct pji_load_plan *plan, struct pj_error *err)
{
    if (plan->concurrency < 0)
        return pji_fail(err, PJ_EINVAL, "concurrency %lld is negative",
                        (long long)plan->concurrency);
    if (plan->concurrency == 0 && !plan->due_ns)
        return pji_fail(err, PJ_EINVAL, "a load needs a concurrency, due times, or both");
    for (size_t i = 1; plan->due_ns && i < plan->n; i++)
        if (plan->due_ns[i] < plan->due_ns[i - 1])
            return pji_fail(err, PJ_EINVAL, "request %zu is due before request %zu", i, i - 1);
    if (plan->n > 0 && !plan->lines && (!plan->endpoint || !plan->endpoint->base_url))
        return pji_fail(err, PJ_EINVAL, "a load needs a server to send requests to");
    for (size_t i = 0; i < plan->n; i++)
        if (!plan->specs[i].prompt && !plan->lines)
            return pji_fail(err, PJ_EINVAL, "item '%s' has no prompt",
                            plan->specs[i].item ? plan->specs[i].item : "");
    return PJ_OK;
}

static char *make_url(const char *base, const char *path, struct pj_error *err)
{
    struct pji_str url = {0};
    size_t n = strlen(base);
    while (n > 0 && base[n - 1] == '/')
        n--;
    pji_str_addn(&url, base, n);
    pji_str_add(&url, path);
    char *text = pji_str_ok(&url, err) ? NULL : pji_str_take(&url);
    pji_str_fini(&url);
    return text;
}

static pj_status prepare(struct pji_run *run, struct pj_error *err)
{
    const struct pji_load_plan *plan = run->plan;
    run->spool.fd = -1;
    pj_status status = pji_platform_open_real(&run->platform, NULL, err);
    if (!status)
        status = check_plan(plan, err);
    if (!status)
        status = pji_extras_init(&run->extras, plan->specs, plan->n, err);
    if (status)
        return status;
    const char *base = plan->endpoint && plan->endpoint->base_url ? plan->endpoint->base_url : "";
    run->completions_url = make_url(base, "/completions", err);
    run->chat_url = make_url(base, "/chat/completions", err);
    run->result->records = pji_zalloc(plan->n + 1, sizeof *run->result->records, err);
    if (!run->completions_url || !run->chat_url || !run->result->records)
        return PJ_ENOMEM;
    run->result->n = plan->n;
    for (size_t i = 0; i < plan->n; i++) {
        struct pji_request_record *r = &run->result->records[i];
        r->spec = i;
        r->prompt_tokens = r->cached_tokens = r->output_tokens = -1;
    }
    status = plan->lines ? pji_talk_open(run, err) : pji_http_open(&run->http, err);
    return status ? status : pji_spool_open(&run->spool, plan->spool_path, err);
}

static void clean_up(struct pji_run *run)
{
    pji_http_close(run->http);
    pji_talk_close(run);
    for (size_t i = 0; i < run->n_flights; i++)
        pji_flight_free(run->flights[i]);
    free(run->flights);
    free(run->idle);
    free(run->completions_url);
    free(run->chat_url);
    pji_extras_fini(&run->extras);
    pji_platform_close_real(&run->platform);
}

/* ---- slots ---- */

static struct pji_flight *take_slot(struct pji_run *run)
{
    if (run->n_idle > 0)
        return run->idle[--run->n_idle];
    if (run->plan->concurrency > 0 && run->n_flights >= (uint64_t)run->plan->concurrency)
        return NULL;
    struct pji_flight *f = NULL;
    size_t n = run->n_flights + 1;
    if (pji_array_reserve(&run->flights, &run->flights_cap, n, sizeof(struct pji_flight *),
                          run->err) ||
        pji_array_reserve(&run->idle, &run->idle_cap, n, sizeof(struct pji_flight *), run->err) ||
        pji_flight_new(&f, run, (int64_t)run->n_flights, run->err)) {
        pji_run_out_of_memory(run);
        return NULL;
    }
    run->flights[run->n_flights++] = f;
    return f;
}

static size_t in_flight(const struct pji_run *run)
{
    return run->n_flights - run->n_idle;
}

/* When the next request may be sent; INT64_MAX: not before another ends, or never. */
static int64_t next_send_ns(const struct pji_run *run, int64_t now_ns)
{
    const struct pji_load_plan *plan = run->plan;
    bool slot = plan->concurrency == 0 || in_flight(run) < (uint64_t)plan->concurrency;
    if (run->next >= plan->n || run->stopping || run->status || !slot)
        return INT64_MAX;
    return plan->due_ns ? run->zero_ns + plan->due_ns[run->next] : now_ns;
}

void pji_run_send_due(struct pji_run *run, int64_t now_ns, int most)
{
    struct pji_load_result *result = run->result;
    for (int i = 0; i < most; i++) {
        int64_t due_ns = next_send_ns(run, now_ns);
        struct pji_flight *f = due_ns <= now_ns ? take_slot(run) : NULL;
        if (!f)
            return;
        size_t spec = run->next++;
        if (run->talk)
            pji_talk_send(f, spec, due_ns);
        else
            pji_flight_send(f, spec, due_ns);
        if (result->start_ns == 0)
            result->start_ns = result->records[spec].sent_ns;
    }
}

void pji_run_landed(struct pji_run *run, struct pji_flight *f, int64_t t_ns)
{
    const struct pji_request_record *r = f->record;
    run->result->n_done++;
    run->result->n_failed += r->error != NULL;
    run->result->end_ns = t_ns;
    run->changed = true;
    pji_spool_add(&run->spool, run->plan, r);
    f->record = NULL;
    run->idle[run->n_idle++] = f;
}

/* ---- the loop ---- */

static void report(struct pji_run *run)
{
    const struct pji_load_plan *plan = run->plan;
    if (run->changed && plan->progress)
        plan->progress(plan->progress_context, run->result->n_done, run->result->n_failed,
                       run->output_tokens);
    run->changed = false;
}

static int64_t wait_ns(const struct pji_run *run, int64_t now_ns)
{
    int64_t until_ns = run->plan->deadline_ns > 0 ? run->plan->deadline_ns : INT64_MAX;
    int64_t send_ns = next_send_ns(run, now_ns);
    until_ns = send_ns < until_ns ? send_ns : until_ns;
    if (until_ns == INT64_MAX)
        return -1;
    return until_ns > now_ns ? until_ns - now_ns : 0;
}

static pj_status drive(struct pji_run *run, struct pj_error *err)
{
    const struct pji_load_plan *plan = run->plan;
    for (;;) {
        int64_t now_ns = pji_now_ns(&run->platform);
        if (plan->deadline_ns > 0 && now_ns >= plan->deadline_ns &&
            (in_flight(run) > 0 || run->next < plan->n))
            return pji_fail(err, PJ_ETIMEOUT,
                            "the requests were not done in time: %zu of %zu had ended",
                            run->result->n_done, plan->n);
        pji_run_send_due(run, now_ns, BURST);
        if (run->status)
            return run->status;
        if (in_flight(run) == 0 && (run->next >= plan->n || run->stopping))
            return PJ_OK;
        int stop_fd = run->stopping ? -1 : plan->stop_fd;
        pj_status status = run->talk ? pji_talk_poll(run, wait_ns(run, now_ns), stop_fd, err)
                                     : pji_http_poll(run->http, wait_ns(run, now_ns), stop_fd, err);
        if (status < 0)
            return status;
        run->stopping = run->stopping || status == PJI_HTTP_WOKEN;
        pji_spool_flush(&run->spool);
        report(run);
    }
}

static void abandon_all(struct pji_run *run, pj_status status)
{
    const char *why = status == PJ_ETIMEOUT
                          ? "deadline: the phase was over before the answer was complete"
                          : "the run ended before the answer was complete";
    for (size_t i = 0; i < run->n_flights; i++)
        if (run->flights[i]->record)
            pji_flight_abandon(run->flights[i], why);
}

pj_status pji_load_run(const struct pji_load_plan *plan, struct pji_load_result *result,
                       struct pj_error *err)
{
    struct pj_error own = {0}; /* needed even when the caller wants no message */
    struct pji_run run = {.plan = plan, .result = result, .err = err ? err : &own};
    *result = (struct pji_load_result){0};
    pj_status status = prepare(&run, run.err);
    if (!status) {
        int64_t cpu_ns = run.platform.ops->clock_ns(run.platform.context, PJI_CLOCK_THREAD);
        run.zero_ns = pji_now_ns(&run.platform);
        status = drive(&run, run.err);
        abandon_all(&run, status);
        result->client_cpu_ns =
            run.platform.ops->clock_ns(run.platform.context, PJI_CLOCK_THREAD) - cpu_ns;
        if (!status && run.stopping)
            status =
                pji_fail(run.err, PJ_ECANCELED, "the requests were stopped: %zu of %zu had ended",
                         result->n_done, plan->n);
    }
    pj_status spool = pji_spool_close(&run.spool, status ? NULL : run.err);
    report(&run);
    clean_up(&run);
    return status ? status : spool;
}

void pji_load_result_fini(struct pji_load_result *result)
{
    for (size_t i = 0; i < result->n; i++) {
        struct pji_request_record *r = &result->records[i];
        free(r->text);
        free(r->reasoning);
        free(r->error);
        free(r->token_ns);
        free(r->counts);
    }
    free(result->records);
    *result = (struct pji_load_result){0};
}
