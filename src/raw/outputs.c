/* The same question in each repetition of a treatment: one answer, or several? And if several, does
 * the date decide which? A sampled model gives many; one whose seed is fixed gives one; one whose
 * template writes the date into the prompt gives one for each day.
 *
 * Cells are treatments with two runs or more. Over all their questions: `same` are those with one
 * answer in all runs of the cell. Over their questions and UTC days with two runs or more: `steady`
 * are those with one answer on that day. A cell depends on the date when it has two days or more,
 * at most half of its questions have one answer in all, and at least 95 % are steady within a day.
 */
#include "raw/findings_parts.h"

#include "core/array.h"

#include <stdlib.h>
#include <string.h>

#define STEADY_SHARE 0.95

struct row {
    uint64_t prompt, output;
    int32_t day;
};

struct cell {
    size_t runs, days;
    size_t questions, same;    /* in two runs or more; one answer in all */
    size_t days_asked, steady; /* question and day in two runs or more; one answer */
    int32_t first_day, last_day;
    bool several_days;
};

static int by_prompt_day(const void *x, const void *y)
{
    const struct row *a = x, *b = y;
    if (a->prompt != b->prompt)
        return a->prompt > b->prompt ? 1 : -1;
    if (a->day != b->day)
        return a->day > b->day ? 1 : -1;
    return a->output > b->output ? 1 : (a->output < b->output ? -1 : 0);
}

/* rows[0..n) are of one question, by day. */
static void count_question(struct cell *cell, const struct row *rows, size_t n)
{
    bool same = true;
    for (size_t i = 1; i < n; i++)
        same = same && rows[i].output == rows[0].output;
    cell->questions += n >= 2;
    cell->same += n >= 2 && same;
    for (size_t i = 0; i < n;) {
        size_t k = i;
        bool steady = true;
        for (; k < n && rows[k].day == rows[i].day; k++)
            steady = steady && rows[k].output == rows[i].output;
        cell->days_asked += k - i >= 2;
        cell->steady += k - i >= 2 && steady;
        i = k;
    }
    cell->several_days = cell->several_days || rows[0].day != rows[n - 1].day;
}

static void count_cell(struct cell *cell, struct row *rows, size_t n)
{
    qsort(rows, n, sizeof *rows, by_prompt_day);
    for (size_t i = 0; i < n;) {
        size_t k = i;
        while (k < n && rows[k].prompt == rows[i].prompt)
            k++;
        count_question(cell, rows + i, k - i);
        i = k;
    }
}

/* The done runs [from, to) are one cell. */
static pj_status look_at(const struct pji_findings *f, size_t from, size_t to, struct cell *cell)
{
    size_t n = 0, at = 0;
    *cell = (struct cell){0};
    for (size_t i = from; i < to; i++)
        n += f->outcomes[i].state == PJI_TRIAL_DONE ? f->outcomes[i].n_answers : 0;
    if (n == 0)
        return PJ_OK;
    struct row *rows = pji_zalloc(n, sizeof *rows, f->err);
    if (rows == NULL)
        return PJ_ENOMEM;
    for (size_t i = from; i < to; i++) {
        const struct pji_raw_outcome *o = &f->outcomes[i];
        if (o->state != PJI_TRIAL_DONE || o->n_answers == 0)
            continue;
        cell->runs++;
        for (size_t k = 0; k < o->n_answers; k++)
            rows[at++] =
                (struct row){o->answers[k].prompt, o->answers[k].output, o->answers[k].day};
    }
    count_cell(cell, rows, n);
    free(rows);
    return PJ_OK;
}

struct tally {
    size_t cells, runs, questions, days_asked, steady;
    struct pji_str names;
};

static void add(struct tally *tally, const struct cell *cell, const struct pji_findings *f,
                const struct pji_raw_planned *run)
{
    tally->cells++;
    tally->runs += cell->runs;
    tally->questions += cell->questions;
    tally->days_asked += cell->days_asked;
    tally->steady += cell->steady;
    pji_str_add(&tally->names, tally->names.len > 0 ? ", " : "");
    for (size_t k = 0; k < PJI_RAW_FACTORS; k++)
        pji_str_addf(&tally->names, "%s%s", k > 0 ? " " : "", f->plan->levels[k][run->level[k]]);
}

static pj_status say_identical(struct pji_findings *f, const struct tally *t)
{
    return pji_finding_put(
        f, "identical_outputs", "study", "flag",
        json_pack("{s:I, s:I, s:I}", "cells", (json_int_t)t->cells, "runs", (json_int_t)t->runs,
                  "questions", (json_int_t)t->questions),
        "%zu runs of %zu treatments (%.300s%s) gave, byte for byte, the same answers in every "
        "repetition: the sampling was not repeated, only the measurement. The scatter between them "
        "is that of the meter and the machine, and says nothing about other answers.",
        t->runs, t->cells, pji_str_text(&t->names), t->names.len > 300 ? "…" : "");
}

static pj_status say_dated(struct pji_findings *f, const struct tally *t)
{
    return pji_finding_put(
        f, "outputs_depend_on_date", "study", "forbids",
        json_pack("{s:I, s:I, s:I, s:I}", "cells", (json_int_t)t->cells, "runs",
                  (json_int_t)t->runs, "prompt_days", (json_int_t)t->days_asked,
                  "prompt_days_with_one_output", (json_int_t)t->steady),
        "the answers of %zu runs of %zu treatments (%.300s%s) depend on the UTC date: %zu of %zu "
        "questions have one answer within a day, and another on another day, as when a chat "
        "template writes the date into the prompt. Repetitions of one day are not independent of "
        "each other, and the date is a factor that the design does not have.",
        t->runs, t->cells, pji_str_text(&t->names), t->names.len > 300 ? "…" : "", t->steady,
        t->days_asked);
}

pj_status pji_findings_outputs(struct pji_findings *f)
{
    struct tally identical = {0}, dated = {0};
    pj_status status = PJ_OK;
    for (size_t from = 0, to; from < f->n && status == PJ_OK; from = to) {
        struct cell cell;
        for (to = from; to < f->n && f->plan->runs[to].cell == f->plan->runs[from].cell;)
            to++;
        status = look_at(f, from, to, &cell);
        if (status != PJ_OK || cell.runs < 2 || cell.questions == 0)
            continue;
        bool dependent = cell.several_days && cell.days_asked > 0 &&
                         (double)cell.same <= 0.5 * (double)cell.questions &&
                         (double)cell.steady >= STEADY_SHARE * (double)cell.days_asked;
        if (cell.same == cell.questions)
            add(&identical, &cell, f, &f->plan->runs[from]);
        else if (dependent)
            add(&dated, &cell, f, &f->plan->runs[from]);
    }
    if (status == PJ_OK && identical.cells > 0)
        status = say_identical(f, &identical);
    if (status == PJ_OK && dated.cells > 0)
        status = say_dated(f, &dated);
    pji_str_fini(&identical.names);
    pji_str_fini(&dated.names);
    return status;
}
