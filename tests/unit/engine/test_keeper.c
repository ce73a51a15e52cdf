/* The keeper must leave nothing behind, whatever the engine does and whoever is killed first. */
#include "actor.h"
#include "engine/family.h"
#include "engine/keeper.h"
#include "temp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define MS_NS INT64_C(1000000)

struct place {
    char dir[TEMP_PATH];
    char log[96], file[96], mark[64], entry[96];
    const char *env[2];
    const char *argv[5];
    char roles[64];
    bool refuse;
    pid_t keeper_pid;
    uint64_t keeper_ticks;
};

static int setup(void **state)
{
    static int number;
    struct place *p = calloc(1, sizeof *p);
    temp_open(p->dir);
    snprintf(p->log, sizeof p->log, "%s/log", p->dir);
    snprintf(p->file, sizeof p->file, "%s/file", p->dir);
    snprintf(p->mark, sizeof p->mark, "%ld-%d", (long)getpid(), ++number);
    snprintf(p->entry, sizeof p->entry, ACTOR_MARK "=%s", p->mark);
    p->env[0] = p->entry;
    *state = p;
    return 0;
}

static int teardown(void **state)
{
    struct place *p = *state;
    int left = actor_left(p->mark);
    temp_close(p->dir);
    free(p);
    return left == 0 ? 0 : -1;
}

static pj_status note_process(void *context, const char *role, int64_t pid, uint64_t ticks,
                              struct pj_error *err)
{
    struct place *p = context;
    uint64_t seen = 0;
    assert_int_equal(pji_process_start_ticks((pid_t)pid, &seen, NULL), PJ_OK);
    assert_true(seen == ticks);
    strncat(p->roles, role, sizeof p->roles - strlen(p->roles) - 1);
    strncat(p->roles, " ", sizeof p->roles - strlen(p->roles) - 1);
    if (strcmp(role, "keeper") == 0) {
        p->keeper_pid = (pid_t)pid;
        p->keeper_ticks = ticks;
    } else if (p->refuse) {
        return pji_fail(err, PJ_ENOSPC, "the owner refuses");
    }
    return PJ_OK;
}

static pj_status spawn(struct place *p, struct pji_keeper *keeper, const char *part, bool no_cgroup,
                       struct pj_error *err)
{
    actor_engine_argv(part, p->file, p->argv);
    struct pji_keeper_spawn how = {
        .keeper_argv = actor_keeper_argv(),
        .argv = p->argv,
        .env = p->env,
        .log_path = p->log,
        .grace_ns = 100 * MS_NS,
        .no_cgroup = no_cgroup,
        .on_process = note_process,
        .context = p,
    };
    return pji_keeper_spawn(keeper, &how, err);
}

static void start(struct place *p, struct pji_keeper *keeper, const char *part, bool no_cgroup)
{
    struct pj_error err = {0};
    pj_status rc = spawn(p, keeper, part, no_cgroup, &err);
    if (rc == PJ_OK)
        rc = pji_keeper_release(keeper, NULL, &err);
    if (rc)
        fail_msg("%s", err.text);
}

static void stop(struct place *p, struct pji_keeper *keeper, int64_t grace_ns)
{
    struct pj_error err = {0};
    if (pji_keeper_stop(keeper, grace_ns, &err))
        fail_msg("%s", err.text);
    assert_int_equal(actor_left(p->mark), 0);
    assert_int_not_equal(waitpid(p->keeper_pid, NULL, WNOHANG), p->keeper_pid); /* reaped */
}

/* ---- a tame engine ---- */

static void test_exit_status_and_times(void **state)
{
    struct place *p = *state;
    struct pji_keeper keeper;
    int64_t start_ns = 0;
    snprintf(p->file, sizeof p->file, "7");
    assert_int_equal(spawn(p, &keeper, "exit", false, NULL), PJ_OK);
    assert_string_equal(p->roles, "keeper engine ");
    assert_int_equal(pji_keeper_release(&keeper, &start_ns, NULL), PJ_OK);
    assert_int_equal(pji_keeper_wait(&keeper, 30000 * MS_NS, -1, NULL), PJ_OK);
    assert_int_equal(pji_process_exit_code(keeper.wait_status), 7);
    assert_true(keeper.exit_ns > start_ns);
    assert_true(keeper.user_us + keeper.system_us > 0);
    struct pollfd ended = {.fd = keeper.engine_pidfd, .events = POLLIN};
    assert_int_equal(poll(&ended, 1, 0), 1);
    stop(p, &keeper, 0);
    stop(p, &keeper, 0); /* harmless */
}

