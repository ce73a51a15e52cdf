/* report/words.c - numbers, verdicts and sources as a report words them. */
#include "report/compose.h"

#include "core/array.h"
#include "core/num.h"
#include "report/figures.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* "0.1234 [0.120, 0.127]" with as many digits as the interval deserves. */
void pji_report_interval(char *text, size_t size, double value, double lo, double hi)
{
    char v[PJI_NUM_TEXT];
    char l[PJI_NUM_TEXT];
    char h[PJI_NUM_TEXT];
    if (!isfinite(value)) {
        snprintf(text, size, "–");
        return;
    }
    if (!isfinite(lo) || !isfinite(hi)) {
        pji_num_format_digits(value, 4, v);
        snprintf(text, size, "%s", v);
        return;
    }
    /* Decimals so that the interval's half-width has two significant digits. */
    double half = (hi - lo) / 2;
    int decimals = half > 0 ? 1 - (int)floor(log10(half)) : 4;
    decimals = decimals < 0 ? 0 : decimals;
    decimals = decimals > 9 ? 9 : decimals;
    pji_num_format_fixed(value, decimals, v);
    pji_num_format_fixed(lo, decimals, l);
    pji_num_format_fixed(hi, decimals, h);
    snprintf(text, size, "%s [%s, %s]", v, l, h);
}

const char *pji_report_verdict(const struct pji_comparison *c)
{
    const struct pji_figure_name *name = pji_figure_name_find(c->name);
    switch (c->verdict) {
    case PJI_VERDICT_LOWER:
        return name != NULL ? name->lower : "lower";
    case PJI_VERDICT_HIGHER:
        return name != NULL ? name->higher : "higher";
    case PJI_VERDICT_UNDECIDED:
        return "undecided";
    case PJI_VERDICT_NONE:
        break;
    }
    return "no conclusion";
}

/* Tasks that have a figure of the report, in order of appearance; "" for studies without tasks.
 * NULL past the last. */
const char *pji_report_task(const struct pji_summary *s, size_t index)
{
    const char *seen[64];
    size_t n = 0;
    for (size_t t = 0; t < s->n_treatments; t++) {
        for (size_t f = 0; f < s->treatments[t].n_figures; f++) {
            const char *task = s->treatments[t].figures[f].task;
            bool known = pji_figure_name_find(s->treatments[t].figures[f].name) == NULL;
            for (size_t i = 0; i < n; i++)
                known = known || strcmp(seen[i], task) == 0;
            if (!known && n < sizeof seen / sizeof seen[0])
                seen[n++] = task;
        }
    }
    return index < n ? seen[index] : NULL;
}

/* ---- sources ---- */

void pji_report_from_figure(struct pji_doc *doc, const struct pji_figure *f)
{
    size_t n = f == NULL ? 0 : f->n > 0 ? f->n : f->n_missing;
    if (f == NULL || n == 0)
        pji_doc_no_source(doc);
    else
        pji_doc_source(doc, "mean", f->name, f->task, f->trials, n);
}

/* Trials of both treatments that have the figure, in planned order of the summary's lines. */
void pji_report_from_comparison(struct pji_doc *doc, const struct pji_summary *s,
                                const struct pji_comparison *c)
{
    int64_t *trials = pji_zalloc(s->n_lines + 1, sizeof *trials, NULL);
    size_t n = 0;
    if (trials == NULL) {
        doc->status = PJ_ENOMEM;
        return;
    }
    for (size_t i = 0; i < s->n_lines; i++) {
        bool in = s->lines[i].treatment == c->base || s->lines[i].treatment == c->other;
        if (in && s->lines[i].state == PJI_TRIAL_DONE)
            trials[n++] = s->lines[i].trial;
    }
    pji_doc_source(doc, "ratio", c->name, c->task, trials, n);
    free(trials);
}

void pji_report_from_trials(struct pji_doc *doc, const struct pji_summary *s, const char *statistic,
                            size_t treatment, bool only_done)
{
    int64_t *trials = pji_zalloc(s->n_lines + 1, sizeof *trials, NULL);
    size_t n = 0;
    if (trials == NULL) {
        doc->status = PJ_ENOMEM;
        return;
    }
    for (size_t i = 0; i < s->n_lines; i++) {
        if (treatment != PJI_EVERY_TREATMENT && s->lines[i].treatment != treatment)
            continue;
        if (!only_done || s->lines[i].state == PJI_TRIAL_DONE)
            trials[n++] = s->lines[i].trial;
    }
    pji_doc_source(doc, statistic, "", "", trials, n);
    free(trials);
}
