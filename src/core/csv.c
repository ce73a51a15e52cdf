/* core/csv.c - RFC 4180 as a byte machine that works in place: a record is assembled at the front
 * of the input buffer (unquoting only ever shortens it), so that a field costs no copy of its own.
 * Positions in messages are 1-based lines and byte columns.
 */
#include "core/csv.h"

#include "core/array.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    CHUNK = 64 * 1024,
    RECORD_MAX = 64 * 1024 * 1024 /* a longer record is a missing quote, not data */
};

enum state { FIELD_START, PLAIN, QUOTED, AFTER_QUOTE, AFTER_QUOTE_CR };
/* conditions of step() and read_record(), beside PJI_CSV_END */
enum { MORE = 0, RECORD_DONE = 2 };

struct pji_csv {
    FILE *file;
    char *name;
    char separator;
    bool at_end;  /* the file has no more bytes */
    bool broken;  /* an error was reported: there is no way to go on */
    bool started; /* the first bytes were looked at for a byte order mark */
    char *buffer;
    size_t cap;
    size_t begin; /* first byte of the current record */
    size_t write; /* next byte of the unescaped record */
    size_t scan;  /* next byte to look at */
    size_t end;   /* bytes in the buffer */
    size_t line;  /* position of `scan` */
    size_t column;
    size_t record_line, quote_line, quote_column;
    size_t field; /* start of the current field */
    enum state state;
    size_t *starts; /* offsets from `begin` */
    size_t starts_cap;
    size_t *lens;
    size_t lens_cap;
    const char **fields;
    size_t fields_cap;
    size_t n;
};

pj_status pji_csv_open(struct pji_csv **out, FILE *file, const char *name, char separator,
                       struct pj_error *err)
{
    if (separator == '"' || separator == '\n' || separator == '\r' || separator == '\0')
        return pji_fail(err, PJ_EINVAL, "%s: this separator cannot be used for a table", name);
    struct pji_csv *csv = pji_zalloc(1, sizeof *csv, err);
    if (!csv)
        return PJ_ENOMEM;
    csv->file = file;
    csv->separator = separator;
    csv->line = 1;
    csv->column = 1;
    csv->name = pji_dup(name, err);
    if (!csv->name) {
        free(csv);
        return PJ_ENOMEM;
    }
    *out = csv;
    return PJ_OK;
}

void pji_csv_close(struct pji_csv *csv)
{
    if (!csv)
        return;
    free(csv->name);
    free(csv->buffer);
    free(csv->starts);
    free(csv->lens);
    free(csv->fields);
    free(csv);
}

/* Moves the unfinished record to the front and reads more behind it. */
static pj_status refill(struct pji_csv *csv, struct pj_error *err)
{
    size_t shift = csv->begin;
    if (shift) {
        memmove(csv->buffer, csv->buffer + shift, csv->end - shift);
        csv->begin = 0;
        csv->write -= shift;
        csv->scan -= shift;
        csv->end -= shift;
        csv->field -= shift;
    }
    if (csv->end > RECORD_MAX)
        return pji_fail(err, PJ_EINVAL,
                        "%s:%zu: this record is longer than %d bytes: is a closing quote missing?",
                        csv->name, csv->record_line, (int)RECORD_MAX);
    if (csv->cap - csv->end < CHUNK) {
        pj_status status = pji_array_reserve(&csv->buffer, &csv->cap, csv->end + CHUNK + 1, 1, err);
        if (status)
            return status;
    }
    errno = 0;
    size_t got = fread(csv->buffer + csv->end, 1, csv->cap - csv->end - 1, csv->file);
    if (got == 0) {
        if (ferror(csv->file))
            return pji_fail_errno(err, errno ? errno : EIO, "cannot read %s", csv->name);
        csv->at_end = true;
    }
    csv->end += got;
    return PJ_OK;
}

