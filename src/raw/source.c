#include "raw/source.h"

#include "core/array.h"
#include "core/num.h"
#include "core/units.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

static bool blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static const char *trim(const char *text, size_t *len)
{
    while (*len > 0 && blank(text[0])) {
        text++;
        (*len)--;
    }
    while (*len > 0 && blank(text[*len - 1]))
        (*len)--;
    return text;
}

/* ---- plain lines ---- */

struct pji_raw_lines {
    char *text; /* of the last line; its separators become ends */
    size_t cap, number;
    const char **fields;
    size_t *lens;
    size_t fields_cap, lens_cap;
    char separator;
};

static pj_status read_plain(struct pji_raw_table *table, struct pji_csv_row *row,
                            struct pj_error *err)
{
    struct pji_raw_lines *l = table->lines;
    ssize_t len = getline(&l->text, &l->cap, table->file);
    if (len < 0)
        return PJI_CSV_END;
    l->number++;
    while (len > 0 && (l->text[len - 1] == '\n' || l->text[len - 1] == '\r'))
        l->text[--len] = '\0';
    size_t skip = l->number == 1 && strncmp(l->text, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
    if (memchr(l->text, '\0', (size_t)len) != NULL)
        return pji_fail(err, PJ_EINVAL, "%s:%zu: a NUL byte: this is not UTF-8 text",
                        table->source->shown, l->number);
    size_t n = 0;
    for (char *at = l->text + skip;; n++) {
        char *end = strchr(at, l->separator);
        if (pji_array_reserve(&l->fields, &l->fields_cap, n + 1, sizeof *l->fields, err) != PJ_OK ||
            pji_array_reserve(&l->lens, &l->lens_cap, n + 1, sizeof *l->lens, err) != PJ_OK)
            return PJ_ENOMEM;
        l->fields[n] = at;
        l->lens[n] = end != NULL ? (size_t)(end - at) : strlen(at);
        if (end == NULL)
            break;
        *end = '\0';
        at = end + 1;
    }
    *row = (struct pji_csv_row){l->fields, l->lens, n + 1, l->number};
    return PJ_OK;
}

static pj_status read_row(struct pji_raw_table *table, struct pji_csv_row *row,
                          struct pj_error *err)
{
    return table->lines != NULL ? read_plain(table, row, err) : pji_csv_read(table->csv, row, err);
}

/* ---- opening ---- */

static char separator_of(FILE *file)
{
    static const char candidates[] = {',', ';', '\t'};
    size_t counts[3] = {0};
    bool quoted = false;
    for (int c = getc(file); c != EOF && (quoted || c != '\n'); c = getc(file)) {
        quoted = quoted != (c == '"');
        for (size_t i = 0; i < 3 && !quoted; i++)
            counts[i] += c == candidates[i];
    }
    size_t best = 0;
    for (size_t i = 1; i < 3; i++)
        best = counts[i] > counts[best] ? i : best;
    return candidates[best];
}

static pj_status take_header(struct pji_raw_table *table, struct pj_error *err)
{
    struct pji_csv_row row;
    pj_status status = read_row(table, &row, err);
    if (status)
        return status == PJI_CSV_END ? pji_fail(err, PJ_EINVAL, "%s is empty", table->source->shown)
                                     : status;
    table->names = pji_zalloc(row.n, sizeof *table->names, err);
    if (table->names == NULL)
        return PJ_ENOMEM;
    table->n_names = row.n;
    for (size_t i = 0; i < row.n; i++) {
        size_t len = row.lens[i];
        const char *name = trim(row.fields[i], &len);
        table->names[i] = pji_dupn(name, len, err);
        if (table->names[i] == NULL)
            return PJ_ENOMEM;
    }
    return PJ_OK;
}

pj_status pji_raw_source_check(struct pji_raw_source *source, struct pj_error *err)
{
    struct stat info;
    source->reason = "unreadable_file";
    if (stat(source->path, &info) != 0) {
        source->reason = errno == ENOENT ? "missing_file" : source->reason;
        return pji_fail_errno(err, errno, "cannot read %s", source->shown);
    }
    if (!S_ISREG(info.st_mode))
        return pji_fail(err, PJ_EINVAL, "%s is not a regular file", source->shown);
    return PJ_OK;
}

pj_status pji_raw_table_open(struct pji_raw_table *table, struct pji_raw_source *source,
                             struct pj_error *err)
{
    *table = (struct pji_raw_table){.source = source};
    pj_status status = pji_raw_source_check(source, err);
    if (status != PJ_OK)
        return status;
    table->file = fopen(source->path, "re");
    if (table->file == NULL)
        return pji_fail_errno(err, errno, "cannot read %s", source->shown);
    if (fseek(table->file, -1, SEEK_END) != 0) {
        source->reason = "empty_file";
        return pji_fail(err, PJ_EINVAL, "%s is empty: take the run's file again, or the run out",
                        source->shown);
    }
    table->ended = getc(table->file) == '\n';
    rewind(table->file);
    char separator = separator_of(table->file);
    rewind(table->file);
    if (!source->plain) {
        status = pji_csv_open(&table->csv, table->file, source->shown, separator, err);
    } else {
        table->lines = pji_zalloc(1, sizeof *table->lines, err);
        status = table->lines != NULL ? PJ_OK : PJ_ENOMEM;
        if (table->lines != NULL)
            table->lines->separator = separator;
    }
    return status == PJ_OK ? take_header(table, err) : status;
}

void pji_raw_table_close(struct pji_raw_table *table)
{
    for (size_t i = 0; i < table->n_names; i++)
        free(table->names[i]);
    free(table->names);
    pji_csv_close(table->csv);
    if (table->lines != NULL) {
        free(table->lines->text);
        free(table->lines->fields);
        free(table->lines->lens);
        free(table->lines);
    }
    if (table->file != NULL)
        (void)fclose(table->file);
    *table = (struct pji_raw_table){0};
}

int pji_raw_table_find(const struct pji_raw_table *table, const char *name)
{
    for (size_t i = 0; i < table->n_names; i++) {
        if (strcasecmp(table->names[i], name) == 0)
            return (int)i;
    }
    return -1;
}

/* ---- records ---- */

static pj_status wrong_width(struct pji_raw_table *table, struct pj_error *err)
{
    size_t line = table->row.line, n = table->row.n;
    struct pji_csv_row next;
    pj_status after = read_row(table, &next, NULL);
    if (after == PJI_CSV_END && !table->ended) {
        table->source->reason = "torn_file";
        return pji_fail(err, PJ_EINVAL,
                        "%s:%zu: the file ends inside this record (%zu of %zu fields): it was cut "
                        "off; take the run's file again, or the run out",
                        table->source->shown, line, n, table->n_names);
    }
    table->source->reason = "bad_record";
    return pji_fail(err, PJ_EINVAL, "%s:%zu: %zu fields where the header has %zu",
                    table->source->shown, line, n, table->n_names);
}

pj_status pji_raw_table_next(struct pji_raw_table *table, struct pj_error *err)
{
    pj_status status;
    do {
        status = read_row(table, &table->row, err);
    } while (status == PJ_OK && table->row.n == 1 && table->row.lens[0] == 0 && table->n_names > 1);
    if (status == PJI_CSV_END) {
        table->unended_row = !table->ended && table->rows > 0;
        return status;
    }
    if (status) {
        table->source->reason = table->ended ? "bad_record" : "torn_file";
        return status;
    }
    if (table->row.n != table->n_names)
        return wrong_width(table, err);
    table->rows++;
    return PJ_OK;
}

const char *pji_raw_field(const struct pji_raw_table *table, size_t column, size_t *len)
{
    *len = table->row.lens[column];
    return trim(table->row.fields[column], len);
}

/* ---- numbers ---- */

pj_status pji_raw_parse(const struct pji_raw_source *source, const char *text, size_t len,
                        double *value, struct pj_error *err)
{
    /* where the comma is declared, a file may still write points: one mark in each number */
    bool comma = source->decimal_comma && memchr(text, ',', len) != NULL;
    return comma ? pji_num_parse_comma(text, len, value, err)
                 : pji_num_parse(text, len, value, err);
}

/* what programs write for a value that they do not have */
static bool is_nothing(const char *text, size_t len)
{
    static const char *const words[] = {"", "nan", "na", "n/a", "null", "none"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strlen(words[i]) == len && strncasecmp(text, words[i], len) == 0)
            return true;
    }
    return false;
}

