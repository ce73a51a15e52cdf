/* Keys of a study file about the machine at rest: `baseline` and `cooldown: {until: settled}`. */
#include "core/units.h"
#include "lab/internal.h"

#include <string.h>

#define HOUR_NS (3600 * PJI_NS_PER_S)

/* Fewer readings say nothing about how far an idle machine's power scatters. */
enum { BASELINE_READINGS = 10 };

static void one_word(struct pji_study *study, const struct pji_yaml *node, const char *key,
                     const char *word)
{
    const struct pji_yaml *at = pji_yaml_get(node, key);
    const char *text = at ? pji_node_text(study, at, key) : word;
    if (text && strcmp(text, word) != 0)
        pji_study_error(study, at, "%s must be %s, not '%.60s'", key, word, text);
}

void pji_parse_settle(struct pji_study *study, const struct pji_yaml *node)
{
    static const char *const known[] = {"until", "max", "over", NULL};
    struct pji_phases *p = &study->phases;
    if (!pji_node_keys(study, node, "cooldown", known))
        return;
    if (!pji_yaml_get(node, "until") && !pji_node_misspells(node, "until", known))
        pji_study_error(study, node,
                        "cooldown needs until: settled, or is a fixed time such as 30s");
    one_word(study, node, "until", "settled");
    p->settle = true;
    p->settle_most_ns = 600 * PJI_NS_PER_S;
    p->settle_over_ns = 60 * PJI_NS_PER_S;
    const struct pji_yaml *max = pji_yaml_get(node, "max"), *over = pji_yaml_get(node, "over");
    if (max)
        pji_node_duration(study, max, "cooldown max", PJI_NS_PER_S, 24 * HOUR_NS,
                          &p->settle_most_ns);
    if (over)
        pji_node_duration(study, over, "cooldown over", PJI_NS_PER_S, HOUR_NS, &p->settle_over_ns);
    if (p->settle_over_ns > p->settle_most_ns)
        pji_study_error(study, over ? over : max,
                        "cooldown looks back over %.4g s and waits for at most %.4g s: it would "
                        "never be settled",
                        pji_s_from_ns(p->settle_over_ns), pji_s_from_ns(p->settle_most_ns));
}

void pji_parse_baseline(struct pji_study *study, const struct pji_yaml *node)
{
    static const char *const known[] = {"idle", "before", "every", NULL};
    struct pji_baseline *b = &study->baseline;
    const struct pji_yaml *idle = node;
    b->every_ns = 900 * PJI_NS_PER_S;
    if (node->kind != PJI_YAML_SCALAR) {
        if (!pji_node_keys(study, node, "baseline", known))
            return;
        idle = pji_yaml_get(node, "idle");
        one_word(study, node, "before", "block");
        const struct pji_yaml *every = pji_yaml_get(node, "every");
        if (every)
            pji_node_duration(study, every, "baseline every", 60 * PJI_NS_PER_S,
                              1800 * PJI_NS_PER_S, &b->every_ns);
    }
    if (!idle) { /* a misspelt key was reported where it stands */
        if (!pji_node_misspells(node, "idle", known))
            pji_study_error(study, node, "baseline needs idle: how long one is, such as 30s");
        return;
    }
    b->asked = pji_node_duration(study, idle, "baseline idle", PJI_NS_PER_S, HOUR_NS, &b->idle_ns);
    if (b->asked && b->idle_ns < BASELINE_READINGS * study->meter_interval_ns)
        pji_study_error(study, idle,
                        "baseline idle is %.4g s, fewer than %d readings of the meter: make it "
                        "longer",
                        pji_s_from_ns(b->idle_ns), BASELINE_READINGS);
}
