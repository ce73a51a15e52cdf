/* fuzz/fuzz_where.c - `--where` over a small table: any text keeps some rows or is an error with
 * words; `not (…)` of an expression never keeps a row that the expression keeps. */
#include "analysis/where.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds)
        abort();
}

enum { ROWS = 4 };

static void open_table(struct pji_table *table)
{
    static const char text[] = "a,b,c\n1,x,2.5\n2,,3\nNA,y z,-1\n10,x,\n";
    FILE *file = fmemopen((void *)(uintptr_t)text, sizeof text - 1, "r"); /* "r": only read */
    must(file && pji_table_read(table, file, "fuzz", ',', NULL) == PJ_OK);
    (void)fclose(file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pji_table table;
    struct pji_str text = {0};
    struct pj_error err = {0};
    bool keep[ROWS] = {true, true, true, true};
    bool other[ROWS] = {true, true, true, true};
    open_table(&table);
    pji_str_addn(&text, data, size);
    pj_status rc = pji_where_apply(&table, pji_str_text(&text), keep, &err);
    must(rc == PJ_OK || (rc == PJ_EINVAL && err.code == rc && err.text[0]));
    if (rc == PJ_OK) {
        struct pji_str negated = {0};
        pji_str_addf(&negated, "not (%s)", pji_str_text(&text));
        if (pji_where_apply(&table, pji_str_text(&negated), other, NULL) == PJ_OK) {
            for (size_t i = 0; i < ROWS; i++)
                must(!keep[i] || !other[i]);
        }
        pji_str_fini(&negated);
    }
    pji_str_fini(&text);
    pji_table_fini(&table);
    return 0;
}
