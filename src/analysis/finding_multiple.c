/* How many comparisons were made together, and does what they say depend on it? Looks at what was
 * concluded, not at data. See analysis/finding.h. */
#include "analysis/finding.h"

#include "analysis/conclusion.h"
#include "analysis/layout.h"

#include <string.h>

struct family {
    size_t comparisons, raw, adjusted; /* below alpha */
};

static void count(const json_t *pairs, double alpha, struct family *f)
{
    const char *name;
    json_t *pair;
    json_object_foreach((json_t *)(uintptr_t)pairs, name, pair)
    {
        const json_t *raw = json_object_get(pair, "p");
        f->comparisons += raw != NULL;
        f->raw += raw && json_number_value(raw) < alpha;
        f->adjusted += json_is_true(json_object_get(pair, "below_alpha"));
    }
}

/* the first family of two or more fires; the others are counted in the figures */
static void judge(const char *name, const struct family *m, double alpha, const char *adjust,
                  struct pji_finding *f)
{
    json_t *figures = json_object();
    pji_put_count(figures, "comparisons", m->comparisons);
    pji_put_count(figures, "below_alpha", m->raw);
    pji_put_count(figures, "below_alpha_adjusted", m->adjusted);
    json_object_set_new(f->figures, name, figures);
    if (m->comparisons < 2) {
        if (f->state != PJI_FINDING_FIRES)
            pji_finding_clean(f, "one comparison");
        return;
    }
    if (f->state != PJI_FINDING_FIRES)
        pji_finding_fire(f, PJI_CONSEQUENCE_NOTE,
                         "%zu comparisons are made together (%s): of %zu with p below %g, %zu stay "
                         "below it when adjusted (%s); by chance alone %.2g would be expected "
                         "below it: report adjusted p-values",
                         m->comparisons, name, m->raw, alpha, m->adjusted, adjust,
                         alpha * (double)m->comparisons);
}

void pji_finding_multiple(const json_t *conclusion, json_t *findings, json_t *checks)
{
    struct pji_finding f = {.state = PJI_FINDING_NOT_CHECKABLE, .figures = json_object()};
    const struct pji_adjustment *adjustment = NULL;
    const char *name;
    json_t *pairs;
    double alpha = json_number_value(json_object_get(conclusion, "alpha"));
    (void)pji_adjustment_find(json_string_value(json_object_get(conclusion, "adjust")), &adjustment,
                              NULL);
    pji_str_add(&f.text, "no family of comparisons was computed");
    json_object_foreach(json_object_get(conclusion, "families"), name, pairs)
    {
        struct family m = {.comparisons = 0};
        count(pairs, alpha, &m);
        if (m.comparisons > 0)
            judge(name, &m, alpha, adjustment ? adjustment->long_name : "", &f);
    }
    pji_finding_add("multiple_comparisons", &f, findings, checks);
    pji_str_fini(&f.text);
    json_decref(f.figures);
}
