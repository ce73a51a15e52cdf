/* lab/shares.c - see shares.h. The window is cut at every send and end; the share of a request is
 * the difference of one running sum at its two cuts: energy of each interval / requests in flight.
 */
#include "lab/shares.h"

#include "core/array.h"
#include "lab/spans.h"
#include "lab/steps.h"

#include <math.h>
#include <stdlib.h>

/* The uncertainty of the energy between a request's two cuts is evaluated for so many requests at
 * most; the others get the root mean square of theirs. */
enum { EVALUATED_MOST = 5000 };

struct event {
    int64_t t_ns;
    int in_flight; /* change: 1, -1 */
};

struct sharing {
    const struct pji_trace *trace;
    const bool *in_total;
    const struct pji_load_result *load;
    int64_t start_ns, end_ns;
    struct event *events; /* in order of time; first and last are the window's edges */
    size_t n;
    double *given_j; /* running sum at each event of the energy for each one in flight */
    double idle_j;   /* of the instants with none */
};

static int by_time(const void *a, const void *b)
{
    const struct event *x = a, *y = b;
    return (x->t_ns > y->t_ns) - (x->t_ns < y->t_ns);
}

static bool in_window(const struct sharing *s, const struct pji_request_record *r, int64_t *from_ns,
                      int64_t *to_ns)
{
    int64_t end_ns = pji_request_end_ns(r);
    *from_ns = r->sent_ns > s->start_ns ? r->sent_ns : s->start_ns;
    *to_ns = end_ns < s->end_ns ? end_ns : s->end_ns;
    return r->sent_ns != 0 && *to_ns >= *from_ns;
}

static pj_status find_events(struct sharing *s, struct pj_error *err)
{
    int64_t from_ns, to_ns;
    s->events = pji_zalloc(2 * s->load->n + 2, sizeof *s->events, err);
    s->given_j = pji_zalloc(2 * s->load->n + 2, sizeof *s->given_j, err);
    if (s->events == NULL || s->given_j == NULL)
        return PJ_ENOMEM;
    s->events[s->n++] = (struct event){s->start_ns, 0};
    for (size_t i = 0; i < s->load->n; i++) {
        if (!in_window(s, &s->load->records[i], &from_ns, &to_ns))
            continue;
        s->events[s->n++] = (struct event){from_ns, 1};
        s->events[s->n++] = (struct event){to_ns, -1};
    }
    s->events[s->n++] = (struct event){s->end_ns, 0};
    qsort(s->events, s->n, sizeof *s->events, by_time);
    return PJ_OK;
}

/* The curve of a channel, that goes on evenly to the window's edges where it is not known there. */
static double curve_j(const struct pji_series *series, const double edges_j[2],
                      const struct sharing *s, int64_t t_ns)
{
    double at_j = pji_curve_j(series, t_ns);
    if (t_ns <= s->start_ns)
        return edges_j[0];
    if (t_ns >= s->end_ns)
        return edges_j[1];
    if (!isnan(at_j))
        return at_j;
    double x = (double)(t_ns - s->start_ns) / (double)(s->end_ns - s->start_ns);
    return edges_j[0] + (edges_j[1] - edges_j[0]) * x;
}

/* Adds the energy of each interval of one channel to given_j[later event]. */
static void add_channel(struct sharing *s, size_t i)
{
    const struct pji_series *series = &s->trace->series[i];
    struct pj_energy whole;
    pji_series_window(series, NULL, s->start_ns, s->end_ns, &whole);
    if (whole.origin == PJ_ORIGIN_MISSING)
        return;
    double edges_j[2] = {pji_curve_j(series, s->start_ns), pji_curve_j(series, s->end_ns)};
    if (isnan(edges_j[0]))
        edges_j[0] = isnan(edges_j[1]) ? 0 : edges_j[1] - whole.value_j;
    edges_j[1] = edges_j[0] + whole.value_j;
    double before_j = edges_j[0];
    for (size_t k = 1; k < s->n; k++) {
        double at_j = curve_j(series, edges_j, s, s->events[k].t_ns);
        s->given_j[k] += at_j - before_j;
        before_j = at_j;
    }
}

