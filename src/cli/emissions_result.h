/* cli/emissions_result.h - the row of emissions.csv that a measurement gives, and its sidecar. */
#ifndef PJI_CLI_EMISSIONS_RESULT_H
#define PJI_CLI_EMISSIONS_RESULT_H

#include "carbon/carbon.h"
#include "cli/emissions.h"
#include "cli/lean.h"
#include "cli/outcome.h"
#include "platform/platform.h"

struct pji_emissions {
    const char *path; /* NULL: not wanted */
    int schema;
    struct pji_grid grid;
    struct pji_site site;
};

/* Reads the options; PJ_EINVAL for nonsense, PJ_ENOTFOUND for a region without a figure. A file
 * that cannot be appended to is found out here. */
pj_status pji_emissions_open(struct pji_emissions *emissions, const struct pji_args *args,
                             const struct pji_platform *platform, struct pj_error *err);
/* Appends the sidecar's line, then the row. */
pj_status pji_emissions_write(const struct pji_emissions *emissions,
                              const struct pji_platform *platform,
                              const struct pji_outcome *outcome, struct pj_error *err);

#define PJI_EMISSIONS_OPTIONS                                                                      \
    {"emissions", 0, "FILE", "append a row to FILE, an emissions.csv as CodeCarbon writes it"},    \
        {"emissions-schema", 0, "N", "its number of columns: 32, 34 or 38 (default: 38)"},         \
        {"country", 0, "ISO3", "country whose grid feeds this machine, such as DEU"},              \
        {"cloud", 0, "PROVIDER:REGION", "cloud region of this machine, such as gcp:europe-west3"}, \
        {"carbon-intensity", 0, "G[:U]", "g CO2e for each kWh, and its standard uncertainty"},     \
        {"pue", 0, "X", "power usage effectiveness of the site (default: 1)"},                     \
    {                                                                                              \
        "wue", 0, "L", "water usage effectiveness of the site, litres/kWh (default: none)"         \
    }

#endif
