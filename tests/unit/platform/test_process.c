/* Children: errors of exec, holding, waiting, ending, descriptors, foreign processes. */
#include "platform/process.h"

#include "core/units.h"
#include "temp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ARGV(...) ((const char *const[]){__VA_ARGS__, NULL})

static struct pji_spawn spawn_of(const char *const *argv)
{
    return (struct pji_spawn){.argv = argv, .fd_in = -1, .fd_out = -1, .fd_err = -1};
}

/* A process that reads `out` to its end. */
static size_t read_all(int fd, char *text, size_t size)
{
    size_t len = 0;
    ssize_t n;
    while (len < size - 1 && (n = read(fd, text + len, size - 1 - len)) > 0)
        len += (size_t)n;
    text[len] = '\0';
    return len;
}

/* Runs argv to its end and returns what it wrote. */
static int run(struct pji_spawn *how, char *text, size_t size)
{
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    how->fd_out = ends[1];
    struct pji_process process = {0};
    struct pj_error err = {0};
    pj_status status = pji_process_spawn(&process, how, &err);
    close(ends[1]);
    if (status)
        print_message("%s\n", err.text);
    assert_int_equal(status, PJ_OK);
    read_all(ends[0], text, size);
    close(ends[0]);
    assert_int_equal(pji_process_wait(&process, -1, &err), PJ_OK);
    return pji_process_exit_code(process.wait_status);
}

static void test_exit_codes(void **state)
{
    (void)state;
    struct pji_process process = {0};
    struct pji_spawn how = spawn_of(ARGV("sh", "-c", "exit 42"));
    assert_int_equal(pji_process_spawn(&process, &how, NULL), PJ_OK);
    assert_true(process.pid > 0);
    assert_true(process.start_ticks > 0);
    assert_int_equal(pji_process_wait(&process, -1, NULL), PJ_OK);
    assert_true(process.reaped);
    assert_int_equal(process.pidfd, -1);
    assert_int_equal(pji_process_exit_code(process.wait_status), 42);
    /* again: nothing happens */
    assert_int_equal(pji_process_wait(&process, -1, NULL), PJ_OK);
    pji_process_end(&process, 0);

    how.argv = ARGV("sh", "-c", "kill -KILL $$");
    assert_int_equal(pji_process_spawn(&process, &how, NULL), PJ_OK);
    assert_int_equal(pji_process_wait(&process, -1, NULL), PJ_OK);
    assert_int_equal(pji_process_exit_code(process.wait_status), 128 + 9);
}

static void assert_clean(const struct pji_process *process)
{
    assert_int_equal(process->pid, 0);
    assert_int_equal(process->pidfd, -1);
    assert_int_equal(process->gate_fd, -1);
    assert_int_equal(process->exec_fd, -1);
    /* no zombie either */
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
}

static void test_missing_program(void **state)
{
    (void)state;
    struct pji_process process = {0};
    struct pj_error err = {0};
    struct pji_spawn how = spawn_of(ARGV("/no/such/program"));
    assert_int_equal(pji_process_spawn(&process, &how, &err), PJ_ENOTFOUND);
    assert_int_equal(err.sys_errno, ENOENT);
    assert_non_null(strstr(err.text, "/no/such/program"));
    assert_clean(&process);
    how.argv = ARGV("perjoule-no-such-program");
    assert_int_equal(pji_process_spawn(&process, &how, NULL), PJ_ENOTFOUND);
    how.hold = true;
    assert_int_equal(pji_process_spawn(&process, &how, NULL), PJ_OK);
    assert_int_equal(pji_process_release(&process, NULL), PJ_ENOTFOUND);
    assert_clean(&process);
    how = spawn_of(ARGV("true"));
    how.cwd = "/no/such/folder";
    pji_error_clear(&err);
    assert_int_equal(pji_process_spawn(&process, &how, &err), PJ_ENOTFOUND);
    assert_non_null(strstr(err.text, "working folder"));
}

