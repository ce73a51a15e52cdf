/* task/paired.c - right and wrong of two treatments on the same items; see task.h. Joined by id and
 * never by position, so that the order in which answers came changes nothing.
 */
#include "task/task.h"

#include "core/array.h"
#include "stats/mcnemar.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct entry {
    const struct pji_answer *answer;
    bool second;
};

static int by_item(const void *a, const void *b)
{
    return strcmp(((const struct entry *)a)->answer->item, ((const struct entry *)b)->answer->item);
}

static pj_status add_item(struct pji_answer_pair *out, const struct entry *entries, size_t n,
                          struct pj_error *err)
{
    size_t answers[2] = {0}, right[2] = {0};
    for (size_t i = 0; i < n; i++) {
        const struct pji_answer *a = entries[i].answer;
        if (strcmp(a->gold, entries[0].answer->gold) != 0)
            return pji_fail(err, PJ_EINVAL,
                            "item '%s' has two gold labels, '%s' and '%s': different items share "
                            "an id",
                            a->item, entries[0].answer->gold, a->gold);
        answers[entries[i].second]++;
        right[entries[i].second] += a->answer && strcmp(a->answer, a->gold) == 0;
    }
    if (answers[0] == 0 || answers[1] == 0) {
        out->alone++;
        return PJ_OK;
    }
    bool a = 2 * right[0] > answers[0], b = 2 * right[1] > answers[1];
    out->items++;
    out->both += a && b;
    out->only_a += a && !b;
    out->only_b += b && !a;
    out->neither += !a && !b;
    return PJ_OK;
}

pj_status pji_answers_pair(struct pji_answer_pair *out, const struct pji_answer *a, size_t n_a,
                           const struct pji_answer *b, size_t n_b, struct pj_error *err)
{
    size_t n = n_a + n_b;
    struct pji_mcnemar test;
    *out = (struct pji_answer_pair){.p = (double)NAN};
    struct entry *entries = pji_zalloc(n + 1, sizeof *entries, err);
    if (!entries)
        return PJ_ENOMEM;
    for (size_t i = 0; i < n; i++)
        entries[i] = (struct entry){i < n_a ? &a[i] : &b[i - n_a], i >= n_a};
    qsort(entries, n, sizeof *entries, by_item);
    pj_status st = PJ_OK;
    for (size_t start = 0, i = 1; i <= n && st == PJ_OK; i++) {
        if (i < n && by_item(&entries[i], &entries[start]) == 0)
            continue;
        st = add_item(out, entries + start, i - start, err);
        start = i;
    }
    free(entries);
    if (st == PJ_OK && pji_mcnemar(out->only_a, out->only_b, &test) == PJ_OK)
        out->p = test.p_exact;
    return st;
}
