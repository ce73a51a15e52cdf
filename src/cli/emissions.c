/* Orders of CodeCarbon: 32 columns from 2.7.0, 34 from 3.0.8, 38 from 3.2.1 on. */
#include "cli/emissions.h"

#include "core/csv.h"
#include "core/num.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define TEXT   PJI_EMISSIONS_TEXT
#define NUMBER PJI_EMISSIONS_NUMBER

const struct pji_emissions_column pji_emissions_columns[PJI_EMISSIONS_COLUMNS] = {
    {"timestamp", 32, PJI_EMISSIONS_TIME},
    {"project_name", 32, TEXT},
    {"run_id", 32, TEXT},
    {"experiment_id", 32, TEXT},
    {"duration", 32, NUMBER},
    {"emissions", 32, NUMBER},
    {"emissions_rate", 32, NUMBER},
    {"cpu_power", 32, NUMBER},
    {"gpu_power", 32, NUMBER},
    {"ram_power", 32, NUMBER},
    {"cpu_energy", 32, NUMBER},
    {"gpu_energy", 32, NUMBER},
    {"ram_energy", 32, NUMBER},
    {"energy_consumed", 32, NUMBER},
    {"water_consumed", 34, NUMBER},
    {"country_name", 32, TEXT},
    {"country_iso_code", 32, PJI_EMISSIONS_COUNTRY},
    {"region", 32, TEXT},
    {"cloud_provider", 32, TEXT},
    {"cloud_region", 32, TEXT},
    {"os", 32, TEXT},
    {"python_version", 32, TEXT},
    {"codecarbon_version", 32, TEXT},
    {"cpu_count", 32, NUMBER},
    {"cpu_model", 32, TEXT},
    {"gpu_count", 32, NUMBER},
    {"gpu_model", 32, TEXT},
    {"longitude", 32, NUMBER},
    {"latitude", 32, NUMBER},
    {"ram_total_size", 32, NUMBER},
    {"tracking_mode", 32, PJI_EMISSIONS_MODE},
    {"cpu_utilization_percent", 38, NUMBER},
    {"gpu_utilization_percent", 38, NUMBER},
    {"ram_utilization_percent", 38, NUMBER},
    {"ram_used_gb", 38, NUMBER},
    {"on_cloud", 32, PJI_EMISSIONS_YES},
    {"pue", 32, NUMBER},
    {"wue", 34, NUMBER},
};

int pji_emissions_find(const char *name)
{
    for (int i = 0; i < PJI_EMISSIONS_COLUMNS; i++) {
        if (strcmp(pji_emissions_columns[i].name, name) == 0)
            return i;
    }
    return -1;
}

void pji_emissions_order_of(struct pji_emissions_order *order, int schema)
{
    order->n = 0;
    for (int i = 0; i < PJI_EMISSIONS_COLUMNS; i++) {
        if (pji_emissions_columns[i].schema <= schema)
            order->columns[order->n++] = i;
    }
}

int pji_emissions_schema_of(const struct pji_emissions_order *order)
{
    bool has[PJI_EMISSIONS_COLUMNS] = {false};
    bool same = order->n == 32 || order->n == 34 || order->n == 38;

    for (size_t i = 0; i < order->n; i++) {
        same = same && order->columns[i] >= 0 && !has[order->columns[i]];
        if (same)
            has[order->columns[i]] = true;
    }
    for (int i = 0; i < PJI_EMISSIONS_COLUMNS; i++)
        same = same && has[i] == (pji_emissions_columns[i].schema <= (int)order->n);
    return same ? (int)order->n : 0;
}

void pji_emissions_set(struct pji_emissions_row *row, const char *name, const char *format, ...)
{
    int column = pji_emissions_find(name);
    va_list list;

    if (column < 0)
        return;
    va_start(list, format);
    (void)vsnprintf(row->fields[column], PJI_EMISSIONS_FIELD, format, list);
    va_end(list);
}

void pji_emissions_set_num(struct pji_emissions_row *row, const char *name, double value)
{
    char text[PJI_NUM_TEXT];

    if (!isfinite(value))
        return;
    (void)pji_num_format(value, text);
    pji_emissions_set(row, name, "%s", text);
}

void pji_emissions_header_text(const struct pji_emissions_order *order, struct pji_str *out)
{
    for (size_t i = 0; i < order->n; i++)
        pji_csv_add(out, pji_emissions_columns[order->columns[i]].name, ',', i == 0);
    pji_str_addc(out, '\n');
}

void pji_emissions_row_text(const struct pji_emissions_order *order,
                            const struct pji_emissions_row *row, struct pji_str *out)
{
    for (size_t i = 0; i < order->n; i++)
        pji_csv_add(out, row->fields[order->columns[i]], ',', i == 0);
    pji_str_addc(out, '\n');
}
