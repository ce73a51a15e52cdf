/* lab/render.h - what the server's chat template makes of the prompts, as a digest.
 *
 * A chat template may put the date, or whatever else changes, into every prompt: then repetitions
 * of a trial are not the same work, and nothing in our requests shows it. llama.cpp tells the
 * rendered text (POST /apply-template) and vLLM its tokens (POST /tokenize); a server that has
 * neither is not asked again, and its digest is missing. Asked before the window, of the servers
 * that we started ourselves, for at most 32 items: those with the first ids, so that repetitions in
 * another order ask for the same ones.
 */
#ifndef PJI_LAB_RENDER_H
#define PJI_LAB_RENDER_H

#include "core/digest.h"
#include "load/load.h"

/* Zeroed: nothing is known. */
struct pji_rendered {
    char sha256[PJI_SHA256_HEX];       /* of the rendered prompts, each ended by a NUL */
    char items_sha256[PJI_SHA256_HEX]; /* of the ids of their items, likewise */
    const char *by;                    /* "/apply-template", "/tokenize"; static */
    size_t n;
};

void pji_render(struct pji_rendered *rendered, const struct pji_endpoint *endpoint,
                const struct pji_request_spec *specs, size_t n);

#endif
