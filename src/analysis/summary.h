/* analysis/summary.h - what a study says: each treatment with its figures and intervals, then the
 * comparison with the first treatment, then what both rest on. Computed from the records of done
 * trials only; report/ draws and typesets this and computes nothing.
 *
 * Mean of a treatment: arithmetic mean over its done trials. Its 95 % interval is the full one: t
 * interval of the repetitions combined with the common uncertainty of the instrument, which does
 * not shrink with n (GUM G.4.1, effective degrees of freedom by Welch-Satterthwaite). Its lower end
 * is cut at 0: none of these figures but a net energy can be negative.
 * Comparison: within blocks, on the ratio other / base; the common part of the uncertainty that
 * cancels is left out, the rest is stated and combined (stats/interval.h, pji_ratio_ci). Undecided
 * means that the ratio's interval contains 1.
 */
#ifndef PJI_ANALYSIS_SUMMARY_H
#define PJI_ANALYSIS_SUMMARY_H

#include "store/store.h"
#include "task/task.h"

struct pji_figure {
    char *task, *name; /* "energy", "j_per_token" */
    size_t n, n_missing;
    double mean;            /* NaN when n = 0 */
    double sd;              /* NaN when n < 2 */
    double lo, hi;          /* 95 %, full; NaN when n < 2 and no common uncertainty */
    double u_com;           /* mean common standard uncertainty, 0 for counts and times */
    char origin[16];        /* weakest origin among the trials, "" for figures without energy */
    char reason[PJ_REASON]; /* why the first missing one is missing */
    double *values;         /* n values in planned order, for plots */
    int64_t *trials;        /* their trial ids; n = 0: those of the n_missing */
};

struct pji_score {
    char *task;
    struct pji_accuracy accuracy;
};

struct pji_treatment {
    char *label;   /* "concurrency=4" */
    char **levels; /* one for each factor */
    int64_t cell;
    size_t n_trials, done, failed, invalid, open;
    struct pji_figure *figures;
    size_t n_figures, cap_figures;
    struct pji_score *scores;
    size_t n_scores;
};

enum pji_verdict { PJI_VERDICT_LOWER, PJI_VERDICT_HIGHER, PJI_VERDICT_UNDECIDED, PJI_VERDICT_NONE };

struct pji_comparison {
    char *task, *name;
    size_t base, other;   /* indices of treatments */
    size_t n_blocks;      /* blocks in which both are done */
    double ratio, lo, hi; /* other / base; NaN where there is none */
    double u_rest;        /* relative common uncertainty that did not cancel, k = 1 */
    bool energy;          /* a figure of energy: u_rest applies */
    bool cancelled;       /* both from one instrument: its gain cancelled */
    bool ratio_of_times;  /* modelled, and the model saw the same utilisation in both arms */
    enum pji_verdict verdict;
    char reason[PJ_REASON]; /* VERDICT_NONE: why there is no ratio */
};

/* Right and wrong answers of two treatments to the same items. */
struct pji_answers_compared {
    char *task;
    size_t base, other; /* indices of treatments */
    struct pji_answer_pair pair;
    double p_holm; /* over all rows of the study that have a p; NaN like p */
};

struct pji_fired_gate {
    char *code, *consequence, *detail; /* detail of the first time */
    size_t n_trials;
    int64_t first_trial, last_trial;
};

/* A trial of the plan, in planned order. */
struct pji_trial_line {
    int64_t trial, attempt, block; /* attempt 0: none yet */
    size_t treatment;
    enum pji_trial_state state;
    char *reason;
};

/* One figure of one done trial: what every mean and ratio is made of. */
struct pji_record {
    size_t line; /* index of its trial */
    char *task, *name;
    double value; /* NaN: missing, with a reason */
    double u_ind, u_com;
    char origin[16];
    char reason[PJ_REASON];
};

/* Mean energy of the headline task's window by domain: index treatment * n_domains + domain; NaN
 * where a trial has no value of that domain. */
struct pji_domains {
    char *task;
    char **names;
    size_t n, cap;
    double *energy_j;
};

struct pji_pair {
    char *key, *value;
};

struct pji_summary {
    char *study, *question, *plan_sha256, *seed, *tool, *dir;
    int64_t created_wall_ns;
    struct pji_pair *factors; /* name, levels joined by ", " */
    size_t n_factors;
    struct pji_treatment *treatments; /* in planned (cell) order */
    size_t n_treatments;
    struct pji_comparison *comparisons;
    size_t n_comparisons;
    struct pji_answers_compared *answers; /* every treatment against the first */
    size_t n_answers;
    struct pji_fired_gate *gates;
    size_t n_gates;
    struct pji_pair *facts; /* of the study, then of its first done attempt */
    size_t n_facts;
    size_t n_study_facts; /* how many of them are the study's; the others are the attempt's */
    struct pji_pair
        *sensors; /* channel name → domain, origin, u in words; of the first done trial */
    size_t n_sensors;
    struct pji_pair *failures; /* trial number → reason */
    size_t n_failures;
    struct pji_trial_line *lines;
    size_t n_lines;
    struct pji_record *records; /* by trial in planned order, as stored */
    size_t n_records;
    struct pji_domains *domains; /* one for each task with energies */
    size_t n_domains;
    char total_label[64]; /* "machine", "modelled, not measured", … */
    char total_set[512];  /* channels of the total */
    size_t done, failed, invalid, open;
    bool identical_outputs;  /* every item gave one output in all repetitions of a treatment */
    size_t repeated_items;   /* items with two or more outputs to compare */
    int64_t example_attempt; /* first done attempt (its power trace is drawn), 0: none */
    int64_t example_trial;
    char *example_files; /* the files of that attempt that are there: "engine.log, trace.jsonl" */
    bool example_trace;  /* trace.jsonl is among them */
};

pj_status pji_summary_make(struct pji_summary *summary, struct pji_store *store,
                           struct pj_error *err);
void pji_summary_fini(struct pji_summary *summary);

/* Figure of a treatment, NULL when it has none. */
const struct pji_figure *pji_summary_figure(const struct pji_treatment *treatment, const char *task,
                                            const char *name);

#endif