static pj_status skip_byte_order_mark(struct pji_csv *csv, struct pj_error *err)
{
    csv->started = true;
    while (csv->end < 3 && !csv->at_end) {
        pj_status status = refill(csv, err);
        if (status)
            return status;
    }
    if (csv->end >= 3 && memcmp(csv->buffer, "\xef\xbb\xbf", 3) == 0)
        csv->begin = csv->write = csv->scan = csv->field = 3;
    return PJ_OK;
}

static pj_status end_field(struct pji_csv *csv, struct pj_error *err)
{
    pj_status status =
        pji_array_reserve(&csv->starts, &csv->starts_cap, csv->n + 1, sizeof *csv->starts, err);
    if (!status)
        status = pji_array_reserve(&csv->lens, &csv->lens_cap, csv->n + 1, sizeof *csv->lens, err);
    if (status)
        return status;
    csv->starts[csv->n] = csv->field - csv->begin;
    csv->lens[csv->n] = csv->write - csv->field;
    csv->n++;
    csv->buffer[csv->write++] = '\0'; /* takes the place of the separator or line end */
    csv->field = csv->write;
    csv->state = FIELD_START;
    return PJ_OK;
}

static pj_status complain(const struct pji_csv *csv, const char *what, struct pj_error *err)
{
    return pji_fail(err, PJ_EINVAL, "%s:%zu:%zu: %s", csv->name, csv->line, csv->column, what);
}

static pj_status step_quoted(struct pji_csv *csv, char c)
{
    if (c == '"')
        csv->state = AFTER_QUOTE;
    else
        csv->buffer[csv->write++] = c;
    return MORE;
}

static pj_status end_record(struct pji_csv *csv, struct pj_error *err)
{
    pj_status status = end_field(csv, err);
    return status ? status : RECORD_DONE;
}

static pj_status step_after_quote(struct pji_csv *csv, char c, struct pj_error *err)
{
    if (c == '\n')
        return end_record(csv, err);
    if (csv->state == AFTER_QUOTE && c == csv->separator)
        return end_field(csv, err);
    if (csv->state == AFTER_QUOTE && c == '\r') {
        csv->state = AFTER_QUOTE_CR;
        return MORE;
    }
    if (csv->state == AFTER_QUOTE && c == '"') {
        csv->buffer[csv->write++] = '"';
        csv->state = QUOTED;
        return MORE;
    }
    return complain(csv, "text after a closing quote", err);
}

static pj_status step_plain(struct pji_csv *csv, char c, struct pj_error *err)
{
    if (c == csv->separator)
        return end_field(csv, err);
    if (c == '\n') {
        if (csv->write > csv->field && csv->buffer[csv->write - 1] == '\r')
            csv->write--;
        return end_record(csv, err);
    }
    if (c == '"' && csv->state == PLAIN)
        return complain(csv, "a quote inside a field that does not start with one", err);
    if (c == '"') {
        csv->quote_line = csv->line;
        csv->quote_column = csv->column;
        csv->state = QUOTED;
        return MORE;
    }
    csv->buffer[csv->write++] = c;
    csv->state = PLAIN;
    return MORE;
}

/* One byte outside the fast loop. Returns MORE, RECORD_DONE or a failure. */
static pj_status step(struct pji_csv *csv, char c, struct pj_error *err)
{
    pj_status status;
    if (c == '\0')
        return complain(csv, "a NUL byte: this is not UTF-8 text", err);
    switch (csv->state) {
    case QUOTED:
        status = step_quoted(csv, c);
        break;
    case AFTER_QUOTE:
    case AFTER_QUOTE_CR:
        status = step_after_quote(csv, c, err);
        break;
    case FIELD_START:
    case PLAIN:
    default:
        status = step_plain(csv, c, err);
        break;
    }
    csv->column = c == '\n' ? 1 : csv->column + 1;
    csv->line += c == '\n';
    return status;
}

