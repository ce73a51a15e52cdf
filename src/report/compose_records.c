/* report/compose_records.c - the methods in one paragraph, how to recompute, every record and every
 * figure in full precision.
 */
#include "report/compose.h"

#include "core/num.h"
#include "core/units.h"
#include "report/figures.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* Every figure in full precision: for programs, not for the page. */
static void add_figures(struct pji_doc *doc, const struct pji_summary *s)
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
            pji_doc_no_source(doc);
            pji_doc_cell(doc, s->treatments[t].label);
            pji_doc_cell(doc, f->task);
            pji_doc_cell(doc, f->name);
            pji_report_from_figure(doc, f);
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
}

static void add_ratios(struct pji_doc *doc, const struct pji_summary *s)
{
    pji_doc_data(doc, "ratios");
    static const char *const ratios[] = {"base",   "treatment", "task",  "figure",
                                         "blocks", "ratio",     "lo",    "hi",
                                         "u_rest", "verdict",   "reason"};
    for (size_t c = 0; c < sizeof ratios / sizeof ratios[0]; c++)
        pji_doc_column(doc, ratios[c], ratios[c], false);
    for (size_t i = 0; i < s->n_comparisons; i++) {
        const struct pji_comparison *c = &s->comparisons[i];
        pji_doc_no_source(doc);
        pji_doc_cell(doc, s->treatments[c->base].label);
        pji_doc_cell(doc, s->treatments[c->other].label);
        pji_doc_cell(doc, c->task);
        pji_doc_cell(doc, c->name);
        pji_report_from_comparison(doc, s, c);
        pji_doc_cellf(doc, "%zu", c->n_blocks);
        pji_doc_num(doc, c->ratio, 17);
        pji_doc_num(doc, c->lo, 17);
        pji_doc_num(doc, c->hi, 17);
        pji_doc_num(doc, c->energy ? c->u_rest : (double)NAN, 17);
        pji_doc_cell(doc, pji_report_verdict(c));
        pji_doc_cell(doc, c->reason);
    }
}

/* ---- methods ---- */

static const char *fact(const struct pji_summary *s, const char *key)
{
    for (size_t i = 0; i < s->n_facts; i++) {
        if (strcmp(s->facts[i].key, key) == 0 && s->facts[i].value[0] != '\0')
            return s->facts[i].value;
    }
    return NULL;
}

/* "before VALUE" when there is such a fact. */
static bool add_fact(struct pji_str *out, const struct pji_summary *s, const char *before,
                     const char *key)
{
    const char *value = fact(s, key);
    if (value != NULL)
        pji_str_addf(out, "%s%s", before, value);
    return value != NULL;
}

static void add_design(struct pji_str *out, const struct pji_summary *s)
{
    int64_t blocks = 0;
    for (size_t i = 0; i < s->n_lines; i++)
        blocks = s->lines[i].block > blocks ? s->lines[i].block : blocks;
    pji_str_addf(out, "%zu treatment%s", s->n_treatments, s->n_treatments == 1 ? "" : "s");
    for (size_t f = 0; f < s->n_factors; f++)
        pji_str_addf(out, "%s%s: %s%s", f == 0 ? " (" : "; ", s->factors[f].key,
                     s->factors[f].value, f + 1 == s->n_factors ? ")" : "");
    pji_str_addf(out, " were measured in %zu trials in %lld block%s", s->n_lines, (long long)blocks,
                 blocks == 1 ? "" : "s");
    if (s->seed[0] != '\0')
        pji_str_addf(out, ", in an order drawn within each block from the seed %s", s->seed);
    pji_str_addf(out, "; %zu are done, %zu invalid, %zu failed and %zu open. ", s->done, s->invalid,
                 s->failed, s->open);
}

static void add_setting(struct pji_str *out, const struct pji_summary *s)
{
    if (add_fact(out, s, "The engine was ", "engine.kind")) {
        add_fact(out, s, ", version ", "engine.version");
        add_fact(out, s, ", with the model ", "model.id");
        add_fact(out, s, " (SHA-256 ", "model.sha256");
        pji_str_add(out, fact(s, "model.sha256") != NULL ? "). " : ". ");
    }
    if (add_fact(out, s, "The machine has a processor ", "machine.cpu_model")) {
        add_fact(out, s, ", ", "machine.threads_online");
        pji_str_add(out, fact(s, "machine.threads_online") != NULL ? " threads" : "");
        add_fact(out, s, ", GPU ", "machine.gpu_model");
        add_fact(out, s, ", runs ", "machine.os");
        add_fact(out, s, " with kernel ", "machine.kernel");
        add_fact(out, s, " (", "machine.virtualisation");
        pji_str_add(out, fact(s, "machine.virtualisation") != NULL ? "). " : ". ");
    }
}

