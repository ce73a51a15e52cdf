/* Study files: whatever the bytes, reading them ends in a checked study or in problems with places,
 * without touching another file. What was accepted can be planned, filled in and freed.
 */
#include "lab/design.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* libfyaml 0.7.12 loses a buffer in fy_atom_iter when one scalar has many pieces. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libfyaml.so\n";
}

enum { SIZE_MOST = 64 * 1024, CELLS_MOST = 10000 };

static pj_status touch(void *context, const char *const *levels, struct pj_error *err)
{
    const struct pji_study *study = context;
    struct pji_setting *settings = NULL;
    size_t n = 0;
    pj_status st = pji_study_settings(study, levels, &settings, &n, err);
    if (st)
        abort(); /* the check has filled the same settings in before */
    pji_settings_free(settings, n);
    for (size_t t = 0; t < study->n_tasks; t++) {
        struct pji_task_values values;
        if (pji_study_task(study, t, levels, &values, err))
            abort();
        pji_task_values_fini(&values);
    }
    return PJ_OK;
}

static void use(const struct pji_study *study)
{
    struct pji_plan plan;
    struct pj_error err = {0};
    bool *used = calloc(study->n_factors + 1, sizeof *used);
    if (!used || pji_plan_make(&plan, study, &err))
        abort(); /* an accepted study has a plan */
    for (size_t f = 0; f < study->n_factors; f++)
        used[f] = true;
    if (plan.n_cells <= CELLS_MOST &&
        pji_study_each_combination(study, used, touch, (void *)(uintptr_t)study, &err))
        abort();
    pji_plan_fini(&plan);
    free(used);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pji_study study;
    struct pj_error err = {0};
    if (size > SIZE_MOST)
        return 0;
    pj_status st = pji_study_parse(&study, (const char *)data, size, "fuzz/study.yaml", &err);
    if (st == PJ_OK)
        use(&study);
    else if (err.code != st || err.text[0] == '\0')
        abort(); /* a refusal says why */
    pji_study_fini(&study);
    return 0;
}
