#include "load/times.h"

#include "core/array.h"
#include "core/csv.h"
#include "core/json.h"
#include "core/num.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define LONGEST_NS (1000.0 * 3600.0 * 1e9)
#define BOM        "\xef\xbb\xbf"

static const char *const usual[] = {"timestamp", "t", "time", "arrival_time", "timestamp_ns"};
enum { N_USUAL = sizeof usual / sizeof usual[0] };

struct reader {
    struct pji_times *times;
    const char *path, *field; /* field NULL: not chosen yet */
    size_t width;             /* fields of a CSV file's lines */
    double unit_ns, first;    /* unit_ns 0: not stated */
    struct pj_error *err;
};

static pj_status add(struct reader *r, double value, size_t line)
{
    struct pji_times *t = r->times;
    if (t->n == 0)
        r->first = value;
    double ns = (value - r->first) * r->unit_ns;
    if (!isfinite(ns) || ns > LONGEST_NS)
        return pji_fail(r->err, PJ_EINVAL,
                        "%s:%zu: the time %.17g is more than 1000 hours after the first one: is "
                        "the unit right?",
                        r->path, line, value);
    if (t->n > 0 && llround(ns) < t->times_ns[t->n - 1])
        return pji_fail(r->err, PJ_EINVAL,
                        "%s:%zu: the time %.17g is before the one above it: sort the trace",
                        r->path, line, value);
    if (t->n >= PJI_TIMES_MOST)
        return pji_fail(r->err, PJ_EINVAL, "%s has more than %d times", r->path,
                        (int)PJI_TIMES_MOST);
    pj_status status =
        pji_array_reserve(&t->times_ns, &t->cap, t->n + 1, sizeof *t->times_ns, r->err);
    if (status == PJ_OK)
        t->times_ns[t->n++] = (int64_t)llround(ns);
    return status;
}

/* ---- CSV ---- */

/* The unit that nobody stated: the name of the times may tell it. */
static void guess_unit(struct reader *r, const char *name)
{
    if (r->unit_ns == 0.0)
        r->unit_ns = strcmp(name, "timestamp_ns") == 0 ? 1.0 : 1e9;
}

static pj_status add_field(struct reader *r, const struct pji_csv_row *row, size_t column)
{
    double value = 0;
    if (row->n != r->width)
        return pji_fail(r->err, PJ_EINVAL,
                        "%s:%zu: a line of %zu fields below one of %zu: are there decimal commas? "
                        "Columns are separated by commas, and numbers have a point",
                        r->path, row->line, row->n, r->width);
    if (column >= row->n || row->lens[column] == 0)
        return pji_fail(r->err, PJ_EINVAL, "%s:%zu: the time is missing", r->path, row->line);
    const char *text = row->fields[column];
    struct pj_error why = {0};
    if (pji_num_parse(text, row->lens[column], &value, &why) != PJ_OK)
        return pji_fail(r->err, PJ_EINVAL,
                        "%s:%zu: '%.60s' is not a time: a trace holds "
                        "numbers, no dates",
                        r->path, row->line, text);
    return add(r, value, row->line);
}

static size_t find(const struct pji_csv_row *row, const char *name)
{
    size_t i = 0;
    while (i < row->n && strcmp(row->fields[i], name) != 0)
        i++;
    return i;
}

/* *is_head: the row is a header and no data. */
static pj_status choose_column(struct reader *r, const struct pji_csv_row *row, size_t *column,
                               bool *is_head)
{
    double ignored;
    *is_head = true;
    *column = r->field ? find(row, r->field) : row->n;
    r->width = row->n;
    for (size_t i = 0; i < N_USUAL && !r->field && *column == row->n; i++)
        *column = find(row, usual[i]);
    guess_unit(r, *column < row->n ? row->fields[*column] : "");
    for (size_t i = *column + 1; i < row->n; i++)
        if (strcmp(row->fields[i], row->fields[*column]) == 0)
            return pji_fail(r->err, PJ_EINVAL, "%s has two columns '%.60s'", r->path,
                            row->fields[*column]);
    if (*column < row->n)
        return PJ_OK;
    if (row->n == 1 && !r->field) {
        *column = 0;
        *is_head = pji_num_parse(row->fields[0], row->lens[0], &ignored, NULL) != PJ_OK;
        return PJ_OK;
    }
    struct pji_str columns = {0};
    for (size_t i = 0; i < row->n && columns.len < 200; i++)
        pji_str_addf(&columns, "%s%.40s", i ? ", " : "", row->fields[i]);
    pj_status status =
        r->field ? pji_fail(r->err, PJ_EINVAL, "%s has no column '%.60s': it has %s", r->path,
                            r->field, pji_str_text(&columns))
                 : pji_fail(r->err, PJ_EINVAL,
                            "%s: which column holds the times? Name it with field: it has %s",
                            r->path, pji_str_text(&columns));
    pji_str_fini(&columns);
    return status;
}

