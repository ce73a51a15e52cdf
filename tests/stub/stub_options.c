/* tests/stub/stub_options.c - the command line; see stub.h and --help. */
#include "stub.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum kind { NUMBER, TEXT, FLAG, IGNORED_VALUE, IGNORED_FLAG };

struct option {
    const char *name, *alias;
    enum kind kind;
    size_t offset;
    int64_t scale;
    const char *help;
};

#define AT(field)    offsetof(struct stub_options, field)
#define EVERY(fault) (AT(every) + (fault) * sizeof(int64_t))

static const struct option table[] = {
    {"--port", NULL, NUMBER, AT(port), 1, "N: TCP port, 0 picks a free one"},
    {"--port-file", NULL, TEXT, AT(port_file), 0, "FILE: write the port there too"},
    {"--host", NULL, TEXT, AT(host), 0, "ADDRESS: IPv4 address to listen on (127.0.0.1)"},
    {"--tokens", NULL, NUMBER, AT(tokens), 1, "N: tokens of an answer that ends by itself (16)"},
    {"--ttft-ms", NULL, NUMBER, AT(ttft_us), 1000, "MS: wait before the first token"},
    {"--ttft-us", NULL, NUMBER, AT(ttft_us), 1, "US: the same in microseconds"},
    {"--itl-ms", NULL, NUMBER, AT(itl_us), 1000, "MS: wait between tokens"},
    {"--itl-us", NULL, NUMBER, AT(itl_us), 1, "US: the same in microseconds"},
    {"--tokens-per-chunk", NULL, NUMBER, AT(tokens_per_chunk), 1, "N: tokens in one event"},
    {"--reasoning", NULL, NUMBER, AT(reasoning), 1, "N: the first N tokens are reasoning (chat)"},
    {"--cached", NULL, NUMBER, AT(cached), 1, "N: cached prompt tokens told, -1: not told"},
    {"--no-usage", NULL, FLAG, AT(no_usage), 0, "tell no usage"},
    {"--own-length", NULL, FLAG, AT(own_length), 0, "end by itself, whatever was asked for"},
    {"--usage-each", NULL, FLAG, AT(usage_each), 0, "usage in every event, as vLLM can"},
    {"--empty-first", NULL, FLAG, AT(empty_first), 0, "begin with an event without text"},
    {"--crlf", NULL, FLAG, AT(crlf), 0, "lines of the stream end in CR LF"},
    {"--split", NULL, NUMBER, AT(split), 1, "N: at most N bytes in one write"},
    {"--dribble-ms", NULL, NUMBER, AT(dribble_us), 1000, "MS: wait between writes"},
    {"--write-each", NULL, FLAG, AT(write_each), 0, "one write for each event"},
    {"--keep-alive", NULL, NUMBER, AT(keep_alive), 1, "N: close after N requests (0: never)"},
    {"--chat-template", NULL, TEXT, AT(chat_template), 0,
     "TEXT: /apply-template renders a prompt as TEXT and the request's messages"},
    {"--tokenizer", NULL, TEXT, AT(tokenizer), 0, "NUMBERS: /tokenize gives [NUMBERS]"},
    {"--answer", NULL, TEXT, AT(answer), 0, "TEXT: give this answer"},
    {"--echo-after", NULL, TEXT, AT(echo_after), 0,
     "MARK: answer with what follows the last MARK in the prompt, up to the line's end"},
    {"--wrong-every", NULL, NUMBER, AT(wrong_every), 1, "K: every K-th such answer is 'perhaps'"},
    {"--health-delay-ms", NULL, NUMBER, AT(health_delay_ms), 1, "MS: /health says 503 so long"},
    {"--health-hang", NULL, FLAG, AT(health_hang), 0, "/health never answers"},
    {"--arrivals", NULL, FLAG, AT(arrivals), 0, "keep arrival times for GET /stub/arrivals"},
    {"--start-fail", NULL, FLAG, AT(start_fail), 0, "exit 1 instead of serving"},
    {"--ignore-term", NULL, FLAG, AT(ignore_term), 0, "ignore SIGTERM"},
    {"--grandchild", NULL, TEXT, AT(grandchild), 0,
     "FILE: leave a process of a session of its own behind, its pid in FILE"},
    {"--max-life-s", NULL, NUMBER, AT(max_life_s), 1, "S: end by itself (900)"},
    {"--fail-every", NULL, NUMBER, EVERY(FAULT_FAIL), 1, "K: HTTP 500"},
    {"--stall-every", NULL, NUMBER, EVERY(FAULT_STALL), 1, "K: never answer"},
    {"--hang-every", NULL, NUMBER, EVERY(FAULT_HANG), 1, "K: stop in the middle"},
    {"--cut-every", NULL, NUMBER, EVERY(FAULT_CUT), 1, "K: close in the middle"},
    {"--reset-every", NULL, NUMBER, EVERY(FAULT_RESET), 1, "K: TCP reset in the middle"},
    {"--garbage-every", NULL, NUMBER, EVERY(FAULT_GARBAGE), 1, "K: an event that is not JSON"},
    {"--error-every", NULL, NUMBER, EVERY(FAULT_ERROR), 1, "K: an error object in the stream"},
    {"--empty-every", NULL, NUMBER, EVERY(FAULT_EMPTY), 1, "K: no text"},
    {"--no-done-every", NULL, NUMBER, EVERY(FAULT_NO_DONE), 1, "K: no [DONE]"},
    {"--no-stream-every", NULL, NUMBER, EVERY(FAULT_NO_STREAM), 1, "K: JSON instead of a stream"},
    {"--html-every", NULL, NUMBER, EVERY(FAULT_HTML), 1, "K: a page of HTML"},
    {"--die-every", NULL, NUMBER, EVERY(FAULT_DIE), 1, "K: the server exits"},
    {"--api-key", NULL, TEXT, AT(api_key), 0, "KEY: HTTP 401 without it"},
    {"--model", "-m", TEXT, AT(model), 0, "FILE: as llama-server"},
    {"--alias", "-a", TEXT, AT(alias), 0, "NAME: as llama-server"},
    {"--parallel", "-np", NUMBER, AT(parallel), 1, "N: told by /props"},
    {"--ctx-size", "-c", NUMBER, AT(ctx_size), 1, "N: told by /props"},
    {"--threads", "-t", IGNORED_VALUE, 0, 0, "N: ignored"},
    {"--threads-batch", "-tb", IGNORED_VALUE, 0, 0, "N: ignored"},
    {"--batch-size", "-b", IGNORED_VALUE, 0, 0, "N: ignored"},
    {"--ubatch-size", "-ub", IGNORED_VALUE, 0, 0, "N: ignored"},
    {"--n-gpu-layers", "-ngl", IGNORED_VALUE, 0, 0, "N: ignored"},
    {"--seed", "-s", IGNORED_VALUE, 0, 0, "N: ignored"},
    {"--cache-ram", NULL, IGNORED_VALUE, 0, 0, "N: ignored"},
    {"--metrics", NULL, IGNORED_FLAG, 0, 0, "ignored: /metrics is always there"},
    {"--no-webui", NULL, IGNORED_FLAG, 0, 0, "ignored"},
    {"--no-cache-prompt", NULL, IGNORED_FLAG, 0, 0, "ignored"},
};