static void test_not_executable(void **state)
{
    (void)state;
    char dir[TEMP_PATH];
    char path[TEMP_PATH + 8];
    temp_open(dir);
    temp_write(dir, "plain", "not a program\n");
    (void)snprintf(path, sizeof path, "%s/plain", dir);
    struct pji_process process = {0};
    struct pji_spawn how = spawn_of((const char *const[]){path, NULL});
    assert_int_equal(pji_process_spawn(&process, &how, NULL), PJ_EACCESS);
    assert_clean(&process);
    how.argv = (const char *const[]){dir, NULL};
    assert_int_equal(pji_process_spawn(&process, &how, NULL), PJ_EACCESS);
    assert_clean(&process);
    temp_close(dir);
}

static void nap_ms(long ms)
{
    struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    while (nanosleep(&t, &t))
        ;
}

static void test_held_child_does_not_run(void **state)
{
    (void)state;
    char dir[TEMP_PATH];
    char command[TEMP_PATH + 32];
    char path[TEMP_PATH + 8];
    temp_open(dir);
    (void)snprintf(path, sizeof path, "%s/ran", dir);
    (void)snprintf(command, sizeof command, "echo x > %s", path);
    struct pji_process process = {0};
    struct pji_spawn how = spawn_of(ARGV("sh", "-c", command));
    how.hold = true;
    assert_int_equal(pji_process_spawn(&process, &how, NULL), PJ_OK);
    assert_true(process.start_ticks > 0);
    assert_int_equal(pji_process_wait(&process, 50 * PJI_NS_PER_MS, NULL), PJ_ETIMEOUT);
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(pji_process_release(&process, NULL), PJ_OK);
    assert_int_equal(pji_process_wait(&process, -1, NULL), PJ_OK);
    assert_int_equal(access(path, F_OK), 0);
    assert_int_equal(pji_process_release(&process, NULL), PJ_ESTATE);

    /* given up before it ran */
    assert_int_equal(unlink(path), 0);
    assert_int_equal(pji_process_spawn(&process, &how, NULL), PJ_OK);
    pji_process_end(&process, PJI_NS_PER_S);
    assert_true(process.reaped);
    assert_int_equal(access(path, F_OK), -1);

    /* killed before it ran: release works, and the wait status tells */
    assert_int_equal(pji_process_spawn(&process, &how, NULL), PJ_OK);
    assert_int_equal(pji_process_signal(&process, SIGKILL, NULL), PJ_OK);
    nap_ms(20);
    assert_int_equal(pji_process_release(&process, NULL), PJ_OK);
    assert_int_equal(pji_process_wait(&process, -1, NULL), PJ_OK);
    assert_int_equal(pji_process_exit_code(process.wait_status), 137);
    assert_int_equal(access(path, F_OK), -1);
    temp_close(dir);
}

static void test_end(void **state)
{
    (void)state;
    struct pji_process process = {0};
    struct pji_spawn how = spawn_of(ARGV("sleep", "1000"));
    assert_int_equal(pji_process_spawn(&process, &how, NULL), PJ_OK);
    assert_int_equal(pji_process_wait(&process, 0, NULL), PJ_ETIMEOUT);
    pji_process_end(&process, 10 * PJI_NS_PER_S);
    assert_true(process.reaped);
    assert_int_equal(pji_process_exit_code(process.wait_status), 128 + SIGTERM);

    /* one that is stopped still obeys TERM */
    assert_int_equal(pji_process_spawn(&process, &how, NULL), PJ_OK);
    assert_int_equal(pji_process_signal(&process, SIGSTOP, NULL), PJ_OK);
    pji_process_end(&process, 10 * PJI_NS_PER_S);
    assert_int_equal(pji_process_exit_code(process.wait_status), 128 + SIGTERM);

    /* one that ignores TERM is killed; the loop keeps the shell itself alive */
    how.argv = ARGV("sh", "-c", "trap '' TERM; echo ready; while :; do sleep 1000; done");
    int ends[2];
    char ready[8];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    how.fd_out = ends[1];
    how.new_session = true;
    assert_int_equal(pji_process_spawn(&process, &how, NULL), PJ_OK);
    assert_int_equal(read(ends[0], ready, 6), 6);
    pid_t group = process.pid;
    pji_process_end(&process, 20 * PJI_NS_PER_MS);
    assert_int_equal(pji_process_exit_code(process.wait_status), 128 + SIGKILL);
    (void)kill(-group, SIGKILL); /* its sleep: our own session, our own processes */
    close(ends[0]);
    close(ends[1]);
    pji_process_end(&process, 0);
    assert_int_equal(pji_process_signal(&process, SIGTERM, NULL), PJ_OK);
}

