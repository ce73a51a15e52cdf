#include "engine/probe.h"

#include "core/array.h"
#include "platform/process.h"
#include "platform/process_pidfd.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { OUTPUT_LIMIT = 1024 * 1024 };

static pj_status take_output(int fd, char **text, struct pj_error *err)
{
    off_t size = lseek(fd, 0, SEEK_END);
    if (size < 0)
        return pji_fail_errno(err, errno, "cannot read a program's output");
    if (size > OUTPUT_LIMIT)
        size = OUTPUT_LIMIT;
    *text = pji_zalloc((size_t)size + 1, 1, err);
    if (*text == NULL)
        return PJ_ENOMEM;
    if (pread(fd, *text, (size_t)size, 0) < 0)
        (*text)[0] = '\0';
    return PJ_OK;
}

static pj_status run(const struct pji_spawn *how, int64_t timeout_ns, struct pj_error *err)
{
    struct pji_process process = {.pidfd = -1, .gate_fd = -1, .exec_fd = -1};
    pj_status rc = pji_process_spawn(&process, how, err);
    if (rc)
        return rc;
    int waited = pji_pidfd_wait(process.pidfd, timeout_ns);
    /* What the program left behind in its session goes before its number is free again. */
    if (process.pid > 1)
        kill(-process.pid, SIGKILL);
    pji_process_end(&process, 0);
    rc = waited == -ETIMEDOUT ? PJ_ETIMEOUT : waited < 0 ? PJ_EIO : PJ_OK;
    if (rc)
        return pji_fail(err, rc, "%s did not end in time", how->argv[0]);
    return PJ_OK;
}

pj_status pji_probe(const char *const *argv, int64_t timeout_ns, char **text, struct pj_error *err)
{
    *text = NULL;
    int in_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    int fd = memfd_create("probe", MFD_CLOEXEC);
    const struct pji_spawn how = {
        .argv = argv,
        .fd_in = in_fd,
        .fd_out = fd,
        .fd_err = fd,
        .new_session = true,
        .death_signal = SIGKILL,
    };
    pj_status rc = PJ_OK;
    if (in_fd < 0 || fd < 0)
        rc = pji_fail_errno(err, errno, "cannot catch the output of %s", argv[0]);
    if (rc == PJ_OK)
        rc = run(&how, timeout_ns, err);
    if (rc == PJ_OK)
        rc = take_output(fd, text, err);
    if (fd >= 0)
        close(fd);
    if (in_fd >= 0)
        close(in_fd);
    return rc;
}

bool pji_probe_has(const char *text, const char *option)
{
    size_t len = strlen(option);
    for (const char *at = text; (at = strstr(at, option)) != NULL; at += len) {
        char before = at == text ? ' ' : at[-1];
        char after = at[len];
        if (before != '-' && !isalnum((unsigned char)before) && after != '-' && after != '_' &&
            !isalnum((unsigned char)after))
            return true;
    }
    return false;
}
