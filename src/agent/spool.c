/* agent/spool.c - see spool.h. */
#include "agent/spool.h"

#include "core/array.h"
#include "platform/durable.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { JOB_FILE_MOST = 64 << 20 };

const char *pji_job_state_name(enum pji_job_state state)
{
    switch (state) {
    case PJI_JOB_QUEUED:
        return "queued";
    case PJI_JOB_RUNNING:
        return "running";
    case PJI_JOB_FINISHED:
        return "finished";
    }
    return "?";
}

char *pji_jobs_path(const struct pji_jobs *spool, const struct pji_job *job, const char *below,
                    struct pj_error *err)
{
    struct pji_str path = {0};
    pji_str_addf(&path, "%s/jobs/%lld%s", spool->dir, (long long)job->number, below);
    char *out = pji_str_ok(&path, err) == PJ_OK ? pji_str_take(&path) : NULL;
    pji_str_fini(&path);
    return out;
}

static char *own_path(const struct pji_jobs *spool, const char *name, struct pj_error *err)
{
    struct pji_str path = {0};
    pji_str_addf(&path, "%s/%s", spool->dir, name);
    char *out = pji_str_ok(&path, err) == PJ_OK ? pji_str_take(&path) : NULL;
    pji_str_fini(&path);
    return out;
}

/* ---- looking ---- */

struct pji_job *pji_jobs_find(struct pji_jobs *spool, const struct pji_job_id *id)
{
    struct pji_job *job = spool->jobs;
    while (job != NULL && !pji_job_id_same(&job->id, id))
        job = job->next;
    return job;
}

bool pji_jobs_retired(const struct pji_jobs *spool, const struct pji_job_id *id)
{
    for (size_t i = 0; i < spool->n_retired; i++)
        if (pji_job_id_same(&spool->retired[i], id))
            return true;
    return false;
}

static bool contradicts(const struct pji_job_id *a, const struct pji_job_id *b)
{
    return strcmp(a->study, b->study) == 0 && a->attempt == b->attempt && !pji_job_id_same(a, b);
}

bool pji_jobs_contradicts(const struct pji_jobs *spool, const struct pji_job_id *id)
{
    for (const struct pji_job *job = spool->jobs; job != NULL; job = job->next)
        if (contradicts(&job->id, id))
            return true;
    for (size_t i = 0; i < spool->n_retired; i++)
        if (contradicts(&spool->retired[i], id))
            return true;
    return false;
}

size_t pji_jobs_count(const struct pji_jobs *spool, enum pji_job_state state)
{
    size_t n = 0;
    for (const struct pji_job *job = spool->jobs; job != NULL; job = job->next)
        n += job->state == state;
    return n;
}

/* ---- changing ---- */

static void append(struct pji_jobs *spool, struct pji_job *job)
{
    struct pji_job **at = &spool->jobs;
    while (*at != NULL && (*at)->number < job->number)
        at = &(*at)->next;
    job->next = *at;
    *at = job;
}

static pj_status write_json(const char *path, const json_t *value, struct pj_error *err)
{
    struct pji_str text = {0};
    pji_json_write(&text, value, 0);
    pji_str_addc(&text, '\n');
    pj_status status = pji_str_ok(&text, err);
    if (status == PJ_OK)
        status = pji_durable_write(path, text.text, text.len, err);
    pji_str_fini(&text);
    return status;
}

