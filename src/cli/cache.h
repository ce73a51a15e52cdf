/* cli/cache.h - what was found out once about this machine and is used again: small JSON files in
 * the user's cache folder (XDG Base Directory Specification: $XDG_CACHE_HOME/perjoule, where that
 * is unset or not absolute $HOME/.cache/perjoule).
 *
 * A file holds {"version": 1, "entries": […]}. It is written whole under another name and renamed,
 * so that nobody reads half of it. What cannot be read counts as absent: a cache can be deleted.
 */
#ifndef PJI_CLI_CACHE_H
#define PJI_CLI_CACHE_H

#include "core/json.h"

#include <stddef.h>

enum { PJI_CACHE_PATH = 1024, PJI_CACHE_ENTRIES = 64 };

#define PJI_CACHE_CPU  "cpu-model.json"
#define PJI_CACHE_NVML "nvml-probe.json"

/* PJ_ENOTFOUND when the environment names no folder. */
pj_status pji_cache_path(const char *name, char path[PJI_CACHE_PATH], struct pj_error *err);
/* The entries, a new reference; NULL when there are none. */
json_t *pji_cache_read(const char *name);
/* Puts an entry in the place of the one whose string `key` is the same, or behind the others; the
 * oldest leave when there are too many. Takes the reference of `entry`. */
pj_status pji_cache_put(const char *name, const char *key, json_t *entry, struct pj_error *err);

#endif
