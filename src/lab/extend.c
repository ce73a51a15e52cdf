#include "lab/extend.h"

#include "core/array.h"
#include "core/digest.h"
#include "core/prng.h"
#include "core/units.h"
#include "lab/runner.h"
#include "platform/clock.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* A cell of the new design. */
struct cell {
    const size_t *levels; /* of the new study */
    int64_t id;           /* in the store; -1: new */
    int64_t have;         /* repetitions that are planned or run already */
};

struct extending {
    struct pji_store *store;
    const struct pji_study *study; /* the new one */
    struct pji_study old;
    struct pji_plan plan; /* the new cells; trials: what is added, rounds of all cells */
    struct cell *cells;
    size_t *index; /* number of a combination of levels -> cell + 1; 0: no such cell */
    size_t *row;   /* scratch: a level index for each factor */
    int64_t last_trial, last_cell, last_block;
    struct pji_extension *out;
};

/* ---- is it an extension? ---- */

static bool same_node(const struct pji_yaml *a, const struct pji_yaml *b)
{
    if (!a || !b)
        return a == b;
    if (a->kind != b->kind || (a->kind != PJI_YAML_SCALAR && a->n != b->n))
        return false;
    if (a->kind == PJI_YAML_SCALAR)
        return strcmp(a->text, b->text) == 0 && a->quoted == b->quoted;
    for (size_t i = 0; i < a->n; i++) {
        const struct pji_yaml *other =
            a->kind == PJI_YAML_MAPPING ? pji_yaml_get(b, a->keys[i].text) : &b->items[i];
        if (!same_node(&a->items[i], other))
            return false;
    }
    return true;
}

/* A key of a, other than those an extension may change, that b has not or has otherwise. */
static const char *first_difference(const struct pji_study *a, const struct pji_study *b)
{
    static const char *const free_keys[] = {"factors", "exclude", "repetitions", "study", NULL};
    const struct pji_yaml *root = &a->doc.root;
    for (size_t i = 0; i < root->n; i++) {
        size_t k = 0;
        while (free_keys[k] && strcmp(free_keys[k], root->keys[i].text) != 0)
            k++;
        if (!free_keys[k] &&
            !same_node(&root->items[i], pji_yaml_get(&b->doc.root, root->keys[i].text)))
            return root->keys[i].text;
    }
    return NULL;
}

static size_t find_level(const struct pji_factor *factor, const char *text)
{
    size_t l = 0;
    while (l < factor->n && strcmp(factor->levels[l], text) != 0)
        l++;
    return l;
}

static pj_status check_factors(const struct extending *x, struct pj_error *err)
{
    const struct pji_study *new = x->study, *old = &x->old;
    bool same = new->n_factors == old->n_factors;
    for (size_t f = 0; f < old->n_factors && same; f++)
        same = strcmp(new->factors[f].name, old->factors[f].name) == 0;
    if (!same)
        return pji_fail(err, PJ_EINVAL,
                        "%s has other factors than the study: an extension adds levels and "
                        "repetitions, another factor is another study",
                        new->path);
    for (size_t f = 0; f < old->n_factors; f++)
        for (size_t l = 0; l < old->factors[f].n; l++)
            if (find_level(&new->factors[f], old->factors[f].levels[l]) == new->factors[f].n)
                return pji_fail(err, PJ_EINVAL,
                                "%s lacks level '%s' of factor '%s': an extension takes nothing "
                                "away",
                                new->path, old->factors[f].levels[l], old->factors[f].name);
    return PJ_OK;
}

static pj_status check_same(const struct extending *x, struct pj_error *err)
{
    const struct pji_study *new = x->study, *old = &x->old;
    if (strcmp(new->name, old->name) != 0)
        return pji_fail(err, PJ_EINVAL, "%s is study '%s', the folder holds '%s'", new->path,
                        new->name, old->name);
    const char *key = first_difference(new, old);
    key = key ? key : first_difference(old, new);
    if (key)
        return pji_fail(err, PJ_EINVAL,
                        "%s: '%s' differs from the study's: new trials would not be comparable; "
                        "an extension changes levels, exclude and repetitions only",
                        new->path, key);
    if (new->repetitions < old->repetitions)
        return pji_fail(err, PJ_EINVAL,
                        "%s has %lld repetitions, the study has %lld: an extension takes nothing "
                        "away",
                        new->path, (long long)new->repetitions, (long long)old->repetitions);
    return check_factors(x, err);
}

