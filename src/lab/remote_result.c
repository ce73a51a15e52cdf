/* lab/remote_result.c - a result comes home: fetched in pieces, checked, and taken over in one
 * transaction.
 */
#include "lab/remote_inside.h"
#include "lab/replicas.h"

#include "core/digest.h"
#include "core/units.h"
#include "platform/clock.h"
#include "platform/durable.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { PIECE = 4 << 20, TRIES = 2 };

/* ---- where it lies meanwhile ---- */

static pj_status incoming_dir(const struct pji_remote *remote, const struct pji_job_id *id,
                              struct pji_str *path, struct pj_error *err)
{
    pji_str_addf(path, "%s/incoming/%lld", pji_store_dir(remote->store), (long long)id->attempt);
    return pji_str_ok(path, err);
}

/* The names here are ours: the study's, and numbers. */
static pj_status incoming_file(const struct pji_remote *remote, const struct pji_job_id *id,
                               size_t index, struct pji_str *path, struct pj_error *err)
{
    pj_status status = incoming_dir(remote, id, path, err);
    if (index == 0)
        pji_str_add(path, "/study.sqlite");
    else
        pji_str_addf(path, "/%zu", index);
    return status == PJ_OK ? pji_str_ok(path, err) : status;
}

void pji_remote_forget_incoming(struct pji_remote *remote, const struct pji_job_id *id)
{
    struct pji_str path = {0};
    if (incoming_dir(remote, id, &path, NULL) == PJ_OK)
        (void)pji_remove_tree(path.text, NULL);
    pji_str_fini(&path);
}

/* ---- fetching ---- */