pj_status pji_raw_number(const struct pji_raw_table *table, size_t column, double *value,
                         struct pj_error *err)
{
    size_t len = 0;
    double other = 0;
    const char *text = pji_raw_field(table, column, &len);
    *value = (double)NAN;
    if (is_nothing(text, len))
        return PJ_OK;
    pj_status status = pji_raw_parse(table->source, text, len, value, err);
    if (status == PJ_OK)
        return PJ_OK;
    bool comma = pji_num_parse_comma(text, len, &other, NULL) == PJ_OK;
    table->source->reason = comma ? "decimal_comma" : "bad_number";
    pji_error_prefix(err, "%s:%zu, column '%s'", table->source->shown, table->row.line,
                     table->names[column]);
    return status;
}

/* ---- times ---- */

/* The unit in which it lies between 1973 and 2096; 0: none. */
static int64_t unit_of(double value)
{
    static const int64_t units_ns[] = {PJI_NS_PER_S, PJI_NS_PER_MS, PJI_NS_PER_US, 1};
    for (size_t i = 0; i < sizeof units_ns / sizeof units_ns[0]; i++) {
        double t_ns = value * (double)units_ns[i];
        if (t_ns >= 1e17 && t_ns < 4e18)
            return units_ns[i];
    }
    return 0;
}

pj_status pji_raw_time(const struct pji_raw_table *table, size_t column, int64_t *unit_ns,
                       int64_t *t_ns, struct pj_error *err)
{
    double value = 0;
    size_t len = 0;
    const char *text = pji_raw_field(table, column, &len);
    pj_status status = pji_raw_number(table, column, &value, err);
    if (status)
        return status;
    int64_t unit = isnan(value) ? 0 : unit_of(value);
    if (unit == 0 || (*unit_ns != 0 && unit != *unit_ns)) {
        table->source->reason = "bad_time";
        return pji_fail(err, PJ_EINVAL,
                        "%s:%zu, column '%s': '%.40s' is no time since 1970 in s, ms, us or ns%s",
                        table->source->shown, table->row.line, table->names[column], text,
                        *unit_ns != 0 ? " as the rows before" : "");
    }
    *unit_ns = unit;
    int64_t whole = 0;
    if (pji_num_parse_i64(text, len, &whole, NULL) == PJ_OK)
        *t_ns = whole * unit;
    else
        *t_ns = (int64_t)llround(value * (double)unit);
    return PJ_OK;
}
