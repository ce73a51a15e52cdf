/* The plan: product of the levels in the order of the file, exclusions taken away as sets, then
 * randomised complete blocks: every block holds every cell once, in an order drawn from the stream
 * "order" of the study's seed. Block k draws after block k-1 from one stream, so a study with more
 * repetitions begins with the same trials. The digest is over the text that plan_text() writes:
 * docs/study-file.md describes it. Comparing treatments within blocks follows R. A. Fisher, The
 * Design of Experiments (1935), chapter IV.
 */
#include "lab/design.h"

#include "core/array.h"
#include "core/digest.h"
#include "core/prng.h"
#include "core/str.h"

#include <stdlib.h>
#include <string.h>

/* ---- cells ---- */

static bool not_nested(const struct pji_study *study, const size_t *levels)
{
    for (size_t f = 0; f < study->n_factors; f++) {
        const struct pji_factor *factor = &study->factors[f];
        if (factor->nested && !factor->allowed[levels[factor->parent] * factor->n + levels[f]])
            return true;
    }
    return false;
}

static bool excluded(const struct pji_study *study, const size_t *levels)
{
    for (size_t e = 0; e < study->n_exclusions; e++) {
        bool all = true;
        for (size_t f = 0; f < study->n_factors && all; f++) {
            const bool *set = study->exclusions[e].levels[f];
            all = !set || set[levels[f]];
        }
        if (all)
            return true;
    }
    return false;
}

/* The next combination in product order; false after the last one. */
static bool advance(const struct pji_study *study, size_t *levels)
{
    for (size_t f = study->n_factors; f-- > 0;) {
        if (++levels[f] < study->factors[f].n)
            return true;
        levels[f] = 0;
    }
    return false;
}

static pj_status count_product(const struct pji_study *study, size_t *product, struct pj_error *err)
{
    *product = 1;
    for (size_t f = 0; f < study->n_factors; f++) {
        *product *= study->factors[f].n;
        if (*product == 0)
            return pji_fail(err, PJ_EINVAL, "factor '%s' has no level", study->factors[f].name);
        if (*product > PJI_PLAN_TRIALS_MAX)
            return pji_fail(err, PJ_EINVAL,
                            "the factors have more than %d combinations: too many to plan",
                            (int)PJI_PLAN_TRIALS_MAX);
    }
    return PJ_OK;
}

pj_status pji_design_cells(const struct pji_study *study, size_t **cell_levels, size_t *n_cells,
                           struct pj_error *err)
{
    size_t width = study->n_factors, product = 0, cap = 0, n = 0;
    size_t *rows = NULL;
    *cell_levels = NULL;
    *n_cells = 0;
    pj_status st = count_product(study, &product, err);
    if (st)
        return st;
    size_t *levels = pji_zalloc(width + 1, sizeof *levels, err);
    if (!levels)
        return PJ_ENOMEM;
    do {
        if (not_nested(study, levels) || excluded(study, levels))
            continue;
        st = pji_array_reserve(&rows, &cap, (n + 1) * width + 1, sizeof *rows, err);
        if (st)
            break;
        if (width)
            memcpy(rows + n * width, levels, width * sizeof *levels);
        n++;
    } while (advance(study, levels));
    free(levels);
    if (st == PJ_OK && n == 0)
        st = pji_fail(err, PJ_EINVAL, "the exclusions leave no combination: nothing to run");
    if (st) {
        free(rows);
        return st;
    }
    *cell_levels = rows;
    *n_cells = n;
    return PJ_OK;
}

/* ---- order ---- */

static pj_status check_repetitions(int64_t repetitions, size_t n_cells, struct pj_error *err)
{
    if (repetitions >= 1 && (uint64_t)repetitions <= PJI_PLAN_TRIALS_MAX / n_cells)
        return PJ_OK;
    return pji_fail(err, PJ_EINVAL, "%zu combinations repeated %lld times are not 1 to %d trials",
                    n_cells, (long long)repetitions, (int)PJI_PLAN_TRIALS_MAX);
}

/* A cell and the combination of the levels of its factors that are not interleaved. */
struct member {
    size_t group, cell;
};

static int by_group(const void *a, const void *b)
{
    const struct member *x = a, *y = b;
    int order = (x->group > y->group) - (x->group < y->group);
    return order ? order : (x->cell > y->cell) - (x->cell < y->cell);
}

