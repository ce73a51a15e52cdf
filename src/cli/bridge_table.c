/* See bridge_table.h. */
#include "cli/bridge_table.h"

#include "core/array.h"
#include "core/num.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The place of a new last column among the sorted ones. */
static void insert_sorted(struct pji_bridge_table *table)
{
    size_t at = table->n;

    while (at > 0 &&
           strcmp(table->columns[table->order[at - 1]].name, table->columns[table->n].name) > 0) {
        table->order[at] = table->order[at - 1];
        at--;
    }
    table->order[at] = table->n++;
}

pj_status pji_bridge_table_add(struct pji_bridge_table *table, size_t *index, struct pj_error *err,
                               const char *format, ...)
{
    va_list list;
    pj_status status =
        pji_array_reserve(&table->columns, &table->cap, table->n + 1, sizeof *table->columns, err);

    if (!status)
        status = pji_array_reserve(&table->order, &table->cap_order, table->n + 1,
                                   sizeof *table->order, err);
    if (status)
        return status;
    va_start(list, format);
    (void)vsnprintf(table->columns[table->n].name, sizeof table->columns[0].name, format, list);
    va_end(list);
    *index = table->n;
    insert_sorted(table);
    return PJ_OK;
}

void pji_bridge_table_fini(struct pji_bridge_table *table)
{
    free(table->columns);
    free(table->order);
    *table = (struct pji_bridge_table){0};
}

void pji_bridge_table_set(struct pji_bridge_table *table, size_t index, double value)
{
    table->columns[index].value = value;
    table->columns[index].known = isfinite(value);
}

void pji_bridge_table_clear(struct pji_bridge_table *table)
{
    for (size_t i = 0; i < table->n; i++)
        table->columns[i].known = false;
}

void pji_bridge_add_num(struct pji_str *out, double value)
{
    char text[PJI_NUM_TEXT];
    size_t len = pji_num_format(value, text);

    if (memchr(text, 'e', len))
        len = pji_num_format_fixed(value, 12, text);
    pji_str_addn(out, text, len);
}

void pji_bridge_table_header(const struct pji_bridge_table *table, const char *separator,
                             struct pji_str *out)
{
    pji_str_addf(out, "Delta%sTime", separator);
    for (size_t i = 0; i < table->n; i++)
        pji_str_addf(out, "%s%s", separator, table->columns[table->order[i]].name);
    pji_str_addc(out, '\n');
}

void pji_bridge_table_row(const struct pji_bridge_table *table, int64_t delta_ms, int64_t wall_ms,
                          const char *separator, struct pji_str *out)
{
    pji_str_addf(out, "%lld%s%lld", (long long)delta_ms, separator, (long long)wall_ms);
    for (size_t i = 0; i < table->n; i++) {
        const struct pji_bridge_column *column = &table->columns[table->order[i]];

        pji_str_add(out, separator);
        if (column->known)
            pji_bridge_add_num(out, column->value);
    }
    pji_str_addc(out, '\n');
}
