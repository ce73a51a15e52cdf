/* report/compose.c - what a report says and in which order. Words only: every number comes from
 * analysis/summary.
 */
#include "report/compose.h"

#include "report/figures.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { MOST_ANSWERS = 6 /* sentences at the top */ };

const char *pji_report_headline(const struct pji_summary *summary, const char **name)
{
    static const char *const wanted[] = {"j_per_token", "energy_j", "dur_s"};
    for (size_t w = 0; w < 3; w++) {
        for (size_t i = 0; pji_report_task(summary, i) != NULL; i++) {
            const char *task = pji_report_task(summary, i);
            for (size_t t = 0; t < summary->n_treatments; t++) {
                const struct pji_figure *f =
                    pji_summary_figure(&summary->treatments[t], task, wanted[w]);
                if (f != NULL && f->n > 0) {
                    *name = wanted[w];
                    return task;
                }
            }
        }
    }
    *name = NULL;
    return NULL;
}

/* ---- the answer ---- */

static void add_answer(struct pji_doc *doc, const struct pji_summary *s,
                       const struct pji_comparison *c)
{
    const struct pji_figure_name *name = pji_figure_name_find(c->name);
    const char *words = name != NULL ? name->words : c->name;
    const char *other = s->treatments[c->other].label;
    const char *base = s->treatments[c->base].label;
    char text[160];
    pji_report_from_comparison(doc, s, c);
    pji_report_interval(text, sizeof text, c->ratio, c->lo, c->hi);
    switch (c->verdict) {
    case PJI_VERDICT_LOWER:
    case PJI_VERDICT_HIGHER:
        pji_doc_add(doc, PJI_BLOCK_LEAD,
                    "With %s, %s%s is %s times that with %s (95 %% interval, %zu blocks): %.0f %% "
                    "%s.",
                    other, c->ratio_of_times ? "modelled " : "", words, text, base, c->n_blocks,
                    100 * fabs(c->ratio - 1), pji_report_verdict(c));
        break;
    case PJI_VERDICT_UNDECIDED:
        pji_doc_add(doc, PJI_BLOCK_LEAD,
                    "Undecided: with %s, %s is %s times that with %s, and the 95 %% interval "
                    "contains 1 (%zu blocks).",
                    other, words, text, base, c->n_blocks);
        break;
    case PJI_VERDICT_NONE:
        pji_doc_add(doc, PJI_BLOCK_LEAD, "No answer about %s with %s against %s: %s.", words, other,
                    base, c->reason);
        break;
    }
}

/* Comparisons of the headline, in all and by verdict (`of` may be NULL). */
static size_t count_answers(const struct pji_summary *s, const char *task, const char *name,
                            size_t of[PJI_VERDICT_NONE + 1])
{
    size_t n = 0;
    for (size_t i = 0; i < s->n_comparisons; i++) {
        const struct pji_comparison *c = &s->comparisons[i];
        if (strcmp(c->task, task) != 0 || strcmp(c->name, name) != 0)
            continue;
        n++;
        if (of != NULL)
            of[c->verdict]++;
    }
    return n;
}

/* With many treatments the answer is how many differ; each one stands in the table. */
static void add_counts(struct pji_doc *doc, const struct pji_summary *s, const char *task,
                       const char *name)
{
    size_t of[PJI_VERDICT_NONE + 1] = {0};
    size_t n = count_answers(s, task, name, of);
    const struct pji_figure_name *title = pji_figure_name_find(name);
    pji_report_from_trials(doc, s, "ratio", PJI_EVERY_TREATMENT, true);
    pji_doc_add(
        doc, PJI_BLOCK_LEAD,
        "Compared with %s, %s is %s in %zu of %zu treatments, %s in %zu, undecided in %zu "
        "(the 95 %% interval of the ratio contains 1) and without a conclusion in %zu. Each "
        "ratio stands below.",
        s->treatments[0].label, title != NULL ? title->words : name,
        title != NULL ? title->lower : "lower", of[PJI_VERDICT_LOWER], n,
        title != NULL ? title->higher : "higher", of[PJI_VERDICT_HIGHER], of[PJI_VERDICT_UNDECIDED],
        of[PJI_VERDICT_NONE]);
}

/* The figure that leaves out what models add to `name`; NULL: there is none. */
static const char *measured_figure(const char *name)
{
    return strcmp(name, "j_per_token") == 0 ? "j_per_token_measured"
           : strcmp(name, "energy_j") == 0  ? "energy_measured_j"
                                            : NULL;
}