static void add_energy_words(struct pji_str *out, const struct pji_summary *s)
{
    if (s->total_label[0] == '\0')
        return;
    pji_str_addf(out, "Energy is the total \"%s\", which adds %s", s->total_label,
                 s->total_set[0] != '\0' ? s->total_set : "nothing");
    for (size_t i = 0; i < s->n_sensors; i++)
        pji_str_addf(out, "; %s: %s", s->sensors[i].key, s->sensors[i].value);
    pji_str_add(out, ". ");
}

/* One paragraph; a fact that was not recorded is not said. */
void pji_report_add_methods(struct pji_doc *doc, const struct pji_summary *s)
{
    struct pji_str text = {0};
    add_design(&text, s);
    add_setting(&text, s);
    add_energy_words(&text, s);
    pji_str_add(&text,
                "A trial's measured window runs from the first request sent to the last byte "
                "received. Means are arithmetic over the done trials; their 95 % intervals combine "
                "the scatter of the repetitions with the common uncertainty of the instruments "
                "(GUM G.4.1). ");
    if (s->n_comparisons > 0)
        pji_str_addf(&text,
                     "Treatments were compared with %s by the geometric mean of the ratios within "
                     "blocks. ",
                     s->treatments[0].label);
    if (s->plan_sha256[0] != '\0')
        pji_str_addf(&text, "Plan SHA-256 %s, made by %s.", s->plan_sha256, s->tool);
    else
        pji_str_addf(&text, "Made by %s.", s->tool);
    pji_doc_no_source(doc);
    pji_doc_add(doc, PJI_BLOCK_HEADING, "Methods");
    pji_report_from_trials(doc, s, "count", PJI_EVERY_TREATMENT, false);
    pji_doc_add(doc, PJI_BLOCK_PARAGRAPH, "%s", pji_str_text(&text));
    pji_doc_name(doc, "methods");
    pji_doc_no_source(doc);
    pji_str_fini(&text);
}
static void add_recompute(struct pji_doc *doc, const struct pji_summary *s)
{
    char created[40] = "";
    time_t wall_s = (time_t)(s->created_wall_ns / PJI_NS_PER_S);
    struct tm utc;
    if (gmtime_r(&wall_s, &utc) != NULL)
        strftime(created, sizeof created, "%Y-%m-%d %H:%M UTC", &utc);
    pji_doc_add(doc, PJI_BLOCK_HEADING, "How to recompute");
    pji_doc_source(doc, "plan", "", "", NULL, 0);
    pji_doc_add(doc, PJI_BLOCK_PARAGRAPH, "Study of %s, made by %s%s%s%s%s.", created, s->tool,
                s->seed[0] != '\0' ? ", order seed " : "", s->seed,
                s->plan_sha256[0] != '\0' ? ", plan SHA-256 " : "", s->plan_sha256);
    pji_doc_no_source(doc);
    pji_doc_add(doc, PJI_BLOCK_PARAGRAPH,
                "The records are in the study folder: study.sqlite, and for each attempt the files "
                "that they were made from, with digests%s%s. These commands print every figure "
                "again:",
                s->example_files != NULL && s->example_files[0] != '\0' ? ": " : "",
                s->example_files != NULL ? s->example_files : "");
    pji_doc_add(doc, PJI_BLOCK_CODE, "perjoule verify REPORT STUDY");
    pji_doc_add(doc, PJI_BLOCK_CODE, "perjoule report STUDY");
    pji_doc_add(doc, PJI_BLOCK_CODE, "perjoule export STUDY --format csv");
    if (s->example_trace)
        pji_doc_add(doc, PJI_BLOCK_CODE, "perjoule replay STUDY/artefacts/%lld/trace.jsonl",
                    (long long)s->example_attempt);
}

/* ---- every record ---- */

static const struct pji_record *record_of(const struct pji_summary *s, size_t line,
                                          const char *task, const char *name)
{
    for (size_t i = 0; i < s->n_records; i++) {
        const struct pji_record *r = &s->records[i];
        if (r->line == line && strcmp(r->task, task) == 0 && strcmp(r->name, name) == 0)
            return r;
    }
    return NULL;
}

static void add_value(struct pji_doc *doc, const struct pji_record *r)
{
    char value[PJI_NUM_TEXT];
    char u[PJI_NUM_TEXT];
    if (r == NULL || !isfinite(r->value)) {
        pji_doc_cell(doc, r == NULL ? "" : "missing");
        return;
    }
    pji_num_format_digits(r->value, 6, value);
    double combined = hypot(r->u_ind, r->u_com);
    if (combined > 0) {
        pji_num_format_digits(combined, 2, u);
        pji_doc_cellf(doc, "%s ± %s", value, u);
    } else {
        pji_doc_cell(doc, value);
    }
}

