/* report/compose.c - what a report says and in which order. Words only: every number comes from
 * analysis/summary.
 */
#include "report/compose.h"

#include "core/num.h"
#include "core/units.h"
#include "report/figures.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* "0.1234 [0.120, 0.127]" with as many digits as the interval deserves. */
static void interval_text(char *text, size_t size, double value, double lo, double hi)
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

static bool has_figure(const struct pji_summary *s, const char *task, const char *name)
{
    for (size_t t = 0; t < s->n_treatments; t++) {
        if (pji_summary_figure(&s->treatments[t], task, name) != NULL)
            return true;
    }
    return false;
}

/* Tasks in order of appearance; "" for studies without tasks. NULL past the last. */
static const char *task_at(const struct pji_summary *s, size_t index)
{
    const char *seen[64];
    size_t n = 0;
    for (size_t t = 0; t < s->n_treatments; t++) {
        for (size_t f = 0; f < s->treatments[t].n_figures; f++) {
            const char *task = s->treatments[t].figures[f].task;
            bool known = false;
            for (size_t i = 0; i < n; i++)
                known = known || strcmp(seen[i], task) == 0;
            if (!known && n < sizeof seen / sizeof seen[0])
                seen[n++] = task;
        }
    }
    return index < n ? seen[index] : NULL;
}