pj_status pji_jobs_add(struct pji_jobs *spool, const struct pji_job_id *id, const json_t *order,
                       struct pji_job **out, struct pj_error *err)
{
    struct pji_job *job = pji_zalloc(1, sizeof *job, err);
    if (job == NULL)
        return PJ_ENOMEM;
    *job = (struct pji_job){.id = *id, .number = spool->next_number++, .power_w = (double)NAN};
    char *dir = pji_jobs_path(spool, job, "", err);
    char *path = pji_jobs_path(spool, job, "/job.json", err);
    char *jobs = own_path(spool, "jobs", err);
    pj_status status = dir != NULL && path != NULL && jobs != NULL ? PJ_OK : PJ_ENOMEM;
    if (status == PJ_OK)
        status = pji_make_dirs(dir, err);
    if (status == PJ_OK)
        status = write_json(path, order, err);
    if (status == PJ_OK)
        status = pji_durable_sync_dir(jobs, err);
    if (status == PJ_OK) {
        append(spool, job);
        *out = job;
        pthread_cond_broadcast(&spool->work);
    } else {
        if (dir != NULL)
            (void)pji_remove_tree(dir, NULL);
        free(job);
    }
    free(dir);
    free(path);
    free(jobs);
    return status;
}

pj_status pji_jobs_finish(struct pji_jobs *spool, struct pji_job *job,
                          const struct pji_result *result, struct pj_error *err)
{
    char *path = pji_jobs_path(spool, job, "/result.json", err);
    json_t *object = json_object();
    if (path == NULL || object == NULL) {
        free(path);
        json_decref(object);
        return PJ_ENOMEM;
    }
    pji_job_id_put(&job->id, object);
    pji_result_put(result, object);
    pj_status status = write_json(path, object, err);
    if (status == PJ_OK) {
        job->result = *result;
        job->state = PJI_JOB_FINISHED;
        job->phase[0] = '\0';
    }
    json_decref(object);
    free(path);
    return status;
}

static pj_status remember_retired(struct pji_jobs *spool, const struct pji_job_id *id,
                                  struct pj_error *err)
{
    pj_status status = pji_array_reserve(&spool->retired, &spool->cap_retired, spool->n_retired + 1,
                                         sizeof *spool->retired, err);
    if (status == PJ_OK)
        spool->retired[spool->n_retired++] = *id;
    return status;
}

static pj_status log_retired(struct pji_jobs *spool, const struct pji_job_id *id, const char *why,
                             struct pj_error *err)
{
    char line[PJI_JOB_PATH + 32];
    char path[PJI_JOB_PATH];
    char *name = own_path(spool, "retired", err);
    if (name == NULL)
        return PJ_ENOMEM;
    pji_job_id_path(id, path);
    /* begins with a line end of its own: a line before it may be torn (a full disk, a lost power)
     */
    int len = snprintf(line, sizeof line, "\n%s %s\n", path, why);
    pj_status status = PJ_OK;
    errno = 0;
    int fd = open(name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0 || write(fd, line, (size_t)len) != len || fsync(fd) != 0)
        status = pji_fail_errno(err, errno != 0 ? errno : ENOSPC, "cannot write %s", name);
    if (fd >= 0)
        close(fd);
    free(name);
    return status;
}

pj_status pji_jobs_retire(struct pji_jobs *spool, struct pji_job *job, const char *why,
                          struct pj_error *err)
{
    char *dir = pji_jobs_path(spool, job, "", err);
    pj_status status = dir != NULL ? log_retired(spool, &job->id, why, err) : PJ_ENOMEM;
    if (status == PJ_OK)
        status = remember_retired(spool, &job->id, err);
    if (status == PJ_OK) {
        struct pji_job **at = &spool->jobs;
        while (*at != job)
            at = &(*at)->next;
        *at = job->next;
        free(job);
        /* what cannot be removed now is removed at the next start */
        (void)pji_remove_tree(dir, NULL);
    }
    free(dir);
    return status;
}

/* ---- opening ---- */

static pj_status read_retired(struct pji_jobs *spool, struct pj_error *err)
{
    char *text = NULL;
    size_t len = 0;
    struct pj_error why = {0};
    char *path = own_path(spool, "retired", err);
    if (path == NULL)
        return PJ_ENOMEM;
    pj_status status = pji_read_file(path, JOB_FILE_MOST, &text, &len, &why);
    if (status == PJ_ENOTFOUND)
        status = PJ_OK;
    else if (status != PJ_OK && err != NULL)
        *err = why;
    char *state = NULL;
    for (char *line = text != NULL ? strtok_r(text, "\n", &state) : NULL;
         line != NULL && status == PJ_OK; line = strtok_r(NULL, "\n", &state)) {
        struct pji_job_id id;
        const char *rest = NULL;
        line[strcspn(line, " ")] = '\0';
        if (pji_job_id_parse(line, &id, &rest) && *rest == '\0') /* a torn line has no name */
            status = remember_retired(spool, &id, err);
    }
    free(text);
    free(path);
    return status;
}

