/* perjoule import emissions FILE: CodeCarbon's emissions.csv of any of its three orders, as one
 * table. docs/emissions.md.
 */
#include "cli/commands_lean.h"
#include "cli/emissions_align.h"
#include "cli/lean.h"
#include "core/csv.h"
#include "core/json.h"
#include "core/num.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const struct pji_option options[] = {
    {"json", 'j', NULL, "print a JSON array of objects"},
    {0},
};

struct importer {
    const struct pji_args *args;
    const char *path;
    struct pji_emissions_order order;
    json_t *list; /* NULL: CSV */
    struct pji_str text;
    size_t n_short, n_uncertain, n_unfit;
};

static pj_status take_header(struct importer *importer, const struct pji_csv_row *row,
                             struct pj_error *err)
{
    struct pji_emissions_order *order = &importer->order;

    for (size_t i = 0; i < row->n; i++) {
        int column = pji_emissions_find(row->fields[i]);
        char text[PJI_EXCERPT];

        if (column < 0 || order->n == PJI_EMISSIONS_COLUMNS)
            return pji_fail(err, PJ_EINVAL,
                            "%s is no emissions.csv of CodeCarbon: it has no column '%s'",
                            importer->path, pji_excerpt(row->fields[i], row->lens[i], text));
        order->columns[order->n++] = column;
    }
    if (pji_emissions_schema_of(order) == 0)
        return pji_fail(err, PJ_EINVAL,
                        "%s has %zu columns that are not those of one version of CodeCarbon (32, "
                        "34 or 38)",
                        importer->path, order->n);
    return PJ_OK;
}

/* A field as JSON: null where there is none; a number where the column has numbers. */
static json_t *field_json(enum pji_emissions_kind kind, const char *text)
{
    double value;

    if (!text || !text[0])
        return json_null();
    if (kind == PJI_EMISSIONS_NUMBER && pji_num_parse(text, strlen(text), &value, NULL) == PJ_OK)
        return pji_json_num(value);
    return json_string(text);
}

static pj_status add_json(struct importer *importer, const char *const fields[], size_t line,
                          size_t n_lacking, struct pj_error *err)
{
    json_t *object = json_object();
    int failed = 0;

    for (int i = 0; i < PJI_EMISSIONS_COLUMNS; i++)
        failed |= json_object_set_new(object, pji_emissions_columns[i].name,
                                      field_json(pji_emissions_columns[i].kind, fields[i]));
    failed |= json_object_set_new(object, "line", json_integer((json_int_t)line));
    failed |= json_object_set_new(object, "lacking_fields", json_integer((json_int_t)n_lacking));
    failed |= json_array_append_new(importer->list, object);
    return failed ? pji_fail(err, PJ_ENOMEM, "a row does not become JSON: no memory, or no UTF-8")
                  : PJ_OK;
}

static pj_status take_row(struct importer *importer, const struct pji_csv_row *row,
                          struct pj_error *err)
{
    const char *fields[PJI_EMISSIONS_COLUMNS] = {NULL};
    int field_of[PJI_EMISSIONS_COLUMNS];
    size_t used = 0;

    if (row->n == 1 && row->lens[0] == 0)
        return PJ_OK;
    if (!pji_emissions_align(&importer->order, row->fields, row->n, field_of)) {
        pji_lean_say(importer->args, "%s:%zu: %zu fields do not fit below %zu columns: left out",
                     importer->path, row->line, row->n, importer->order.n);
        importer->n_unfit++;
        return PJ_OK;
    }
    for (size_t i = 0; i < importer->order.n; i++) {
        if (field_of[i] < 0)
            continue;
        fields[importer->order.columns[i]] = row->fields[field_of[i]];
        used++;
    }
    importer->n_short += row->n < importer->order.n;
    importer->n_uncertain += row->n - used;
    if (importer->list)
        return add_json(importer, fields, row->line, importer->order.n - row->n, err);
    for (int i = 0; i < PJI_EMISSIONS_COLUMNS; i++)
        pji_csv_add(&importer->text, fields[i] ? fields[i] : "", ',', i == 0);
    pji_str_addc(&importer->text, '\n');
    return PJ_OK;
}

