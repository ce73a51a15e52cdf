/* The scripted platform itself, since other tests trust it. */
#include "scripted_platform.h"

#include "core/units.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static int setup(void **state)
{
    *state = scripted_new();
    return 0;
}

static int teardown(void **state)
{
    scripted_free(*state);
    return 0;
}

static int try_open(struct scripted *s, const char *path)
{
    const struct pji_platform *p = scripted_platform(s);
    return p->ops->open(p->context, path);
}

static void must_close(struct scripted *s, int handle)
{
    const struct pji_platform *p = scripted_platform(s);
    p->ops->close(p->context, handle);
}

static void test_files(void **state)
{
    struct scripted *s = *state;
    const struct pji_platform *p = scripted_platform(s);
    char text[64];
    int64_t value;
    scripted_file(s, "/sys/a/name", "package-0\n");
    scripted_filef(s, "/sys/a/energy", "%d\n", 42);
    assert_int_equal(pji_read_text(p, "/sys/a/name", text, sizeof text, NULL, NULL), PJ_OK);
    assert_string_equal(text, "package-0");
    assert_int_equal(pji_read_i64(p, "/sys/a/energy", &value, NULL), PJ_OK);
    assert_int_equal(value, 42);
    assert_int_equal(pji_read_i64(p, "/sys/a/none", &value, NULL), PJ_ENOTFOUND);
    assert_int_equal(try_open(s, "/sys/a/name/x"), -ENOTDIR);
    assert_true(pji_path_exists(p, "/sys/a"));
    assert_true(pji_path_exists(p, "/sys/a/name"));
    assert_false(pji_path_exists(p, "/sys/b"));
    assert_int_equal(scripted_open_handles(s), 0);
    assert_int_equal(scripted_counts(s, "/sys/a/name").reads, 1);
}

static int gather(void *arg, const char *name)
{
    strcat(arg, name);
    strcat(arg, " ");
    return strcmp(name, "stop") == 0 ? 7 : 0;
}

static void test_lists_and_links(void **state)
{
    struct scripted *s = *state;
    const struct pji_platform *p = scripted_platform(s);
    char text[64] = "";
    scripted_file(s, "/sys/devices/z:1/name", "x\n");
    scripted_file(s, "/sys/devices/z:0/name", "y\n");
    scripted_file(s, "/sys/devices/z:0/unit", "y\n");
    scripted_dir(s, "/sys/devices/a");
    scripted_link(s, "/sys/class/z", "../devices/z:0");
    scripted_link(s, "/sys/abs", "/sys/class");
    assert_int_equal(p->ops->list(p->context, "/sys/devices", gather, text), 0);
    assert_string_equal(text, "a z:0 z:1 ");
    text[0] = '\0';
    assert_int_equal(p->ops->list(p->context, "/sys/abs/z", gather, text), 0);
    assert_string_equal(text, "name unit ");
    assert_int_equal(p->ops->list(p->context, "/sys/devices/a", gather, text), 0);
    assert_int_equal(p->ops->list(p->context, "/sys/none", gather, text), -ENOENT);
    assert_int_equal(p->ops->list(p->context, "/sys/class/z/name", gather, text), -ENOTDIR);
    scripted_dir(s, "/stop/stop");
    scripted_dir(s, "/stop/stopped");
    assert_int_equal(p->ops->list(p->context, "/stop", gather, text), 7);

    assert_int_equal(pji_read_text(p, "/sys/abs/z/name", text, sizeof text, NULL, NULL), PJ_OK);
    assert_string_equal(text, "y");
    assert_int_equal(p->ops->readlink(p->context, "/sys/class/z", text, sizeof text), 14);
    assert_string_equal(text, "../devices/z:0");
    assert_int_equal(p->ops->readlink(p->context, "/sys/class/z", text, 4), 3);
    assert_string_equal(text, "../");
    assert_int_equal(p->ops->readlink(p->context, "/sys/devices", text, sizeof text), -EINVAL);
    scripted_link(s, "/loop", "/loop");
    assert_int_equal(try_open(s, "/loop"), -ELOOP);
    assert_false(pji_path_exists(p, "/loop"));
}

