/* core/digest.c - SHA-256 (FIPS 180-4) through OpenSSL's EVP interface. */
#include "core/digest.h"

#include "core/array.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

enum { SHA256_SIZE = 32, CHUNK = 64 * 1024 };

struct pji_sha256 {
    EVP_MD_CTX *context;
    bool finished;
};

static pj_status too_late(struct pj_error *err)
{
    return pji_fail(err, PJ_ESTATE, "this SHA-256 digest is finished: nothing can be added");
}

static pj_status refused(struct pj_error *err)
{
    return pji_fail(err, PJ_EUNSUPPORTED, "OpenSSL refused to compute a SHA-256 digest");
}

pj_status pji_sha256_new(struct pji_sha256 **out, struct pj_error *err)
{
    struct pji_sha256 *sha = pji_zalloc(1, sizeof *sha, err);
    if (!sha)
        return PJ_ENOMEM;
    sha->context = EVP_MD_CTX_new();
    if (!sha->context || EVP_DigestInit_ex(sha->context, EVP_sha256(), NULL) != 1) {
        pji_sha256_free(sha);
        return refused(err);
    }
    *out = sha;
    return PJ_OK;
}

pj_status pji_sha256_add(struct pji_sha256 *sha, const void *bytes, size_t len,
                         struct pj_error *err)
{
    if (sha->finished)
        return too_late(err);
    return EVP_DigestUpdate(sha->context, bytes, len) == 1 ? PJ_OK : refused(err);
}

pj_status pji_sha256_finish(struct pji_sha256 *sha, char hex[PJI_SHA256_HEX], struct pj_error *err)
{
    static const char digits[] = "0123456789abcdef";
    unsigned char raw[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    hex[0] = '\0';
    if (sha->finished)
        return too_late(err);
    sha->finished = true;
    if (EVP_DigestFinal_ex(sha->context, raw, &len) != 1 || len != SHA256_SIZE)
        return refused(err);
    for (size_t i = 0; i < SHA256_SIZE; i++) {
        hex[2 * i] = digits[raw[i] >> 4];
        hex[2 * i + 1] = digits[raw[i] & 15];
    }
    hex[PJI_SHA256_HEX - 1] = '\0';
    return PJ_OK;
}

void pji_sha256_free(struct pji_sha256 *sha)
{
    if (!sha)
        return;
    EVP_MD_CTX_free(sha->context);
    free(sha);
}

pj_status pji_sha256_bytes(const void *bytes, size_t len, char hex[PJI_SHA256_HEX],
                           struct pj_error *err)
{
    struct pji_sha256 *sha = NULL;
    pj_status status = pji_sha256_new(&sha, err);
    if (!status)
        status = pji_sha256_add(sha, bytes, len, err);
    if (!status)
        status = pji_sha256_finish(sha, hex, err);
    pji_sha256_free(sha);
    return status;
}

static pj_status add_descriptor(struct pji_sha256 *sha, int fd, const char *path,
                                struct pj_error *err)
{
    char *chunk = pji_zalloc(CHUNK, 1, err);
    pj_status status = chunk ? PJ_OK : PJ_ENOMEM;
    while (!status) {
        ssize_t n = read(fd, chunk, CHUNK);
        if (n == 0)
            break;
        if (n > 0)
            status = pji_sha256_add(sha, chunk, (size_t)n, err);
        else if (errno != EINTR)
            status = pji_fail_errno(err, errno, "cannot read %s", path);
    }
    free(chunk);
    return status;
}

pj_status pji_sha256_file(const char *path, char hex[PJI_SHA256_HEX], struct pj_error *err)
{
    struct pji_sha256 *sha = NULL;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return pji_fail_errno(err, errno, "cannot open %s", path);
    (void)posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
    pj_status status = pji_sha256_new(&sha, err);
    if (!status)
        status = add_descriptor(sha, fd, path, err);
    if (!status)
        status = pji_sha256_finish(sha, hex, err);
    pji_sha256_free(sha);
    close(fd);
    return status;
}
