/* agent/api.c - the routes. Nothing here changes before the token, the route, the type and the size
 * of a request were found good; paths are matched as they were sent, and no part of one is used as
 * a file name.
 */
#include "agent/inside.h"

#include "core/array.h"
#include "core/digest.h"
#include "core/num.h"
#include "core/units.h"
#include "platform/clock.h"
#include "platform/process.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

enum { QUEUE_MOST = 1, PIECE_MOST = 4 << 20 };

struct call {
    struct pji_agent *agent;
    const struct pji_server_request *request;
    struct pji_server_reply *reply;
    struct pji_job_id id;
    const char *rest; /* of the path */
    json_t *message;  /* body, NULL: none */
};

typedef void route_fn(struct call *c);

static route_fn get_agent, post_check, put_job, get_job, get_file, post_ack, delete_job, get_jobs;

static const struct route {
    const char *shown; /* as in the OpenAPI file */
    const char *method;
    const char *path;   /* whole path, or NULL: a job's */
    const char *prefix; /* behind the job's four parts: "" , "/ack", "/files/" */
    bool has_body;
    route_fn *run;
} routes[] = {
    {"GET /v1/agent", "GET", "/v1/agent", NULL, false, get_agent},
    {"POST /v1/check", "POST", "/v1/check", NULL, true, post_check},
    {"GET /v1/studies/{study}/jobs", "GET", "/v1/studies/", NULL, false, get_jobs},
    {"PUT /v1/jobs/{study}/{trial}/{attempt}/{nonce}", "PUT", NULL, "", true, put_job},
    {"GET /v1/jobs/{study}/{trial}/{attempt}/{nonce}", "GET", NULL, "", false, get_job},
    {"DELETE /v1/jobs/{study}/{trial}/{attempt}/{nonce}", "DELETE", NULL, "", false, delete_job},
    {"POST /v1/jobs/{study}/{trial}/{attempt}/{nonce}/ack", "POST", NULL, "/ack", true, post_ack},
    {"GET /v1/jobs/{study}/{trial}/{attempt}/{nonce}/files/{index}", "GET", NULL, "/files/", false,
     get_file},
};
enum { N_ROUTES = sizeof routes / sizeof routes[0] };

const char *pji_agent_route(size_t index)
{
    return index < N_ROUTES ? routes[index].shown : NULL;
}

/* ---- answering ---- */

static void say(struct pji_server_reply *reply, unsigned status, json_t *object)
{
    reply->status = status;
    pji_json_write(&reply->body, object, 0);
    pji_str_addc(&reply->body, '\n');
    json_decref(object);
}

/* What a stranger sent goes into a log that somebody reads in a terminal: nothing in it may move a
 * cursor or end a line. */
static const char *printable(const char *text, char *out, size_t size)
{
    size_t n = 0;
    for (; text[n] != '\0' && n + 1 < size; n++)
        out[n] = text[n] >= 0x20 && text[n] < 0x7f ? text[n] : '?';
    out[n] = '\0';
    return out;
}

static void refuse(struct call *c, unsigned status, const char *code, const char *words)
{
    char method[16];
    char path[161];
    json_t *object = json_object();
    json_object_set_new(object, "error", json_string(code));
    json_object_set_new(object, "message", json_string(words));
    if (c->id.nonce[0] != '\0')
        pji_job_id_put(&c->id, object);
    if (status != 404 || c->id.nonce[0] == '\0')
        pji_log(c->agent->spool.log, PJI_LOG_WARNING, "refused %s %s from %s: %s",
                printable(c->request->method, method, sizeof method),
                printable(c->request->path, path, sizeof path), c->request->peer, words);
    say(c->reply, status, object);
}

static void put_clock(json_t *object)
{
    json_t *clock = json_object();
    json_object_set_new(clock, "monotonic_ns",
                        json_integer((json_int_t)pji_clock_ns(CLOCK_MONOTONIC)));
    json_object_set_new(clock, "wall_ns", json_integer((json_int_t)pji_clock_ns(CLOCK_REALTIME)));
    json_object_set_new(object, "clock", clock);
}

/* ---- routing ---- */

