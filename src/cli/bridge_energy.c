/* EnergiBridge 0.0.7 knows these columns: on Intel PACKAGE, PP0 (cores), PP1 (uncore) and DRAM, of
 * the socket of CPU 0; on AMD CPU_ENERGY, which each core overwrites with its own socket's counter,
 * so that the last socket stays. Its per-core columns on AMD come from registers that no
 * instrument here reads: absent.
 */
#include "cli/bridge_energy.h"

#include "core/array.h"
#include "core/units.h"
#include "sources/cpu_info.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PACKAGE, CORES, UNCORE, DRAM };

static const struct {
    enum pji_domain_kind kind;
    const char *name, *name_amd; /* NULL: not a column there */
} shapes[PJI_BRIDGE_DOMAINS] = {
    [PACKAGE] = {PJI_DOMAIN_PACKAGE, "PACKAGE_ENERGY (J)", "CPU_ENERGY (J)"},
    [CORES] = {PJI_DOMAIN_CORE, "PP0_ENERGY (J)", NULL},
    [UNCORE] = {PJI_DOMAIN_UNCORE, "PP1_ENERGY (J)", NULL},
    [DRAM] = {PJI_DOMAIN_DRAM, "DRAM_ENERGY (J)", "DRAM_ENERGY (J)"},
};

static const struct pji_channel_table *channels_of(const struct pji_bridge_energy *energy)
{
    return pji_meter_channels(energy->tally->instruments->meter);
}

static bool is_measured(const struct pji_channel *channel)
{
    return (channel->role == PJI_ROLE_ENERGY || channel->role == PJI_ROLE_POWER) &&
           (channel->origin == PJ_ORIGIN_COUNTER || channel->origin == PJ_ORIGIN_INTEGRATED);
}

/* ---- columns ---- */

static bool has_domain(const struct pji_bridge_energy *energy,
                       const struct pji_bridge_domain *domain, const char *name)
{
    const struct pji_channel_table *table = channels_of(energy);

    for (size_t i = 0; i < domain->n; i++) {
        if (strcmp(table->channels[domain->members[i].channel].domain, name) == 0)
            return true;
    }
    return false;
}

/* The first channel of each domain of one kind: the table is in order of preference. */
static pj_status find_members(struct pji_bridge_energy *energy, size_t which, struct pj_error *err)
{
    const struct pji_channel_table *table = channels_of(energy);
    struct pji_bridge_domain *domain = &energy->domains[which];

    for (size_t i = 0; i < table->n; i++) {
        const struct pji_channel *channel = &table->channels[i];
        pj_status status;

        if (channel->domain_kind != shapes[which].kind || !is_measured(channel) ||
            channel->companion >= 0 || has_domain(energy, domain, channel->domain))
            continue;
        status = pji_array_reserve(&domain->members, &domain->cap, domain->n + 1,
                                   sizeof *domain->members, err);
        if (status)
            return status;
        domain->members[domain->n++] = (struct pji_bridge_member){.channel = (int32_t)i};
    }
    return PJ_OK;
}

static pj_status add_gpu(struct pji_bridge_energy *energy, size_t channel, const char *name,
                         unsigned number, double scale, struct pji_bridge_table *table,
                         struct pj_error *err)
{
    struct pji_bridge_gpu *gpu;
    pj_status status = pji_array_reserve(&energy->gpus, &energy->cap_gpus, energy->n_gpus + 1,
                                         sizeof *energy->gpus, err);

    if (status)
        return status;
    gpu = &energy->gpus[energy->n_gpus++];
    *gpu = (struct pji_bridge_gpu){.channel = (int32_t)channel, .scale = scale};
    return pji_bridge_table_add(table, &gpu->column, err, "GPU%u_%s", number, name);
}

/* Power from the sensor's buffer or, where there is none, the driver's reading; temperature. */
static pj_status find_gpus(struct pji_bridge_energy *energy, struct pji_bridge_table *table,
                           struct pj_error *err)
{
    const struct pji_channel_table *channels = channels_of(energy);
    pj_status status = PJ_OK;

