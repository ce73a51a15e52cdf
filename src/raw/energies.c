#include "raw/energies.h"

#include "core/units.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* The files name neither CPU nor GPU. RAPL of an unknown CPU is taken as good to 20 % and NVML's
 * power as good to 5 %, rectangular (GUM 4.3.7); where these limits come from stands in
 * docs/uncertainty.md. */
#define RAPL_LIMIT_REL 0.20
#define NVML_LIMIT_REL 0.05

/* RAPL counters refresh every millisecond (Intel SDM vol. 3B, 15.10.2). */
#define RAPL_REFRESH_NS PJI_NS_PER_MS
#define RAPL_UNIT_UJ    61.035

void pji_raw_domains_add(struct pji_raw_domains *domains, const struct pji_raw_column *column)
{
    uint64_t bit = column->number < 64 ? UINT64_C(1) << column->number : 0;
    domains->kinds |= UINT32_C(1) << column->kind;
    domains->packages |= column->kind == PJI_DOMAIN_PACKAGE ? bit : 0;
    domains->gpus |= column->kind == PJI_DOMAIN_GPU ? bit : 0;
}

/* ---- channels ---- */

static void name_domain(char *out, size_t size, enum pji_domain_kind kind, unsigned number)
{
    switch (kind) {
    case PJI_DOMAIN_PACKAGE:
        snprintf(out, size, "package-%u", number);
        return;
    case PJI_DOMAIN_CORE:
        snprintf(out, size, "package-%u/core", number);
        return;
    case PJI_DOMAIN_UNCORE:
        snprintf(out, size, "package-%u/uncore", number);
        return;
    case PJI_DOMAIN_DRAM:
        snprintf(out, size, "dram-%u", number);
        return;
    case PJI_DOMAIN_GPU:
        snprintf(out, size, "gpu-%u", number);
        return;
    case PJI_DOMAIN_MACHINE:
    case PJI_DOMAIN_PSYS:
    case PJI_DOMAIN_OTHER:
        break;
    }
    snprintf(out, size, "%s", pji_domain_kind_name(kind));
}

static void make_channel(struct pji_channel *channel, const struct pji_raw_column *column,
                         const struct pji_raw_modulus *modulus, int64_t interval_ns)
{
    bool gpu = column->kind == PJI_DOMAIN_GPU;
    bool part = column->kind == PJI_DOMAIN_CORE || column->kind == PJI_DOMAIN_UNCORE;
    *channel = (struct pji_channel){
        .domain_kind = column->kind,
        .kind = column->power ? PJI_GAUGE : PJI_COUNTER,
        .role = column->power ? PJI_ROLE_POWER : PJI_ROLE_ENERGY,
        .origin = column->power ? PJ_ORIGIN_INTEGRATED : PJ_ORIGIN_COUNTER,
        .modulus = (int64_t)llround(pji_uj_from_j(modulus->modulus_j)),
        .refresh_ns = column->power ? interval_ns : (gpu ? 0 : RAPL_REFRESH_NS),
        .quantum = column->power ? 1 : RAPL_UNIT_UJ,
        .gain_rel = (gpu ? NVML_LIMIT_REL : RAPL_LIMIT_REL) / sqrt(3),
        .companion = -1};
    if (modulus->unit_j > 0)
        channel->quantum = pji_uj_from_j(modulus->unit_j);
    if (gpu && !column->power)
        channel->quantum = pji_uj_from_j(1e-3);
    char domain[sizeof channel->domain];
    name_domain(domain, sizeof domain, column->kind, column->number);
    snprintf(channel->domain, sizeof channel->domain, "%s", domain);
    snprintf(channel->parent, sizeof channel->parent, "machine");
    if (part)
        name_domain(channel->parent, sizeof channel->parent, PJI_DOMAIN_PACKAGE, column->number);
    snprintf(channel->name, sizeof channel->name, "energibridge:%.32s:%s", domain,
             column->power ? "power" : "energy");
    snprintf(channel->source, sizeof channel->source, "energibridge");
    snprintf(channel->unit, sizeof channel->unit, "%s", column->power ? "mW" : "uJ");
    snprintf(channel->com_id, sizeof channel->com_id, "energibridge:%.48s", domain);
    snprintf(channel->device, sizeof channel->device, "%s", column->name);
}

/* ---- readings ---- */

static pj_status add(struct pji_series *series, int64_t t_ns, double value, struct pj_error *err)
{
    struct pji_reading reading = {.t_ns = t_ns, .status = PJI_READ_OK};
    if (isnan(value)) {
        reading.status = PJI_READ_FAILED;
        reading.value = ENODATA;
    } else {
        reading.value = (int64_t)llround(value);
    }
    return pji_series_add(series, &reading, err);
}

static pj_status feed_counter(struct pji_series *series, const struct pji_raw_samples *samples,
                              const double *values_j, struct pj_error *err)
{
    pj_status status = PJ_OK;
    for (size_t i = 0; i < samples->n && status == PJ_OK; i++) {
        /* of rows with one time stamp the last one stands for that time, except at the start */
        bool more = i + 1 < samples->n && samples->t_ns[i + 1] == samples->t_ns[i];
        if (more && i > 0)
            continue;
        status = add(series, samples->t_ns[i], pji_uj_from_j(values_j[i]), err);
    }
    return status;
}

