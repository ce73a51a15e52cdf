/* Plays a recorded trace as if it were an instrument: its channels, its missing rows, and its
 * readings at their own distances in time, moved so that the first one happens at the first read.
 * What a read finds due is put; more than a burst waits for the next read. The whole trace is held
 * in memory, so that playing it allocates nothing.
 */
#include "sources/table.h"

#include "core/array.h"
#include "energy/trace.h"

#include <stdio.h>
#include <stdlib.h>

enum { BURST = 64 };

struct state {
    const struct pji_platform *platform;
    struct pji_reading *readings;
    size_t n, cap, next;
    size_t n_channels;
    int64_t shift_ns; /* trace time + shift = our time, once started */
    bool started;
    /* while loading */
    struct pji_channel_table *table;
    int32_t first_channel;
};

static const char source_name[] = "replay";

/* ---- opening ---- */

static pj_status take_header(void *context, const struct pji_trace_header *header,
                             struct pj_error *err)
{
    struct state *state = context;
    pj_status status = PJ_OK;

    state->first_channel = (int32_t)state->table->n;
    state->n_channels = header->n_channels;
    for (size_t i = 0; i < header->n_channels && !status; i++) {
        struct pji_channel channel = header->channels[i];

        if (channel.companion >= 0)
            channel.companion += state->first_channel;
        status = pji_channel_table_add(state->table, &channel, NULL, err);
    }
    for (size_t i = 0; i < header->n_missing && !status; i++) {
        const struct pji_missing *row = &header->missing[i];

        status = pji_channel_table_miss(state->table, row->source, row->domain_kind, row->domain,
                                        row->reason, row->fix, err);
    }
    return status;
}

static pj_status take_reading(void *context, const struct pji_reading *reading,
                              struct pj_error *err)
{
    struct state *state = context;
    pj_status status = pji_array_reserve(&state->readings, &state->cap, state->n + 1,
                                         sizeof *state->readings, err);

    if (status)
        return status;
    state->readings[state->n] = *reading;
    state->readings[state->n++].channel += state->first_channel;
    return PJ_OK;
}

static pj_status feed_file(struct pji_trace_reader *reader, const char *path, struct pj_error *err)
{
    char buffer[16384];
    size_t got;
    pj_status status = PJ_OK;
    FILE *file = fopen(path, "re");

    if (!file)
        return pji_fail(err, PJ_ENOTFOUND, "cannot open the trace '%s'", path);
    while (!status && (got = fread(buffer, 1, sizeof buffer, file)) > 0)
        status = pji_trace_reader_feed(reader, buffer, got, err);
    if (!status && ferror(file))
        status = pji_fail(err, PJ_EIO, "cannot read the trace '%s'", path);
    if (!status)
        status = pji_trace_reader_end(reader, NULL, NULL, err);
    (void)fclose(file);
    return status;
}

static void replay_close(void *context)
{
    struct state *state = context;

    free(state->readings);
}

static pj_status replay_open(void *context, const struct pji_source_env *env,
                             struct pji_channel_table *table, struct pj_error *err)
{
    struct state *state = context;
    struct pji_trace_visitor visitor = {
        .context = state, .header = take_header, .reading = take_reading};
    struct pji_trace_reader *reader = NULL;
    pj_status status;

    state->platform = env->platform;
    if (!env->replay_path)
        return PJ_OK;
    state->table = table;
    status = pji_trace_reader_new(&reader, env->replay_path, &visitor, err);
    if (!status)
        status = feed_file(reader, env->replay_path, err);
    pji_trace_reader_free(reader);
    state->table = NULL;
    if (status)
        replay_close(state);
    return status;
}

/* ---- reading ---- */

static pj_status replay_read(void *context, struct pji_reading_sink *sink, struct pj_error *err)
{
    struct state *state = context;
    int64_t now_ns = pji_now_ns(state->platform);
    size_t left = state->n_channels * BURST;

    (void)err;
    if (!state->started && state->n > 0) {
        state->shift_ns = now_ns - state->readings[0].t_ns;
        state->started = true;
    }
    for (; state->next < state->n && left > 0; state->next++, left--) {
        const struct pji_reading *reading = &state->readings[state->next];
        int64_t t_ns = reading->t_ns + state->shift_ns;

        if (t_ns > now_ns)
            break;
        pji_reading_put(sink, reading->channel, t_ns, reading->status, reading->value);
    }
    return PJ_OK;
}

const struct pji_source_ops pji_source_replay = {
    .name = source_name,
    .about = "a recorded trace, played again in its own time",
    .state_size = sizeof(struct state),
    .burst = BURST,
    .open = replay_open,
    .read = replay_read,
    .close = replay_close,
};
