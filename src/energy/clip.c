/* See clip.h. */
#include "energy/clip.h"

#include "core/units.h"
#include "energy/repair.h"

#include <errno.h>
#include <math.h>

/* Publishing takes a moment, and a sampler's tick is not exact. */
static const int64_t settle_slack_ns = 10 * PJI_NS_PER_MS;

static bool clipped(const struct pji_channel *channel)
{
    return channel->lag_ns > 0 && channel->modulus == 0 &&
           (channel->role == PJI_ROLE_ENERGY || channel->role == PJI_ROLE_POWER);
}

void pji_clip_init(struct pji_clip *clip, const struct pji_channel *channel)
{
    *clip = (struct pji_clip){.on = clipped(channel),
                              .gauge = channel->kind == PJI_GAUGE,
                              .from_ns = INT64_MAX,
                              .to_ns = INT64_MAX,
                              .lag_ns = channel->lag_ns};
}

void pji_clip_start(struct pji_clip *clip, int64_t start_ns)
{
    clip->from_ns = start_ns + clip->lag_ns;
}

void pji_clip_end(struct pji_clip *clip, int64_t end_ns)
{
    clip->to_ns = clip->on ? end_ns + clip->lag_ns : end_ns;
}

/* How far the energy between a and t_ns can be from the estimate: of a counter's step anything
 * between nothing and all of it; of a held mean what the ripple inside it allows. A run often
 * begins and ends with the load, so both ends may err alike. */
static void doubt(struct pji_clip *clip, const struct pji_reading *a, const struct pji_reading *b,
                  int64_t t_ns)
{
    double dur_ns = (double)(b->t_ns - a->t_ns);
    double x = (double)(t_ns - a->t_ns) / dur_ns, half_uj;
    if (clip->gauge)
        half_uj = PJI_RIPPLE_REL * (double)a->value * dur_ns / 1e6 * fmin(x, 1 - x);
    else
        half_uj = (double)(b->value - a->value) * fmax(x, 1 - x);
    if (x > 0 && x < 1)
        clip->ends_u_uj += fmax(half_uj, 0) / sqrt(3);
}

/* What the instrument would have read at t_ns, between readings a and b. */
static struct pji_reading cut(struct pji_clip *clip, const struct pji_reading *a,
                              const struct pji_reading *b, int64_t t_ns)
{
    struct pji_reading edge = {.t_ns = t_ns,
                               .value = a->value,
                               .channel = a->channel,
                               .status = a->status == PJI_READ_OK ? PJI_READ_OK : PJI_READ_FAILED};
    bool between = a->status == PJI_READ_OK && b->status == PJI_READ_OK && b->value > a->value;
    if (a->status == PJI_READ_OK && b->status == PJI_READ_OK)
        doubt(clip, a, b, t_ns);
    if (!clip->gauge && between)
        edge.value += (int64_t)((double)(b->value - a->value) * (double)(t_ns - a->t_ns) /
                                (double)(b->t_ns - a->t_ns));
    return edge;
}

static struct pji_reading unread(const struct pji_reading *like, int64_t t_ns)
{
    return (struct pji_reading){
        .t_ns = t_ns, .value = ENODATA, .channel = like->channel, .status = PJI_READ_FAILED};
}

size_t pji_clip_add(struct pji_clip *clip, const struct pji_reading *reading,
                    struct pji_reading out[2])
{
    size_t n = 0;
    struct pji_reading last = clip->last;
    bool had_last = clip->has_last;
    if (clip->ended)
        return 0;
    clip->last = *reading;
    clip->has_last = true;
    if (!clip->on) {
        clip->ended = reading->t_ns >= clip->to_ns;
        out[n++] = *reading;
        return n;
    }
    if (!clip->begun && reading->t_ns > clip->from_ns) {
        clip->begun = true;
        if (!had_last) /* nothing was read in time for the window's beginning */
            last = unread(reading, clip->from_ns);
        out[n++] = cut(clip, &last, reading, clip->from_ns);
    }
    if (!clip->begun)
        return n;
    clip->ended = reading->t_ns >= clip->to_ns;
    out[n++] = clip->ended ? cut(clip, &last, reading, clip->to_ns) : *reading;
    return n;
}

size_t pji_clip_finish(struct pji_clip *clip, struct pji_reading *out)
{
    if (!clip->on || clip->ended || !clip->has_last || clip->to_ns == INT64_MAX ||
        clip->last.status == PJI_READ_GONE)
        return 0;
    clip->ended = true;
    *out = unread(&clip->last, clip->to_ns);
    return 1;
}

int64_t pji_settle_ns(const struct pji_channel *channels, size_t n)
{
    int64_t most_ns = 0;
    for (size_t i = 0; i < n; i++) {
        int64_t settle_ns = channels[i].lag_ns + settle_slack_ns;
        if (!clipped(&channels[i]))
            continue;
        if (channels[i].kind == PJI_GAUGE)
            settle_ns += channels[i].refresh_ns;
        most_ns = settle_ns > most_ns ? settle_ns : most_ns;
    }
    return most_ns;
}
