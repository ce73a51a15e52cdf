/* Findings about the design: what cannot be told apart, what is not a replicate (S. H. Hurlbert
 * 1984, doi:10.2307/1942661). See analysis/finding.h. */
#include "analysis/finding.h"

#include "analysis/layout.h"
#include "core/array.h"
#include "stats/fisher.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- aliasing ---- */

struct pairing {
    size_t components; /* groups of levels that occur together, directly or through others */
    bool a_decides_b;  /* every level of a goes with one level of b */
    bool b_decides_a;
    size_t a_with_one_b; /* levels of a that go with one level of b only */
};

static size_t root_of(size_t *parent, size_t i)
{
    while (parent[i] != i)
        i = parent[i] = parent[parent[i]];
    return i;
}

static void read_pairs(const struct pji_factor *a, const struct pji_factor *b, const bool *met,
                       size_t *parent, struct pairing *out)
{
    *out = (struct pairing){.a_decides_b = true, .b_decides_a = true};
    for (size_t i = 0; i < a->k; i++) {
        size_t with = 0;
        for (size_t j = 0; j < b->k; j++) {
            if (!met[i * b->k + j])
                continue;
            with++;
            parent[root_of(parent, a->k + j)] = root_of(parent, i);
        }
        out->a_decides_b = out->a_decides_b && with == 1;
        out->a_with_one_b += with == 1;
    }
    for (size_t j = 0; j < b->k; j++) {
        size_t with = 0;
        for (size_t i = 0; i < a->k; i++)
            with += met[i * b->k + j];
        out->b_decides_a = out->b_decides_a && with == 1;
    }
    for (size_t i = 0; i < a->k + b->k; i++)
        out->components += root_of(parent, i) == i;
}

static pj_status pair_levels(const struct pji_factor *a, const struct pji_factor *b, size_t n,
                             struct pairing *out, struct pj_error *err)
{
    bool *met = pji_zalloc(a->k * b->k + 1, sizeof *met, err);
    size_t *parent = pji_zalloc(a->k + b->k + 1, sizeof *parent, err);
    pj_status rc = met && parent ? PJ_OK : PJ_ENOMEM;
    for (size_t i = 0; !rc && i < n; i++)
        met[a->code[i] * b->k + b->code[i]] = true;
    for (size_t i = 0; !rc && i < a->k + b->k; i++)
        parent[i] = i;
    if (!rc)
        read_pairs(a, b, met, parent, out);
    free(met);
    free(parent);
    return rc;
}

/* The effect of a beside b keeps (levels of a) - (components) of its degrees of freedom: the rank
 * of both together is levels of a + levels of b - components. */
static void judge_pair(struct pji_finding *f, const char *a, const char *b,
                       const struct pji_factor *fa, const struct pairing *p)
{
    size_t df = fa->k - 1;
    size_t lost = p->components - 1;
    if (lost == 0)
        return;
    enum pji_consequence consequence = PJI_CONSEQUENCE_FORBID;
    struct pji_str text = {0};
    if (p->a_decides_b && p->b_decides_a) {
        pji_str_addf(&text,
                     "'%s' is aliased with '%s': each level of one goes with one of the other, so "
                     "no difference can be ascribed to either",
                     a, b);
    } else if (p->b_decides_a) { /* b is nested in a: its levels are a's replicates */
        if (p->a_with_one_b == 0)
            return;
        pji_str_addf(&text,
                     "'%s' is aliased with '%s': %zu of its %zu levels have one level of '%s' "
                     "only, so a difference between levels of '%s' may be one between those",
                     a, b, p->a_with_one_b, fa->k, b, a);
    } else if (p->a_decides_b) {
        consequence = PJI_CONSEQUENCE_WARN;
        pji_str_addf(&text,
                     "levels of '%s' differ in '%s' as well (%zu of %zu degrees of freedom): what "
                     "is ascribed to '%s' may be '%s'",
                     a, b, lost, df, a, b);
    } else {
        pji_str_addf(&text,
                     "'%s' is aliased with '%s': %zu of the %zu degrees of freedom of '%s' cannot "
                     "be told from '%s'",
                     a, b, lost, df, a, b);
    }
    json_t *figures = json_object();
    pji_put_count(figures, "df", df);
    pji_put_count(figures, "df_aliased", lost);
    json_object_set_new(f->figures, b, figures);
    if (f->state == PJI_FINDING_FIRES) { /* another column before */
        struct pji_str both = {0};
        pji_str_addf(&both, "%s; %s", pji_str_text(&f->text), pji_str_text(&text));
        if (f->consequence > consequence)
            consequence = f->consequence;
        pji_finding_fire(f, consequence, "%s", pji_str_text(&both));
        text.failed = text.failed || both.failed;
        pji_str_fini(&both);
    } else {
        pji_finding_fire(f, consequence, "%s", pji_str_text(&text));
    }
    f->text.failed = f->text.failed || text.failed;
    pji_str_fini(&text);
}

