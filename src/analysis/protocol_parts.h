/* analysis/protocol_parts.h - one question of a protocol while it is answered (room-internal). */
#ifndef PJI_ANALYSIS_PROTOCOL_PARTS_H
#define PJI_ANALYSIS_PROTOCOL_PARTS_H

#include "analysis/analyse.h"
#include "analysis/protocol.h"

struct pji_answer_job {
    const struct pji_protocol *protocol;
    const struct pji_protocol_data *data;
    const struct pji_protocol_question *question;
    const struct pji_table *table; /* the one that the question is answered on */
    json_t *tables;                /* kind → array of rows */
    json_t *findings;              /* of all its analyses, each once */
    json_t *assumptions;           /* what chooses the route */
    bool conclusive;
};

/* One analysis; its findings are added. *out has besides "forbidden_by": codes of those that
 * forbid, with commas. Levels of the protocol and its factors are filled in. */
pj_status pji_job_ask(struct pji_answer_job *job, const struct pji_table *table,
                      const struct pji_analysis *request, json_t **out, struct pj_error *err);

/* The same for a look beside the question: its findings are not those of the question. */
pj_status pji_job_look(struct pji_answer_job *job, const struct pji_table *table,
                       const struct pji_analysis *request, json_t **out, struct pj_error *err);

/* A new row of a table of the question, to be filled (borrowed). family: "parametric", "welch",
 * "rank" or NULL; answer: that of pji_job_ask, for what forbids its p-values. */
json_t *pji_job_row(struct pji_answer_job *job, const char *kind, const char *test,
                    const char *family, const json_t *answer);
size_t pji_job_count(const struct pji_answer_job *job, const char *kind);

/* Text of a row; copies of members of an object, "from:to" renames. */
void pji_row_text(json_t *row, const char *key, const char *value);
/* "term" of a row; a term that the findings spare is not forbidden by them. */
void pji_row_term(json_t *row, const json_t *answer, const char *term);
void pji_row_take(json_t *row, const json_t *from, const char *const *keys);

/* p_BH of rows from … of a kind: p adjusted over those that have one. */
pj_status pji_job_adjust(struct pji_answer_job *job, const char *kind, size_t from,
                         struct pj_error *err);

/* The steps, one file each. */
pj_status pji_job_describe(struct pji_answer_job *job, struct pj_error *err); /* protocol_desc.c */
pj_status pji_job_assume(struct pji_answer_job *job, struct pj_error *err);
pj_status pji_job_correlate(struct pji_answer_job *job, struct pj_error *err);
pj_status pji_job_groups(struct pji_answer_job *job, struct pj_error *err); /* protocol_groups.c */
pj_status pji_job_factorial(struct pji_answer_job *job, struct pj_error *err);
pj_status pji_job_mixed(struct pji_answer_job *job, struct pj_error *err); /* protocol_mixed.c */

#endif
