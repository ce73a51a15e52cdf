/* perjoule/perjoule.h - everything. docs/library.md is the manual; examples/library has programs.
 *
 *     struct pj_error err = {0};
 *     struct pj_session *session = NULL;
 *     struct pj_result *result = NULL;
 *     pj_window window;
 *     pj_session_open(&session, NULL, &err);
 *     pj_window_begin(session, "decode", &window, &err);
 *     … the work …
 *     pj_window_end(session, window, &err);
 *     pj_window_read(session, window, -1, &result, &err);
 *     printf("%g J +- %g J\n", result->total.value_j, pj_energy_u(&result->total));
 *     pj_result_free(result);
 *     pj_window_free(session, window, &err);
 *     pj_session_close(session);
 */
#ifndef PERJOULE_PERJOULE_H
#define PERJOULE_PERJOULE_H

#include "perjoule/api.h"
#include "perjoule/energy.h"
#include "perjoule/session.h"
#include "perjoule/status.h"
#include "perjoule/window.h"

#endif
