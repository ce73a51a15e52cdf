/* perjoule/status.h - how every function of perjoule reports failure.
 *
 * A function that can fail returns pj_status: 0 means done; a negative value is a failure that the
 * caller passes up unchanged; a positive value is a condition that the function's own comment
 * documents (never passed up). Its last parameter is a caller-owned struct pj_error, which may be
 * NULL. The first message wins: a function that finds the error already set leaves it alone, so
 * the sentence nearest to the cause survives. The library never prints, exits or reads the
 * environment. All functions here are safe to call from any thread on distinct objects.
 */
#ifndef PERJOULE_STATUS_H
#define PERJOULE_STATUS_H

#include "perjoule/api.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef int pj_status;

enum {
    PJ_OK = 0,
    PJ_EINVAL = -1,       /* the caller's argument or input is wrong (bad file, bad option) */
    PJ_ENOMEM = -2,       /* out of memory */
    PJ_EIO = -3,          /* the operating system refused or failed: see sys_errno */
    PJ_EACCESS = -4,      /* permission denied: the message names the least-privilege fix */
    PJ_ENOTFOUND = -5,    /* the object does not exist */
    PJ_EUNSUPPORTED = -6, /* the object exists but cannot do this */
    PJ_ESTATE = -7,       /* called in the wrong state */
    PJ_ECORRUPT = -8,     /* stored data contradicts itself or its digest */
    PJ_ETIMEOUT = -9,     /* a deadline passed */
    PJ_EPEER = -10,       /* the other side (server, child) misbehaved */
    PJ_EBUSY = -11,       /* somebody else holds it (lock, device) */
    PJ_ENOSPC = -12,      /* the disk is full */
    PJ_ECANCELED = -13    /* stopped on request (signal) */
};

enum { PJ_ERROR_TEXT = 504 };

/* Caller-owned, fixed size, no allocation. Zero-initialise before use (`= {0}`). */
struct pj_error {
    pj_status code;           /* 0 while no error was recorded */
    int sys_errno;            /* errno of the failing call, 0 when none was involved */
    char text[PJ_ERROR_TEXT]; /* one sentence: what failed, on which object, what to do */
};

/* Name of a status code, e.g. "invalid input"; a static string, never NULL. */
PJ_API const char *pj_status_name(pj_status status);

#ifdef __cplusplus
}
#endif
#endif