/* ---- which cells are there? ---- */

static size_t number_of(const struct extending *x, const size_t *levels)
{
    size_t n = 0;
    for (size_t f = 0; f < x->study->n_factors; f++)
        n = n * x->study->factors[f].n + levels[f];
    return n;
}

static pj_status index_cells(struct extending *x, struct pj_error *err)
{
    size_t product = 1, width = x->study->n_factors;
    for (size_t f = 0; f < width; f++)
        product *= x->study->factors[f].n;
    x->index = pji_zalloc(product, sizeof *x->index, err);
    x->row = pji_zalloc(width + 1, sizeof *x->row, err);
    x->cells = pji_zalloc(x->plan.n_cells, sizeof *x->cells, err);
    if (!x->index || !x->row || !x->cells)
        return PJ_ENOMEM;
    for (size_t c = 0; c < x->plan.n_cells; c++) {
        x->cells[c] = (struct cell){.levels = x->plan.cell_levels + c * width, .id = -1};
        x->index[number_of(x, x->cells[c].levels)] = c + 1;
    }
    return PJ_OK;
}

static pj_status gone(const struct extending *x, const struct pji_trial *trial,
                      struct pj_error *err)
{
    struct pji_str cell = {0};
    for (size_t f = 0; f < x->study->n_factors; f++) {
        pji_str_addf(&cell, "%s%s=", f ? " " : "", x->study->factors[f].name);
        pji_str_add_shown(&cell, trial->levels[f]);
    }
    pj_status st = pji_fail(err, PJ_EINVAL,
                            "%s leaves out %s, which the study has: an extension takes nothing "
                            "away",
                            x->study->path, pji_str_text(&cell));
    pji_str_fini(&cell);
    return st;
}

static pj_status on_trial(void *context, const struct pji_trial *trial, struct pj_error *err)
{
    struct extending *x = context;
    for (size_t f = 0; f < x->study->n_factors; f++) {
        x->row[f] = find_level(&x->study->factors[f], trial->levels[f]);
        if (x->row[f] == x->study->factors[f].n)
            return gone(x, trial, err);
    }
    size_t at = x->index[number_of(x, x->row)];
    if (at == 0)
        return gone(x, trial, err);
    struct cell *cell = &x->cells[at - 1];
    cell->id = trial->cell;
    cell->have = trial->repetition > cell->have ? trial->repetition : cell->have;
    x->last_trial = trial->id > x->last_trial ? trial->id : x->last_trial;
    x->last_cell = trial->cell > x->last_cell ? trial->cell : x->last_cell;
    x->last_block = trial->block > x->last_block ? trial->block : x->last_block;
    return PJ_OK;
}

/* ---- the new trials ---- */

/* Without blocks: the new trials once more in one random order, repetitions counted in time. */
static void shuffle_freely(struct extending *x, struct pji_prng *prng)
{
    struct pji_plan *p = &x->plan;
    for (size_t i = p->n_trials; i > 1; i--) {
        size_t k = (size_t)pji_prng_below(prng, i);
        size_t cell = p->trials[k].cell;
        p->trials[k].cell = p->trials[i - 1].cell;
        p->trials[i - 1].cell = cell;
    }
    for (size_t i = 0; i < p->n_trials; i++) {
        p->trials[i].block = x->last_block + 1;
        p->trials[i].repetition = ++x->cells[p->trials[i].cell].have;
    }
}

