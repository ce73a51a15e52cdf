#include "engine/server.h"

#include "core/str.h"
#include "net/http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECOND_NS  INT64_C(1000000000)
#define PAGE_LIMIT ((size_t)16 * 1024 * 1024)

enum { TAIL_IN_MESSAGE = 260, TAIL_IN_LOG = 4096 };

static const int64_t FIRST_HEALTH_NS = 2 * SECOND_NS; /* a stop waits for no longer at first */
static const int64_t SLOW_NS = 30 * SECOND_NS;
static const int64_t PAGE_TIMEOUT_NS = 10 * SECOND_NS;
static const int64_t DEFAULT_POLL_NS = 50000000;

/* ---- log ---- */

void pji_server_log_tail(const struct pji_server *server, char *text, size_t size)
{
    text[0] = '\0';
    int fd = open(server->env.log_path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    off_t end = lseek(fd, 0, SEEK_END);
    off_t start = end > (off_t)(size - 1) ? end - (off_t)(size - 1) : 0;
    bool cut = start > server->log_start;
    if (!cut)
        start = server->log_start;
    ssize_t got = pread(fd, text, size - 1, start);
    close(fd);
    text[got > 0 ? got : 0] = '\0';
    char *first_end = strchr(text, '\n');
    if (cut && first_end != NULL && first_end[1] != '\0') /* begin with a whole line */
        memmove(text, first_end + 1, strlen(first_end + 1) + 1);
    for (size_t len = strlen(text); len > 0 && text[len - 1] == '\n'; len--)
        text[len - 1] = '\0';
}

pj_status pji_server_died(struct pji_server *server, struct pj_error *err)
{
    char tail[TAIL_IN_LOG];
    pji_server_log_tail(server, tail, sizeof tail);
    pji_log(server->env.log, PJI_LOG_ERROR, "the engine's last words (%s):\n%s",
            server->env.log_path, tail);
    char brief[TAIL_IN_MESSAGE];
    pji_server_log_tail(server, brief, sizeof brief);
    for (char *c = brief; *c != '\0'; c++)
        if (*c == '\n' || *c == '\r')
            *c = '|';
    int code = server->keeper.exited ? pji_process_exit_code(server->keeper.wait_status) : -1;
    return pji_fail(err, PJ_EPEER,
                    "the engine ended with exit code %d before it was ready; its log ends: %s",
                    code, brief[0] != '\0' ? brief : "(nothing written)");
}

int64_t pji_log_size(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 ? st.st_size : 0;
}

/* ---- start and stop ---- */

static bool is_healthy(const char *url, int64_t timeout_ns)
{
    char *body = NULL;
    long status = 0;
    pj_status rc = pji_http_get(url, NULL, timeout_ns, PAGE_LIMIT, &body, &status, NULL);
    free(body);
    return rc == PJ_OK && status == 200;
}

static pj_status await_health(struct pji_server *server, const char *health_url,
                              struct pj_error *err)
{
    const struct pji_engine_env *env = &server->env;
    const struct pji_platform *platform = &server->keeper.platform;
    int64_t deadline_ns = pji_now_ns(platform) + env->start_deadline_ns;
    int64_t poll_ns = env->poll_ns > 0 ? env->poll_ns : DEFAULT_POLL_NS;
    int64_t patience_ns = FIRST_HEALTH_NS;
    for (;;) {
        int64_t asked_ns = pji_now_ns(platform);
        bool healthy = is_healthy(health_url, patience_ns);
        if (!healthy && pji_now_ns(platform) - asked_ns >= patience_ns && patience_ns < SLOW_NS)
            patience_ns *= 2; /* it answers, but slowly: on a busy machine that is no sign */
        struct pollfd fds[2] = {
            {.fd = server->keeper.engine_pidfd, .events = POLLIN},
            {.fd = env->stop_fd, .events = POLLIN},
        };
        poll(fds, 2, healthy ? 0 : (int)(poll_ns / 1000000 + 1));
        if (fds[0].revents != 0) {
            pji_keeper_wait(&server->keeper, SECOND_NS, -1, NULL);
            return pji_server_died(server, err);
        }
        if (healthy)
            return PJ_OK;
        if (fds[1].revents != 0)
            return pji_fail(err, PJ_ECANCELED, "stopped while the engine was starting");
        if (pji_now_ns(platform) >= deadline_ns)
            return pji_fail(err, PJ_ETIMEOUT,
                            "the engine was not ready after %.1f s (GET %s); its log is %s",
                            (double)env->start_deadline_ns / 1e9, health_url, env->log_path);
    }
}

pj_status pji_server_start(struct pji_server *server, const char *const *argv,
                           const char *health_url, const struct pji_engine_env *env,
                           struct pj_error *err)
{
    server->env = *env;
    server->used = true;
    server->log_start = pji_log_size(env->log_path);
    struct pji_keeper_spawn how = {
        .keeper_argv = env->keeper_argv,
        .argv = argv,
        .cpus = env->cpus,
        .log_path = env->log_path,
        .grace_ns = env->stop_grace_ns,
        .on_process = env->on_process,
        .context = env->context,
    };
    pj_status rc = pji_keeper_spawn(&server->keeper, &how, err);
    if (rc)
        return rc;
    rc = pji_keeper_release(&server->keeper, NULL, err);
    if (rc == PJ_OK)
        rc = await_health(server, health_url, err);
    if (rc)
        pji_server_stop(server, NULL);
    return rc;
}

pj_status pji_server_stop(struct pji_server *server, struct pj_error *err)
{
    if (!server->used) /* never started */
        return PJ_OK;
    return pji_keeper_stop(&server->keeper, server->env.stop_grace_ns, err);
}

/* ---- ports ---- */

/* Binds a TCP socket; *port 0 asks for any and gets the one given. */
static int bind_port(const char *address, int *port)
{
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_port = htons((uint16_t)*port)};
    if (inet_pton(AF_INET, address, &name.sin_addr) != 1) {
        errno = EINVAL;
        return -1;
    }
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    const int on = 1; /* as servers do: a port in TIME_WAIT is free */
    socklen_t len = sizeof name;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        bind(fd, (struct sockaddr *)&name, sizeof name) != 0 ||
        getsockname(fd, (struct sockaddr *)&name, &len) != 0) {
        int saved = errno;
        close(fd);
        errno = saved;
        return -1;
    }
    *port = ntohs(name.sin_port);
    return fd;
}

