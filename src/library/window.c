/* library/window.c - windows and their results. The energy comes from pji_trace_window, as in
 * `perjoule replay --windows`.
 */
#include "library/session.h"

#include "core/array.h"
#include "core/str.h"
#include "core/units.h"
#include "energy/fold.h"

#include <stdlib.h>
#include <string.h>

/* How long an instrument that does not answer is waited for, and how often a counter that has not
 * shown a window's end yet is read again. */
#define PATIENCE_NS (5 * PJI_NS_PER_S)
#define AGAIN_NS    (5 * PJI_NS_PER_MS)

pj_status pj_window_begin(struct pj_session *session, const char *name, pj_window *window,
                          struct pj_error *err)
{
    const char *text = name ? name : "";
    size_t len = strnlen(text, PJ_WINDOW_NAME);
    char excerpt[PJI_EXCERPT];
    pj_status status = pji_session_check(session, err);

    *window = 0;
    if (status)
        return status;
    if (len == PJ_WINDOW_NAME || pji_utf8_span(text, len) != len)
        return pji_fail(err, PJ_EINVAL,
                        "the name of a window is UTF-8 text of at most %d bytes, not '%s'",
                        PJ_WINDOW_NAME - 1, pji_excerpt(text, len, excerpt));
    if (atomic_load(&session->stopped))
        return pji_fail(err, PJ_ESTATE, "the session was stopped: open a new one");
    return pji_pool_begin(&session->pool, &session->platform, text, len, window, err);
}

pj_status pj_window_end(struct pj_session *session, pj_window window, struct pj_error *err)
{
    pj_status status = pji_session_check(session, err);

    return status ? status : pji_pool_end(&session->pool, &session->platform, window, err);
}

pj_status pj_window_free(struct pj_session *session, pj_window window, struct pj_error *err)
{
    struct pji_quiet quiet;
    pj_status status = pji_session_check(session, err);

    if (status)
        return status;
    (void)pthread_mutex_lock(&session->lock);
    if (session->stream) { /* its end stands in the trace before it is forgotten */
        pji_quiet_begin(&quiet);
        pji_session_record_windows(session);
        pji_quiet_end(&quiet);
    }
    status = pji_pool_free(&session->pool, window, err);
    (void)pthread_mutex_unlock(&session->lock);
    return status;
}

/* ---- waiting for the readings; with the lock ---- */

/* An alternative reading of a domain may be a rare one (a GPU's counter, whose calls are rationed):
 * it is not waited for while the preferred one gives values. */
static bool waited_for(const struct pj_session *session, size_t i)
{
    const struct pji_channel *channel = &session->trace.header.channels[i];

    return !pji_source_is_alternative(channel) ||
           !session->trace.series[channel->companion].started ||
           session->trace.series[channel->companion].gone;
}

static bool settled(const struct pj_session *session, int64_t end_ns)
{
    for (size_t i = 0; i < session->trace.header.n_channels; i++) {
        if (waited_for(session, i) && !pji_series_settled(&session->trace.series[i], end_ns))
            return false;
    }
    return true;
}

