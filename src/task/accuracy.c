/* task/accuracy.c - accuracy over distinct items; see task.h.
 *
 * Repeating an item at temperature 0 repeats the measurement, not the evidence about the model: an
 * interval over answers would shrink with every repetition. Hence items count, once each. Interval:
 * Wilson 1927, doi:10.1080/01621459.1927.10502953.
 */
#include "task/task.h"

#include "core/array.h"
#include "stats/interval.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int by_item(const void *a, const void *b)
{
    const struct pji_answer *x = *(const struct pji_answer *const *)a;
    const struct pji_answer *y = *(const struct pji_answer *const *)b;
    return strcmp(x->item, y->item);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool same_answer(const struct pji_answer *a, const struct pji_answer *b)
{
    return a->answer && b->answer ? strcmp(a->answer, b->answer) == 0 : a->answer == b->answer;
}

/* One item with its n answers. */
static pj_status add_item(struct pji_accuracy *out, const struct pji_answer *const *answers,
                          size_t n, struct pj_error *err)
{
    size_t correct = 0;
    bool disagree = false;
    for (size_t i = 0; i < n; i++) {
        const struct pji_answer *a = answers[i];
        if (strcmp(a->gold, answers[0]->gold) != 0)
            return pji_fail(err, PJ_EINVAL,
                            "item '%s' has two gold labels, '%s' and '%s': different items share "
                            "an id",
                            a->item, answers[0]->gold, a->gold);
        out->unparsable += a->answer == NULL;
        correct += a->answer && strcmp(a->answer, a->gold) == 0;
        disagree = disagree || !same_answer(a, answers[0]);
    }
    out->items++;
    out->correct_items += 2 * correct > n;
    out->disagreeing_items += disagree;
    return PJ_OK;
}

static size_t commonest(const char **labels, size_t n)
{
    size_t most = 0;
    qsort(labels, n, sizeof *labels, by_text);
    for (size_t start = 0, i = 1; i <= n; i++)
        if (i == n || strcmp(labels[i], labels[start]) != 0) {
            most = i - start > most ? i - start : most;
            start = i;
        }
    return most;
}

static pj_status add_groups(struct pji_accuracy *out, const struct pji_answer *const *sorted,
                            size_t n, const char **labels, struct pj_error *err)
{
    for (size_t start = 0, i = 1; i <= n; i++) {
        if (i < n && strcmp(sorted[i]->item, sorted[start]->item) == 0)
            continue;
        labels[out->items] = sorted[start]->gold;
        pj_status status = add_item(out, sorted + start, i - start, err);
        if (status)
            return status;
        start = i;
    }
    return PJ_OK;
}

pj_status pji_accuracy_compute(struct pji_accuracy *out, const struct pji_answer *answers, size_t n,
                               struct pj_error *err)
{
    const double missing = (double)NAN;
    *out = (struct pji_accuracy){.answers = n,
                                 .accuracy = missing,
                                 .wilson_lo = missing,
                                 .wilson_hi = missing,
                                 .majority_baseline = missing};
    if (n == 0)
        return PJ_OK;
    const struct pji_answer **sorted = pji_zalloc(n, sizeof(struct pji_answer *), err);
    const char **labels = pji_zalloc(n, sizeof *labels, err);
    pj_status status = sorted && labels ? PJ_OK : PJ_ENOMEM;
    if (sorted && labels) {
        for (size_t i = 0; i < n; i++)
            sorted[i] = &answers[i];
        qsort(sorted, n, sizeof(struct pji_answer *), by_item);
        status = add_groups(out, sorted, n, labels, err);
    }
    if (!status && labels) {
        out->accuracy = (double)out->correct_items / (double)out->items;
        out->majority_baseline = (double)commonest(labels, out->items) / (double)out->items;
        pji_wilson(out->correct_items, out->items, 0.95, &out->wilson_lo, &out->wilson_hi);
    }
    free(sorted);
    free(labels);
    return status;
}
