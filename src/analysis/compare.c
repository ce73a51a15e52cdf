/* analysis/compare.c - treatments against the first one, within blocks, on the ratio. */
#include "analysis/parts.h"

#include "core/array.h"
#include "core/str.h"
#include "energy/series.h"
#include "stats/interval.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const double level = 0.95;
/* Two arms saw "the same" utilisation when their means differ by no more than this (share). */
static const double same_utilisation = 0.05;

/* Which part of the total a figure rests on. */
enum part { NO_ENERGY, WHOLE_TOTAL, MEASURED_PART, NET_TOTAL };

static const struct {
    const char *name;
    enum part part;
} compared[] = {
    {"j_per_token", WHOLE_TOTAL},
    {"j_per_token_measured", MEASURED_PART},
    {"j_per_request", WHOLE_TOTAL},
    {"energy_j", WHOLE_TOTAL},
    {"energy_measured_j", MEASURED_PART},
    {"dur_s", NO_ENERGY},
    {"output_tok_per_s", NO_ENERGY},
    {"ttft_s", NO_ENERGY},
    {"tpot_s", NO_ENERGY},
    {"j_per_correct", WHOLE_TOTAL},
    {"energy_net_j", NET_TOTAL},
};

struct pairs {
    double *base, *other;
    double rest_sum;        /* of the relative common uncertainty that did not cancel */
    double utilisation_sum; /* of the differences of utilisation, other - base; NaN: unknown */
    enum part part;
    size_t n, modelled, energies, cancelled;
    size_t not_above_zero; /* pairs with a net energy that is not */
};

enum { MAX_PARTS = 64 };

static const struct pji_gathered_trial *in_block(const struct pji_gathered *g, int64_t cell,
                                                 int64_t block)
{
    for (size_t i = 0; i < g->n; i++) {
        const struct pji_gathered_trial *t = &g->trials[i];
        if (t->cell == cell && t->block == block && t->state == PJI_TRIAL_DONE)
            return t;
    }
    return NULL;
}

static bool is_modelled(const struct pj_energy *e)
{
    return e->origin == PJ_ORIGIN_MODELLED || e->origin == PJ_ORIGIN_CONSTANT;
}

/* The parts of a trial's total that count for `part`, or all of them; says whether all are
 * modelled. */
static size_t parts_of(struct pj_energy *parts, const struct pji_gathered_trial *trial,
                       const char *task, enum part part, bool *all_modelled)
{
    size_t all = pji_gathered_parts(trial, task, parts, MAX_PARTS);
    size_t n = 0;
    *all_modelled = true;
    for (size_t i = 0; i < all; i++) {
        *all_modelled = *all_modelled && is_modelled(&parts[i]);
        if (part != MEASURED_PART || !is_modelled(&parts[i]))
            parts[n++] = parts[i];
    }
    return n;
}

/* What is left open of the gross energies is the same joules of the net ones, so a larger share;
 * less what the baselines have of it too, which nobody states for their ratio. */
static double amplified(const struct pj_energy *gross, const struct pji_gathered_trial *trial,
                        const char *task)
{
    const struct pji_gathered_metric *net = pji_gathered_find(trial, task, "energy_net_j");
    return net != NULL && net->value > 0 ? fmax(gross->value_j / net->value, 1) : 1;
}

static void add_energy(struct pairs *p, const struct pji_gathered_trial *base,
                       const struct pji_gathered_trial *other, const char *task)
{
    const struct pj_energy *eb = pji_gathered_energy(base, task);
    const struct pj_energy *eo = pji_gathered_energy(other, task);
    const struct pji_gathered_metric *ub = pji_gathered_find(base, task, "utilisation_share");
    const struct pji_gathered_metric *uo = pji_gathered_find(other, task, "utilisation_share");
    struct pj_energy parts_b[MAX_PARTS];
    struct pj_energy parts_o[MAX_PARTS];
    struct pji_ratio ratio;
    if (eb == NULL || eo == NULL)
        return;
    /* By parts: what two totals of several instruments share cancels instrument by instrument. */
    bool modelled_b = false;
    bool modelled_o = false;
    size_t n_b = parts_of(parts_b, base, task, p->part, &modelled_b);
    size_t n_o = parts_of(parts_o, other, task, p->part, &modelled_o);
    if (pji_energy_ratio_parts(&ratio, parts_o, n_o, parts_b, n_b, NULL) != PJ_OK ||
        !(ratio.value > 0))
        return;
    p->energies++;
    double by =
        p->part == NET_TOTAL ? fmax(amplified(eb, base, task), amplified(eo, other, task)) : 1;
    p->rest_sum += by * ratio.u_com / ratio.value;
    p->cancelled += ratio.cancelled ? 1 : 0;
    if (modelled_b && modelled_o)
        p->modelled++;
    p->utilisation_sum += ub != NULL && uo != NULL ? uo->value - ub->value : (double)NAN;
}

static void collect(struct pairs *p, const struct pji_gathered *g, const struct pji_comparison *c,
                    int64_t base_cell, int64_t other_cell)
{
    for (size_t i = 0; i < g->n; i++) {
        const struct pji_gathered_trial *base = &g->trials[i];
        if (base->cell != base_cell || base->state != PJI_TRIAL_DONE)
            continue;
        const struct pji_gathered_trial *other = in_block(g, other_cell, base->block);
        if (other == NULL)
            continue;
        const struct pji_gathered_metric *mb = pji_gathered_find(base, c->task, c->name);
        const struct pji_gathered_metric *mo = pji_gathered_find(other, c->task, c->name);
        if (mb == NULL || mo == NULL || isnan(mb->value) || isnan(mo->value))
            continue;
        if (!(mb->value > 0) || !(mo->value > 0)) {
            p->not_above_zero++;
            continue;
        }
        p->base[p->n] = mb->value;
        p->other[p->n++] = mo->value;
        if (c->energy)
            add_energy(p, base, other, c->task);
    }
}