/* Where models add to what instruments measured: how much, and what the instruments alone say. */
static void add_measured_answers(struct pji_doc *doc, const struct pji_summary *s, const char *task,
                                 const char *name, bool many)
{
    const char *measured = measured_figure(name);
    double least = (double)INFINITY;
    double most = 0;
    if (measured == NULL || count_answers(s, task, measured, NULL) == 0)
        return;
    for (size_t i = 0; i < s->n_treatments; i++) {
        const struct pji_figure *all = pji_summary_figure(&s->treatments[i], task, name);
        const struct pji_figure *part = pji_summary_figure(&s->treatments[i], task, measured);
        if (all == NULL || part == NULL || !(all->mean > 0) || !(part->mean > 0))
            continue;
        double share = 100 * fmax(0, 1 - part->mean / all->mean);
        least = fmin(least, share);
        most = fmax(most, share);
    }
    pji_doc_no_source(doc);
    if (most - least < 1)
        pji_doc_add(doc, PJI_BLOCK_PARAGRAPH,
                    "%.0f %% of this energy is modelled. What instruments measured, alone:", most);
    else
        pji_doc_add(doc, PJI_BLOCK_PARAGRAPH,
                    "%.0f to %.0f %% of this energy, depending on the treatment, is modelled. What "
                    "instruments measured, alone:",
                    least, most);
    if (many)
        add_counts(doc, s, task, measured);
    for (size_t i = 0; i < s->n_comparisons && !many; i++) {
        const struct pji_comparison *c = &s->comparisons[i];
        if (strcmp(c->task, task) == 0 && strcmp(c->name, measured) == 0)
            add_answer(doc, s, c);
    }
}

static void add_answers(struct pji_doc *doc, const struct pji_summary *s)
{
    const char *name = NULL;
    const char *task = pji_report_headline(s, &name);
    bool times = false;
    if (s->question != NULL && s->question[0] != '\0')
        pji_doc_add(doc, PJI_BLOCK_PARAGRAPH, "Question: %s", s->question);
    if (task == NULL) {
        pji_doc_add(doc, PJI_BLOCK_LEAD, "No answer yet: no trial is done with a value.");
        return;
    }
    bool many = count_answers(s, task, name, NULL) > MOST_ANSWERS;
    if (many)
        add_counts(doc, s, task, name);
    for (size_t i = 0; i < s->n_comparisons; i++) {
        const struct pji_comparison *c = &s->comparisons[i];
        if (strcmp(c->task, task) != 0 || strcmp(c->name, name) != 0)
            continue;
        if (!many)
            add_answer(doc, s, c);
        times = times || c->ratio_of_times;
    }
    add_measured_answers(doc, s, task, name, many);
    pji_doc_no_source(doc);
    if (times)
        pji_doc_add(doc, PJI_BLOCK_WARNING,
                    "The model sees only utilisation, so this ratio is a ratio of times: it says "
                    "how long the machine was busy for the work, not what it drew.");
    if (strncmp(s->total_label, "modelled", 8) == 0)
        pji_doc_add(doc, PJI_BLOCK_WARNING,
                    "Every energy here is modelled, not measured: no instrument of this machine "
                    "could be read (`perjoule devices` says why).");
}

void pji_report_compose(struct pji_doc *doc, const struct pji_summary *summary,
                        const struct pji_drawn *drawn)
{
    const struct pji_summary *s = summary;
    pji_doc_add(doc, PJI_BLOCK_TITLE, "%s", s->study);
    add_answers(doc, s);
    if (s->open > 0 || s->failed > 0 || s->invalid > 0) {
        pji_report_from_trials(doc, s, "count", PJI_EVERY_TREATMENT, false);
        pji_doc_add(doc, PJI_BLOCK_WARNING,
                    "%zu of %zu trials are not in the figures (%zu open, %zu failed, %zu invalid).",
                    s->open + s->failed + s->invalid, s->open + s->failed + s->invalid + s->done,
                    s->open, s->failed, s->invalid);
    }
    pji_doc_no_source(doc);
    if (drawn->why_none != NULL)
        pji_doc_add(doc, PJI_BLOCK_WARNING, "No pictures: %s.", drawn->why_none);
    pji_report_add_tables(doc, s, drawn);
    pji_report_add_basis(doc, s);
    pji_report_add_methods(doc, s);
    pji_report_add_records(doc, s);
}
