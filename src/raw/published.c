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
    return begins(name, "published_") && ends(name, "_j");
}