static pj_status alias_of(const struct pji_evidence *e, size_t a, size_t b, struct pji_finding *f,
                          struct pj_error *err)
{
    struct pji_factor fa = {0};
    struct pji_factor fb = {0};
    struct pairing p;
    pj_status rc = pji_frame_factor(e->frame, a, NULL, &fa, err);
    if (!rc)
        rc = pji_frame_factor(e->frame, b, NULL, &fb, err);
    if (!rc)
        rc = pair_levels(&fa, &fb, e->frame->n, &p, err);
    if (!rc)
        judge_pair(f, e->table->column[a], e->table->column[b], &fa, &p);
    pji_factor_fini(&fa);
    pji_factor_fini(&fb);
    return rc;
}

/* columns that may stand behind a factor: the others of the design, and the other tested ones */
static size_t list_others(const struct pji_evidence *e, size_t *out)
{
    size_t n = 0;
    for (size_t i = 0; i < e->roles.designs; i++)
        out[n++] = e->roles.design[i];
    for (size_t i = 0; i < e->factors; i++) {
        size_t j = 0;
        while (j < n && out[j] != e->factor[i])
            j++;
        if (j == n)
            out[n++] = e->factor[i];
    }
    return n;
}

pj_status pji_check_aliased(const struct pji_evidence *e, struct pji_finding *f,
                            struct pj_error *err)
{
    size_t column[PJI_DESIGN_COLUMNS + PJI_FORMULA_VARIABLES];
    size_t columns = list_others(e, column);
    size_t others = 0;
    pj_status rc = PJ_OK;
    for (size_t i = 0; !rc && i < e->factors; i++) {
        size_t before = f->text.len;
        for (size_t j = 0; !rc && j < columns; j++) {
            if (column[j] == e->factor[i])
                continue;
            others++;
            rc = alias_of(e, e->factor[i], column[j], f, err);
        }
        if (f->text.len == before)
            json_array_append_new(f->spares, json_string(e->table->column[e->factor[i]]));
    }
    if (e->factors == 0)
        pji_finding_unknown(f, "no factor is tested");
    else if (others == 0)
        pji_finding_unknown(f, "no other column looks like a factor of the design");
    else if (f->state == PJI_FINDING_CLEAN)
        pji_finding_clean(f, "every other factor varies within the levels of the tested ones");
    return rc;
}

/* ---- nesting ---- */

/* b is nested in a: each level of b goes with one level of a, and some a have several b */
static pj_status nest_of(const struct pji_evidence *e, size_t a, size_t b, struct pji_finding *f,
                         struct pj_error *err)
{
    struct pji_factor fa = {0};
    struct pji_factor fb = {0};
    struct pairing p;
    pj_status rc = pji_frame_factor(e->frame, a, NULL, &fa, err);
    if (!rc)
        rc = pji_frame_factor(e->frame, b, NULL, &fb, err);
    if (!rc)
        rc = pair_levels(&fa, &fb, e->frame->n, &p, err);
    if (!rc && fb.k > fa.k && p.b_decides_a) {
        struct pji_str text = {0};
        pji_str_addf(&text,
                     "%s%s'%s' is nested in '%s': each of its %zu levels occurs within one level; "
                     "means of '%s' are averages over its own levels of it",
                     pji_str_text(&f->text), f->text.len > 0 ? "; " : "", e->table->column[b],
                     e->table->column[a], fb.k, e->table->column[a]);
        pji_finding_fire(f, PJI_CONSEQUENCE_NOTE, "%s", pji_str_text(&text));
        f->text.failed = f->text.failed || text.failed;
        pji_put_count(f->figures, e->table->column[b], fb.k);
        pji_str_fini(&text);
    }
    pji_factor_fini(&fa);
    pji_factor_fini(&fb);
    return rc;
}