/* *out stays NULL where there is no such file (PJ_OK) or where it is no JSON (PJ_EINVAL). Anything
 * else is a disk that cannot be read now: nobody may conclude from it that there is nothing. */
static pj_status read_json(const struct pji_jobs *spool, const struct pji_job *job,
                           const char *below, json_t **out, struct pj_error *err)
{
    char *text = NULL;
    size_t len = 0;
    struct pj_error why = {0};
    *out = NULL;
    char *path = pji_jobs_path(spool, job, below, err);
    if (path == NULL)
        return PJ_ENOMEM;
    pj_status status = pji_read_file(path, JOB_FILE_MOST, &text, &len, &why);
    if (status == PJ_OK && (*out = pji_json_parse(text, len, path, &why)) == NULL)
        status = why.code;
    else if (status == PJ_ENOTFOUND)
        status = PJ_OK;
    if (status != PJ_OK && err != NULL)
        *err = why;
    free(text);
    free(path);
    return status;
}

/* What is in a job's folder: its name, and whether it ended. *keep: there is something that may not
 * be thrown away; *known: it has a name. */
static pj_status read_job(struct pji_jobs *spool, struct pji_job *job, bool *keep, bool *known,
                          struct pj_error *err)
{
    struct pj_error why = {0};
    json_t *order = NULL;
    json_t *result = NULL;
    pj_status status = read_json(spool, job, "/job.json", &order, &why);
    *keep = order != NULL || status == PJ_EINVAL;
    if (status == PJ_OK || status == PJ_EINVAL)
        status = read_json(spool, job, "/result.json", &result, &why);
    if (status != PJ_OK && status != PJ_EINVAL) {
        if (err != NULL)
            *err = why;
    } else {
        status = PJ_OK;
        *known = pji_job_id_get(order, &job->id, NULL) == PJ_OK ||
                 pji_job_id_get(result, &job->id, NULL) == PJ_OK;
        if (*known && pji_result_get(result, &job->id, &job->result, NULL) == PJ_OK)
            job->state = PJI_JOB_FINISHED;
    }
    json_decref(order);
    json_decref(result);
    return status;
}

/* One folder that an agent before us left. */
static pj_status load(struct pji_jobs *spool, int64_t number, struct pj_error *err)
{
    struct stat info;
    bool keep = false;
    bool known = false;
    struct pji_job *job = pji_zalloc(1, sizeof *job, err);
    if (job == NULL)
        return PJ_ENOMEM;
    *job = (struct pji_job){.number = number, .power_w = (double)NAN};
    char *dir = pji_jobs_path(spool, job, "", err);
    char *work = pji_jobs_path(spool, job, "/work", err);
    if (number >= spool->next_number)
        spool->next_number = number + 1;
    pj_status status = dir != NULL && work != NULL ? PJ_OK : PJ_ENOMEM;
    if (status == PJ_OK)
        status = read_job(spool, job, &keep, &known, err);
    if (status == PJ_OK && keep && known && !pji_jobs_retired(spool, &job->id)) {
        job->cut_off = job->state != PJI_JOB_FINISHED && lstat(work, &info) == 0;
        append(spool, job);
        job = NULL;
    } else if (status == PJ_OK && keep && !known) {
        pji_log(spool->log, PJI_LOG_ERROR,
                "%s is damaged: it is left as it is, and nobody will ask for it", dir);
    } else if (status == PJ_OK) { /* never accepted, or not wanted any more */
        (void)pji_remove_tree(dir, NULL);
    }
    free(job);
    free(dir);
    free(work);
    return status;
}

