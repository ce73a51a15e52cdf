/* analysis/where.h - rows for which an expression holds.
 *
 *     expression  or: and: not: ( expression ) | column OP value | column [not] in ( value, … )
 *     OP          == != < <= > >=
 *     value       a number or quoted text
 *
 * A column against a number compares numbers (a cell that is not a number is an error); against
 * text it compares text, or numbers when both read as one ("3" == "3.0"); < and its like need a
 * number. A comparison with a missing cell is neither true nor false: the row is left out whatever
 * `not` says.
 */
#ifndef PJI_ANALYSIS_WHERE_H
#define PJI_ANALYSIS_WHERE_H

#include "analysis/table.h"

/* keep[row] &= the expression holds. */
pj_status pji_where_apply(const struct pji_table *table, const char *expression, bool *keep,
                          struct pj_error *err);

#endif