pj_status pji_check_nested(const struct pji_evidence *e, struct pji_finding *f,
                           struct pj_error *err)
{
    size_t column[PJI_DESIGN_COLUMNS + PJI_FORMULA_VARIABLES];
    size_t columns = list_others(e, column);
    pj_status rc = PJ_OK;
    for (size_t i = 0; !rc && i < columns; i++) {
        for (size_t j = 0; !rc && j < columns; j++) {
            if (i != j)
                rc = nest_of(e, column[i], column[j], f, err);
        }
    }
    if (columns < 2)
        pji_finding_unknown(f, "there are not two factors");
    else if (f->state == PJI_FINDING_CLEAN)
        pji_finding_clean(f, "no factor is nested in another");
    return rc;
}

/* ---- pseudo-replication ---- */

struct units {
    size_t n, units, groups, single; /* groups with one unit */
    double df_units, df_rows;        /* between units within groups; what the rows would give */
    double F, p, icc;
};

/* sums of squares between units within groups, and within units */
static pj_status between_units(const struct pji_evidence *e, struct units *u, struct pj_error *err)
{
    size_t cells = e->cell.k;
    size_t groups = e->group.k;
    double *sum = pji_zalloc(2 * (cells + groups) + 1, sizeof *sum, err);
    size_t *group_of = pji_zalloc(cells + 1, sizeof *group_of, err);
    size_t *unit_count = pji_zalloc(groups + 1, sizeof *unit_count, err);
    pj_status rc = sum && group_of && unit_count ? PJ_OK : PJ_ENOMEM;
    double *count = sum ? sum + cells : NULL;
    double *gsum = sum ? sum + 2 * cells : NULL;
    double *gcount = gsum ? gsum + groups : NULL;
    for (size_t i = 0; !rc && i < e->frame->n; i++) {
        sum[e->cell.code[i]] += e->y[i];
        count[e->cell.code[i]] += 1;
        gsum[e->group.code[i]] += e->y[i];
        gcount[e->group.code[i]] += 1;
        group_of[e->cell.code[i]] = e->group.code[i];
    }
    double between = 0;
    double within = 0;
    for (size_t c = 0; !rc && c < cells; c++) {
        double d = sum[c] / count[c] - gsum[group_of[c]] / gcount[group_of[c]];
        between += count[c] * d * d;
        unit_count[group_of[c]]++;
    }
    for (size_t i = 0; !rc && i < e->frame->n; i++) {
        double d = e->y[i] - sum[e->cell.code[i]] / count[e->cell.code[i]];
        within += d * d;
    }
    for (size_t g = 0; !rc && g < groups; g++)
        u->single += unit_count[g] == 1;
    free(sum);
    free(group_of);
    free(unit_count);
    double ms_units = between / u->df_units;
    double ms_rows = within / ((double)u->n - (double)u->units);
    double per_unit = (double)u->n / (double)u->units;
    u->F = ms_units / ms_rows;
    u->p = ms_rows > 0 ? pji_f_upper(u->F, u->df_units, (double)(u->n - u->units))
                       : (ms_units > 0 ? 0 : 1);
    u->icc = ms_rows > 0 || ms_units > 0
                 ? fmax(0, (ms_units - ms_rows) / (ms_units + (per_unit - 1) * ms_rows))
                 : 0;
    return rc;
}

