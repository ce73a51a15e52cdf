/* Looking up a grid's intensity: see carbon.h, and docs/carbon.md for the uncertainty. */
#include "carbon/carbon.h"
#include "carbon/carbon_table.h"

#include "core/num.h"
#include "core/str.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static const char source_country[] =
    "Our World in Data / Ember (CC BY 4.0), life cycle, as tabulated by CodeCarbon";
static const char source_cloud[] = "the provider's page, grid mean, as tabulated by CodeCarbon";
static const char source_given[] = "given by the user";
static const char source_none[] = "none";

/* k=1: two tables of the same grids, the change from one year to the next, and what remains on
 * grids with nearly no carbon. Where the figures come from: docs/carbon.md. */
static const double u_method_rel = 0.25;
static const double u_drift_rel = 0.13; /* after one year; grows with the root of the age */
static const double u_floor_g = 25;

double pji_grid_u(double g_per_kwh, int age_years)
{
    double age = age_years > 0 ? age_years : 0;
    double method_g = u_method_rel * g_per_kwh;
    double drift_g = u_drift_rel * g_per_kwh * sqrt(age);

    return sqrt(method_g * method_g + drift_g * drift_g + u_floor_g * u_floor_g);
}

const char *pji_grid_basis_name(enum pji_grid_basis basis)
{
    switch (basis) {
    case PJI_GRID_COUNTRY:
        return "country";
    case PJI_GRID_CLOUD:
        return "cloud";
    case PJI_GRID_GIVEN:
        return "given";
    case PJI_GRID_MISSING:
        break;
    }
    return "missing";
}

void pji_grid_missing(struct pji_grid *out, const char *reason)
{
    *out = (struct pji_grid){.source = source_none};
    (void)snprintf(out->reason, sizeof out->reason, "%s", reason);
}

static void set_figure(struct pji_grid *out, double g_per_kwh, int figure_year, int year)
{
    out->g_per_kwh = g_per_kwh;
    out->year = figure_year;
    out->u_g_per_kwh = pji_grid_u(g_per_kwh, year > 0 ? year - figure_year : 0);
}

/* ---- countries ---- */

static bool upper_code(const char *iso3, char out[4])
{
    if (!iso3 || strlen(iso3) != 3)
        return false;
    for (size_t i = 0; i < 3; i++) {
        if (!isalpha((unsigned char)iso3[i]))
            return false;
        out[i] = (char)toupper((unsigned char)iso3[i]);
    }
    out[3] = '\0';
    return true;
}

static const struct pji_carbon_country *find_country(const char *code)
{
    for (size_t i = 0; i < pji_carbon_country_count; i++) {
        if (strcmp(pji_carbon_countries[i].iso3, code) == 0)
            return &pji_carbon_countries[i];
    }
    return NULL;
}

pj_status pji_grid_country(struct pji_grid *out, const char *iso3, int year, struct pj_error *err)
{
    const struct pji_carbon_country *row;
    char code[4], text[PJI_EXCERPT];

    pji_grid_missing(out, "no such country");
    if (!upper_code(iso3, code))
        return pji_fail(err, PJ_EINVAL,
                        "'%s' is no country code: give three letters of ISO 3166-1, such as DEU",
                        iso3 ? pji_excerpt(iso3, strlen(iso3), text) : "");
    row = find_country(code);
    if (!row || row->g_per_kwh < 0) {
        (void)snprintf(out->reason, sizeof out->reason, "no %sfigure for the grid of %s is known",
                       row ? "credible " : "", code);
        return pji_fail(err, PJ_ENOTFOUND, "%s: give one in g/kWh", out->reason);
    }
    *out = (struct pji_grid){.basis = PJI_GRID_COUNTRY, .source = source_country};
    memcpy(out->iso3, code, sizeof out->iso3);
    (void)snprintf(out->place, sizeof out->place, "%s", row->name);
    set_figure(out, row->g_per_kwh, row->year, year);
    return PJ_OK;
}

/* ---- cloud regions ---- */

static const struct pji_carbon_region *find_region(const char *provider, const char *region,
                                                   bool *known_provider)
{
    *known_provider = false;
    for (size_t i = 0; i < pji_carbon_region_count; i++) {
        if (strcasecmp(pji_carbon_regions[i].provider, provider) != 0)
            continue;
        *known_provider = true;
        if (strcasecmp(pji_carbon_regions[i].region, region) == 0)
            return &pji_carbon_regions[i];
    }
    return NULL;
}