/* A keeper that can open no file cannot read /proc, but it knows its engine. */
static void test_keeper_without_descriptors(void **state)
{
    struct place *p = *state;
    struct pji_keeper keeper;
    struct rlimit none = {.rlim_cur = 3, .rlim_max = 3};
    start(p, &keeper, "stopped", true);
    assert_int_equal(prlimit(p->keeper_pid, RLIMIT_NOFILE, &none, NULL), 0);
    kill(p->keeper_pid, SIGTERM);
    assert_int_equal(actor_await_count(p->mark, 0), 0);
    stop(p, &keeper, 0);
}

static void test_held_until_release(void **state)
{
    struct place *p = *state;
    struct pji_keeper keeper;
    assert_int_equal(spawn(p, &keeper, "touch", false, NULL), PJ_OK);
    poll(NULL, 0, 100);
    assert_int_equal(access(p->file, F_OK), -1);
    assert_int_equal(pji_keeper_wait(&keeper, 10 * MS_NS, -1, NULL), PJ_ETIMEOUT);
    assert_int_equal(pji_keeper_release(&keeper, NULL, NULL), PJ_OK);
    for (int i = 0; i < 3000 && access(p->file, F_OK) != 0; i++)
        poll(NULL, 0, 10);
    assert_int_equal(access(p->file, F_OK), 0);
    stop(p, &keeper, 0);
}

static void test_stop_of_a_held_engine(void **state)
{
    struct place *p = *state;
    struct pji_keeper keeper;
    assert_int_equal(spawn(p, &keeper, "touch", false, NULL), PJ_OK);
    stop(p, &keeper, 0);
    assert_int_equal(access(p->file, F_OK), -1);
}

static void test_missing_program(void **state)
{
    struct place *p = *state;
    struct pji_keeper keeper;
    struct pj_error err = {0};
    const char *argv[] = {"/no/such/program", NULL};
    struct pji_keeper_spawn how = {.keeper_argv = actor_keeper_argv(),
                                   .argv = argv,
                                   .env = p->env,
                                   .log_path = p->log,
                                   .on_process = note_process,
                                   .context = p};
    assert_int_equal(pji_keeper_spawn(&keeper, &how, &err), PJ_OK);
    assert_int_equal(pji_keeper_release(&keeper, NULL, &err), PJ_ENOTFOUND);
    assert_non_null(strstr(err.text, "cannot run"));
    stop(p, &keeper, 0);
}

static void test_missing_keeper(void **state)
{
    struct place *p = *state;
    struct pji_keeper keeper;
    struct pj_error err = {0};
    const char *const nobody[] = {"/no/such/keeper", NULL};
    actor_engine_argv("sleep", "", p->argv);
    struct pji_keeper_spawn how = {.keeper_argv = nobody, .argv = p->argv, .log_path = p->log};
    assert_int_equal(pji_keeper_spawn(&keeper, &how, &err), PJ_ENOTFOUND);
    assert_non_null(strstr(err.text, "/no/such/keeper"));
    assert_int_equal(pji_keeper_stop(&keeper, 0, NULL), PJ_OK);
}

static void test_owner_refuses(void **state)
{
    struct place *p = *state;
    struct pji_keeper keeper;
    struct pj_error err = {0};
    p->refuse = true;
    assert_int_equal(spawn(p, &keeper, "touch", false, &err), PJ_ENOSPC);
    assert_string_equal(err.text, "the owner refuses");
    assert_int_equal(actor_await_count(p->mark, 0), 0);
    assert_int_equal(access(p->file, F_OK), -1);
}

static void test_wait_is_canceled(void **state)
{
    struct place *p = *state;
    struct pji_keeper keeper;
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    start(p, &keeper, "sleep", false);
    assert_int_equal(write(fds[1], "x", 1), 1);
    assert_int_equal(pji_keeper_wait(&keeper, INT64_MAX, fds[0], NULL), PJ_ECANCELED);
    stop(p, &keeper, 0);
    close(fds[0]);
    close(fds[1]);
}

static void test_interrupt_is_ignored(void **state)
{
    struct place *p = *state;
    struct pji_keeper keeper;
    start(p, &keeper, "sleep", false);
    kill(p->keeper_pid, SIGINT);
    kill(p->keeper_pid, SIGHUP);
    kill(p->keeper_pid, SIGQUIT);
    assert_int_equal(pji_keeper_wait(&keeper, 200 * MS_NS, -1, NULL), PJ_ETIMEOUT);
    assert_int_equal(actor_count(p->mark), 1);
    stop(p, &keeper, 1000 * MS_NS);
}

static void test_terminated_keeper_ends_the_tree(void **state)
{
    struct place *p = *state;
    struct pji_keeper keeper;
    start(p, &keeper, "stubborn", false);
    assert_int_equal(actor_await_count(p->mark, 2), 2);
    kill(p->keeper_pid, SIGTERM);
    assert_int_equal(actor_await_count(p->mark, 0), 0);
    stop(p, &keeper, 0);
}