/* "generation, task, run" */
static void name_units(const struct pji_evidence *e, struct pji_str *out)
{
    for (size_t i = 0; i < e->factors; i++)
        pji_str_addf(out, "%s%s", out->len > 0 ? ", " : "", e->table->column[e->factor[i]]);
    for (size_t i = 0; i < e->roles.designs; i++) {
        bool tested = false;
        for (size_t j = 0; j < e->factors; j++)
            tested = tested || e->factor[j] == e->roles.design[i];
        if (!tested)
            pji_str_addf(out, "%s%s", out->len > 0 ? ", " : "",
                         e->table->column[e->roles.design[i]]);
    }
    if (e->roles.column[PJI_ROLE_UNIT] != PJI_NO_COLUMN)
        pji_str_addf(out, "%s%s", out->len > 0 ? ", " : "",
                     e->table->column[e->roles.column[PJI_ROLE_UNIT]]);
}

static void put_figures(json_t *figures, const struct units *u)
{
    pji_put_count(figures, "rows", u->n);
    pji_put_count(figures, "units", u->units);
    pji_put_count(figures, "groups", u->groups);
    pji_put_count(figures, "groups_with_one_unit", u->single);
    pji_put(figures, "residual_df", u->df_units);
    pji_put(figures, "residual_df_of_rows", u->df_rows);
    pji_put(figures, "icc", u->icc);
    pji_put(figures, "F", u->F);
    pji_put(figures, "p", u->p);
}

static void judge_units(const struct pji_evidence *e, const struct units *u, struct pji_finding *f)
{
    if (!(u->p < e->limits.p && u->icc >= e->limits.icc)) {
        pji_finding_clean(f,
                          "rows of one unit do not resemble each other more than others do "
                          "(ICC %.2g)",
                          u->icc);
        return;
    }
    put_figures(f->figures, u);
    struct pji_str names = {0};
    name_units(e, &names);
    if (e->correlation)
        pji_finding_fire(f, PJI_CONSEQUENCE_FORBID,
                         "%zu rows are %zu units (combinations of %s) measured repeatedly, and "
                         "rows of one unit resemble each other (ICC %.4g): repetitions are not "
                         "replicates; a correlation has at most %g residual degrees of freedom "
                         "between units, not %g: correlate means of units",
                         u->n, u->units, pji_str_text(&names), u->icc, u->df_units, u->df_rows);
    else if (e->random == PJI_NO_COLUMN)
        pji_finding_fire(f, PJI_CONSEQUENCE_FORBID,
                         "%zu rows are %zu units (combinations of %s) measured repeatedly, and "
                         "rows of one unit resemble each other (ICC %.4g): repetitions are not "
                         "replicates; a test has %g residual degrees of freedom between units, not "
                         "%g: put what differs into the model, compare means of units, or give "
                         "the unit a random intercept",
                         u->n, u->units, pji_str_text(&names), u->icc, u->df_units, u->df_rows);
    else if (u->single > 0)
        pji_finding_fire(f, PJI_CONSEQUENCE_NOTE,
                         "%zu of %zu combinations of the factors have a single unit: the %g "
                         "residual degrees of freedom between units come from the others alone",
                         u->single, u->groups, u->df_units);
    else
        pji_finding_clean(f,
                          "the random intercept of '%s' stands for the units: %g residual "
                          "degrees of freedom between them",
                          e->table->column[e->random], u->df_units);
    pji_str_fini(&names);
}

pj_status pji_check_pseudo_replication(const struct pji_evidence *e, struct pji_finding *f,
                                       struct pj_error *err)
{
    struct units u = {.n = e->frame->n, .units = e->cell.k, .groups = e->group.k};
    u.df_units = (double)u.units - (double)u.groups;
    u.df_rows = (double)u.n - (double)u.groups;
    if (e->factors == 0 && !e->correlation) {
        pji_finding_unknown(f, "no factor is tested");
        return PJ_OK;
    }
    if (u.units <= u.groups || u.n <= u.units) {
        if (e->roles.designs + (e->roles.column[PJI_ROLE_UNIT] != PJI_NO_COLUMN) <=
            e->factors + (e->correlation && e->stratum != PJI_NO_COLUMN))
            pji_finding_unknown(f, "no column says which rows share a unit (%s)",
                                pji_role_wanted(PJI_ROLE_UNIT));
        else
            pji_finding_clean(f, "every combination of the tested factors is one unit: what is "
                                 "concluded holds for these units");
        return PJ_OK;
    }
    pj_status rc = between_units(e, &u, err);
    if (!rc)
        judge_units(e, &u, f);
    return rc;
}
