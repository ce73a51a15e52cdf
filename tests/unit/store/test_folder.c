/* The study as files: creating, opening, locking, moving, reading copies that cannot be written. */
#include <stdio.h>

#include "plan.h"
#include "store/internal.h"
#include "temp.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { NOBODY = 65534 };

static int setup(void **state)
{
    char *dir = malloc(TEMP_PATH);
    temp_open(dir);
    chmod(dir, 0755);
    *state = dir;
    return 0;
}

static int teardown(void **state)
{
    temp_close(*state);
    free(*state);
    return 0;
}

static bool exists(const char *dir, const char *name)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    return access(path, F_OK) == 0;
}

static pj_status count_trial(void *context, const struct pji_trial *trial, struct pj_error *err)
{
    (void)trial;
    (void)err;
    ++*(int *)context;
    return PJ_OK;
}

static int count_trials(const char *dir)
{
    struct pji_store *store = NULL;
    int n = 0;
    must(pji_store_open(&store, dir, PJI_STORE_READ, NULL, ERR));
    must(pji_store_each_trial(store, count_trial, &n, ERR));
    must(pji_store_close(store, ERR));
    return n;
}

static void test_one_file_remains(void **state)
{
    char dir[256];
    must(pji_store_close(make_store(*state, dir, sizeof dir), ERR));
    assert_true(exists(dir, "study.sqlite"));
    assert_false(exists(dir, "study.sqlite-wal"));
    assert_false(exists(dir, "study.sqlite-shm"));
    assert_false(exists(dir, "study.sqlite-journal"));
    assert_int_equal(count_trials(dir), 4);
    /* reading leaves nothing behind either */
    assert_false(exists(dir, "study.sqlite-shm"));
}

static void test_refused_folders(void **state)
{
    char dir[256], other[300];
    struct pji_store *store = NULL;
    struct pj_error err = {0};
    must(pji_store_close(make_store(*state, dir, sizeof dir), ERR));
    assert_int_equal(pji_store_create(&store, dir, NULL, &err), PJ_EINVAL);
    assert_non_null(strstr(err.text, "exists already"));
    err = (struct pj_error){0};
    snprintf(other, sizeof other, "%s/missing", (char *)*state);
    assert_int_equal(pji_store_open(&store, other, PJI_STORE_READ, NULL, &err), PJ_ENOTFOUND);
    err = (struct pj_error){0};
    assert_int_equal(pji_store_open(&store, *state, PJI_STORE_WRITE, NULL, &err), PJ_ENOTFOUND);
    assert_non_null(strstr(err.text, "not a study folder"));
    err = (struct pj_error){0};
    temp_write(*state, "file", "x");
    snprintf(other, sizeof other, "%s/file", (char *)*state);
    assert_int_equal(pji_store_open(&store, other, PJI_STORE_READ, NULL, &err), PJ_EINVAL);
    err = (struct pj_error){0};
    temp_write(*state, "junk/study.sqlite", "this is not a database, whatever its name says");
    snprintf(other, sizeof other, "%s/junk", (char *)*state);
    assert_int_equal(pji_store_open(&store, other, PJI_STORE_READ, NULL, &err), PJ_ECORRUPT);
    err = (struct pj_error){0};
    temp_write(*state, "empty/study.sqlite", "");
    snprintf(other, sizeof other, "%s/empty", (char *)*state);
    assert_int_equal(pji_store_open(&store, other, PJI_STORE_WRITE, NULL, &err), PJ_ECORRUPT);
    assert_non_null(strstr(err.text, "not a perjoule study"));
}

