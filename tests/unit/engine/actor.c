#include "actor.h"

#include "engine/family.h"
#include "engine/keeper.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static _Noreturn void sleep_for_ever(void)
{
    for (;;)
        pause();
}

static void touch(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
    if (fd >= 0)
        close(fd);
}

static void write_pid(const char *path)
{
    FILE *file = fopen(path, "we");
    if (file == NULL)
        _exit(1);
    fprintf(file, "%ld\n", (long)getpid());
    fclose(file);
}

/* A grandchild in a session of its own, whose parent is gone: what a daemon does. With pid_path it
 * also drops its environment, and writes its pid there. */
static void daemonise(const char *pid_path)
{
    pid_t pid = fork();
    if (pid != 0) {
        waitpid(pid, NULL, 0);
        return;
    }
    setsid();
    if (fork() != 0)
        _exit(0);
    if (pid_path == NULL)
        sleep_for_ever();
    write_pid(pid_path);
    clearenv();
    execl("/bin/sleep", "sleep", "1000", (char *)NULL);
    _exit(127);
}

static void ignore_everything(void)
{
    signal(SIGTERM, SIG_IGN);
    signal(SIGINT, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
}

/* Forks and lets the parent exit, again and again: no pid stays valid for long. */
static _Noreturn void fly(bool new_sessions, int pause_us)
{
    for (;;) {
        if (fork() > 0)
            _exit(0);
        if (new_sessions)
            setsid();
        usleep((useconds_t)pause_us);
    }
}

static _Noreturn void bomb(void)
{
    ignore_everything();
    for (int i = 0; i < 12; i++)
        if (fork() == 0)
            fly(i % 3 == 0, 3000);
    sleep_for_ever();
}

static _Noreturn void play_engine(const char *part, const char *argument)
{
    if (strcmp(part, "exit") == 0)
        exit(atoi(argument));
    if (strcmp(part, "touch") == 0)
        touch(argument);
    if (strcmp(part, "talk") == 0) {
        printf("first line\nthis is the reason: %s\n", argument);
        fflush(stdout);
        exit(3);
    }
    if (strcmp(part, "daemon") == 0)
        daemonise(NULL);
    if (strcmp(part, "hidden") == 0)
        daemonise(argument);
    if (strcmp(part, "stubborn") == 0) {
        ignore_everything();
        daemonise(NULL);
    }
    if (strcmp(part, "stopped") == 0) {
        ignore_everything();
        raise(SIGSTOP);
    }
    if (strcmp(part, "bomb") == 0)
        bomb();
    sleep_for_ever();
}

bool actor_play(int argc, char **argv, int *code)
{
    if (argc >= 2 && strcmp(argv[1], "keeper") == 0) {
        *code = pji_keeper_main(argc - 1, argv + 1);
        return true;
    }
    if (argc == 4 && strcmp(argv[1], "engine") == 0)
        play_engine(argv[2], argv[3]);
    return false;
}

const char *const *actor_keeper_argv(void)
{
    static const char *const argv[] = {"/proc/self/exe", "keeper", NULL};
    return argv;
}

void actor_engine_argv(const char *part, const char *argument, const char *out[5])
{
    out[0] = "/proc/self/exe";
    out[1] = "engine";
    out[2] = part;
    out[3] = argument;
    out[4] = NULL;
}

int actor_count(const char *mark)
{
    char entry[128];
    struct pji_platform platform;
    struct pji_family family = {0};
    snprintf(entry, sizeof entry, ACTOR_MARK "=%s", mark);
    if (pji_platform_open_real(&platform, NULL, NULL))
        return -1;
    int n = pji_family_scan_marked(&family, &platform, entry, NULL) == PJ_OK ? (int)family.n : -1;
    pji_family_fini(&family);
    pji_platform_close_real(&platform);
    return n;
}

int actor_await_count(const char *mark, int wanted)
{
    int n = -1;
    for (int i = 0; i < 3000; i++) {
        n = actor_count(mark);
        if (n == wanted)
            break;
        poll(NULL, 0, 10);
    }
    return n;
}

int actor_left(const char *mark)
{
#ifdef __SANITIZE_ADDRESS__
    return actor_await_count(mark, 0);
#else
    return actor_count(mark);
#endif
}
