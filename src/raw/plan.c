#include "raw/plan.h"

#include "core/array.h"
#include "core/num.h"
#include "raw/plan_table.h"
#include "raw/prompts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const pji_raw_factor_names[PJI_RAW_FACTORS] = {"generation", "model_size", "task"};

/* Treatments of the study in the order of its run numbers: docs/greenlab.md. */
static const struct {
    const char *generation, *model_size;
} study_models[] = {{"2", "7B"}, {"3", "8B"}, {"3.1", "8B"}, {"3.2", "1B"}, {"3.2", "3B"}};
static const char *const study_tasks[] = {"BoolQ", "CB", "COPA", "RTE", "WiC", "WSC"};
enum { N_MODELS = 5, N_TASKS = 6 };

struct naming {
    const struct pji_raw_tree *tree;
    char **names; /* n * PJI_RAW_FACTORS texts */
    bool *known;
};

/* "2.0" is "2"; other texts stay. */
static char *level_name(const char *text, struct pj_error *err)
{
    double value;
    char number[PJI_NUM_TEXT];
    if (pji_num_parse(text, strlen(text), &value, NULL) != PJ_OK)
        return pji_dup(text, err);
    (void)pji_num_format(value, number);
    return pji_dup(number, err);
}

static pj_status name_run(struct naming *naming, size_t i, const char *const text[PJI_RAW_FACTORS],
                          struct pj_error *err)
{
    for (size_t f = 0; f < PJI_RAW_FACTORS; f++) {
        naming->names[i * PJI_RAW_FACTORS + f] = level_name(text[f], err);
        if (naming->names[i * PJI_RAW_FACTORS + f] == NULL)
            return PJ_ENOMEM;
    }
    return PJ_OK;
}

static char *file_of(const struct pji_raw_folder *folder, enum pji_raw_file file,
                     struct pj_error *err)
{
    struct pji_str path = {0};
    pji_str_addf(&path, "%s/%s", folder->path, pji_raw_file_names[file]);
    char *text = pji_str_take(&path);
    if (text == NULL)
        pji_error_set(err, PJ_ENOMEM, 0, "out of memory");
    return text;
}

static pj_status name_unknown(struct naming *naming, size_t i, struct pj_error *err)
{
    const struct pji_raw_folder *folder = &naming->tree->folders[i];
    struct pji_str unknown = {0};
    char *prompts = file_of(folder, PJI_RAW_PROMPTS, err);
    pji_str_addf(&unknown, "unknown: %s", folder->name);
    const char *task = prompts != NULL ? pji_raw_prompts_task(prompts) : "";
    const char *text[PJI_RAW_FACTORS] = {pji_str_text(&unknown), pji_str_text(&unknown),
                                         task[0] != '\0' ? task : "unknown"};
    pj_status status = prompts == NULL ? PJ_ENOMEM : pji_str_ok(&unknown, err);
    if (status == PJ_OK)
        status = name_run(naming, i, text, err);
    free(prompts);
    pji_str_fini(&unknown);
    return status;
}

/* Does run I of the folder's name ask what the study's treatment I asks? A run whose prompts cannot
 * be told contradicts nothing. */
static pj_status fits_study(const struct pji_raw_tree *tree, bool *fits, struct pj_error *err)
{
    *fits = false;
    for (size_t i = 0; i < tree->n; i++) {
        const struct pji_raw_folder *folder = &tree->folders[i];
        if (folder->run < 0)
            continue;
        char *prompts = file_of(folder, PJI_RAW_PROMPTS, err);
        if (prompts == NULL)
            return PJ_ENOMEM;
        const char *task = pji_raw_prompts_task(prompts);
        free(prompts);
        bool here = folder->run < (int64_t)N_MODELS * N_TASKS;
        if (!here || (task[0] != '\0' && strcmp(task, study_tasks[folder->run % N_TASKS]) != 0)) {
            *fits = false;
            return PJ_OK;
        }
        *fits = *fits || task[0] != '\0';
    }
    return PJ_OK;
}

