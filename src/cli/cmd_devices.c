/* perjoule devices: what can be measured here, and for what cannot: why, and what to do. */
#include "cli/commands_lean.h"
#include "cli/instruments.h"
#include "core/units.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct pji_option options[] = {
    {"json", 0, NULL, "print JSON"},
    PJI_ROOT_OPTION,
    {0},
};

/* ---- JSON ---- */

static json_t *cover_to_json(const struct pji_channel_table *table, const bool *in_total)
{
    json_t *set = json_array();

    for (size_t i = 0; i < table->n; i++) {
        if (in_total[i])
            (void)json_array_append_new(set, json_string(table->channels[i].name));
    }
    return set;
}

static void write_json(const struct pji_channel_table *table, const bool *in_total,
                       struct pji_str *out)
{
    json_t *channels = json_array(), *missing = json_array();
    json_t *root;

    for (size_t i = 0; i < table->n; i++)
        (void)json_array_append_new(channels, pji_channel_to_json(&table->channels[i]));
    for (size_t i = 0; i < table->n_missing; i++)
        (void)json_array_append_new(missing, pji_missing_to_json(&table->missing[i]));
    root = json_pack("{s:o, s:o, s:o}", "channels", channels, "missing", missing, "set",
                     cover_to_json(table, in_total));
    if (!root)
        out->failed = true;
    pji_json_write(out, root, 2);
    pji_str_addc(out, '\n');
    json_decref(root);
}

/* ---- for people ---- */

static void refresh_text(int64_t refresh_ns, char *text, size_t size)
{
    if (refresh_ns <= 0)
        (void)snprintf(text, size, "-");
    else
        (void)snprintf(text, size, "%lld ms", (long long)((refresh_ns + 500000) / PJI_NS_PER_MS));
}

/* Of the names and domains, that the columns line up. */
static void find_widths(const struct pji_channel_table *table, int *name, int *domain)
{
    *name = 18;
    *domain = 10;
    for (size_t i = 0; i < table->n; i++) {
        int name_len = (int)strlen(table->channels[i].name);
        int domain_len = (int)strlen(table->channels[i].domain);

        *name = name_len > *name ? name_len : *name;
        *domain = domain_len > *domain ? domain_len : *domain;
    }
}

static void write_text(const struct pji_channel_table *table, const bool *in_total,
                       struct pji_str *out)
{
    char refresh[24];
    int name, domain;

    find_widths(table, &name, &domain);
    if (table->n > 0)
        pji_str_addf(out, "  %-*s %-*s %-10s %-4s %8s  %s\n", name, "CHANNEL", domain, "DOMAIN",
                     "ORIGIN", "UNIT", "REFRESH", "DEVICE");
    else
        pji_str_add(out, "Nothing can be measured here.\n");
    for (size_t i = 0; i < table->n; i++) {
        const struct pji_channel *c = &table->channels[i];

        refresh_text(c->refresh_ns, refresh, sizeof refresh);
        pji_str_addf(out, "%c %-*s %-*s %-10s %-4s %8s  %s\n", in_total[i] ? '*' : ' ', name,
                     c->name, domain, c->domain, pj_origin_name(c->origin), c->unit, refresh,
                     c->device);
    }
    if (table->n > 0)
        pji_str_add(out, "* enters the total\n");
    if (table->n_missing > 0)
        pji_str_add(out, "\nnot available:\n");
    for (size_t i = 0; i < table->n_missing; i++) {
        const struct pji_missing *m = &table->missing[i];

        pji_str_addf(out, "  %s (%s): %s\n", m->domain, m->source, m->reason);
        if (m->fix[0])
            pji_str_addf(out, "    fix: %s\n", m->fix);
    }
}

static int run(const struct pji_args *args)
{
    const struct pji_channel_table *table;
    struct pji_instruments instruments;
    struct pji_str out = {0};
    struct pj_error err = {0};
    bool *in_total;
    int code = pji_lean_check_rest(args, 0, 0, "");

    if (code)
        return code;
    if (pji_instruments_open(&instruments, args, NULL, &err))
        return pji_lean_failed(args, &err);
    table = pji_meter_channels(instruments.meter);
    in_total = calloc(table->n + 1, sizeof *in_total);
    if (in_total) {
        pji_ledger_cover(table->channels, table->n, false, in_total);
        (pji_args_has(args, "json") ? write_json : write_text)(table, in_total, &out);
    } else {
        out.failed = true;
    }
    code = pji_lean_print(args, &out);
    free(in_total);
    pji_str_fini(&out);
    pji_instruments_close(&instruments);
    return code;
}

const struct pji_command pji_cmd_devices = {
    .name = "devices",
    .synopsis = "[--json] [--root DIR]",
    .about = "show what can be measured on this machine, and why the rest cannot",
    .details =
        "Each row is a channel: its domain in the tree of what contains what, the origin of its "
        "numbers, and how often the instrument itself refreshes them. Below stands what exists or "
        "should exist but cannot be read, with the smallest permission that would help.",
    .options = options,
    .run = run,
};
