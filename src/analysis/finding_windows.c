/* Finding `mixed_windows`: the export of a study whose tasks have `window: steady` says so in a
 * column `window`; any other study's has none, so a table made of both has empty cells there.
 */
#include "analysis/finding.h"

#include "analysis/layout.h"

#include <string.h>

pj_status pji_check_mixed_windows(const struct pji_evidence *e, struct pji_finding *f,
                                  struct pj_error *err)
{
    size_t col = 0, steady = 0;
    (void)err;
    while (col < e->table->cols && strcmp(e->table->column[col], "window") != 0)
        col++;
    for (size_t i = 0; col < e->table->cols && i < e->frame->n; i++)
        steady += strcmp(pji_table_cell(e->table, e->frame->row[i], col), "steady") == 0;
    if (steady == 0 || steady == e->frame->n) {
        pji_finding_clean(f, steady > 0 ? "every row is over the steady part of its task"
                                        : "no row says that it is over a steady part only");
        return PJ_OK;
    }
    pji_put_count(f->figures, "steady", steady);
    pji_put_count(f->figures, "whole_task", e->frame->n - steady);
    pji_finding_fire(f, PJI_CONSEQUENCE_FORBID,
                     "%zu rows are over the steady part of their task and %zu over the whole of "
                     "it: ramp and drain are in some and not in others; analyse the two apart "
                     "(--where)",
                     steady, e->frame->n - steady);
    return PJ_OK;
}