static void test_zeroed_object(void **state)
{
    (void)state;
    struct pji_process process = {0};
    pji_process_end(&process, 0); /* must not touch descriptor 0 */
    assert_int_equal(fcntl(0, F_GETFD) < 0 && errno == EBADF, 0);
    assert_int_equal(pji_process_signal(&process, SIGTERM, NULL), PJ_OK);
    assert_int_equal(pji_process_wait(&process, 0, NULL), PJ_ESTATE);
    assert_int_equal(pji_process_release(&process, NULL), PJ_ESTATE);
    struct pji_spawn how = {.fd_in = -1, .fd_out = -1, .fd_err = -1};
    assert_int_equal(pji_process_spawn(&process, &how, NULL), PJ_EINVAL);
}

static void test_cpu_time(void **state)
{
    (void)state;
    struct pji_process process = {0};
    struct pji_spawn how =
        spawn_of(ARGV("sh", "-c", "i=0; while [ $i -lt 60000 ]; do i=$((i+1)); done"));
    assert_int_equal(pji_process_spawn(&process, &how, NULL), PJ_OK);
    assert_int_equal(pji_process_wait(&process, -1, NULL), PJ_OK);
    assert_true(process.user_us + process.system_us > 1000);
}

static const char list_fds[] = "for f in /proc/self/fd/*; do echo ${f##*/}; done";

static void test_descriptors(void **state)
{
    (void)state;
    char text[4096];
    int plain = fcntl(0, F_DUPFD, 60); /* no close-on-exec, as a careless library would */
    int kept = fcntl(0, F_DUPFD_CLOEXEC, 70);
    assert_true(plain >= 60 && kept >= 70);
    char plain_line[16], kept_line[16];
    (void)snprintf(plain_line, sizeof plain_line, "\n%d\n", plain);
    (void)snprintf(kept_line, sizeof kept_line, "\n%d\n", kept);

    struct pji_spawn how = spawn_of(ARGV("sh", "-c", list_fds));
    assert_int_equal(run(&how, text, sizeof text), 0);
    assert_null(strstr(text, plain_line));
    assert_null(strstr(text, kept_line));

    how.keep_fds = (const int[]){kept, kept, -1};
    assert_int_equal(run(&how, text, sizeof text), 0);
    assert_null(strstr(text, plain_line));
    assert_non_null(strstr(text, kept_line));

    how.keep_all = true;
    how.keep_fds = NULL;
    assert_int_equal(run(&how, text, sizeof text), 0);
    assert_non_null(strstr(text, plain_line));
    assert_null(strstr(text, kept_line));

    int many[34];
    for (int i = 0; i < 33; i++)
        many[i] = 100 + i;
    many[33] = -1;
    how.keep_fds = many;
    struct pji_process process = {0};
    assert_int_equal(pji_process_spawn(&process, &how, NULL), PJ_EINVAL);
    close(plain);
    close(kept);
}

/* stdout and stderr exchanged: each is the target of the other */
static void test_crossed_descriptors(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    int saved = fcntl(1, F_DUPFD_CLOEXEC, 10);
    int saved_err = fcntl(2, F_DUPFD_CLOEXEC, 10);
    assert_true(dup2(ends[1], 1) == 1);
    struct pji_spawn how = spawn_of(ARGV("sh", "-c", "echo to-err >&2"));
    how.fd_err = 1;
    how.fd_out = 2;
    struct pji_process process = {0};
    pj_status status = pji_process_spawn(&process, &how, NULL);
    assert_true(dup2(saved, 1) == 1);
    assert_true(dup2(saved_err, 2) == 2);
    close(saved);
    close(saved_err);
    close(ends[1]);
    assert_int_equal(status, PJ_OK);
    char text[64];
    read_all(ends[0], text, sizeof text);
    close(ends[0]);
    assert_string_equal(text, "to-err\n");
    assert_int_equal(pji_process_wait(&process, -1, NULL), PJ_OK);
}

