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
        if (excluded(study, levels))
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

static pj_status order_blocks(struct pji_plan *plan, const struct pji_study *study,
                              struct pj_error *err)
{
    size_t *cells = pji_zalloc(plan->n_cells, sizeof *cells, err);
    if (!cells)
        return PJ_ENOMEM;
    struct pji_prng prng;
    pji_prng_init(&prng, study->seed, "order");
    size_t at = 0;
    for (int64_t block = 1; block <= study->repetitions; block++) {
        for (size_t c = 0; c < plan->n_cells; c++)
            cells[c] = c;
        pji_prng_shuffle(&prng, cells, plan->n_cells);
        for (size_t c = 0; c < plan->n_cells; c++)
            plan->trials[at++] = (struct pji_planned){cells[c], block, block};
    }
    plan->n_blocks = (size_t)study->repetitions;
    free(cells);
    return PJ_OK;
}

/* One shuffle of everything; repetition k of a cell is its k-th trial in time. */
static pj_status order_freely(struct pji_plan *plan, const struct pji_study *study,
                              struct pj_error *err)
{
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

static void plan_text(struct pji_str *out, const struct pji_plan *plan,
                      const struct pji_study *study)
{
    pji_str_add(out, "perjoule plan 1\n");
    pji_str_addf(out, "seed %llu\n", (unsigned long long)study->seed);
    pji_str_addf(out, "blocks %s\n", study->blocks);
    for (size_t f = 0; f < study->n_factors; f++) {
        add_sized(out, "factor", study->factors[f].name);
        for (size_t l = 0; l < study->factors[f].n; l++)
            add_sized(out, "level", study->factors[f].levels[l]);
    }
    for (size_t i = 0; i < plan->n_trials; i++) {
        const struct pji_planned *t = &plan->trials[i];
        pji_str_addf(out, "trial %zu block %lld repetition %lld levels", i + 1, (long long)t->block,
                     (long long)t->repetition);
        for (size_t f = 0; f < plan->n_factors; f++)
            pji_str_addf(out, " %zu", plan->cell_levels[t->cell * plan->n_factors + f]);
        pji_str_addc(out, '\n');
    }
}

static pj_status digest(struct pji_plan *plan, const struct pji_study *study, struct pj_error *err)
{
    struct pji_str text = {0};
    plan_text(&text, plan, study);
    pj_status st = pji_str_ok(&text, err);
    if (st == PJ_OK)
        st = pji_sha256_bytes(text.text, text.len, plan->sha256, err);
    pji_str_fini(&text);
    return st;
}

pj_status pji_plan_make(struct pji_plan *plan, const struct pji_study *study, struct pj_error *err)
{
    *plan = (struct pji_plan){.n_factors = study->n_factors};
    pj_status st = pji_design_cells(study, &plan->cell_levels, &plan->n_cells, err);
    if (st)
        return st;
    if (study->repetitions < 1 ||
        (uint64_t)study->repetitions > PJI_PLAN_TRIALS_MAX / plan->n_cells) {
        st = pji_fail(err, PJ_EINVAL, "%zu combinations repeated %lld times are not 1 to %d trials",
                      plan->n_cells, (long long)study->repetitions, (int)PJI_PLAN_TRIALS_MAX);
        goto out;
    }
    plan->n_trials = plan->n_cells * (size_t)study->repetitions;
    plan->trials = pji_zalloc(plan->n_trials, sizeof *plan->trials, err);
    st = plan->trials ? PJ_OK : PJ_ENOMEM;
    if (st == PJ_OK)
        st = strcmp(study->blocks, "none") == 0 ? order_freely(plan, study, err)
                                                : order_blocks(plan, study, err);
    if (st == PJ_OK)
        st = digest(plan, study, err);
out:
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
