/* See fold.h. What window.c looks at, for an edge moved by pji_edge_reach_ns: the step it lies in,
 * PJI_NEIGHBOURS steps at each side, each with the point where it began; a last point that may
 * still move (a counter that stands) has the ones before it as neighbours.
 */
#include "energy/fold.h"

#include "energy/repair.h"

enum { BEFORE = PJI_NEIGHBOURS + 2, BEHIND = PJI_NEIGHBOURS + 2, LATEST = 2 * PJI_NEIGHBOURS + 2 };

/* A channel that fails is not waited for longer. */
static const int64_t patience_ns = INT64_C(1000000000);

struct writer {
    struct pji_series *s;
    size_t n, n_marks; /* written */
    size_t mark;       /* next one to read */
    uint32_t carried;  /* of points that were dropped since the last one written */
};

/* In place: what is written lies at or before what is read. */
static void keep_point(struct writer *w, size_t i)
{
    struct pji_series *s = w->s;
    while (w->mark < s->n_marks && s->marks[w->mark] < i) {
        w->carried |= s->points[s->marks[w->mark++]].quality & ~PJI_POINT_GAP;
    }
    if (w->mark < s->n_marks && s->marks[w->mark] == i) {
        w->mark++;
    }
    s->points[w->n] = s->points[i];
    s->points[w->n].quality |= w->carried;
    if (s->points[w->n].quality != 0) {
        s->marks[w->n_marks++] = w->n;
    }
    w->carried = 0;
    w->n++;
}

static size_t reach(const struct pji_series *s, size_t from, int64_t t_ns)
{
    while (from < s->n && s->points[from].t_ns < t_ns) {
        from++;
    }
    return from;
}

/* From this point on everything stays. */
static size_t tail_of(const struct pji_series *s, int64_t after_ns)
{
    size_t low = reach(s, 0, after_ns - pji_edge_reach_ns(&s->channel));
    size_t from = low > BEFORE ? low - BEFORE : 0;
    size_t latest = s->n > LATEST ? s->n - LATEST : 0;
    return from < latest ? from : latest;
}

void pji_series_fold(struct pji_series *series, const struct pji_fold *fold)
{
    bool energy = series->channel.role != PJI_ROLE_AUX;
    struct writer w = {.s = series};
    size_t next = 0, low = 0, high = 0;
    int64_t reach_ns = pji_edge_reach_ns(&series->channel);
    size_t tail = tail_of(series, energy ? fold->after_ns : INT64_MAX / 2);
    if (!series->keep) {
        return;
    }
    for (size_t e = 0; energy && e < fold->n_edges; e++) {
        /* what lies before `next` may have been written over, and is decided anyway */
        low = reach(series, low > next ? low : next, fold->edges_ns[e] - reach_ns);
        high = reach(series, high > next ? high : next, fold->edges_ns[e] + reach_ns);
        size_t from = low > BEFORE ? low - BEFORE : 0;
        size_t to = high + BEHIND < tail ? high + BEHIND : tail;
        for (next = from > next ? from : next; next < to; next++) {
            keep_point(&w, next);
        }
        if (to == tail) {
            break;
        }
    }
    for (next = tail > next ? tail : next; next < series->n; next++) {
        keep_point(&w, next);
    }
    series->n = w.n;
    series->n_marks = w.n_marks;
}

int64_t pji_series_settling_ns(const struct pji_channel *channel)
{
    int64_t refresh_ns = channel->refresh_ns > 0 ? channel->refresh_ns : 0;
    if (channel->role == PJI_ROLE_AUX) {
        return 0;
    }
    return channel->lag_ns + pji_edge_reach_ns(channel) + 2 * refresh_ns;
}

bool pji_series_settled(const struct pji_series *series, int64_t t_ns)
{
    const struct pji_series *s = series;
    int64_t settling_ns = pji_series_settling_ns(&s->channel);
    int64_t shift_ns = pji_edge_reach_ns(&s->channel);
    if (s->channel.role == PJI_ROLE_AUX || s->gone) {
        return true;
    }
    if (!s->seen) {
        return false;
    }
    if (!s->started || s->suspect || s->failed_since_ns != 0) {
        return s->last_seen_ns - patience_ns >= t_ns + settling_ns;
    }
    /* a counter that stands has a last point that may still move back by two refreshes */
    if (s->tail && s->last_t_ns - settling_ns < t_ns) {
        return false;
    }
    return s->n > 0 && s->points[s->n - 1].t_ns >= t_ns + shift_ns;
}
