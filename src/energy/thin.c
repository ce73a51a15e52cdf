/* energy/thin.c - drops the points of a kept series that no known window needs, so that memory
 * grows with the number of windows and not with the length of the trace.
 *
 * The energy of a window needs, besides what the series knows as a whole, the points around its two
 * edges (window.c looks four points to each side; for a gauge also around the edges moved by
 * edge_u_ns) and the quality of the steps between. So a point stays when it is within NEAR points
 * of an edge, when it is among the first or the last, or when it carries a quality; of marked
 * points that follow each other and are near no edge the last one stays, with the quality of all.
 * What a window finds is the same to the bit as in the whole series.
 */
#include "energy/repair.h"

/* The last points may still change (a counter's tail is moved), and a later edge may need them. */
enum { NEAR = 5, TAIL = 2 * NEAR, BATCH = 512 };

void pji_series_thin(struct pji_series *series, const int64_t *edges_ns, size_t n)
{
    series->edges_ns = edges_ns;
    series->n_edges = n;
    series->thin = true;
}

static void flag(struct pji_series *s, size_t from, size_t to)
{
    for (size_t i = from; i < to && i < s->n; i++) {
        s->points[i].quality |= PJI_POINT_NEAR;
    }
}

static void flag_near(struct pji_series *s, int64_t t_ns)
{
    size_t k = pji_series_lower(s, t_ns);
    flag(s, k > NEAR ? k - NEAR : 0, k + NEAR + 1 < s->n - TAIL ? k + NEAR + 1 : s->n - TAIL);
}

/* Flags the points near the edges that concern what is not sifted yet. */
static void flag_edges(struct pji_series *s)
{
    int64_t move_ns = s->channel.kind == PJI_GAUGE ? s->channel.edge_u_ns : 0;
    int64_t from_ns = s->points[s->sifted > TAIL ? s->sifted - TAIL : 0].t_ns - move_ns;
    int64_t to_ns = s->points[s->n - 1].t_ns + move_ns;
    size_t low = 0, high = s->n_edges;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (s->edges_ns[middle] < from_ns) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    for (; low < s->n_edges && s->edges_ns[low] <= to_ns; low++) {
        flag_near(s, s->edges_ns[low]);
        if (move_ns > 0) {
            flag_near(s, s->edges_ns[low] - move_ns);
            flag_near(s, s->edges_ns[low] + move_ns);
        }
    }
    flag(s, 0, NEAR + 1);
}

void pji_series_sift(struct pji_series *s)
{
    if (!s->thin || s->n < s->sifted + BATCH) {
        return;
    }
    flag_edges(s);
    size_t to = s->sifted, mark = 0;
    while (mark < s->n_marks && s->marks[mark] < s->sifted) {
        mark++;
    }
    size_t mark_to = mark;
    for (size_t i = s->sifted; i < s->n; i++) {
        bool near = (s->points[i].quality & PJI_POINT_NEAR) != 0 || i >= s->n - TAIL;
        bool marked = mark < s->n_marks && s->marks[mark] == i;
        bool after_marked = mark_to > 0 && s->marks[mark_to - 1] + 1 == to &&
                            (s->points[to - 1].quality & PJI_POINT_NEAR) == 0;
        mark += marked;
        if (!near && !marked) {
            continue;
        }
        if (!near && after_marked) {
            uint32_t quality = s->points[to - 1].quality & ~PJI_POINT_GAP;
            s->points[to - 1] = s->points[i];
            s->points[to - 1].quality |= quality;
            continue;
        }
        if (marked) {
            s->marks[mark_to++] = to;
        }
        s->points[to++] = s->points[i];
    }
    s->n_marks = mark_to;
    s->n = to;
    s->sifted = to - TAIL;
}
