#include "raw/findings.h"

#include "core/array.h"
#include "core/json.h"
#include "raw/findings_parts.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

pj_status pji_finding_put(struct pji_findings *f, const char *code, const char *subject,
                          const char *consequence, json_t *figures, const char *format, ...)
{
    struct pji_str detail = {0}, text = {0};
    va_list args;
    va_start(args, format);
    pji_str_addv(&detail, format, args);
    va_end(args);
    pj_status status = pji_str_ok(&detail, f->err);
    if (status == PJ_OK && figures == NULL)
        status = pji_fail(f->err, PJ_ENOMEM, "out of memory");
    if (status == PJ_OK) {
        pji_json_write(&text, figures, 0);
        status = pji_str_ok(&text, f->err);
    }
    if (status == PJ_OK) {
        struct pji_finding_row row = {code, subject, consequence, detail.text, text.text};
        status = pji_store_add_finding(f->store, &row, f->err);
        f->result->findings++;
        f->result->forbids += strcmp(consequence, "forbids") == 0;
    }
    json_decref(figures);
    pji_str_fini(&detail);
    pji_str_fini(&text);
    return status;
}

/* ---- counters ---- */

static pj_status wrapped(struct pji_findings *f, const struct pji_raw_outcome *o)
{
    const char *name = o->planned->folder->name;
    json_t *figures =
        json_pack("{s:I, s:f, s:f, s:f, s:f, s:f, s:f}", "wraps", (json_int_t)o->wraps, "modulus_j",
                  o->modulus_j, "counter_unit_j", o->unit_j, "cpu_package_j", o->cpu_j, "summary_j",
                  o->summary_j, "step_w", o->wrap_step_w, "usual_step_w", o->wrap_usual_w);
    return pji_finding_put(
        f, "counter_wrapped", name, "flag", figures,
        "the counter of %s wrapped %zu time%s at %.6g J (found in its values: the step over the "
        "wrap is then %.1f W, beside %.1f W usually%s). Repaired: %.3f J for the recording; the "
        "summary file has %.3f J, which is not an energy.",
        o->wrapped_domain, o->wraps, o->wraps == 1 ? "" : "s", o->modulus_j, o->wrap_step_w,
        o->wrap_usual_w, o->unit_j > 0 ? ", and 2^32 of its units" : "", o->cpu_j, o->summary_j);
}

static pj_status fallen(struct pji_findings *f, const struct pji_raw_outcome *o)
{
    return pji_finding_put(f, "counter_reset", o->planned->folder->name, "flag",
                           json_pack("{s:I}", "falls", (json_int_t)o->falls),
                           "a counter fell %zu time%s in a way that no wrap explains: it was "
                           "reset. The gap is bridged "
                           "with the mean power, and the uncertainty says how far that may be off.",
                           o->falls, o->falls == 1 ? "" : "s");
}

static pj_status implausible_summary(struct pji_findings *f, const struct pji_raw_outcome *o)
{
    double mean_w = fabs(o->summary_j) / o->summary_dur_s;
    json_t *figures = json_pack("{s:f, s:f, s:f, s:f, s:f}", "published_j", fabs(o->summary_j),
                                "dur_s", o->summary_dur_s, "mean_w", mean_w, "highest_w",
                                o->terms.cpu_peak_w, "recomputed_j", o->cpu_j);
    return pji_finding_put(f, "implausible_energy", o->planned->folder->name, "flag", figures,
                           "%.1f J in %.3f s would be %.0f W, and the CPU packages never drew more "
                           "than %.0f W in this "
                           "run: the summary's figure is not the run's energy (%.1f J).",
                           fabs(o->summary_j), o->summary_dur_s, mean_w, o->terms.cpu_peak_w,
                           o->cpu_j);
}

static pj_status stepped_back(struct pji_findings *f, const struct pji_raw_outcome *o)
{
    return pji_finding_put(f, "clock_stepped_back", o->planned->folder->name, "flag",
                           json_pack("{s:I}", "samples", (json_int_t)o->backward),
                           "%zu samples have a time before that of the sample in front of them and "
                           "are left out: the clock was set back while it recorded.",
                           o->backward);
}

