/* A session from outside: options, what it lists, what it refuses, forks, signals, its trace. */
#include "session_of.h"

#include "energy/trace.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

static struct live_tree tree;

static struct pj_session_options on_tree(void)
{
    return (struct pj_session_options){
        .size = sizeof(struct pj_session_options), .root = tree.dir, .interval_ns = 10 * MS};
}

static void refused(const struct pj_session_options *options, pj_status status, const char *words)
{
    struct pj_error err = {0};
    struct pj_session *session = (struct pj_session *)(void *)&err;

    assert_int_equal(pj_session_open(&session, options, &err), status);
    assert_null(session);
    assert_int_equal(err.code, status);
    if (!strstr(err.text, words))
        fail_msg("'%s' does not say '%s'", err.text, words);
}

static void wrong_options_are_refused_by_name(void **state)
{
    (void)state;
    struct pj_session_options options = on_tree();

    options.size = 0;
    refused(&options, PJ_EINVAL, "size");
    options = on_tree();
    options.interval_ns = 99999;
    refused(&options, PJ_EINVAL, "interval_ns");
    options.interval_ns = -1;
    refused(&options, PJ_EINVAL, "interval_ns");
    options = on_tree();
    options.max_windows = (1 << 20) + 1;
    refused(&options, PJ_EINVAL, "max_windows");
    options = on_tree();
    options.root = "/nonexistent/root";
    refused(&options, PJ_ENOTFOUND, "/nonexistent/root");
    options = on_tree();
    options.trace_path = "/nonexistent/folder/t.jsonl";
    refused(&options, PJ_ENOTFOUND, "/nonexistent/folder/t.jsonl");
    options = on_tree();
    options.trace_path = "/dev/full"; /* the header cannot be written */
    refused(&options, PJ_ENOSPC, "trace");
}

/* A program built with an older or a newer header. */
static void other_sizes_of_options_are_understood(void **state)
{
    (void)state;
    struct {
        struct pj_session_options known;
        int64_t later;
    } options = {.known = on_tree()};

    options.known.size = sizeof options;
    pj_session_close(session_of(&options.known));
    options.later = 1;
    refused(&options.known, PJ_EINVAL, "later");
    options.known.size = offsetof(struct pj_session_options, trace_path);
    options.known.trace_path = "/nonexistent/folder/t.jsonl"; /* beyond the caller's struct */
    pj_session_close(session_of(&options.known));
}

static void what_is_read_is_listed(void **state)
{
    (void)state;
    struct pj_session_options options = on_tree();
    struct pj_session *session = session_of(&options);
    size_t n = pj_session_source_count(session), packages = 0;

    for (size_t i = 0; i < n; i++) {
        const struct pj_source *source = pj_session_source(session, i);

        if (strcmp(source->instrument, "rapl_powercap") == 0) {
            assert_int_equal(source->origin, PJ_ORIGIN_COUNTER);
            packages += strcmp(source->kind, "package") == 0;
        }
    }
    assert_int_equal(packages, 2);
    assert_null(pj_session_source(session, n));
    assert_null(pj_session_missing(session, pj_session_missing_count(session)));
    pj_session_close(session);
}

static void nothing_to_read_is_missing_with_a_reason(void **state)
{
    (void)state;
    char dir[TEMP_PATH];
    struct pj_session_options options = on_tree();

    temp_open(dir);
    options.root = dir;
    struct pj_session *session = session_of(&options);
    pj_window window = begin(session, NULL);
    end(session, window);
    struct pj_result *result = result_of(session, window);
    assert_true(pj_session_missing_count(session) > 0);
    assert_true(pj_session_missing(session, 0)->reason[0] != '\0');
    assert_false(pj_energy_valid(&result->total));
    assert_true(result->total.reason[0] != '\0');
    assert_string_equal(result->label, "nothing measured");
    assert_string_equal(result->name, "");
    pj_session_close(session);
    assert_int_equal(result->total.origin, PJ_ORIGIN_MISSING); /* results outlive the session */
    pj_result_free(result);
    temp_close(dir);
}

