/* The table that sources fill at open: rows are copied, names are unique, indices are final. */
#include "meter/source.h"

#include "core/array.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

pj_status pji_channel_table_add(struct pji_channel_table *table, const struct pji_channel *channel,
                                int32_t *index, struct pj_error *err)
{
    pj_status status;

    if (channel->name[0] == '\0')
        return pji_fail(err, PJ_EINVAL, "source %s added a channel without a name",
                        channel->source);
    for (size_t i = 0; i < table->n; i++) {
        if (strcmp(table->channels[i].name, channel->name) == 0)
            return pji_fail(err, PJ_EINVAL, "two channels are named '%s' (sources %s and %s)",
                            channel->name, table->channels[i].source, channel->source);
    }
    status = pji_array_reserve(&table->channels, &table->cap, table->n + 1, sizeof *table->channels,
                               err);
    if (status)
        return status;
    table->channels[table->n] = *channel;
    if (index)
        *index = (int32_t)table->n;
    table->n++;
    return PJ_OK;
}

pj_status pji_channel_table_miss(struct pji_channel_table *table, const char *source,
                                 enum pji_domain_kind kind, const char *domain, const char *reason,
                                 const char *fix, struct pj_error *err)
{
    struct pji_missing *row;
    pj_status status = pji_array_reserve(&table->missing, &table->cap_missing, table->n_missing + 1,
                                         sizeof *table->missing, err);

    if (status)
        return status;
    row = &table->missing[table->n_missing++];
    memset(row, 0, sizeof *row);
    row->domain_kind = kind;
    (void)snprintf(row->domain, sizeof row->domain, "%s", domain);
    (void)snprintf(row->source, sizeof row->source, "%s", source);
    (void)snprintf(row->reason, sizeof row->reason, "%s", reason);
    (void)snprintf(row->fix, sizeof row->fix, "%s", fix ? fix : "");
    return PJ_OK;
}

void pji_channel_table_fini(struct pji_channel_table *table)
{
    free(table->channels);
    free(table->missing);
    *table = (struct pji_channel_table){0};
}