    for (size_t i = 0; i < channels->n && !status; i++) {
        const struct pji_channel *channel = &channels->channels[i];
        char what[16];
        unsigned number;

        if (channel->domain_kind != PJI_DOMAIN_GPU ||
            sscanf(channel->name, "nvml:%u:%15s", &number, what) != 2)
            continue;
        if (strcmp(what, "power") == 0 || strcmp(what, "usage") == 0)
            status = add_gpu(energy, i, "POWER (mWatts)", number, 1, table, err);
        else if (strcmp(what, "temp") == 0)
            status = add_gpu(energy, i, "TEMPERATURE", number, 1e-3, table, err);
    }
    return status;
}

pj_status pji_bridge_energy_init(struct pji_bridge_energy *energy, const struct pji_tally *tally,
                                 bool literal, struct pji_bridge_table *table, struct pj_error *err)
{
    struct pji_cpu_info cpu;
    pj_status status = PJ_OK;

    pji_cpu_info_read(&tally->instruments->platform, &cpu);
    *energy = (struct pji_bridge_energy){
        .tally = tally, .literal = literal, .amd = strcmp(cpu.vendor, "AuthenticAMD") == 0};
    for (size_t i = 0; i < PJI_BRIDGE_DOMAINS && !status; i++) {
        const char *name = energy->amd ? shapes[i].name_amd : shapes[i].name;

        if (name)
            status = find_members(energy, i, err);
        if (!status && energy->domains[i].n > 0)
            status = pji_bridge_table_add(table, &energy->domains[i].column, err, "%s", name);
    }
    return status ? status : find_gpus(energy, table, err);
}

void pji_bridge_energy_fini(struct pji_bridge_energy *energy)
{
    for (size_t i = 0; i < PJI_BRIDGE_DOMAINS; i++)
        free(energy->domains[i].members);
    free(energy->gpus);
    *energy = (struct pji_bridge_energy){0};
}

/* ---- rows ---- */

static const struct pji_reading *latest(const struct pji_bridge_energy *energy, int32_t channel)
{
    const struct pji_reading *reading = &energy->tally->latest[channel];

    return reading->t_ns != 0 && reading->status == PJI_READ_OK ? reading : NULL;
}

/* The socket whose counter the literal column shows. */
static const struct pji_bridge_member *literal_member(const struct pji_bridge_energy *energy,
                                                      size_t which)
{
    const struct pji_bridge_domain *domain = &energy->domains[which];

    return &domain->members[energy->amd ? domain->n - 1 : 0];
}

static bool is_counter(const struct pji_bridge_energy *energy, int32_t channel)
{
    return channels_of(energy)->channels[channel].kind == PJI_COUNTER;
}

/* NaN when it is not known. */
static double member_j(const struct pji_bridge_energy *energy, struct pji_bridge_member *member)
{
    const struct pji_reading *reading = latest(energy, member->channel);
    struct pj_energy used = {.origin = PJ_ORIGIN_COUNTER};

    if (!energy->started && is_counter(energy, member->channel)) {
        if (!reading)
            return (double)NAN;
        member->first_uj = reading->value;
    }
    if (energy->started)
        pji_series_total(&energy->tally->run.series[member->channel], NULL, &used);
    if (used.origin == PJ_ORIGIN_MISSING)
        return (double)NAN;
    return pji_j_from_uj((double)member->first_uj) + used.value_j;
}

static double literal_j(const struct pji_bridge_energy *energy, size_t which)
{
    const struct pji_reading *reading = latest(energy, literal_member(energy, which)->channel);

    return reading ? pji_j_from_uj((double)reading->value) : (double)NAN;
}