static void the_wrong_order_is_refused(void **state)
{
    (void)state;
    struct pj_session_options options = on_tree();
    struct pj_session *session = session_of(&options);
    struct pj_result *result = NULL;
    struct pj_error err = {0};
    char name[PJ_WINDOW_NAME + 1];
    pj_window window = begin(session, "w"), other = 1;

    assert_int_equal(pj_window_read(session, window, 0, &result, &err), PJ_ESTATE);
    assert_null(result);
    assert_non_null(strstr(err.text, "not ended"));
    end(session, window);
    assert_int_equal(pj_window_end(session, window, NULL), PJ_ESTATE);
    assert_int_equal(pj_window_free(session, window, NULL), PJ_OK);
    assert_int_equal(pj_window_end(session, window, NULL), PJ_EINVAL);
    assert_int_equal(pj_window_read(session, window, 0, &result, NULL), PJ_EINVAL);
    assert_int_equal(pj_window_free(session, window, NULL), PJ_EINVAL);
    memset(name, 'x', sizeof name);
    name[PJ_WINDOW_NAME] = '\0';
    assert_int_equal(pj_window_begin(session, name, &other, NULL), PJ_EINVAL);
    assert_int_equal(other, 0);
    name[PJ_WINDOW_NAME - 1] = '\0';
    end(session, begin(session, name));
    assert_int_equal(pj_window_begin(session, "\xff", &other, NULL), PJ_EINVAL);
    assert_int_equal(pj_session_stop(session, NULL), PJ_OK);
    assert_int_equal(pj_session_stop(session, NULL), PJ_OK);
    assert_int_equal(pj_window_begin(session, "late", &other, NULL), PJ_ESTATE);
    pj_session_close(session);
    pj_session_close(NULL);
    pj_result_free(NULL);
}

static void as_many_windows_as_asked_for(void **state)
{
    (void)state;
    struct pj_session_options options = on_tree();
    struct pj_error err = {0};
    pj_window one_more = 1;

    options.max_windows = 3;
    struct pj_session *session = session_of(&options);
    pj_window first = begin(session, "1");
    (void)begin(session, "2");
    (void)begin(session, "3");
    assert_int_equal(pj_window_begin(session, "4", &one_more, &err), PJ_EBUSY);
    assert_int_equal(one_more, 0);
    assert_int_equal(pj_window_free(session, first, NULL), PJ_OK); /* an open one */
    (void)begin(session, "4");
    pj_session_close(session);
}

/* ---- the process around it ---- */

static void a_forked_child_is_refused_and_does_no_harm(void **state)
{
    (void)state;
    struct pj_session_options options = on_tree();
    struct pj_session *session = session_of(&options);
    pj_window window = begin(session, "parent");
    int status = 0;
    pid_t child = fork();

    if (child == 0) {
        struct pj_error err = {0};
        struct pj_result *result = NULL;
        pj_window other;
        int bad = pj_window_begin(session, "child", &other, &err) != PJ_ESTATE;

        bad |= !strstr(err.text, "fork") || pj_window_end(session, window, NULL) != PJ_ESTATE;
        bad |= pj_window_read(session, window, -1, &result, NULL) != PJ_ESTATE;
        bad |= pj_window_free(session, window, NULL) != PJ_ESTATE;
        bad |= pj_session_stop(session, NULL) != PJ_ESTATE;
        pj_session_close(session);
#ifndef __SANITIZE_THREAD__ /* which cannot start threads in a forked child */
        bad |= pj_session_open(&session, &options, NULL) != PJ_OK; /* one of its own */
        bad |= pj_window_begin(session, "own", &other, NULL) != PJ_OK;
        bad |= pj_window_end(session, other, NULL) != PJ_OK;
        bad |= pj_window_read(session, other, -1, &result, NULL) != PJ_OK;
        pj_result_free(result);
        pj_session_close(session);
#endif
        _exit(bad);
    }
    assert_true(child > 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    end(session, window);
    struct pj_result *result = result_of(session, window);
    assert_true(pj_energy_valid(&result->total));
    pj_result_free(result);
    pj_session_close(session);
}

/* How many threads of this process block all of these signals. */
static size_t threads_that_block(uint64_t mask)
{
    DIR *tasks = opendir("/proc/self/task");
    size_t blocking = 0;

    assert_non_null(tasks);
    for (struct dirent *entry = readdir(tasks); entry; entry = readdir(tasks)) {
        char path[300], line[256];
        unsigned long long blocked = 0;

        (void)snprintf(path, sizeof path, "/proc/self/task/%s/status", entry->d_name);
        FILE *file = fopen(path, "re");
        while (file && fgets(line, sizeof line, file)) {
            if (strncmp(line, "SigBlk:", 7) == 0)
                blocked = strtoull(line + 7, NULL, 16);
        }
        if (file)
            (void)fclose(file);
        blocking += (blocked & mask) == mask;
    }
    (void)closedir(tasks);
    return blocking;
}

static void the_sampler_takes_no_signals(void **state)
{
    (void)state;
    struct pj_session_options options = on_tree();
    sigset_t before = {0}, after = {0};
    /* of what may be blocked: not SIGKILL, SIGSTOP, nor the two that the C library keeps */
    uint64_t mask = 0;

    for (int i = 1; i < 32; i++)
        mask |= i != SIGKILL && i != SIGSTOP ? UINT64_C(1) << (i - 1) : 0;
    size_t already = threads_that_block(mask);
    (void)pthread_sigmask(SIG_SETMASK, NULL, &before);
    struct pj_session *session = session_of(&options);
    (void)pthread_sigmask(SIG_SETMASK, NULL, &after);
    assert_memory_equal(&before, &after, sizeof before); /* the caller's is as it was */
    pj_window window = begin(session, "w");
    end(session, window);
    pj_result_free(result_of(session, window)); /* the thread is on its way: past its creation */
    assert_int_equal(threads_that_block(mask), already + 1);
    pj_session_close(session);
    assert_int_equal(threads_that_block(mask), already);
}

/* ---- its trace ---- */

static void a_trace_that_cannot_be_written_is_said_at_the_end(void **state)
{
    (void)state;
    int fds[2];
    char path[64];
    struct pj_session_options options = on_tree();
    struct pj_error err = {0};

    assert_int_equal(pipe(fds), 0);
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fds[1]);
    options.trace_path = path;
    struct pj_session *session = session_of(&options);
    (void)close(fds[0]);
    pj_window window = begin(session, "w");
    pause_ms(30);
    end(session, window);
    struct pj_result *result = result_of(session, window); /* measuring went on */
    assert_true(pj_energy_valid(&result->total));
    pj_result_free(result);
    assert_true(pj_session_stop(session, &err) < 0);
    assert_non_null(strstr(err.text, "trace"));
    pj_session_close(session);
    (void)close(fds[1]);
}

