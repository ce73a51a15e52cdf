/* Durable files: the old one or the new one, never half of one, and no litter. */
#include "platform/durable.h"

#include "temp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char dir[TEMP_PATH];

static int setup(void **state)
{
    (void)state;
    temp_open(dir);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    temp_close(dir);
    return 0;
}

/* A path in the test's folder; four may be in use at a time. */
static const char *in(const char *name)
{
    static char paths[4][TEMP_PATH + 300];
    static unsigned turn;
    char *path = paths[turn++ % 4];
    (void)snprintf(path, sizeof paths[0], "%s/%s", dir, name);
    return path;
}

static void assert_holds(const char *path, const char *want)
{
    char *text = NULL;
    size_t len = 0;
    assert_int_equal(pji_read_file(path, 1 << 20, &text, &len, NULL), PJ_OK);
    assert_string_equal(text, want);
    assert_int_equal(len, strlen(want));
    free(text);
}

static size_t entries_of(const char *path)
{
    size_t n = 0;
    DIR *open = opendir(path);
    assert_non_null(open);
    while (readdir(open))
        n++;
    closedir(open);
    return n - 2;
}

static void test_write(void **state)
{
    (void)state;
    assert_int_equal(pji_durable_write(in("a"), "one", 3, NULL), PJ_OK);
    assert_holds(in("a"), "one");
    assert_int_equal(pji_durable_write(in("a"), "second", 6, NULL), PJ_OK);
    assert_holds(in("a"), "second");
    assert_int_equal(pji_durable_write(in("a"), NULL, 0, NULL), PJ_OK);
    assert_holds(in("a"), "");
    assert_int_equal(entries_of(dir), 1);
    struct pj_error err = {0};
    assert_int_equal(pji_durable_write(in("none/a"), "x", 1, &err), PJ_ENOTFOUND);
    assert_non_null(strstr(err.text, "none/a"));
    assert_int_equal(mkdir(in("folder"), 0777), 0);
    assert_int_equal(pji_durable_write(in("folder"), "x", 1, NULL), PJ_EIO);
    assert_int_equal(entries_of(dir), 2); /* the temporary file is gone */
    /* a link is replaced, what it named is not touched */
    temp_write(dir, "folder/target", "kept");
    assert_int_equal(symlink("folder/target", in("link")), 0);
    assert_int_equal(pji_durable_write(in("link"), "new", 3, NULL), PJ_OK);
    assert_holds(in("folder/target"), "kept");
    assert_holds(in("link"), "new");
    /* in the current folder */
    char before[4096];
    assert_non_null(getcwd(before, sizeof before));
    assert_int_equal(chdir(dir), 0);
    pj_status status = pji_durable_write("bare", "x", 1, NULL);
    assert_int_equal(chdir(before), 0);
    assert_int_equal(status, PJ_OK);
    assert_holds(in("bare"), "x");
}

static void test_mode(void **state)
{
    (void)state;
    struct stat info;
    mode_t before = umask(027);
    pj_status status = pji_durable_write(in("a"), "x", 1, NULL);
    umask(before);
    assert_int_equal(status, PJ_OK);
    assert_int_equal(stat(in("a"), &info), 0);
    assert_int_equal(info.st_mode & 0777, 0640);
}

/* What a child process returned: exit code, or -1. */
static int wait_for(pid_t pid)
{
    int status;
    if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
        return -1;
    return WEXITSTATUS(status);
}

enum { GOOD = 0, BAD = 1, CANNOT = 77 };

/* In the child: writes until the size limit hits. */
static int write_beyond_limit(void)
{
    static const char big[100000];
    struct rlimit limit = {.rlim_cur = 4096, .rlim_max = 4096};
    struct pj_error err = {0};
    if (signal(SIGXFSZ, SIG_IGN) == SIG_ERR || setrlimit(RLIMIT_FSIZE, &limit))
        return CANNOT;
    pj_status status = pji_durable_write(in("a"), big, sizeof big, &err);
    return status == PJ_EIO && err.sys_errno == EFBIG ? GOOD : BAD;
}