/* Cells of one group side by side; begins[g] is where group g begins, begins[n] the end. */
struct groups {
    struct member *members;
    size_t *begins, *order; /* order: scratch, groups of the block being drawn */
    size_t n;
};

static void groups_fini(struct groups *g)
{
    free(g->members);
    free(g->begins);
    free(g->order);
}

static pj_status groups_init(struct groups *g, const struct pji_plan *plan,
                             const struct pji_study *study, struct pj_error *err)
{
    *g = (struct groups){.members = pji_zalloc(plan->n_cells, sizeof *g->members, err)};
    g->begins = pji_zalloc(plan->n_cells + 1, sizeof *g->begins, err);
    g->order = pji_zalloc(plan->n_cells, sizeof *g->order, err);
    if (!g->members || !g->begins || !g->order)
        return PJ_ENOMEM;
    for (size_t c = 0; c < plan->n_cells; c++) {
        g->members[c].cell = c;
        for (size_t f = 0; f < study->n_factors; f++)
            if (!study->interleave[f])
                g->members[c].group = g->members[c].group * study->factors[f].n +
                                      plan->cell_levels[c * plan->n_factors + f];
    }
    qsort(g->members, plan->n_cells, sizeof *g->members, by_group);
    for (size_t c = 0; c < plan->n_cells; c++)
        if (c == 0 || g->members[c].group != g->members[c - 1].group)
            g->begins[g->n++] = c;
    g->begins[g->n] = plan->n_cells;
    return PJ_OK;
}

static void draw_groups(const struct groups *g, struct pji_prng *prng, size_t *cells)
{
    size_t at = 0;
    for (size_t i = 0; i < g->n; i++)
        g->order[i] = i;
    pji_prng_shuffle(prng, g->order, g->n);
    for (size_t i = 0; i < g->n; i++) {
        size_t begin = g->begins[g->order[i]], n = g->begins[g->order[i] + 1] - begin;
        for (size_t k = 0; k < n; k++)
            cells[at + k] = g->members[begin + k].cell;
        pji_prng_shuffle(prng, cells + at, n);
        at += n;
    }
}

pj_status pji_plan_rounds(struct pji_plan *plan, const struct pji_study *study, const char *stream,
                          int64_t rounds, struct pj_error *err)
{
    struct groups groups = {0};
    struct pji_prng prng;
    size_t at = 0;
    pj_status st = check_repetitions(rounds > 0 ? rounds : 1, plan->n_cells, err);
    if (st)
        return st;
    plan->n_trials = plan->n_cells * (size_t)rounds;
    plan->trials = pji_zalloc(plan->n_trials + 1, sizeof *plan->trials, err);
    size_t *cells = pji_zalloc(plan->n_cells, sizeof *cells, err);
    st = cells && plan->trials ? PJ_OK : PJ_ENOMEM;
    if (st == PJ_OK && study->interleave)
        st = groups_init(&groups, plan, study, err);
    pji_prng_init(&prng, study->seed, stream);
    for (int64_t block = 1; block <= rounds && st == PJ_OK; block++) {
        for (size_t c = 0; c < plan->n_cells && !study->interleave; c++)
            cells[c] = c;
        if (study->interleave)
            draw_groups(&groups, &prng, cells);
        else
            pji_prng_shuffle(&prng, cells, plan->n_cells);
        for (size_t c = 0; c < plan->n_cells; c++)
            plan->trials[at++] = (struct pji_planned){cells[c], block, block};
    }
    plan->n_blocks = (size_t)rounds;
    groups_fini(&groups);
    free(cells);
    return st;
}

/* One shuffle of everything; repetition k of a cell is its k-th trial in time. */
static pj_status order_freely(struct pji_plan *plan, const struct pji_study *study,
                              struct pj_error *err)
{
    plan->n_trials = plan->n_cells * (size_t)study->repetitions;
    plan->trials = pji_zalloc(plan->n_trials, sizeof *plan->trials, err);
    if (!plan->trials)
        return PJ_ENOMEM;
    size_t *order = pji_zalloc(plan->n_trials, sizeof *order, err);
    int64_t *seen = order ? pji_zalloc(plan->n_cells, sizeof *seen, err) : NULL;
    if (!seen) {
        free(order);
        return PJ_ENOMEM;
    }
    struct pji_prng prng;
    pji_prng_init(&prng, study->seed, "order");
    for (size_t i = 0; i < plan->n_trials; i++)
        order[i] = i;
    pji_prng_shuffle(&prng, order, plan->n_trials);
    for (size_t i = 0; i < plan->n_trials; i++) {
        size_t cell = order[i] % plan->n_cells;
        plan->trials[i] = (struct pji_planned){cell, 1, ++seen[cell]};
    }
    plan->n_blocks = 1;
    free(seen);
    free(order);
    return PJ_OK;
}

