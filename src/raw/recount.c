#include "raw/recount.h"

#include "core/array.h"
#include "raw/tree.h"

#include <stdlib.h>
#include <string.h>

static void folder_of(struct pji_str *out, struct pji_store *store, int64_t attempt)
{
    pji_str_addf(out, "%s/artefacts/%lld", pji_store_dir(store), (long long)attempt);
}

struct looking {
    struct pji_raw_recount *recount;
    struct pji_store *store;
};

static pj_status look(void *context, const struct pji_attempt_row *row, struct pj_error *err)
{
    struct looking *l = context;
    struct pji_str path = {0};
    struct pji_raw_table table = {0};
    struct pji_raw_column column;
    folder_of(&path, l->store, row->id);
    pji_str_addf(&path, "/%s", pji_raw_file_names[PJI_RAW_SAMPLES]);
    pj_status status = pji_str_ok(&path, err);
    struct pji_raw_source source = {.path = pji_str_text(&path), .shown = ""};
    if (status == PJ_OK && pji_raw_table_open(&table, &source, NULL) == PJ_OK) {
        for (size_t c = 0; c < table.n_names; c++) {
            if (pji_raw_column_parse(table.names[c], &column) && column.factor > 0)
                pji_raw_domains_add(&l->recount->domains, &column);
        }
    }
    pji_raw_table_close(&table);
    pji_str_fini(&path);
    return status;
}

/* Is this meta there, with this value? */
static pj_status says(struct pji_store *store, const char *key, const char *value, bool *yes,
                      struct pj_error *err)
{
    char *text = NULL;
    pj_status status = pji_store_get_meta(store, key, &text, err);
    *yes = status == PJ_OK && strcmp(text, value) == 0;
    free(text);
    return status == PJI_STORE_NONE ? PJ_OK : status;
}

pj_status pji_raw_recount_begin(struct pji_raw_recount *recount, struct pji_store *store,
                                bool *imported, struct pj_error *err)
{
    struct looking looking = {recount, store};
    *recount = (struct pji_raw_recount){.decimal_comma = false};
    pj_status status = says(store, "imported_format", "greenlab", imported, err);
    if (status == PJ_OK)
        status = says(store, "decimal_comma", "declared", &recount->decimal_comma, err);
    if (status == PJ_OK && *imported)
        status = pji_store_each_attempt(store, 0, look, &looking, err);
    return status;
}

pj_status pji_raw_recount_run(const struct pji_raw_recount *recount, struct pji_store *store,
                              int64_t attempt, struct pji_store *into, int64_t into_attempt,
                              struct pj_error *err)
{
    struct pji_str folder = {0}, invalid = {0};
    struct pji_raw_run *run = pji_zalloc(1, sizeof *run, err);
    if (run == NULL)
        return PJ_ENOMEM;
    folder_of(&folder, store, attempt);
    pj_status status = pji_str_ok(&folder, err);
    if (status == PJ_OK)
        status = pji_raw_run_read(run, folder.text, folder.text, recount->decimal_comma,
                                  &recount->domains, err);
    if (status == PJ_OK)
        status = pji_raw_run_store(run, into, into_attempt, &invalid, err);
    pji_raw_run_fini(run);
    free(run);
    pji_str_fini(&invalid);
    pji_str_fini(&folder);
    return status;
}