/* A held child must not keep another child's pipe open. */
static void test_held_child_releases_pipes(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    struct pji_process process = {0};
    struct pji_spawn how = spawn_of(ARGV("true"));
    how.hold = true;
    assert_int_equal(pji_process_spawn(&process, &how, NULL), PJ_OK);
    close(ends[1]);
    char c;
    assert_int_equal(read(ends[0], &c, 1), 0);
    close(ends[0]);
    pji_process_end(&process, PJI_NS_PER_S);
}

static void test_environment_and_folder(void **state)
{
    (void)state;
    char text[256];
    struct pji_spawn how = spawn_of(ARGV("sh", "-c", "echo $MARK; pwd"));
    how.env = ARGV("MARK=seen", "PATH=/usr/bin:/bin");
    how.cwd = "/";
    assert_int_equal(run(&how, text, sizeof text), 0);
    assert_string_equal(text, "seen\n/\n");
}

static void test_affinity(void **state)
{
    (void)state;
    char text[4096];
    struct pji_spawn how = spawn_of(ARGV("grep", "Cpus_allowed_list", "/proc/self/status"));
    how.cpus = "0";
    assert_int_equal(run(&how, text, sizeof text), 0);
    assert_string_equal(text, "Cpus_allowed_list:\t0\n");
    const char *const bad[] = {"", "a", "0,", "3-1", "0--1", "99999999", "0 1", "-1", NULL};
    for (size_t i = 0; bad[i]; i++) {
        struct pji_process process = {0};
        how.cpus = bad[i];
        assert_int_equal(pji_process_spawn(&process, &how, NULL), PJ_EINVAL);
    }
    struct pji_process process = {0};
    struct pj_error err = {0};
    how.cpus = "8000"; /* no such processor */
    assert_true(pji_process_spawn(&process, &how, &err) < 0);
    assert_non_null(strstr(err.text, "processors"));
    assert_clean(&process);
}

static void on_signal(int number)
{
    (void)number;
}

static void test_signals_of_the_child(void **state)
{
    (void)state;
    char text[4096];
    sigset_t blocked, before;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGUSR1);
    for (int number = 1; number < 32; number++)
        signal(number, SIG_DFL); /* a shell starts background work with SIGINT or SIGQUIT ignored */
    pthread_sigmask(SIG_BLOCK, &blocked, &before);
    struct sigaction handled = {.sa_handler = on_signal};
    struct sigaction ignored = {.sa_handler = SIG_IGN};
    sigaction(SIGUSR2, &handled, NULL);
    sigaction(SIGPIPE, &ignored, NULL);
    sigaction(SIGHUP, &ignored, NULL); /* as nohup does */
    struct pji_spawn how = spawn_of(ARGV("sed", "-n", "/^Sig[BIC]/p", "/proc/self/status"));
    int rc = run(&how, text, sizeof text);
    ignored.sa_handler = SIG_DFL;
    sigaction(SIGUSR2, &ignored, NULL);
    sigaction(SIGPIPE, &ignored, NULL);
    sigaction(SIGHUP, &ignored, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    assert_int_equal(rc, 0);
    assert_string_equal(text, "SigBlk:\t0000000000000000\n"
                              "SigIgn:\t0000000000000001\n"
                              "SigCgt:\t0000000000000000\n");
    how.mask = &blocked;
    assert_int_equal(run(&how, text, sizeof text), 0);
    assert_non_null(strstr(text, "SigBlk:\t0000000000000200\n"));
}

