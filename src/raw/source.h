/* raw/source.h - one file of raw records: where it lies, how it is named to people, and what was
 * wrong with it in one word (the reason of a failed trial) beside the sentence in pj_error.
 */
#ifndef PJI_RAW_SOURCE_H
#define PJI_RAW_SOURCE_H

#include "core/csv.h"

#include <stdbool.h>
#include <stdint.h>

struct pji_raw_source {
    const char *path;   /* what is opened */
    const char *shown;  /* what messages call it */
    bool decimal_comma; /* a comma inside a number was declared to be its decimal mark */
    bool plain;         /* quotes are characters like others: a record is a line */
    const char *reason; /* out: "missing_file", "empty_file", "torn_file", "decimal_comma", … */
};

/* Refuses what is not a regular file (a pipe would block). */
pj_status pji_raw_source_check(struct pji_raw_source *source, struct pj_error *err);

/* A table of raw records, read record by record. Separator: of ',', ';' and tab the one that cuts
 * the header into the most fields. Columns are found by name: blanks around it and case do not
 * matter, nor does their order. */
struct pji_raw_table {
    struct pji_raw_source *source;
    FILE *file;
    struct pji_csv *csv; /* NULL: plain */
    struct pji_raw_lines *lines;
    struct pji_csv_row row; /* of the last read */
    char **names;
    size_t n_names;
    bool ended;       /* the file's last byte is a line end */
    bool unended_row; /* the last row that was read is the file's last and has no line end */
    size_t rows;      /* read so far */
};

/* Opens it and reads the header. An empty or missing file is PJ_EINVAL / PJ_ENOTFOUND with the
 * reason. pji_raw_table_close also after a failure. */
pj_status pji_raw_table_open(struct pji_raw_table *table, struct pji_raw_source *source,
                             struct pj_error *err);
void pji_raw_table_close(struct pji_raw_table *table);
/* 0 with table->row (as many fields as the header; empty lines are passed over), PJI_CSV_END, or
 * negative: a record with another number of fields, at the end of the file "torn_file". */
pj_status pji_raw_table_next(struct pji_raw_table *table, struct pj_error *err);
/* Index of a column; -1: there is none. */
int pji_raw_table_find(const struct pji_raw_table *table, const char *name);

/* The field of the present row, blanks around it left out. */
const char *pji_raw_field(const struct pji_raw_table *table, size_t column, size_t *len);
/* As a number: NaN where the field is empty, or says nan, na, null or none. The error names file,
 * line, column, the text and what to do; reasons "decimal_comma" and "bad_number". */
pj_status pji_raw_number(const struct pji_raw_table *table, size_t column, double *value,
                         struct pj_error *err);
/* A number that is not part of a table, for example of a summary. */
pj_status pji_raw_parse(const struct pji_raw_source *source, const char *text, size_t len,
                        double *value, struct pj_error *err);

/* A time since 1970 in s, ms, us or ns, told apart by its size. `unit_ns` keeps what the first one
 * was: one of another unit later is refused. *t_ns = nanoseconds. Fails for an empty field. */
pj_status pji_raw_time(const struct pji_raw_table *table, size_t column, int64_t *unit_ns,
                       int64_t *t_ns, struct pj_error *err);

#endif
