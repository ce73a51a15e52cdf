#include "stats/groups.h"

#include "core/array.h"
#include "stats/moments.h"

#include <stdlib.h>
#include <string.h>

static pj_status count(struct pji_split *split, const struct pji_groups *groups,
                       struct pj_error *err)
{
    for (size_t i = 0; i < groups->n; i++) {
        if (groups->code[i] >= groups->k)
            return pji_fail(err, PJ_EINVAL, "row %zu belongs to group %zu of %zu", i + 1,
                            groups->code[i], groups->k);
        split->start[groups->code[i] + 1]++;
    }
    for (size_t g = 0; g < groups->k; g++) {
        if (split->start[g + 1] == 0)
            return pji_fail(err, PJ_EINVAL, "group %zu of %zu has no value: drop empty groups",
                            g + 1, groups->k);
        split->start[g + 1] += split->start[g];
    }
    return PJ_OK;
}

pj_status pji_split_init(struct pji_split *split, const struct pji_groups *groups,
                         struct pj_error *err)
{
    memset(split, 0, sizeof *split);
    pj_status rc = pji_check_finite(groups->y, groups->n, "the response", err);
    if (rc)
        return rc;
    split->k = groups->k;
    split->values = pji_zalloc(groups->n + 1, sizeof *split->values, err);
    split->start = pji_zalloc(groups->k + 2, sizeof *split->start, err);
    split->row = pji_zalloc(groups->n + 1, sizeof *split->row, err);
    if (!split->values || !split->start || !split->row) {
        rc = PJ_ENOMEM;
        goto out;
    }
    rc = count(split, groups, err);
    if (rc)
        goto out;
    /* fill with start[] as cursors, then shift it back */
    for (size_t i = 0; i < groups->n; i++) {
        size_t at = split->start[groups->code[i]]++;
        split->values[at] = groups->y[i];
        split->row[at] = i;
    }
    for (size_t g = groups->k; g > 0; g--)
        split->start[g] = split->start[g - 1];
    split->start[0] = 0;
out:
    if (rc)
        pji_split_fini(split);
    return rc;
}

void pji_split_fini(struct pji_split *split)
{
    free(split->values);
    free(split->start);
    free(split->row);
    memset(split, 0, sizeof *split);
}
