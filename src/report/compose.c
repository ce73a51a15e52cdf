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

const char *pji_report_of_task(const struct pji_summary *s, const char *task, char *text,
                               size_t size)
{
    size_t n = 0;
    for (size_t i = 0; pji_report_task(s, i) != NULL; i++)
        n += pji_report_task(s, i)[0] != '\0' ? 1 : 0;
    snprintf(text, size, "%s: ", task);
    return n > 1 && task[0] != '\0' ? text : "";
}

static bool scored(const struct pji_treatment *treatment, const char *task, const char *name)
{
    const struct pji_figure *f = pji_summary_figure(treatment, task, name);
    return f != NULL && f->n > 0 && pji_report_score(treatment, task) != NULL;
}

const char *pji_report_scored_task(const struct pji_summary *s, const char *name)
{
    for (size_t i = 0; pji_report_task(s, i) != NULL; i++)
        for (size_t t = 0; t < s->n_treatments; t++)
            if (scored(&s->treatments[t], pji_report_task(s, i), name))
                return pji_report_task(s, i);
    return NULL;
}

const struct pji_score *pji_report_score(const struct pji_treatment *treatment, const char *task)
{
    for (size_t i = 0; i < treatment->n_scores; i++)
        if (strcmp(treatment->scores[i].task, task) == 0)
            return &treatment->scores[i];
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
    char buffer[PJI_REPORT_TASK];
    const char *of = pji_report_of_task(s, c->task, buffer, sizeof buffer);
    pji_report_from_comparison(doc, s, c);
    pji_report_interval(text, sizeof text, c->ratio, c->lo, c->hi);
    switch (c->verdict) {
    case PJI_VERDICT_LOWER:
    case PJI_VERDICT_HIGHER:
        pji_doc_add(doc, PJI_BLOCK_LEAD,
                    "%sWith %s, %s%s is %s times that with %s (95 %% interval, %zu blocks): %.0f "
                    "%% %s.",
                    of, other, c->ratio_of_times ? "modelled " : "", words, text, base, c->n_blocks,
                    100 * fabs(c->ratio - 1), pji_report_verdict(c));
        break;
    case PJI_VERDICT_UNDECIDED:
        pji_doc_add(doc, PJI_BLOCK_LEAD,
                    "%sUndecided: with %s, %s%s is %s times that with %s, and the 95 %% interval "
                    "contains 1 (%zu blocks).",
                    of, other, c->ratio_of_times ? "modelled " : "", words, text, base,
                    c->n_blocks);
        break;
    case PJI_VERDICT_NONE:
        pji_doc_add(doc, PJI_BLOCK_LEAD, "%sNo answer about %s with %s against %s: %s.", of, words,
                    other, base, c->reason);
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
    char buffer[PJI_REPORT_TASK];
    const struct pji_figure_name *title = pji_figure_name_find(name);
    pji_report_from_trials(doc, s, "ratio", PJI_EVERY_TREATMENT, true);
    pji_doc_add(
        doc, PJI_BLOCK_LEAD,
        "%sCompared with %s, %s is %s in %zu of %zu treatments, %s in %zu, undecided in %zu "
        "(the 95 %% interval of the ratio contains 1) and without a conclusion in %zu. Each "
        "ratio stands below.",
        pji_report_of_task(s, task, buffer, sizeof buffer), s->treatments[0].label,
        title != NULL ? title->words : name, title != NULL ? title->lower : "lower",
        of[PJI_VERDICT_LOWER], n, title != NULL ? title->higher : "higher", of[PJI_VERDICT_HIGHER],
        of[PJI_VERDICT_UNDECIDED], of[PJI_VERDICT_NONE]);
}

/* The figure that leaves out what models add to `name`; NULL: there is none. */
static const char *measured_figure(const char *name)
{
    return strcmp(name, "j_per_token") == 0 ? "j_per_token_measured"
           : strcmp(name, "energy_j") == 0  ? "energy_measured_j"
                                            : NULL;
}

/* How much of the energy of a task is modelled. */
static void add_modelled_share(struct pji_doc *doc, const struct pji_summary *s, const char *task,
                               const char *name, const char *measured)
{
    char buffer[PJI_REPORT_TASK];
    const char *of = pji_report_of_task(s, task, buffer, sizeof buffer);
    double least = (double)INFINITY;
    double most = 0;
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
                    "%s%.0f %% of this energy is modelled. What instruments measured, alone:", of,
                    most);
    else
        pji_doc_add(doc, PJI_BLOCK_PARAGRAPH,
                    "%s%.0f to %.0f %% of this energy, depending on the treatment, is modelled. "
                    "What instruments measured, alone:",
                    of, least, most);
}

/* What the comparisons of a task say of a figure: each of them, or with many how they fell out. */
static void add_comparison_words(struct pji_doc *doc, const struct pji_summary *s, const char *task,
                                 const char *name, bool many)
{
    if (many)
        add_counts(doc, s, task, name);
    for (size_t i = 0; i < s->n_comparisons && !many; i++) {
        const struct pji_comparison *c = &s->comparisons[i];
        if (strcmp(c->task, task) == 0 && strcmp(c->name, name) == 0)
            add_answer(doc, s, c);
    }
}

/* The answer of each task, and beside it what is left when models add nothing. */
static void add_task_answers(struct pji_doc *doc, const struct pji_summary *s, const char *name)
{
    const char *measured = measured_figure(name);
    size_t n = 0;
    for (size_t k = 0; pji_report_task(s, k) != NULL; k++)
        n += count_answers(s, pji_report_task(s, k), name, NULL);
    for (size_t k = 0; pji_report_task(s, k) != NULL; k++) {
        const char *task = pji_report_task(s, k);
        if (count_answers(s, task, name, NULL) == 0)
            continue;
        add_comparison_words(doc, s, task, name, n > MOST_ANSWERS);
        size_t of[PJI_VERDICT_NONE + 1] = {0};
        if (measured == NULL || count_answers(s, task, measured, of) == of[PJI_VERDICT_NONE])
            continue;
        add_modelled_share(doc, s, task, name, measured);
        add_comparison_words(doc, s, task, measured, n > MOST_ANSWERS);
    }
    pji_doc_no_source(doc);
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
    add_task_answers(doc, s, name);
    for (size_t i = 0; i < s->n_comparisons; i++)
        times = times ||
                (s->comparisons[i].ratio_of_times && strcmp(s->comparisons[i].name, name) == 0);
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
