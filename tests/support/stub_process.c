/* support/stub_process.c - see stub_process.h. */
#include "stub_process.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MAX_ARGS = 64 };

static void give_up(const char *what)
{
    perror(what);
    exit(1);
}

void stub_path(char *path, size_t size)
{
    const char *root = getenv("PERJOULE_BUILD_ROOT");
    snprintf(path, size, "%s/tests/stub/stub_server", root != NULL && *root ? root : ".");
}

static void become_stub(const char *path, const char *const *args, int out)
{
    char *argv[MAX_ARGS + 4];
    int n = 0;
    argv[n++] = strdup(path);
    argv[n++] = strdup("--port");
    argv[n++] = strdup("0");
    for (; args != NULL && *args != NULL && n < MAX_ARGS; args++)
        argv[n++] = strdup(*args);
    argv[n] = NULL;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(out, STDOUT_FILENO);
    close(out);
    execv(path, argv);
    perror(path);
    _exit(127);
}

void stub_open(struct stub *stub, const char *const *args)
{
    char path[4096];
    char line[64];
    int ends[2];
    stub_path(path, sizeof path);
    if (pipe(ends) < 0)
        give_up("pipe");
    stub->pid = fork();
    if (stub->pid < 0)
        give_up("fork");
    if (stub->pid == 0) {
        close(ends[0]);
        become_stub(path, args, ends[1]);
    }
    close(ends[1]);
    FILE *out = fdopen(ends[0], "r");
    if (out == NULL || fgets(line, sizeof line, out) == NULL ||
        sscanf(line, "port %d", &stub->port) != 1) {
        fprintf(stderr, "%s did not tell its port\n", path);
        stub_close(stub);
        exit(1);
    }
    fclose(out);
    snprintf(stub->root_url, sizeof stub->root_url, "http://127.0.0.1:%d", stub->port);
    snprintf(stub->base_url, sizeof stub->base_url, "http://127.0.0.1:%d/v1", stub->port);
}

void stub_close(struct stub *stub)
{
    if (stub->pid > 0) {
        kill(stub->pid, SIGKILL);
        waitpid(stub->pid, NULL, 0);
    }
    stub->pid = 0;
}