static bool matches(const struct route *route, struct call *c)
{
    const char *path = c->request->path;
    if (route->path != NULL && route->run == get_jobs) {
        size_t n = strlen(route->path);
        c->rest = path + n;
        return strncmp(path, route->path, n) == 0 && pji_is_hex(path + n, 32) &&
               strcmp(path + n + 32, "/jobs") == 0;
    }
    if (route->path != NULL)
        return strcmp(path, route->path) == 0;
    struct pji_job_id id = {0};
    const char *rest = NULL;
    if (!pji_job_id_parse(path, &id, &rest))
        return false;
    size_t n = strlen(route->prefix);
    bool has_index = strcmp(route->prefix, "/files/") == 0;
    if (strncmp(rest, route->prefix, n) != 0 || has_index != (rest[n] != '\0'))
        return false;
    if (has_index && (strspn(rest + n, "0123456789") != strlen(rest + n) || strlen(rest + n) > 2))
        return false;
    c->id = id;
    c->rest = rest + n;
    return true;
}

static const struct route *find_route(struct call *c, bool *other_method)
{
    *other_method = false;
    for (size_t i = 0; i < N_ROUTES; i++) {
        if (!matches(&routes[i], c))
            continue;
        if (strcmp(routes[i].method, c->request->method) == 0)
            return &routes[i];
        *other_method = true;
    }
    return NULL;
}

/* "application/json", whatever its parameters; media types know no case (RFC 9110, 8.3.1). */
static bool is_json(const char *content_type)
{
    static const char json[] = "application/json";
    if (content_type == NULL || strncasecmp(content_type, json, sizeof json - 1) != 0)
        return false;
    return strchr("; \t", content_type[sizeof json - 1]) != NULL;
}

bool pji_api_admit(void *context, const struct pji_server_request *request,
                   struct pji_server_reply *reply)
{
    struct call c = {.agent = context, .request = request, .reply = reply};
    bool other_method = false;
    if (!pji_token_matches(&c.agent->token, request->authorization)) {
        refuse(&c, 401, "unauthorized", "show the token of this agent as a bearer token");
        return false;
    }
    const struct route *route = find_route(&c, &other_method);
    if (route == NULL) {
        c.id = (struct pji_job_id){0};
        if (other_method)
            refuse(&c, 405, "method_not_allowed", "this path knows other methods");
        else
            refuse(&c, 404, "no_such_path", "the API has no such path");
        return false;
    }
    if (route->has_body && !is_json(request->content_type)) {
        refuse(&c, 415, "not_json", "the body must be application/json");
        return false;
    }
    return true;
}

/* The four parts in the body must be those of the path. */
static bool read_message(struct call *c, const struct route *route)
{
    struct pj_error err = {0};
    struct pji_job_id id;
    if (!route->has_body && c->request->body_len == 0)
        return true;
    if (!route->has_body) {
        refuse(c, 400, "malformed", "this request has no body");
        return false;
    }
    c->message = pji_json_parse(c->request->body, c->request->body_len, "the body", &err);
    if (!json_is_object(c->message)) {
        refuse(c, 400, "malformed", err.code != 0 ? err.text : "the body must be a JSON object");
        return false;
    }
    if (c->id.nonce[0] != '\0' &&
        (pji_job_id_get(c->message, &id, &err) != PJ_OK || !pji_job_id_same(&id, &c->id))) {
        refuse(c, 400, "identity",
               "study, trial, attempt and nonce of the body are not those of the path");
        return false;
    }
    return true;
}

void pji_api_answer(void *context, const struct pji_server_request *request,
                    struct pji_server_reply *reply)
{
    struct call c = {.agent = context, .request = request, .reply = reply};
    bool other_method = false;
    const struct route *route = find_route(&c, &other_method);
    if (route != NULL && read_message(&c, route)) {
        pthread_mutex_lock(&c.agent->spool.lock);
        route->run(&c);
        pthread_mutex_unlock(&c.agent->spool.lock);
    }
    json_decref(c.message);
}

/* ---- the agent ---- */