/* Of the rounds over all cells, those that a cell still lacks. */
static pj_status choose_trials(struct extending *x, struct pj_error *err)
{
    struct pji_plan *p = &x->plan;
    char stream[48];
    int64_t rounds = 0;
    size_t kept = 0;
    bool free_order = strcmp(x->study->blocks, "none") == 0;
    for (size_t c = 0; c < p->n_cells; c++)
        rounds = x->study->repetitions - x->cells[c].have > rounds
                     ? x->study->repetitions - x->cells[c].have
                     : rounds;
    snprintf(stream, sizeof stream, "order/extension/%lld", (long long)x->out->number);
    pj_status st = pji_plan_rounds(p, x->study, stream, rounds, err);
    if (st)
        return st;
    for (size_t i = 0; i < p->n_trials; i++) {
        struct pji_planned t = p->trials[i];
        int64_t repetition = x->cells[t.cell].have + t.repetition;
        if (repetition > x->study->repetitions)
            continue;
        p->trials[kept++] = (struct pji_planned){t.cell, x->last_block + t.block, repetition};
    }
    p->n_trials = kept;
    if (free_order) {
        struct pji_prng prng;
        pji_prng_init(&prng, x->study->seed, stream);
        shuffle_freely(x, &prng);
    }
    return PJ_OK;
}

/* New cells get numbers after the old ones, in the order of the design. */
static void number_cells(struct extending *x)
{
    bool old_goes_on = false;
    for (size_t c = 0; c < x->plan.n_cells; c++)
        old_goes_on =
            old_goes_on || (x->cells[c].id >= 0 && x->cells[c].have < x->study->repetitions);
    for (size_t c = 0; c < x->plan.n_cells; c++) {
        if (x->cells[c].id >= 0)
            continue;
        x->cells[c].id = ++x->last_cell;
        x->out->new_cells++;
        x->out->alone += !old_goes_on;
    }
}

static pj_status digest(struct extending *x, const char *before, struct pj_error *err)
{
    struct pji_str text = {0};
    const struct pji_study *s = x->study;
    pji_str_addf(&text, "perjoule extension 1\nof %s\n", before);
    for (size_t f = 0; f < s->n_factors; f++) {
        pji_str_addf(&text, "factor %zu:%s\n", strlen(s->factors[f].name), s->factors[f].name);
        for (size_t l = 0; l < s->factors[f].n; l++)
            pji_str_addf(&text, "level %zu:%s\n", strlen(s->factors[f].levels[l]),
                         s->factors[f].levels[l]);
    }
    for (size_t i = 0; i < x->plan.n_trials; i++) {
        const struct pji_planned *t = &x->plan.trials[i];
        pji_str_addf(&text, "trial %lld block %lld repetition %lld levels",
                     (long long)x->last_trial + 1 + (long long)i, (long long)t->block,
                     (long long)t->repetition);
        for (size_t f = 0; f < s->n_factors; f++)
            pji_str_addf(&text, " %zu", x->cells[t->cell].levels[f]);
        pji_str_addc(&text, '\n');
    }
    pj_status st = pji_str_ok(&text, err);
    if (st == PJ_OK)
        st = pji_sha256_bytes(text.text, text.len, x->out->sha256, err);
    pji_str_fini(&text);
    return st;
}

/* ---- writing ---- */

static pj_status put_levels(struct extending *x, struct pj_error *err)
{
    pj_status st = PJ_OK;
    for (size_t f = 0; f < x->study->n_factors; f++) {
        const struct pji_factor *factor = &x->study->factors[f];
        for (size_t l = 0; l < factor->n && st == PJ_OK; l++) {
            if (find_level(&x->old.factors[f], factor->levels[l]) < x->old.factors[f].n)
                continue;
            st = pji_store_add_level(x->store, factor->name, factor->levels[l], err);
            x->out->new_levels++;
        }
    }
    return st;
}

static pj_status put_trials(struct extending *x, struct pj_error *err)
{
    const struct pji_study *s = x->study;
    const char **levels = pji_zalloc(s->n_factors + 1, sizeof *levels, err);
    pj_status st = levels ? PJ_OK : PJ_ENOMEM;
    for (size_t i = 0; i < x->plan.n_trials && st == PJ_OK; i++) {
        const struct pji_planned *t = &x->plan.trials[i];
        for (size_t f = 0; f < s->n_factors; f++)
            levels[f] = s->factors[f].levels[x->cells[t->cell].levels[f]];
        struct pji_trial trial = {.id = x->last_trial + 1 + (int64_t)i,
                                  .cell = x->cells[t->cell].id,
                                  .block = t->block,
                                  .repetition = t->repetition,
                                  .state = PJI_TRIAL_PLANNED,
                                  .reason = "",
                                  .levels = levels};
        st = pji_store_add_trial(x->store, &trial, err);
    }
    free(levels);
    return st;
}

