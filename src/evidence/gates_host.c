/* evidence/gates_host.c - the checks that ask whether the measurement itself was what slowed the
 * requests down. docs/gates.md has the definition of host_bound.
 */
#include "evidence/gates_inside.h"

#include "stats/beta.h"
#include "stats/quantile.h"

#include <math.h>

/* P(X >= k) of k late requests out of n, where one in a hundred may be late. */
static double chance(size_t k, size_t n)
{
    return k == 0 ? 1
                  : (double)pji_beta_tails((long double)k, (long double)(n - k) + 1, 0.01L, 0.99L)
                        .lower;
}

static bool busy(const struct pji_gate_inputs *in, const struct pji_gate_limits *limits,
                 struct pji_str *detail)
{
    const struct pji_busiest *b = &in->client->busiest;
    if (!b->known || (double)in->window_ns < limits->host_s * 1e9 ||
        !(b->client_share > limits->thread_share))
        return false;
    pji_str_addf(detail, "the client's busiest thread (%s) used %.0f %% of a processor",
                 b->client_name, 100 * b->client_share);
    return true;
}

/* The 99th percentile of so few values is their largest: one late request in fifty is chance, so
 * there must be more of them than a hundredth explains. */
static bool late(const struct pji_gate_inputs *in, const struct pji_gate_limits *limits,
                 struct pji_str *detail)
{
    const struct pji_client_state *c = in->client;
    bool whole = isnan(c->ttft_p50_s);
    double usual_s = whole ? c->answer_p50_s : c->ttft_p50_s;
    double limit_s = fmax(limits->lag_share * usual_s, limits->lag_floor_s);
    double p99_s = 0;
    size_t n_late = 0;
    for (size_t i = 0; i < c->n_lags; i++)
        n_late += c->lag_s[i] > limit_s ? 1 : 0;
    if (isnan(usual_s) || n_late == 0 || chance(n_late, c->n_lags) > limits->lag_chance ||
        pji_quantile(c->lag_s, c->n_lags, 0.99, &p99_s, NULL) != PJ_OK || !(p99_s > limit_s))
        return false;
    pji_str_addf(detail,
                 "requests left late: p99 %.2f ms after they could have, with a median time to the "
                 "%s of %.2f ms (limit %.2f ms, passed by %zu of %zu)",
                 1e3 * p99_s, whole ? "answer" : "first token", 1e3 * usual_s, 1e3 * limit_s,
                 n_late, c->n_lags);
    return true;
}

static bool stopped(const struct pji_gate_inputs *in, const struct pji_gate_limits *limits,
                    struct pji_str *detail)
{
    double share = in->client->stopped_share, window_s = (double)in->window_ns / 1e9;
    bool brief = window_s < limits->stop_s;
    if (!(share > (brief ? limits->short_stopped_share : limits->stopped_share)) ||
        (brief && !(share * window_s > limits->short_stopped_s)))
        return false;
    pji_str_addf(detail, "the client was stopped for %.0f %% of the window", 100 * share);
    return true;
}

static bool starved(const struct pji_gate_inputs *in, const struct pji_gate_limits *limits,
                    struct pji_str *detail)
{
    const struct pji_busiest *b = &in->client->busiest;
    const struct pji_gpu_idle *gpu = &in->client->gpu;
    bool dips = gpu->dip_share > limits->dip_share;
    bool idle = gpu->use < limits->gpu_use;
    if (!b->known || !(b->server_share > limits->thread_share) || (!dips && !idle))
        return false;
    pji_str_addf(detail, "a thread of the server (%s) used %.0f %% of a processor while %s ",
                 b->server_name, 100 * b->server_share, gpu->gpu);
    if (dips)
        pji_str_addf(detail, "fell near its idle power for %.0f %% of the time",
                     100 * gpu->dip_share);
    if (idle)
        pji_str_addf(detail, "%swas in use for %.0f %% of the time", dips ? " and " : "",
                     100 * gpu->use);
    pji_str_add(detail, " in which requests waited");
    return true;
}

bool pji_gate_host_bound(const struct pji_gate_inputs *in, const struct pji_gate_limits *limits,
                         struct pji_str *detail)
{
    if (in->client == NULL || in->requests == 0)
        return false;
    return busy(in, limits, detail) || stopped(in, limits, detail) || late(in, limits, detail) ||
           starved(in, limits, detail);
}

bool pji_gate_shared_cores(const struct pji_gate_inputs *in, const struct pji_gate_limits *limits,
                           struct pji_str *detail)
{
    (void)limits;
    if (in->client == NULL || !in->client->shared_cores)
        return false;
    pji_str_add(detail, "client and server use the same processors: there are fewer than four "
                        "cores");
    return true;
}