/* SIGPIPE ends a program that did not expect it: none may come of us, and one of others stays. */
static void a_reader_that_goes_away_raises_no_signal(void **state)
{
    (void)state;
    int fds[2];
    char path[64];
    struct pj_session_options options = on_tree();
    sigset_t pending;

    assert_int_equal(pipe(fds), 0);
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fds[1]);
    options.trace_path = path;
    options.interval_ns = 3600 * INT64_C(1000000000);
    struct pj_session *session = session_of(&options);
    pj_window window = begin(session, "w");
    end(session, window);
    (void)close(fds[0]);
    assert_int_equal(pj_window_free(session, window, NULL), PJ_OK); /* writes its event */
    assert_int_equal(pj_session_stop(session, NULL), PJ_EPEER);
    pj_session_close(session);
    (void)sigpending(&pending);
    assert_int_equal(sigismember(&pending, SIGPIPE), 0);
    assert_true(pj_session_open(&session, &options, NULL) < 0); /* the header finds no reader */
    (void)close(fds[1]);
}

static void descriptors_are_given_back(void **state)
{
    (void)state;
    struct pj_session_options options = on_tree();
    int before = dup(0);

    (void)close(before);
    for (int i = 0; i < 3; i++)
        pj_session_close(session_of(&options));
    int after = dup(0);
    (void)close(after);
    assert_int_equal(after, before);
}

static int open_tree(void **state)
{
    (void)state;
    live_tree_open(&tree);
    return 0;
}

static int close_tree(void **state)
{
    (void)state;
    live_tree_close(&tree);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrong_options_are_refused_by_name),
        cmocka_unit_test(other_sizes_of_options_are_understood),
        cmocka_unit_test(what_is_read_is_listed),
        cmocka_unit_test(nothing_to_read_is_missing_with_a_reason),
        cmocka_unit_test(the_wrong_order_is_refused),
        cmocka_unit_test(as_many_windows_as_asked_for),
        cmocka_unit_test(a_forked_child_is_refused_and_does_no_harm),
        cmocka_unit_test(the_sampler_takes_no_signals),
        cmocka_unit_test(a_trace_that_cannot_be_written_is_said_at_the_end),
        cmocka_unit_test(a_reader_that_goes_away_raises_no_signal),
        cmocka_unit_test(descriptors_are_given_back),
    };
    return cmocka_run_group_tests(tests, open_tree, close_tree);
}
