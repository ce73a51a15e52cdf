#include "raw/plan_table.h"

#include "raw/plan.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

/* Has it the keys and all three factors? */
static pj_status read_plan(struct pji_runs_table *runs, const char *path, struct pj_error *err)
{
    pj_status status = pji_runs_table_read(runs, path, err);
    for (size_t f = 0; f < PJI_RAW_FACTORS && status == PJ_OK; f++) {
        if (pji_runs_table_find(runs, pji_raw_factor_names[f]) < 0) {
            status =
                pji_fail(err, PJ_EINVAL, "%s has no column '%s'", path, pji_raw_factor_names[f]);
            pji_runs_table_fini(runs);
        }
    }
    return status;
}

struct search {
    char *best; /* path */
    char *rival;
    bool by_name; /* best is a run_table.csv */
};

static void consider(struct search *search, const char *folder, const char *name)
{
    struct pji_runs_table runs;
    struct pji_str path = {0};
    size_t len = strlen(name);
    bool csv = len > 4 && strcmp(name + len - 4, ".csv") == 0 && name[0] != '.';
    bool own_name = strcmp(name, "run_table.csv") == 0;
    if (!csv || strcmp(name, pji_raw_file_names[PJI_RAW_SAMPLES]) == 0)
        return;
    pji_str_addf(&path, "%s/%s", folder, name);
    if (pji_str_ok(&path, NULL) == PJ_OK && read_plan(&runs, path.text, NULL) == PJ_OK) {
        pji_runs_table_fini(&runs);
        char *taken = pji_str_take(&path);
        if (search->best == NULL || (own_name && !search->by_name)) {
            free(search->best);
            search->best = taken;
            search->by_name = own_name;
        } else {
            free(search->rival);
            search->rival = taken;
        }
    }
    pji_str_fini(&path);
}

static void look(struct search *search, const char *folder)
{
    struct dirent **names = NULL;
    int n = scandir(folder, &names, NULL, alphasort);
    for (int i = 0; i < n; i++) {
        consider(search, folder, names[i]->d_name);
        free(names[i]);
    }
    free(names);
}

static pj_status search_both(const char *top, char **path, struct pj_error *err)
{
    struct search search = {0};
    struct pji_str beside = {0};
    pj_status status = PJ_OK;
    look(&search, top);
    if (search.best == NULL) {
        pji_str_addf(&beside, "%s/..", top);
        status = pji_str_ok(&beside, err);
        if (status == PJ_OK)
            look(&search, beside.text);
        pji_str_fini(&beside);
    }
    if (status == PJ_OK && search.rival != NULL && !search.by_name)
        status = pji_fail(err, PJ_EINVAL,
                          "both %s and %s say which treatment each run is: choose one with --runs "
                          "FILE",
                          search.best, search.rival);
    free(search.rival);
    if (status == PJ_OK)
        *path = search.best;
    else
        free(search.best);
    return status;
}

pj_status pji_plan_table_find(struct pji_runs_table *runs, const char *top, const char *path,
                              char **origin, bool *found, struct pj_error *err)
{
    pj_status status = PJ_OK;
    *origin = NULL;
    *found = false;
    if (path != NULL) {
        *origin = pji_dup(path, err);
        status = *origin != NULL ? PJ_OK : PJ_ENOMEM;
    } else {
        status = search_both(top, origin, err);
    }
    if (status != PJ_OK || *origin == NULL)
        return status;
    status = read_plan(runs, *origin, err);
    *found = status == PJ_OK;
    return status;
}