/* Samples this many intervals apart have a gap between them: nothing is known about the power in it
 * but its ends, and the series' bridge is the trapezoid with the uncertainty of that. */
enum { GAP_INTERVALS = 6 };

static bool gap_behind(const struct pji_raw_samples *samples, size_t i)
{
    return i + 1 < samples->n && pji_s_from_ns(samples->t_ns[i + 1] - samples->t_ns[i]) >
                                     GAP_INTERVALS * samples->interval_s;
}

/* The value at the near end of a gap, a failed reading inside. The far end begins at its own time.
 */
static pj_status enter_gap(struct pji_series *series, const struct pji_raw_samples *samples,
                           size_t i, double value_mw, struct pj_error *err)
{
    pj_status status = add(series, samples->t_ns[i], value_mw, err);
    int64_t gap_ns = samples->t_ns[i + 1] - samples->t_ns[i];
    return status == PJ_OK ? add(series, samples->t_ns[i] + gap_ns / 2, (double)NAN, err) : status;
}

/* The trapezoidal rule as a hold: each value from the middle before to the middle behind it. */
static pj_status feed_power(struct pji_series *series, const struct pji_raw_samples *samples,
                            const double *values_w, struct pj_error *err)
{
    pj_status status = PJ_OK;
    const int64_t *t_ns = samples->t_ns;
    size_t last = samples->n - 1;
    for (size_t i = 0; i <= last && status == PJ_OK; i++) {
        int64_t from_ns = i == 0 ? t_ns[0] : t_ns[i - 1] + (t_ns[i] - t_ns[i - 1]) / 2;
        if (i > 0 && gap_behind(samples, i - 1))
            from_ns = t_ns[i];
        /* a first row of no length: the one behind it holds from there */
        if (i < last && t_ns[i + 1] == t_ns[0])
            continue;
        status = add(series, from_ns, values_w[i] * 1e3, err);
        if (status == PJ_OK && gap_behind(samples, i))
            status = enter_gap(series, samples, i, values_w[i] * 1e3, err);
    }
    if (status == PJ_OK && t_ns[last] > series->last_seen_ns)
        status = add(series, t_ns[last], values_w[last] * 1e3, err);
    return status;
}

static pj_status make_series(struct pji_raw_energies *e, const struct pji_raw_samples *samples,
                             size_t c, struct pj_error *err)
{
    const struct pji_raw_column *column = &samples->columns[c];
    struct pji_raw_modulus *modulus = &e->modulus[e->n];
    *modulus = (struct pji_raw_modulus){0};
    pj_status status = PJ_OK;
    if (!column->power)
        status = pji_raw_modulus_find(modulus, column->values, samples->t_ns, samples->n, err);
    make_channel(&e->channels[e->n], column, modulus, (int64_t)(samples->interval_s * 1e9));
    if (status == PJ_OK)
        status = pji_series_init(&e->series[e->n], &e->channels[e->n], true, err);
    if (status)
        return status;
    e->column[e->n] = c;
    struct pji_series *series = &e->series[e->n++];
    status = column->power ? feed_power(series, samples, column->values, err)
                           : feed_counter(series, samples, column->values, err);
    for (size_t i = 0; i < series->n_marks && column->kind == PJI_DOMAIN_PACKAGE; i++)
        e->wraps += (series->points[series->marks[i]].quality & PJ_QUALITY_WRAP) != 0;
    return status;
}

static void add_missing(struct pji_raw_energies *e, enum pji_domain_kind kind, unsigned number,
                        const char *reason)
{
    if (e->n_missing == PJI_RAW_COLUMNS)
        return;
    struct pji_missing *row = &e->missing[e->n_missing++];
    *row = (struct pji_missing){.domain_kind = kind};
    name_domain(row->domain, sizeof row->domain, kind, number);
    snprintf(row->source, sizeof row->source, "energibridge");
    snprintf(row->reason, sizeof row->reason, "%s", reason);
}

static void add_lacking(struct pji_raw_energies *e, const struct pji_raw_samples *samples,
                        const struct pji_raw_domains *expected)
{
    struct pji_raw_domains here = {0};
    for (size_t c = 0; c < samples->n_columns; c++)
        pji_raw_domains_add(&here, &samples->columns[c]);
    for (int kind = PJI_DOMAIN_MACHINE; kind <= PJI_DOMAIN_OTHER; kind++) {
        if ((expected->kinds & ~here.kinds & UINT32_C(1) << kind) != 0)
            add_missing(e, (enum pji_domain_kind)kind, 0, "this file has no column for it");
    }
}

