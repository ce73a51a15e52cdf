#include "bench.h"

#include "actor.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void keep_log(void *context, enum pji_log_level level, const char *text)
{
    (void)level;
    struct bench *b = context;
    strncat(b->logged, text, sizeof b->logged - strlen(b->logged) - 1);
}

static pj_status count_process(void *context, const char *role, int64_t pid, uint64_t ticks,
                               struct pj_error *err)
{
    (void)role;
    (void)pid;
    (void)ticks;
    (void)err;
    ((struct bench *)context)->processes++;
    return PJ_OK;
}

void bench_open(struct bench *b, const char *kind)
{
    static int number;
    *b = (struct bench){.ops = pji_engine_find(kind)};
    if (b->ops == NULL || pipe2(b->stop_pipe, O_CLOEXEC) != 0)
        abort();
    b->state = calloc(1, b->ops->state_size);
    temp_open(b->dir);
    temp_write(b->dir, "model.gguf", "not really a model");
    snprintf(b->log_path, sizeof b->log_path, "%s/engine.log", b->dir);
    snprintf(b->model, sizeof b->model, "%s/model.gguf", b->dir);
    snprintf(b->mark, sizeof b->mark, "%ld-%d", (long)getpid(), ++number);
    setenv(ACTOR_MARK, b->mark, 1);
    b->log = (struct pji_log){.write = keep_log, .context = b};
    b->env = (struct pji_engine_env){
        .log = &b->log,
        .keeper_argv = actor_keeper_argv(),
        .log_path = b->log_path,
        .study_dir = b->dir,
        .start_deadline_ns = INT64_C(60000000000),
        .stop_grace_ns = INT64_C(100000000),
        .stop_fd = b->stop_pipe[0],
        .on_process = count_process,
        .context = b,
        .digests = &b->digests,
        .poll_ns = 5000000,
    };
}

static void forget_facts(struct bench *b)
{
    for (size_t i = 0; i < b->n_facts; i++) {
        free(b->fact_keys[i]);
        free(b->fact_values[i]);
    }
    b->n_facts = 0;
}

void bench_close(struct bench *b)
{
    forget_facts(b);
    pji_digest_cache_fini(&b->digests);
    close(b->stop_pipe[0]);
    close(b->stop_pipe[1]);
    temp_close(b->dir);
    free(b->state);
}

void bench_set_list(struct bench *b, const char *key, const char *const *values)
{
    struct pji_setting *setting = &b->settings[b->n];
    *setting = (struct pji_setting){.key = key, .values = b->values[b->n], .is_list = true};
    for (; values[setting->n] != NULL && setting->n < BENCH_VALUES; setting->n++)
        b->values[b->n][setting->n] = values[setting->n];
    b->n++;
}

void bench_set(struct bench *b, const char *key, const char *value)
{
    bench_set_list(b, key, (const char *const[]){value, NULL});
    b->settings[b->n - 1].is_list = false;
}

pj_status bench_check(struct bench *b)
{
    b->err = (struct pj_error){0};
    return b->ops->check(b->settings, b->n, &b->err);
}

pj_status bench_start(struct bench *b)
{
    struct pji_engine_env env = b->env; /* start copies it: this one goes away */
    b->err = (struct pj_error){0};
    return b->ops->start(b->state, b->settings, b->n, &env, &b->err);
}

void bench_must_start(struct bench *b)
{
    if (bench_start(b) == PJ_OK)
        return;
    fprintf(stderr, "the %s engine does not start: %s\n", b->ops->kind, b->err.text);
    abort();
}

pj_status bench_stop(struct bench *b)
{
    return b->ops->stop(b->state, &b->err);
}

static pj_status keep_fact(void *context, const char *key, const char *value, struct pj_error *err)
{
    struct bench *b = context;
    if (b->n_facts == BENCH_FACTS)
        return pji_fail(err, PJ_EINVAL, "too many facts");
    b->fact_keys[b->n_facts] = strdup(key);
    b->fact_values[b->n_facts++] = strdup(value);
    return PJ_OK;
}

void bench_facts(struct bench *b)
{
    forget_facts(b);
    if (b->ops->facts(b->state, keep_fact, b, &b->err) == PJ_OK)
        return;
    fprintf(stderr, "no facts: %s\n", b->err.text);
    abort();
}

const char *bench_fact(const struct bench *b, const char *key)
{
    for (size_t i = 0; i < b->n_facts; i++)
        if (strcmp(b->fact_keys[i], key) == 0)
            return b->fact_values[i];
    return "";
}
