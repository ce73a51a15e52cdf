/* Files that come into a study from elsewhere, many at once: copied and digested in one pass, and
 * brought to the disk together at the end (pji_store_sync) rather than one by one.
 */
#include "core/digest.h"
#include "store/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CHUNK = 1 << 16 };

static pj_status write_all(int fd, const char *bytes, size_t len, const char *path,
                           struct pj_error *err)
{
    while (len > 0) {
        ssize_t n = write(fd, bytes, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return pji_fail_errno(err, errno, "cannot write %s", path);
        bytes += n;
        len -= (size_t)n;
    }
    return PJ_OK;
}

static pj_status pump(int from, const char *source, int to, const char *path,
                      struct pji_sha256 *sha, int64_t *size_b, struct pj_error *err)
{
    char bytes[CHUNK];
    for (;;) {
        ssize_t n = read(from, bytes, sizeof bytes);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return pji_fail_errno(err, errno, "cannot read %s", source);
        if (n == 0)
            return PJ_OK;
        pj_status st = pji_sha256_add(sha, bytes, (size_t)n, err);
        if (st == PJ_OK)
            st = write_all(to, bytes, (size_t)n, path, err);
        if (st)
            return st;
        *size_b += n;
    }
}

static pj_status copy(const char *source, const char *path, char sha256[PJI_SHA256_HEX],
                      int64_t *size_b, struct pj_error *err)
{
    struct pji_sha256 *sha = NULL;
    struct stat info;
    int to = -1;
    pj_status st = PJ_OK;
    int from = open(source, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (from < 0)
        return pji_fail_errno(err, errno, "cannot read %s", source);
    if (fstat(from, &info) != 0 || !S_ISREG(info.st_mode))
        st = pji_fail(err, PJ_EINVAL, "%s is not a regular file", source);
    if (st == PJ_OK)
        to = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (st == PJ_OK && to < 0)
        st = pji_fail_errno(err, errno, "cannot create %s", path);
    if (st == PJ_OK)
        st = pji_sha256_new(&sha, err);
    if (st == PJ_OK)
        st = pump(from, source, to, path, sha, size_b, err);
    if (st == PJ_OK)
        st = pji_sha256_finish(sha, sha256, err);
    pji_sha256_free(sha);
    if (to >= 0 && close(to) != 0 && st == PJ_OK)
        st = pji_fail_errno(err, errno, "cannot write %s", path);
    (void)close(from);
    return st;
}

pj_status pji_store_copy_artefact(struct pji_store *store, int64_t attempt, const char *name,
                                  const char *source, char **path, struct pj_error *err)
{
    char *own = NULL;
    char sha256[PJI_SHA256_HEX];
    int64_t size_b = 0;
    pj_status st = pji_store_declare_artefact(store, attempt, name, err);
    if (st == PJ_OK)
        st = pji_store_artefact_path(store, attempt, name, &own, err);
    if (st == PJ_OK)
        st = copy(source, own, sha256, &size_b, err);
    if (st == PJ_OK)
        st = pji_store_record_digest(store, attempt, name, size_b, sha256, err);
    if (st == PJ_OK && path != NULL)
        *path = own;
    else
        free(own);
    return st;
}

pj_status pji_store_sync(struct pji_store *store, struct pj_error *err)
{
    pj_status st = PJ_OK;
    int fd = open(store->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || syncfs(fd) != 0)
        st = pji_fail_errno(err, errno, "cannot bring %s to the disk", store->dir);
    if (fd >= 0)
        (void)close(fd);
    return st;
}