static const char *nearest_region(const char *provider, const char *region)
{
    const char *names[256] = {0};
    size_t n = 0;

    for (size_t i = 0; i < pji_carbon_region_count && n < 255; i++) {
        if (strcasecmp(pji_carbon_regions[i].provider, provider) == 0)
            names[n++] = pji_carbon_regions[i].region;
    }
    return pji_str_nearest(region, names);
}

pj_status pji_grid_cloud(struct pji_grid *out, const char *provider, const char *region, int year,
                         struct pj_error *err)
{
    bool known_provider;
    const struct pji_carbon_region *row = find_region(provider, region, &known_provider);
    const char *near;

    if (!known_provider) {
        pji_grid_missing(out, "no figures of this cloud provider are known");
        return pji_fail(err, PJ_ENOTFOUND,
                        "no figures of the cloud provider '%.32s' are known (only gcp publishes "
                        "them by region): give the country or g/kWh",
                        provider);
    }
    if (!row) {
        pji_grid_missing(out, "no such region of this cloud provider");
        near = nearest_region(provider, region);
        return pji_fail(err, PJ_ENOTFOUND, "no figure for the region '%.48s' of %.32s is known%s%s",
                        region, provider, near ? "; did you mean " : "", near ? near : "");
    }
    *out = (struct pji_grid){.basis = PJI_GRID_CLOUD, .source = source_cloud};
    memcpy(out->iso3, row->iso3, sizeof out->iso3);
    (void)snprintf(out->place, sizeof out->place, "%s, %s", row->region, row->place);
    (void)snprintf(out->provider, sizeof out->provider, "%s", row->provider);
    (void)snprintf(out->region, sizeof out->region, "%s", row->region);
    set_figure(out, row->g_per_kwh, row->year, year);
    return PJ_OK;
}

pj_status pji_grid_cloud_word(struct pji_grid *out, const char *word, int year,
                              struct pj_error *err)
{
    const char *colon = strchr(word, ':');
    char provider[16];

    if (!colon || colon == word || !colon[1] || (size_t)(colon - word) >= sizeof provider) {
        pji_grid_missing(out, "no cloud region");
        return pji_fail(err, PJ_EINVAL, "'%.48s' is not PROVIDER:REGION, such as gcp:europe-west3",
                        word);
    }
    memcpy(provider, word, (size_t)(colon - word));
    provider[colon - word] = '\0';
    return pji_grid_cloud(out, provider, colon + 1, year, err);
}

/* ---- the user's own ---- */

pj_status pji_grid_given(struct pji_grid *out, double g_per_kwh, double u_g_per_kwh,
                         struct pj_error *err)
{
    pji_grid_missing(out, "the given intensity is not a number of g/kWh");
    if (!isfinite(g_per_kwh) || g_per_kwh < 0 || !isfinite(u_g_per_kwh) || u_g_per_kwh < 0)
        return pji_fail(err, PJ_EINVAL,
                        "a carbon intensity and its uncertainty are finite g/kWh, not negative");
    *out = (struct pji_grid){.basis = PJI_GRID_GIVEN,
                             .g_per_kwh = g_per_kwh,
                             .u_g_per_kwh = u_g_per_kwh,
                             .source = source_given};
    (void)snprintf(out->place, sizeof out->place, "given");
    return PJ_OK;
}

pj_status pji_grid_given_text(struct pji_grid *out, const char *text, struct pj_error *err)
{
    size_t len = strcspn(text, ":");
    double g_per_kwh, u_g_per_kwh = 0;
    pj_status status = pji_num_parse(text, len, &g_per_kwh, err);

    if (!status && text[len])
        status = pji_num_parse(text + len + 1, strlen(text + len + 1), &u_g_per_kwh, err);
    if (status) {
        pji_grid_missing(out, "the given intensity is not a number of g/kWh");
        pji_error_prefix(err, "carbon intensity '%.40s' (G or G:U, in g/kWh)", text);
        return status;
    }
    return pji_grid_given(out, g_per_kwh, u_g_per_kwh, err);
}