/* One row for each trial and task: what a number of the page leads to. */
static void add_trials(struct pji_doc *doc, const struct pji_summary *s)
{
    pji_doc_table(doc, "records",
                  "Every trial with its figures and their combined standard uncertainty (k = 1). "
                  "The file values.csv has them in full; the records of attempt N lie in the study "
                  "below artefacts/N.");
    struct pji_block *table = &doc->blocks[doc->n - 1];
    if (doc->status == PJ_OK) {
        table->page_only = true;
        snprintf(table->row_mark, sizeof table->row_mark, "t");
    }
    static const char *const heads[] = {"trial", "attempt", "treatment", "block", "state", "task"};
    for (size_t c = 0; c < sizeof heads / sizeof heads[0]; c++)
        pji_doc_column(doc, heads[c], heads[c], c < 2);
    for (size_t k = 0; pji_figure_name_at(k) != NULL; k++)
        pji_doc_column(doc, pji_figure_name_at(k)->title, pji_figure_name_at(k)->name, true);
    for (size_t i = 0; i < s->n_lines; i++) {
        const struct pji_trial_line *line = &s->lines[i];
        for (size_t k = 0; k == 0 || pji_report_task(s, k) != NULL; k++) {
            const char *task = pji_report_task(s, k) != NULL ? pji_report_task(s, k) : "";
            pji_doc_cellf(doc, "%lld", (long long)line->trial);
            pji_doc_cellf(doc, "%lld", (long long)line->attempt);
            pji_doc_cell(doc, s->treatments[line->treatment].label);
            pji_doc_cellf(doc, "%lld", (long long)line->block);
            pji_doc_cellf(doc, "%s%s%s", pji_trial_state_name(line->state),
                          line->reason[0] != '\0' ? ": " : "", line->reason);
            pji_doc_cell(doc, task);
            for (size_t n = 0; pji_figure_name_at(n) != NULL; n++)
                add_value(doc, record_of(s, i, task, pji_figure_name_at(n)->name));
        }
    }
}

static void add_values(struct pji_doc *doc, const struct pji_summary *s)
{
    static const char *const columns[] = {"trial", "attempt", "treatment", "block",
                                          "task",  "figure",  "value",     "u_ind",
                                          "u_com", "origin",  "reason"};
    pji_doc_data(doc, "values");
    for (size_t c = 0; c < sizeof columns / sizeof columns[0]; c++)
        pji_doc_column(doc, columns[c], columns[c], false);
    for (size_t i = 0; i < s->n_records; i++) {
        const struct pji_record *r = &s->records[i];
        const struct pji_trial_line *line = &s->lines[r->line];
        bool energy = isfinite(r->value) && r->origin[0] != '\0';
        pji_doc_cellf(doc, "%lld", (long long)line->trial);
        pji_doc_cellf(doc, "%lld", (long long)line->attempt);
        pji_doc_cell(doc, s->treatments[line->treatment].label);
        pji_doc_cellf(doc, "%lld", (long long)line->block);
        pji_doc_cell(doc, r->task);
        pji_doc_cell(doc, r->name);
        pji_doc_num(doc, r->value, 17);
        pji_doc_num(doc, energy ? r->u_ind : (double)NAN, 17);
        pji_doc_num(doc, energy ? r->u_com : (double)NAN, 17);
        pji_doc_cell(doc, r->origin);
        pji_doc_cell(doc, r->reason);
    }
}

static void add_domains(struct pji_doc *doc, const struct pji_summary *s)
{
    if (s->n_domains == 0)
        return;
    pji_doc_data(doc, "domains");
    pji_doc_column(doc, "treatment", "treatment", false);
    pji_doc_column(doc, "task", "task", false);
    pji_doc_column(doc, "domain", "domain", false);
    pji_doc_column(doc, "mean_energy_j", "mean_energy_j", true);
    for (size_t d = 0; d < s->n_domains; d++) {
        const struct pji_domains *domains = &s->domains[d];
        for (size_t t = 0; t < s->n_treatments; t++) {
            for (size_t k = 0; k < domains->n; k++) {
                pji_doc_no_source(doc);
                pji_doc_cell(doc, s->treatments[t].label);
                pji_doc_cell(doc, domains->task);
                pji_doc_cell(doc, domains->names[k]);
                pji_report_from_trials(doc, s, "domains", t, true);
                pji_doc_num(doc, domains->energy_j[t * domains->n + k], 17);
            }
        }
    }
    pji_doc_no_source(doc);
}

void pji_report_add_records(struct pji_doc *doc, const struct pji_summary *s)
{
    add_recompute(doc, s);
    add_trials(doc, s);
    add_figures(doc, s);
    add_ratios(doc, s);
    pji_doc_no_source(doc);
    add_values(doc, s);
    add_domains(doc, s);
}
