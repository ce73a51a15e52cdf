#include "raw/published.h"

#include "core/num.h"

#include <ctype.h>
#include <math.h>
#include <string.h>
#include <strings.h>

static double half_unit_of(const char *text, char mark)
{
    const char *at = strchr(text, mark);
    if (strpbrk(text, "eE") != NULL)
        return 0;
    size_t decimals = at != NULL ? strspn(at + 1, "0123456789") : 0;
    return 0.5 * pow(10, -(double)decimals);
}

/* The text without its commas; false when it is too long to be a number. */
static bool without_commas(const char *text, char *out, size_t size)
{
    size_t n = 0;
    for (; *text != '\0'; text++) {
        if (n + 1 >= size)
            return false;
        if (*text != ',')
            out[n++] = *text;
    }
    out[n] = '\0';
    return true;
}

pj_status pji_published_read(struct pji_published *out, const struct pji_runs_table *table,
                             size_t row, size_t column, bool declared, struct pj_error *err)
{
    const char *cell = pji_table_cell(&table->table, row, column);
    char bare[64];
    *out = (struct pji_published){0};
    if (pji_table_missing(cell))
        return PJ_OK;
    out->known = true;
    pj_status status = pji_num_parse(cell, strlen(cell), &out->meant, NULL);
    out->read = out->meant;
    out->half_unit = half_unit_of(cell, '.');
    if (status == PJ_OK)
        return PJ_OK;
    bool decimal = pji_num_parse_comma(cell, strlen(cell), &out->meant, NULL) == PJ_OK;
    bool grouped = without_commas(cell, bare, sizeof bare) &&
                   pji_num_parse(bare, strlen(bare), &out->read, NULL) == PJ_OK;
    if (decimal)
        out->half_unit = half_unit_of(cell, ',');
    else
        out->meant = out->read;
    if (decimal && (declared || !grouped))
        out->read = out->meant;
    if (decimal || grouped)
        return PJ_OK;
    status = pji_num_parse(cell, strlen(cell), &out->meant, err);
    pji_error_prefix(err, "%s:%zu, column '%s'", table->table.name, table->table.line[row],
                     table->table.column[column]);
    return status;
}

static bool begins(const char *name, const char *with)
{
    return strncasecmp(name, with, strlen(with)) == 0;
}

static bool ends(const char *name, const char *with)
{
    size_t n = strlen(name), w = strlen(with);
    return n >= w && strcasecmp(name + n - w, with) == 0;
}

static const struct {
    const char *base;
    enum pji_quantity quantity;
} bases[] = {{"energy", PJI_QUANTITY_ENERGY},
             {"total_energy", PJI_QUANTITY_ENERGY},
             {"energy_total", PJI_QUANTITY_ENERGY},
             {"energy_consumption", PJI_QUANTITY_ENERGY},
             {"total_energy_consumption", PJI_QUANTITY_ENERGY},
             {"energy_consumed", PJI_QUANTITY_ENERGY},
             {"time", PJI_QUANTITY_TIME},
             {"duration", PJI_QUANTITY_TIME},
             {"run_time", PJI_QUANTITY_TIME},
             {"runtime", PJI_QUANTITY_TIME},
             {"elapsed_time", PJI_QUANTITY_TIME}};
static const struct {
    const char *unit;
    enum pji_quantity quantity;
    double factor;
} units[] = {{"J", PJI_QUANTITY_ENERGY, 1},       {"j", PJI_QUANTITY_ENERGY, 1},
             {"Joule", PJI_QUANTITY_ENERGY, 1},   {"joule", PJI_QUANTITY_ENERGY, 1},
             {"Joules", PJI_QUANTITY_ENERGY, 1},  {"joules", PJI_QUANTITY_ENERGY, 1},
             {"kJ", PJI_QUANTITY_ENERGY, 1e3},    {"kj", PJI_QUANTITY_ENERGY, 1e3},
             {"KJ", PJI_QUANTITY_ENERGY, 1e3},    {"mJ", PJI_QUANTITY_ENERGY, 1e-3},
             {"MJ", PJI_QUANTITY_ENERGY, 1e6},    {"Wh", PJI_QUANTITY_ENERGY, 3600},
             {"wh", PJI_QUANTITY_ENERGY, 3600},   {"kWh", PJI_QUANTITY_ENERGY, 3.6e6},
             {"kwh", PJI_QUANTITY_ENERGY, 3.6e6}, {"mWh", PJI_QUANTITY_ENERGY, 3.6},
             {"s", PJI_QUANTITY_TIME, 1},         {"sec", PJI_QUANTITY_TIME, 1},
             {"seconds", PJI_QUANTITY_TIME, 1},   {"ms", PJI_QUANTITY_TIME, 1e-3},
             {"min", PJI_QUANTITY_TIME, 60},      {"h", PJI_QUANTITY_TIME, 3600}};

