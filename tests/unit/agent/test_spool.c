/* The spool after a restart: queued, cut off, finished and retired jobs, and damaged folders. */
#include "agent/spool.h"

#include "temp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static struct pji_job_id make_id(int64_t attempt, char nonce)
{
    struct pji_job_id id = {.trial = 1, .attempt = attempt};
    memset(id.study, 'a', 32);
    memset(id.nonce, nonce, 32);
    return id;
}

static struct pji_job *add(struct pji_jobs *spool, const struct pji_job_id *id)
{
    struct pji_job *job = NULL;
    json_t *order = json_object();
    pji_job_id_put(id, order);
    assert_int_equal(pji_jobs_add(spool, id, order, &job, NULL), PJ_OK);
    json_decref(order);
    return job;
}

static void finish(struct pji_jobs *spool, struct pji_job *job)
{
    struct pji_result result = {.state = "failed", .reason = "engine_died", .detail = "it died"};
    assert_int_equal(pji_result_digest(&job->id, &result, result.digest, NULL), PJ_OK);
    assert_int_equal(pji_jobs_finish(spool, job, &result, NULL), PJ_OK);
}

static void reopen(struct pji_jobs *spool, const char *dir)
{
    pji_jobs_close(spool);
    assert_int_equal(pji_jobs_open(spool, dir, NULL, NULL), PJ_OK);
}

static void test_jobs_survive_a_restart(void **state)
{
    (void)state;
    char dir[TEMP_PATH], work[TEMP_PATH + 32];
    struct pji_jobs spool;
    struct pji_job_id ids[4];
    temp_open(dir);
    assert_int_equal(pji_jobs_open(&spool, dir, NULL, NULL), PJ_OK);
    for (int i = 0; i < 4; i++)
        ids[i] = make_id(i + 1, (char)('0' + i));
    add(&spool, &ids[0]);
    struct pji_job *cut_off = add(&spool, &ids[1]);
    snprintf(work, sizeof work, "%s/jobs/%lld/work", dir, (long long)cut_off->number);
    assert_int_equal(mkdir(work, 0700), 0);
    finish(&spool, add(&spool, &ids[2]));
    assert_int_equal(pji_jobs_retire(&spool, add(&spool, &ids[3]), "discarded", NULL), PJ_OK);
    reopen(&spool, dir);
    assert_int_equal(pji_jobs_find(&spool, &ids[0])->state, PJI_JOB_QUEUED);
    assert_false(pji_jobs_find(&spool, &ids[0])->cut_off);
    assert_true(pji_jobs_find(&spool, &ids[1])->cut_off);
    assert_int_equal(pji_jobs_find(&spool, &ids[2])->state, PJI_JOB_FINISHED);
    assert_string_equal(pji_jobs_find(&spool, &ids[2])->result.reason, "engine_died");
    assert_null(pji_jobs_find(&spool, &ids[3]));
    assert_true(pji_jobs_retired(&spool, &ids[3]));
    assert_int_equal(pji_jobs_count(&spool, PJI_JOB_QUEUED), 2);
    struct pji_job_id later = make_id(9, '9');
    assert_int_equal(add(&spool, &later)->number, 4); /* 1 to 3 are in use */
    pji_jobs_close(&spool);
    temp_close(dir);
}

static void test_one_attempt_has_one_nonce(void **state)
{
    (void)state;
    char dir[TEMP_PATH];
    struct pji_jobs spool;
    struct pji_job_id one = make_id(1, '1'), twin = make_id(1, '2'), other = make_id(2, '2');
    temp_open(dir);
    assert_int_equal(pji_jobs_open(&spool, dir, NULL, NULL), PJ_OK);
    struct pji_job *job = add(&spool, &one);
    assert_false(pji_jobs_contradicts(&spool, &one));
    assert_true(pji_jobs_contradicts(&spool, &twin));
    assert_false(pji_jobs_contradicts(&spool, &other));
    assert_int_equal(pji_jobs_retire(&spool, job, "acknowledged", NULL), PJ_OK);
    assert_true(pji_jobs_contradicts(&spool, &twin));
    reopen(&spool, dir);
    assert_true(pji_jobs_contradicts(&spool, &twin));
    pji_jobs_close(&spool);
    temp_close(dir);
}

