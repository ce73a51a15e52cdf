/* What goes over the wire and comes back, without a server: the scanner against jansson, the shapes
 * of chunks, the bodies of requests.
 */
#include "fixture.h"

#include "core/prng.h"
#include "load/body.h"
#include "load/chunk.h"
#include "load/scan.h"

#include <jansson.h>
#include <stdlib.h>

static bool accepts(const char *text, size_t len)
{
    struct pji_scan s;
    pji_scan_init(&s, text, len);
    pji_scan_skip(&s);
    return pji_scan_end(&s);
}

static void scanner_knows_the_grammar(void **state)
{
    (void)state;
    static const char *const good[] = {"{}",
                                       "[]",
                                       " [ ] ",
                                       "0",
                                       "-0",
                                       "10",
                                       "1.5",
                                       "1e9",
                                       "1E-2",
                                       "true",
                                       "false",
                                       "null",
                                       "\"\"",
                                       "\"\\u00e9\\n\\\"\"",
                                       "[1,[2,{\"a\":[]}],3]",
                                       "{\"a\":{\"b\":[true]},\"c\":1}",
                                       "\n{\r\"a\" :\t1 , \"b\":2}\n"};
    static const char *const bad[] = {"",           " ",
                                      "{",          "}",
                                      "[",          "]",
                                      "[1,]",       "{,}",
                                      "{\"a\":1,}", "{\"a\"}",
                                      "{a:1}",      "{\"a\" 1}",
                                      "[1 2]",      "01",
                                      "-",          "1.",
                                      ".5",         "1e",
                                      "+1",         "tru",
                                      "nulll",      "True",
                                      "\"",         "\"\\x\"",
                                      "\"\\u12\"",  "\"\\u12g4\"",
                                      "\"a\nb\"",   "{} {}",
                                      "[}",         "{]",
                                      "[1}",        "{\"a\":[1}]",
                                      "1,",         "'a'",
                                      "\"\\",       "[\"a\" \"b\"]",
                                      "NaN",        "{\"a\":1 \"b\":2}",
                                      "[,1]"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        if (!accepts(good[i], strlen(good[i])))
            fail_msg("refused: %s", good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (accepts(bad[i], strlen(bad[i])))
            fail_msg("accepted: %s", bad[i]);
    char deep[4096];
    memset(deep, '[', sizeof deep);
    assert_false(accepts(deep, sizeof deep)); /* depth is bounded */
    memset(deep + 64, ']', 64);
    assert_true(accepts(deep, 128));
}

/* Random damage to real chunks: the scanner and jansson must agree, byte for byte of the text. */
static void scanner_agrees_with_jansson(void **state)
{
    (void)state;
    static const char *const seeds[] = {
        ("{\"id\":\"x\",\"choices\":[{\"index\":0,\"text\":\" a\\\"b\\u00e9\\ud83d\\ude00\","
         "\"finish_reason\":null,\"logprobs\":{\"a\":[1,-2.5e3,true]}}],\"usage\":null}"),
        "{\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"h\\ni\"},\"index\":0}]}",
        "{\"choices\":[],\"usage\":{\"prompt_tokens\":12,\"completion_tokens\":34}}"};
    static const char alphabet[] = "{}[]\",:\\ntfue0123456789.-+eE \t\n/abrl\x01";
    struct pji_prng prng;
    size_t accepted = 0;
    pji_prng_init(&prng, 1, "scan");
    for (int round = 0; round < 60000; round++) {
        char text[512];
        size_t len = strlen(seeds[round % 3]);
        memcpy(text, seeds[round % 3], len);
        for (uint64_t damage = pji_prng_below(&prng, 4); damage > 0; damage--) {
            size_t at = (size_t)pji_prng_below(&prng, len);
            text[at] = alphabet[pji_prng_below(&prng, sizeof alphabet - 1)];
        }
        if (pji_prng_below(&prng, 8) == 0)
            len = (size_t)pji_prng_below(&prng, len + 1);
        json_t *tree = json_loadb(text, len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
        bool ours = accepts(text, len);
        bool lone = memmem(text, len, "\\ud", 3) != NULL;
        if (tree && !ours)
            fail_msg("jansson accepts, we refuse: %.*s", (int)len, text);
        /* jansson also refuses numbers that overflow and lone surrogates, which we take */
        if (!tree && ours && !lone && !memchr(text, 'e', len) && !memchr(text, 'E', len))
            fail_msg("jansson refuses, we accept: %.*s", (int)len, text);
        accepted += tree != NULL;
        json_decref(tree);
    }
    assert_true(accepted > 1000);
}

struct parsed {
    struct pji_str text, reasoning;
    struct pji_chunk chunk;
    struct pj_error err;
    pj_status status;
};

static struct parsed parse(const char *json)
{
    struct parsed p = {0};
    p.status = pji_chunk_parse(json, strlen(json), &p.text, &p.reasoning, &p.chunk, &p.err);
    return p;
}

static void done(struct parsed *p)
{
    pji_str_fini(&p->text);
    pji_str_fini(&p->reasoning);
}

static void chunk_shapes(void **state)
{
    (void)state;
    static const struct {
        const char *json, *text, *reasoning, *finish;
    } cases[] = {
        {"{\"choices\":[{\"text\":\"a\"}]}", "a", "", ""},
        {"{\"choices\":[{\"text\":\"a\",\"finish_reason\":\"stop\",\"index\":0}]}", "a", "",
         "stop"},
        {"{\"choices\":[{\"delta\":{\"content\":\"a\"}}]}", "a", "", ""},
        {"{\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":null}}]}", "", "", ""},
        {"{\"choices\":[{\"message\":{\"content\":\"a\",\"reasoning\":\"r\"}}]}", "a", "r", ""},
        {"{\"choices\":[{\"delta\":{\"reasoning\":\"r\",\"reasoning_content\":\"r\"}}]}", "", "r",
         ""},
        {"{\"choices\":[{\"delta\":{\"reasoning\":\"\",\"reasoning_content\":\"r\"}}]}", "", "r",
         ""},
        {"{\"choices\":[{\"text\":\"b\",\"index\":1},{\"text\":\"a\",\"index\":0}]}", "a", "", ""},
        {"{\"choices\":[{\"finish_reason\":\"stop\",\"index\":1,\"text\":\"b\"}]}", "", "", ""},
        {"{\"choices\":[{\"delta\":{\"content\":[{\"type\":\"text\"}]}}]}", "", "", ""},
        {"{\"choices\":[{\"delta\":{\"tool_calls\":[{\"content\":\"x\"}]}}]}", "", "", ""},
        {"{\"choices\":[{\"text\":\"\\u0041\\ud83d\\ude00\\u20ac\\/\"}]}",
         "A\xf0\x9f\x98\x80\xe2\x82\xac/", "", ""},
        {"{\"choices\":[{\"text\":\"\\u0000\\ud83dx\\udc00\"}]}",
         "\xef\xbf\xbd\xef\xbf\xbdx\xef\xbf\xbd", "", ""},
        {"{\"choices\":null,\"x\":[[[]]]}", "", "", ""},
        {"{}", "", "", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct parsed p = parse(cases[i].json);
        if (p.status)
            fail_msg("%s: %s", cases[i].json, p.err.text);
        assert_string_equal(pji_str_text(&p.text), cases[i].text);
        assert_string_equal(pji_str_text(&p.reasoning), cases[i].reasoning);
        assert_string_equal(p.chunk.finish, cases[i].finish);
        assert_false(p.chunk.has_error);
        assert_int_equal(p.chunk.output_tokens, -1);
        done(&p);
    }
}

static void usage_shapes(void **state)
{
    (void)state;
    static const struct {
        const char *usage;
        int64_t prompt, cached, output;
    } cases[] = {
        {"{\"prompt_tokens\":5,\"completion_tokens\":7,\"total_tokens\":12}", 5, -1, 7},
        {"{\"completion_tokens\":0,\"prompt_tokens\":1,\"prompt_tokens_details\":{\"cached_"
         "tokens\":3}}",
         1, 3, 0},
        {"{\"prompt_tokens\":5,\"prompt_tokens_details\":null}", 5, -1, -1},
        {"{\"prompt_tokens\":null,\"completion_tokens\":\"7\"}", -1, -1, -1},
        {"{\"prompt_tokens\":-1,\"completion_tokens\":1.5}", -1, -1, -1},
        {"{\"prompt_tokens\":99999999999999999999}", -1, -1, -1},
        {"null", -1, -1, -1},
        {"[]", -1, -1, -1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char json[256];
        snprintf(json, sizeof json, "{\"choices\":[],\"usage\":%s}", cases[i].usage);
        struct parsed p = parse(json);
        assert_int_equal(p.status, PJ_OK);
        assert_int_equal(p.chunk.prompt_tokens, cases[i].prompt);
        assert_int_equal(p.chunk.cached_tokens, cases[i].cached);
        assert_int_equal(p.chunk.output_tokens, cases[i].output);
        done(&p);
    }
}

static void error_shapes(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"{\"error\":{\"message\":\"m\",\"code\":400}}", "m"},
        {"{\"error\":\"m\"}", "m"},
        {"{\"error\":{}}", ""},
        {"{\"error\":true}", ""},
        {"{\"object\":\"error\",\"message\":\"m\",\"type\":\"t\"}", "m"},
        {"{\"message\":\"m\",\"object\":\"error\"}", "m"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct parsed p = parse(cases[i][0]);
        assert_int_equal(p.status, PJ_OK);
        assert_true(p.chunk.has_error);
        assert_string_equal(p.chunk.error, cases[i][1]);
        done(&p);
    }
    static const char *const none[] = {"{\"error\":null,\"choices\":[]}", "{\"message\":\"m\"}"};
    for (size_t i = 0; i < 2; i++) {
        struct parsed p = parse(none[i]);
        assert_false(p.chunk.has_error);
        done(&p);
    }
}

static void what_is_no_chunk(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      "x",
                                      "[]",
                                      "\"text\"",
                                      "{\"choices\":[1]}",
                                      "{} x",
                                      "{\"choices\":[{\"text\":\"a\"}",
                                      "{\"choices\":[{\"text\":\"\xff\"}]}"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct parsed p = parse(bad[i]);
        if (p.status != PJ_EPEER)
            fail_msg("accepted: %s", bad[i]);
        assert_contains(p.err.text, "the server sent");
        done(&p);
    }
}

