/* Signals as a descriptor, and the mask around it. */
#include "platform/signals.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <sys/wait.h>
#include <unistd.h>

static bool is_blocked(int number)
{
    sigset_t now;
    pthread_sigmask(SIG_SETMASK, NULL, &now);
    return sigismember(&now, number) == 1;
}

static void test_read(void **state)
{
    (void)state;
    struct pji_signals signals;
    struct pji_signal got = {0};
    struct pj_error err = {0};
    assert_int_equal(pji_signals_open(&signals, (const int[]){SIGUSR1, SIGINT, 0}, NULL), PJ_OK);
    assert_true(is_blocked(SIGUSR1) && is_blocked(SIGINT));
    assert_true(fcntl(signals.fd, F_GETFD) & FD_CLOEXEC);
    assert_int_equal(sigismember(&signals.before, SIGUSR1), 0);
    assert_int_equal(pji_signals_read(&signals, &got, &err), PJ_ETIMEOUT);
    assert_int_equal(err.code, 0); /* nothing went wrong */
    assert_int_equal(kill(getpid(), SIGUSR1), 0);
    struct pollfd waited = {.fd = signals.fd, .events = POLLIN};
    assert_int_equal(poll(&waited, 1, 5000), 1);
    assert_int_equal(pji_signals_read(&signals, &got, NULL), PJ_OK);
    assert_int_equal(got.number, SIGUSR1);
    assert_int_equal(got.sender_pid, getpid());
    assert_int_equal(pji_signals_read(&signals, &got, NULL), PJ_ETIMEOUT);
    pji_signals_close(&signals);
    assert_int_equal(signals.fd, -1);
    assert_false(is_blocked(SIGUSR1) || is_blocked(SIGINT));
    pji_signals_close(&signals); /* twice is fine */
    assert_int_equal(pji_signals_read(&signals, &got, NULL), PJ_EIO);
}

/* A mask that the program already had comes back as it was. */
static void test_nested(void **state)
{
    (void)state;
    struct pji_signals signals;
    sigset_t set, before;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    pthread_sigmask(SIG_BLOCK, &set, &before);
    assert_int_equal(pji_signals_open(&signals, (const int[]){SIGUSR1, 0}, NULL), PJ_OK);
    pji_signals_close(&signals);
    assert_true(is_blocked(SIGUSR2));
    assert_false(is_blocked(SIGUSR1));
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

/* A second Ctrl-C that comes when all is done must not be what a program ends of. */
static void test_left(void **state)
{
    (void)state;
    struct pji_signals signals;
    sigset_t set;
    int number = 0;
    assert_int_equal(pji_signals_open(&signals, (const int[]){SIGINT, 0}, NULL), PJ_OK);
    raise(SIGINT);
    pji_signals_leave(&signals);
    pji_signals_leave(&signals); /* harmless */
    assert_true(is_blocked(SIGINT));
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    assert_int_equal(sigwait(&set, &number), 0);
    assert_int_equal(number, SIGINT);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

static void test_refused(void **state)
{
    (void)state;
    struct pji_signals signals;
    assert_int_equal(pji_signals_open(&signals, (const int[]){SIGUSR1, 12345, 0}, NULL), PJ_EINVAL);
    assert_false(is_blocked(SIGUSR1));
    assert_int_equal(signals.fd, -1);
    pji_signals_close(&signals);
}

/* The end of a child: its number is the sender. */
static void test_child(void **state)
{
    (void)state;
    struct pji_signals signals;
    struct pji_signal got = {0};
    assert_int_equal(pji_signals_open(&signals, (const int[]){SIGCHLD, 0}, NULL), PJ_OK);
    pid_t pid = fork();
    if (pid == 0)
        _exit(0);
    struct pollfd waited = {.fd = signals.fd, .events = POLLIN};
    assert_int_equal(poll(&waited, 1, 5000), 1);
    assert_int_equal(pji_signals_read(&signals, &got, NULL), PJ_OK);
    assert_int_equal(got.number, SIGCHLD);
    assert_int_equal(got.sender_pid, pid);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    pji_signals_close(&signals);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read),    cmocka_unit_test(test_nested), cmocka_unit_test(test_left),
        cmocka_unit_test(test_refused), cmocka_unit_test(test_child),
    };
    return cmocka_run_group_tests_name("signals", tests, NULL, NULL);
}