enum { N_OPTIONS = sizeof table / sizeof table[0] };

static void usage(void)
{
    puts("stub_server: an OpenAI-compatible server for tests; every K-th completion can fail");
    for (int i = 0; i < N_OPTIONS; i++)
        printf("  %s%s%s %s\n", table[i].alias ? table[i].alias : "", table[i].alias ? ", " : "",
               table[i].name, table[i].help);
}

static const struct option *find(const char *name)
{
    for (int i = 0; i < N_OPTIONS; i++)
        if (strcmp(name, table[i].name) == 0 ||
            (table[i].alias && strcmp(name, table[i].alias) == 0))
            return &table[i];
    return NULL;
}

static int64_t number(const char *name, const char *text)
{
    char *end = NULL;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (errno || end == text || *end) {
        fprintf(stderr, "stub_server: %s needs a number, not '%s'\n", name, text);
        exit(2);
    }
    return value;
}

static void store(struct stub_options *o, const struct option *option, const char *value)
{
    char *field = (char *)o + option->offset;
    int64_t n = option->kind == NUMBER ? number(option->name, value) * option->scale : 0;
    bool yes = true;
    if (option->kind == NUMBER)
        memcpy(field, &n, sizeof n);
    else if (option->kind == TEXT)
        memcpy(field, &value, sizeof value);
    else if (option->kind == FLAG)
        memcpy(field, &yes, sizeof yes);
}

void stub_options_read(struct stub_options *o, int argc, char **argv)
{
    *o = (struct stub_options){.tokens = 16,
                               .tokens_per_chunk = 1,
                               .host = "127.0.0.1",
                               .max_life_s = 900,
                               .parallel = 1,
                               .ctx_size = 4096};
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            usage();
            exit(0);
        }
        const struct option *option = find(argv[i]);
        bool takes =
            option ? option->kind == NUMBER || option->kind == TEXT || option->kind == IGNORED_VALUE
                   : i + 1 < argc && argv[i + 1][0] != '-';
        if (!option)
            fprintf(stderr, "stub_server: option %s ignored\n", argv[i]);
        if (takes && i + 1 >= argc) {
            fprintf(stderr, "stub_server: %s needs a value\n", argv[i]);
            exit(2);
        }
        const char *value = takes ? argv[++i] : NULL;
        if (option)
            store(o, option, value);
    }
}