static pj_status load_all(struct pji_jobs *spool, struct pj_error *err)
{
    char *path = own_path(spool, "jobs", err);
    DIR *dir = path != NULL ? opendir(path) : NULL;
    pj_status status = PJ_OK;
    if (dir == NULL)
        status = pji_fail_errno(err, errno, "cannot read %s", path != NULL ? path : "the spool");
    for (struct dirent *e = dir != NULL ? readdir(dir) : NULL; e != NULL && status == PJ_OK;
         e = readdir(dir)) {
        size_t n = strspn(e->d_name, "0123456789");
        if (n > 0 && n <= 12 && e->d_name[n] == '\0')
            status = load(spool, strtoll(e->d_name, NULL, 10), err);
    }
    if (dir != NULL)
        closedir(dir);
    free(path);
    return status;
}

static pj_status take_lock(struct pji_jobs *spool, struct pj_error *err)
{
    char *path = own_path(spool, "lock", err);
    if (path == NULL)
        return PJ_ENOMEM;
    spool->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    pj_status status = PJ_OK;
    if (spool->lock_fd < 0)
        status = pji_fail_errno(err, errno, "cannot open %s", path);
    else if (flock(spool->lock_fd, LOCK_EX | LOCK_NB) != 0)
        status = errno == EWOULDBLOCK
                     ? pji_fail(err, PJ_EBUSY,
                                "another agent uses the state folder %s: end it, or choose another "
                                "with --state",
                                spool->dir)
                     : pji_fail_errno(err, errno, "cannot lock %s", path);
    free(path);
    return status;
}

/* The state folder and its jobs. Who can write there could put a token of his own in ours' place.
 */
static pj_status make_folders(const char *dir, const char *jobs, struct pj_error *err)
{
    struct stat info;
    bool ours = lstat(dir, &info) != 0;
    pj_status status = pji_make_dirs(jobs, err);
    if (status != PJ_OK)
        return status;
    if (stat(dir, &info) != 0 || (ours && chmod(dir, 0700) != 0) || chmod(jobs, 0700) != 0)
        return pji_fail_errno(err, errno, "cannot keep others out of %s", dir);
    if (!ours && (info.st_mode & 022) != 0)
        return pji_fail(err, PJ_EACCESS,
                        "others can write into the state folder %s (mode %03o), and could replace "
                        "its token: chmod go-w it, or choose another with --state",
                        dir, (unsigned)(info.st_mode & 0777));
    return PJ_OK;
}

pj_status pji_jobs_open(struct pji_jobs *spool, const char *dir, const struct pji_log *log,
                        struct pj_error *err)
{
    *spool = (struct pji_jobs){.log = log, .next_number = 1, .lock_fd = -1};
    pthread_mutex_init(&spool->lock, NULL);
    pthread_cond_init(&spool->work, NULL);
    spool->dir = pji_dup(dir, err);
    char *jobs = spool->dir != NULL ? own_path(spool, "jobs", err) : NULL;
    pj_status status = jobs != NULL ? make_folders(dir, jobs, err) : PJ_ENOMEM;
    if (status == PJ_OK)
        status = take_lock(spool, err);
    if (status == PJ_OK)
        status = read_retired(spool, err);
    if (status == PJ_OK)
        status = load_all(spool, err);
    free(jobs);
    if (status != PJ_OK)
        pji_jobs_close(spool);
    return status;
}

void pji_jobs_close(struct pji_jobs *spool)
{
    while (spool->jobs != NULL) {
        struct pji_job *next = spool->jobs->next;
        free(spool->jobs);
        spool->jobs = next;
    }
    free(spool->retired);
    free(spool->dir);
    if (spool->lock_fd >= 0)
        close(spool->lock_fd);
    pthread_cond_destroy(&spool->work);
    pthread_mutex_destroy(&spool->lock);
}
