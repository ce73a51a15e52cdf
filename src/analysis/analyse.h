/* analysis/analyse.h - `perjoule analyse`: a table, what is asked of it, one JSON object.
 *
 * The object has one key for each group of results (docs/formats), and besides: "rows" (used, and
 * how many were left out because a value is missing or a level is not listed), "checks" (of every
 * finding: fires, clean or not checkable), "omitted" (what could not be computed → why) and
 * "findings" (what forbids or weakens a conclusion), the last two only when there is something to
 * say.
 */
#ifndef PJI_ANALYSIS_ANALYSE_H
#define PJI_ANALYSIS_ANALYSE_H

#include "analysis/summary.h"
#include "analysis/table.h"

#include <jansson.h>
#include <stdint.h>

struct pji_analysis {
    const char *where;         /* NULL: all rows */
    const char *tests;         /* "a,b"; NULL or "all": everything that applies */
    const char *const *levels; /* "G=L,M,H" */
    size_t n_levels;

    const char *response; /* with by, or with correlate */
    const char *by;
    const char *paired_by; /* columns that name a block, comma between them */
    const char *correlate;

    const char *model; /* a formula instead of the above */
    const char *const *factor;
    size_t factors;
    const char *const *emmeans; /* "A|B" */
    size_t n_emmeans;

    /* Asked for by name in tests, or by these. */
    bool equivalence; /* limits of the difference, low < high */
    double low, high;
    uint64_t seed; /* of the bootstrap */

    double alpha;       /* of conclusions and of the tests of assumptions; 0: 0.05 */
    const char *adjust; /* analysis/conclusion.h; NULL: results hold the usual ones side by side */
    bool filtered;      /* `where` holds a choice of the user */

    /* What the findings look at besides (analysis/finding.h). */
    const char *unit;          /* column whose values were set up once and measured
                                  repeatedly; NULL: recognised by its name */
    const char *const *design; /* columns of the design, NULL: recognised */
    size_t n_design;
    const struct pji_summary *summary; /* of the study, when the table is its export; its factors
                                          are then the design */
};

/* *conclusive becomes false when a main test could not be computed. PJ_EINVAL for everything that
 * is wrong with the request or the table. */
pj_status pji_analyse(const struct pji_table *table, const struct pji_analysis *request,
                      json_t **out, bool *conclusive, struct pj_error *err);

/* The same object as text for people: tables, then what was left out and why, then the findings.
 * Where a finding forbids a conclusion, the text has its code in the place of every p-value of a
 * test between groups; force: both. */
void pji_analysis_text(const json_t *analysis, int width, bool force, struct pji_str *out);

#endif