const char *pji_report_headline(const struct pji_summary *summary, const char **name)
{
    static const char *const wanted[] = {"j_per_token", "energy_j", "dur_s"};
    for (size_t w = 0; w < 3; w++) {
        for (size_t i = 0; task_at(summary, i) != NULL; i++) {
            const char *task = task_at(summary, i);
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

static const char *verdict_words(const struct pji_comparison *c)
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

static void add_answer(struct pji_doc *doc, const struct pji_summary *s,
                       const struct pji_comparison *c)
{
    const struct pji_figure_name *name = pji_figure_name_find(c->name);
    const char *words = name != NULL ? name->words : c->name;
    const char *other = s->treatments[c->other].label;
    const char *base = s->treatments[c->base].label;
    char text[160];
    interval_text(text, sizeof text, c->ratio, c->lo, c->hi);
    switch (c->verdict) {
    case PJI_VERDICT_LOWER:
    case PJI_VERDICT_HIGHER:
        pji_doc_add(doc, PJI_BLOCK_LEAD,
                    "With %s, %s%s is %s times that with %s (95 %% interval, %zu blocks): %.0f %% "
                    "%s.",
                    other, c->ratio_of_times ? "modelled " : "", words, text, base, c->n_blocks,
                    100 * fabs(c->ratio - 1), verdict_words(c));
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
    for (size_t i = 0; i < s->n_comparisons; i++) {
        const struct pji_comparison *c = &s->comparisons[i];
        if (strcmp(c->task, task) != 0 || strcmp(c->name, name) != 0)
            continue;
        add_answer(doc, s, c);
        times = times || c->ratio_of_times;
    }
    if (times)
        pji_doc_add(doc, PJI_BLOCK_WARNING,
                    "The model sees only utilisation, so this ratio is a ratio of times: it says "
                    "how long the machine was busy for the work, not what it drew.");
    if (strncmp(s->total_label, "modelled", 8) == 0)
        pji_doc_add(doc, PJI_BLOCK_WARNING,
                    "Every energy here is modelled, not measured: no instrument of this machine "
                    "could be read (`perjoule devices` says why).");
}

/* ---- tables ---- */

static void add_figure_cell(struct pji_doc *doc, const struct pji_figure *f)
{
    char text[160];
    if (f != NULL && f->n == 0) {
        pji_doc_cellf(doc, "missing (%s)", f->reason);
        return;
    }
    interval_text(text, sizeof text, f != NULL ? f->mean : (double)NAN,
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
    for (size_t t = 0; t < s->n_treatments; t++)
        pji_doc_cellf(doc, "%zu", s->treatments[t].done);
    for (size_t k = 0; pji_figure_name_at(k) != NULL; k++) {
        const struct pji_figure_name *name = pji_figure_name_at(k);
        if (!has_figure(s, task, name->name))
            continue;
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
        pji_doc_cell(doc, s->treatments[t].label);
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
}

/* Every figure in full precision: for programs, not for the page. */
static void add_data(struct pji_doc *doc, const struct pji_summary *s)
{
    static const char *const columns[] = {"treatment", "task",  "figure", "n",
                                          "missing",   "mean",  "sd",     "lo",
                                          "hi",        "u_com", "origin", "reason"};
    pji_doc_data(doc, "figures");
    for (size_t c = 0; c < sizeof columns / sizeof columns[0]; c++)
        pji_doc_column(doc, columns[c], columns[c], false);
    for (size_t t = 0; t < s->n_treatments; t++) {
        for (size_t i = 0; i < s->treatments[t].n_figures; i++) {
            const struct pji_figure *f = &s->treatments[t].figures[i];
            pji_doc_cell(doc, s->treatments[t].label);
            pji_doc_cell(doc, f->task);
            pji_doc_cell(doc, f->name);
            pji_doc_cellf(doc, "%zu", f->n);
            pji_doc_cellf(doc, "%zu", f->n_missing);
            pji_doc_num(doc, f->mean, 17);
            pji_doc_num(doc, f->sd, 17);
            pji_doc_num(doc, f->lo, 17);
            pji_doc_num(doc, f->hi, 17);
            pji_doc_num(doc, f->n > 0 ? f->u_com : (double)NAN, 17);
            pji_doc_cell(doc, f->origin);
            pji_doc_cell(doc, f->reason);
        }
    }
    pji_doc_data(doc, "ratios");
    static const char *const ratios[] = {"base",   "treatment", "task",  "figure",
                                         "blocks", "ratio",     "lo",    "hi",
                                         "u_rest", "verdict",   "reason"};
    for (size_t c = 0; c < sizeof ratios / sizeof ratios[0]; c++)
        pji_doc_column(doc, ratios[c], ratios[c], false);
    for (size_t i = 0; i < s->n_comparisons; i++) {
        const struct pji_comparison *c = &s->comparisons[i];
        pji_doc_cell(doc, s->treatments[c->base].label);
        pji_doc_cell(doc, s->treatments[c->other].label);
        pji_doc_cell(doc, c->task);
        pji_doc_cell(doc, c->name);
        pji_doc_cellf(doc, "%zu", c->n_blocks);
        pji_doc_num(doc, c->ratio, 17);
        pji_doc_num(doc, c->lo, 17);
        pji_doc_num(doc, c->hi, 17);
        pji_doc_num(doc, c->energy ? c->u_rest : (double)NAN, 17);
        pji_doc_cell(doc, verdict_words(c));
        pji_doc_cell(doc, c->reason);
    }
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
            pji_doc_cell(doc, s->treatments[t].label);
            pji_doc_cell(doc, s->treatments[t].scores[i].task);
            pji_doc_cellf(doc, "%zu", a->items);
            interval_text(text, sizeof text, a->accuracy, a->wilson_lo, a->wilson_hi);
            pji_doc_cell(doc, text);
            pji_doc_num(doc, a->majority_baseline, 3);
            pji_doc_cellf(doc, "%zu", a->answers);
            pji_doc_cellf(doc, "%zu", a->unparsable);
            pji_doc_cellf(doc, "%zu", a->disagreeing_items);
        }
    }
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
        pji_doc_cell(doc, s->treatments[c->other].label);
        pji_doc_cell(doc, c->task);
        pji_doc_cell(doc, name != NULL ? name->title : c->name);
        pji_doc_cellf(doc, "%zu", c->n_blocks);
        interval_text(text, sizeof text, c->ratio, c->lo, c->hi);
        pji_doc_cell(doc, text);
        if (c->energy && c->verdict != PJI_VERDICT_NONE)
            pji_doc_cellf(doc, "%.2f %%%s", 100 * c->u_rest,
                          c->cancelled ? " (same instruments)" : "");
        else
            pji_doc_cell(doc, "–");
        if (c->verdict == PJI_VERDICT_NONE)
            pji_doc_cellf(doc, "no conclusion: %s", c->reason);
        else
            pji_doc_cellf(doc, "%s%s", verdict_words(c),
                          c->ratio_of_times ? " (ratio of times)" : "");
    }
}

/* ---- what it rests on ---- */

static void add_pairs(struct pji_doc *doc, const char *id, const char *caption, const char *key,
                      const char *value, const struct pji_pair *pairs, size_t n)
{
    if (n == 0)
        return;
    pji_doc_table(doc, id, caption);
    pji_doc_column(doc, key, key, false);
    pji_doc_column(doc, value, value, false);
    for (size_t i = 0; i < n; i++) {
        pji_doc_cell(doc, pairs[i].key);
        pji_doc_cell(doc, pairs[i].value);
    }
}

static void add_gates(struct pji_doc *doc, const struct pji_summary *s)
{
    if (s->n_gates == 0) {
        pji_doc_add(doc, PJI_BLOCK_PARAGRAPH, "Gates: none fired.");
        return;
    }
    pji_doc_table(doc, "gates",
                  "Gates that fired. `invalid` excludes a trial; `flag` and `note` are said and "
                  "change nothing.");
    pji_doc_column(doc, "gate", "gate", false);
    pji_doc_column(doc, "consequence", "consequence", false);
    pji_doc_column(doc, "trials", "trials", true);
    pji_doc_column(doc, "first time", "detail", false);
    for (size_t i = 0; i < s->n_gates; i++) {
        const struct pji_fired_gate *g = &s->gates[i];
        pji_doc_cell(doc, g->code);
        pji_doc_cell(doc, g->consequence);
        pji_doc_cellf(doc, "%zu", g->n_trials);
        pji_doc_cellf(doc, "trial %lld: %s", (long long)g->first_trial, g->detail);
    }
}

static void add_replication(struct pji_doc *doc, const struct pji_summary *s)
{
    if (s->identical_outputs)
        pji_doc_add(
            doc, PJI_BLOCK_PARAGRAPH,
            "What the repetitions replicate: the measurement, not the outputs. Every item "
            "gave the same text in all repetitions of a treatment (%zu comparisons), so the "
            "intervals describe the energy of this work and say nothing about other "
            "outputs.",
            s->repeated_items);
    else if (s->repeated_items > 0)
        pji_doc_add(doc, PJI_BLOCK_PARAGRAPH,
                    "What the repetitions replicate: the measurement and the outputs. Some items "
                    "gave different texts in repetitions of one treatment.");
    else
        pji_doc_add(
            doc, PJI_BLOCK_PARAGRAPH,
            "What the repetitions replicate: the measurement. No outputs were recorded that "
            "could be compared.");
}

static void add_basis(struct pji_doc *doc, const struct pji_summary *s)
{
    pji_doc_add(doc, PJI_BLOCK_HEADING, "What this rests on");
    pji_doc_add(doc, PJI_BLOCK_PARAGRAPH, "Trials: %zu done, %zu invalid, %zu failed, %zu open.",
                s->done, s->invalid, s->failed, s->open);
    if (s->total_label[0] != '\0')
        pji_doc_add(doc, PJI_BLOCK_PARAGRAPH, "Total energy: %s; it adds %s.", s->total_label,
                    s->total_set[0] != '\0' ? s->total_set : "nothing");
    add_replication(doc, s);
    add_gates(doc, s);
    add_pairs(doc, "failures", "Trials that are not in the figures.", "trial", "reason",
              s->failures, s->n_failures);
    add_pairs(doc, "sensors", "Instruments, as seen in the first done trial.", "channel", "energy",
              s->sensors, s->n_sensors);
    add_pairs(doc, "facts", "Machine, engine and model.", "key", "value", s->facts, s->n_facts);
}

static void add_recompute(struct pji_doc *doc, const struct pji_summary *s)
{
    char created[40] = "";
    time_t wall_s = (time_t)(s->created_wall_ns / PJI_NS_PER_S);
    struct tm utc;
    if (gmtime_r(&wall_s, &utc) != NULL)
        strftime(created, sizeof created, "%Y-%m-%d %H:%M UTC", &utc);
    pji_doc_add(doc, PJI_BLOCK_HEADING, "How to recompute");
    pji_doc_add(doc, PJI_BLOCK_PARAGRAPH,
                "Study of %s, made by %s, order seed %s, plan SHA-256 %s. The records (requests, "
                "energies with uncertainties, traces with digests) are in the study folder; these "
                "commands print every figure again:",
                created, s->tool, s->seed, s->plan_sha256);
    pji_doc_add(doc, PJI_BLOCK_CODE, "perjoule report %s", s->dir);
    pji_doc_add(doc, PJI_BLOCK_CODE, "perjoule export %s --format csv", s->dir);
    if (s->example_attempt > 0)
        pji_doc_add(doc, PJI_BLOCK_CODE, "perjoule replay %s/artefacts/%lld/trace.jsonl", s->dir,
                    (long long)s->example_attempt);
}

void pji_report_compose(struct pji_doc *doc, const struct pji_summary *summary, bool has_trace_plot,
                        bool has_distribution)
{
    const struct pji_summary *s = summary;
    const char *name = NULL;
    const char *headline = pji_report_headline(s, &name);
    char caption[512];
    pji_doc_add(doc, PJI_BLOCK_TITLE, "%s", s->study);
    add_answers(doc, s);
    if (s->open > 0 || s->failed > 0 || s->invalid > 0)
        pji_doc_add(doc, PJI_BLOCK_WARNING,
                    "%zu of %zu trials are not in the figures (%zu open, %zu failed, %zu invalid).",
                    s->open + s->failed + s->invalid, s->open + s->failed + s->invalid + s->done,
                    s->open, s->failed, s->invalid);
    pji_doc_add(doc, PJI_BLOCK_HEADING, "Treatments");
    for (size_t i = 0; task_at(s, i) != NULL; i++)
        add_treatment_table(doc, s, task_at(s, i));
    add_scores(doc, s);
    if (has_distribution && headline != NULL) {
        const struct pji_figure_name *title = pji_figure_name_find(name);
        snprintf(caption, sizeof caption,
                 "%s: every done trial (circles) and the mean with its 95 %% interval (point and "
                 "bar); n = %zu trials.",
                 title != NULL ? title->words : name, s->done);
        pji_doc_figure(doc, "distribution", caption);
    }
    add_comparisons(doc, s);
    if (has_trace_plot) {
        snprintf(caption, sizeof caption,
                 "Power of trial %lld with its phases; the blue spans are the measured windows.",
                 (long long)s->example_trial);
        pji_doc_figure(doc, "trace", caption);
    }
    add_basis(doc, s);
    add_recompute(doc, s);
    add_data(doc, s);
}
