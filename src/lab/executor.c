/* executor: of the study file: where a trial runs. docs/study-file.md has the keys. */
#include "core/units.h"
#include "lab/internal.h"
#include "lab/protocol.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOUR_NS (3600 * PJI_NS_PER_S)

static const char default_url[] = "http://127.0.0.1:7411";
static const char default_token_env[] = "PERJOULE_AGENT_TOKEN";

/* The host of a URL without brackets; "" when it has none. */
static void url_host(const char *url, char *host, size_t size)
{
    const char *start = strstr(url, "://");
    start = start != NULL ? start + 3 : url;
    size_t len = *start == '[' ? strcspn(++start, "]") : strcspn(start, ":/?#");
    snprintf(host, size, "%.*s", (int)(len < size ? len : size - 1), start);
}

bool pji_url_is_loopback(const char *url)
{
    char host[256];
    url_host(url, host, sizeof host);
    return strcmp(host, "localhost") == 0 || strcmp(host, "::1") == 0 ||
           (strncmp(host, "127.", 4) == 0 && strspn(host, "0123456789.") == strlen(host));
}

static void check_url(struct pji_study *study, const struct pji_yaml *at)
{
    struct pji_executor *e = &study->executor;
    bool https = strncmp(e->url, "https://", 8) == 0;
    char host[256];
    url_host(e->url, host, sizeof host);
    if (!https && strncmp(e->url, "http://", 7) != 0)
        pji_study_error(study, at, "executor url must begin with http:// or https://, not '%.60s'",
                        e->url);
    else if (host[0] == '\0' || strpbrk(e->url, "@?#") != NULL)
        pji_study_error(study, at,
                        "executor url must be a scheme, a host and a port, such as "
                        "https://testbed:7411");
    else if (!https && !pji_url_is_loopback(e->url) && !e->plain_http)
        pji_study_error(study, at,
                        "executor url %.100s would send the token unencrypted to another machine: "
                        "use https://, or say plain_http: yes (it is recorded)",
                        e->url);
}

static void parse_text(struct pji_study *study, const struct pji_yaml *node, const char *key,
                       const char *what, char **out)
{
    const struct pji_yaml *value = pji_yaml_get(node, key);
    const char *text = value != NULL ? pji_node_text(study, value, what) : NULL;
    if (text == NULL)
        return;
    free(*out);
    *out = pji_study_dup(study, text);
}

static void parse_plain(struct pji_study *study, const struct pji_yaml *node)
{
    const struct pji_yaml *value = pji_yaml_get(node, "plain_http");
    const char *text = value != NULL ? pji_node_text(study, value, "executor plain_http") : NULL;
    if (text == NULL)
        return;
    study->executor.plain_http = strcmp(text, "yes") == 0 || strcmp(text, "true") == 0;
    if (!study->executor.plain_http && strcmp(text, "no") != 0 && strcmp(text, "false") != 0)
        pji_study_error(study, value, "executor plain_http must be yes or no, not '%.60s'", text);
}

static void parse_duration(struct pji_study *study, const struct pji_yaml *node, const char *key,
                           int64_t most_ns, int64_t *out_ns)
{
    char what[48];
    const struct pji_yaml *value = pji_yaml_get(node, key);
    snprintf(what, sizeof what, "executor %s", key);
    if (value != NULL)
        pji_node_duration(study, value, what, 10 * PJI_NS_PER_MS, most_ns, out_ns);
}

static bool parse_kind(struct pji_study *study, const struct pji_yaml *node)
{
    const char *text = pji_node_text(study, node, "executor");
    if (text == NULL)
        return false;
    study->executor.agent = strcmp(text, "agent") == 0;
    if (!study->executor.agent && strcmp(text, "local") != 0)
        pji_study_error(study, node, "executor must be local or agent, not '%.60s'", text);
    return study->executor.agent;
}

static void set_defaults(struct pji_study *study)
{
    struct pji_executor *e = &study->executor;
    e->url = pji_study_dup(study, default_url);
    e->heartbeat_ns = 2 * PJI_NS_PER_S;
    e->reply_ns = 10 * PJI_NS_PER_S;
    e->lost_ns = 2 * HOUR_NS;
}

void pji_parse_executor(struct pji_study *study, const struct pji_yaml *node)
{
    static const char *const known[] = {"kind",      "url",   "token_file", "token_env",  "ca_file",
                                        "heartbeat", "reply", "lost_after", "plain_http", NULL};
    struct pji_executor *e = &study->executor;
    if (node->kind == PJI_YAML_SCALAR) {
        if (!parse_kind(study, node))
            return;
        set_defaults(study);
        e->token_env = pji_study_dup(study, default_token_env);
        return;
    }
    if (!pji_node_keys(study, node, "executor", known))
        return;
    const struct pji_yaml *kind = pji_yaml_get(node, "kind");
    if (kind == NULL) {
        pji_study_error(study, node, "executor needs a kind: write executor: {kind: agent}");
        return;
    }
    if (!parse_kind(study, kind)) {
        if (node->n > 1)
            pji_study_error(study, node, "executor of kind local has no further keys");
        return;
    }
    set_defaults(study);
    parse_text(study, node, "url", "executor url", &e->url);
    parse_text(study, node, "token_file", "executor token_file", &e->token_file);
    parse_text(study, node, "token_env", "executor token_env", &e->token_env);
    parse_text(study, node, "ca_file", "executor ca_file", &e->ca_file);
    if (e->token_file != NULL && e->token_env != NULL)
        pji_study_error(study, node, "executor takes token_file or token_env, not both");
    if (e->token_file == NULL && e->token_env == NULL)
        e->token_env = pji_study_dup(study, default_token_env);
    parse_plain(study, node);
    parse_duration(study, node, "heartbeat", HOUR_NS, &e->heartbeat_ns);
    parse_duration(study, node, "reply", HOUR_NS, &e->reply_ns);
    parse_duration(study, node, "lost_after", 1000 * HOUR_NS, &e->lost_ns);
    const struct pji_yaml *url = pji_yaml_get(node, "url");
    if (e->url != NULL)
        check_url(study, url != NULL ? url : node);
}

void pji_executor_fini(struct pji_executor *executor)
{
    free(executor->url);
    free(executor->token_file);
    free(executor->token_env);
    free(executor->ca_file);
    *executor = (struct pji_executor){0};
}
