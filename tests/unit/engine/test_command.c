/* Any program as an engine: exit codes, folder, environment, output, and nothing left. */
#include "actor.h"
#include "bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void set_up(struct bench *b, const char *const *argv)
{
    bench_open(b, "command");
    bench_set_list(b, "run", argv);
}

static void tear_down(struct bench *b)
{
    assert_int_equal(bench_stop(b), PJ_OK);
    assert_int_equal(actor_left(b->mark), 0);
    bench_close(b);
}

static int run(struct bench *b)
{
    int64_t start_ns = 0;
    int64_t end_ns = 0;
    int code = -1;
    bench_must_start(b);
    if (b->ops->run(b->state, &start_ns, &end_ns, &code, &b->err))
        fail_msg("%s", b->err.text);
    assert_true(start_ns > 0 && end_ns > start_ns);
    return code;
}

static int run_shell(const char *line)
{
    struct bench b;
    set_up(&b, (const char *const[]){"sh", "-c", line, NULL});
    int code = run(&b);
    tear_down(&b);
    return code;
}

static void test_exit_codes(void **state)
{
    (void)state;
    assert_int_equal(run_shell("exit 0"), 0);
    assert_int_equal(run_shell("exit 9"), 9);
    assert_int_equal(run_shell("kill -KILL $$"), 128 + 9);
}

static void read_log(const struct bench *b, char *text, size_t size)
{
    FILE *file = fopen(b->log_path, "re");
    assert_non_null(file);
    size_t n = fread(text, 1, size - 1, file);
    text[n] = '\0';
    fclose(file);
}

static void test_folder_environment_output(void **state)
{
    (void)state;
    struct bench b;
    char text[512];
    char wanted[512];
    set_up(&b, (const char *const[]){"sh", "-c",
                                     "pwd; echo \"$PERJOULE_FACTOR_SIZE,$PERJOULE_TRIAL\" >&2; cat",
                                     NULL});
    b.env.env = (const char *const[]){"PERJOULE_FACTOR_SIZE=two words", "PERJOULE_TRIAL=4", NULL};
    assert_int_equal(run(&b), 0);
    read_log(&b, text, sizeof text);
    snprintf(wanted, sizeof wanted, "%s\ntwo words,4\n", b.dir);
    assert_string_equal(text, wanted);
    tear_down(&b);
}

/* The program does not run before `run`: the meter takes its baseline in between. */
static void test_held(void **state)
{
    (void)state;
    struct bench b;
    char file[96];
    set_up(&b, (const char *const[]){"touch", "made", NULL});
    snprintf(file, sizeof file, "%s/made", b.dir);
    bench_must_start(&b);
    usleep(50000);
    assert_int_equal(access(file, F_OK), -1);
    int64_t start_ns = 0;
    int64_t end_ns = 0;
    int code = -1;
    assert_int_equal(b.ops->run(b.state, &start_ns, &end_ns, &code, &b.err), PJ_OK);
    assert_int_equal(code, 0);
    assert_int_equal(access(file, F_OK), 0);
    tear_down(&b);
}

static void test_cannot_run(void **state)
{
    (void)state;
    static const char *const programs[] = {"no-such-program-here", "./plain"};
    static const pj_status status[] = {PJ_ENOTFOUND, PJ_EACCESS};
    for (size_t i = 0; i < 2; i++) {
        struct bench b;
        int64_t start_ns = 0;
        int64_t end_ns = 0;
        int code = -1;
        set_up(&b, (const char *const[]){programs[i], NULL});
        temp_write(b.dir, "plain", "not executable");
        bench_must_start(&b);
        assert_int_equal(b.ops->run(b.state, &start_ns, &end_ns, &code, &b.err), status[i]);
        assert_int_equal(code, -1);
        assert_non_null(strstr(b.err.text, "cannot run"));
        assert_non_null(strstr(b.err.text, programs[i]));
        tear_down(&b);
    }
}

static void test_canceled(void **state)
{
    (void)state;
    struct bench b;
    int64_t start_ns = 0;
    int64_t end_ns = 0;
    int code = -1;
    set_up(&b, (const char *const[]){"sleep", "1000", NULL});
    bench_must_start(&b);
    assert_int_equal(write(b.stop_pipe[1], "x", 1), 1);
    assert_int_equal(b.ops->run(b.state, &start_ns, &end_ns, &code, &b.err), PJ_ECANCELED);
    tear_down(&b);
}

static void test_time_limit(void **state)
{
    (void)state;
    struct bench b;
    int64_t start_ns = 0;
    int64_t end_ns = 0;
    int code = -1;
    set_up(&b, (const char *const[]){"sleep", "1000", NULL});
    b.env.run_limit_ns = 50000000;
    bench_must_start(&b);
    assert_int_equal(b.ops->run(b.state, &start_ns, &end_ns, &code, &b.err), PJ_ETIMEOUT);
    tear_down(&b);
}

static void test_what_it_left_is_ended(void **state)
{
    (void)state;
    struct bench b;
    set_up(&b, (const char *const[]){"sh", "-c", "setsid sleep 1000 & exit 3", NULL});
    assert_int_equal(run(&b), 3);
    tear_down(&b);
}

static void test_bad_settings(void **state)
{
    (void)state;
    struct bench b;
    bench_open(&b, "command");
    assert_int_equal(bench_check(&b), PJ_EINVAL);
    assert_non_null(strstr(b.err.text, "run: [program"));
    bench_set(&b, "run", "echo hello");
    assert_int_equal(bench_check(&b), PJ_EINVAL);
    assert_non_null(strstr(b.err.text, "must be a list"));
    b.n = 0;
    bench_set_list(&b, "run", (const char *const[]){NULL});
    assert_int_equal(bench_check(&b), PJ_EINVAL);
    b.n = 0;
    bench_set_list(&b, "run", (const char *const[]){"", NULL});
    assert_int_equal(bench_check(&b), PJ_EINVAL);
    tear_down(&b);
}

int main(int argc, char **argv)
{
    int code = 0;
    if (actor_play(argc, argv, &code))
        return code;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exit_codes),
        cmocka_unit_test(test_folder_environment_output),
        cmocka_unit_test(test_held),
        cmocka_unit_test(test_cannot_run),
        cmocka_unit_test(test_canceled),
        cmocka_unit_test(test_time_limit),
        cmocka_unit_test(test_what_it_left_is_ended),
        cmocka_unit_test(test_bad_settings),
    };
    return cmocka_run_group_tests_name("command", tests, NULL, NULL);
}
