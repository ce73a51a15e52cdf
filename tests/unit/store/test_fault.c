/* What must survive: a writer killed at any instant, and a disk that is full. */
#include <stdio.h>

#include "plan.h"
#include "store/internal.h"
#include "temp.h"

#include "core/prng.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { KILLS = 40, REQUESTS = 20 };

/* ---- kill -9 ---- */

static void add_requests(struct pji_store *store, int64_t attempt)
{
    for (int i = 0; i < REQUESTS; i++) {
        struct pji_request_row row = {.phase = "measure",
                                      .task = "t",
                                      .sequence = i,
                                      .item = "x",
                                      .scheduled_ns = 1,
                                      .prompt_tokens = -1,
                                      .cached_tokens = -1,
                                      .output_tokens = -1,
                                      .finish = "",
                                      .text_sha256 = "",
                                      .error = ""};
        must(pji_store_add_request(store, attempt, &row, ERR));
    }
}

/* Attempts for ever: started, then everything of the attempt in one transaction. */
static void write_for_ever(const char *dir, int announce)
{
    struct pji_store *store = NULL;
    must(pji_store_open(&store, dir, PJI_STORE_WRITE, NULL, ERR));
    if (write(announce, "x", 1) != 1)
        _exit(1);
    for (;;) {
        int64_t attempt = start(store, 2);
        must(pji_store_begin(store, ERR));
        add_requests(store, attempt);
        must(pji_store_end_attempt(store, attempt, PJI_TRIAL_FAILED, "again", false, 1, 1, ERR));
        must(pji_store_commit(store, ERR));
    }
}

static pj_status recover(void *context, int64_t attempt, int64_t trial, struct pj_error *err)
{
    (void)trial;
    return pji_store_end_attempt(context, attempt, PJI_TRIAL_FAILED, "interrupted", true, 1, 1,
                                 err);
}

struct tally {
    struct pji_store *store;
    int64_t whole, none;
};

static pj_status count_request(void *context, const struct pji_request_row *r, struct pj_error *err)
{
    (void)r;
    (void)err;
    ++*(int *)context;
    return PJ_OK;
}

static pj_status weigh(void *context, const struct pji_attempt_row *row, struct pj_error *err)
{
    struct tally *t = context;
    int n = 0;
    pj_status st = pji_store_each_request(t->store, row->id, count_request, &n, err);
    assert_true(n == 0 || n == REQUESTS); /* all of an attempt, or nothing */
    if (n == REQUESTS) {
        assert_string_equal(row->reason, "again");
        t->whole++;
    } else {
        assert_true(row->own_death);
        t->none++;
    }
    return st;
}