pj_status pji_raw_energies_make(struct pji_raw_energies *energies,
                                const struct pji_raw_samples *samples,
                                const struct pji_raw_domains *expected, struct pj_error *err)
{
    struct pji_raw_energies *e = energies;
    pj_status status = PJ_OK;
    memset(e, 0, sizeof *e);
    for (size_t c = 0; c < samples->n_columns && status == PJ_OK; c++) {
        const struct pji_raw_column *column = &samples->columns[c];
        if (column->all_zero)
            add_missing(e, column->kind, column->number,
                        "its column is 0 throughout, as EnergiBridge writes what it cannot read");
        else
            status = make_series(e, samples, c, err);
    }
    e->first_lacking = e->n_missing;
    if (status == PJ_OK && expected != NULL)
        add_lacking(e, samples, expected);
    if (status != PJ_OK)
        pji_raw_energies_fini(e);
    return status;
}

void pji_raw_energies_fini(struct pji_raw_energies *energies)
{
    for (size_t i = 0; i < energies->n; i++)
        pji_series_fini(&energies->series[i]);
    energies->n = 0;
}

/* ---- windows ---- */

/* Power around an instant, W: of the interval of one second about it. */
static double power_at(const struct pji_raw_energies *e, size_t i, int64_t t_ns)
{
    const struct pji_series *s = &e->series[i];
    if (s->n < 2)
        return 0;
    int64_t from_ns = t_ns - PJI_NS_PER_S / 2, to_ns = t_ns + PJI_NS_PER_S / 2;
    int64_t first_ns = s->points[0].t_ns, last_ns = s->points[s->n - 1].t_ns;
    struct pj_energy around;
    from_ns = from_ns > first_ns ? from_ns : first_ns;
    to_ns = to_ns < last_ns ? to_ns : last_ns;
    if (to_ns <= from_ns)
        return 0;
    pji_series_window(s, NULL, from_ns, to_ns, &around);
    return around.origin != PJ_ORIGIN_MISSING ? around.value_j / pji_s_from_ns(to_ns - from_ns) : 0;
}

/* A stamp cut to whole units is up to one unit early: mean square 1/3 unit about the stamp. */
static double doubt_j(double power_w, int64_t stamp_ns)
{
    return power_w * pji_s_from_ns(stamp_ns) / sqrt(3);
}

static bool inside(const struct pji_raw_energies *e, size_t i, int64_t t_ns)
{
    const struct pji_series *s = &e->series[i];
    return s->n > 1 && t_ns > s->points[0].t_ns && t_ns < s->points[s->n - 1].t_ns;
}

struct doubts {
    double start_j, end_j;
};

static void add_doubt(struct pj_energy *energy, struct doubts doubts)
{
    if (energy->origin != PJ_ORIGIN_MISSING)
        energy->u_ind_j = sqrt(energy->u_ind_j * energy->u_ind_j + doubts.start_j * doubts.start_j +
                               doubts.end_j * doubts.end_j);
}

static void sum_kind(const struct pji_raw_energies *e, const struct pji_raw_window *window,
                     enum pji_domain_kind kind, const struct doubts *doubts, struct pj_energy *out)
{
    struct doubts all = {0};
    bool any = false;
    *out = (struct pj_energy){0};
    for (size_t i = 0; i < e->n; i++) {
        if (e->channels[i].domain_kind != kind || !window->in_total[i])
            continue;
        pji_energy_add(out, &window->channels[i]);
        all.start_j += doubts[i].start_j;
        all.end_j += doubts[i].end_j;
        any = true;
    }
    if (!any)
        pji_energy_missing(out, kind == PJI_DOMAIN_GPU ? "no GPU was recorded"
                                                       : "no CPU package was recorded");
    add_doubt(out, all);
}

void pji_raw_energies_window(const struct pji_raw_energies *energies, int64_t start_ns,
                             int64_t end_ns, int64_t stamp_ns, struct pji_raw_window *out)
{
    const struct pji_raw_energies *e = energies;
    struct doubts doubts[PJI_RAW_COLUMNS] = {{0}}, all = {0};
    memset(out, 0, sizeof *out);
    for (size_t i = 0; i < e->n; i++) {
        pji_series_window(&e->series[i], NULL, start_ns, end_ns, &out->channels[i]);
        if (stamp_ns > 0 && inside(e, i, start_ns))
            doubts[i].start_j = doubt_j(power_at(e, i, start_ns), stamp_ns);
        if (stamp_ns > 0 && inside(e, i, end_ns))
            doubts[i].end_j = doubt_j(power_at(e, i, end_ns), stamp_ns);
    }
    pji_ledger_cover_read(e->channels, out->channels, e->n, false, out->in_total);
    pji_ledger_total(&out->total, e->channels, out->channels, out->in_total, e->n, e->missing,
                     e->n_missing);
    sum_kind(e, out, PJI_DOMAIN_PACKAGE, doubts, &out->cpu);
    sum_kind(e, out, PJI_DOMAIN_GPU, doubts, &out->gpu);
    for (size_t i = 0; i < e->n; i++) {
        if (out->in_total[i]) {
            all.start_j += doubts[i].start_j;
            all.end_j += doubts[i].end_j;
        }
        add_doubt(&out->channels[i], doubts[i]);
    }
    add_doubt(&out->total.energy, all);
}
