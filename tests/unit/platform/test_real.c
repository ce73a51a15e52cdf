/* The machine itself and trees that stand for it: nothing outside a root may be reached. */
#include "platform/platform.h"

#include "core/units.h"
#include "platform/root.h"
#include "temp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct tree {
    char dir[TEMP_PATH];
    struct pji_platform platform;
};

static void link_in(const char *dir, const char *path, const char *target)
{
    char full[TEMP_PATH + 64];
    (void)snprintf(full, sizeof full, "%s/%s", dir, path);
    assert_int_equal(symlink(target, full), 0);
}

static int setup(void **state)
{
    static struct tree tree; /* one at a time */
    temp_open(tree.dir);
    temp_write(tree.dir, "sys/devices/z0/energy", "42\n");
    temp_write(tree.dir, "sys/devices/z0/name", "package-0\n");
    temp_write(tree.dir, "sys/class/zone/dummy", "");
    temp_write(tree.dir, "etc/passwd", "inside\n");
    link_in(tree.dir, "sys/class/zone/relative", "../../devices/z0");
    link_in(tree.dir, "sys/class/zone/absolute", "/sys/devices/z0");
    link_in(tree.dir, "sys/class/zone/escape", "../../../../../../../../etc/passwd");
    link_in(tree.dir, "sys/class/zone/out", "/etc/passwd");
    link_in(tree.dir, "sys/class/zone/dangling", "/sys/none");
    link_in(tree.dir, "sys/class/zone/loop", "loop");
    link_in(tree.dir, "sys/class/zone/twice", "absolute/../z0/./energy");
    assert_int_equal(pji_platform_open_real(&tree.platform, tree.dir, NULL), PJ_OK);
    *state = &tree;
    return 0;
}

static int teardown(void **state)
{
    struct tree *tree = *state;
    pji_platform_close_real(&tree->platform);
    pji_platform_close_real(&tree->platform); /* twice is fine */
    temp_close(tree->dir);
    return 0;
}

static int gather(void *arg, const char *name)
{
    strcat(arg, name);
    strcat(arg, " ");
    return strcmp(name, "loop") == 0 && strstr(arg, "STOP") ? 5 : 0;
}

static void test_rooted(void **state)
{
    struct tree *tree = *state;
    const struct pji_platform *p = &tree->platform;
    char text[256];
    int64_t value;
    size_t len;
    assert_true(p->rooted);
    assert_int_equal(pji_read_i64(p, "/sys/devices/z0/energy", &value, NULL), PJ_OK);
    assert_int_equal(value, 42);
    assert_int_equal(pji_read_i64(p, "/sys/class/zone/relative/energy", &value, NULL), PJ_OK);
    assert_int_equal(pji_read_i64(p, "/sys/class/zone/absolute/energy", &value, NULL), PJ_OK);
    assert_int_equal(pji_read_i64(p, "/sys/class/zone/twice", &value, NULL), PJ_OK);
    const char *const inside[] = {"/sys/class/zone/escape", "/sys/class/zone/out",
                                  "/../../etc/passwd", NULL};
    for (size_t i = 0; inside[i]; i++) {
        assert_int_equal(pji_read_text(p, inside[i], text, sizeof text, &len, NULL), PJ_OK);
        assert_string_equal(text, "inside");
        assert_int_equal(len, 6);
    }
    assert_int_equal(pji_read_i64(p, "/proc/uptime", &value, NULL), PJ_ENOTFOUND);
    assert_int_equal(pji_read_i64(p, "/sys/class/zone/dangling", &value, NULL), PJ_ENOTFOUND);
    struct pj_error err = {0};
    assert_int_equal(pji_read_i64(p, "/sys/class/zone/loop", &value, &err), PJ_EIO);
    assert_int_equal(err.sys_errno, ELOOP);
    assert_true(pji_path_exists(p, "/sys/class/zone/absolute"));
    assert_true(pji_path_exists(p, "/sys/class/zone"));
    assert_true(pji_path_exists(p, "/"));
    assert_false(pji_path_exists(p, "/sys/class/zone/dangling"));
    assert_false(pji_path_exists(p, "/sys/class/zone/loop"));
    assert_false(pji_path_exists(p, "/proc"));
    assert_int_equal(p->ops->perf_open(p->context, PERF_TYPE_SOFTWARE, 0, 0), -ENOENT);
}