static void test_foreign(void **state)
{
    (void)state;
    struct pji_process process = {0};
    struct pji_spawn how = spawn_of(ARGV("sleep", "1000"));
    assert_int_equal(pji_process_spawn(&process, &how, NULL), PJ_OK);
    uint64_t ticks = 0;
    assert_int_equal(pji_process_start_ticks(process.pid, &ticks, NULL), PJ_OK);
    assert_true(ticks == process.start_ticks);

    /* another start time: another process, left alone */
    assert_int_equal(pji_process_end_foreign(process.pid, ticks + 1, 0, NULL), PJ_OK);
    assert_int_equal(pji_process_end_foreign(process.pid, 0, 0, NULL), PJ_OK);
    assert_int_equal(pji_process_wait(&process, 50 * PJI_NS_PER_MS, NULL), PJ_ETIMEOUT);

    assert_int_equal(pji_process_end_foreign(process.pid, ticks, PJI_NS_PER_S, NULL), PJ_OK);
    assert_int_equal(pji_process_wait(&process, 10 * PJI_NS_PER_S, NULL), PJ_OK);
    assert_int_equal(pji_process_exit_code(process.wait_status), 128 + SIGTERM);

    assert_int_equal(pji_process_end_foreign(process.pid, ticks, 0, NULL), PJ_OK);
    assert_int_equal(pji_process_start_ticks(process.pid, &ticks, NULL), PJ_ENOTFOUND);
    assert_int_equal(pji_process_end_foreign(1, 1, 0, NULL), PJ_EINVAL);
    assert_int_equal(pji_process_end_foreign(0, 1, 0, NULL), PJ_EINVAL);
    assert_int_equal(pji_process_end_foreign(-1, 1, 0, NULL), PJ_EINVAL);
    assert_int_equal(pji_process_end_foreign(getpid(), 1, 0, NULL), PJ_EINVAL);
}

/* A name such as "a) R 1 (b" must not shift the fields of /proc/PID/stat. */
static void test_start_ticks_of_odd_name(void **state)
{
    (void)state;
    char dir[TEMP_PATH];
    char path[TEMP_PATH + 16];
    temp_open(dir);
    (void)snprintf(path, sizeof path, "%s/a) R 1 (b", dir);
    assert_int_equal(symlink("/bin/sleep", path), 0);
    struct pji_process process = {0};
    struct pji_spawn how = spawn_of((const char *const[]){path, "1000", NULL});
    how.hold = true;
    assert_int_equal(pji_process_spawn(&process, &how, NULL), PJ_OK);
    uint64_t before = process.start_ticks;
    assert_int_equal(pji_process_release(&process, NULL), PJ_OK);
    uint64_t after = 0;
    assert_int_equal(pji_process_start_ticks(process.pid, &after, NULL), PJ_OK);
    assert_true(before == after && before > 0);
    pji_process_end(&process, PJI_NS_PER_S);
    temp_close(dir);
}

static void test_lost_status(void **state)
{
    (void)state;
    struct pji_process process = {0};
    struct pji_spawn how = spawn_of(ARGV("true"));
    assert_int_equal(pji_process_spawn(&process, &how, NULL), PJ_OK);
    assert_int_equal(waitpid(process.pid, NULL, 0), process.pid);
    struct pj_error err = {0};
    assert_int_equal(pji_process_wait(&process, -1, &err), PJ_ESTATE);
    assert_true(process.reaped);
    assert_int_equal(process.pidfd, -1);
}

/* Signals that interrupt the wait neither end nor prolong it. */
static void test_interrupted_wait(void **state)
{
    (void)state;
    struct sigaction handled = {.sa_handler = on_signal}; /* no SA_RESTART */
    struct sigaction before;
    struct itimerval often = {{0, 3000}, {0, 3000}}, never = {{0, 0}, {0, 0}};
    struct pji_process process = {0};
    struct pji_spawn how = spawn_of(ARGV("sleep", "1000"));
    struct timespec start, end;
    assert_int_equal(sigaction(SIGALRM, &handled, &before), 0);
    assert_int_equal(pji_process_spawn(&process, &how, NULL), PJ_OK);
    assert_int_equal(setitimer(ITIMER_REAL, &often, NULL), 0);
    clock_gettime(CLOCK_MONOTONIC, &start);
    pj_status status = pji_process_wait(&process, 100 * PJI_NS_PER_MS, NULL);
    clock_gettime(CLOCK_MONOTONIC, &end);
    pji_process_end(&process, 10 * PJI_NS_PER_S);
    setitimer(ITIMER_REAL, &never, NULL);
    sigaction(SIGALRM, &before, NULL);
    assert_int_equal(status, PJ_ETIMEOUT);
    assert_true((end.tv_sec - start.tv_sec) * 1000 + (end.tv_nsec - start.tv_nsec) / 1000000 >= 99);
    assert_true(process.reaped);
}

