#include "golden_model.h"

#include "stats/moments.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static bool is_factor(const struct golden_table *table, const char *name)
{
    for (size_t i = 0; i < table->factors; i++) {
        if (!strcmp(table->factor[i].name, name))
            return true;
    }
    return false;
}

/* the name in a formula; the text of `name` does not live as long as the model */
static const char *golden_name(const char *name)
{
    static const char *const known[][2] = {{"log_tokens", "log(tokens)"},
                                           {"tokens", "tokens"},
                                           {"size_b", "size_b"},
                                           {"duration_s", "duration_s"}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (!strcmp(known[i][0], name))
            return known[i][1];
    }
    fail_msg("no covariate %s", name);
    return "";
}

static void add_variable(const struct golden_table *table, const char *name,
                         struct golden_model *out)
{
    size_t v = out->model.terms.variables++;
    assert_true(v < 4);
    if (is_factor(table, name)) {
        const struct golden_factor *f = golden_factor(table, name);
        for (size_t i = 0; i < f->k; i++)
            out->level_text[v][i] = f->level[i];
        out->variable[v] = (struct pji_variable){f->code, f->k, NULL};
        out->name[v] = f->name;
        out->level[v] = out->level_text[v];
    } else {
        const double *x = golden_column(table, name);
        out->variable[v] = (struct pji_variable){NULL, 0, x};
        out->name[v] = golden_name(name);
        out->mean[v] = pji_mean(x, table->n);
        out->model.grid.value[v] = &out->mean[v];
        out->model.grid.count[v] = 1;
    }
    out->term[out->model.terms.terms++] = UINT32_C(1) << v;
}

void golden_model(const struct golden_table *table, const char *formula, bool mixed,
                  struct golden_model *out)
{
    char text[128];
    char *save = NULL;
    memset(out, 0, sizeof *out);
    snprintf(text, sizeof text, "%s", formula);
    char *response = strtok_r(text, "~", &save);
    assert_non_null(response);
    out->model.y = golden_column(table, response);
    const char *right = strchr(formula, '~') + 1;
    for (char *p = strtok_r(NULL, "*+", &save); p; p = strtok_r(NULL, "*+", &save)) {
        if (strcmp(p, "1"))
            add_variable(table, p, out);
    }
    if (strchr(right, '*'))
        out->term[out->model.terms.terms++] = 3;
    out->model.terms.variable = out->variable;
    out->model.terms.term = out->term;
    out->model.terms.intercept = true;
    out->model.terms.n = table->n;
    out->model.name = out->name;
    out->model.level = out->level;
    if (mixed) {
        const struct golden_factor *run = golden_factor(table, "run");
        for (size_t i = 0; i < run->k; i++)
            out->group_level[i] = run->level[i];
        out->model.group = run->code;
        out->model.groups = run->k;
        out->model.group_level = out->group_level;
    }
}