/* ---- engines that do not want to end ---- */

static void test_daemon(void **state)
{
    struct place *p = *state;
    struct pji_keeper keeper;
    start(p, &keeper, "daemon", true);
    assert_int_equal(actor_await_count(p->mark, 2), 2);
    stop(p, &keeper, 30000 * MS_NS);
}

static pid_t read_pid(const char *path)
{
    long pid = 0;
    for (int i = 0; i < 3000 && pid == 0; i++) {
        FILE *file = fopen(path, "re");
        if (file != NULL && fscanf(file, "%ld", &pid) != 1)
            pid = 0;
        if (file != NULL)
            fclose(file);
        poll(NULL, 0, 10);
    }
    return (pid_t)pid;
}

/* Without the mark in its environment only the subreaper can find it. */
static void test_hidden_daemon(void **state)
{
    struct place *p = *state;
    struct pji_keeper keeper;
    uint64_t ticks = 0;
    start(p, &keeper, "hidden", true);
    pid_t pid = read_pid(p->file);
    assert_int_equal(pji_process_start_ticks(pid, &ticks, NULL), PJ_OK);
    stop(p, &keeper, 30000 * MS_NS);
    uint64_t now = 0;
    assert_true(pji_process_start_ticks(pid, &now, NULL) == PJ_ENOTFOUND || now != ticks);
}

static void test_stubborn_is_killed_after_grace(void **state)
{
    struct place *p = *state;
    struct pji_keeper keeper;
    start(p, &keeper, "stubborn", true);
    assert_int_equal(actor_await_count(p->mark, 2), 2);
    int64_t before_ns = pji_now_ns(&keeper.platform);
    struct pji_platform platform = keeper.platform;
    stop(p, &keeper, 300 * MS_NS);
    assert_true(pji_now_ns(&platform) - before_ns >= 300 * MS_NS);
}

static void test_stopped_engine(void **state)
{
    struct place *p = *state;
    struct pji_keeper keeper;
    start(p, &keeper, "stopped", true);
    stop(p, &keeper, 50 * MS_NS);
}

static void test_bomb(void **state)
{
    struct place *p = *state;
    for (int no_cgroup = 0; no_cgroup < 2; no_cgroup++) {
        struct pji_keeper keeper;
        start(p, &keeper, "bomb", no_cgroup == 1);
        int seen = 0; /* of 13; some always fork away from under the reader of /proc */
        for (int i = 0; i < 3000 && seen < 6; i++, poll(NULL, 0, 10))
            seen = actor_count(p->mark);
        assert_true(seen >= 6);
        stop(p, &keeper, 20 * MS_NS);
    }
}

/* ---- a keeper in trouble ---- */

static void test_stopped_keeper(void **state)
{
    struct place *p = *state;
    struct pji_keeper keeper;
    start(p, &keeper, "daemon", false);
    assert_int_equal(actor_await_count(p->mark, 2), 2);
    kill(p->keeper_pid, SIGSTOP);
    stop(p, &keeper, 1000 * MS_NS);
}

static void test_killed_keeper(void **state)
{
    struct place *p = *state;
    struct pji_keeper keeper;
    struct pj_error err = {0};
    start(p, &keeper, "stubborn", false);
    assert_int_equal(actor_await_count(p->mark, 2), 2);
    kill(p->keeper_pid, SIGKILL);
    assert_int_equal(pji_keeper_wait(&keeper, 30000 * MS_NS, -1, &err), PJ_EPEER);
    assert_non_null(strstr(err.text, "keeper"));
    stop(p, &keeper, 0);
}

static void test_not_for_people(void **state)
{
    (void)state;
    char *const none[] = {(char[]){"keeper"}, NULL};
    char *const wrong[] = {(char[]){"keeper"}, (char[]){"0"}, (char[]){"x"},
                           (char[]){"--"},     (char[]){"a"}, NULL};
    assert_int_equal(pji_keeper_main(1, none), 2);
    assert_int_equal(pji_keeper_main(5, wrong), 2);
}

/* ---- perjoule is killed ---- */

/* A process that owns a keeper and then only waits to be killed. Returns its pid. */
static pid_t fork_owner(struct place *p, const char *part, bool no_cgroup, bool release)
{
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    pid_t pid = fork();
    if (pid == 0) {
        struct pji_keeper keeper;
        if (spawn(p, &keeper, part, no_cgroup, NULL) ||
            (release && pji_keeper_release(&keeper, NULL, NULL)) ||
            write(fds[1], &p->keeper_pid, sizeof p->keeper_pid) != sizeof p->keeper_pid ||
            write(fds[1], &p->keeper_ticks, sizeof p->keeper_ticks) != sizeof p->keeper_ticks)
            _exit(1);
        for (;;)
            pause();
    }
    assert_int_equal(read(fds[0], &p->keeper_pid, sizeof p->keeper_pid), sizeof p->keeper_pid);
    assert_int_equal(read(fds[0], &p->keeper_ticks, sizeof p->keeper_ticks),
                     sizeof p->keeper_ticks);
    close(fds[0]);
    close(fds[1]);
    return pid;
}