static void test_steps(void **state)
{
    struct scripted *s = *state;
    const struct pji_platform *p = scripted_platform(s);
    uint64_t value = 0;
    scripted_file(s, "/e", "1\n");
    int handle = try_open(s, "/e");
    assert_int_equal(pji_pread_u64(p, handle, &value), 0);
    scripted_then(s, "/e",
                  (struct scripted_step[]){{.text = "10\n"},
                                           {.sys_errno = EIO},
                                           {.text = NULL, .latency_ns = 500},
                                           {.text = "30\n"}},
                  4);
    const int want[] = {10, -EIO, 10, 30, 30};
    for (size_t i = 0; i < 5; i++) {
        int64_t before = pji_now_ns(p);
        int rc = pji_pread_u64(p, handle, &value);
        assert_int_equal(rc == 0 ? (int)value : rc, want[i]);
        assert_int_equal(pji_now_ns(p) - before, i == 2 ? 500 : 0);
    }
    scripted_fail_read(s, "/e", ENODATA, 2);
    assert_int_equal(pji_pread_u64(p, handle, &value), -ENODATA);
    assert_int_equal(pji_pread_u64(p, handle, &value), -ENODATA);
    assert_int_equal(pji_pread_u64(p, handle, &value), 0);
    scripted_fail_read(s, "/e", EIO, -1);
    for (int i = 0; i < 5; i++)
        assert_int_equal(pji_pread_u64(p, handle, &value), -EIO);
    scripted_fail_read(s, "/e", 0, 0);
    scripted_remove(s, "/e");
    assert_int_equal(pji_pread_u64(p, handle, &value), -ENODEV);
    assert_int_equal(try_open(s, "/e"), -ENOENT);
    scripted_file(s, "/e", "5\n"); /* plugged in again: the old handle stays dead */
    assert_int_equal(pji_pread_u64(p, handle, &value), -ENODEV);
    assert_int_equal(scripted_open_handles(s), 1);
    must_close(s, handle);
    assert_int_equal(scripted_open_handles(s), 0);
}

static void test_open_failures(void **state)
{
    struct scripted *s = *state;
    const struct pji_platform *p = scripted_platform(s);
    char text[8] = "";
    scripted_file(s, "/d/e", "1\n");
    scripted_fail_open(s, "/d/e", EACCES, 1);
    struct pj_error err = {0};
    assert_int_equal(pji_read_text(p, "/d/e", text, sizeof text, NULL, &err), PJ_EACCESS);
    assert_int_equal(err.sys_errno, EACCES);
    assert_int_equal(pji_read_text(p, "/d/e", text, sizeof text, NULL, NULL), PJ_OK);
    scripted_fail_open(s, "/d", EIO, -1);
    assert_int_equal(p->ops->list(p->context, "/d", gather, text), -EIO);
    assert_int_equal(p->ops->list(p->context, "/d", gather, text), -EIO);
    scripted_fail_open(s, "/d", 0, 0);
    assert_int_equal(p->ops->list(p->context, "/d", gather, text), 0);
    scripted_forget_counts(s);
    assert_int_equal(scripted_counts(s, NULL).opens, 0);
    (void)try_open(s, "/none");
    assert_int_equal(scripted_counts(s, NULL).opens, 1);
    uint64_t value;
    assert_int_equal(pji_pread_u64(p, 99, &value), -EBADF);
    assert_int_equal(pji_pread_u64(p, -1, &value), -EBADF);
}

static int at_one_watt(void *arg, int64_t t_ns, char *text, size_t size)
{
    (void)snprintf(text, size, "%lld\n", (long long)(t_ns - *(const int64_t *)arg) / 1000);
    return 0;
}

