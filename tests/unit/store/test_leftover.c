/* Folders that killed builders left: removed when their process is dead for certain, left alone and
 * named in every other case. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "platform/process.h"
#include "store/store.h"
#include "temp.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct fixture {
    char dir[TEMP_PATH], out[TEMP_PATH + 16], words[4096];
    struct pji_log log;
};

static void take_word(void *context, enum pji_log_level level, const char *text)
{
    struct fixture *f = context;
    size_t len = strlen(f->words);
    (void)level;
    snprintf(f->words + len, sizeof f->words - len, "%s\n", text);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    temp_open(f->dir);
    snprintf(f->out, sizeof f->out, "%s/study", f->dir);
    f->log = (struct pji_log){take_word, f};
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    temp_close(f->dir);
    free(f);
    return 0;
}

/* a number that was a process's and is nobody's now */
static long dead_pid(void)
{
    pid_t pid = fork();
    if (pid == 0)
        _exit(0);
    assert_true(pid > 0 && waitpid(pid, NULL, 0) == pid);
    return (long)pid;
}

/* makes study.building-PID/lock with this text (NULL: no lock), `old` seconds ago */
static void leave(const struct fixture *f, const char *name, const char *lock, int old)
{
    char path[256], inside[300];
    struct timespec then[2];
    snprintf(path, sizeof path, "%s/%s", f->dir, name);
    snprintf(inside, sizeof inside, "%s/artefacts/1/trace.jsonl", name);
    temp_write(f->dir, inside, "{}\n");
    snprintf(inside, sizeof inside, "%s/lock", name);
    if (lock != NULL)
        temp_write(f->dir, inside, lock);
    clock_gettime(CLOCK_REALTIME, &then[0]);
    then[0].tv_sec -= old;
    then[1] = then[0];
    snprintf(inside, sizeof inside, "%s/lock", path);
    assert_true(lock == NULL || utimensat(AT_FDCWD, inside, then, 0) == 0);
    assert_int_equal(utimensat(AT_FDCWD, path, then, 0), 0);
}

static bool is_there(const struct fixture *f, const char *name)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", f->dir, name);
    return access(path, F_OK) == 0;
}

static void expect(struct fixture *f, const char *name, bool left, const char *words)
{
    f->words[0] = '\0';
    pji_store_clear_leftovers(f->out, &f->log);
    assert_int_equal(is_there(f, name), left);
    if (!strstr(f->words, words))
        fail_msg("'%s' does not say '%s'", f->words, words);
}

static void test_dead(void **state)
{
    struct fixture *f = *state;
    char name[64], lock[256], host[65] = "";
    long pid = dead_pid();
    gethostname(host, sizeof host - 1);
    snprintf(name, sizeof name, "study.building-%ld", pid);
    snprintf(lock, sizeof lock, "pid %ld start_ticks 5 host %s\n", pid, host);
    leave(f, name, lock, 0); /* however young: its process is known and gone */
    expect(f, name, false, "removed");
    leave(f, name, NULL, 60); /* killed before it had a lock */
    expect(f, name, false, "removed");
    leave(f, name, "", 60); /* killed between closing and renaming */
    expect(f, name, false, "removed");
    /* the number is another process's now: this one's, which started at another tick */
    snprintf(name, sizeof name, "study.building-%ld", (long)getppid());
    snprintf(lock, sizeof lock, "pid %ld start_ticks 5 host %s\n", (long)getppid(), host);
    leave(f, name, lock, 0);
    expect(f, name, false, "removed");
}

static void test_perhaps_alive(void **state)
{
    struct fixture *f = *state;
    char name[64], lock[256], host[65] = "";
    uint64_t ticks = 0;
    gethostname(host, sizeof host - 1);
    assert_int_equal(pji_process_start_ticks(getppid(), &ticks, NULL), PJ_OK);
    snprintf(name, sizeof name, "study.building-%ld", (long)getppid());
    snprintf(lock, sizeof lock, "pid %ld start_ticks %llu host %s\n", (long)getppid(),
             (unsigned long long)ticks, host);
    leave(f, name, lock, 3600);
    expect(f, name, true, "its process is still there");
    leave(f, name, "", 3600);
    expect(f, name, true, "its process is still there");
    snprintf(name, sizeof name, "study.building-%ld", dead_pid());
    leave(f, name, "", 0);
    expect(f, name, true, "only some seconds old");
    leave(f, name, "pid 77 start_ticks 5 host another.example\n", 3600);
    expect(f, name, true, "made on another host");
    assert_non_null(strstr(f->words, name));
    assert_non_null(strstr(f->words, "remove it if nobody works on it"));
}

static void test_locked(void **state)
{
    struct fixture *f = *state;
    char name[64], path[256];
    snprintf(name, sizeof name, "study.building-%ld", dead_pid());
    leave(f, name, "", 3600);
    snprintf(path, sizeof path, "%s/%s/lock", f->dir, name);
    int fd = open(path, O_RDWR);
    assert_true(fd >= 0 && flock(fd, LOCK_EX) == 0);
    expect(f, name, true, "a process is writing it");
    close(fd);
}

/* what is no leftover of this study is not looked at */
static void test_others(void **state)
{
    static const char *const names[] = {"study.building-", "study.building-12x",
                                        "study2.building-1", "mystudy.building-1",
                                        "study.building-1.old"};
    struct fixture *f = *state;
    char path[256];
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        leave(f, names[i], NULL, 3600);
        expect(f, names[i], true, "");
        assert_string_equal(f->words, "");
    }
    leave(f, "elsewhere", NULL, 3600);
    snprintf(path, sizeof path, "%s/study.building-%ld", f->dir, dead_pid());
    char target[128];
    snprintf(target, sizeof target, "%s/elsewhere", f->dir);
    assert_int_equal(symlink(target, path), 0);
    expect(f, "elsewhere/artefacts/1/trace.jsonl", true, "");
    pji_store_clear_leftovers("/no/such/folder/study", &f->log);
}

/* a real builder: held while it is open, and the next one clears what a kill left */
static void test_killed_builder(void **state)
{
    struct fixture *f = *state;
    char building[TEMP_PATH + 64], name[64];
    int pipe_fds[2];
    char byte = 0;
    assert_int_equal(pipe(pipe_fds), 0);
    pid_t pid = fork();
    if (pid == 0) {
        struct pji_store *store = NULL;
        snprintf(building, sizeof building, "%s.building-%ld", f->out, (long)getpid());
        byte = pji_store_create(&store, building, NULL, NULL) == PJ_OK;
        if (write(pipe_fds[1], &byte, 1) == 1)
            pause();
        _exit(1);
    }
    assert_true(pid > 0 && read(pipe_fds[0], &byte, 1) == 1 && byte == 1);
    snprintf(name, sizeof name, "study.building-%ld", (long)pid);
    expect(f, name, true, "a process is writing it");
    assert_true(kill(pid, SIGKILL) == 0 && waitpid(pid, NULL, 0) == pid);
    expect(f, name, false, "removed");
    close(pipe_fds[0]);
    close(pipe_fds[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_dead, setup, teardown),
        cmocka_unit_test_setup_teardown(test_perhaps_alive, setup, teardown),
        cmocka_unit_test_setup_teardown(test_locked, setup, teardown),
        cmocka_unit_test_setup_teardown(test_others, setup, teardown),
        cmocka_unit_test_setup_teardown(test_killed_builder, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
