/* From a measurement to CodeCarbon's columns (docs/emissions.md). All energies are multiplied by
 * the PUE, as there. What was not measured is an empty field. The sidecar FILE.perjoule.jsonl has
 * one object for each run, with the same run_id: energies with uncertainty and origin, and where
 * the intensity comes from.
 */
#include "cli/emissions_result.h"

#include "core/units.h"
#include "sources/cpu_info.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

enum part { CPU, GPU, RAM, PARTS };

static const char *const part_names[PARTS] = {"cpu", "gpu", "ram"};

/* ---- options ---- */

static int year_of(const struct pji_platform *platform)
{
    time_t now_s = (time_t)(pji_wall_ns(platform) / PJI_NS_PER_S);
    struct tm tm;

    return gmtime_r(&now_s, &tm) ? tm.tm_year + 1900 : 0;
}

static pj_status choose_grid(struct pji_emissions *emissions, const struct pji_args *args, int year,
                             struct pj_error *err)
{
    const char *country = pji_args_get(args, "country");
    const char *cloud = pji_args_get(args, "cloud");
    const char *given = pji_args_get(args, "carbon-intensity");

    if ((country != NULL) + (cloud != NULL) + (given != NULL) > 1)
        return pji_fail(err, PJ_EINVAL,
                        "--country, --cloud and --carbon-intensity exclude each other");
    if (country)
        return pji_grid_country(&emissions->grid, country, year, err);
    if (cloud)
        return pji_grid_cloud_word(&emissions->grid, cloud, year, err);
    if (given)
        return pji_grid_given_text(&emissions->grid, given, err);
    pji_grid_missing(&emissions->grid, "no region was given");
    return PJ_OK;
}

static const char *option_without_file(const struct pji_args *args)
{
    static const char *const names[] = {
        "emissions-schema", "country", "cloud", "carbon-intensity", "pue", "wue", NULL};

    for (size_t i = 0; names[i]; i++) {
        if (pji_args_has(args, names[i]))
            return names[i];
    }
    return NULL;
}

pj_status pji_emissions_open(struct pji_emissions *emissions, const struct pji_args *args,
                             const struct pji_platform *platform, struct pj_error *err)
{
    const char *lonely = option_without_file(args);
    pj_status status;

    *emissions = (struct pji_emissions){.path = pji_args_get(args, "emissions")};
    if (!emissions->path)
        return lonely ? pji_fail(err, PJ_EINVAL, "--%s needs --emissions FILE", lonely) : PJ_OK;
    status = pji_args_int(args, "emissions-schema", 38, &emissions->schema, err);
    if (!status && emissions->schema != 32 && emissions->schema != 34 && emissions->schema != 38)
        status = pji_fail(err, PJ_EINVAL, "--emissions-schema is 32, 34 or 38");
    if (!status)
        status = pji_args_num(args, "pue", 1, &emissions->site.pue, err);
    emissions->site.has_wue = pji_args_has(args, "wue");
    if (!status)
        status = pji_args_num(args, "wue", 0, &emissions->site.wue_l_per_kwh, err);
    if (!status)
        status = pji_site_check(&emissions->site, err);
    if (!status)
        status = choose_grid(emissions, args, year_of(platform), err);
    return status ? status : pji_emissions_check(emissions->path, err);
}

/* ---- energies ---- */

static int part_of(enum pji_domain_kind kind)
{
    switch (kind) {
    case PJI_DOMAIN_PACKAGE:
    case PJI_DOMAIN_CORE:
    case PJI_DOMAIN_UNCORE:
        return CPU;
    case PJI_DOMAIN_GPU:
        return GPU;
    case PJI_DOMAIN_DRAM:
        return RAM;
    case PJI_DOMAIN_MACHINE:
    case PJI_DOMAIN_PSYS:
    case PJI_DOMAIN_OTHER:
        break;
    }
    return PARTS;
}

static void split(const struct pji_outcome *outcome, struct pj_energy parts[PARTS])
{
    memset(parts, 0, PARTS * sizeof *parts);
    for (size_t i = 0; i < outcome->n; i++) {
        int part = part_of(outcome->channels[i].domain_kind);

        if (part < PARTS && outcome->in_total[i])
            pji_energy_add(&parts[part], &outcome->energies[i]);
    }
    for (int part = 0; part < PARTS; part++) {
        if (parts[part].origin == PJ_ORIGIN_MISSING && !parts[part].reason[0])
            pji_energy_missing(&parts[part], "no instrument gave a value");
    }
}

