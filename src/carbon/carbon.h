/* carbon/carbon.h - from an energy to greenhouse gas: E x PUE x grid intensity, and E x WUE water.
 *
 * Pure: no network, no geolocation and no default country. The intensity comes from a table by
 * country (ISO 3166-1 alpha-3), by cloud provider and region, or from the user; where none was
 * chosen or none is known it is missing and says why, and so is everything computed with it.
 *
 * The figures are yearly means of a grid, and the result is average (not marginal) accounting.
 * Sources, licence and what the uncertainty covers: docs/carbon.md.
 */
#ifndef PJI_CARBON_CARBON_H
#define PJI_CARBON_CARBON_H

#include "perjoule/energy.h"

#include "core/error.h"

#include <stdbool.h>

enum pji_grid_basis {
    PJI_GRID_MISSING = 0,
    PJI_GRID_COUNTRY, /* yearly mean of a country, life cycle */
    PJI_GRID_CLOUD,   /* yearly mean of the grid of a cloud region, as its provider publishes it */
    PJI_GRID_GIVEN    /* the user's own figure */
};

struct pji_grid {
    enum pji_grid_basis basis;
    double g_per_kwh;       /* CO2e; no meaning when basis is MISSING */
    double u_g_per_kwh;     /* k=1; of a GIVEN figure what the user said, 0 when nothing */
    int year;               /* of the figure; 0: not known */
    char iso3[4];           /* country, "" when not known */
    char place[64];         /* "Germany", "europe-west3, Frankfurt" */
    char provider[16];      /* CLOUD: "gcp" */
    char region[32];        /* CLOUD: "europe-west3" */
    const char *source;     /* static: whose figure it is; never NULL */
    char reason[PJ_REASON]; /* why it is missing, "" when it is not */
};

/* `year` is that of the energy, for the age of the figure (0: not known, no age is counted).
 * PJ_ENOTFOUND where the table has no (credible) figure, PJ_EINVAL for what is no code at all. A
 * failure leaves *out missing, with the reason. Codes are accepted in any case. */
pj_status pji_grid_country(struct pji_grid *out, const char *iso3, int year, struct pj_error *err);
pj_status pji_grid_cloud(struct pji_grid *out, const char *provider, const char *region, int year,
                         struct pj_error *err);
/* The same from one word, "PROVIDER:REGION". */
pj_status pji_grid_cloud_word(struct pji_grid *out, const char *word, int year,
                              struct pj_error *err);
/* The user's figure; u may be 0. PJ_EINVAL unless both are finite and not negative. */
pj_status pji_grid_given(struct pji_grid *out, double g_per_kwh, double u_g_per_kwh,
                         struct pj_error *err);
/* The same from text: "G" or "G:U", g/kWh. */
pj_status pji_grid_given_text(struct pji_grid *out, const char *text, struct pj_error *err);
void pji_grid_missing(struct pji_grid *out, const char *reason);

/* "country", "cloud", "given" or "missing". */
const char *pji_grid_basis_name(enum pji_grid_basis basis);

/* Standard uncertainty (k=1) of a yearly figure that is age_years old: see docs/carbon.md. */
double pji_grid_u(double g_per_kwh, int age_years);

/* What a site adds to the energy of its computers. */
struct pji_site {
    double pue;           /* power usage effectiveness, >= 1; 1: the overhead is not counted */
    double u_pue;         /* k=1 */
    bool has_wue;         /* water is missing without it */
    double wue_l_per_kwh; /* water usage effectiveness: litres for each kWh of the computers */
    double u_wue_l_per_kwh;
};

/* PJ_EINVAL for a PUE below 1, a negative WUE or what is not finite. */
pj_status pji_site_check(const struct pji_site *site, struct pj_error *err);

struct pji_emission {
    bool known;
    double value_g;           /* CO2e, grams */
    double u_g;               /* k=1, all parts */
    double u_energy_g;        /* the part of the energy, */
    double u_grid_g;          /* of the intensity, */
    double u_site_g;          /* of the PUE */
    char reason[PJ_REASON];   /* why it is missing, "" when it is not */
    bool has_water;           /* needs an energy and a WUE, but no intensity */
    double water_l;           /* of the site itself, not of the power stations */
    double u_water_l;         /* k=1 */
    char no_water[PJ_REASON]; /* why there is no water, "" when there is */
    enum pj_origin origin;    /* of the energy */
};

/* E x PUE x intensity with first-order propagation; the three parts are independent. */
void pji_emission_of(struct pji_emission *out, const struct pj_energy *energy,
                     const struct pji_grid *grid, const struct pji_site *site);

#endif