static void test_failed_write_keeps_the_old_file(void **state)
{
    (void)state;
    assert_int_equal(pji_durable_write(in("a"), "old", 3, NULL), PJ_OK);
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0)
        _exit(write_beyond_limit());
    assert_int_equal(wait_for(pid), GOOD);
    assert_holds(in("a"), "old");
    assert_int_equal(entries_of(dir), 1);
}

/* In the child: a file system of 64 KiB, in a namespace of its own. */
static int fill_disk(void)
{
    static const char big[200000];
    if (unshare(CLONE_NEWNS) && unshare(CLONE_NEWUSER | CLONE_NEWNS))
        return CANNOT;
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
        mount("tmpfs", dir, "tmpfs", 0, "size=64k"))
        return CANNOT;
    if (pji_durable_write(in("a"), "old", 3, NULL))
        return BAD;
    struct pj_error err = {0};
    if (pji_durable_write(in("a"), big, sizeof big, &err) != PJ_ENOSPC || err.code != PJ_ENOSPC)
        return BAD;
    char *text = NULL;
    if (pji_read_file(in("a"), 100, &text, NULL, NULL) || strcmp(text, "old") != 0)
        return BAD;
    free(text);
    return entries_of(dir) == 1 ? GOOD : BAD;
}

static void test_full_disk(void **state)
{
    (void)state;
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0)
        _exit(fill_disk());
    int rc = wait_for(pid);
    if (rc == CANNOT) {
        print_message("skipped: a small file system cannot be mounted here\n");
        skip();
    }
    assert_int_equal(rc, GOOD);
}

static void test_rename(void **state)
{
    (void)state;
    struct pj_error err = {0};
    temp_write(dir, "a", "a");
    temp_write(dir, "b", "b");
    assert_int_equal(pji_durable_rename(in("a"), in("b"), true, &err), PJ_EBUSY);
    assert_non_null(strstr(err.text, "/b exists already"));
    assert_holds(in("b"), "b");
    assert_int_equal(pji_durable_rename(in("a"), in("b"), false, NULL), PJ_OK);
    assert_holds(in("b"), "a");
    assert_int_equal(pji_durable_rename(in("b"), in("c"), true, NULL), PJ_OK);
    assert_holds(in("c"), "a");
    assert_int_equal(pji_durable_rename(in("none"), in("d"), false, NULL), PJ_ENOTFOUND);
    assert_int_equal(pji_durable_rename(in("none"), in("d"), true, NULL), PJ_ENOTFOUND);
    /* folders, where rename(2) alone would replace an empty one */
    temp_write(dir, "from/x", "x");
    assert_int_equal(mkdir(in("to"), 0777), 0);
    assert_int_equal(pji_durable_rename(in("from"), in("to"), true, NULL), PJ_EBUSY);
    assert_int_equal(pji_durable_rename(in("from/"), in("to2"), true, NULL), PJ_OK);
    assert_holds(in("to2/x"), "x");
}

static void test_sync(void **state)
{
    (void)state;
    temp_write(dir, "a", "a");
    assert_int_equal(pji_durable_sync_file(in("a"), NULL), PJ_OK);
    assert_int_equal(pji_durable_sync_dir(dir, NULL), PJ_OK);
    assert_int_equal(pji_durable_sync_dir(in("a"), NULL), PJ_EIO);
    assert_int_equal(pji_durable_sync_file(in("none"), NULL), PJ_ENOTFOUND);
}

