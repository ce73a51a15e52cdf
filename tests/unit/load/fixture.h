/* A plan of n like requests against a stub, run and kept for a test to look at. */
#ifndef TEST_LOAD_FIXTURE_H
#define TEST_LOAD_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "load/load.h"
#include "stub_process.h"

#include <stdio.h>
#include <string.h>

enum { MAX_REQUESTS = 512 };

struct fixture {
    struct stub stub;
    struct pji_endpoint endpoint;
    struct pji_request_spec specs[MAX_REQUESTS];
    char prompts[MAX_REQUESTS][32], items[MAX_REQUESTS][16];
    struct pji_load_plan plan;
    struct pji_load_result result;
    struct pj_error err;
};

#define ARGS(...) ((const char *const[]){__VA_ARGS__, NULL})
#define NO_ARGS   ((const char *const[]){NULL})

static inline void fixture_open(struct fixture *f, const char *const *stub_args, size_t n,
                                int64_t concurrency)
{
    *f = (struct fixture){0};
    stub_open(&f->stub, stub_args);
    f->endpoint.base_url = f->stub.base_url;
    for (size_t i = 0; i < n; i++) {
        snprintf(f->prompts[i], sizeof f->prompts[i], "prompt number %zu", i);
        snprintf(f->items[i], sizeof f->items[i], "item-%zu", i);
        f->specs[i] = (struct pji_request_spec){
            .item = f->items[i], .prompt = f->prompts[i], .max_tokens = 8, .ignore_eos = true};
    }
    f->plan = (struct pji_load_plan){.endpoint = &f->endpoint,
                                     .specs = f->specs,
                                     .n = n,
                                     .concurrency = concurrency,
                                     .request_timeout_ns = INT64_C(20000000000),
                                     .stop_fd = -1};
}

static inline pj_status fixture_run(struct fixture *f)
{
    pji_load_result_fini(&f->result);
    f->err = (struct pj_error){0};
    return pji_load_run(&f->plan, &f->result, &f->err);
}

static inline void fixture_close(struct fixture *f)
{
    pji_load_result_fini(&f->result);
    stub_close(&f->stub);
}

#define assert_contains(text, part)                                                                \
    do {                                                                                           \
        const char *text_ = (text);                                                                \
        if (text_ == NULL || strstr(text_, (part)) == NULL)                                        \
            fail_msg("'%s' does not contain '%s'", text_ ? text_ : "(null)", (part));              \
    } while (0)

#endif