/* ---- the row ---- */

static pj_status make_run_id(char out[37], struct pj_error *err)
{
    unsigned char bytes[16];

    if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes)
        return pji_fail_errno(err, errno, "no random number for a run_id");
    bytes[6] = (unsigned char)((bytes[6] & 0x0f) | 0x40); /* RFC 9562: version 4 */
    bytes[8] = (unsigned char)((bytes[8] & 0x3f) | 0x80);
    for (size_t i = 0, at = 0; i < sizeof bytes; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            out[at++] = '-';
        (void)snprintf(out + at, 3, "%02x", bytes[i]);
        at += 2;
    }
    return PJ_OK;
}

static void set_energies(struct pji_emissions_row *row, const struct pji_emissions *emissions,
                         const struct pji_outcome *outcome, const struct pj_energy parts[PARTS],
                         const struct pji_emission *emission)
{
    double pue = emissions->site.pue;
    char name[24];

    pji_emissions_set_num(row, "duration", outcome->wall_s);
    for (int part = 0; part < PARTS; part++) {
        if (parts[part].origin == PJ_ORIGIN_MISSING)
            continue;
        (void)snprintf(name, sizeof name, "%s_energy", part_names[part]);
        pji_emissions_set_num(row, name, pji_kwh_from_j(parts[part].value_j) * pue);
        (void)snprintf(name, sizeof name, "%s_power", part_names[part]);
        pji_emissions_set_num(row, name, parts[part].value_j / outcome->wall_s);
    }
    if (outcome->total.energy.origin != PJ_ORIGIN_MISSING)
        pji_emissions_set_num(row, "energy_consumed",
                              pji_kwh_from_j(outcome->total.energy.value_j) * pue);
    if (emission->known) {
        pji_emissions_set_num(row, "emissions", emission->value_g / 1e3);
        pji_emissions_set_num(row, "emissions_rate", emission->value_g / 1e3 / outcome->wall_s);
    }
    if (emission->has_water)
        pji_emissions_set_num(row, "water_consumed", emission->water_l);
    if (emissions->site.has_wue)
        pji_emissions_set_num(row, "wue", emissions->site.wue_l_per_kwh);
    pji_emissions_set_num(row, "pue", pue);
}

static void set_place(struct pji_emissions_row *row, const struct pji_grid *grid)
{
    struct pji_grid country;

    pji_emissions_set(row, "country_iso_code", "%s", grid->iso3);
    if (grid->iso3[0] && pji_grid_country(&country, grid->iso3, 0, NULL) == PJ_OK)
        pji_emissions_set(row, "country_name", "%s", country.place);
    pji_emissions_set(row, "cloud_provider", "%s", grid->provider);
    pji_emissions_set(row, "cloud_region", "%s", grid->region);
    pji_emissions_set(row, "on_cloud", "%s", grid->basis == PJI_GRID_CLOUD ? "Y" : "N");
}

static void set_memory(struct pji_emissions_row *row, const struct pji_platform *platform)
{
    int handle = platform->ops->open(platform->context, "/proc/meminfo");
    char text[256] = "";
    double size_kib;

    if (handle < 0)
        return;
    if (platform->ops->pread(platform->context, handle, text, sizeof text - 1, 0) > 0 &&
        sscanf(text, "MemTotal: %lf kB", &size_kib) == 1)
        pji_emissions_set_num(row, "ram_total_size", size_kib / 1048576);
    platform->ops->close(platform->context, handle);
}

static void set_machine(struct pji_emissions_row *row, const struct pji_platform *platform,
                        const struct pji_outcome *outcome)
{
    struct pji_cpu_info cpu;
    struct utsname name;
    int gpus = 0;

    pji_cpu_info_read(platform, &cpu);
    if (cpu.sockets > 0 && cpu.threads > 0)
        pji_emissions_set_num(row, "cpu_count", (double)cpu.sockets * cpu.threads);
    pji_emissions_set(row, "cpu_model", "%s", cpu.name);
    if (uname(&name) == 0)
        pji_emissions_set(row, "os", "%.40s-%.60s-%.40s", name.sysname, name.release, name.machine);
    for (size_t i = 0; i < outcome->n; i++)
        gpus += outcome->channels[i].domain_kind == PJI_DOMAIN_GPU && outcome->in_total[i];
    if (gpus > 0)
        pji_emissions_set_num(row, "gpu_count", gpus);
    set_memory(row, platform);
    pji_emissions_set(row, "codecarbon_version", "perjoule-%s", PJ_VERSION);
    pji_emissions_set(row, "project_name", "perjoule");
    pji_emissions_set(row, "tracking_mode", "machine");
}