static double domain_j(struct pji_bridge_energy *energy, size_t which)
{
    struct pji_bridge_domain *domain = &energy->domains[which];
    double sum_j = 0;

    if (energy->literal && is_counter(energy, domain->members[0].channel))
        return literal_j(energy, which);
    for (size_t i = 0; i < domain->n; i++)
        sum_j += member_j(energy, &domain->members[i]);
    return sum_j;
}

/* EnergiBridge differences the rows while the command runs: the last one is not added. */
static void note_literal(struct pji_bridge_energy *energy)
{
    const struct pji_reading *reading;

    if (energy->domains[PACKAGE].n == 0)
        return;
    reading = latest(energy, literal_member(energy, PACKAGE)->channel);
    if (!reading)
        return;
    if (!energy->started)
        energy->literal_first_uj = reading->value;
    energy->literal_last_uj = reading->value;
}

void pji_bridge_energy_row(struct pji_bridge_energy *energy, bool last,
                           struct pji_bridge_table *table)
{
    if (!last)
        note_literal(energy);
    for (size_t i = 0; i < PJI_BRIDGE_DOMAINS; i++) {
        if (energy->domains[i].n > 0)
            pji_bridge_table_set(table, energy->domains[i].column, domain_j(energy, i));
    }
    for (size_t i = 0; i < energy->n_gpus; i++) {
        const struct pji_reading *reading = latest(energy, energy->gpus[i].channel);

        if (reading)
            pji_bridge_table_set(table, energy->gpus[i].column,
                                 (double)reading->value * energy->gpus[i].scale);
    }
    energy->started = true;
}

/* ---- the total ---- */

bool pji_bridge_energy_found(const struct pji_bridge_energy *energy)
{
    return energy->domains[PACKAGE].n > 0;
}

void pji_bridge_energy_why(const struct pji_bridge_energy *energy, struct pji_str *out)
{
    const struct pji_channel_table *table = channels_of(energy);

    for (size_t i = 0; i < table->n_missing; i++) {
        const struct pji_missing *row = &table->missing[i];

        if (row->domain_kind == PJI_DOMAIN_GPU)
            continue;
        pji_str_addf(out, "the energy of the CPU is missing: %s%s%s", row->reason,
                     row->fix[0] ? "; " : "", row->fix);
        return;
    }
    pji_str_add(out, "the energy of the CPU is missing: this machine shows no energy counter");
}

/* A package that nobody reads. One instrument may lack what another has: a row for all packages
 * ("package") says no more than that the instrument was refused. */
static bool is_lost_package(const struct pji_bridge_energy *energy, const struct pji_missing *row)
{
    return row->domain_kind == PJI_DOMAIN_PACKAGE && strcmp(row->domain, "package") != 0 &&
           !has_domain(energy, &energy->domains[PACKAGE], row->domain);
}

bool pji_bridge_energy_total(const struct pji_bridge_energy *energy,
                             const struct pji_outcome *outcome, double *total_j, bool *lacking)
{
    bool found = false;

    *total_j = 0;
    *lacking = false;
    if (energy->literal && pji_bridge_energy_found(energy) &&
        is_counter(energy, literal_member(energy, PACKAGE)->channel)) {
        *total_j = pji_j_from_uj((double)(energy->literal_last_uj - energy->literal_first_uj));
        return true;
    }
    for (size_t i = 0; i < outcome->n; i++) {
        if (outcome->channels[i].domain_kind != PJI_DOMAIN_PACKAGE || !outcome->in_total[i])
            continue;
        *total_j += outcome->energies[i].value_j;
        found = true;
    }
    for (size_t i = 0; i < energy->domains[PACKAGE].n; i++) {
        int32_t channel = energy->domains[PACKAGE].members[i].channel;

        *lacking = *lacking || outcome->energies[channel].origin == PJ_ORIGIN_MISSING;
    }
    for (size_t i = 0; i < outcome->n_missing; i++)
        *lacking = *lacking || is_lost_package(energy, &outcome->missing[i]);
    return found;
}
