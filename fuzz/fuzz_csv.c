/* fuzz/fuzz_csv.c - the CSV reader on any bytes; the first byte chooses the separator. Fields must
 * be terminated where their length says, and what was read must survive writing and reading again.
 */
#include "core/csv.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds)
        abort();
}

static struct pji_csv *open_text(FILE **file, const void *text, size_t len, char separator)
{
    struct pji_csv *csv = NULL;
    *file = fmemopen((void *)(uintptr_t)text, len, "r"); /* "r": only read */
    must(*file && pji_csv_open(&csv, *file, "fuzz", separator, NULL) == PJ_OK);
    return csv;
}

/* One record written and read back. */
static void check_row(const struct pji_csv_row *row, char separator)
{
    struct pji_str text = {0};
    struct pji_csv_row back;
    FILE *file;
    for (size_t i = 0; i < row->n; i++) {
        must(strlen(row->fields[i]) == row->lens[i]);
        pji_csv_add(&text, row->fields[i], separator, i == 0);
    }
    pji_str_addc(&text, '\n');
    struct pji_csv *csv = open_text(&file, text.text, text.len, separator);
    bool marked = row->lens[0] >= 3 && memcmp(row->fields[0], "\xef\xbb\xbf", 3) == 0;
    must(pji_csv_read(csv, &back, NULL) == PJ_OK && back.n == row->n);
    for (size_t i = marked ? 1 : 0; i < row->n; i++)
        must(strcmp(row->fields[i], back.fields[i]) == 0);
    pji_csv_close(csv);
    (void)fclose(file);
    pji_str_fini(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char separators[] = ",;\t|";
    struct pji_csv_row row;
    struct pj_error err = {0};
    FILE *file;
    if (size < 2)
        return 0;
    char separator = separators[data[0] % 4];
    struct pji_csv *csv = open_text(&file, data + 1, size - 1, separator);
    pj_status status;
    while ((status = pji_csv_read(csv, &row, &err)) == PJ_OK)
        check_row(&row, separator);
    must(status == PJI_CSV_END || (status < 0 && err.code == status && err.text[0]));
    pji_csv_close(csv);
    (void)fclose(file);
    return 0;
}
