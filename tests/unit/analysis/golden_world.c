#include "golden_world.h"

#include "shared.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static bool has_group(const char *id, const char *group)
{
    size_t len = strlen(group);
    return !strncmp(id, group, len) && (id[len] == '/' || !id[len]);
}

void check_group(void **state, const char *group, compute_fn *compute)
{
    const struct world *world = *state;
    if (!world->ready) {
        print_message("# the reference values are not here\n");
        skip();
    }
    struct golden_count count = {0, 0};
    const struct golden_values *all = &world->values;
    for (size_t first = 0; first < all->n;) {
        size_t end = first + 1;
        while (end < all->n && !strcmp(all->v[end].id, all->v[first].id))
            end++;
        if (has_group(all->v[first].id, group)) {
            json_t *got = compute(world, all->v[first].id);
            golden_compare(all->v + first, end - first, got, &count);
            json_decref(got);
        }
        first = end;
    }
    print_message("# %s: %zu of %zu agree\n", group, count.agreed, count.total);
    assert_true(count.total > 0);
    assert_int_equal(count.agreed, count.total);
}

void split_id(const char *id, struct address *a)
{
    snprintf(a->text, sizeof a->text, "%s", id);
    a->n = 0;
    char *save = NULL;
    for (char *p = strtok_r(a->text, "/", &save); p && a->n < 5; p = strtok_r(NULL, "/", &save))
        a->part[a->n++] = p;
}

const struct golden_table *table_of(const struct world *world, const char *name)
{
    if (!strcmp(name, "run"))
        return &world->run;
    if (!strcmp(name, "unbalanced"))
        return &world->unbalanced;
    if (!strcmp(name, "no32"))
        return &world->no32;
    if (!strcmp(name, "unbalanced_no32"))
        return &world->unbalanced_no32;
    assert_string_equal(name, "rep");
    return &world->rep;
}

static void without_32(const struct golden_table *from, struct golden_table *to)
{
    const struct golden_factor *g = golden_factor(from, "generation");
    bool keep[900] = {false};
    for (size_t i = 0; i < from->n; i++)
        keep[i] = strcmp(g->level[g->code[i]], "3.2") != 0;
    golden_subset(from, keep, to);
}

int world_setup(void **state)
{
    static struct world world;
    char table[4096];
    char values[4096];
    *state = &world;
    world.ready = pjt_shared(table, sizeof table, "oracle/greenlab-run-table.csv") &&
                  pjt_shared(values, sizeof values, "oracle/greenlab-golden.tsv");
    if (!world.ready)
        return 0;
    golden_load(table, &world.rep, &world.run);
    golden_values_load(&world.values, values);
    bool keep[900];
    const double *repetition = golden_column(&world.rep, "repetition");
    for (size_t i = 0; i < world.rep.n; i++) {
        size_t run = golden_factor(&world.rep, "run")->code[i];
        size_t r = (size_t)repetition[i];
        keep[i] = (3 * run + r) % 4 != 0 && !(run % 5 == 0 && r >= 12);
    }
    golden_subset(&world.rep, keep, &world.unbalanced);
    without_32(&world.rep, &world.no32);
    without_32(&world.unbalanced, &world.unbalanced_no32);
    return 0;
}

int world_teardown(void **state)
{
    struct world *world = *state;
    if (world->ready) {
        golden_free(&world->rep);
        golden_free(&world->run);
        golden_free(&world->unbalanced);
        golden_free(&world->no32);
        golden_free(&world->unbalanced_no32);
        golden_values_free(&world->values);
    }
    return 0;
}