static pj_status read_csv(struct reader *r, FILE *file)
{
    struct pji_csv *csv = NULL;
    struct pji_csv_row row;
    size_t column = 0;
    bool first = true;
    pj_status status = pji_csv_open(&csv, file, r->path, ',', r->err);
    while (status == PJ_OK && (status = pji_csv_read(csv, &row, r->err)) == PJ_OK) {
        bool skip = row.n == 1 && row.lens[0] == 0;
        if (!skip && first) {
            status = choose_column(r, &row, &column, &skip);
            first = false;
        }
        if (status == PJ_OK && !skip)
            status = add_field(r, &row, column);
    }
    pji_csv_close(csv);
    return status == PJI_CSV_END ? PJ_OK : status;
}

/* ---- JSON Lines ---- */

static const json_t *find_number(struct reader *r, const json_t *object)
{
    for (size_t i = 0; i < N_USUAL && !r->field; i++)
        if (json_object_get(object, usual[i]))
            r->field = usual[i];
    return r->field ? json_object_get(object, r->field) : NULL;
}

static pj_status add_line(struct reader *r, const char *text, size_t len, size_t line)
{
    struct pj_error why = {0};
    if (line == 1 && len >= 3 && memcmp(text, BOM, 3) == 0) {
        text += 3;
        len -= 3;
    }
    json_t *object = pji_json_parse(text, len, r->path, &why);
    if (!json_is_object(object)) {
        json_decref(object);
        return pji_fail(r->err, PJ_EINVAL, "%s:%zu: not a JSON object on one line", r->path, line);
    }
    const json_t *value = find_number(r, object);
    guess_unit(r, r->field ? r->field : "");
    pj_status status = json_is_number(value)
                           ? add(r, json_number_value(value), line)
                           : pji_fail(r->err, PJ_EINVAL,
                                      "%s:%zu: '%s' is not a number in this object: name the "
                                      "member that holds the time with field",
                                      r->path, line, r->field ? r->field : "timestamp");
    json_decref(object);
    return status;
}

static pj_status read_lines(struct reader *r, FILE *file)
{
    char *line = NULL;
    size_t cap = 0;
    pj_status status = PJ_OK;
    for (size_t number = 1; status == PJ_OK; number++) {
        ssize_t n = getline(&line, &cap, file);
        if (n < 0)
            break;
        if (strspn(line, " \t\r\n") < (size_t)n)
            status = add_line(r, line, (size_t)n, number);
    }
    if (status == PJ_OK && ferror(file))
        status = pji_fail_errno(r->err, errno, "the trace %s cannot be read", r->path);
    free(line);
    return status;
}

/* ---- both ---- */

/* The first byte of the text. */
static int first_byte(FILE *file)
{
    char mark[3];
    if (fread(mark, 1, 3, file) != 3 || memcmp(mark, BOM, 3) != 0)
        rewind(file);
    int c = getc(file);
    while (c == ' ' || c == '\t' || c == '\n' || c == '\r')
        c = getc(file);
    rewind(file);
    return c;
}

static pj_status read_any(struct reader *r, FILE *file)
{
    int c = first_byte(file);
    if (c == '[')
        return pji_fail(r->err, PJ_EINVAL,
                        "%s is a JSON array: a trace is JSON Lines, one object on each line",
                        r->path);
    return c == '{' ? read_lines(r, file) : read_csv(r, file);
}

pj_status pji_times_read(struct pji_times *times, const char *path, const char *field,
                         double unit_ns, struct pj_error *err)
{
    struct reader r = {
        .times = times, .path = path, .field = field, .unit_ns = unit_ns, .err = err};
    struct stat info;
    *times = (struct pji_times){0};
    FILE *file = fopen(path, "re");
    if (!file)
        return pji_fail_errno(err, errno, "the trace %s cannot be read", path);
    pj_status status = PJ_OK;
    /* a pipe or a device would be read for ever */
    if (fstat(fileno(file), &info) != 0 || !S_ISREG(info.st_mode))
        status = pji_fail(err, PJ_EINVAL, "the trace %s is not a regular file", path);
    if (status == PJ_OK)
        status = read_any(&r, file);
    if (status == PJ_OK && times->n == 0)
        status = pji_fail(err, PJ_EINVAL, "the trace %s holds no time", path);
    fclose(file);
    if (status == PJ_OK)
        status = pji_sha256_file(path, times->sha256, err);
    if (status)
        pji_times_fini(times);
    return status;
}

void pji_times_fini(struct pji_times *times)
{
    free(times->times_ns);
    *times = (struct pji_times){0};
}
