/* The busiest thread of client and server, from scripted /proc. */
#include "evidence/threads.h"
#include "scripted_platform.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#define OWN 100

static void process(struct scripted *s, int pid, int parent)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    scripted_filef(s, path, "%d (p) S %d 1 1 0 -1 4194304 10 20 0 0 1 0 1 0 20 0 1 0 9 1 2\n", pid,
                   parent);
}

static void thread(struct scripted *s, int pid, int tid, const char *name, long long cpu_ns)
{
    char path[96];
    snprintf(path, sizeof path, "/proc/%d/task/%d/schedstat", pid, tid);
    scripted_filef(s, path, "%lld 500 7\n", cpu_ns);
    snprintf(path, sizeof path, "/proc/%d/task/%d/comm", pid, tid);
    scripted_filef(s, path, "%s\n", name);
}

static void machine(struct scripted *s)
{
    process(s, OWN, 1);
    process(s, 101, OWN);
    process(s, 102, 101);
    process(s, 200, 1);
    thread(s, OWN, 100, "perjoule-lab", 1000);
    thread(s, OWN, 110, "pulse", 0);
    thread(s, 102, 102, "server", 5000);
    thread(s, 102, 103, "worker", 7000);
    thread(s, 200, 200, "stranger", 0);
}

static void read_now(struct scripted *s, struct pji_threads *threads)
{
    struct pji_host_state host = {0};
    assert_int_equal(pji_host_read(&host, scripted_platform(s), NULL), PJ_OK);
    assert_int_equal(pji_threads_read(threads, scripted_platform(s), &host, OWN, NULL), PJ_OK);
    pji_host_fini(&host);
}

static void the_busiest_of_each_side(void **state)
{
    (void)state;
    struct scripted *s = scripted_new();
    struct pji_threads before = {0}, after = {0};
    struct pji_busiest b;
    machine(s);
    read_now(s, &before);
    assert_int_equal(before.n, 4);
    scripted_advance_ns(s, 1000000000);
    thread(s, OWN, 100, "perjoule-lab", 950001000);
    thread(s, OWN, 110, "pulse", 10000000);
    thread(s, 102, 103, "engine core", 990007000);
    thread(s, 102, 104, "new", 999000000); /* was not there before */
    thread(s, 200, 200, "stranger", 1000000000);
    read_now(s, &after);
    pji_threads_compare(&before, &after, OWN, scripted_platform(s), &b);
    assert_true(b.known);
    assert_true(fabs(b.client_share - 0.95) < 1e-6 && fabs(b.server_share - 0.99) < 1e-6);
    assert_string_equal(b.client_name, "perjoule-lab");
    assert_string_equal(b.server_name, "engine core");
    pji_threads_fini(&before);
    pji_threads_fini(&after);
    scripted_free(s);
}

static void what_cannot_be_seen_is_unknown(void **state)
{
    (void)state;
    struct scripted *s = scripted_new();
    struct pji_threads before = {0}, after = {0};
    struct pji_busiest b;
    process(s, OWN, 1);
    scripted_file(s, "/proc/100/task/100/schedstat", "nonsense\n");
    scripted_file(s, "/proc/100/task/x/schedstat", "5 5 5\n");
    read_now(s, &before);
    scripted_advance_ns(s, 1000000000);
    read_now(s, &after);
    pji_threads_compare(&before, &after, OWN, scripted_platform(s), &b);
    assert_true(isnan(b.client_share) && isnan(b.server_share));
    pji_threads_fini(&before);
    thread(s, OWN, 100, "perjoule-lab", 1000); /* the look before saw nothing */
    read_now(s, &after);
    pji_threads_compare(&before, &after, OWN, scripted_platform(s), &b);
    assert_true(isnan(b.client_share));
    pji_threads_fini(&after);
    scripted_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_busiest_of_each_side),
        cmocka_unit_test(what_cannot_be_seen_is_unknown),
    };
    return cmocka_run_group_tests_name("threads", tests, NULL, NULL);
}
