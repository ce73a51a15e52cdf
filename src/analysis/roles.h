/* analysis/roles.h - what the columns of a table stand for, by their names (room-internal).
 *
 * A finding needs columns that an analysis does not name: when a row was measured, how warm it was,
 * whose outputs it has. They are recognised by the names that our own export, Experiment Runner and
 * common practice give them (docs/statistics.md has the list); a column that is not recognised
 * makes a finding "not checkable", never clean.
 */
#ifndef PJI_ANALYSIS_ROLES_H
#define PJI_ANALYSIS_ROLES_H

#include "analysis/frame.h"

#define PJI_NO_COLUMN ((size_t)-1)

enum pji_role {
    PJI_ROLE_UNIT,        /* what was set up once and then measured repeatedly */
    PJI_ROLE_REPETITION,  /* number of the measurement of one unit */
    PJI_ROLE_ORDER,       /* when the row was measured */
    PJI_ROLE_TEMPERATURE, /* in degrees Celsius */
    PJI_ROLE_DIGEST,      /* of what the model answered */
    PJI_ROLE_TOKENS,      /* output tokens */
    PJI_ROLE_ORIGIN,      /* of the energy: counter, integrated, modelled, constant */
    PJI_ROLE_U_COM,       /* common standard uncertainty of the response */
    PJI_ROLE_COM_ID,      /* the instrument that shares it */
    PJI_ROLE_ACCURACY,
    PJI_ROLE_BASELINE, /* accuracy of the trivial answer */
    PJI_ROLE_STATE,    /* is the row valid? */
    PJI_ROLES
};

enum { PJI_DESIGN_COLUMNS = 12 };

struct pji_roles {
    size_t column[PJI_ROLES];
    /* columns that look like factors of the design: few levels, each of them repeated */
    size_t design[PJI_DESIGN_COLUMNS];
    size_t designs;
};

/* Words for a message: "a column 'order', 'start_utc', …". */
const char *pji_role_wanted(enum pji_role role);

/* `response` (a column) names the columns that go with it: <response>_origin, <response>_u_com;
 * never itself a design column. named: design columns given by name (a study's factors), or NULL:
 * they are recognised. */
pj_status pji_roles_find(struct pji_roles *roles, const struct pji_frame *frame, size_t response,
                         const char *const *named, size_t n_named, struct pj_error *err);

/* Is the row valid according to its state? */
bool pji_role_state_ok(const char *state);

#endif