/* Where no trial of a treatment is done: how they ended, and why the first did. */
static bool all_undone(char *text, size_t size, const struct pji_treatment *t,
                       const struct pji_gathered *g)
{
    const struct pji_gathered_trial *first = NULL;
    if (t->done > 0 || t->failed + t->invalid == 0)
        return false;
    for (size_t i = 0; i < g->n && first == NULL; i++)
        if (g->trials[i].cell == t->cell && g->trials[i].reason != NULL &&
            g->trials[i].reason[0] != '\0')
            first = &g->trials[i];
    struct pji_str words = {0};
    const struct {
        size_t n;
        const char *state;
    } ends[] = {{t->invalid, "invalid"}, {t->failed, "failed"}, {t->open, "open"}};
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++)
        if (ends[i].n > 0)
            pji_str_addf(&words, "%s%zu %s", words.text != NULL ? ", " : "", ends[i].n,
                         ends[i].state);
    snprintf(text, size, "no trial of %s is done (%s%s%s)", t->label, pji_str_text(&words),
             first != NULL ? "; " : "", first != NULL ? first->reason : "");
    pji_str_fini(&words);
    return true;
}

static void why_unpaired(struct pji_comparison *c, const struct pji_summary *s,
                         const struct pji_gathered *g)
{
    if (!all_undone(c->reason, sizeof c->reason, &s->treatments[c->other], g) &&
        !all_undone(c->reason, sizeof c->reason, &s->treatments[c->base], g))
        snprintf(c->reason, sizeof c->reason, "no block has both treatments done with a value");
}

static pj_status judge(struct pji_comparison *c, const struct pairs *p, struct pj_error *err)
{
    struct pji_ratio_ci ci;
    c->n_blocks = p->n;
    c->ratio = c->lo = c->hi = (double)NAN;
    c->verdict = PJI_VERDICT_NONE;
    if (p->part == NET_TOTAL && p->not_above_zero > 0) { /* leaving those out would choose */
        snprintf(c->reason, sizeof c->reason, "in %zu of %zu blocks a net energy is not above zero",
                 p->not_above_zero, p->n + p->not_above_zero);
        return PJ_OK;
    }
    if (p->n == 0)
        return PJ_OK;
    if (c->energy && p->energies < p->n) {
        snprintf(c->reason, sizeof c->reason, "the energy of some trials is missing");
        return PJ_OK;
    }
    c->u_rest = c->energy ? p->rest_sum / (double)p->n : 0;
    c->cancelled = c->energy && p->cancelled == p->n;
    c->ratio_of_times = c->energy && p->part != NET_TOTAL && p->modelled == p->n &&
                        fabs(p->utilisation_sum / (double)p->n) <= same_utilisation;
    pj_status status = pji_ratio_ci(p->other, p->base, p->n, c->u_rest, level, &ci, err);
    if (status < 0)
        return status;
    c->ratio = ci.ratio;
    if (p->n < 2) {
        snprintf(c->reason, sizeof c->reason, "one block carries no interval");
        return PJ_OK;
    }
    c->lo = ci.lo;
    c->hi = ci.hi;
    if (c->hi < 1)
        c->verdict = PJI_VERDICT_LOWER;
    else if (c->lo > 1)
        c->verdict = PJI_VERDICT_HIGHER;
    else
        c->verdict = PJI_VERDICT_UNDECIDED;
    return PJ_OK;
}

static pj_status compare_one(struct pji_summary *s, const struct pji_gathered *g, size_t *cap,
                             const struct pji_figure *figure, size_t other, enum part part,
                             struct pj_error *err)
{
    struct pairs p = {.part = part};
    pj_status status =
        pji_array_reserve(&s->comparisons, cap, s->n_comparisons + 1, sizeof *s->comparisons, err);
    if (status != PJ_OK)
        return status;
    struct pji_comparison *c = &s->comparisons[s->n_comparisons++];
    *c = (struct pji_comparison){.task = pji_dup(figure->task, err),
                                 .name = pji_dup(figure->name, err),
                                 .other = other,
                                 .energy = part != NO_ENERGY};
    p.base = pji_zalloc(g->n + 1, sizeof *p.base, err);
    p.other = pji_zalloc(g->n + 1, sizeof *p.other, err);
    status = PJ_ENOMEM;
    if (c->task != NULL && c->name != NULL && p.base != NULL && p.other != NULL) {
        collect(&p, g, c, s->treatments[0].cell, s->treatments[other].cell);
        status = judge(c, &p, err);
        if (c->n_blocks == 0 && c->reason[0] == '\0')
            why_unpaired(c, s, g);
    }
    free(p.base);
    free(p.other);
    return status;
}

pj_status pji_summary_compare(struct pji_summary *summary, const struct pji_gathered *g,
                              struct pj_error *err)
{
    size_t cap = 0;
    pj_status status = PJ_OK;
    for (size_t other = 1; other < summary->n_treatments; other++) {
        const struct pji_treatment *base = &summary->treatments[0];
        for (size_t f = 0; f < base->n_figures; f++) {
            for (size_t k = 0; k < sizeof compared / sizeof compared[0]; k++) {
                if (strcmp(base->figures[f].name, compared[k].name) != 0)
                    continue;
                status =
                    compare_one(summary, g, &cap, &base->figures[f], other, compared[k].part, err);
                if (status != PJ_OK)
                    return status;
            }
        }
    }
    return status;
}
