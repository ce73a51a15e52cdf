/* See windows.h. */
#include "cli/windows.h"

#include "cli/outcome.h"
#include "core/array.h"
#include "core/csv.h"
#include "core/num.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { NAME, START, END, COLUMNS };

static const char *const column_names[COLUMNS] = {"name", "start_ns", "end_ns"};

struct reader {
    const char *path;
    struct pji_windows *windows;
    size_t at[COLUMNS]; /* place of each column in a row */
};

static bool is_time(const struct pji_csv_row *row, size_t i)
{
    int64_t t_ns;

    return i < row->n && !pji_num_parse_i64(row->fields[i], row->lens[i], &t_ns, NULL);
}

/* From the names in the first row, or, where it has times in the second and third place, it is a
 * window already and the columns stand in this order. */
static pj_status find_columns(struct reader *reader, const struct pji_csv_row *row, bool *window,
                              struct pj_error *err)
{
    *window = is_time(row, START) && is_time(row, END);
    for (size_t c = 0; c < COLUMNS; c++) {
        size_t i = 0;

        while (!*window && i < row->n && strcmp(row->fields[i], column_names[c]) != 0)
            i++;
        if (i == row->n)
            return pji_fail(err, PJ_EINVAL,
                            "%s:%zu: there is no column '%s'; name, start_ns and end_ns are needed",
                            reader->path, row->line, column_names[c]);
        reader->at[c] = *window ? c : i;
    }
    return PJ_OK;
}

static pj_status read_time(const struct reader *reader, const struct pji_csv_row *row,
                           size_t column, int64_t *t_ns, struct pj_error *err)
{
    size_t i = reader->at[column];
    pj_status status = pji_num_parse_i64(row->fields[i], row->lens[i], t_ns, err);

    if (status)
        pji_error_prefix(err, "%s:%zu: %s", reader->path, row->line, column_names[column]);
    return status;
}

static pj_status keep(struct reader *reader, const struct pji_csv_row *row, int64_t start_ns,
                      int64_t end_ns, struct pj_error *err)
{
    struct pji_windows *windows = reader->windows;
    size_t at = reader->at[NAME];
    pj_status status;
    char *name;

    if (pji_utf8_span(row->fields[at], row->lens[at]) < row->lens[at])
        return pji_fail(err, PJ_EINVAL, "%s:%zu: the name of the window is not UTF-8 text",
                        reader->path, row->line);
    status = pji_array_reserve(&windows->rows, &windows->cap, windows->n + 1, sizeof *windows->rows,
                               err);
    if (status)
        return status;
    name = pji_dup(row->fields[at], err);
    if (!name)
        return PJ_ENOMEM;
    windows->rows[windows->n++] =
        (struct pji_window){.name = name, .start_ns = start_ns, .end_ns = end_ns};
    return PJ_OK;
}

static pj_status take_row(struct reader *reader, const struct pji_csv_row *row,
                          struct pj_error *err)
{
    int64_t start_ns = 0, end_ns = 0;
    pj_status status;

    for (size_t c = 0; c < COLUMNS; c++) {
        if (reader->at[c] >= row->n)
            return pji_fail(err, PJ_EINVAL, "%s:%zu: the column '%s' is missing in this row",
                            reader->path, row->line, column_names[c]);
    }
    status = read_time(reader, row, START, &start_ns, err);
    if (!status)
        status = read_time(reader, row, END, &end_ns, err);
    if (status)
        return status;
    if (end_ns < start_ns)
        return pji_fail(err, PJ_EINVAL, "%s:%zu: the window '%s' ends before it starts",
                        reader->path, row->line, row->fields[reader->at[NAME]]);
    return keep(reader, row, start_ns, end_ns, err);
}

static pj_status take_rows(struct reader *reader, struct pji_csv *csv, struct pj_error *err)
{
    struct pji_csv_row row;
    bool window = false;
    pj_status status = pji_csv_read(csv, &row, err);

    if (status == PJI_CSV_END)
        return pji_fail(err, PJ_EINVAL,
                        "%s is empty: the columns name, start_ns, end_ns are needed", reader->path);
    if (!status)
        status = find_columns(reader, &row, &window, err);
    if (!status && window)
        status = take_row(reader, &row, err);
    while (!status) {
        status = pji_csv_read(csv, &row, err);
        if (!status && row.n == 1 && row.lens[0] == 0)
            continue; /* an empty line */
        if (!status)
            status = take_row(reader, &row, err);
    }
    return status == PJI_CSV_END ? PJ_OK : status;
}

