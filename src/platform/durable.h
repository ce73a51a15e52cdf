/* platform/durable.h - files that survive a crash: temporary name + fsync + rename + fsync of the
 * folder. A full disk is PJ_ENOSPC. Paths here are ordinary paths (no root prefix).
 */
#ifndef PJI_PLATFORM_DURABLE_H
#define PJI_PLATFORM_DURABLE_H

#include "core/error.h"

#include <stdbool.h>
#include <stddef.h>

pj_status pji_durable_write(const char *path, const void *bytes, size_t len, struct pj_error *err);
/* rename(2) and fsync of both folders; with `exclusive`, an existing target is PJ_EBUSY. */
pj_status pji_durable_rename(const char *from, const char *to, bool exclusive,
                             struct pj_error *err);
pj_status pji_durable_sync_file(const char *path, struct pj_error *err);
pj_status pji_durable_sync_dir(const char *path, struct pj_error *err);
pj_status pji_make_dirs(const char *path, struct pj_error *err); /* mkdir -p, 0777 & ~umask */
/* Removes a folder (or a file) and all below it; never follows a symbolic link. PJ_OK also when
 * there is nothing. On a failure it has removed what it could. */
pj_status pji_remove_tree(const char *path, struct pj_error *err);
/* Whole file in memory (caller frees), NUL-terminated; more than `limit` bytes is PJ_EINVAL. */
pj_status pji_read_file(const char *path, size_t limit, char **bytes, size_t *len,
                        struct pj_error *err);

#endif
