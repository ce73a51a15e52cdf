/* platform/process_find.c - whether a program can be run, asked before anything is started: the
 * same search as execvp(3) does, which pji_process_spawn rests on.
 */
#include "platform/process.h"

#include "core/str.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* errno of a file that cannot be run; 0: it can. */
static int why_not(const char *path)
{
    struct stat info;
    if (stat(path, &info) != 0)
        return errno;
    if (S_ISDIR(info.st_mode))
        return EISDIR;
    return access(path, X_OK) == 0 ? 0 : errno;
}

static pj_status find_at(const char *cwd, const char *program, struct pj_error *err)
{
    struct pji_str path = {0};
    if (program[0] != '/' && cwd != NULL)
        pji_str_addf(&path, "%s/", cwd);
    pji_str_add(&path, program);
    pj_status status = pji_str_ok(&path, err);
    int fault = status == PJ_OK ? why_not(pji_str_text(&path)) : 0;
    if (fault != 0)
        status = pji_fail_errno(err, fault, "cannot run the program %s", pji_str_text(&path));
    pji_str_fini(&path);
    return status;
}

pj_status pji_process_find(const char *cwd, const char *program, struct pj_error *err)
{
    if (strchr(program, '/') != NULL)
        return find_at(cwd, program, err);
    const char *folders = getenv("PATH");
    folders = folders != NULL ? folders : "/bin:/usr/bin"; /* as execvp */
    bool hidden = false;
    for (const char *at = folders;; at++) {
        struct pji_str path = {0};
        size_t len = strcspn(at, ":");
        if ((len == 0 || at[0] != '/') && cwd != NULL) /* empty: the folder it is started in */
            pji_str_addf(&path, "%s/", cwd);
        pji_str_addf(&path, "%.*s%s%s", (int)len, at, len > 0 ? "/" : "", program);
        pj_status status = pji_str_ok(&path, err);
        int fault = status == PJ_OK ? why_not(pji_str_text(&path)) : 0;
        pji_str_fini(&path);
        if (status != PJ_OK || fault == 0)
            return status;
        hidden = hidden || fault == EACCES;
        at += len;
        if (*at == '\0')
            break;
    }
    if (hidden)
        return pji_fail(err, PJ_EACCESS, "the program %s, found along PATH, may not be run",
                        program);
    return pji_fail(err, PJ_ENOTFOUND,
                    "there is no program %s along PATH: install it, or give its path", program);
}