/* "Total Energy [kJ]" is "total_energy" and "kJ", "duration_min" is "duration" and "min". */
static bool cut_unit(const char *name, char *base, size_t base_size, char *unit, size_t unit_size)
{
    size_t len = strcspn(name, "([");
    const char *from = name + len + 1;
    if (name[len] == '\0') { /* the unit behind the last mark */
        const char *mark = strrchr(name, '_');
        mark = mark != NULL ? mark : strrchr(name, ' ');
        if (mark == NULL)
            return false;
        len = (size_t)(mark - name);
        from = mark + 1;
    }
    while (len > 0 && strchr(" _-", name[len - 1]) != NULL)
        len--;
    size_t n = strcspn(from, ")]");
    if (len == 0 || len >= base_size || n == 0 || n >= unit_size ||
        (from[n] != '\0' && from[n + 1] != '\0'))
        return false;
    memcpy(unit, from, n);
    unit[n] = '\0';
    for (size_t i = 0; i < len; i++)
        base[i] = name[i] == ' ' || name[i] == '-' ? '_' : (char)tolower((unsigned char)name[i]);
    base[len] = '\0';
    return true;
}

/* "Total Energy [kJ]", "energy (Wh)", "duration_min": what it is of and its unit, which must be
 * written. Letters of a unit count as they are where they tell milli from mega. */
static bool with_unit(const char *name, enum pji_quantity *quantity, double *factor)
{
    char base[64], unit[16];
    if (!cut_unit(name, base, sizeof base, unit, sizeof unit))
        return false;
    for (size_t b = 0; b < sizeof bases / sizeof bases[0]; b++) {
        for (size_t u = 0; u < sizeof units / sizeof units[0]; u++) {
            if (strcmp(bases[b].base, base) != 0 || strcmp(units[u].unit, unit) != 0 ||
                bases[b].quantity != units[u].quantity)
                continue;
            *quantity = units[u].quantity;
            *factor = units[u].factor;
            return true;
        }
    }
    return false;
}

bool pji_published_column(const char *name, enum pji_quantity *quantity, double *factor)
{
    static const struct {
        const char *name;
        enum pji_quantity quantity;
        double factor;
    } known[] = {
        {"energy", PJI_QUANTITY_ENERGY, 1},
        {"energy_j", PJI_QUANTITY_ENERGY, 1},
        {"energy(j)", PJI_QUANTITY_ENERGY, 1},
        {"energy (j)", PJI_QUANTITY_ENERGY, 1},
        {"total_energy", PJI_QUANTITY_ENERGY, 1},
        {"total_energy_j", PJI_QUANTITY_ENERGY, 1},
        {"time", PJI_QUANTITY_TIME, 1},
        {"time(s)", PJI_QUANTITY_TIME, 1},
        {"time (s)", PJI_QUANTITY_TIME, 1},
        {"time_s", PJI_QUANTITY_TIME, 1},
        {"duration_ms", PJI_QUANTITY_TIME, 1e-3},
        {"published_duration_s", PJI_QUANTITY_TIME, 1},
        {"published_time_s", PJI_QUANTITY_TIME, 1},
        {"tokens", PJI_QUANTITY_TOKENS, 1},
        {"published_tokens", PJI_QUANTITY_TOKENS, 1},
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (strcasecmp(name, known[i].name) == 0) {
            *quantity = known[i].quantity;
            *factor = known[i].factor;
            return true;
        }
    }
    *quantity = PJI_QUANTITY_ENERGY;
    *factor = 1;
    if (begins(name, "published_") && ends(name, "_j"))
        return true;
    return with_unit(name, quantity, factor);
}

bool pji_published_overlooked(const char *name)
{
    static const char *const words[] = {"energy", "joule", "watt", "power", "duration", "token"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strcasestr(name, words[i]) != NULL)
            return true;
    }
    return false;
}
