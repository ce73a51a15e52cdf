/* lab/shots.h - examples with their answers before the item that is asked (few-shot). */
#ifndef PJI_LAB_SHOTS_H
#define PJI_LAB_SHOTS_H

#include "lab/workload.h"

/* Reads the examples of a task that has some; refuses one whose prompt is also asked, and shots
 * (of any treatment) for which there are too few. */
pj_status pji_shots_read(struct pji_workload_task *task, const struct pji_study *study,
                         struct pj_error *err);
/* The first n examples, each "PROMPT ANSWER" and a blank line, then the prompt; caller frees. */
char *pji_shots_prompt(const struct pji_workload_task *task, size_t n, const char *prompt,
                       struct pj_error *err);
/* The gold labels of the file become the answers that they stand for. */
pj_status pji_labels_apply(const struct pji_task_spec *spec, struct pji_items *items,
                           struct pj_error *err);
/* Path of a file that a task names: absolute, or below the study's folder. Caller frees. */
char *pji_workload_path(const struct pji_study *study, const char *path, struct pj_error *err);

#endif
