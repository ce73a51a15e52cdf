/* agent/token.c - see token.h. Digests are compared, so neither length nor a common beginning of a
 * guess shows in the time that the comparison takes.
 */
#include "agent/token.h"

#include "core/digest.h"
#include "lab/protocol.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

enum { AUTHORIZATION_MOST = 512 };

static pj_status create(const char *path, bool *created, struct pj_error *err)
{
    char text[PJI_TOKEN_CHARS + 2];
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return errno == EEXIST ? PJ_OK : pji_fail_errno(err, errno, "cannot create %s", path);
    pj_status status = fchmod(fd, 0600) == 0 /* a umask may have taken too much */
                           ? pji_random_hex(text, PJI_TOKEN_CHARS, err)
                           : pji_fail_errno(err, errno, "cannot keep %s to ourselves", path);
    text[PJI_TOKEN_CHARS] = '\n';
    if (status == PJ_OK &&
        (write(fd, text, PJI_TOKEN_CHARS + 1) != PJI_TOKEN_CHARS + 1 || fsync(fd) != 0))
        status = pji_fail_errno(err, errno != 0 ? errno : EIO, "cannot write %s", path);
    explicit_bzero(text, sizeof text);
    close(fd);
    if (status != PJ_OK)
        unlink(path);
    *created = status == PJ_OK;
    return status;
}

/* Only we may know what is in it. */
static pj_status check_file(const char *path, const struct stat *info, struct pj_error *err)
{
    if (!S_ISREG(info->st_mode))
        return pji_fail(err, PJ_EACCESS,
                        "the token %s is no ordinary file: remove it and a new one is made", path);
    if (info->st_uid != geteuid())
        return pji_fail(err, PJ_EACCESS,
                        "the token %s belongs to another user (uid %lld), who knows it: remove the "
                        "file and a new one is made",
                        path, (long long)info->st_uid);
    if ((info->st_mode & 077) != 0)
        return pji_fail(err, PJ_EACCESS,
                        "the token %s can be read by others (mode %03o): make a new one (remove "
                        "the file) or chmod 600 it",
                        path, (unsigned)(info->st_mode & 0777));
    return PJ_OK;
}

pj_status pji_token_open(struct pji_token *token, const char *path, bool *created,
                         struct pj_error *err)
{
    struct stat info;
    char text[256] = "";
    *created = false;
    pj_status status = create(path, created, err);
    if (status != PJ_OK)
        return status;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &info) != 0)
        status = pji_fail_errno(err, errno, "cannot read the token %s", path);
    else
        status = check_file(path, &info, err);
    if (status == PJ_OK) {
        ssize_t n = read(fd, text, sizeof text - 1);
        size_t len = n > 0 ? strcspn(text, " \t\r\n") : 0;
        if (len < 32)
            status = pji_fail(err, PJ_EINVAL,
                              "the token %s is shorter than 32 characters: remove the file and a "
                              "new one is made",
                              path);
        else
            status = pji_sha256_bytes(text, len, token->sha256, err);
    }
    explicit_bzero(text, sizeof text);
    if (fd >= 0)
        close(fd);
    return status;
}

bool pji_token_matches(const struct pji_token *token, const char *authorization)
{
    static const char scheme[] = "Bearer ";
    char sha256[65];
    unsigned char differs = 0;
    if (authorization == NULL || strlen(authorization) > AUTHORIZATION_MOST ||
        strncasecmp(authorization, scheme, sizeof scheme - 1) != 0)
        return false;
    const char *shown = authorization + sizeof scheme - 1;
    if (pji_sha256_bytes(shown, strlen(shown), sha256, NULL) != PJ_OK)
        return false;
    for (size_t i = 0; i < 64; i++)
        differs |= (unsigned char)(sha256[i] ^ token->sha256[i]);
    return differs == 0;
}
