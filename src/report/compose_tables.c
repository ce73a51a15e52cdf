/* report/compose_tables.c - treatments, accuracy and comparisons, each with its picture. */
#include "report/compose.h"

#include "report/figures.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static bool has_figure(const struct pji_summary *s, const char *task, const char *name)
{
    for (size_t t = 0; t < s->n_treatments; t++) {
        if (pji_summary_figure(&s->treatments[t], task, name) != NULL)
            return true;
    }
    return false;
}

/* ---- tables ---- */

static void add_figure_cell(struct pji_doc *doc, const struct pji_figure *f)
{
    char text[160];
    pji_report_from_figure(doc, f);
    if (f != NULL && f->n == 0) {
        pji_doc_cellf(doc, "missing (%s)", f->reason);
        return;
    }
    pji_report_interval(text, sizeof text, f != NULL ? f->mean : (double)NAN,
                        f != NULL ? f->lo : (double)NAN, f != NULL ? f->hi : (double)NAN);
    pji_doc_cell(doc, text);
}

/* A few treatments stand side by side; many stand below each other. */
static void add_upright(struct pji_doc *doc, const struct pji_summary *s, const char *task)
{
    pji_doc_column(doc, "figure", "figure", false);
    for (size_t t = 0; t < s->n_treatments; t++)
        pji_doc_column(doc, s->treatments[t].label, s->treatments[t].label, true);
    pji_doc_cell(doc, "n (done trials)");
    for (size_t t = 0; t < s->n_treatments; t++) {
        pji_report_from_trials(doc, s, "count", t, true);
        pji_doc_cellf(doc, "%zu", s->treatments[t].done);
    }
    for (size_t k = 0; pji_figure_name_at(k) != NULL; k++) {
        const struct pji_figure_name *name = pji_figure_name_at(k);
        if (!has_figure(s, task, name->name))
            continue;
        pji_doc_no_source(doc);
        pji_doc_cell(doc, name->title);
        for (size_t t = 0; t < s->n_treatments; t++)
            add_figure_cell(doc, pji_summary_figure(&s->treatments[t], task, name->name));
    }
}

static void add_flat(struct pji_doc *doc, const struct pji_summary *s, const char *task)
{
    pji_doc_column(doc, "treatment", "treatment", false);
    pji_doc_column(doc, "n", "n", true);
    for (size_t k = 0; pji_figure_name_at(k) != NULL; k++) {
        const struct pji_figure_name *name = pji_figure_name_at(k);
        if (has_figure(s, task, name->name))
            pji_doc_column(doc, name->title, name->name, true);
    }
    for (size_t t = 0; t < s->n_treatments; t++) {
        pji_doc_no_source(doc);
        pji_doc_cell(doc, s->treatments[t].label);
        pji_report_from_trials(doc, s, "count", t, true);
        pji_doc_cellf(doc, "%zu", s->treatments[t].done);
        for (size_t k = 0; pji_figure_name_at(k) != NULL; k++) {
            const char *name = pji_figure_name_at(k)->name;
            if (has_figure(s, task, name))
                add_figure_cell(doc, pji_summary_figure(&s->treatments[t], task, name));
        }
    }
}

static void add_treatment_table(struct pji_doc *doc, const struct pji_summary *s, const char *task)
{
    char caption[256];
    char id[96];
    snprintf(id, sizeof id, "treatments%s%s", task[0] != '\0' ? "-" : "", task);
    snprintf(caption, sizeof caption, "%s%sMean over the done trials with 95 %% interval%s.",
             task[0] != '\0' ? task : "", task[0] != '\0' ? ": " : "",
             strncmp(s->total_label, "modelled", 8) == 0 ? "; energies are modelled" : "");
    pji_doc_table(doc, id, caption);
    if (s->n_treatments <= 4)
        add_upright(doc, s, task);
    else
        add_flat(doc, s, task);
    pji_doc_no_source(doc);
}