static json_t *body_of(const struct pji_endpoint *endpoint, const struct pji_request_spec *spec)
{
    struct pji_extras extras;
    struct pji_str body = {0};
    struct pj_error err = {0};
    if (pji_extras_init(&extras, spec, 1, &err))
        fail_msg("%s", err.text);
    pji_body_add(&body, endpoint, spec, &extras);
    json_t *object = json_loadb(body.text, body.len, JSON_REJECT_DUPLICATES, NULL);
    if (!object)
        fail_msg("not JSON: %s", pji_str_text(&body));
    pji_str_fini(&body);
    pji_extras_fini(&extras);
    return object;
}

static void completion_bodies(void **state)
{
    (void)state;
    const struct pji_endpoint endpoint = {.model = "m\"1"};
    struct pji_request_spec spec = {.prompt = "a\n\"b\"\\ \x7f\t\xc3\xa9",
                                    .max_tokens = 12,
                                    .ignore_eos = true,
                                    .stop = "\n",
                                    .temperature = 0.7,
                                    .seed = UINT64_MAX};
    json_t *o = body_of(&endpoint, &spec);
    assert_string_equal(json_string_value(json_object_get(o, "prompt")), spec.prompt);
    assert_string_equal(json_string_value(json_object_get(o, "model")), "m\"1");
    assert_int_equal(json_integer_value(json_object_get(o, "max_tokens")), 12);
    assert_true(json_is_true(json_object_get(o, "ignore_eos")));
    assert_true(json_is_true(json_object_get(o, "stream")));
    assert_true(
        json_is_true(json_object_get(json_object_get(o, "stream_options"), "include_usage")));
    assert_string_equal(json_string_value(json_array_get(json_object_get(o, "stop"), 0)), "\n");
    assert_true(json_real_value(json_object_get(o, "temperature")) == 0.7);
    assert_int_equal(json_integer_value(json_object_get(o, "seed")), 0x7fffffff);
    json_decref(o);
    spec.extra = "{\"temperature\": 0, \"cache_prompt\": false, \"logit_bias\": [[1, -0.5]]}";
    o = body_of(&endpoint, &spec); /* no member twice: body_of refuses duplicates */
    assert_true(json_is_integer(json_object_get(o, "temperature")));
    assert_true(json_is_false(json_object_get(o, "cache_prompt")));
    assert_int_equal(json_array_size(json_object_get(o, "logit_bias")), 1);
    json_decref(o);
}