static void set_timestamp(struct pji_emissions_row *row, const struct pji_platform *platform)
{
    time_t now_s = (time_t)(pji_wall_ns(platform) / PJI_NS_PER_S);
    char text[32] = "";
    struct tm tm;

    if (localtime_r(&now_s, &tm) && strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm) > 0)
        pji_emissions_set(row, "timestamp", "%s", text);
}

/* ---- the sidecar ---- */

static json_t *text_or_null(const char *text)
{
    return text[0] ? json_string(text) : json_null();
}

static json_t *grid_json(const struct pji_grid *grid)
{
    bool known = grid->basis != PJI_GRID_MISSING;

    return json_pack(
        "{s:s, s:o, s:o, s:o, s:o, s:s, s:o}", "basis", pji_grid_basis_name(grid->basis),
        "g_per_kwh", pji_json_num(known ? grid->g_per_kwh : (double)NAN), "u_g_per_kwh",
        pji_json_num(known ? grid->u_g_per_kwh : (double)NAN), "year",
        grid->year > 0 ? json_integer(grid->year) : json_null(), "place", text_or_null(grid->place),
        "source", grid->source, "reason", text_or_null(grid->reason));
}

static json_t *emission_json(const struct pji_emission *emission)
{
    double none = (double)NAN;

    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "emissions_g",
                     pji_json_num(emission->known ? emission->value_g : none), "u_emissions_g",
                     pji_json_num(emission->known ? emission->u_g : none), "u_energy_part_g",
                     pji_json_num(emission->known ? emission->u_energy_g : none), "u_grid_part_g",
                     pji_json_num(emission->known ? emission->u_grid_g : none), "reason",
                     text_or_null(emission->reason), "water_l",
                     pji_json_num(emission->has_water ? emission->water_l : none), "u_water_l",
                     pji_json_num(emission->has_water ? emission->u_water_l : none), "no_water",
                     text_or_null(emission->no_water));
}

static pj_status write_sidecar(const struct pji_emissions *emissions, const char *run_id,
                               const struct pji_outcome *outcome,
                               const struct pj_energy parts[PARTS],
                               const struct pji_emission *emission, struct pj_error *err)
{
    json_t *object = json_pack(
        "{s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "run_id", run_id, "tool",
        "perjoule " PJ_VERSION, "energy_j", pji_energy_to_json(&outcome->total.energy), "cpu_j",
        pji_energy_to_json(&parts[CPU]), "gpu_j", pji_energy_to_json(&parts[GPU]), "ram_j",
        pji_energy_to_json(&parts[RAM]), "pue", pji_json_num(emissions->site.pue), "grid",
        grid_json(&emissions->grid), "emission", emission_json(emission));
    struct pji_str text = {0};
    char path[PATH_MAX + 24];
    int fd, failed;

    pji_json_write(&text, object, 0);
    pji_str_addc(&text, '\n');
    (void)snprintf(path, sizeof path, "%s.perjoule.jsonl", emissions->path);
    fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
    failed = fd < 0 ? errno : 0;
    if (!failed)
        failed =
            !object || text.failed ? ENOMEM : pji_lean_write(fd, pji_str_text(&text), text.len);
    if (fd >= 0 && close(fd) < 0 && !failed)
        failed = errno;
    pji_str_fini(&text);
    json_decref(object);
    return failed ? pji_fail_errno(err, failed, "cannot append to '%s'", path) : PJ_OK;
}

pj_status pji_emissions_write(const struct pji_emissions *emissions,
                              const struct pji_platform *platform,
                              const struct pji_outcome *outcome, struct pj_error *err)
{
    struct pji_emissions_row row = {0};
    struct pji_emission emission;
    struct pj_energy parts[PARTS];
    char run_id[37];
    pj_status status = make_run_id(run_id, err);

    if (status)
        return status;
    split(outcome, parts);
    pji_emission_of(&emission, &outcome->total.energy, &emissions->grid, &emissions->site);
    set_energies(&row, emissions, outcome, parts, &emission);
    set_place(&row, &emissions->grid);
    set_machine(&row, platform, outcome);
    set_timestamp(&row, platform);
    pji_emissions_set(&row, "run_id", "%s", run_id);
    status = write_sidecar(emissions, run_id, outcome, parts, &emission, err);
    return status ? status : pji_emissions_append(emissions->path, emissions->schema, &row, err);
}