static pj_status name_without_table(struct naming *naming, struct pji_raw_plan *plan,
                                    struct pj_error *err)
{
    const struct pji_raw_tree *tree = naming->tree;
    bool fits = false;
    pj_status status = fits_study(tree, &fits, err);
    for (size_t i = 0; i < tree->n && status == PJ_OK; i++) {
        int64_t run = tree->folders[i].run;
        if (!fits || run < 0) {
            status = name_unknown(naming, i, err);
            continue;
        }
        const char *text[PJI_RAW_FACTORS] = {study_models[run / N_TASKS].generation,
                                             study_models[run / N_TASKS].model_size,
                                             study_tasks[run % N_TASKS]};
        naming->known[i] = true;
        status = name_run(naming, i, text, err);
    }
    plan->origin = pji_dup(fits ? "by the plan of the GreenLab study and the numbers of the runs"
                                : "not known: no table of the runs was found (--runs FILE)",
                           err);
    return status == PJ_OK && plan->origin == NULL ? PJ_ENOMEM : status;
}

static pj_status name_by_table(struct naming *naming, struct pji_raw_plan *plan,
                               const struct pji_runs_table *runs, struct pj_error *err)
{
    const struct pji_raw_tree *tree = naming->tree;
    bool *used = pji_zalloc(runs->table.rows, sizeof *used, err);
    pj_status status = used != NULL ? PJ_OK : PJ_ENOMEM;
    int column[PJI_RAW_FACTORS];
    for (size_t f = 0; f < PJI_RAW_FACTORS; f++)
        column[f] = pji_runs_table_find(runs, pji_raw_factor_names[f]);
    for (size_t i = 0; i < tree->n && status == PJ_OK; i++) {
        const struct pji_raw_folder *folder = &tree->folders[i];
        const char *text[PJI_RAW_FACTORS];
        size_t row = pji_runs_table_row(runs, 0, folder->name, folder->run, folder->repetition);
        if (row == runs->table.rows) {
            status = name_unknown(naming, i, err);
            continue;
        }
        used[row] = naming->known[i] = true;
        for (size_t f = 0; f < PJI_RAW_FACTORS; f++)
            text[f] = pji_table_cell(&runs->table, row, (size_t)column[f]);
        status = name_run(naming, i, text, err);
    }
    for (size_t row = 0; row < runs->table.rows && status == PJ_OK; row++) {
        if (used[row])
            continue;
        if (plan->n_unplaced++ == 0)
            (void)pji_runs_table_name(runs, row, plan->first_unplaced, sizeof plan->first_unplaced);
    }
    free(used);
    return status;
}

/* ---- levels and cells ---- */

static int by_name(const void *x, const void *y)
{
    const char *const *a = x, *const *b = y;
    int order = pji_raw_natural(*a, *b);
    return order != 0 ? order : strcmp(*a, *b);
}

static pj_status make_levels(struct pji_raw_plan *plan, const struct naming *naming, size_t f,
                             struct pj_error *err)
{
    size_t n = naming->tree->n, unique = 0;
    char **levels = pji_zalloc(n, sizeof *levels, err);
    if (levels == NULL)
        return PJ_ENOMEM;
    for (size_t i = 0; i < n; i++)
        levels[i] = naming->names[i * PJI_RAW_FACTORS + f];
    qsort(levels, n, sizeof *levels, by_name);
    for (size_t i = 0; i < n; i++) {
        if (i == 0 || strcmp(levels[i], levels[unique - 1]) != 0)
            levels[unique++] = levels[i];
    }
    plan->levels[f] = levels; /* the texts become the plan's below */
    plan->n_levels[f] = unique;
    for (size_t i = 0; i < n; i++) {
        const char *name = naming->names[i * PJI_RAW_FACTORS + f];
        size_t l = 0;
        while (strcmp(levels[l], name) != 0)
            l++;
        plan->runs[i].level[f] = l;
    }
    for (size_t l = 0; l < unique; l++) {
        levels[l] = pji_dup(levels[l], err);
        if (levels[l] == NULL) {
            plan->n_levels[f] = l;
            return PJ_ENOMEM;
        }
    }
    return PJ_OK;
}