static pj_status each_run(struct pji_findings *f)
{
    pj_status status = PJ_OK;
    for (size_t i = 0; i < f->n && status == PJ_OK; i++) {
        const struct pji_raw_outcome *o = &f->outcomes[i];
        if (o->state != PJI_TRIAL_DONE && o->state != PJI_TRIAL_INVALID)
            continue;
        bool too_much = isfinite(o->cpu_j) && o->summary_dur_s > 0 && o->terms.cpu_peak_w > 0 &&
                        fabs(o->summary_j) / o->summary_dur_s > o->terms.cpu_peak_w;
        if (o->wraps > 0)
            status = wrapped(f, o);
        if (status == PJ_OK && o->falls > 0)
            status = fallen(f, o);
        if (status == PJ_OK && too_much)
            status = implausible_summary(f, o);
        if (status == PJ_OK && o->backward > 0)
            status = stepped_back(f, o);
    }
    return status;
}

/* Done runs that lack a package or a GPU that another one has values of. */
static pj_status domains(struct pji_findings *f)
{
    struct pji_raw_domains all = {0};
    size_t lacking = 0, first = f->n;
    for (size_t i = 0; i < f->n; i++) {
        if (f->outcomes[i].state == PJI_TRIAL_DONE) {
            all.packages |= f->outcomes[i].read.packages;
            all.gpus |= f->outcomes[i].read.gpus;
        }
    }
    for (size_t i = f->n; i-- > 0;) {
        const struct pji_raw_outcome *o = &f->outcomes[i];
        if (o->state != PJI_TRIAL_DONE ||
            (o->read.packages == all.packages && o->read.gpus == all.gpus))
            continue;
        lacking++;
        first = i;
    }
    if (lacking == 0)
        return PJ_OK;
    return pji_finding_put(
        f, "domains_differ", "study", "forbids",
        json_pack("{s:I, s:I, s:s}", "runs", (json_int_t)lacking, "of", (json_int_t)f->n, "first",
                  f->plan->runs[first].folder->name),
        "%zu of %zu runs (the first: %s) have no values of a CPU package or GPU that others have: "
        "the totals are not of the same things and must not be compared.",
        lacking, f->n, f->plan->runs[first].folder->name);
}

/* ---- the design ---- */

static size_t root_of(size_t *parent, size_t i)
{
    while (parent[i] != i)
        i = parent[i] = parent[parent[i]];
    return i;
}

/* In an additive model two levels of `a` can be compared free of `b` exactly when a chain of runs
 * joins them: run to run, either the level of a or that of b stays. Joins what is joined. */
static void join_levels(const struct pji_findings *f, size_t a, size_t b, size_t *parent)
{
    size_t n_a = f->plan->n_levels[a];
    for (size_t i = 0; i < n_a + f->plan->n_levels[b]; i++)
        parent[i] = i;
    for (size_t i = 0; i < f->n; i++) {
        const struct pji_raw_outcome *o = &f->outcomes[i];
        if (o->state != PJI_TRIAL_DONE || !o->planned->known)
            continue;
        size_t x = root_of(parent, o->planned->level[a]);
        size_t y = root_of(parent, n_a + o->planned->level[b]);
        parent[x] = y;
    }
}

static bool level_used(const struct pji_findings *f, size_t factor, size_t level)
{
    for (size_t i = 0; i < f->n; i++) {
        const struct pji_raw_outcome *o = &f->outcomes[i];
        if (o->state == PJI_TRIAL_DONE && o->planned->known && o->planned->level[factor] == level)
            return true;
    }
    return false;
}

/* Pairs of levels of `a` that no chain joins, out of how many. */
static void count_pairs(const struct pji_findings *f, size_t a, size_t *parent, size_t *aliased,
                        size_t *pairs, struct pji_str *words)
{
    for (size_t x = 0; x < f->plan->n_levels[a]; x++) {
        for (size_t y = x + 1; y < f->plan->n_levels[a]; y++) {
            if (!level_used(f, a, x) || !level_used(f, a, y))
                continue;
            (*pairs)++;
            if (root_of(parent, x) == root_of(parent, y))
                continue;
            (*aliased)++;
            pji_str_addf(words, "%s%s - %s", words->len > 0 ? ", " : "", f->plan->levels[a][x],
                         f->plan->levels[a][y]);
        }
    }
}

static pj_status aliased_pair(struct pji_findings *f, size_t a, size_t b)
{
    size_t n = f->plan->n_levels[a] + f->plan->n_levels[b], aliased = 0, pairs = 0;
    struct pji_str words = {0};
    size_t *parent = pji_zalloc(n, sizeof *parent, f->err);
    if (parent == NULL)
        return PJ_ENOMEM;
    join_levels(f, a, b, parent);
    count_pairs(f, a, parent, &aliased, &pairs, &words);
    free(parent);
    pj_status status = pji_str_ok(&words, f->err);
    if (status == PJ_OK && aliased > 0)
        status = pji_finding_put(
            f, "factor_aliased", pji_raw_factor_names[a], "forbids",
            json_pack("{s:s, s:I, s:I}", "with", pji_raw_factor_names[b], "aliased_pairs",
                      (json_int_t)aliased, "pairs", (json_int_t)pairs),
            "%s is aliased with %s: in %zu of %zu pairs of its levels (%.200s%s) the %s changes as "
            "well, and no other run holds it fixed. A difference between these is a difference of "
            "both together; it must not be called an effect of %s.",
            pji_raw_factor_names[a], pji_raw_factor_names[b], aliased, pairs, words.text,
            words.len > 200 ? "…" : "", pji_raw_factor_names[b], pji_raw_factor_names[a]);
    pji_str_fini(&words);
    return status;
}