static void kill_once(const char *dir, struct pji_prng *prng)
{
    int announce[2];
    assert_int_equal(pipe(announce), 0);
    pid_t pid = fork();
    if (pid == 0) {
        close(announce[0]);
        write_for_ever(dir, announce[1]);
    }
    char c;
    close(announce[1]);
    assert_int_equal(read(announce[0], &c, 1), 1);
    close(announce[0]);
    struct timespec pause = {0, (long)pji_prng_below(prng, 20000000)};
    nanosleep(&pause, NULL);
    kill(pid, SIGKILL);
    int status = 0;
    waitpid(pid, &status, 0);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void test_kill(void **state)
{
    char parent[TEMP_PATH], dir[256];
    struct pji_prng prng;
    struct tally tally = {0};
    (void)state;
    temp_open(parent);
    must(pji_store_close(make_store(parent, dir, sizeof dir), ERR));
    pji_prng_init(&prng, 20, "kill");
    for (int i = 0; i < KILLS; i++) {
        kill_once(dir, &prng);
        must(pji_store_open(&tally.store, dir, PJI_STORE_WRITE, NULL, ERR));
        must(pji_store_each_running(tally.store, recover, tally.store, ERR));
        struct pji_query q;
        must(pji_query_open(&q, &tally.store->db, "PRAGMA integrity_check", ERR));
        must(pji_query_next(&q, ERR));
        assert_string_equal(pji_query_col_text(&q, 0), "ok");
        pji_query_close(&q);
        tally.whole = tally.none = 0;
        must(pji_store_each_attempt(tally.store, 0, weigh, &tally, ERR));
        must(pji_store_close(tally.store, ERR));
    }
    assert_true(tally.whole > 0);
    temp_close(parent);
}

/* ---- disk full ---- */

static pj_status fill_disk(struct pji_store *store, struct pj_error *err)
{
    static char text[20000];
    memset(text, 'x', sizeof text - 1);
    pj_status st = PJ_OK;
    for (int i = 0; i < 1000 && st == PJ_OK; i++) {
        char key[32];
        snprintf(key, sizeof key, "fill%d", i);
        st = pji_store_put_meta(store, key, text, err);
    }
    return st;
}

/* A transaction that the full disk undid: nothing of it may slip in afterwards. */
static void check_full(struct pji_store *store)
{
    struct pj_error err = {0};
    char *value = NULL;
    int64_t attempt = start(store, 1);
    must(pji_store_begin(store, ERR));
    must(pji_store_put_meta(store, "inside", "yes", ERR));
    assert_int_equal(fill_disk(store, &err), PJ_ENOSPC);
    assert_non_null(strstr(err.text, "full"));
    pj_status st = pji_store_put_meta(store, "after", "yes", NULL);
    assert_true(st == PJ_ESTATE || st == PJ_ENOSPC || st == PJ_OK);
    if (st == PJ_ESTATE)
        assert_int_equal(pji_store_commit(store, NULL), PJ_ESTATE);
    pji_store_rollback(store);
    assert_int_equal(pji_store_get_meta(store, "inside", &value, NULL), PJI_STORE_NONE);
    assert_int_equal(pji_store_get_meta(store, "after", &value, NULL), PJI_STORE_NONE);
    must(pji_store_end_attempt(store, attempt, PJI_TRIAL_FAILED, "disk", false, 1, 1, ERR));
}

static void test_full_file(void **state)
{
    char parent[TEMP_PATH], dir[256];
    (void)state;
    temp_open(parent);
    struct pji_store *store = make_store(parent, dir, sizeof dir);
    must(pji_db_exec(&store->db, "PRAGMA max_page_count = 80", ERR));
    check_full(store);
    must(pji_store_close(store, ERR));
    temp_close(parent);
}

static int on_small_disk(const char *dir)
{
    char study[300];
    struct pji_store *store = NULL;
    struct pj_error err = {0};
    if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
        mount("tmpfs", dir, "tmpfs", 0, "size=600k"))
        return 77;
    store = make_store(dir, study, sizeof study);
    int64_t attempt = start(store, 1);
    if (fill_disk(store, &err) != PJ_ENOSPC)
        return 1;
    fprintf(stderr, "# %s\n", err.text);
    pji_store_close(store, NULL);
    /* room again: the study goes on where it was */
    if (mount(NULL, dir, NULL, MS_REMOUNT, "size=4m"))
        return 2;
    if (pji_store_open(&store, study, PJI_STORE_WRITE, NULL, &err) ||
        pji_store_each_running(store, recover, store, &err) ||
        pji_store_start_attempt(store, 1, "n", 1, 1, &attempt, &err))
        return 3;
    return pji_store_close(store, NULL) ? 4 : 0;
}

static void test_full_disk(void **state)
{
    char parent[TEMP_PATH];
    int status = 0;
    (void)state;
    temp_open(parent);
    pid_t pid = fork();
    if (pid == 0)
        _exit(on_small_disk(parent));
    waitpid(pid, &status, 0);
    temp_close(parent);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == 77) {
        print_message("no permission to mount here\n");
        skip();
    }
    assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kill),
        cmocka_unit_test(test_full_file),
        cmocka_unit_test(test_full_disk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