static void wait_until(struct pj_session *session, int64_t t_ns)
{
    struct timespec until = {.tv_sec = (time_t)(t_ns / PJI_NS_PER_S),
                             .tv_nsec = (long)(t_ns % PJI_NS_PER_S)};

    (void)pthread_cond_timedwait(&session->news, &session->lock, &until);
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* A tick may come at any time, but an interval can be long: once everything can have shown the end,
 * ask for a reading, and again while a counter has not moved. */
static pj_status wait_settled(struct pj_session *session, int64_t end_ns, int64_t wait_ns)
{
    int64_t now_ns = pji_now_ns(&session->platform);
    int64_t limit_ns = wait_ns < 0 || wait_ns > PATIENCE_NS ? PATIENCE_NS : wait_ns;
    int64_t deadline_ns = now_ns + limit_ns, due_ns = end_ns + session->settling_ns;
    int64_t again_ns = session->refresh_ns > AGAIN_NS ? session->refresh_ns : AGAIN_NS;

    while (session->running && !settled(session, end_ns)) {
        now_ns = pji_now_ns(&session->platform);
        if (now_ns >= deadline_ns)
            return PJ_WINDOW_EARLY;
        if (now_ns >= due_ns && session->asked == session->answered) {
            session->asked++;
            pji_session_wake(session);
            due_ns = now_ns + again_ns;
        }
        wait_until(session, now_ns < due_ns ? earlier(due_ns, deadline_ns) : deadline_ns);
    }
    return PJ_OK;
}

/* ---- results ---- */

/* One block: what the public struct points into comes behind it. */
struct block {
    struct pj_result result; /* first */
    char name[PJ_WINDOW_NAME];
    struct pji_total total;
    struct pji_channel *channels;
    struct pj_source *sources;
    struct pj_part *parts;
};

static struct block *make_block(const struct pji_trace_header *header, struct pj_error *err)
{
    struct block *block = pji_zalloc(1, sizeof *block, err);
    size_t n = header->n_channels + 1;

    if (!block)
        return NULL;
    block->channels = pji_zalloc(n, sizeof *block->channels, err);
    block->sources = pji_zalloc(n, sizeof *block->sources, err);
    block->parts = pji_zalloc(n, sizeof *block->parts, err);
    if (block->channels && block->sources && block->parts)
        return block;
    pj_result_free(&block->result);
    return NULL;
}

static void add_part(struct block *block, const struct pji_channel *channel,
                     const struct pj_energy *energy, bool in_total)
{
    size_t i = block->result.part_count++;

    block->channels[i] = *channel;
    pji_source_view(&block->sources[i], &block->channels[i]);
    block->parts[i] =
        (struct pj_part){.source = &block->sources[i], .energy = *energy, .in_total = in_total};
}

/* With the lock. */
static pj_status evaluate(struct pj_session *session, const struct pji_window_slot *slot,
                          struct pj_result **out, struct pj_error *err)
{
    const struct pji_trace_header *header = &session->trace.header;
    struct pj_energy *energies = pji_zalloc(header->n_channels + 1, sizeof *energies, err);
    bool *in_total = pji_zalloc(header->n_channels + 1, sizeof *in_total, err);
    struct block *block = make_block(header, err);
    pj_status status = energies && in_total && block ? PJ_OK : PJ_ENOMEM;

    if (status)
        goto out;
    block->result.start_ns = atomic_load(&slot->start_ns);
    block->result.end_ns = atomic_load(&slot->end_ns);
    pji_trace_window(&session->trace, block->result.start_ns, block->result.end_ns,
                     session->measured_only, energies, in_total, &block->total);
    for (size_t i = 0; i < header->n_channels; i++) {
        if (pji_source_is(&header->channels[i]))
            add_part(block, &header->channels[i], &energies[i], in_total[i]);
    }
    memcpy(block->name, slot->name, sizeof block->name);
    block->result.name = block->name;
    block->result.total = block->total.energy;
    block->result.measured = block->total.measured;
    block->result.modelled = block->total.modelled;
    block->result.label = block->total.label;
    *out = &block->result;
    block = NULL;
out:
    free(energies);
    free(in_total);
    if (block)
        pj_result_free(&block->result);
    return status;
}

pj_status pj_window_read(struct pj_session *session, pj_window window, int64_t wait_ns,
                         struct pj_result **result, struct pj_error *err)
{
    struct pji_window_slot *slot;
    pj_status status = pji_session_check(session, err), early = PJ_OK;

    *result = NULL;
    if (status)
        return status;
    (void)pthread_mutex_lock(&session->lock);
    status = pji_pool_ended(&session->pool, window, &slot, err);
    if (!status) {
        early = wait_settled(session, atomic_load(&slot->end_ns), wait_ns);
        status = session->failed;
        if (status && err && !err->code)
            *err = session->failed_why;
    }
    if (!status) /* it may have been freed meanwhile */
        status = pji_pool_ended(&session->pool, window, &slot, err);
    if (!status)
        status = evaluate(session, slot, result, err);
    (void)pthread_mutex_unlock(&session->lock);
    return status ? status : early;
}

const struct pj_part *pj_result_part(const struct pj_result *result, size_t i)
{
    const struct block *block = (const struct block *)(const void *)result;

    return i < result->part_count ? &block->parts[i] : NULL;
}

void pj_result_free(struct pj_result *result)
{
    struct block *block = (struct block *)(void *)result;

    if (!block)
        return;
    free(block->channels);
    free(block->sources);
    free(block->parts);
    free(block);
}
