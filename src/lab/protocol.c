/* lab/protocol.c - see protocol.h. What comes over the wire is checked here before it is used. */
#include "lab/protocol.h"

#include "core/digest.h"
#include "evidence/manifest.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

static const char prefix[] = "/v1/jobs/";

bool pji_is_hex(const char *text, size_t n)
{
    return strspn(text, "0123456789abcdef") >= n;
}

bool pji_job_id_same(const struct pji_job_id *a, const struct pji_job_id *b)
{
    return strcmp(a->study, b->study) == 0 && a->trial == b->trial && a->attempt == b->attempt &&
           strcmp(a->nonce, b->nonce) == 0;
}

void pji_job_id_path(const struct pji_job_id *id, char path[PJI_JOB_PATH])
{
    snprintf(path, PJI_JOB_PATH, "%s%s/%lld/%lld/%s", prefix, id->study, (long long)id->trial,
             (long long)id->attempt, id->nonce);
}

static bool take_hex(const char **at, char out[33])
{
    if (!pji_is_hex(*at, 32))
        return false;
    memcpy(out, *at, 32);
    out[32] = '\0';
    *at += 32;
    return true;
}

/* 1 to 12 digits, no leading zero. */
static bool take_number(const char **at, int64_t *out)
{
    size_t n = strspn(*at, "0123456789");
    if (n == 0 || n > 12 || **at == '0')
        return false;
    *out = strtoll(*at, NULL, 10);
    *at += n;
    return true;
}

static bool take_slash(const char **at)
{
    return **at == '/' && *(++*at) != '\0';
}

bool pji_job_id_parse(const char *path, struct pji_job_id *id, const char **rest)
{
    const char *at = path;
    if (strncmp(path, prefix, sizeof prefix - 1) != 0)
        return false;
    at += sizeof prefix - 1;
    if (!take_hex(&at, id->study) || !take_slash(&at) || !take_number(&at, &id->trial) ||
        !take_slash(&at) || !take_number(&at, &id->attempt) || !take_slash(&at) ||
        !take_hex(&at, id->nonce))
        return false;
    *rest = at;
    return *at == '\0' || *at == '/';
}

void pji_job_id_show(const struct pji_job_id *id, char *text, size_t size)
{
    snprintf(text, size, "trial %lld, attempt %lld", (long long)id->trial, (long long)id->attempt);
}

void pji_job_id_put(const struct pji_job_id *id, json_t *object)
{
    json_object_set_new(object, "study", json_string(id->study));
    json_object_set_new(object, "trial", json_integer((json_int_t)id->trial));
    json_object_set_new(object, "attempt", json_integer((json_int_t)id->attempt));
    json_object_set_new(object, "nonce", json_string(id->nonce));
}

static pj_status copy_text(const json_t *object, const char *key, const char *what, char *out,
                           size_t size, struct pj_error *err)
{
    const char *text = NULL;
    pj_status status = pji_json_get_str(object, key, what, &text, err);
    if (status == PJ_OK && strlen(text) >= size)
        return pji_fail(err, PJ_EINVAL, "%s: %s is longer than %zu bytes", what, key, size - 1);
    if (status == PJ_OK)
        snprintf(out, size, "%s", text);
    return status;
}

pj_status pji_job_id_get(const json_t *message, struct pji_job_id *id, struct pj_error *err)
{
    static const char what[] = "the message";
    pj_status status = copy_text(message, "study", what, id->study, sizeof id->study, err);
    if (status == PJ_OK)
        status = pji_json_get_i64(message, "trial", what, &id->trial, err);
    if (status == PJ_OK)
        status = pji_json_get_i64(message, "attempt", what, &id->attempt, err);
    if (status == PJ_OK)
        status = copy_text(message, "nonce", what, id->nonce, sizeof id->nonce, err);
    if (status == PJ_OK && (!pji_is_hex(id->study, 32) || !pji_is_hex(id->nonce, 32) ||
                            id->trial < 1 || id->attempt < 1))
        status = pji_fail(err, PJ_EINVAL, "the message names no attempt of a study");
    return status;
}

pj_status pji_job_id_check(const struct pji_job_id *want, const json_t *message,
                           struct pj_error *err)
{
    struct pji_job_id got;
    struct pj_error why = {0};
    char text[80];
    pji_job_id_show(want, text, sizeof text);
    if (pji_job_id_get(message, &got, &why) != PJ_OK)
        return pji_fail(err, PJ_EPEER, "an answer about %s was refused: %s", text, why.text);
    if (!pji_job_id_same(want, &got))
        return pji_fail(err, PJ_EPEER,
                        "an answer about %s was refused: it is about trial %lld, attempt %lld of "
                        "study %s",
                        text, (long long)got.trial, (long long)got.attempt, got.study);
    return PJ_OK;
}