static void set_version(const char *dir, const char *sql)
{
    char path[1024];
    sqlite3 *db = NULL;
    snprintf(path, sizeof path, "%s/study.sqlite", dir);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static void test_newer_schema(void **state)
{
    char dir[256];
    must(pji_store_close(make_store(*state, dir, sizeof dir), ERR));
    set_version(dir, "PRAGMA user_version = 2");
    for (int mode = PJI_STORE_READ; mode <= PJI_STORE_WRITE; mode++) {
        struct pji_store *store = NULL;
        struct pj_error err = {0};
        assert_int_equal(pji_store_open(&store, dir, (enum pji_store_mode)mode, NULL, &err),
                         PJ_EINVAL);
        assert_non_null(strstr(err.text, "schema version 2"));
        assert_non_null(strstr(err.text, "newer"));
        assert_null(store);
    }
    set_version(dir, "PRAGMA user_version = 1");
    assert_int_equal(count_trials(dir), 4);
}

static void test_second_writer(void **state)
{
    char dir[256], pid[32];
    struct pji_store *store = make_store(*state, dir, sizeof dir), *second = NULL;
    struct pji_store_holder holder;
    struct pj_error err = {0};
    must(pji_store_holder(dir, &holder, ERR));
    assert_true(holder.alive);
    assert_int_equal(holder.pid, getpid());
    assert_true(holder.start_ticks > 0);
    assert_int_equal(pji_store_open(&second, dir, PJI_STORE_WRITE, NULL, &err), PJ_EBUSY);
    snprintf(pid, sizeof pid, "process %ld", (long)getpid());
    assert_non_null(strstr(err.text, pid));
    /* a reader is welcome while the writer lives */
    assert_int_equal(count_trials(dir), 4);
    must(pji_store_close(store, ERR));
    must(pji_store_holder(dir, &holder, ERR));
    assert_false(holder.alive);
    must(pji_store_open(&second, dir, PJI_STORE_WRITE, NULL, ERR));
    must(pji_store_close(second, ERR));
}

/* `status` may look at the very moment a writer starts. */
static void test_probe_does_not_refuse_writer(void **state)
{
    char dir[256], lock[300];
    must(pji_store_close(make_store(*state, dir, sizeof dir), ERR));
    snprintf(lock, sizeof lock, "%s/lock", dir);
    pid_t pid = fork();
    if (pid == 0) {
        struct pji_store_holder holder;
        for (int i = 0; i < 20000; i++)
            pji_store_holder(dir, &holder, NULL);
        _exit(0);
    }
    for (int i = 0; i < 20; i++) {
        int fd = -1;
        must(pji_lock_take(dir, &fd, ERR));
        pji_lock_release(&fd);
    }
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

static void test_moved(void **state)
{
    char dir[256], to[300];
    struct pji_store *store = make_store(*state, dir, sizeof dir);
    snprintf(to, sizeof to, "%s/final name", (char *)*state);
    assert_int_equal(rename(dir, to), 0);
    must(pji_store_moved(store, to, ERR));
    assert_string_equal(pji_store_dir(store), to);
    must(pji_store_put_meta(store, "after", "move", ERR));
    start(store, 2);
    struct pji_store_holder holder;
    must(pji_store_holder(to, &holder, ERR));
    assert_true(holder.alive);
    assert_false(exists(dir, ""));
    must(pji_store_close(store, ERR));
    assert_false(exists(to, "study.sqlite-wal"));
    must(pji_store_open(&store, to, PJI_STORE_READ, NULL, ERR));
    char *value = NULL;
    must(pji_store_get_meta(store, "after", &value, ERR));
    assert_string_equal(value, "move");
    free(value);
    must(pji_store_close(store, ERR));
}

static void test_network_journal(void **state)
{
    char dir[256];
    struct pji_store *store = NULL;
    assert_string_equal(pji_store_journal(0x6969), "DELETE");
    assert_string_equal(pji_store_journal(0xff534d42), "DELETE");
    assert_string_equal(pji_store_journal(0xffffffffff534d42), "DELETE"); /* sign-extended */
    assert_string_equal(pji_store_journal(0xef53), "WAL");                /* ext4 */
    assert_string_equal(pji_store_journal(0x01021994), "WAL");            /* tmpfs */
    snprintf(dir, sizeof dir, "%s/study", (char *)*state);
    must(pji_store_create_with(&store, dir, "DELETE", NULL, ERR));
    add_plan(store);
    start(store, 1);
    assert_false(exists(dir, "study.sqlite-wal"));
    assert_int_equal(count_trials(dir), 4);
    must(pji_store_close(store, ERR));
    assert_int_equal(count_trials(dir), 4);
}

/* ---- copies that cannot be written ---- */

/* A writer that dies inside a study: its last committed change is in the log only. */
static void kill_writer(const char *parent, char *dir, size_t size)
{
    snprintf(dir, size, "%s/study", parent);
    pid_t pid = fork();
    if (pid == 0) {
        struct pji_store *store = make_store(parent, dir, size);
        start(store, 3);
        raise(SIGKILL);
    }
    int status = 0;
    waitpid(pid, &status, 0);
    assert_true(WIFSIGNALED(status));
    assert_true(exists(dir, "study.sqlite-wal"));
}

static pj_status find_running(void *context, int64_t attempt, int64_t trial, struct pj_error *err)
{
    (void)attempt;
    (void)err;
    *(int64_t *)context = trial;
    return PJ_OK;
}

static int read_as_stranger(const char *dir)
{
    struct pji_store *store = NULL;
    struct pj_error err = {0};
    int64_t running = 0;
    struct pji_store_holder holder;
    if (geteuid() == 0 && (setgid(NOBODY) || setuid(NOBODY)))
        return 10;
    if (pji_store_open(&store, dir, PJI_STORE_READ, NULL, &err) ||
        pji_store_each_running(store, find_running, &running, &err) ||
        pji_store_holder(dir, &holder, &err)) {
        fprintf(stderr, "# %s\n", err.text);
        return 11;
    }
    if (pji_store_put_meta(store, "a", "b", NULL) != PJ_ESTATE || holder.alive)
        return 12;
    pji_store_close(store, NULL);
    return running == 3 ? 0 : 13;
}

static void check_read_only(const char *dir)
{
    chmod(dir, 0555);
    pid_t pid = fork();
    if (pid == 0)
        _exit(read_as_stranger(dir));
    int status = 0;
    waitpid(pid, &status, 0);
    chmod(dir, 0755);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void test_read_only_after_kill(void **state)
{
    char dir[256], path[512];
    kill_writer(*state, dir, sizeof dir);
    check_read_only(dir);
    /* a copy that lacks the shared memory: the log is read all the same */
    snprintf(path, sizeof path, "%s/study.sqlite-shm", dir);
    assert_int_equal(unlink(path), 0);
    check_read_only(dir);
    assert_false(exists(dir, "study.sqlite-shm"));
}

static void test_read_only_clean(void **state)
{
    char dir[256];
    kill_writer(*state, dir, sizeof dir);
    struct pji_store *store = NULL;
    must(pji_store_open(&store, dir, PJI_STORE_WRITE, NULL, ERR));
    must(pji_store_close(store, ERR));
    assert_false(exists(dir, "study.sqlite-wal"));
    check_read_only(dir);
    /* a file that still says WAL but lost its log: copied from a backup */
    set_version(dir, "PRAGMA journal_mode = WAL");
    check_read_only(dir);
}

/* DELETE mode, killed while a large change is half in the file: reading undoes it, or says what to
 * do where it may not write. It never shows half a change. */
static void test_half_write(void **state)
{
    char dir[256], key[32];
    struct pji_store *store = NULL;
    snprintf(dir, sizeof dir, "%s/study", (char *)*state);
    pid_t pid = fork();
    if (pid == 0) {
        must(pji_store_create_with(&store, dir, "DELETE", NULL, ERR));
        add_plan(store);
        must(pji_db_exec(&store->db, "PRAGMA cache_size = 1", ERR));
        must(pji_store_begin(store, ERR));
        for (int i = 0; i < 2000; i++) {
            snprintf(key, sizeof key, "key%d", i);
            must(pji_store_put_meta(store, key, "half of something", ERR));
        }
        raise(SIGKILL);
    }
    waitpid(pid, NULL, 0);
    assert_true(exists(dir, "study.sqlite-journal"));
    chmod(dir, 0555);
    pid = fork();
    if (pid == 0) {
        struct pj_error err = {0};
        if (geteuid() == 0 && (setgid(NOBODY) || setuid(NOBODY)))
            _exit(10);
        pj_status st = pji_store_open(&store, dir, PJI_STORE_READ, NULL, &err);
        _exit(st == PJ_EACCESS && strstr(err.text, "middle of a write") ? 0 : 11);
    }
    int status = 0;
    waitpid(pid, &status, 0);
    chmod(dir, 0755);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    char *value = NULL;
    must(pji_store_open(&store, dir, PJI_STORE_READ, NULL, ERR));
    assert_int_equal(pji_store_get_meta(store, "key0", &value, NULL), PJI_STORE_NONE);
    must(pji_store_close(store, ERR));
    assert_int_equal(count_trials(dir), 4);
    assert_false(exists(dir, "study.sqlite-journal"));
}

static void test_read_only_mount(void **state)
{
    char dir[256];
    kill_writer(*state, dir, sizeof dir);
    pid_t pid = fork();
    if (pid == 0) {
        if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
            mount(dir, dir, NULL, MS_BIND, NULL) ||
            mount(NULL, dir, NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL))
            _exit(77);
        _exit(read_as_stranger(dir));
    }
    int status = 0;
    waitpid(pid, &status, 0);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == 77) {
        print_message("no permission to mount here\n");
        skip();
    }
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void test_odd_names(void **state)
{
    char parent[300], dir[512];
    struct pji_store *store = NULL;
    snprintf(parent, sizeof parent, "%s/100%% #1? ü", (char *)*state);
    assert_int_equal(mkdir(parent, 0755), 0);
    kill_writer(parent, dir, sizeof dir);
    must(pji_store_open(&store, dir, PJI_STORE_WRITE, NULL, ERR));
    must(pji_store_close(store, ERR));
    set_version(dir, "PRAGMA journal_mode = WAL");
    check_read_only(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_one_file_remains, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refused_folders, setup, teardown),
        cmocka_unit_test_setup_teardown(test_newer_schema, setup, teardown),
        cmocka_unit_test_setup_teardown(test_second_writer, setup, teardown),
        cmocka_unit_test_setup_teardown(test_probe_does_not_refuse_writer, setup, teardown),
        cmocka_unit_test_setup_teardown(test_moved, setup, teardown),
        cmocka_unit_test_setup_teardown(test_network_journal, setup, teardown),
        cmocka_unit_test_setup_teardown(test_read_only_after_kill, setup, teardown),
        cmocka_unit_test_setup_teardown(test_read_only_clean, setup, teardown),
        cmocka_unit_test_setup_teardown(test_half_write, setup, teardown),
        cmocka_unit_test_setup_teardown(test_read_only_mount, setup, teardown),
        cmocka_unit_test_setup_teardown(test_odd_names, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
