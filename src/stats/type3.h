/* stats/type3.h - type III hypotheses of the terms of a design in treatment coding.
 *
 * The functions "coefficient c of the term", made orthogonal, as functions of the parameters of the
 * design with an indicator for every level, to those of the terms that contain it (SAS Institute,
 * The Four Types of Estimable Functions; J. H. Goodnight 1978; the construction of lmerTest,
 * doi:10.18637/jss.v082.i13). A term contains another when it has the same covariates and all its
 * factors, where factors that a term codes by all levels do not count (lmerTest again: in a + a:b,
 * a:b does not contain a). With complete cells this is "parameters zero in sum coding". The only
 * term of a model takes its type I functions. Which basis spans the hypothesis matters:
 * Satterthwaite's df of several functions depend on it.
 */
#ifndef PJI_STATS_TYPE3_H
#define PJI_STATS_TYPE3_H

#include "stats/design.h"

/* rows: one row of p coefficients (columns of the design, zero for those that were dropped as
 * dependent) for each coefficient of the term; none when the term adds nothing. kept: the
 * independent columns of the design, from its QR. */
pj_status pji_type3_rows(const struct pji_design *design, const size_t *kept, size_t rank,
                         size_t term, struct pji_matrix *rows, struct pj_error *err);

#endif