static pj_status read_all(struct importer *importer, FILE *file, struct pj_error *err)
{
    struct pji_emissions_order all;
    struct pji_csv *csv = NULL;
    struct pji_csv_row row;
    pj_status status = pji_csv_open(&csv, file, importer->path, ',', err);

    if (!status)
        status = pji_csv_read(csv, &row, err);
    if (status == PJI_CSV_END)
        status = pji_fail(err, PJ_EINVAL, "%s is empty", importer->path);
    if (!status)
        status = take_header(importer, &row, err);
    pji_emissions_order_of(&all, PJI_EMISSIONS_COLUMNS);
    if (!importer->list)
        pji_emissions_header_text(&all, &importer->text);
    while (!status) {
        status = pji_csv_read(csv, &row, err);
        if (!status)
            status = take_row(importer, &row, err);
    }
    pji_csv_close(csv);
    return status == PJI_CSV_END ? PJ_OK : status;
}

static int print(struct importer *importer)
{
    int code;

    if (importer->n_short > 0)
        pji_lean_say(importer->args,
                     "%s: %zu rows lack fields; %zu fields whose column is not certain are left "
                     "out",
                     importer->path, importer->n_short, importer->n_uncertain);
    if (importer->list) {
        pji_json_write(&importer->text, importer->list, 2);
        pji_str_addc(&importer->text, '\n');
    }
    code = pji_lean_print(importer->args, &importer->text);
    return code == PJI_EXIT_DONE && importer->n_unfit > 0 ? PJI_EXIT_INVALID : code;
}

static int import(const struct pji_args *args)
{
    struct importer importer = {.args = args};
    struct pj_error err = {0};
    int code = pji_lean_check_rest(
        args, 2, 2,
        "say what to import (emissions, greenlab, experiment-runner or judge) and from where");
    FILE *file;

    if (code)
        return code;
    if (strcmp(args->rest[0], "emissions") != 0) {
        pji_lean_say(
            args,
            "cannot import '%s': it is none of emissions, greenlab, experiment-runner and judge",
            args->rest[0]);
        return PJI_EXIT_USAGE;
    }
    importer.path = args->rest[1];
    importer.list = pji_args_has(args, "json") ? json_array() : NULL;
    file = fopen(importer.path, "re");
    if (!file) {
        (void)pji_fail_errno(&err, errno, "cannot read '%s'", importer.path);
        code = pji_lean_failed(args, &err);
    } else {
        code = read_all(&importer, file, &err) ? pji_lean_failed(args, &err) : print(&importer);
        (void)fclose(file);
    }
    json_decref(importer.list);
    pji_str_fini(&importer.text);
    return code;
}

const struct pji_command pji_cmd_import = {
    .name = "import",
    .synopsis = "emissions FILE [--json]",
    .about = "read files of other tools: emissions, greenlab, experiment-runner, judge",
    .details =
        "Reads an emissions.csv of CodeCarbon, of any version, as one table: prints all 38 columns "
        "that CodeCarbon has had since 2.7.0, in the order of 3.2.1. "
        "What a file does not have is an empty field (JSON: null).\n\n"
        "Rows with fewer fields than the header, as CodeCarbon 3.2.9 appends them, are laid "
        "on their columns by what the fields look like; a field whose column is not certain "
        "is left out, and standard error says how many were. A row that fits nowhere is left out "
        "and named there, and the exit code is 3.\n\n"
        "`perjoule import greenlab DIR --out STUDY` and `import experiment-runner DIR --out STUDY` "
        "make a study from raw runs, `import judge` adds a judge's scores to one; each explains "
        "itself with --help.",
    .options = options,
    .run = import,
};
