/* energy/total.c - the sum over a cover, its split into measured and modelled, and its name.
 *
 * "machine" is a claim: everything that is known to draw power here was added. It is refused as
 * soon as something known is unread, and it takes a measured processor (package or psys) or a
 * meter at the plug.
 */
#include "energy/ledger.h"

#include "energy/ratio.h"

#include <stdio.h>
#include <string.h>

struct cover {
    const struct pji_channel *channels;
    const struct pj_energy *energies;
    const bool *in;
    size_t n;
};

static bool measured(const struct pji_channel *c)
{
    return c->origin == PJ_ORIGIN_COUNTER || c->origin == PJ_ORIGIN_INTEGRATED;
}

static bool added(const struct cover *c, size_t i)
{
    return c->in[i] && c->energies[i].origin != PJ_ORIGIN_MISSING;
}

static bool together(const struct cover *c, size_t i, size_t k)
{
    return strcmp(c->energies[i].com_id, c->energies[k].com_id) == 0 ||
           pji_energy_same_class(&c->energies[i], &c->energies[k]);
}

/* Adds those of the cover that `want` asks for, one class of instruments after the other, so that
 * what they share is added linearly before it meets the others. */
static void add_up(const struct cover *c, struct pj_energy *sum, bool want_measured,
                   bool want_modelled)
{
    *sum = (struct pj_energy){0};
    for (size_t i = 0; i < c->n; i++) {
        bool first = c->in[i];
        for (size_t k = 0; first && k < i; k++) {
            first = !(c->in[k] && together(c, i, k));
        }
        if (!first) {
            continue;
        }
        struct pj_energy group = {0};
        bool any = false;
        for (size_t k = i; k < c->n; k++) {
            bool wanted = measured(&c->channels[k]) ? want_measured : want_modelled;
            if (c->in[k] && wanted && together(c, i, k)) {
                pji_energy_add(&group, &c->energies[k]);
                any = true;
            }
        }
        if (any) {
            pji_energy_add(sum, &group);
        }
    }
}

static bool kind_added(const struct cover *c, enum pji_domain_kind kind, bool only_measured)
{
    for (size_t i = 0; i < c->n; i++) {
        if (added(c, i) && c->channels[i].domain_kind == kind &&
            (!only_measured || measured(&c->channels[i]))) {
            return true;
        }
    }
    return false;
}

/* Whether a row "exists but was not read" is contained in something that was added. */
static bool row_covered(const struct cover *c, const struct pji_missing *row)
{
    for (size_t i = 0; i < c->n; i++) {
        if (added(c, i) && strcmp(c->channels[i].domain, row->domain) == 0) {
            return true;
        }
    }
    if (kind_added(c, PJI_DOMAIN_MACHINE, true)) {
        return true;
    }
    bool numbered = strpbrk(row->domain, "0123456789") != NULL;
    switch (row->domain_kind) {
    case PJI_DOMAIN_MACHINE: /* no meter at the plug: the sum of the parts is as good */
    case PJI_DOMAIN_PSYS:
    case PJI_DOMAIN_CORE:
    case PJI_DOMAIN_UNCORE:
        return kind_added(c, PJI_DOMAIN_PACKAGE, false) || kind_added(c, PJI_DOMAIN_PSYS, false);
    case PJI_DOMAIN_PACKAGE: /* one instrument denied, another one read the packages */
        return kind_added(c, PJI_DOMAIN_PSYS, true) ||
               (!numbered && kind_added(c, PJI_DOMAIN_PACKAGE, false));
    case PJI_DOMAIN_DRAM:
        return kind_added(c, PJI_DOMAIN_PSYS, true) ||
               (!numbered && kind_added(c, PJI_DOMAIN_DRAM, false));
    case PJI_DOMAIN_GPU:
    case PJI_DOMAIN_OTHER:
        return false;
    }
    return false;
}

static const struct pji_missing *first_unread(const struct cover *c,
                                              const struct pji_missing *missing, size_t n_missing)
{
    for (size_t i = 0; i < n_missing; i++) {
        if (!row_covered(c, &missing[i])) {
            return &missing[i];
        }
    }
    return NULL;
}

static const char *label_of(const struct cover *c, const struct pji_total *t)
{
    bool some_measured = t->measured.origin != PJ_ORIGIN_MISSING;
    bool some_modelled = t->modelled.origin != PJ_ORIGIN_MISSING;
    if (!some_measured) {
        return some_modelled ? "modelled, not measured" : "nothing measured";
    }
    bool whole = (t->energy.quality & PJ_QUALITY_PARTIAL) == 0 &&
                 (kind_added(c, PJI_DOMAIN_MACHINE, true) || kind_added(c, PJI_DOMAIN_PSYS, true) ||
                  kind_added(c, PJI_DOMAIN_PACKAGE, true));
    if (whole) {
        return some_modelled ? "machine, partly modelled" : "machine";
    }
    return some_modelled ? "measured and modelled domains" : "measured domains";
}

void pji_ledger_total(struct pji_total *out, const struct pji_channel *channels,
                      const struct pj_energy *energies, const bool *in_total, size_t n,
                      const struct pji_missing *missing, size_t n_missing)
{
    struct cover cover = {.channels = channels, .energies = energies, .in = in_total, .n = n};
    *out = (struct pji_total){0};
    add_up(&cover, &out->energy, true, true);
    add_up(&cover, &out->measured, true, false);
    add_up(&cover, &out->modelled, false, true);
    const struct pji_missing *unread = first_unread(&cover, missing, n_missing);
    if (unread != NULL) {
        out->energy.quality |= PJ_QUALITY_PARTIAL;
        if (out->energy.reason[0] == '\0') {
            snprintf(out->energy.reason, sizeof out->energy.reason, "%.40s: %.140s", unread->domain,
                     unread->reason);
        }
    } else if (out->energy.origin == PJ_ORIGIN_MISSING && out->energy.reason[0] == '\0') {
        pji_energy_missing(&out->energy, "no instrument gave a value");
    }
    if (out->measured.origin == PJ_ORIGIN_MISSING && out->measured.reason[0] == '\0') {
        pji_energy_missing(&out->measured, "nothing was measured");
    }
    if (out->modelled.origin == PJ_ORIGIN_MISSING && out->modelled.reason[0] == '\0') {
        pji_energy_missing(&out->modelled, "nothing was modelled");
    }
    snprintf(out->label, sizeof out->label, "%s", label_of(&cover, out));
}
