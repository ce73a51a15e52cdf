/* energy/ledger.c - the choice of the cover: a set of channels no two of which can hold the same
 * joule, in four passes over the flags themselves (nothing is allocated; n is small):
 *
 *   1. one channel for each domain: usable, not an alternative of a usable one, best origin first
 *   2. kinds: packages against psys, parts of a package, measured against modelled
 *   3. a modelled node gives way where measured ones cover everything below it
 *   4. whoever has an ancestor in the set leaves it
 *
 * Pass 4 is unconditional: whatever a hostile trace says about parents, the result is free of
 * ancestors and descendants.
 */
#include "energy/ledger.h"

#include <string.h>

struct ledger {
    const struct pji_channel *channels;
    const struct pj_energy *energies; /* NULL: every channel is usable */
    size_t n;
    bool measured_only;
    bool *in;
};

static bool measured(const struct pji_channel *c)
{
    return c->origin == PJ_ORIGIN_COUNTER || c->origin == PJ_ORIGIN_INTEGRATED;
}

static bool usable(const struct ledger *l, size_t i)
{
    const struct pji_channel *c = &l->channels[i];
    if (c->role != PJI_ROLE_ENERGY && c->role != PJI_ROLE_POWER) {
        return false;
    }
    if (l->energies != NULL && l->energies[i].origin == PJ_ORIGIN_MISSING) {
        return false;
    }
    return c->origin != PJ_ORIGIN_MISSING && (measured(c) || !l->measured_only);
}

static size_t companion_of(const struct ledger *l, size_t i)
{
    int32_t next = l->channels[i].companion;
    return next >= 0 && (size_t)next < l->n ? (size_t)next : l->n;
}

static bool leads_to(const struct ledger *l, size_t from, size_t to)
{
    size_t k = companion_of(l, from);
    for (size_t steps = 0; steps < l->n && k < l->n; steps++) {
        if (k == to) {
            return true;
        }
        k = companion_of(l, k);
    }
    return false;
}

/* Whether some channel that this one is only an alternative of can be used. In a circle of
 * alternatives, which no source should write, the first usable one is the preferred one. */
static bool superseded(const struct ledger *l, size_t i)
{
    size_t k = companion_of(l, i);
    for (size_t steps = 0; steps < l->n && k < l->n && k != i; steps++) {
        if (usable(l, k) && (k < i || !leads_to(l, k, i))) {
            return true;
        }
        k = companion_of(l, k);
    }
    return false;
}

static bool better(const struct ledger *l, size_t a, size_t b)
{
    const struct pji_channel *x = &l->channels[a], *y = &l->channels[b];
    return x->origin != y->origin ? x->origin < y->origin : a < b;
}

static void choose_each(struct ledger *l)
{
    for (size_t i = 0; i < l->n; i++) {
        l->in[i] = usable(l, i) && !superseded(l, i);
        for (size_t k = 0; l->in[i] && k < l->n; k++) {
            bool rival = k != i && strcmp(l->channels[k].domain, l->channels[i].domain) == 0 &&
                         usable(l, k) && !superseded(l, k);
            l->in[i] = !(rival && better(l, k, i));
        }
    }
}

/* ---- the tree ---- */

/* First row of a domain, n when nothing is known about it. */
static size_t row_of(const struct ledger *l, const char *domain)
{
    size_t i = 0;
    while (i < l->n && strcmp(l->channels[i].domain, domain) != 0) {
        i++;
    }
    return i;
}

/* Row of the parent, n at the root. DRAM hangs beside its package, not inside it, whatever the
 * folder of its zone suggests: its energy is not part of the package counter (Intel SDM vol. 3B,
 * 15.10.1). */
static size_t parent_of(const struct ledger *l, size_t row)
{
    const struct pji_channel *c = &l->channels[row];
    if (c->parent[0] == '\0' || strcmp(c->parent, c->domain) == 0) {
        return l->n;
    }
    size_t up = row_of(l, c->parent);
    for (size_t steps = 0; steps < l->n && up < l->n && c->domain_kind == PJI_DOMAIN_DRAM &&
                           l->channels[up].domain_kind == PJI_DOMAIN_PACKAGE;
         steps++) {
        up = l->channels[up].parent[0] != '\0' ? row_of(l, l->channels[up].parent) : l->n;
    }
    return up;
}

/* Whether domain `above` is a proper ancestor of channel i's domain. */
static bool descends(const struct ledger *l, size_t i, const char *above)
{
    size_t row = row_of(l, l->channels[i].domain);
    const char *own = l->channels[i].domain;
    for (size_t steps = 0; steps <= l->n; steps++) {
        row = parent_of(l, row);
        if (row >= l->n) {
            return false;
        }
        if (strcmp(l->channels[row].domain, above) == 0) {
            return strcmp(own, above) != 0;
        }
    }
    return false; /* parents that go in a circle */
}

