/* analysis/protocol.h - a study's whole analysis from one file: columns, what is derived from them,
 * research questions (docs/protocols.md).
 *
 * Two tables are made of the input: "rows" (kept rows with derived columns) and "runs" (one row for
 * each run, means of its numbers). Each question is answered on one of them by the same routes as
 * `perjoule analyse`, and laid out as CSV files in the folders of the study that this format comes
 * from. Numbers in the files are complete; beside a p-value stands in "forbidden_by" what forbids a
 * conclusion from it. The summary for people withholds them (unless forced).
 */
#ifndef PJI_ANALYSIS_PROTOCOL_H
#define PJI_ANALYSIS_PROTOCOL_H

#include "analysis/table.h"
#include "core/yaml.h"

#include <jansson.h>

enum { PJI_PROTOCOL_LIST = 16, PJI_PROTOCOL_QUESTIONS = 32, PJI_PROTOCOL_COLUMNS = 32 };

struct pji_protocol_list { /* borrowed text of a sequence */
    const char *item[PJI_PROTOCOL_LIST];
    size_t n;
};

struct pji_protocol_column {
    const char *name;
    bool number, decimal_comma, optional;
    struct pji_protocol_list aliases;
    struct pji_protocol_list from; /* when absent: a column of the combinations of these */
};

enum pji_derivation { PJI_DERIVE_COPY, PJI_DERIVE_STRIP, PJI_DERIVE_TEXT, PJI_DERIVE_RATIO };

struct pji_protocol_derived {
    const char *name;
    enum pji_derivation kind;
    const char *a, *b; /* columns, suffix, or template */
};

struct pji_protocol_question {
    const char *id, *title, *response, *unit, *by;
    bool on_runs;
    struct pji_protocol_list within, describe, tests, pairs, remarks, correlate;
    const char *factorial, *mixed, *link, *means_within, *rank_cells;
};

struct pji_protocol {
    struct pji_yaml_doc doc;
    const char *name, *title, *keep, *run;
    struct pji_protocol_column column[PJI_PROTOCOL_COLUMNS];
    size_t columns;
    struct pji_protocol_derived derived[PJI_PROTOCOL_COLUMNS], run_derived[PJI_PROTOCOL_COLUMNS];
    size_t n_derived, n_run_derived;
    char *levels[PJI_PROTOCOL_LIST]; /* "G=L,M,H" */
    size_t n_levels;
    const struct pji_yaml *units; /* column → unit, or NULL */
    double alpha;
    struct pji_protocol_question question[PJI_PROTOCOL_QUESTIONS];
    size_t questions;
};

/* name is used in messages (file:line:column). */
pj_status pji_protocol_parse(struct pji_protocol *protocol, const char *text, size_t len,
                             const char *name, struct pj_error *err);
void pji_protocol_fini(struct pji_protocol *protocol);
/* Unit of a column, NULL: none was given. */
const char *pji_protocol_unit(const struct pji_protocol *protocol, const char *column);

/* The protocol that is built in under this name (protocols/NAME.yaml), NULL: none. */
const char *pji_protocol_builtin(const char *name);

/* The two tables of a protocol. comma: a number was written with a decimal comma. */
struct pji_protocol_data {
    struct pji_table rows, runs;
    char *levels[PJI_PROTOCOL_LIST]; /* orders of the levels that there are: those that the protocol
                                        lists first, then the others */
    size_t n_levels;
    size_t left_out; /* rows that `keep` leaves out */
    size_t comma;
};
pj_status pji_protocol_data_make(struct pji_protocol_data *data,
                                 const struct pji_protocol *protocol, const struct pji_table *table,
                                 struct pj_error *err);
void pji_protocol_data_fini(struct pji_protocol_data *data);

/* Answers: an array of questions, each {"id", "title", "unit", "response", "n", "assumptions",
 * "tables": {kind → array of flat rows}, "findings": […], "remarks": […]}. kinds: desc,
 * assumption_summary, omnibus, consec, pairwise, and where they apply emmeans, variance,
 * correlation. *conclusive: no finding forbids. */
pj_status pji_protocol_run(const struct pji_protocol *protocol,
                           const struct pji_protocol_data *data, json_t **out, bool *conclusive,
                           struct pj_error *err);

/* The answers as files below a folder: tables/…/RQ1.1/RQ1.1_desc.csv. sink is called for each. */
typedef pj_status pji_protocol_sink(void *context, const char *path, const char *text, size_t len,
                                    struct pj_error *err);
pj_status pji_protocol_files(const json_t *answers, pji_protocol_sink *sink, void *context,
                             struct pj_error *err);

/* The summary for people. */
void pji_protocol_text(const struct pji_protocol *protocol, const json_t *answers, int width,
                       bool force, struct pji_str *out);

#endif