static void test_clocks(void **state)
{
    struct scripted *s = *state;
    const struct pji_platform *p = scripted_platform(s);
    int64_t start_ns = pji_now_ns(p);
    int64_t value;
    scripted_computed(s, "/energy_uj", at_one_watt, &start_ns);
    scripted_advance_ns(s, 3 * PJI_NS_PER_S);
    assert_int_equal(pji_read_i64(p, "/energy_uj", &value, NULL), PJ_OK);
    assert_int_equal(value, 3000000);
    scripted_latency(s, "/energy_uj", 2 * PJI_NS_PER_MS);
    assert_int_equal(pji_read_i64(p, "/energy_uj", &value, NULL), PJ_OK);
    assert_int_equal(value, 3001000); /* taken in the middle */
    assert_int_equal(pji_now_ns(p), start_ns + 3 * PJI_NS_PER_S + 2 * PJI_NS_PER_MS);
    int64_t wall_ns = pji_wall_ns(p);
    scripted_suspend_ns(s, 7);
    assert_int_equal(pji_wall_ns(p), wall_ns + 7);
    assert_int_equal(pji_now_ns(p) + 7, p->ops->clock_ns(p->context, PJI_CLOCK_BOOTTIME));
    scripted_set_ns(s, PJI_CLOCK_THREAD, 5);
    assert_int_equal(p->ops->clock_ns(p->context, PJI_CLOCK_THREAD), 5);
    assert_int_equal(p->ops->clock_ns(p->context, PJI_CLOCK_PROCESS), 0);
}

static void test_perf(void **state)
{
    struct scripted *s = *state;
    const struct pji_platform *p = scripted_platform(s);
    uint64_t count = 0;
    const char *path = scripted_perf(s, 24, 2, 0, "18446744073709551615");
    assert_int_equal(p->ops->perf_open(p->context, 24, 2, 1), -ENOENT);
    int handle = p->ops->perf_open(p->context, 24, 2, 0);
    assert_true(handle >= 0);
    assert_int_equal(p->ops->pread(p->context, handle, &count, sizeof count, 0), 8);
    assert_true(count == UINT64_MAX);
    scripted_file(s, path, "456");
    assert_int_equal(p->ops->pread(p->context, handle, &count, sizeof count, 0), 8);
    assert_int_equal(count, 456);
    must_close(s, handle);
    scripted_fail_open(s, path, EACCES, -1);
    assert_int_equal(p->ops->perf_open(p->context, 24, 2, 0), -EACCES);
}

static int answer(void)
{
    return 42;
}

static void test_libraries(void **state)
{
    struct scripted *s = *state;
    const struct pji_platform *p = scripted_platform(s);
    const struct scripted_symbol symbols[] = {{"answer", (void (*)(void))answer}, {NULL, NULL}};
    char why[80] = "";
    scripted_library(s, "libx.so.1", symbols);
    assert_null(p->ops->lib_open(p->context, "liby.so", why, sizeof why));
    assert_non_null(strstr(why, "liby.so"));
    void *library = p->ops->lib_open(p->context, "libx.so.1", why, sizeof why);
    assert_non_null(library);
    assert_null(p->ops->lib_symbol(p->context, library, "none"));
    void *address = p->ops->lib_symbol(p->context, library, "answer");
    int (*function)(void);
    memcpy(&function, &address, sizeof function);
    assert_int_equal(function(), 42);
    assert_int_equal(scripted_open_handles(s), 1);
    p->ops->lib_close(p->context, library);
    assert_int_equal(scripted_open_handles(s), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_files, setup, teardown),
        cmocka_unit_test_setup_teardown(test_lists_and_links, setup, teardown),
        cmocka_unit_test_setup_teardown(test_steps, setup, teardown),
        cmocka_unit_test_setup_teardown(test_open_failures, setup, teardown),
        cmocka_unit_test_setup_teardown(test_clocks, setup, teardown),
        cmocka_unit_test_setup_teardown(test_perf, setup, teardown),
        cmocka_unit_test_setup_teardown(test_libraries, setup, teardown),
    };
    return cmocka_run_group_tests_name("scripted", tests, NULL, NULL);
}