static void chat_bodies(void **state)
{
    (void)state;
    const struct pji_endpoint endpoint = {0};
    struct pji_request_spec spec = {.prompt = "hello", .api = PJI_API_CHAT, .whole = true};
    json_t *o = body_of(&endpoint, &spec);
    json_t *message = json_array_get(json_object_get(o, "messages"), 0);
    assert_string_equal(json_string_value(json_object_get(message, "role")), "user");
    assert_string_equal(json_string_value(json_object_get(message, "content")), "hello");
    assert_null(json_object_get(o, "prompt"));
    assert_null(json_object_get(o, "model"));
    assert_null(json_object_get(o, "max_tokens"));
    assert_null(json_object_get(o, "ignore_eos"));
    assert_null(json_object_get(o, "stream_options"));
    assert_true(json_is_false(json_object_get(o, "stream")));
    json_decref(o);
    spec.max_tokens = 5;
    spec.extra = "{\"max_completion_tokens\": 9}";
    o = body_of(&endpoint, &spec);
    assert_null(json_object_get(o, "max_tokens"));
    assert_int_equal(json_integer_value(json_object_get(o, "max_completion_tokens")), 9);
    json_decref(o);
}

static void quoting_is_undone_by_any_reader(void **state)
{
    (void)state;
    struct pji_prng prng;
    pji_prng_init(&prng, 2, "quote");
    for (int round = 0; round < 20000; round++) {
        char text[24];
        size_t len = (size_t)pji_prng_below(&prng, sizeof text);
        struct pji_str quoted = {0};
        for (size_t i = 0; i < len; i++) {
            uint64_t kind = pji_prng_below(&prng, 4);
            text[i] =
                (char)(kind == 0 ? pji_prng_below(&prng, 256) : 1 + pji_prng_below(&prng, 127));
        }
        pji_quote(&quoted, text, len);
        json_t *value = json_loadb(quoted.text, quoted.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
        if (!value)
            fail_msg("not JSON: %s", quoted.text);
        size_t valid = 0;
        while (valid < len && pji_utf8_length(text + valid, len - valid) > 0)
            valid += pji_utf8_length(text + valid, len - valid);
        assert_memory_equal(json_string_value(value), text, valid);
        if (valid == len)
            assert_int_equal(json_string_length(value), len);
        json_decref(value);
        pji_str_fini(&quoted);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scanner_knows_the_grammar),
        cmocka_unit_test(scanner_agrees_with_jansson),
        cmocka_unit_test(chunk_shapes),
        cmocka_unit_test(usage_shapes),
        cmocka_unit_test(error_shapes),
        cmocka_unit_test(what_is_no_chunk),
        cmocka_unit_test(completion_bodies),
        cmocka_unit_test(chat_bodies),
        cmocka_unit_test(quoting_is_undone_by_any_reader),
    };
    return cmocka_run_group_tests_name("load/wire", tests, NULL, NULL);
}
