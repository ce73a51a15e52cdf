/* cli/cmd_agent.c - perjoule agent: the testbed's side of a study over two machines. */
#include "cli/commands_lab.h"
#include "cli/run_session.h"

#include "agent/agent.h"
#include "core/num.h"
#include "core/units.h"
#include "platform/signals.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct pji_option options[] = {
    {"config", 'c', "FILE", "what may be run here: engines, models, items (needed)"},
    {"state", 's', "DIR", "token, identity and results, kept from other users (needed)"},
    {"listen", 'l', "ADDRESS:PORT", "where to listen (default: 127.0.0.1:7411)"},
    {"tls-cert", 0, "FILE", "certificate chain (PEM); needed beyond loopback"},
    {"tls-key", 0, "FILE", "its private key (PEM)"},
    {"plain-http", 0, NULL, "beyond loopback without TLS: the token crosses the network in clear"},
    {"header-limit", 0, "DURATION", "a request's headers must be complete after (default: 10s)"},
    {"body-limit", 0, "DURATION", "… and its body after (default: 60s)"},
    {"reply-limit", 0, "DURATION", "an answer must be taken within (default: 60s)"},
    {"per-address", 0, "N", "connections of one address at once (default: 8)"},
    {"port-file", 0, "FILE", "write the port there (for --listen ADDRESS:0)"},
    {"root", 0, "DIR", "read DIR/sys, DIR/proc, DIR/dev instead of the machine's own"},
    {"routes", 0, NULL, "print the routes of the API and end"},
    {0},
};

static int fail(const struct pj_error *err, int code)
{
    fprintf(stderr, "perjoule: %s\n", err->text);
    return code;
}

static pj_status get_duration(const struct pji_args *args, const char *name, int64_t fallback_ns,
                              int64_t *out_ns, struct pj_error *err)
{
    const char *text = pji_args_get(args, name);
    *out_ns = fallback_ns;
    if (text == NULL)
        return PJ_OK;
    pj_status status = pji_duration_parse(text, out_ns, err);
    if (status == PJ_OK && *out_ns < 10 * PJI_NS_PER_MS)
        status = pji_fail(err, PJ_EINVAL, "%s is shorter than 10 ms", text);
    if (status != PJ_OK)
        pji_error_prefix(err, "--%s", name);
    return status;
}

/* "ADDRESS:PORT" or "[ADDRESS]:PORT"; the text is cut. */
static pj_status get_listen(char *text, struct pji_agent_config *config, struct pj_error *err)
{
    char *colon = strrchr(text, ':');
    if (colon == NULL ||
        pji_num_parse_i64(colon + 1, strlen(colon + 1), &config->port, NULL) != PJ_OK ||
        config->port < 0 || config->port > 65535)
        return pji_fail(err, PJ_EINVAL,
                        "--listen takes ADDRESS:PORT, such as 127.0.0.1:7411, not '%.60s'", text);
    *colon = '\0';
    size_t len = strlen(text);
    if (text[0] == '[' && len > 1 && text[len - 1] == ']') {
        text[len - 1] = '\0';
        text++;
    }
    config->address = text;
    return PJ_OK;
}

static pj_status get_config(const struct pji_args *args, char *listen, size_t size,
                            struct pji_agent_config *config, struct pj_error *err)
{
    const char *where = pji_args_get(args, "listen");
    const char *most = pji_args_get(args, "per-address");
    int64_t per_address = 8;
    *config = (struct pji_agent_config){.policy = pji_args_get(args, "config"),
                                        .state_dir = pji_args_get(args, "state"),
                                        .tls_cert = pji_args_get(args, "tls-cert"),
                                        .tls_key = pji_args_get(args, "tls-key"),
                                        .plain_http = pji_args_has(args, "plain-http"),
                                        .port_file = pji_args_get(args, "port-file")};
    if (config->policy == NULL || config->state_dir == NULL)
        return pji_fail(err, PJ_EINVAL,
                        "agent needs --config and --state; `perjoule agent --help` says more");
    snprintf(listen, size, "%s", where != NULL ? where : "127.0.0.1:7411");
    pj_status status = get_listen(listen, config, err);
    if (status == PJ_OK)
        status = get_duration(args, "header-limit", 10 * PJI_NS_PER_S, &config->header_ns, err);
    if (status == PJ_OK)
        status = get_duration(args, "body-limit", 60 * PJI_NS_PER_S, &config->body_ns, err);
    if (status == PJ_OK)
        status = get_duration(args, "reply-limit", 60 * PJI_NS_PER_S, &config->reply_ns, err);
    if (status == PJ_OK && most != NULL &&
        (pji_num_parse_i64(most, strlen(most), &per_address, NULL) != PJ_OK || per_address < 1 ||
         per_address > 64))
        status = pji_fail(err, PJ_EINVAL, "--per-address takes a number from 1 to 64");
    config->per_address = (unsigned)per_address;
    return status;
}

static int run(const struct pji_args *args)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP, 0};
    struct pj_error err = {0};
    struct pji_programs programs;
    struct pji_agent_config config;
    struct pji_signals signals = {.fd = -1};
    char listen[256];
    const char *root = pji_args_get(args, "root");
    const char *const keeper[] = {programs.keeper, NULL};
    if (pji_args_has(args, "routes")) {
        for (size_t i = 0; pji_agent_route(i) != NULL; i++)
            puts(pji_agent_route(i));
        return 0;
    }
    if (args->n_rest != 0 || get_config(args, listen, sizeof listen, &config, &err) != PJ_OK) {
        if (args->n_rest != 0)
            fprintf(stderr, "perjoule: agent takes no further words\n");
        return args->n_rest != 0 ? 2 : fail(&err, 2);
    }
    signal(SIGPIPE, SIG_IGN);
    pj_status status = pji_programs_find(&programs, &err);
    if (status == PJ_OK)
        status = pji_signals_open(&signals, numbers, &err);
    struct pji_run_env env = {.perjoule = programs.meter,
                              .keeper_argv = keeper,
                              .root = root != NULL ? root : getenv("PERJOULE_ROOT"),
                              .log = &pji_cli_log,
                              .stop_fd = -1,
                              .lookup = pji_cli_lookup};
    config.env = &env;
    config.stop_fd = signals.fd;
    if (status == PJ_OK)
        status = pji_agent_run(&config, &err);
    pji_signals_leave(&signals);
    if (status != PJ_OK)
        return fail(&err, status == PJ_EINVAL ? 2 : 1);
    return 0;
}

const struct pji_command pji_cmd_agent = {
    .name = "agent",
    .synopsis = "--config FILE --state DIR [options]",
    .about = "run trials on this machine for an orchestrator elsewhere",
    .details = "Serves the API of docs/agent-api.md. A study with `executor: agent` sends its "
               "trials here; they run by the same code as a local study, one at a time, and their "
               "results are kept with digests until the orchestrator has stored them.\n\n"
               "Every request must show the token in STATE/token, made at the first start with "
               "mode 0600: copy it to the orchestrator. Only engines, models and items that the "
               "configuration lists can be used.\n\n"
               "Ends on SIGTERM or Ctrl-C; the trial that runs is then given back.",
    .options = options,
    .run = run,
};
