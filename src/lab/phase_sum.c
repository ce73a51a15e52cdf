/* lab/phase_sum.c - see phase_sum.h. */
#include "lab/phase_sum.h"

#include "core/array.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct spell {
    int64_t start_ns, end_ns;
};

static int by_start(const void *a, const void *b)
{
    const struct spell *x = a, *y = b;
    return (x->start_ns > y->start_ns) - (x->start_ns < y->start_ns);
}

/* The phases that began, in order of time. */
static struct spell *ordered(const struct pji_trial_data *data, size_t *n, struct pj_error *err)
{
    struct spell *spells = pji_zalloc(data->n + 1, sizeof *spells, err);
    *n = 0;
    for (size_t i = 0; spells != NULL && i < data->n; i++) {
        if (pji_phase_began(&data->phases[i]))
            spells[(*n)++] = (struct spell){data->phases[i].start_ns, data->phases[i].end_ns};
    }
    if (spells != NULL && *n > 1)
        qsort(spells, *n, sizeof *spells, by_start);
    return spells;
}

struct maker {
    struct pji_phase_sum *sum;
    const struct pji_trace *trace;
    struct pj_energy *energies; /* scratch */
    bool *in;
};

static void add_gap(struct maker *m, int64_t start_ns, int64_t end_ns)
{
    struct pji_total ignored = {0};
    if (end_ns <= start_ns)
        return;
    pji_trace_window(m->trace, start_ns, end_ns, false, m->energies, m->in, &ignored);
    for (size_t i = 0; i < m->trace->header.n_channels; i++)
        pji_energy_add(&m->sum->between[i], &m->energies[i]);
}

static void add_gaps(struct maker *m, const struct spell *spells, size_t n)
{
    const struct pji_trace_header *header = &m->trace->header;
    int64_t covered_ns = header->t_ns;
    for (size_t i = 0; i < n; i++) {
        add_gap(m, covered_ns, spells[i].start_ns);
        covered_ns = spells[i].end_ns > covered_ns ? spells[i].end_ns : covered_ns;
    }
    add_gap(m, covered_ns, m->trace->footer.t_ns);
    for (size_t i = 0; i < header->n_channels; i++) {
        struct pj_energy *e = &m->sum->between[i];
        if (e->origin == PJ_ORIGIN_MISSING && e->reason[0] == '\0')
            pji_energy_missing(e, "every moment of the attempt belongs to a phase");
    }
    pji_ledger_cover_read(header->channels, m->sum->between, header->n_channels, false,
                          m->sum->in_total);
    pji_ledger_total(&m->sum->total, header->channels, m->sum->between, m->sum->in_total,
                     header->n_channels, header->missing, header->n_missing);
}

static double total_j(struct maker *m, int64_t start_ns, int64_t end_ns)
{
    struct pji_total total = {0};
    pji_trace_window(m->trace, start_ns, end_ns, false, m->energies, m->in, &total);
    return total.energy.origin != PJ_ORIGIN_MISSING ? total.energy.value_j : (double)NAN;
}

/* Holds the sum against the whole. Without any between (no gap) there is nothing to add. */
static void compare(struct maker *m, const struct spell *spells, size_t n)
{
    struct pji_phase_sum *sum = m->sum;
    double whole_j = total_j(m, m->trace->header.t_ns, m->trace->footer.t_ns);
    const struct pj_energy *rest = &sum->total.energy;
    double parts_j = rest->origin != PJ_ORIGIN_MISSING ? rest->value_j : 0;
    for (size_t i = 0; i < n; i++)
        parts_j += total_j(m, spells[i].start_ns, spells[i].end_ns);
    sum->off_share = fabs(parts_j - whole_j) / whole_j;
    if (isfinite(sum->off_share))
        return;
    sum->off_share = (double)NAN;
    snprintf(sum->reason, sizeof sum->reason, "%s",
             !isfinite(whole_j)   ? "the attempt has no total"
             : !isfinite(parts_j) ? "a phase has no total"
                                  : "the attempt's total is 0");
}

pj_status pji_phase_sum_make(struct pji_phase_sum *sum, const struct pji_trial_data *data,
                             struct pj_error *err)
{
    size_t n = 0, channels = data->trace.header.n_channels + 1;
    *sum = (struct pji_phase_sum){.off_share = (double)NAN};
    struct maker m = {.sum = sum, .trace = &data->trace};
    struct spell *spells = ordered(data, &n, err);
    sum->between = pji_zalloc(channels, sizeof *sum->between, err);
    sum->in_total = pji_zalloc(channels, sizeof *sum->in_total, err);
    m.energies = pji_zalloc(channels, sizeof *m.energies, err);
    m.in = pji_zalloc(channels, sizeof *m.in, err);
    bool good = spells != NULL && sum->between != NULL && sum->in_total != NULL &&
                m.energies != NULL && m.in != NULL;
    if (good) {
        add_gaps(&m, spells, n);
        compare(&m, spells, n);
    }
    free(m.energies);
    free(m.in);
    free(spells);
    return good ? PJ_OK : PJ_ENOMEM;
}

void pji_phase_sum_fini(struct pji_phase_sum *sum)
{
    free(sum->between);
    free(sum->in_total);
    *sum = (struct pji_phase_sum){0};
}