static void get_agent(struct call *c)
{
    const struct pji_agent *a = c->agent;
    char boot_id[48] = "";
    json_t *object = json_object();
    pji_boot_id(boot_id, sizeof boot_id);
    json_object_set_new(object, "api", json_integer(PJI_AGENT_API));
    json_object_set_new(object, "version", json_string(PJ_VERSION));
    json_object_set_new(object, "agent", json_string(a->id));
    json_object_set_new(object, "boot_id", json_string(boot_id));
    json_object_set_new(object, "transport", json_string(a->transport));
    json_object_set_new(object, "running", json_boolean(a->running != NULL));
    json_object_set_new(object, "queued",
                        json_integer((json_int_t)pji_jobs_count(&a->spool, PJI_JOB_QUEUED)));
    json_object_set_new(object, "results",
                        json_integer((json_int_t)pji_jobs_count(&a->spool, PJI_JOB_FINISHED)));
    json_object_set(object, "machine", a->machine);
    put_clock(object);
    say(c->reply, 200, object);
}

static void refuse_order(struct call *c, pj_status status, const struct pj_error *err)
{
    if (status == PJ_EACCESS)
        refuse(c, 403, "not_allowed", err->text);
    else if (status == PJ_ENOMEM)
        refuse(c, 500, "internal", err->text);
    else
        refuse(c, 422, "wrong_study", err->text);
}

/* ---- check ---- */

struct checking {
    const struct pji_agent *agent;
    const struct pji_study *study;
    json_int_t n;
};

static pj_status check_levels(void *context, const char *const *levels, struct pj_error *err)
{
    struct checking *k = context;
    struct pji_engine_env env = {.study_dir = k->study->dir, .stop_fd = -1};
    struct pji_setting *settings = NULL;
    size_t n = 0;
    k->n++;
    pj_status status = pji_study_settings(k->study, levels, &settings, &n, err);
    if (status == PJ_OK)
        status = pji_policy_allow(&k->agent->policy, k->study->engine->kind, settings, n, err);
    if (status == PJ_OK)
        status = k->study->engine->check(settings, n, err);
    if (status == PJ_OK && k->study->engine->preflight != NULL)
        status = k->study->engine->preflight(settings, n, &env, err);
    pji_settings_free(settings, n);
    return status;
}

/* Files are only hashed here; the job that runs reads them. */
static pj_status check_items(const struct pji_order *order, const json_t *message,
                             struct pj_error *err)
{
    pj_status status = PJ_OK;
    for (size_t t = 0; t < order->study.n_tasks && status == PJ_OK; t++) {
        const struct pji_task_spec *spec = &order->study.tasks[t];
        char items[PJI_SHA256_HEX];
        char examples[PJI_SHA256_HEX];
        status = pji_sha256_file(spec->items_path, items, err);
        if (status == PJ_OK && spec->examples_path != NULL)
            status = pji_sha256_file(spec->examples_path, examples, err);
        if (status == PJ_OK)
            status = pji_order_same_items(message, spec->name, items,
                                          spec->examples_path != NULL ? examples : NULL, err);
    }
    return status;
}

static pj_status check_times(const struct pji_order *order, const json_t *message,
                             struct pj_error *err)
{
    char ours[PJI_SHA256_HEX];
    if (order->study.times_path == NULL)
        return PJ_OK;
    pj_status status = pji_sha256_file(order->study.times_path, ours, err);
    return status == PJ_OK ? pji_order_same_times(message, ours, err) : status;
}

static void post_check(struct call *c)
{
    struct pj_error err = {0};
    struct pji_order order;
    struct checking k = {.agent = c->agent, .study = &order.study};
    pj_status status = pji_order_read(c->agent, c->message, false, &order, &err);
    bool *used = status == PJ_OK ? pji_zalloc(order.study.n_factors + 1, sizeof *used, &err) : NULL;
    if (status == PJ_OK && used == NULL)
        status = PJ_ENOMEM;
    if (status == PJ_OK) {
        pji_study_uses(&order.study, order.study.engine_node, used);
        status = pji_study_each_combination(&order.study, used, check_levels, &k, &err);
    }
    if (status == PJ_OK)
        status = check_items(&order, c->message, &err);
    if (status == PJ_OK)
        status = check_times(&order, c->message, &err);
    if (status == PJ_OK) {
        json_t *object = json_object();
        json_object_set_new(object, "treatments", json_integer(k.n));
        say(c->reply, 200, object);
    } else {
        refuse_order(c, status, &err);
    }
    free(used);
    pji_order_fini(&order);
}

/* ---- jobs ---- */