pj_status pji_free_port(const char *address, int *port, struct pj_error *err)
{
    *port = 0;
    int fd = bind_port(address, port);
    if (fd < 0)
        return pji_fail_errno(err, errno, "cannot find a free TCP port on %s", address);
    close(fd);
    return PJ_OK;
}

bool pji_port_is_free(const char *address, int port)
{
    int fd = bind_port(address, &port);
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

/* ---- pages ---- */

pj_status pji_get_json(const char *url, const char *bearer, json_t **out, struct pj_error *err)
{
    char *body = NULL;
    long status = 0;
    *out = NULL;
    pj_status rc = pji_http_get(url, bearer, PAGE_TIMEOUT_NS, PAGE_LIMIT, &body, &status, err);
    if (rc == PJ_OK && (status == 401 || status == 403))
        rc = pji_fail(err, PJ_EACCESS,
                      "GET %s answered HTTP %ld: give the API key with api_key_env or api_key_file",
                      url, status);
    else if (rc == PJ_OK && status != 200)
        rc = pji_fail(err, PJ_EPEER, "GET %s answered HTTP %ld", url, status);
    if (rc == PJ_OK) {
        *out = pji_json_parse(body, strlen(body), url, err);
        if (*out == NULL)
            rc = PJ_EPEER;
    }
    free(body);
    return rc;
}

pj_status pji_server_page(const char *root_url, const char *path, json_t **out,
                          struct pj_error *err)
{
    struct pji_str url = {0};
    struct pj_error why = {0};
    pji_str_addf(&url, "%s%s", root_url, path);
    pj_status rc = pji_get_json(pji_str_text(&url), NULL, out, &why);
    if (rc == PJ_EACCESS)
        rc = pji_fail(err, rc,
                      "GET %s: the server wants an API key, and perjoule starts it without one: "
                      "does its environment set one (VLLM_API_KEY, LLAMA_API_KEY)?",
                      pji_str_text(&url));
    else if (rc)
        rc = pji_fail(err, rc, "%s", why.text);
    pji_str_fini(&url);
    return rc;
}

pj_status pji_get_metrics(const char *root_url, const char *bearer, char **text,
                          struct pj_error *err)
{
    long status = 0;
    struct pji_str url = {0};
    *text = NULL;
    pji_str_addf(&url, "%s/metrics", root_url);
    pj_status rc = pji_str_ok(&url, err);
    if (rc == PJ_OK)
        rc = pji_http_get(pji_str_text(&url), bearer, PAGE_TIMEOUT_NS, PAGE_LIMIT, text, &status,
                          err);
    if (rc == PJ_OK && status != 200) {
        free(*text);
        *text = NULL;
        rc = pji_fail(err, PJ_EUNSUPPORTED,
                      "GET %s answered HTTP %ld: the server has no metrics page",
                      pji_str_text(&url), status);
    }
    pji_str_fini(&url);
    return rc;
}