static void kill_owner(pid_t pid)
{
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

/* The test is a subreaper (main): a keeper without owner becomes its child. */
static void await_keeper_gone(const struct place *p)
{
    for (int i = 0; i < 3000; i++) {
        if (waitpid(p->keeper_pid, NULL, WNOHANG) == p->keeper_pid)
            return;
        poll(NULL, 0, 10);
    }
    fail_msg("the keeper %ld still runs", (long)p->keeper_pid);
}

static void test_owner_killed(void **state)
{
    static const char *const parts[] = {"daemon", "stubborn", "stopped", "bomb"};
    struct place *p = *state;
    for (size_t i = 0; i < 2 * sizeof parts / sizeof *parts; i++) {
        pid_t owner = fork_owner(p, parts[i / 2], i % 2 == 1, true);
        for (int k = 0; k < 3000 && actor_count(p->mark) < (i / 2 == 2 ? 1 : 2); k++)
            poll(NULL, 0, 10);
        assert_true(actor_count(p->mark) >= 1);
        kill_owner(owner);
        await_keeper_gone(p);
        assert_int_equal(actor_left(p->mark), 0);
    }
}

static void test_owner_killed_before_release(void **state)
{
    struct place *p = *state;
    pid_t owner = fork_owner(p, "touch", false, false);
    kill_owner(owner);
    await_keeper_gone(p);
    assert_int_equal(access(p->file, F_OK), -1);
}

static void test_leftovers_of_a_stopped_keeper(void **state)
{
    struct place *p = *state;
    struct pj_error err = {0};
    pid_t owner = fork_owner(p, "stubborn", false, true);
    assert_int_equal(actor_await_count(p->mark, 2), 2);
    kill(p->keeper_pid, SIGSTOP);
    kill_owner(owner);
    poll(NULL, 0, 300);
    assert_int_equal(actor_count(p->mark), 2);
    if (pji_keeper_end_leftovers(p->keeper_pid, p->keeper_ticks, 200 * MS_NS, &err))
        fail_msg("%s", err.text);
    assert_int_equal(actor_left(p->mark), 0);
    assert_int_equal(pji_keeper_end_leftovers(p->keeper_pid, p->keeper_ticks, 200 * MS_NS, &err),
                     PJ_OK);
}

static void test_leftovers_of_a_killed_keeper(void **state)
{
    struct place *p = *state;
    struct pj_error err = {0};
    pid_t owner = fork_owner(p, "stubborn", false, true);
    assert_int_equal(actor_await_count(p->mark, 2), 2);
    kill(p->keeper_pid, SIGKILL);
    kill_owner(owner);
    assert_int_equal(actor_await_count(p->mark, 1), 1); /* the engine by its death signal */
    if (pji_keeper_end_leftovers(p->keeper_pid, p->keeper_ticks, 50 * MS_NS, &err))
        fail_msg("%s", err.text);
    assert_int_equal(actor_left(p->mark), 0);
}

#define KEEPER_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(int argc, char **argv)
{
    int code = 0;
    if (actor_play(argc, argv, &code))
        return code;
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    const struct CMUnitTest tests[] = {
        KEEPER_TEST(test_exit_status_and_times),
        KEEPER_TEST(test_keeper_without_descriptors),
        KEEPER_TEST(test_held_until_release),
        KEEPER_TEST(test_stop_of_a_held_engine),
        KEEPER_TEST(test_missing_program),
        KEEPER_TEST(test_missing_keeper),
        KEEPER_TEST(test_owner_refuses),
        KEEPER_TEST(test_wait_is_canceled),
        KEEPER_TEST(test_interrupt_is_ignored),
        KEEPER_TEST(test_terminated_keeper_ends_the_tree),
        KEEPER_TEST(test_daemon),
        KEEPER_TEST(test_hidden_daemon),
        KEEPER_TEST(test_stubborn_is_killed_after_grace),
        KEEPER_TEST(test_stopped_engine),
        KEEPER_TEST(test_bomb),
        KEEPER_TEST(test_stopped_keeper),
        KEEPER_TEST(test_killed_keeper),
        KEEPER_TEST(test_not_for_people),
        KEEPER_TEST(test_owner_killed),
        KEEPER_TEST(test_owner_killed_before_release),
        KEEPER_TEST(test_leftovers_of_a_stopped_keeper),
        KEEPER_TEST(test_leftovers_of_a_killed_keeper),
    };
    return cmocka_run_group_tests_name("keeper", tests, NULL, NULL);
}