/* ---- digest ---- */

static void add_sized(struct pji_str *out, const char *word, const char *text)
{
    pji_str_addf(out, "%s %zu:%s\n", word, strlen(text), text);
}

static void head_text(struct pji_str *out, const struct pji_study *study)
{
    pji_str_add(out, "perjoule plan 1\n");
    pji_str_addf(out, "seed %llu\n", (unsigned long long)study->seed);
    pji_str_addf(out, "blocks %s\n", study->blocks);
    for (size_t f = 0; f < study->n_factors && study->interleave; f++)
        if (study->interleave[f])
            add_sized(out, "interleave", study->factors[f].name);
    for (size_t f = 0; f < study->n_factors; f++) {
        add_sized(out, "factor", study->factors[f].name);
        for (size_t l = 0; l < study->factors[f].n; l++)
            add_sized(out, "level", study->factors[f].levels[l]);
    }
}

/* Hands on what has gathered, so that a plan of a million trials is never one text. */
static pj_status pass_on(struct pji_str *text, struct pji_sha256 *sha, struct pj_error *err)
{
    pj_status st = pji_str_ok(text, err);
    if (st == PJ_OK)
        st = pji_sha256_add(sha, pji_str_text(text), text->len, err);
    pji_str_clear(text);
    return st;
}

static pj_status digest(struct pji_plan *plan, const struct pji_study *study, struct pj_error *err)
{
    enum { PIECE_B = 64 * 1024 };
    struct pji_str text = {0};
    struct pji_sha256 *sha = NULL;
    pj_status st = pji_sha256_new(&sha, err);
    head_text(&text, study);
    for (size_t i = 0; i < plan->n_trials && st == PJ_OK; i++) {
        const struct pji_planned *t = &plan->trials[i];
        pji_str_addf(&text, "trial %zu block %lld repetition %lld levels", i + 1,
                     (long long)t->block, (long long)t->repetition);
        for (size_t f = 0; f < plan->n_factors; f++)
            pji_str_addf(&text, " %zu", plan->cell_levels[t->cell * plan->n_factors + f]);
        pji_str_addc(&text, '\n');
        if (text.len > PIECE_B)
            st = pass_on(&text, sha, err);
    }
    if (st == PJ_OK)
        st = pass_on(&text, sha, err);
    if (st == PJ_OK)
        st = pji_sha256_finish(sha, plan->sha256, err);
    pji_sha256_free(sha);
    pji_str_fini(&text);
    return st;
}

pj_status pji_plan_check(const struct pji_study *study, struct pj_error *err)
{
    size_t *cells = NULL, n_cells = 0;
    pj_status st = pji_design_cells(study, &cells, &n_cells, err);
    free(cells);
    return st ? st : check_repetitions(study->repetitions, n_cells, err);
}

pj_status pji_plan_make(struct pji_plan *plan, const struct pji_study *study, struct pj_error *err)
{
    *plan = (struct pji_plan){.n_factors = study->n_factors};
    pj_status st = pji_design_cells(study, &plan->cell_levels, &plan->n_cells, err);
    if (st == PJ_OK)
        st = check_repetitions(study->repetitions, plan->n_cells, err);
    if (st == PJ_OK)
        st = strcmp(study->blocks, "none") == 0
                 ? order_freely(plan, study, err)
                 : pji_plan_rounds(plan, study, "order", study->repetitions, err);
    if (st == PJ_OK)
        st = digest(plan, study, err);
    if (st)
        pji_plan_fini(plan);
    return st;
}

void pji_plan_fini(struct pji_plan *plan)
{
    free(plan->cell_levels);
    free(plan->trials);
    *plan = (struct pji_plan){0};
}