static json_t *job_json(const struct pji_job *job)
{
    json_t *object = json_object();
    pji_job_id_put(&job->id, object);
    json_object_set_new(object, "state", json_string(pji_job_state_name(job->state)));
    json_object_set_new(object, "phase", json_string(job->phase));
    json_object_set_new(object, "requests_done", json_integer((json_int_t)job->requests_done));
    json_object_set_new(object, "requests", json_integer((json_int_t)job->requests));
    json_object_set_new(object, "power_w", pji_json_num(job->power_w));
    if (job->state == PJI_JOB_FINISHED)
        pji_result_put(&job->result, object);
    put_clock(object);
    return object;
}

/* NULL: an answer was given. */
static struct pji_job *need_job(struct call *c)
{
    struct pji_job *job = pji_jobs_find(&c->agent->spool, &c->id);
    if (job != NULL && !job->discarded)
        return job;
    if (job != NULL || pji_jobs_retired(&c->agent->spool, &c->id))
        refuse(c, 410, "retired", "this attempt was acknowledged or discarded before");
    else if (pji_jobs_contradicts(&c->agent->spool, &c->id))
        refuse(c, 409, "foreign", "this attempt is known with another trial or nonce");
    else
        refuse(c, 404, "unknown_job", "this agent knows no such attempt");
    return NULL;
}

static void get_job(struct call *c)
{
    const struct pji_job *job = need_job(c);
    if (job != NULL)
        say(c->reply, 200, job_json(job));
}

static void get_jobs(struct call *c)
{
    json_t *object = json_object();
    json_t *list = json_array();
    char study[33];
    memcpy(study, c->rest, 32);
    study[32] = '\0';
    for (const struct pji_job *job = c->agent->spool.jobs; job != NULL; job = job->next) {
        if (job->discarded || strcmp(job->id.study, study) != 0)
            continue;
        json_t *item = json_object();
        pji_job_id_put(&job->id, item);
        json_object_set_new(item, "state", json_string(pji_job_state_name(job->state)));
        json_object_set_new(item, "digest", json_string(job->result.digest));
        json_array_append_new(list, item);
    }
    json_object_set_new(object, "study", json_string(study));
    json_object_set_new(object, "jobs", list);
    put_clock(object);
    say(c->reply, 200, object);
}

static bool may_queue(struct call *c)
{
    const struct pji_jobs *spool = &c->agent->spool;
    if (pji_jobs_retired(spool, &c->id))
        refuse(c, 410, "retired", "this attempt was acknowledged or discarded before");
    else if (pji_jobs_contradicts(spool, &c->id))
        refuse(c, 409, "foreign", "this attempt is known with another trial or nonce");
    else if (pji_jobs_count(spool, PJI_JOB_QUEUED) >= QUEUE_MOST)
        refuse(c, 429, "busy", "one job runs or waits already: ask again later");
    else if (pji_jobs_count(spool, PJI_JOB_FINISHED) >= PJI_JOBS_RESULTS)
        refuse(c, 507, "spool_full", "too many results wait for their acknowledgement");
    else
        return true;
    return false;
}

static void put_job(struct call *c)
{
    struct pj_error err = {0};
    struct pji_order order = {0};
    struct pji_job *job = pji_jobs_find(&c->agent->spool, &c->id);
    if (job != NULL && !job->discarded) {
        say(c->reply, 200, job_json(job)); /* said before: nothing changes */
        return;
    }
    if (job != NULL) {
        refuse(c, 410, "retired", "this attempt was discarded before");
        return;
    }
    if (!may_queue(c))
        return;
    pj_status status = pji_order_read(c->agent, c->message, true, &order, &err);
    if (status == PJ_OK)
        status = pji_order_allowed(c->agent, &order.study, order.levels, &err);
    if (status != PJ_OK)
        refuse_order(c, status, &err);
    else if ((status = pji_jobs_add(&c->agent->spool, &c->id, c->message, &job, &err)) != PJ_OK)
        refuse(c, status == PJ_ENOSPC ? 507 : 500, status == PJ_ENOSPC ? "disk_full" : "internal",
               err.text);
    else
        say(c->reply, 201, job_json(job));
    pji_order_fini(&order);
}