/* Takes the run of ordinary bytes at `scan` in one go. */
static void take_run(struct pji_csv *csv)
{
    const char *from = csv->buffer + csv->scan;
    const char *end = csv->buffer + csv->end;
    const char *at = from;
    if (csv->state == QUOTED) {
        while (at < end && *at != '"' && *at != '\n' && *at != '\0')
            at++;
    } else if (csv->state == PLAIN || csv->state == FIELD_START) {
        while (at < end && *at != csv->separator && *at != '\n' && *at != '"' && *at != '\0')
            at++;
        if (at > from)
            csv->state = PLAIN;
    }
    size_t n = (size_t)(at - from);
    if (csv->write != csv->scan)
        memmove(csv->buffer + csv->write, from, n);
    csv->write += n;
    csv->scan += n;
    csv->column += n;
}

/* The file ended inside or just before a record. */
static pj_status finish(struct pji_csv *csv, struct pj_error *err)
{
    if (csv->state == QUOTED)
        return pji_fail(err, PJ_EINVAL, "%s:%zu:%zu: this quote is never closed", csv->name,
                        csv->quote_line, csv->quote_column);
    if (csv->scan == csv->begin)
        return PJI_CSV_END;
    if (csv->state == PLAIN && csv->buffer[csv->write - 1] == '\r')
        csv->write--;
    pj_status status = end_field(csv, err);
    return status ? status : RECORD_DONE;
}

static pj_status read_record(struct pji_csv *csv, struct pj_error *err)
{
    for (;;) {
        if (csv->scan == csv->end && !csv->at_end) {
            pj_status status = refill(csv, err);
            if (status)
                return status;
        }
        if (csv->scan == csv->end) {
            if (csv->at_end)
                return finish(csv, err);
            continue;
        }
        take_run(csv);
        if (csv->scan == csv->end)
            continue;
        pj_status status = step(csv, csv->buffer[csv->scan++], err);
        if (status != MORE)
            return status;
    }
}

pj_status pji_csv_read(struct pji_csv *csv, struct pji_csv_row *row, struct pj_error *err)
{
    if (csv->broken)
        return pji_fail(err, PJ_ESTATE, "%s: reading went on after an error", csv->name);
    pj_status status = csv->started ? PJ_OK : skip_byte_order_mark(csv, err);
    if (!status) {
        csv->begin = csv->write = csv->field = csv->scan;
        csv->record_line = csv->line;
        csv->n = 0;
        csv->state = FIELD_START;
        status = read_record(csv, err);
    }
    if (status == RECORD_DONE)
        status =
            pji_array_reserve(&csv->fields, &csv->fields_cap, csv->n, sizeof *csv->fields, err);
    else if (status == PJI_CSV_END)
        return PJI_CSV_END;
    if (status < 0) {
        csv->broken = true;
        return status;
    }
    for (size_t i = 0; i < csv->n; i++)
        csv->fields[i] = csv->buffer + csv->begin + csv->starts[i];
    *row = (struct pji_csv_row){
        .fields = csv->fields, .lens = csv->lens, .n = csv->n, .line = csv->record_line};
    return PJ_OK;
}

void pji_csv_add(struct pji_str *out, const char *field, char separator, bool first)
{
    if (!first)
        pji_str_addc(out, separator);
    size_t len = strlen(field);
    const char special[] = {separator, '"', '\n', '\r', '\0'};
    bool blank_edge = len > 0 && (field[0] == ' ' || field[len - 1] == ' ');
    if (!blank_edge && strcspn(field, special) == len) {
        pji_str_addn(out, field, len);
        return;
    }
    pji_str_addc(out, '"');
    for (const char *quote = strchr(field, '"'); quote; quote = strchr(field, '"')) {
        pji_str_addn(out, field, (size_t)(quote - field) + 1);
        pji_str_addc(out, '"');
        field = quote + 1;
    }
    pji_str_add(out, field);
    pji_str_addc(out, '"');
}