static pj_status write_all(int fd, const char *bytes, size_t len, const char *path,
                           struct pj_error *err)
{
    while (len > 0) {
        ssize_t n = write(fd, bytes, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return pji_fail_errno(err, n < 0 ? errno : EIO, "cannot write %s", path);
        bytes += n;
        len -= (size_t)n;
    }
    return PJ_OK;
}

/* One piece, asked for until the agent gives it or is lost. */
static pj_status fetch_piece(struct pji_remote *remote, const struct pji_job_id *id, size_t index,
                             int64_t offset, int64_t len, int fd, const char *path,
                             struct pj_error *err)
{
    struct pji_http_answer answer = {0};
    struct pj_error why = {0};
    pj_status status;
    while ((status = pji_remote_bytes(remote, id, index, offset, len, &answer, &why)) != PJ_OK) {
        if (status != PJ_EPEER && status != PJ_ETIMEOUT) {
            if (err != NULL && err->code == 0)
                *err = why;
            return status;
        }
        pji_error_clear(&why);
        status = pji_remote_breathe(remote, err);
        if (status != PJ_OK)
            return status;
    }
    if ((int64_t)answer.len != len)
        status =
            pji_fail(err, PJ_ECORRUPT, "file %zu of the result is shorter than announced", index);
    else
        status = write_all(fd, answer.body, answer.len, path, err);
    free(answer.body);
    return status;
}

static pj_status fetch_rest(struct pji_remote *remote, const struct pji_job_id *id, size_t index,
                            const struct pji_result_file *file, const char *path,
                            struct pj_error *err)
{
    struct stat info;
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (fd < 0)
        return pji_fail_errno(err, errno, "cannot create %s", path);
    pj_status status = PJ_OK;
    if (fstat(fd, &info) != 0)
        status = pji_fail_errno(err, errno, "cannot look at %s", path);
    int64_t have = status == PJ_OK ? (int64_t)info.st_size : 0;
    if (status == PJ_OK && have > file->size_b) {
        have = 0;
        if (ftruncate(fd, 0) != 0)
            status = pji_fail_errno(err, errno, "cannot empty %s", path);
    }
    while (status == PJ_OK && have < file->size_b) {
        int64_t len = file->size_b - have < PIECE ? file->size_b - have : PIECE;
        status = fetch_piece(remote, id, index, have, len, fd, path, err);
        have += len;
    }
    close(fd);
    return status;
}

static pj_status fetch_file(struct pji_remote *remote, const struct pji_job_id *id, size_t index,
                            const struct pji_result_file *file, struct pj_error *err)
{
    struct pji_str path = {0};
    char sha256[PJI_SHA256_HEX] = "";
    pj_status status = incoming_file(remote, id, index, &path, err);
    for (int try = 0; try < TRIES && status == PJ_OK; try++) {
        status = fetch_rest(remote, id, index, file, pji_str_text(&path), err);
        if (status == PJ_OK)
            status = pji_sha256_file(pji_str_text(&path), sha256, err);
        if (status == PJ_OK && strcmp(sha256, file->sha256) == 0)
            break;
        if (status == PJ_OK && unlink(pji_str_text(&path)) != 0)
            status = pji_fail_errno(err, errno, "cannot remove %s", pji_str_text(&path));
    }
    if (status == PJ_OK && strcmp(sha256, file->sha256) != 0)
        status =
            pji_fail(err, PJ_ECORRUPT,
                     "file %zu of the result does not have the digest that was announced", index);
    pji_str_fini(&path);
    return status;
}

pj_status pji_remote_fetch(struct pji_remote *remote, const struct pji_job_id *id,
                           const struct pji_result *result, struct pj_error *err)
{
    struct pji_str dir = {0};
    pj_status status = incoming_dir(remote, id, &dir, err);
    if (status == PJ_OK)
        status = pji_make_dirs(dir.text, err);
    for (size_t i = 0; i < result->n_files && status == PJ_OK; i++)
        status = fetch_file(remote, id, i, &result->files[i], err);
    pji_str_fini(&dir);
    return status;
}

/* ---- taking over ---- */

struct adoption {
    struct pji_remote *remote;
    const struct pji_job_id *id;
    const struct pji_result *result;
    double energy_j;
};

static pj_status take_artefact(void *context, const struct pji_artefact_row *row,
                               struct pj_error *err)
{
    struct adoption *a = context;
    struct pji_store *store = a->remote->store;
    struct pji_str from = {0};
    char *to = NULL;
    size_t index = 1;
    while (index < a->result->n_files && strcmp(a->result->files[index].name, row->name) != 0)
        index++;
    pj_status status = pji_store_declare_artefact(store, a->id->attempt, row->name, err);
    if (status != PJ_OK || index == a->result->n_files)
        return status; /* it was never written: seal says so where that matters */
    bool sealed = row->sha256[0] != '\0';
    if (sealed && strcmp(row->sha256, a->result->files[index].sha256) != 0)
        return pji_fail(err, PJ_ECORRUPT, "the artefact %s contradicts the records of its trial",
                        row->name);
    status = incoming_file(a->remote, a->id, index, &from, err);
    if (status == PJ_OK)
        status = pji_store_artefact_path(store, a->id->attempt, row->name, &to, err);
    if (status == PJ_OK && rename(pji_str_text(&from), to) != 0)
        status = pji_fail_errno(err, errno, "cannot move %s to %s", pji_str_text(&from), to);
    if (status == PJ_OK && sealed)
        status = pji_store_seal_artefact(store, a->id->attempt, row->name, err);
    free(to);
    pji_str_fini(&from);
    return status;
}

static pj_status note_energy(void *context, const struct pji_energy_row *row, struct pj_error *err)
{
    struct adoption *a = context;
    (void)err;
    if (strcmp(row->phase, "trial") == 0 && strcmp(row->name, "total") == 0 &&
        row->energy.origin != PJ_ORIGIN_MISSING)
        a->energy_j = row->energy.value_j;
    return PJ_OK;
}

static pj_status take_records(struct adoption *a, struct pj_error *err)
{
    struct pji_store *from = NULL;
    struct pji_str dir = {0};
    int64_t attempt = 0;
    if (a->result->n_files == 0)
        return PJ_OK; /* it ended before it had anything to record */
    pj_status status = incoming_dir(a->remote, a->id, &dir, err);
    if (status == PJ_OK)
        status = pji_store_open(&from, dir.text, PJI_STORE_READ, a->remote->env->log, err);
    if (status == PJ_OK)
        status = pji_store_last_attempt(from, a->id->trial, &attempt, err);
    if (status == PJ_OK)
        status = pji_store_copy_records(a->remote->store, a->id->attempt, from, attempt, err);
    if (status == PJ_OK)
        status = pji_store_each_artefact(from, attempt, take_artefact, a, err);
    if (status == PJ_OK)
        status = pji_store_each_energy(from, attempt, note_energy, a, err);
    if (status == PJI_STORE_NONE)
        status = PJ_OK;
    if (from != NULL)
        (void)pji_store_close(from, NULL);
    pji_str_fini(&dir);
    return status;
}

static pj_status put_seconds(struct pji_remote *remote, int64_t attempt, const char *key,
                             int64_t dur_ns, struct pj_error *err)
{
    struct pji_str text = {0};
    pji_str_add_num(&text, pji_s_from_ns(dur_ns));
    pj_status status = pji_str_ok(&text, err);
    if (status == PJ_OK)
        status = pji_store_put_fact(remote->store, attempt, key, pji_str_text(&text), err);
    pji_str_fini(&text);
    return status;
}

pj_status pji_remote_put_facts(struct pji_remote *remote, int64_t attempt, const char *digest,
                               struct pj_error *err)
{
    const struct pji_clock_sample *c = &remote->clock;
    pj_status status =
        pji_store_put_fact(remote->store, attempt, "agent.id", remote->agent_id, err);
    if (status == PJ_OK && digest[0] != '\0')
        status = pji_store_put_fact(remote->store, attempt, "agent.result_sha256", digest, err);
    if (status != PJ_OK || c->u_ns == 0)
        return status;
    status = put_seconds(remote, attempt, "agent.clock_offset_s", c->wall_offset_ns, err);
    if (status == PJ_OK)
        status = put_seconds(remote, attempt, "agent.clock_offset_u_s", c->u_ns, err);
    if (status == PJ_OK)
        status =
            put_seconds(remote, attempt, "agent.monotonic_offset_s", c->monotonic_offset_ns, err);
    return status;
}

static bool failed_for(const struct pji_result *result, const char *reason)
{
    return strcmp(result->state, "failed") == 0 && strcmp(result->reason, reason) == 0;
}

static enum pji_trial_state state_of(const struct pji_result *result)
{
    if (strcmp(result->state, "done") == 0)
        return PJI_TRIAL_DONE;
    if (strcmp(result->state, "invalid") == 0)
        return PJI_TRIAL_INVALID;
    /* a testbed that was asked to stop is nobody's failure; one that died counts as one */
    if (failed_for(result, "disk") || failed_for(result, "agent_refused"))
        return PJI_TRIAL_PLANNED;
    if (strcmp(result->state, "interrupted") == 0 && strcmp(result->reason, "agent_stopped") == 0)
        return PJI_TRIAL_PLANNED;
    return PJI_TRIAL_FAILED;
}

pj_status pji_remote_adopt(struct pji_remote *remote, const struct pji_job_id *id,
                           const struct pji_result *result, struct pji_trial_outcome *outcome,
                           struct pj_error *err)
{
    struct adoption a = {
        .remote = remote, .id = id, .result = result, .energy_j = outcome->energy_j};
    enum pji_trial_state state = state_of(result);
    const char *reason =
        result->reason[0] != '\0' || state == PJI_TRIAL_DONE ? result->reason : "agent_no_reason";
    pj_status status = pji_store_begin(remote->store, err);
    if (status != PJ_OK)
        return status;
    status = take_records(&a, err);
    if (status == PJ_OK && (state == PJI_TRIAL_DONE || state == PJI_TRIAL_INVALID))
        status = pji_replicas_judge(remote->store, id->trial, id->attempt, err);
    if (status == PJ_OK)
        status = pji_remote_put_facts(remote, id->attempt, result->digest, err);
    if (status == PJ_OK && result->detail[0] != '\0')
        status =
            pji_store_put_fact(remote->store, id->attempt, "failure.detail", result->detail, err);
    if (status == PJ_OK)
        status = pji_store_end_attempt(remote->store, id->attempt, state, reason,
                                       state == PJI_TRIAL_PLANNED, pji_clock_ns(CLOCK_MONOTONIC),
                                       pji_clock_ns(CLOCK_REALTIME), err);
    if (status == PJ_OK)
        status = pji_store_commit(remote->store, err);
    if (status != PJ_OK) {
        pji_store_rollback(remote->store);
        return status;
    }
    outcome->state = state;
    outcome->disk_full = failed_for(result, "disk");
    outcome->agent_refuses = failed_for(result, "agent_refused");
    outcome->energy_j = a.energy_j;
    snprintf(outcome->reason, sizeof outcome->reason, "%.150s", reason);
    return PJ_OK;
}
