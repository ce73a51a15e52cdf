/* How many comparisons were made together, and does what they say depend on it? Looks at results,
 * not at data. See analysis/finding.h. */
#include "analysis/finding.h"

#include "analysis/layout.h"

#include <string.h>

static const double alpha = 0.05;

static const struct {
    const char *group, *p, *adjusted;
} families[] = {{"dunn", "p", "p_bh"},
                {"wilcoxon", "p_normal_cc", "p_normal_cc_bh"},
                {"ttest", "welch_p", NULL},
                {"signedrank", "p_normal_cc", NULL}};

struct family {
    size_t comparisons, raw, adjusted; /* below alpha */
};

static void count(const json_t *pairs, const char *p, const char *adjusted, struct family *f)
{
    const char *name;
    json_t *pair;
    json_object_foreach((json_t *)(uintptr_t)pairs, name, pair)
    {
        const json_t *raw = json_object_get(pair, p);
        const json_t *adj = adjusted ? json_object_get(pair, adjusted) : NULL;
        f->comparisons += raw != NULL;
        f->raw += raw && json_number_value(raw) < alpha;
        f->adjusted += adj && json_number_value(adj) < alpha;
    }
}

void pji_finding_multiple(const json_t *results, json_t *findings, json_t *checks)
{
    struct pji_finding f = {.state = PJI_FINDING_NOT_CHECKABLE, .figures = json_object()};
    pji_str_add(&f.text, "no family of comparisons was computed");
    for (size_t i = 0; i < sizeof families / sizeof *families; i++) {
        struct family m = {.comparisons = 0};
        const json_t *pairs = json_object_get(results, families[i].group);
        count(pairs, families[i].p, families[i].adjusted, &m);
        if (m.comparisons == 0 || f.state == PJI_FINDING_FIRES)
            continue;
        pji_put_count(f.figures, "comparisons", m.comparisons);
        pji_put_count(f.figures, "below_alpha", m.raw);
        if (m.comparisons == 1)
            pji_finding_clean(&f, "one comparison");
        else if (families[i].adjusted) {
            pji_put_count(f.figures, "below_alpha_adjusted", m.adjusted);
            pji_finding_fire(
                &f, PJI_CONSEQUENCE_NOTE,
                "%zu comparisons are made together: of %zu with p below %g, %zu stay "
                "below it when adjusted (Benjamini-Hochberg): report adjusted p-values",
                m.comparisons, m.raw, alpha, m.adjusted);
        } else {
            pji_finding_fire(&f, PJI_CONSEQUENCE_NOTE,
                             "%zu comparisons are made together: report adjusted p-values",
                             m.comparisons);
        }
    }
    pji_finding_add("multiple_comparisons", &f, findings, checks);
    pji_str_fini(&f.text);
    json_decref(f.figures);
}