pj_status pji_random_hex(char *text, size_t n, struct pj_error *err)
{
    unsigned char bytes[64];
    size_t need = n / 2;
    if (need > sizeof bytes || getrandom(bytes, need, 0) != (ssize_t)need)
        return pji_fail_errno(err, errno, "cannot draw random numbers");
    for (size_t i = 0; i < need; i++)
        snprintf(text + 2 * i, 3, "%02x", bytes[i]);
    explicit_bzero(bytes, sizeof bytes);
    return PJ_OK;
}

static pj_status put_fact(void *context, const char *key, const char *value, struct pj_error *err)
{
    return json_object_set_new(context, key, json_string(value)) == 0
               ? PJ_OK
               : pji_fail(err, PJ_ENOMEM, "out of memory");
}

pj_status pji_machine_put(json_t *object, struct pj_error *err)
{
    return pji_manifest_machine(put_fact, object, err);
}

/* ---- results ---- */

pj_status pji_result_digest(const struct pji_job_id *id, const struct pji_result *result,
                            char sha256[65], struct pj_error *err)
{
    struct pji_str text = {0};
    pji_str_addf(&text, "perjoule result 1\n%s\n%lld\n%lld\n%s\n%s\n%s\n", id->study,
                 (long long)id->trial, (long long)id->attempt, id->nonce, result->state,
                 result->reason);
    for (size_t i = 0; i < result->n_files; i++)
        pji_str_addf(&text, "%s %lld %s\n", result->files[i].sha256,
                     (long long)result->files[i].size_b, result->files[i].name);
    pj_status status = pji_str_ok(&text, err);
    if (status == PJ_OK)
        status = pji_sha256_bytes(text.text, text.len, sha256, err);
    pji_str_fini(&text);
    return status;
}

void pji_result_put(const struct pji_result *result, json_t *object)
{
    json_t *outcome = json_object();
    json_t *files = json_array();
    json_t *out = json_object();
    json_object_set_new(outcome, "state", json_string(result->state));
    json_object_set_new(outcome, "reason", json_string(result->reason));
    json_object_set_new(outcome, "detail", json_string(result->detail));
    json_object_set_new(object, "outcome", outcome);
    for (size_t i = 0; i < result->n_files; i++) {
        json_t *file = json_object();
        json_object_set_new(file, "name", json_string(result->files[i].name));
        json_object_set_new(file, "size_b", json_integer((json_int_t)result->files[i].size_b));
        json_object_set_new(file, "sha256", json_string(result->files[i].sha256));
        json_array_append_new(files, file);
    }
    json_object_set_new(out, "digest", json_string(result->digest));
    json_object_set_new(out, "files", files);
    json_object_set_new(object, "result", out);
}

static pj_status get_file(const json_t *item, struct pji_result_file *file, struct pj_error *err)
{
    static const char what[] = "a file of the result";
    pj_status status = copy_text(item, "name", what, file->name, sizeof file->name, err);
    if (status == PJ_OK)
        status = pji_json_get_i64(item, "size_b", what, &file->size_b, err);
    if (status == PJ_OK)
        status = copy_text(item, "sha256", what, file->sha256, sizeof file->sha256, err);
    if (status == PJ_OK && (file->size_b < 0 || !pji_is_hex(file->sha256, 64)))
        status = pji_fail(err, PJ_EINVAL, "%s has no size or digest", what);
    return status;
}

pj_status pji_result_get(const json_t *message, const struct pji_job_id *id,
                         struct pji_result *result, struct pj_error *err)
{
    static const char what[] = "the result";
    char digest[65];
    const json_t *outcome = json_object_get(message, "outcome");
    const json_t *out = json_object_get(message, "result");
    const json_t *files = json_object_get(out, "files");
    *result = (struct pji_result){0};
    pj_status status = copy_text(outcome, "state", what, result->state, sizeof result->state, err);
    if (status == PJ_OK)
        status = copy_text(outcome, "reason", what, result->reason, sizeof result->reason, err);
    if (status == PJ_OK)
        status = copy_text(outcome, "detail", what, result->detail, sizeof result->detail, err);
    if (status == PJ_OK)
        status = copy_text(out, "digest", what, result->digest, sizeof result->digest, err);
    if (status == PJ_OK && (!json_is_array(files) || json_array_size(files) > PJI_RESULT_FILES))
        status = pji_fail(err, PJ_EINVAL, "%s lists no files, or too many", what);
    for (size_t i = 0; status == PJ_OK && i < json_array_size(files); i++)
        status = get_file(json_array_get(files, i), &result->files[result->n_files++], err);
    if (status == PJ_OK)
        status = pji_result_digest(id, result, digest, err);
    if (status == PJ_OK && strcmp(digest, result->digest) != 0)
        status = pji_fail(err, PJ_EPEER, "%s contradicts its own digest", what);
    return status;
}
