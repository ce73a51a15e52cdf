/* report/compose.h - from a summary to the blocks of a report (room-internal). */
#ifndef PJI_REPORT_COMPOSE_H
#define PJI_REPORT_COMPOSE_H

#include "analysis/summary.h"
#include "report/doc.h"

/* Which pictures exist. */
struct pji_drawn {
    bool distribution, ratios, domains, choice, trace;
    size_t steps;         /* of the trace */
    const char *why_none; /* NULL, or why there are no pictures at all */
};

/* The answer first, then what it rests on. */
void pji_report_compose(struct pji_doc *doc, const struct pji_summary *summary,
                        const struct pji_drawn *drawn);
/* Its parts, in order. */
void pji_report_add_tables(struct pji_doc *doc, const struct pji_summary *s,
                           const struct pji_drawn *drawn);
void pji_report_add_basis(struct pji_doc *doc, const struct pji_summary *s);
void pji_report_add_methods(struct pji_doc *doc, const struct pji_summary *s);
void pji_report_add_records(struct pji_doc *doc, const struct pji_summary *s);

/* The task whose energy is the study's headline: the first one with a per-token figure, else the
 * first with an energy; NULL: none. *name gets the figure. */
const char *pji_report_headline(const struct pji_summary *summary, const char **name);
/* Tasks in order of appearance; "" for studies without tasks. NULL past the last. */
const char *pji_report_task(const struct pji_summary *s, size_t index);

/* "TASK: " into text (PJI_REPORT_TASK bytes do) where the study has several tasks, else "": which
 * of them a sentence is about. */
enum { PJI_REPORT_TASK = 80 };
const char *pji_report_of_task(const struct pji_summary *s, const char *task, char *text,
                               size_t size);

/* The first task that has both this figure and right answers, of which the picture of the choice
 * is; NULL: none. */
const char *pji_report_scored_task(const struct pji_summary *s, const char *name);
/* NULL: the task is not scored. */
const struct pji_score *pji_report_score(const struct pji_treatment *treatment, const char *task);

/* "0.1234 [0.120, 0.127]" with as many digits as the interval deserves. */
void pji_report_interval(char *text, size_t size, double value, double lo, double hi);
const char *pji_report_verdict(const struct pji_comparison *c);

/* Sources of what is added next (pji_doc_source). */
#define PJI_EVERY_TREATMENT ((size_t)-1)
void pji_report_from_figure(struct pji_doc *doc, const struct pji_figure *f);
void pji_report_from_comparison(struct pji_doc *doc, const struct pji_summary *s,
                                const struct pji_comparison *c);
void pji_report_from_trials(struct pji_doc *doc, const struct pji_summary *s, const char *statistic,
                            size_t treatment, bool only_done);

#endif
