#include "lab/study.h"

#include "core/num.h"
#include "core/units.h"

#include <string.h>

enum { LONGEST_H = 1000 };

struct unit {
    const char *name;
    double ns;
};

static const struct unit units[] = {
    {"ms", (double)PJI_NS_PER_MS},        {"us", (double)PJI_NS_PER_US},
    {"s", (double)PJI_NS_PER_S},          {"m", 60.0 * (double)PJI_NS_PER_S},
    {"min", 60.0 * (double)PJI_NS_PER_S}, {"h", 3600.0 * (double)PJI_NS_PER_S},
};

pj_status pji_duration_parse(const char *text, int64_t *out_ns, struct pj_error *err)
{
    size_t digits = strspn(text, "0123456789.");
    const struct unit *unit = NULL;
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
        if (strcmp(text + digits, units[i].name) == 0)
            unit = &units[i];
    double value = 0.0;
    if (digits == 0 || (!unit && text[digits] != '\0') ||
        pji_num_parse(text, digits, &value, NULL) != PJ_OK)
        return pji_fail(err, PJ_EINVAL,
                        "'%.60s' is not a duration: write a number and a unit, such as 250ms, 10s, "
                        "5m or 2h",
                        text);
    if (!unit && value > 0.0)
        return pji_fail(err, PJ_EINVAL, "duration '%.60s' has no unit: write %.60ss for seconds",
                        text, text);
    double ns = unit ? value * unit->ns : 0.0;
    if (ns > LONGEST_H * 3600.0 * (double)PJI_NS_PER_S)
        return pji_fail(err, PJ_EINVAL, "duration '%.60s' is longer than %d hours", text,
                        (int)LONGEST_H);
    *out_ns = (int64_t)(ns + 0.5);
    return PJ_OK;
}