static bool any_in(const struct ledger *l, enum pji_domain_kind kind, bool only_measured)
{
    for (size_t i = 0; i < l->n; i++) {
        if (l->in[i] && l->channels[i].domain_kind == kind &&
            (!only_measured || measured(&l->channels[i]))) {
            return true;
        }
    }
    return false;
}

static void drop(struct ledger *l, enum pji_domain_kind kind, bool only_modelled)
{
    for (size_t i = 0; i < l->n; i++) {
        if (l->channels[i].domain_kind == kind && !(only_modelled && measured(&l->channels[i]))) {
            l->in[i] = false;
        }
    }
}

/* A meter at the plug holds everything: the best one alone, there is one machine. */
static void choose_machine(struct ledger *l)
{
    size_t best = l->n;
    for (size_t i = 0; i < l->n; i++) {
        const struct pji_channel *c = &l->channels[i];
        if (l->in[i] && c->domain_kind == PJI_DOMAIN_MACHINE && measured(c) &&
            (best == l->n || better(l, i, best))) {
            best = i;
        }
    }
    for (size_t i = 0; best < l->n && i < l->n; i++) {
        l->in[i] = i == best;
    }
}

static void choose_kinds(struct ledger *l)
{
    const enum pji_domain_kind replaced[] = {PJI_DOMAIN_PACKAGE, PJI_DOMAIN_PSYS, PJI_DOMAIN_DRAM};
    for (size_t i = 0; i < sizeof replaced / sizeof replaced[0]; i++) {
        if (any_in(l, replaced[i], true)) {
            drop(l, replaced[i], true);
        }
    }
    if (any_in(l, PJI_DOMAIN_PACKAGE, true)) {
        drop(l, PJI_DOMAIN_PSYS, false);
    } else if (any_in(l, PJI_DOMAIN_PSYS, true)) {
        drop(l, PJI_DOMAIN_PACKAGE, false);
        drop(l, PJI_DOMAIN_CORE, false);
        drop(l, PJI_DOMAIN_UNCORE, false);
        drop(l, PJI_DOMAIN_DRAM, false);
    } else if (any_in(l, PJI_DOMAIN_PACKAGE, false)) {
        drop(l, PJI_DOMAIN_PSYS, false);
    }
    choose_machine(l);
}

/* ---- passes 3 and 4 ---- */

static bool is_leaf(const struct ledger *l, size_t i)
{
    for (size_t k = 0; k < l->n; k++) {
        if (descends(l, k, l->channels[i].domain)) {
            return false;
        }
    }
    return true;
}

/* Whether a measured channel of the set lies on the way from leaf `i` up to `top`. */
static bool covered_below(const struct ledger *l, size_t i, size_t top)
{
    for (size_t k = 0; k < l->n; k++) {
        if (l->in[k] && measured(&l->channels[k]) && descends(l, k, l->channels[top].domain) &&
            (strcmp(l->channels[k].domain, l->channels[i].domain) == 0 ||
             descends(l, i, l->channels[k].domain))) {
            return true;
        }
    }
    return false;
}

/* Parts of a package never add up to it, so a modelled package stays. */
static bool gives_way(const struct ledger *l, size_t top)
{
    const struct pji_channel *c = &l->channels[top];
    if (measured(c) || c->domain_kind == PJI_DOMAIN_PACKAGE || is_leaf(l, top)) {
        return false;
    }
    for (size_t i = 0; i < l->n; i++) {
        if (descends(l, i, c->domain) && is_leaf(l, i) && !covered_below(l, i, top)) {
            return false;
        }
    }
    return true;
}

static void choose_levels(struct ledger *l)
{
    for (size_t i = 0; i < l->n; i++) {
        if (l->in[i] && gives_way(l, i)) {
            l->in[i] = false;
        }
    }
    /* from a copy-free fixed point: an ancestor that leaves has an ancestor in the set itself */
    for (size_t i = 0; i < l->n; i++) {
        for (size_t k = 0; l->in[i] && k < l->n; k++) {
            l->in[i] = !(k != i && l->in[k] && descends(l, i, l->channels[k].domain));
        }
    }
}

void pji_ledger_cover_read(const struct pji_channel *channels, const struct pj_energy *energies,
                           size_t n, bool measured_only, bool *in_total)
{
    struct ledger ledger = {.channels = channels,
                            .energies = energies,
                            .n = n,
                            .measured_only = measured_only,
                            .in = in_total};
    choose_each(&ledger);
    choose_kinds(&ledger);
    choose_levels(&ledger);
}

void pji_ledger_cover(const struct pji_channel *channels, size_t n, bool measured_only,
                      bool *in_total)
{
    pji_ledger_cover_read(channels, NULL, n, measured_only, in_total);
}