static void test_damage_is_left_out(void **state)
{
    (void)state;
    char dir[TEMP_PATH], path[TEMP_PATH + 64];
    struct pji_jobs spool;
    struct pji_job_id good = make_id(1, '1'), torn = make_id(2, '2');
    temp_open(dir);
    assert_int_equal(pji_jobs_open(&spool, dir, NULL, NULL), PJ_OK);
    finish(&spool, add(&spool, &good));
    struct pji_job *job = add(&spool, &torn);
    finish(&spool, job);
    /* a result whose digest is wrong: the job counts as not finished */
    snprintf(path, sizeof path, "jobs/%lld/result.json", (long long)job->number);
    temp_write(dir, path, "{\"outcome\": {\"state\": \"done\"}}");
    temp_write(dir, "jobs/77/job.json", "{\"study\": ");
    temp_write(dir, "jobs/78/other", "never accepted");
    temp_write(dir, "jobs/README", "a file of somebody else");
    temp_write(dir, "retired", "/v1/jobs/torn\n\n/v1/jobs/");
    reopen(&spool, dir);
    assert_int_equal(pji_jobs_find(&spool, &good)->state, PJI_JOB_FINISHED);
    assert_int_equal(pji_jobs_find(&spool, &torn)->state, PJI_JOB_QUEUED);
    assert_int_equal(spool.n_retired, 0);
    /* what was accepted once is not thrown away, even where nobody can read it any more */
    snprintf(path, sizeof path, "%s/jobs/77/job.json", dir);
    assert_int_equal(access(path, F_OK), 0);
    snprintf(path, sizeof path, "%s/jobs/78", dir);
    assert_int_not_equal(access(path, F_OK), 0);
    snprintf(path, sizeof path, "%s/jobs/README", dir);
    assert_int_equal(access(path, F_OK), 0);
    pji_jobs_close(&spool);
    temp_close(dir);
}

/* A result whose order cannot be read any more still has its own name. */
static void test_a_result_outlives_its_order(void **state)
{
    (void)state;
    char dir[TEMP_PATH], path[TEMP_PATH + 64];
    struct pji_jobs spool;
    struct pji_job_id id = make_id(1, '1');
    temp_open(dir);
    assert_int_equal(pji_jobs_open(&spool, dir, NULL, NULL), PJ_OK);
    struct pji_job *job = add(&spool, &id);
    finish(&spool, job);
    snprintf(path, sizeof path, "jobs/%lld/job.json", (long long)job->number);
    temp_write(dir, path, "{\"study\": \"aaa\x01");
    reopen(&spool, dir);
    assert_non_null(pji_jobs_find(&spool, &id));
    assert_int_equal(pji_jobs_find(&spool, &id)->state, PJI_JOB_FINISHED);
    pji_jobs_close(&spool);
    temp_close(dir);
}

/* A disk that does not answer is no proof that there was nothing: the agent does not start. */
static void test_what_cannot_be_read_is_not_removed(void **state)
{
    (void)state;
    char dir[TEMP_PATH], path[TEMP_PATH + 64], kept[TEMP_PATH + 64];
    struct pji_jobs spool;
    struct pj_error err = {0};
    struct pji_job_id id = make_id(1, '1');
    temp_open(dir);
    assert_int_equal(pji_jobs_open(&spool, dir, NULL, NULL), PJ_OK);
    struct pji_job *job = add(&spool, &id);
    finish(&spool, job);
    snprintf(path, sizeof path, "%s/jobs/%lld/job.json", dir, (long long)job->number);
    snprintf(kept, sizeof kept, "%s/jobs/%lld/result.json", dir, (long long)job->number);
    pji_jobs_close(&spool);
    /* reading a folder as a file fails for everybody, root too */
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_true(pji_jobs_open(&spool, dir, NULL, &err) < 0);
    assert_non_null(strstr(err.text, "job.json"));
    assert_int_equal(access(kept, F_OK), 0);
    temp_close(dir);
}

/* A line of `retired` that broke off (a full disk, a lost power) takes no other with it. */
static void test_a_torn_line_stays_alone(void **state)
{
    (void)state;
    char dir[TEMP_PATH];
    struct pji_jobs spool;
    struct pji_job_id id = make_id(7, '7');
    temp_open(dir);
    temp_write(dir, "retired", "/v1/jobs/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/1/3/bbb");
    assert_int_equal(pji_jobs_open(&spool, dir, NULL, NULL), PJ_OK);
    assert_int_equal(pji_jobs_retire(&spool, add(&spool, &id), "acknowledged", NULL), PJ_OK);
    reopen(&spool, dir);
    assert_int_equal(spool.n_retired, 1);
    assert_true(pji_jobs_retired(&spool, &id));
    pji_jobs_close(&spool);
    temp_close(dir);
}