static void test_list_and_readlink(void **state)
{
    struct tree *tree = *state;
    const struct pji_platform *p = &tree->platform;
    char text[256] = "";
    assert_int_equal(p->ops->list(p->context, "/sys/class/zone", gather, text), 0);
    assert_string_equal(text, "absolute dangling dummy escape loop out relative twice ");
    (void)snprintf(text, sizeof text, "STOP ");
    assert_int_equal(p->ops->list(p->context, "/sys/class/zone", gather, text), 5);
    assert_null(strstr(text, "out"));
    text[0] = '\0';
    assert_int_equal(p->ops->list(p->context, "/sys/class/zone/absolute", gather, text), 0);
    assert_string_equal(text, "energy name ");
    assert_int_equal(p->ops->list(p->context, "/none", gather, text), -ENOENT);
    assert_int_equal(p->ops->list(p->context, "/etc/passwd", gather, text), -ENOTDIR);
    assert_int_equal(p->ops->readlink(p->context, "/sys/class/zone/relative", text, sizeof text),
                     16);
    assert_string_equal(text, "../../devices/z0");
    assert_int_equal(p->ops->readlink(p->context, "/sys/class/zone/relative", text, 4), 3);
    assert_string_equal(text, "../");
    assert_int_equal(p->ops->readlink(p->context, "/sys/class/zone/relative", text, 0), -EINVAL);
    assert_int_equal(p->ops->readlink(p->context, "/etc/passwd", text, sizeof text), -EINVAL);
    assert_int_equal(p->ops->readlink(p->context, "/etc/none", text, sizeof text), -ENOENT);
}

