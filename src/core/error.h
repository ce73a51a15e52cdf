/* core/error.h - filling a struct pj_error.
 *
 * pji_fail(err, PJ_EINVAL, "…") is a macro whose value is the code, so that `return pji_fail(…)`
 * is understood by static analysers. It never fails itself; err may be NULL; the first message
 * wins. Messages are one sentence: what failed, on which object, what to do; no newline.
 */
#ifndef PJI_CORE_ERROR_H
#define PJI_CORE_ERROR_H

#include "perjoule/status.h"

#include <errno.h>

void pji_error_set(struct pj_error *err, pj_status code, int sys_errno, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Puts "prefix: " in front of the recorded message (context that only the caller knows). */
void pji_error_prefix(struct pj_error *err, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

void pji_error_clear(struct pj_error *err);

#define pji_fail(err, code, ...) (pji_error_set((err), (code), 0, __VA_ARGS__), (code))
/* As pji_fail, with the errno of the call that just failed (its text is appended to the message).
 * EACCES and EPERM become PJ_EACCESS, ENOENT PJ_ENOTFOUND, ENOSPC and EDQUOT PJ_ENOSPC, ENOMEM
 * PJ_ENOMEM, else PJ_EIO: see pji_status_from_errno. */
#define pji_fail_errno(err, sys_errno, ...)                                                        \
    (pji_error_set((err), pji_status_from_errno(sys_errno), (sys_errno), __VA_ARGS__),             \
     pji_status_from_errno(sys_errno))

/* In the header so that static analysers see that it is never 0. */
static inline pj_status pji_status_from_errno(int sys_errno)
{
    switch (sys_errno) {
    case EACCES:
    case EPERM:
        return PJ_EACCESS;
    case ENOENT:
        return PJ_ENOTFOUND;
    case ENOSPC:
    case EDQUOT:
        return PJ_ENOSPC;
    case ENOMEM:
        return PJ_ENOMEM;
    default:
        return PJ_EIO;
    }
}

#endif