/* Who can write into the state folder could put a token of his own there. */
static void test_the_folder_is_ours(void **state)
{
    (void)state;
    char dir[TEMP_PATH], own[TEMP_PATH + 16];
    struct pji_jobs spool;
    struct pj_error err = {0};
    struct stat info;
    temp_open(dir);
    snprintf(own, sizeof own, "%s/state", dir);
    mode_t mask = umask(0);
    assert_int_equal(pji_jobs_open(&spool, own, NULL, NULL), PJ_OK);
    umask(mask);
    assert_int_equal(stat(own, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0700);
    pji_jobs_close(&spool);
    assert_int_equal(chmod(own, 0770), 0);
    assert_int_equal(pji_jobs_open(&spool, own, NULL, &err), PJ_EACCESS);
    assert_int_equal(chmod(own, 0755), 0); /* reading the folder's names harms nobody */
    assert_int_equal(pji_jobs_open(&spool, own, NULL, NULL), PJ_OK);
    pji_jobs_close(&spool);
    temp_close(dir);
}

static void test_two_agents_do_not_share(void **state)
{
    (void)state;
    char dir[TEMP_PATH], jobs[TEMP_PATH + 16];
    struct pji_jobs one, two;
    struct pj_error err = {0};
    struct stat info;
    temp_open(dir);
    assert_int_equal(pji_jobs_open(&one, dir, NULL, NULL), PJ_OK);
    snprintf(jobs, sizeof jobs, "%s/jobs", dir);
    assert_int_equal(stat(jobs, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0700);
    assert_int_equal(pji_jobs_open(&two, dir, NULL, &err), PJ_EBUSY);
    pji_jobs_close(&one);
    temp_close(dir);
}

/* ---- identities and results on the wire ---- */

static void test_paths_name_one_job(void **state)
{
    (void)state;
    char path[PJI_JOB_PATH];
    struct pji_job_id id = make_id(12, 'b'), back;
    const char *rest = NULL;
    pji_job_id_path(&id, path);
    assert_true(pji_job_id_parse(path, &back, &rest));
    assert_true(pji_job_id_same(&id, &back));
    assert_string_equal(rest, "");
#define S "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
    static const char *const bad[] = {
        "",
        "/v1/jobs/",
        "/v1/jobs/" S,
        "/v1/jobs/" S "/1/1/",
        "/v1/jobs/" S "/0/1/" S,
        "/v1/jobs/" S "/01/1/" S,
        "/v1/jobs/" S "/-1/1/" S,
        "/v1/jobs/" S "/1/1234567890123/" S,
        "/v1/jobs/" S "/1/1/" S "0",
        "/v1/jobs/" S "0/1/1/" S,
        "/v1/jobs/" S "//1/" S,
        "/v1/jobs/../1/1/" S,
        "/v1/jobs/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA/1/1/" S,
        "/v2/jobs/" S "/1/1/" S,
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(pji_job_id_parse(bad[i], &back, &rest));
    assert_true(pji_job_id_parse("/v1/jobs/" S "/1/1/" S "/files/../x", &back, &rest));
    assert_string_equal(rest, "/files/../x");
#undef S
}

static void test_results_are_checked(void **state)
{
    (void)state;
    struct pji_job_id id = make_id(1, '1'), other = make_id(1, '2');
    struct pji_result result = {.state = "done", .n_files = 1}, back;
    struct pj_error err = {0};
    snprintf(result.files[0].name, sizeof result.files[0].name, "study.sqlite");
    memset(result.files[0].sha256, '0', 64);
    result.files[0].size_b = 7;
    assert_int_equal(pji_result_digest(&id, &result, result.digest, NULL), PJ_OK);
    json_t *message = json_object();
    pji_job_id_put(&id, message);
    pji_result_put(&result, message);
    assert_int_equal(pji_result_get(message, &id, &back, &err), PJ_OK);
    assert_int_equal(back.n_files, 1);
    assert_int_equal(pji_result_get(message, &other, &back, &err), PJ_EPEER); /* foreign */
    assert_int_equal(pji_job_id_check(&other, message, NULL), PJ_EPEER);
    assert_int_equal(pji_job_id_check(&id, message, NULL), PJ_OK);
    json_t *file = json_array_get(json_object_get(json_object_get(message, "result"), "files"), 0);
    json_object_set_new(file, "size_b", json_integer(8)); /* another file than was digested */
    assert_int_equal(pji_result_get(message, &id, &back, NULL), PJ_EPEER);
    json_object_set_new(file, "size_b", json_integer(-1));
    assert_int_equal(pji_result_get(message, &id, &back, NULL), PJ_EINVAL);
    json_object_del(message, "outcome");
    assert_int_equal(pji_result_get(message, &id, &back, NULL), PJ_EINVAL);
    json_decref(message);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_jobs_survive_a_restart),
        cmocka_unit_test(test_one_attempt_has_one_nonce),
        cmocka_unit_test(test_damage_is_left_out),
        cmocka_unit_test(test_a_result_outlives_its_order),
        cmocka_unit_test(test_what_cannot_be_read_is_not_removed),
        cmocka_unit_test(test_a_torn_line_stays_alone),
        cmocka_unit_test(test_the_folder_is_ours),
        cmocka_unit_test(test_two_agents_do_not_share),
        cmocka_unit_test(test_paths_name_one_job),
        cmocka_unit_test(test_results_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