/* Both ways of resolving give the same file or the same error. */
static void test_resolving_by_hand(void **state)
{
    struct tree *tree = *state;
    int root = open(tree->dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    assert_true(root >= 0);
    if (!pji_root_kernel_resolves(root))
        print_message("this kernel has no openat2: only resolving by hand is tested\n");
    const char *const paths[] = {"/",
                                 "/sys",
                                 "/sys/",
                                 "/sys/devices/z0/energy",
                                 "//sys///devices/./z0/../z0/energy",
                                 "/sys/class/zone/relative/energy",
                                 "/sys/class/zone/absolute/name",
                                 "/sys/class/zone/escape",
                                 "/sys/class/zone/out",
                                 "/sys/class/zone/twice",
                                 "/sys/class/zone/loop",
                                 "/sys/class/zone/dangling",
                                 "/../../etc/passwd",
                                 "/etc/passwd/x",
                                 "/none/x",
                                 NULL};
    const int flags[] = {O_RDONLY, O_PATH | O_NOFOLLOW, O_RDONLY | O_DIRECTORY};
    for (size_t f = 0; f < 3; f++) {
        for (size_t i = 0; paths[i]; i++) {
            int kernel = pji_root_open(root, pji_root_kernel_resolves(root), paths[i], flags[f]);
            int hand = pji_root_open(root, false, paths[i], flags[f]);
            struct stat a = {0}, b = {0};
            if ((kernel < 0 || hand < 0) && kernel != hand)
                fail_msg("%s (%zu): %d by the kernel, %d by hand", paths[i], f, kernel, hand);
            if (kernel < 0)
                continue;
            assert_int_equal(fstat(kernel, &a), 0);
            assert_int_equal(fstat(hand, &b), 0);
            assert_true(a.st_ino == b.st_ino && a.st_dev == b.st_dev);
            assert_true(fcntl(hand, F_GETFD) & FD_CLOEXEC);
            close(kernel);
            close(hand);
        }
    }
    char longest[5000];
    memset(longest, 'x', sizeof longest);
    longest[0] = '/';
    longest[300] = '\0';
    assert_int_equal(pji_root_open(root, false, longest, O_RDONLY), -ENAMETOOLONG);
    longest[300] = 'x';
    longest[4999] = '\0';
    assert_int_equal(pji_root_open(root, false, longest, O_RDONLY), -ENAMETOOLONG);
    close(root);
}

static void test_reading(void **state)
{
    struct tree *tree = *state;
    const struct pji_platform *p = &tree->platform;
    char text[8];
    int64_t value = 7;
    struct pj_error err = {0};
    temp_write(tree->dir, "f/exact", "1234567");
    temp_write(tree->dir, "f/long", "12345678");
    temp_write(tree->dir, "f/empty", "");
    temp_write(tree->dir, "f/spaces", " 42 \n");
    temp_write(tree->dir, "f/word", "4x2\n");
    temp_write(tree->dir, "f/two", "1\n2\n");
    assert_int_equal(pji_read_text(p, "/f/exact", text, sizeof text, NULL, NULL), PJ_OK);
    assert_string_equal(text, "1234567");
    assert_int_equal(pji_read_text(p, "/f/long", text, sizeof text, NULL, &err), PJ_EINVAL);
    assert_string_equal(text, "");
    assert_non_null(strstr(err.text, "/f/long"));
    assert_int_equal(pji_read_text(p, "/f/long", text, 0, NULL, NULL), PJ_EINVAL);
    assert_int_equal(pji_read_text(p, "/f", text, sizeof text, NULL, NULL), PJ_EIO);
    assert_int_equal(pji_read_i64(p, "/f/spaces", &value, NULL), PJ_OK);
    assert_int_equal(value, 42);
    pji_error_clear(&err);
    assert_int_equal(pji_read_i64(p, "/f/word", &value, &err), PJ_EINVAL);
    assert_string_equal(err.text, "/f/word: '4x2' is not a whole number");
    assert_int_equal(pji_read_i64(p, "/f/empty", &value, NULL), PJ_EINVAL);
    assert_int_equal(pji_read_i64(p, "/f/two", &value, NULL), PJ_EINVAL);
    assert_int_equal(value, 42);
}

static int read_u64(const struct tree *tree, const char *text, uint64_t *value)
{
    const struct pji_platform *p = &tree->platform;
    temp_write(tree->dir, "u64", text);
    int handle = p->ops->open(p->context, "/u64");
    assert_true(handle >= 0);
    assert_true(fcntl(handle, F_GETFD) & FD_CLOEXEC);
    int rc = pji_pread_u64(p, handle, value);
    p->ops->close(p->context, handle);
    return rc;
}

static void test_pread_u64(void **state)
{
    struct tree *tree = *state;
    uint64_t value = 0;
    assert_int_equal(read_u64(tree, "18446744073709551615\n", &value), 0);
    assert_true(value == UINT64_MAX);
    assert_int_equal(read_u64(tree, "0", &value), 0);
    assert_int_equal(value, 0);
    assert_int_equal(read_u64(tree, "7 \n", &value), 0);
    assert_int_equal(value, 7);
    const char *const bad[] = {"",
                               "\n",
                               "-1\n",
                               "18446744073709551616\n",
                               "1 2\n",
                               "1.5\n",
                               "x1\n",
                               "0x1",
                               "<unknown>\n",
                               "000000000000000000000000000000000000000001\n",
                               NULL};
    for (size_t i = 0; bad[i]; i++)
        assert_int_equal(read_u64(tree, bad[i], &value), -EBADMSG);
    assert_int_equal(value, 7);
    assert_int_equal(pji_pread_u64(&tree->platform, 9999, &value), -EBADF);
}

/* A named pipe below the root must not hold the program up. */
static void test_pipe(void **state)
{
    struct tree *tree = *state;
    char path[TEMP_PATH + 8], text[8];
    (void)snprintf(path, sizeof path, "%s/fifo", tree->dir);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_true(pji_path_exists(&tree->platform, "/fifo"));
    assert_int_equal(pji_read_text(&tree->platform, "/fifo", text, sizeof text, NULL, NULL),
                     PJ_EIO);
}

static void test_machine(void **state)
{
    (void)state;
    struct pji_platform p;
    char text[256];
    assert_int_equal(pji_platform_open_real(&p, NULL, NULL), PJ_OK);
    assert_false(p.rooted);
    assert_int_equal(pji_read_text(&p, "/proc/self/comm", text, sizeof text, NULL, NULL), PJ_OK);
    assert_string_equal(text, "test_platform_r"); /* 15 characters of this program's name */
    assert_true(p.ops->readlink(p.context, "/proc/self/exe", text, sizeof text) > 0);
    assert_non_null(strstr(text, "test_platform_real"));
    int64_t t_ns = pji_now_ns(&p);
    assert_true(t_ns > 0 && pji_now_ns(&p) >= t_ns);
    assert_true(pji_wall_ns(&p) > INT64_C(1700000000) * PJI_NS_PER_S);
    assert_true(p.ops->clock_ns(p.context, PJI_CLOCK_BOOTTIME) >= t_ns);
    assert_true(p.ops->clock_ns(p.context, PJI_CLOCK_PROCESS) > 0);
    assert_true(p.ops->clock_ns(p.context, PJI_CLOCK_THREAD) > 0);
    p.ops->close(p.context, -1);
    pji_platform_close_real(&p);

    struct pj_error err = {0};
    assert_int_equal(pji_platform_open_real(&p, "/no/such/root", &err), PJ_ENOTFOUND);
    assert_non_null(strstr(err.text, "/no/such/root"));
    assert_int_equal(pji_platform_open_real(&p, "/proc/self/exe", NULL), PJ_EIO);
}

static void test_perf(void **state)
{
    (void)state;
    struct pji_platform p;
    assert_int_equal(pji_platform_open_real(&p, NULL, NULL), PJ_OK);
    int no_such = p.ops->perf_open(p.context, UINT32_MAX, 0, 0);
    assert_true(no_such == -ENOENT || no_such == -EACCES); /* EACCES: perf_event_paranoid */
    int handle = p.ops->perf_open(p.context, PERF_TYPE_SOFTWARE, PERF_COUNT_SW_CPU_CLOCK, 0);
    if (handle < 0) {
        pji_platform_close_real(&p);
        print_message("skipped: perf_event_open gives errno %d here\n", -handle);
        skip();
    }
    uint64_t first = 0, second = 0;
    assert_int_equal(p.ops->pread(p.context, handle, &first, sizeof first, 0), 8);
    assert_int_equal(p.ops->pread(p.context, handle, &second, sizeof second, 0), 8);
    assert_true(second >= first);
    p.ops->close(p.context, handle);
    assert_int_equal(p.ops->pread(p.context, handle, &first, sizeof first, 0), -EBADF);
    pji_platform_close_real(&p);
}

static void test_libraries(void **state)
{
    (void)state;
    struct pji_platform p;
    char why[200] = "";
    assert_int_equal(pji_platform_open_real(&p, NULL, NULL), PJ_OK);
    assert_null(p.ops->lib_open(p.context, "libperjoule-none.so", why, sizeof why));
    assert_non_null(strstr(why, "libperjoule-none.so"));
    void *library = p.ops->lib_open(p.context, "libm.so.6", why, sizeof why);
    assert_non_null(library);
    assert_non_null(p.ops->lib_symbol(p.context, library, "cos"));
    assert_null(p.ops->lib_symbol(p.context, library, "perjoule_none"));
    p.ops->lib_close(p.context, library);
    p.ops->lib_close(p.context, NULL);
    pji_platform_close_real(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_rooted, setup, teardown),
        cmocka_unit_test_setup_teardown(test_list_and_readlink, setup, teardown),
        cmocka_unit_test_setup_teardown(test_resolving_by_hand, setup, teardown),
        cmocka_unit_test_setup_teardown(test_reading, setup, teardown),
        cmocka_unit_test_setup_teardown(test_pread_u64, setup, teardown),
        cmocka_unit_test_setup_teardown(test_pipe, setup, teardown),
        cmocka_unit_test(test_machine),
        cmocka_unit_test(test_perf),
        cmocka_unit_test(test_libraries),
    };
    return cmocka_run_group_tests_name("real", tests, NULL, NULL);
}
