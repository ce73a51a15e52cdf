/* Is the difference larger than what the meter leaves open? The common part of an instrument's
 * uncertainty (gain, offset, scale of a model) enters a comparison once and does not shrink with
 * the number of repetitions (JCGM 100:2008, 5.2; docs/uncertainty.md). See analysis/finding.h. */
#include "analysis/finding.h"

#include "analysis/layout.h"
#include "core/array.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct count {
    size_t pairs, below;
    double largest; /* difference over its expanded uncertainty, of the clearest pair */
    struct pji_str names;
};

static void add_pair(struct count *c, const char *a, const char *b, double difference, double u)
{
    double times = u > 0 ? fabs(difference) / (2 * u) : (double)INFINITY;
    c->pairs++;
    c->largest = fmax(c->largest, times);
    if (times >= 1)
        return;
    c->below++;
    if (c->below <= 3)
        pji_str_addf(&c->names, "%s%s - %s (%.3g, uncertainty %.3g)", c->names.len > 0 ? ", " : "",
                     a, b, difference, 2 * u);
}

static void judge(struct count *c, struct pji_finding *f)
{
    pji_put_count(f->figures, "pairs", c->pairs);
    pji_put_count(f->figures, "below", c->below);
    if (c->below == 0)
        pji_finding_clean(f, "every difference exceeds the common uncertainty (k = 2)");
    else
        pji_finding_fire(f, c->below == c->pairs ? PJI_CONSEQUENCE_FORBID : PJI_CONSEQUENCE_WARN,
                         "%zu of %zu differences are smaller than the meter's common uncertainty "
                         "(k = 2), which repetitions do not reduce: %s%s; they cannot be told from "
                         "0 with this meter, however small their p",
                         c->below, c->pairs, pji_str_text(&c->names), c->below > 3 ? ", …" : "");
    pji_str_fini(&c->names);
}

/* what the study's records say, instrument by instrument */
static size_t from_study(const struct pji_evidence *e, struct count *c)
{
    const struct pji_summary *s = e->summary;
    for (size_t i = 0; s && i < s->n_comparisons; i++) {
        const struct pji_comparison *p = &s->comparisons[i];
        struct pji_str name = {0};
        pji_str_addf(&name, "%s%s%s", p->task, p->task[0] ? "." : "", p->name);
        bool ours = strcmp(pji_str_text(&name), e->table->column[e->response]) == 0;
        pji_str_fini(&name);
        if (ours && p->energy && isfinite(p->ratio))
            add_pair(c, s->treatments[p->other].label, s->treatments[p->base].label, p->ratio - 1,
                     p->u_rest);
    }
    return c->pairs;
}

struct level {
    double mean, u, n;
    const char *com_id; /* NULL: several, or not told */
    bool mixed;
};

static void read_levels(const struct pji_evidence *e, struct level *level, bool *complete)
{
    size_t com = e->roles.column[PJI_ROLE_COM_ID];
    *complete = true;
    for (size_t i = 0; i < e->frame->n; i++) {
        struct level *l = &level[e->group.code[i]];
        size_t row = e->frame->row[i];
        double u;
        if (pji_table_number(e->table, row, e->roles.column[PJI_ROLE_U_COM], &u, NULL) || u < 0) {
            *complete = false;
            return;
        }
        l->mean += e->y[i];
        l->u += u;
        l->n += 1;
        const char *id = com != PJI_NO_COLUMN ? pji_table_cell(e->table, row, com) : "";
        l->mixed = l->mixed || !*id || (l->com_id && strcmp(l->com_id, id) != 0);
        l->com_id = id;
    }
    for (size_t g = 0; g < e->group.k; g++) {
        level[g].mean /= level[g].n;
        level[g].u /= level[g].n;
    }
}

/* of one instrument the common parts go together and subtract; of two they add in quadrature */
static double of_difference(const struct level *a, const struct level *b)
{
    bool one = !a->mixed && !b->mixed && strcmp(a->com_id, b->com_id) == 0;
    return one ? fabs(a->u - b->u) : hypot(a->u, b->u);
}

static pj_status from_table(const struct pji_evidence *e, struct count *c, bool *complete,
                            struct pj_error *err)
{
    struct level *level = pji_zalloc(e->group.k + 1, sizeof *level, err);
    if (!level)
        return PJ_ENOMEM;
    read_levels(e, level, complete);
    for (size_t i = 0; *complete && i < e->group.k; i++) {
        for (size_t j = i + 1; j < e->group.k; j++)
            add_pair(c, e->group.level[i], e->group.level[j], level[i].mean - level[j].mean,
                     of_difference(&level[i], &level[j]));
    }
    free(level);
    return PJ_OK;
}

pj_status pji_check_meter(const struct pji_evidence *e, struct pji_finding *f, struct pj_error *err)
{
    struct count c = {.pairs = 0};
    bool complete = true;
    pj_status rc = PJ_OK;
    if (e->factors == 0) {
        pji_finding_unknown(f, "no factor is tested");
        return PJ_OK;
    }
    if (from_study(e, &c) == 0 && e->roles.column[PJI_ROLE_U_COM] != PJI_NO_COLUMN)
        rc = from_table(e, &c, &complete, err);
    if (!rc && c.pairs > 0)
        judge(&c, f);
    else if (!rc && !complete)
        pji_finding_unknown(f, "column '%s' lacks values",
                            e->table->column[e->roles.column[PJI_ROLE_U_COM]]);
    else if (!rc)
        pji_finding_unknown(f, "no column says what the meter's common uncertainty is (%s)",
                            pji_role_wanted(PJI_ROLE_U_COM));
    pji_str_fini(&c.names);
    return rc;
}
