/* report/compose_basis.c - what a report rests on: trials, gates, instruments, facts. */
#include "report/compose.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- what it rests on ---- */

static void open_pairs(struct pji_doc *doc, const char *id, const char *caption, const char *key,
                       const char *value)
{
    pji_doc_table(doc, id, caption);
    pji_doc_column(doc, key, key, false);
    pji_doc_column(doc, value, value, false);
}

/* Each number leads to the trial. */
static void add_failures(struct pji_doc *doc, const struct pji_summary *s)
{
    if (s->n_failures > 0)
        open_pairs(doc, "failures", "Trials that are not in the figures.", "trial", "reason");
    for (size_t i = 0; i < s->n_failures; i++) {
        int64_t trial = strtoll(s->failures[i].key, NULL, 10);
        pji_doc_source(doc, "state", "", "", &trial, 1);
        pji_doc_cell(doc, s->failures[i].key);
        pji_doc_no_source(doc);
        pji_doc_cell(doc, s->failures[i].value);
    }
}

/* The first `common` of them are the study's, the others those of the example. */
static void add_pairs(struct pji_doc *doc, const struct pji_summary *s, const char *statistic,
                      const struct pji_pair *pairs, size_t n, size_t common)
{
    for (size_t i = 0; i < n; i++) {
        pji_doc_no_source(doc);
        pji_doc_cell(doc, pairs[i].key);
        pji_doc_source(doc, statistic, "", "", &s->example_trial,
                       i < common || s->example_trial == 0 ? 0 : 1);
        pji_doc_cell(doc, pairs[i].value);
    }
    pji_doc_no_source(doc);
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

static const char *fact(const struct pji_summary *s, const char *key)
{
    for (size_t i = 0; i < s->n_facts; i++)
        if (strcmp(s->facts[i].key, key) == 0)
            return s->facts[i].value;
    return "";
}

static void add_replication(struct pji_doc *doc, const struct pji_summary *s)
{
    pji_report_from_trials(doc, s, "agreement", PJI_EVERY_TREATMENT, true);
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

void pji_report_add_basis(struct pji_doc *doc, const struct pji_summary *s)
{
    pji_doc_add(doc, PJI_BLOCK_HEADING, "What this rests on");
    pji_report_from_trials(doc, s, "count", PJI_EVERY_TREATMENT, false);
    pji_doc_add(doc, PJI_BLOCK_PARAGRAPH, "Trials: %zu done, %zu invalid, %zu failed, %zu open.",
                s->done, s->invalid, s->failed, s->open);
    pji_doc_no_source(doc);
    if (s->total_label[0] != '\0')
        pji_doc_add(doc, PJI_BLOCK_PARAGRAPH, "Total energy: %s; it adds %s.", s->total_label,
                    s->total_set[0] != '\0' ? s->total_set : "nothing");
    if (strcmp(fact(s, "window"), "steady") == 0)
        pji_doc_add(doc, PJI_BLOCK_PARAGRAPH,
                    "Window: the steady part of each task. Ramp and drain are left out of every "
                    "figure and stand in figures of their own, so none of these compares with one "
                    "over a whole task.");
    add_replication(doc, s);
    pji_report_from_trials(doc, s, "gate", PJI_EVERY_TREATMENT, false);
    add_gates(doc, s);
    pji_doc_no_source(doc);
    add_failures(doc, s);
    if (s->n_sensors > 0)
        open_pairs(doc, "sensors", "Instruments, as seen in the first done trial.", "channel",
                   "energy");
    add_pairs(doc, s, "instrument", s->sensors, s->n_sensors, 0);
    if (s->n_facts > 0)
        open_pairs(doc, "facts", "Machine, engine and model.", "key", "value");
    add_pairs(doc, s, "fact", s->facts, s->n_facts, s->n_study_facts);
}