static int by_cell(const void *x, const void *y)
{
    const struct pji_raw_planned *a = x, *b = y;
    for (size_t f = 0; f < PJI_RAW_FACTORS; f++) {
        if (a->level[f] != b->level[f])
            return a->level[f] > b->level[f] ? 1 : -1;
    }
    return a->folder > b->folder ? 1 : (a->folder < b->folder ? -1 : 0);
}

/* Cells in the order of the levels. Repetition J + 1 where it is free, else the next free one: the
 * folders of a cell are in the order of J already. */
static void number_cells(struct pji_raw_plan *plan)
{
    int64_t cell = -1, last = 0;
    qsort(plan->runs, plan->n, sizeof *plan->runs, by_cell);
    for (size_t i = 0; i < plan->n; i++) {
        struct pji_raw_planned *run = &plan->runs[i];
        if (i == 0 || memcmp(run->level, run[-1].level, sizeof run->level) != 0) {
            cell++;
            last = 0;
        }
        int64_t wanted = run->folder->repetition + 1;
        run->cell = cell;
        run->repetition = wanted > last ? wanted : last + 1;
        last = run->repetition;
    }
}

static pj_status name_runs(struct naming *naming, struct pji_raw_plan *plan, const char *table_path,
                           struct pj_error *err)
{
    struct pji_runs_table runs = {.key = -1};
    bool found = false;
    pj_status status =
        pji_plan_table_find(&runs, naming->tree->top, table_path, &plan->origin, &found, err);
    if (status)
        return status;
    plan->from_table = found;
    status =
        found ? name_by_table(naming, plan, &runs, err) : name_without_table(naming, plan, err);
    if (found)
        pji_runs_table_fini(&runs);
    return status;
}

pj_status pji_raw_plan_make(struct pji_raw_plan *plan, const struct pji_raw_tree *tree,
                            const char *table_path, struct pj_error *err)
{
    struct naming naming = {.tree = tree};
    *plan = (struct pji_raw_plan){.n = tree->n};
    naming.names = pji_zalloc(tree->n * PJI_RAW_FACTORS, sizeof *naming.names, err);
    naming.known = pji_zalloc(tree->n, sizeof *naming.known, err);
    plan->runs = pji_zalloc(tree->n, sizeof *plan->runs, err);
    bool ready = naming.names != NULL && naming.known != NULL && plan->runs != NULL;
    pj_status status = ready ? name_runs(&naming, plan, table_path, err) : PJ_ENOMEM;
    for (size_t i = 0; i < tree->n && status == PJ_OK; i++) {
        plan->runs[i].folder = &tree->folders[i];
        plan->runs[i].known = naming.known[i];
    }
    for (size_t f = 0; f < PJI_RAW_FACTORS && status == PJ_OK; f++)
        status = make_levels(plan, &naming, f, err);
    if (status == PJ_OK)
        number_cells(plan);
    for (size_t i = 0; ready && i < tree->n * PJI_RAW_FACTORS; i++)
        free(naming.names[i]);
    free(naming.names);
    free(naming.known);
    if (status != PJ_OK)
        pji_raw_plan_fini(plan);
    return status;
}

void pji_raw_plan_fini(struct pji_raw_plan *plan)
{
    for (size_t f = 0; f < PJI_RAW_FACTORS; f++) {
        for (size_t l = 0; plan->levels[f] != NULL && l < plan->n_levels[f]; l++)
            free(plan->levels[f][l]);
        free(plan->levels[f]);
    }
    free(plan->runs);
    free(plan->origin);
    *plan = (struct pji_raw_plan){0};
}
