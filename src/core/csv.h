/* core/csv.h - RFC 4180 CSV: a streaming reader with positions and a writer.
 *
 * The reader accepts LF and CRLF, a last line without newline, a UTF-8 byte order mark, quoted
 * fields with doubled quotes and embedded newlines, and any single-byte separator. A quote inside
 * an unquoted field, text after a closing quote or an unterminated quote is an error with line and
 * column, and so are a NUL byte and a record of more than 64 MiB. An empty line is a record of one
 * empty field. Columns count bytes. Memory is bounded by the longest record. After an error the
 * reader only repeats that it is broken. Not thread-safe on one object.
 */
#ifndef PJI_CORE_CSV_H
#define PJI_CORE_CSV_H

#include "core/str.h"

#include <stdio.h>

struct pji_csv;

struct pji_csv_row {
    const char *const *fields; /* NUL-terminated, borrowed until the next read */
    const size_t *lens;
    size_t n;
    size_t line; /* 1-based line on which the record starts */
};

/* Opens a reader over `file` (borrowed; name is copied and used in messages). */
pj_status pji_csv_open(struct pji_csv **out, FILE *file, const char *name, char separator,
                       struct pj_error *err);
/* 0 with a row, PJI_CSV_END at the end of the file, negative with file:line:column in err. */
enum { PJI_CSV_END = 1 };
pj_status pji_csv_read(struct pji_csv *csv, struct pji_csv_row *row, struct pj_error *err);
void pji_csv_close(struct pji_csv *csv);

/* Appends one field, quoted when it needs to be; first = false puts the separator before it. */
void pji_csv_add(struct pji_str *out, const char *field, char separator, bool first);

#endif
