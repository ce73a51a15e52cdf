/* The event-stream reader: the grammar's corners, and every way of cutting the bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/sse.h"

#include <stdlib.h>
#include <string.h>

struct seen {
    struct pji_str text; /* events, each ended by '|' */
    int refuse_at;       /* 1-based; 0: never */
    int n;
};

static pj_status collect(void *context, const char *data, size_t len, struct pj_error *err)
{
    struct seen *seen = context;
    pji_str_addn(&seen->text, data, len);
    pji_str_addc(&seen->text, '|');
    seen->n++;
    return seen->n == seen->refuse_at ? pji_fail(err, PJ_EPEER, "refused") : PJ_OK;
}

/* Feeds pieces of `step` bytes, each from memory of its own that is gone afterwards. */
static void feed_in_steps(const char *text, size_t len, size_t step, struct seen *seen)
{
    struct pji_sse sse;
    pji_sse_init(&sse);
    for (size_t at = 0; at < len; at += step) {
        size_t n = len - at < step ? len - at : step;
        char *piece = malloc(n);
        assert_non_null(piece);
        memcpy(piece, text + at, n);
        assert_int_equal(pji_sse_feed(&sse, piece, n, collect, seen, NULL), PJ_OK);
        memset(piece, 'X', n);
        free(piece);
    }
    pji_sse_fini(&sse);
}

static void expect(const char *text, const char *events)
{
    size_t len = strlen(text);
    for (size_t step = 1; step <= len + 1; step++) {
        struct seen seen = {0};
        feed_in_steps(text, len, step, &seen);
        if (strcmp(pji_str_text(&seen.text), events) != 0)
            fail_msg("'%s' in steps of %zu gave '%s'", text, step, pji_str_text(&seen.text));
        pji_str_fini(&seen.text);
    }
}

static void events_in_any_pieces(void **state)
{
    (void)state;
    expect("data: a\n\n", "a|");
    expect("data:a\n\ndata:  b\n\n", "a| b|"); /* one blank after the colon goes */
    expect("data: a\r\n\r\ndata: b\r\n\r\n", "a|b|");
    expect("data: a\r\rdata: b\r\r", "a|b|");
    expect("data: a\ndata: b\n\n", "a\nb|");
    expect("data: a\ndata\ndata:\n\n", "a\n\n|");
    expect(": comment\nevent: x\nid: 7\nretry: 10\ndata: a\nnonsense\n\n", "a|");
    expect("data: {\"a\": \"b: c\"}\n\n", "{\"a\": \"b: c\"}|");
    expect("\xef\xbb\xbf"
           "data: a\n\n",
           "a|");
    expect("\xef\xbb"
           "data: a\n\ndata: b\n\n",
           "b|"); /* half a mark spoils the field name */
    expect("data: cut", "");
    expect("data: cut\n", "");
    expect("\n\n\n", "");
    expect("event: only\n\n", "");
    expect("data\n\n", "|");
    expect("database: x\n\ndat: x\n\n", "");
    expect("", "");
}

static void reset_forgets(void **state)
{
    (void)state;
    struct pji_sse sse;
    struct seen seen = {0};
    pji_sse_init(&sse);
    assert_int_equal(pji_sse_feed(&sse, "data: old\nda", 12, collect, &seen, NULL), PJ_OK);
    pji_sse_reset(&sse);
    assert_int_equal(pji_sse_feed(&sse, "data: new\n\n", 11, collect, &seen, NULL), PJ_OK);
    assert_string_equal(pji_str_text(&seen.text), "new|");
    pji_str_fini(&seen.text);
    pji_sse_fini(&sse);
}

static void refusal_is_passed_up(void **state)
{
    (void)state;
    struct pji_sse sse;
    struct seen seen = {.refuse_at = 2};
    struct pj_error err = {0};
    const char *text = "data: a\n\ndata: b\n\ndata: c\n\n";
    pji_sse_init(&sse);
    assert_int_equal(pji_sse_feed(&sse, text, strlen(text), collect, &seen, &err), PJ_EPEER);
    assert_string_equal(err.text, "refused");
    assert_int_equal(seen.n, 2);
    pji_str_fini(&seen.text);
    pji_sse_fini(&sse);
}

/* Endless lines and endless events end with an error, not with all of the memory. */
static void size_is_bounded(void **state)
{
    (void)state;
    enum { PIECE = 64 * 1024 };
    static char line[PIECE];
    struct seen seen = {0};
    for (int many_lines = 0; many_lines < 2; many_lines++) {
        struct pji_sse sse;
        size_t fed = 0;
        pj_status status = PJ_OK;
        pji_sse_init(&sse);
        memset(line, 'x', sizeof line);
        memcpy(line, "data: ", 6);
        if (many_lines)
            line[sizeof line - 1] = '\n';
        while (!status && fed < 4 * (size_t)PJI_SSE_LIMIT) {
            status = pji_sse_feed(&sse, line, sizeof line, collect, &seen, NULL);
            fed += sizeof line;
        }
        assert_int_equal(status, PJ_EPEER);
        assert_true(fed <= (size_t)PJI_SSE_LIMIT + 4 * (size_t)PIECE);
        assert_int_equal(seen.n, 0);
        pji_sse_fini(&sse);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(events_in_any_pieces),
        cmocka_unit_test(reset_forgets),
        cmocka_unit_test(refusal_is_passed_up),
        cmocka_unit_test(size_is_bounded),
    };
    return cmocka_run_group_tests_name("net/sse", tests, NULL, NULL);
}
