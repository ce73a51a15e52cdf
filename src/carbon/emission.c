/* E x PUE x intensity, and E x WUE. Definitions: PUE after ISO/IEC 30134-2 (all energy of the site
 * for each unit of the computers'), WUE after ISO/IEC 30134-9 (litres for each kWh of the
 * computers). First-order propagation (GUM 5.1.2): the meter, the grid's table and the site's
 * figures know nothing of each other, so their parts add in quadrature.
 */
#include "carbon/carbon.h"

#include "core/units.h"

#include <math.h>
#include <stdio.h>

pj_status pji_site_check(const struct pji_site *site, struct pj_error *err)
{
    if (!isfinite(site->pue) || site->pue < 1)
        return pji_fail(err, PJ_EINVAL, "a PUE is at least 1: a site uses what its computers use");
    if (!isfinite(site->u_pue) || site->u_pue < 0)
        return pji_fail(err, PJ_EINVAL, "the uncertainty of a PUE is finite and not negative");
    if (site->has_wue && (!isfinite(site->wue_l_per_kwh) || site->wue_l_per_kwh < 0 ||
                          !isfinite(site->u_wue_l_per_kwh) || site->u_wue_l_per_kwh < 0))
        return pji_fail(err, PJ_EINVAL,
                        "a WUE and its uncertainty are finite litres/kWh, not negative");
    return PJ_OK;
}

static double combined_u_j(const struct pj_energy *energy)
{
    return hypot(energy->u_ind_j, energy->u_com_j);
}

static void add_water(struct pji_emission *out, const struct pj_energy *energy,
                      const struct pji_site *site)
{
    double energy_kwh = pji_kwh_from_j(energy->value_j);
    double u_kwh = pji_kwh_from_j(combined_u_j(energy));

    if (!site->has_wue) {
        (void)snprintf(out->no_water, sizeof out->no_water,
                       "no water usage effectiveness was given");
        return;
    }
    out->has_water = true;
    out->water_l = energy_kwh * site->wue_l_per_kwh;
    out->u_water_l = hypot(u_kwh * site->wue_l_per_kwh, energy_kwh * site->u_wue_l_per_kwh);
}

void pji_emission_of(struct pji_emission *out, const struct pj_energy *energy,
                     const struct pji_grid *grid, const struct pji_site *site)
{
    double energy_kwh = pji_kwh_from_j(energy->value_j);
    double u_kwh = pji_kwh_from_j(combined_u_j(energy));

    *out = (struct pji_emission){.origin = energy->origin};
    if (energy->origin == PJ_ORIGIN_MISSING) {
        (void)snprintf(out->reason, sizeof out->reason, "%s",
                       energy->reason[0] ? energy->reason : "the energy is missing");
        (void)snprintf(out->no_water, sizeof out->no_water, "%s", out->reason);
        return;
    }
    add_water(out, energy, site);
    if (grid->basis == PJI_GRID_MISSING) {
        (void)snprintf(out->reason, sizeof out->reason, "%s",
                       grid->reason[0] ? grid->reason : "no region was given");
        return;
    }
    out->known = true;
    out->value_g = energy_kwh * site->pue * grid->g_per_kwh;
    out->u_energy_g = u_kwh * site->pue * grid->g_per_kwh;
    out->u_grid_g = fabs(energy_kwh) * site->pue * grid->u_g_per_kwh;
    out->u_site_g = fabs(energy_kwh) * site->u_pue * grid->g_per_kwh;
    out->u_g = hypot(hypot(out->u_energy_g, out->u_grid_g), out->u_site_g);
}