static void retire(struct call *c, struct pji_job *job, const char *why)
{
    struct pj_error err = {0};
    if (pji_jobs_retire(&c->agent->spool, job, why, &err) != PJ_OK) {
        refuse(c, 500, "internal", err.text);
        return;
    }
    json_t *object = json_object();
    pji_job_id_put(&c->id, object);
    json_object_set_new(object, "state", json_string("retired"));
    say(c->reply, 200, object);
}

static void post_ack(struct call *c)
{
    struct pji_job *job = need_job(c);
    const char *digest = json_string_value(json_object_get(c->message, "digest"));
    if (job == NULL)
        return;
    if (job->state != PJI_JOB_FINISHED)
        refuse(c, 409, "not_finished", "this attempt has no result yet");
    else if (digest == NULL || strcmp(digest, job->result.digest) != 0)
        refuse(c, 409, "digest", "the digest is not that of the result: nothing was removed");
    else
        retire(c, job, "acknowledged");
}

static void delete_job(struct call *c)
{
    struct pji_job *job = need_job(c);
    uint64_t one = 1;
    if (job == NULL)
        return;
    if (job->state != PJI_JOB_RUNNING) {
        retire(c, job, "discarded");
        return;
    }
    job->discarded = true; /* it ends, and is retired then */
    ssize_t n = write(c->agent->cancel_fd, &one, sizeof one);
    (void)n;
    json_t *object = json_object();
    pji_job_id_put(&c->id, object);
    json_object_set_new(object, "state", json_string("ending"));
    say(c->reply, 202, object);
}

/* ---- files ---- */

static bool read_range(struct call *c, int64_t size_b, int64_t *offset, int64_t *len)
{
    const char *from = pji_server_query(c->request, "offset");
    const char *most = pji_server_query(c->request, "length");
    *offset = 0;
    *len = PIECE_MOST;
    if ((from != NULL && pji_num_parse_i64(from, strlen(from), offset, NULL) != PJ_OK) ||
        (most != NULL && pji_num_parse_i64(most, strlen(most), len, NULL) != PJ_OK) ||
        *offset < 0 || *offset > size_b || *len < 0 || *len > PIECE_MOST) {
        refuse(c, 416, "range",
               "offset and length must lie within the file, at most 4 MiB at once");
        return false;
    }
    if (*len > size_b - *offset)
        *len = size_b - *offset;
    return true;
}

static bool read_piece(int fd, int64_t offset, size_t len, struct pji_str *out)
{
    char bytes[65536];
    while (len > 0) {
        ssize_t n = pread(fd, bytes, len < sizeof bytes ? len : sizeof bytes, (off_t)offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        pji_str_addn(out, bytes, (size_t)n);
        offset += n;
        len -= (size_t)n;
    }
    return true;
}

static void get_file(struct call *c)
{
    const struct pji_job *job = need_job(c);
    struct pji_str below = {0};
    int64_t offset = 0;
    int64_t len = 0;
    if (job == NULL)
        return;
    size_t index = (size_t)strtoul(c->rest, NULL, 10);
    if (job->state != PJI_JOB_FINISHED || index >= job->result.n_files) {
        refuse(c, 404, "no_such_file", "the result has no such file");
        return;
    }
    if (!read_range(c, job->result.files[index].size_b, &offset, &len))
        return;
    /* the name is the one that our own trial gave it */
    if (index == 0)
        pji_str_add(&below, "/work/study.sqlite");
    else
        pji_str_addf(&below, "/work/artefacts/1/%s", job->result.files[index].name);
    char *path = pji_jobs_path(&c->agent->spool, job, pji_str_text(&below), NULL);
    int fd = path != NULL ? open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW) : -1;
    errno = 0;
    if (fd < 0 || !read_piece(fd, offset, (size_t)len, &c->reply->body)) {
        /* a disk may answer again; what is gone or shorter than it was will not come back */
        bool gone = fd < 0 ? access(path != NULL ? path : "", F_OK) != 0 : errno == 0;
        pji_str_clear(&c->reply->body);
        refuse(c, gone ? 404 : 500, gone ? "no_such_file" : "internal",
               gone ? "the file is not there any more, or is shorter than it was"
                    : "the file cannot be read");
    } else {
        c->reply->status = 200;
        c->reply->content_type = "application/octet-stream";
    }
    if (fd >= 0)
        close(fd);
    free(path);
    pji_str_fini(&below);
}