static void add_scores(struct pji_doc *doc, const struct pji_summary *s)
{
    char text[160];
    bool any = false;
    for (size_t t = 0; t < s->n_treatments; t++)
        any = any || s->treatments[t].n_scores > 0;
    if (!any)
        return;
    pji_doc_table(doc, "accuracy",
                  "Accuracy over distinct items with Wilson 95 % interval, beside always answering "
                  "with the commonest label. Unparsable answers count as wrong.");
    pji_doc_column(doc, "treatment", "treatment", false);
    pji_doc_column(doc, "task", "task", false);
    pji_doc_column(doc, "items", "items", true);
    pji_doc_column(doc, "accuracy", "accuracy_share", true);
    pji_doc_column(doc, "baseline", "majority_baseline_share", true);
    pji_doc_column(doc, "answers", "answers", true);
    pji_doc_column(doc, "unparsable", "unparsable", true);
    pji_doc_column(doc, "items that disagree", "disagreeing_items", true);
    for (size_t t = 0; t < s->n_treatments; t++) {
        for (size_t i = 0; i < s->treatments[t].n_scores; i++) {
            const struct pji_accuracy *a = &s->treatments[t].scores[i].accuracy;
            pji_doc_no_source(doc);
            pji_doc_cell(doc, s->treatments[t].label);
            pji_doc_cell(doc, s->treatments[t].scores[i].task);
            pji_report_from_trials(doc, s, "accuracy", t, true);
            pji_doc_cellf(doc, "%zu", a->items);
            pji_report_interval(text, sizeof text, a->accuracy, a->wilson_lo, a->wilson_hi);
            pji_doc_cell(doc, text);
            pji_doc_num(doc, a->majority_baseline, 3);
            pji_doc_cellf(doc, "%zu", a->answers);
            pji_doc_cellf(doc, "%zu", a->unparsable);
            pji_doc_cellf(doc, "%zu", a->disagreeing_items);
        }
    }
    pji_doc_no_source(doc);
}

static void add_answers_compared(struct pji_doc *doc, const struct pji_summary *s)
{
    if (s->n_answers == 0)
        return;
    pji_doc_table(doc, "answers",
                  "Right answers against those of the first treatment on the same items, joined by "
                  "their id. p: McNemar's exact test, adjusted after Holm over these rows.");
    pji_doc_column(doc, "treatment", "treatment", false);
    pji_doc_column(doc, "task", "task", false);
    pji_doc_column(doc, "items", "items", true);
    pji_doc_column(doc, "both right", "both_right", true);
    pji_doc_column(doc, "only this", "only_this", true);
    pji_doc_column(doc, "only the first", "only_first", true);
    pji_doc_column(doc, "neither", "neither", true);
    pji_doc_column(doc, "p", "p_exact", true);
    pji_doc_column(doc, "p (Holm)", "p_holm", true);
    for (size_t i = 0; i < s->n_answers; i++) {
        const struct pji_answers_compared *a = &s->answers[i];
        pji_doc_no_source(doc);
        pji_doc_cell(doc, s->treatments[a->other].label);
        pji_doc_cell(doc, a->task);
        pji_report_from_trials(doc, s, "mcnemar", PJI_EVERY_TREATMENT, true);
        pji_doc_cellf(doc, "%zu", a->pair.items);
        pji_doc_cellf(doc, "%zu", a->pair.both);
        pji_doc_cellf(doc, "%zu", a->pair.only_b);
        pji_doc_cellf(doc, "%zu", a->pair.only_a);
        pji_doc_cellf(doc, "%zu", a->pair.neither);
        pji_doc_num(doc, a->pair.p, 3);
        pji_doc_num(doc, a->p_holm, 3);
    }
    pji_doc_no_source(doc);
}

static void add_comparisons(struct pji_doc *doc, const struct pji_summary *s)
{
    char text[160];
    if (s->n_comparisons == 0)
        return;
    pji_doc_add(doc, PJI_BLOCK_HEADING, "Comparison with %s", s->treatments[0].label);
    pji_doc_table(
        doc, "comparisons",
        "Ratio within blocks with 95 % interval; u of the ratio is the common part of the "
        "instruments' uncertainty that does not cancel (k = 1). Undecided: the interval "
        "contains 1.");
    pji_doc_column(doc, "treatment", "treatment", false);
    pji_doc_column(doc, "task", "task", false);
    pji_doc_column(doc, "figure", "figure", false);
    pji_doc_column(doc, "blocks", "blocks", true);
    pji_doc_column(doc, "ratio", "ratio", true);
    pji_doc_column(doc, "u of the ratio", "u_rest_share", true);
    pji_doc_column(doc, "verdict", "verdict", false);
    for (size_t i = 0; i < s->n_comparisons; i++) {
        const struct pji_comparison *c = &s->comparisons[i];
        const struct pji_figure_name *name = pji_figure_name_find(c->name);
        pji_doc_no_source(doc);
        pji_doc_cell(doc, s->treatments[c->other].label);
        pji_doc_cell(doc, c->task);
        pji_doc_cell(doc, name != NULL ? name->title : c->name);
        pji_report_from_comparison(doc, s, c);
        pji_doc_cellf(doc, "%zu", c->n_blocks);
        pji_report_interval(text, sizeof text, c->ratio, c->lo, c->hi);
        pji_doc_cell(doc, text);
        if (c->energy && c->verdict != PJI_VERDICT_NONE)
            pji_doc_cellf(doc, "%.2f %%%s", 100 * c->u_rest,
                          c->cancelled ? " (same instruments)" : "");
        else
            pji_doc_cell(doc, "–");
        if (c->verdict == PJI_VERDICT_NONE)
            pji_doc_cellf(doc, "no conclusion: %s", c->reason);
        else
            pji_doc_cellf(doc, "%s%s", pji_report_verdict(c),
                          c->ratio_of_times ? " (ratio of times)" : "");
    }
}