static pj_status sort_edges(struct pji_windows *windows, struct pj_error *err)
{
    const int64_t end_ns = -PJI_TRACE_BEGINNING;

    windows->edges_ns = pji_zalloc(2 * windows->n + 1, sizeof *windows->edges_ns, err);
    if (!windows->edges_ns)
        return PJ_ENOMEM;
    windows->edges_ns[windows->n_edges++] = PJI_TRACE_BEGINNING;
    for (size_t i = 0; i < 2 * windows->n; i++) {
        const struct pji_window *row = &windows->rows[i / 2];
        int64_t t_ns = i % 2 ? row->end_ns : row->start_ns;

        if (t_ns > PJI_TRACE_BEGINNING && t_ns < end_ns) /* no reading lies beyond */
            windows->edges_ns[windows->n_edges++] = t_ns;
    }
    qsort(windows->edges_ns, windows->n_edges, sizeof *windows->edges_ns, pji_i64_order);
    return PJ_OK;
}

pj_status pji_windows_load(struct pji_windows *windows, const char *path, struct pj_error *err)
{
    struct reader reader = {.path = path, .windows = windows};
    struct pji_csv *csv = NULL;
    FILE *file;
    pj_status status;

    *windows = (struct pji_windows){0};
    if (!path)
        return sort_edges(windows, err);
    file = fopen(path, "re");
    if (!file)
        return pji_fail_errno(err, errno, "cannot open the windows '%s'", path);
    status = pji_csv_open(&csv, file, path, ',', err);
    if (!status)
        status = take_rows(&reader, csv, err);
    if (!status)
        status = sort_edges(windows, err);
    pji_csv_close(csv);
    (void)fclose(file);
    return status;
}

void pji_windows_fini(struct pji_windows *windows)
{
    for (size_t i = 0; i < windows->n; i++)
        free(windows->rows[i].name);
    free(windows->rows);
    free(windows->edges_ns);
    *windows = (struct pji_windows){0};
}

/* ---- their energies ---- */

static json_t *window_json(const struct pji_window *window, const struct pji_trace *trace,
                           bool measured_only, struct pj_energy *energies, bool *in_total)
{
    const struct pji_trace_header *header = &trace->header;
    json_t *set = json_array(), *channels = json_array();
    struct pji_total total;

    pji_trace_window(trace, window->start_ns, window->end_ns, measured_only, energies, in_total,
                     &total);
    for (size_t i = 0; i < header->n_channels; i++) {
        const struct pji_channel *c = &header->channels[i];

        if (in_total[i])
            (void)json_array_append_new(set, json_string(c->name));
        if (c->role == PJI_ROLE_ENERGY || c->role == PJI_ROLE_POWER)
            (void)json_array_append_new(channels,
                                        json_pack("{s:s, s:o}", "name", c->name, "energy_j",
                                                  pji_energy_to_json(&energies[i])));
    }
    return json_pack("{s:s, s:I, s:I, s:o, s:o, s:o}", "name", window->name, "start_ns",
                     (json_int_t)window->start_ns, "end_ns", (json_int_t)window->end_ns, "energy_j",
                     pji_energy_to_json(&total.energy), "set", set, "channels", channels);
}

pj_status pji_windows_energies(json_t **out, const struct pji_windows *windows,
                               const struct pji_trace *trace, bool measured_only,
                               struct pj_error *err)
{
    size_t n = trace->header.n_channels + 1;
    struct pj_energy *energies = pji_zalloc(n, sizeof *energies, err);
    bool *in_total = pji_zalloc(n, sizeof *in_total, err);
    json_t *list = json_array();
    pj_status status = energies && in_total && list ? PJ_OK : PJ_ENOMEM;

    for (size_t i = 0; i < windows->n && !status; i++) {
        if (json_array_append_new(
                list, window_json(&windows->rows[i], trace, measured_only, energies, in_total)))
            status = pji_fail(err, PJ_ENOMEM, "out of memory for the energies of the windows");
    }
    free(energies);
    free(in_total);
    if (status)
        json_decref(list);
    else
        *out = list;
    return status;
}

/* Why nothing gave a value is said best by the instrument that came nearest. */
static void take_reason(struct pj_energy *energy, const json_t *window)
{
    const json_t *channel = json_array_get(json_object_get(window, "channels"), 0);
    struct pj_energy first = {0};

    if (energy->origin == PJ_ORIGIN_MISSING && channel &&
        !pji_energy_from_json(&first, json_object_get(channel, "energy_j"), NULL) &&
        first.origin == PJ_ORIGIN_MISSING)
        *energy = first;
}

void pji_windows_text(const json_t *windows, struct pji_str *out)
{
    for (size_t i = 0; i < json_array_size(windows); i++) {
        const json_t *window = json_array_get(windows, i);
        struct pj_energy energy = {0};

        if (pji_energy_from_json(&energy, json_object_get(window, "energy_j"), NULL))
            continue;
        take_reason(&energy, window);
        pji_str_addf(out, "%s: ", json_string_value(json_object_get(window, "name")));
        pji_outcome_add_energy(out, &energy);
        if (energy.origin != PJ_ORIGIN_MISSING)
            pji_str_addf(out, ", %s", pj_origin_name(energy.origin));
        pji_str_addc(out, '\n');
    }
}