static pj_status design(struct pji_findings *f)
{
    pj_status status = PJ_OK;
    for (size_t a = 0; a < PJI_RAW_FACTORS && status == PJ_OK; a++) {
        for (size_t b = 0; b < PJI_RAW_FACTORS && status == PJ_OK; b++)
            status = a != b ? aliased_pair(f, a, b) : PJ_OK;
    }
    return status;
}

/* ---- what is not there ---- */

static pj_status judge(struct pji_findings *f)
{
    size_t judged = 0, answers = 0;
    double sum = 0;
    for (size_t i = 0; i < f->n; i++) {
        judged += f->outcomes[i].judged;
        answers += f->outcomes[i].n_answers;
        sum += f->outcomes[i].judge_sum;
    }
    if (judged == 0)
        return PJ_OK;
    return pji_finding_put(
        f, "judge_not_accuracy", "accuracy", "forbids",
        json_pack("{s:I, s:I, s:f}", "judged_answers", (json_int_t)judged, "answers",
                  (json_int_t)answers, "mean_judge_score", sum / (double)judged),
        "the column `accuracy` of prompts_out.tsv is a judge's score of %zu of %zu answers (mean "
        "%.3f), not a comparison with the right answers, which the folders do not hold. It is kept "
        "as judge_score; nothing here may be called accuracy.",
        judged, answers, sum / (double)judged);
}

static pj_status unplaced(struct pji_findings *f)
{
    size_t unknown = 0;
    const char *first = "";
    pj_status status = PJ_OK;
    for (size_t i = f->n; i-- > 0;) {
        if (!f->plan->runs[i].known) {
            unknown++;
            first = f->plan->runs[i].folder->name;
        }
    }
    if (unknown > 0)
        status = pji_finding_put(
            f, "treatment_unknown", "study", "forbids",
            json_pack("{s:I, s:s}", "runs", (json_int_t)unknown, "first", first),
            "of %zu of %zu runs (%.80s%s) it is not known which generation and model size they "
            "are: each stands for itself. A table of the runs (--runs FILE) tells.",
            unknown, f->n, first, unknown > 1 ? ", …" : "");
    if (status == PJ_OK && f->plan->n_unplaced > 0)
        status = pji_finding_put(
            f, "run_without_folder", "study", "note",
            json_pack("{s:I, s:s}", "runs", (json_int_t)f->plan->n_unplaced, "first",
                      f->plan->first_unplaced),
            "%zu runs of %s have no folder here (the first: %s): nothing is said about them.",
            f->plan->n_unplaced, f->plan->origin, f->plan->first_unplaced);
    if (status == PJ_OK && f->result->failed > 0)
        status = pji_finding_put(
            f, "run_failed", "study", "flag",
            json_pack("{s:I, s:I}", "failed", (json_int_t)f->result->failed, "runs",
                      (json_int_t)f->result->runs),
            "%zu of %zu runs could not be read and are failed, each with its reason: no figure "
            "contains them.",
            f->result->failed, f->result->runs);
    return status;
}

pj_status pji_raw_findings_put(struct pji_store *store, const struct pji_raw_outcome *outcomes,
                               const struct pji_raw_plan *plan,
                               const struct pji_import_options *options,
                               struct pji_import_result *result, struct pj_error *err)
{
    struct pji_findings f = {.store = store,
                             .outcomes = outcomes,
                             .n = plan->n,
                             .plan = plan,
                             .options = options,
                             .result = result,
                             .err = err};
    pj_status status = unplaced(&f);
    if (status == PJ_OK)
        status = domains(&f);
    if (status == PJ_OK)
        status = each_run(&f);
    if (status == PJ_OK)
        status = pji_findings_published(&f);
    if (status == PJ_OK)
        status = pji_findings_outputs(&f);
    if (status == PJ_OK)
        status = judge(&f);
    if (status == PJ_OK)
        status = design(&f);
    return status;
}