/* From energies of intervals to the running sum for each one in flight. */
static void accumulate(struct sharing *s)
{
    int in_flight = 0;
    double sum_j = 0;
    for (size_t k = 0; k < s->n; k++) {
        if (in_flight > 0)
            sum_j += s->given_j[k] / in_flight;
        else
            s->idle_j += s->given_j[k];
        s->given_j[k] = sum_j;
        in_flight += s->events[k].in_flight;
    }
}

static double given_at(const struct sharing *s, int64_t t_ns)
{
    size_t low = 0, high = s->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (s->events[middle].t_ns < t_ns)
            low = middle + 1;
        else
            high = middle;
    }
    /* events of one time: nothing lies between them, the sum is the same */
    return s->given_j[low < s->n ? low : s->n - 1];
}

/* u_ind of the energy between two cuts, for a request that is given so large a part of it. */
static double u_between(const struct sharing *s, int64_t from_ns, int64_t to_ns, double share_j)
{
    double u2 = 0, sum_j = 0;
    for (size_t i = 0; i < s->trace->header.n_channels; i++) {
        struct pj_energy e;
        if (!s->in_total[i])
            continue;
        pji_series_window(&s->trace->series[i], NULL, from_ns, to_ns, &e);
        if (e.origin == PJ_ORIGIN_MISSING)
            continue;
        u2 += e.u_ind_j * e.u_ind_j;
        sum_j += e.value_j;
    }
    return sum_j > 0 ? sqrt(u2) * fmin(share_j / sum_j, 1) : sqrt(u2);
}

static void give(const struct sharing *s, const struct pj_energy *total, struct pji_share *shares)
{
    int64_t from_ns, to_ns;
    size_t n = 0, evaluated = 0, every = s->load->n / EVALUATED_MOST + 1;
    double u2 = 0, common = total->value_j > 0 ? total->u_com_j / total->value_j : 0;
    for (size_t i = 0; i < s->load->n; i++) {
        shares[i] = (struct pji_share){.u_ind_j = (double)NAN};
        shares[i].given = in_window(s, &s->load->records[i], &from_ns, &to_ns);
        n += shares[i].given ? 1 : 0;
    }
    for (size_t i = 0, k = 0; i < s->load->n; i++) {
        struct pji_share *share = &shares[i];
        if (!share->given)
            continue;
        (void)in_window(s, &s->load->records[i], &from_ns, &to_ns);
        share->energy_j = given_at(s, to_ns) - given_at(s, from_ns);
        if (k++ % every == 0) {
            share->u_ind_j = u_between(s, from_ns, to_ns, share->energy_j);
            u2 += share->u_ind_j * share->u_ind_j;
            evaluated++;
        }
        share->energy_j += s->idle_j / (double)n;
        share->u_com_j = common * share->energy_j;
    }
    for (size_t i = 0; i < s->load->n; i++) {
        if (shares[i].given && isnan(shares[i].u_ind_j))
            shares[i].u_ind_j = sqrt(u2 / (double)evaluated);
    }
}

pj_status pji_shares_make(struct pji_share *shares, const struct pji_trace *trace,
                          const bool *in_total, const struct pj_energy *total,
                          const struct pji_load_result *load, int64_t start_ns, int64_t end_ns,
                          struct pj_error *err)
{
    struct sharing s = {
        .trace = trace, .in_total = in_total, .load = load, .start_ns = start_ns, .end_ns = end_ns};
    pj_status status = find_events(&s, err);
    for (size_t i = 0; i < trace->header.n_channels && status == PJ_OK; i++) {
        if (in_total[i])
            add_channel(&s, i);
    }
    if (status == PJ_OK) {
        accumulate(&s);
        give(&s, total, shares);
    }
    free(s.events);
    free(s.given_j);
    return status;
}
