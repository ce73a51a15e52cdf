/* load/body.h - the JSON body of a request. */
#ifndef PJI_LOAD_BODY_H
#define PJI_LOAD_BODY_H

#include "load/load.h"

/* The `extra` members of specs, parsed once for each distinct text. */
struct pji_extra {
    const char *source; /* borrowed */
    char *members;      /* ",\"key\":value…" */
    unsigned overrides; /* which of our own members it replaces */
};

struct pji_extras {
    struct pji_extra *items;
    size_t n, cap;
};

/* Adds the extras of all specs; PJ_EINVAL names the item whose text is wrong. */
pj_status pji_extras_init(struct pji_extras *extras, const struct pji_request_spec *specs, size_t n,
                          struct pj_error *err);
void pji_extras_fini(struct pji_extras *extras);

/* Appends the body. */
void pji_body_add(struct pji_str *out, const struct pji_endpoint *endpoint,
                  const struct pji_request_spec *spec, const struct pji_extras *extras);

#endif
