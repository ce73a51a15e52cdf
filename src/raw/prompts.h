/* raw/prompts.h - prompts_out.tsv (what was asked and answered, when) and energibridge-summary.txt
 * (what EnergiBridge or the study's plugin said the run cost).
 */
#ifndef PJI_RAW_PROMPTS_H
#define PJI_RAW_PROMPTS_H

#include "core/digest.h"
#include "raw/source.h"

struct pji_raw_prompt {
    int64_t start_ns, end_ns; /* since 1970 */
    int64_t tokens;           /* of the response; -1: not told */
    double judge_score;       /* of the column `accuracy`; NaN: not judged */
    char prompt_sha256[PJI_SHA256_HEX];
    char output_sha256[PJI_SHA256_HEX];
};

struct pji_raw_prompts {
    struct pji_raw_prompt *items;
    size_t n, cap;
    int64_t resolution_ns;      /* of start and end */
    char task[24];              /* by what the prompts ask, as pji_raw_task_of; "" not known */
    bool has_tokens, has_judge; /* the columns are there */
    bool plain;                 /* its quotes are characters of the text, not marks around fields */
};

pj_status pji_raw_prompts_read(struct pji_raw_prompts *prompts, struct pji_raw_source *source,
                               struct pj_error *err);
void pji_raw_prompts_fini(struct pji_raw_prompts *prompts);

/* The SuperGLUE task that asks like this in the GreenLab study; "" when none does. A static string.
 */
const char *pji_raw_task_of(const char *prompt);
/* Reads only as far as the first prompt; "" also where the file cannot be read. */
const char *pji_raw_prompts_task(const char *path);

struct pji_raw_summary {
    double energy_j; /* as it stands there, also negative */
    double dur_s;
};
pj_status pji_raw_summary_read(struct pji_raw_summary *summary, struct pji_raw_source *source,
                               struct pj_error *err);

#endif