/* ---- pictures ---- */

static void add_figure(struct pji_doc *doc, const struct pji_summary *s, const char *statistic,
                       const char *id, const char *caption)
{
    pji_report_from_trials(doc, s, statistic, PJI_EVERY_TREATMENT, true);
    pji_doc_figure(doc, id, caption);
    pji_doc_no_source(doc);
}

static void headline_blocks(const struct pji_summary *s, const char *task, const char *name,
                            size_t *fewest, size_t *most)
{
    *fewest = SIZE_MAX;
    *most = 0;
    for (size_t i = 0; i < s->n_comparisons; i++) {
        const struct pji_comparison *c = &s->comparisons[i];
        if (strcmp(c->task, task) != 0 || strcmp(c->name, name) != 0)
            continue;
        *fewest = c->n_blocks < *fewest ? c->n_blocks : *fewest;
        *most = c->n_blocks > *most ? c->n_blocks : *most;
    }
}

void pji_report_add_tables(struct pji_doc *doc, const struct pji_summary *s,
                           const struct pji_drawn *drawn)
{
    char caption[320];
    size_t fewest = 0;
    size_t most = 0;
    const char *name = NULL;
    const char *headline = pji_report_headline(s, &name);
    const struct pji_figure_name *title = name != NULL ? pji_figure_name_find(name) : NULL;
    const char *words = title != NULL ? title->words : name;
    char buffer[PJI_REPORT_TASK];
    const char *of = headline != NULL ? pji_report_of_task(s, headline, buffer, sizeof buffer) : "";
    pji_doc_add(doc, PJI_BLOCK_HEADING, "Treatments");
    for (size_t i = 0; pji_report_task(s, i) != NULL; i++)
        add_treatment_table(doc, s, pji_report_task(s, i));
    if (drawn->distribution && headline != NULL) {
        snprintf(caption, sizeof caption,
                 "%s%s: every done trial, quartiles, and the mean with its 95 %% interval; n = %zu "
                 "trials.",
                 of, words, s->done);
        add_figure(doc, s, "mean", "distribution", caption);
    }
    if (drawn->domains) {
        snprintf(caption, sizeof caption, "%sMean energy of the window by domain; n = %zu trials.",
                 of, s->done);
        add_figure(doc, s, "domains", "domains", caption);
    }
    add_scores(doc, s);
    add_answers_compared(doc, s);
    if (drawn->choice) {
        const char *task = pji_report_scored_task(s, name);
        char other[PJI_REPORT_TASK];
        snprintf(caption, sizeof caption,
                 "%sAccuracy against energy with 95 %% intervals; n = %zu trials.",
                 pji_report_of_task(s, task, other, sizeof other), s->done);
        add_figure(doc, s, "accuracy", "choice", caption);
    }
    add_comparisons(doc, s);
    pji_doc_no_source(doc);
    if (drawn->ratios && headline != NULL && name != NULL) {
        headline_blocks(s, headline, name, &fewest, &most);
        snprintf(caption, sizeof caption,
                 "%sRatio of %s to %s within blocks with 95 %% intervals; n = %zu%s blocks.", of,
                 words, s->treatments[0].label, fewest, fewest < most ? " or more" : "");
        add_figure(doc, s, "ratio", "effects", caption);
    }
    if (drawn->trace) {
        snprintf(caption, sizeof caption,
                 "Power of trial %lld with its phases; n = %zu step%s between readings.",
                 (long long)s->example_trial, drawn->steps, drawn->steps == 1 ? "" : "s");
        pji_doc_source(doc, "power", "", "", &s->example_trial, 1);
        pji_doc_figure(doc, "trace", caption);
        pji_doc_no_source(doc);
    }
}