static void test_make_dirs(void **state)
{
    (void)state;
    struct stat info;
    assert_int_equal(pji_make_dirs(in("x/y//z/"), NULL), PJ_OK);
    assert_int_equal(stat(in("x/y/z"), &info), 0);
    assert_true(S_ISDIR(info.st_mode));
    assert_int_equal(pji_make_dirs(in("x/y/z"), NULL), PJ_OK);
    assert_int_equal(pji_make_dirs("/", NULL), PJ_OK);
    assert_int_equal(pji_make_dirs("", NULL), PJ_OK);
    temp_write(dir, "file", "f");
    struct pj_error err = {0};
    assert_int_equal(pji_make_dirs(in("file/sub"), &err), PJ_EIO);
    assert_int_equal(err.sys_errno, ENOTDIR);
    assert_int_equal(symlink("x", in("link")), 0);
    assert_int_equal(pji_make_dirs(in("link/new"), NULL), PJ_OK); /* as mkdir -p does */
    assert_int_equal(stat(in("x/new"), &info), 0);
}

static void test_remove_tree(void **state)
{
    (void)state;
    temp_write(dir, "outside/kept", "k");
    temp_write(dir, "tree/a/b/file", "f");
    temp_write(dir, "tree/c", "f");
    assert_int_equal(symlink("../outside", in("tree/link")), 0);
    assert_int_equal(symlink("/none", in("tree/dangling")), 0);
    assert_int_equal(mkfifo(in("tree/fifo"), 0600), 0);
    assert_int_equal(symlink("outside", in("link")), 0);
    assert_int_equal(pji_remove_tree(in("tree"), NULL), PJ_OK);
    assert_int_equal(pji_remove_tree(in("tree"), NULL), PJ_OK);
    assert_int_equal(pji_remove_tree(in("link"), NULL), PJ_OK);
    assert_holds(in("outside/kept"), "k");
    assert_int_equal(entries_of(dir), 1);
    assert_int_equal(pji_remove_tree(in("outside/kept"), NULL), PJ_OK); /* a file */
    assert_int_equal(entries_of(in("outside")), 0);
    assert_int_equal(pji_remove_tree("/proc/self/stat", NULL) < 0, 1);
}

static void test_read_file(void **state)
{
    (void)state;
    char *text = NULL;
    size_t len = 0;
    struct pj_error err = {0};
    char *big = malloc(200001);
    assert_non_null(big);
    memset(big, 'x', 200000);
    big[200000] = '\0';
    temp_write(dir, "big", big);
    assert_int_equal(pji_read_file(in("big"), 200000, &text, &len, NULL), PJ_OK);
    assert_int_equal(len, 200000);
    assert_string_equal(text, big);
    free(text);
    free(big);
    assert_int_equal(pji_read_file(in("big"), 199999, &text, &len, &err), PJ_EINVAL);
    assert_non_null(strstr(err.text, "larger than 199999 bytes"));
    assert_int_equal(pji_read_file("/dev/zero", 1000, &text, &len, NULL), PJ_EINVAL);
    assert_int_equal(pji_read_file(in("none"), 10, &text, &len, NULL), PJ_ENOTFOUND);
    assert_int_equal(pji_read_file(dir, 10, &text, &len, NULL), PJ_EIO);
    temp_write(dir, "empty", "");
    assert_int_equal(pji_read_file(in("empty"), 0, &text, &len, NULL), PJ_OK);
    assert_int_equal(len, 0);
    assert_string_equal(text, "");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_write, setup, teardown),
        cmocka_unit_test_setup_teardown(test_mode, setup, teardown),
        cmocka_unit_test_setup_teardown(test_failed_write_keeps_the_old_file, setup, teardown),
        cmocka_unit_test_setup_teardown(test_full_disk, setup, teardown),
        cmocka_unit_test_setup_teardown(test_rename, setup, teardown),
        cmocka_unit_test_setup_teardown(test_sync, setup, teardown),
        cmocka_unit_test_setup_teardown(test_make_dirs, setup, teardown),
        cmocka_unit_test_setup_teardown(test_remove_tree, setup, teardown),
        cmocka_unit_test_setup_teardown(test_read_file, setup, teardown),
    };
    return cmocka_run_group_tests_name("durable", tests, NULL, NULL);
}