static size_t count_fds(void)
{
    size_t n = 0;
    for (int fd = 0; fd < 1024; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

enum { SPAWNS = 25 };

static void *spawn_many(void *arg)
{
    size_t *failures = arg;
    for (int i = 0; i < SPAWNS; i++) {
        struct pji_process process = {0};
        struct pji_spawn how = spawn_of(i % 5 == 4 ? ARGV("/no/such/program") : ARGV("true"));
        how.hold = i % 2 == 0;
        pj_status status = pji_process_spawn(&process, &how, NULL);
        if (status == PJ_OK && how.hold)
            status = pji_process_release(&process, NULL);
        if (i % 5 == 4) {
            *failures += status != PJ_ENOTFOUND;
            continue;
        }
        *failures += status != PJ_OK || pji_process_wait(&process, -1, NULL) != PJ_OK ||
                     process.wait_status != 0;
    }
    return NULL;
}

/* Threads that start children at the same time; and no descriptor is left. */
static void test_threads(void **state)
{
    (void)state;
    enum { N = 4 };
    pthread_t threads[N];
    size_t failures[N] = {0};
    size_t before = count_fds();
    for (size_t i = 0; i < N; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, spawn_many, &failures[i]), 0);
    for (size_t i = 0; i < N; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(failures[i], 0);
    }
    assert_int_equal(count_fds(), before);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

/* A foreign process that ignores TERM; and one that has ended but is not reaped. */
static void test_stubborn_foreign(void **state)
{
    (void)state;
    struct pji_process process = {0};
    struct pji_spawn how = spawn_of(ARGV("sh", "-c", "trap '' TERM; echo; exec sleep 1000"));
    int ends[2];
    char c;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    how.fd_out = ends[1];
    assert_int_equal(pji_process_spawn(&process, &how, NULL), PJ_OK);
    assert_int_equal(read(ends[0], &c, 1), 1);
    close(ends[0]);
    close(ends[1]);
    uint64_t ticks = process.start_ticks;
    assert_int_equal(pji_process_end_foreign(process.pid, ticks, 20 * PJI_NS_PER_MS, NULL), PJ_OK);
    assert_int_equal(pji_process_end_foreign(process.pid, ticks, 0, NULL), PJ_OK); /* a zombie */
    assert_int_equal(pji_process_wait(&process, 10 * PJI_NS_PER_S, NULL), PJ_OK);
    assert_int_equal(pji_process_exit_code(process.wait_status), 128 + SIGKILL);
}

/* The child goes when the program that started it goes. */
static void test_death_signal(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t middle = fork();
    assert_true(middle >= 0);
    if (middle == 0) {
        struct pji_process process = {0};
        struct pji_spawn how = spawn_of(ARGV("sleep", "1000"));
        how.death_signal = SIGKILL;
        how.keep_fds = (const int[]){ends[1], -1};
        _exit(pji_process_spawn(&process, &how, NULL) ? 1 : 0);
    }
    close(ends[1]);
    int status;
    assert_int_equal(waitpid(middle, &status, 0), middle);
    assert_int_equal(status, 0);
    char c;
    assert_int_equal(read(ends[0], &c, 1), 0); /* the last writer has ended */
    close(ends[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exit_codes),
        cmocka_unit_test(test_missing_program),
        cmocka_unit_test(test_not_executable),
        cmocka_unit_test(test_held_child_does_not_run),
        cmocka_unit_test(test_end),
        cmocka_unit_test(test_zeroed_object),
        cmocka_unit_test(test_cpu_time),
        cmocka_unit_test(test_descriptors),
        cmocka_unit_test(test_crossed_descriptors),
        cmocka_unit_test(test_held_child_releases_pipes),
        cmocka_unit_test(test_environment_and_folder),
        cmocka_unit_test(test_affinity),
        cmocka_unit_test(test_signals_of_the_child),
        cmocka_unit_test(test_foreign),
        cmocka_unit_test(test_start_ticks_of_odd_name),
        cmocka_unit_test(test_lost_status),
        cmocka_unit_test(test_death_signal),
        cmocka_unit_test(test_interrupted_wait),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_stubborn_foreign),
    };
    return cmocka_run_group_tests_name("process", tests, NULL, NULL);
}