static pj_status put_meta(struct extending *x, struct pj_error *err)
{
    char wall[32], first[32];
    char *path = realpath(x->study->path, NULL);
    snprintf(wall, sizeof wall, "%lld", (long long)pji_clock_ns(CLOCK_REALTIME));
    snprintf(first, sizeof first, "%lld", (long long)x->last_trial + 1);
    const char *const pairs[][2] = {{"study_file", x->study->text},
                                    {"study_path", path ? path : x->study->path},
                                    {"plan_sha256", x->out->sha256},
                                    {"first_trial", first},
                                    {"created_wall_ns", wall}};
    pj_status st = PJ_OK;
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0] && st == PJ_OK; i++) {
        char key[64];
        snprintf(key, sizeof key, "extension.%lld.%s", (long long)x->out->number, pairs[i][0]);
        st = pji_store_put_meta(x->store, key, pairs[i][1], err);
    }
    free(path);
    return st;
}

static pj_status write_down(struct extending *x, struct pj_error *err)
{
    pj_status st = pji_store_begin(x->store, err);
    if (st)
        return st;
    st = put_levels(x, err);
    if (st == PJ_OK)
        st = put_trials(x, err);
    if (st == PJ_OK)
        st = put_meta(x, err);
    if (st == PJ_OK)
        st = pji_store_commit(x->store, err);
    if (st)
        pji_store_rollback(x->store);
    return st;
}

/* ---- all of it ---- */

static pj_status last_digest(struct extending *x, char **before, struct pj_error *err)
{
    char key[64] = "plan_sha256";
    if (x->out->number > 1)
        snprintf(key, sizeof key, "extension.%lld.plan_sha256", (long long)x->out->number - 1);
    pj_status st = pji_store_get_meta(x->store, key, before, err);
    return st == PJI_STORE_NONE ? pji_fail(err, PJ_ECORRUPT, "the study has no plan digest") : st;
}

static pj_status plan_it(struct extending *x, struct pj_error *err)
{
    char *before = NULL;
    x->plan = (struct pji_plan){.n_factors = x->study->n_factors};
    x->last_cell = -1;
    pj_status st = pji_design_cells(x->study, &x->plan.cell_levels, &x->plan.n_cells, err);
    if (st == PJ_OK)
        st = index_cells(x, err);
    if (st == PJ_OK)
        st = pji_store_each_trial(x->store, on_trial, x, err);
    if (st == PJ_OK) {
        number_cells(x);
        st = choose_trials(x, err);
    }
    if (st == PJ_OK && x->plan.n_trials == 0)
        st = pji_fail(err, PJ_EINVAL, "%s adds nothing: every trial of it is there already",
                      x->study->path);
    if (st == PJ_OK)
        st = last_digest(x, &before, err);
    if (st == PJ_OK)
        st = digest(x, before, err);
    x->out->new_trials = x->plan.n_trials;
    free(before);
    return st;
}

pj_status pji_study_extend(struct pji_store *store, const struct pji_study *study,
                           const struct pji_workload *workload, struct pji_extension *out,
                           struct pj_error *err)
{
    struct extending x = {.store = store, .study = study, .out = out};
    *out = (struct pji_extension){0};
    pj_status st = pji_study_extensions(store, &out->number, err);
    out->number++;
    if (st == PJ_OK)
        st = pji_study_reopen(&x.old, store, err);
    if (st == PJ_OK)
        st = check_same(&x, err);
    if (st == PJ_OK)
        st = pji_study_same_items(store, workload, err);
    if (st == PJ_OK)
        st = plan_it(&x, err);
    if (st == PJ_OK)
        st = write_down(&x, err);
    pji_study_fini(&x.old);
    pji_plan_fini(&x.plan);
    free(x.cells);
    free(x.index);
    free(x.row);
    return st;
}
