/* What counts as a secret in a study file, and what does not. */
#include "lab/secrets.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void finds(const char *text, size_t at_line, size_t at_column)
{
    size_t line = 0, column = 0;
    const char *what = NULL;
    if (!pji_secret_find(text, strlen(text), &line, &column, &what))
        fail_msg("not found: %s", text);
    if (line != at_line || column != at_column)
        fail_msg("%s: found at %zu:%zu", text, line, column);
    assert_non_null(what);
}

static void passes(const char *text)
{
    size_t line, column;
    const char *what = "";
    if (pji_secret_find(text, strlen(text), &line, &column, &what))
        fail_msg("%s: %zu:%zu: %s", text, line, column, what);
}

static void secrets_are_found(void **state)
{
    (void)state;
    finds("args: [--api-key, abc]", 1, 8);
    finds("args: [--api-key=abc]", 1, 8);
    finds("args:\n  - \"--api-key\"\n  - abc\n", 2, 6);
    finds("a\nb\n# run it with --hf_token x", 3, 15);
    finds("run: [x, --PASSWORD, y]", 1, 10);
    finds("base_url: http://me:geheim@host/v1", 1, 15);
    finds("x: https://:pw@h", 1, 9);
    finds("headers: 'Authorization: Basic dXNlcjpwYXNz'", 1, 11);
    finds("-H 'x-api-key: 0123456789'", 1, 5);
    finds("Bearer 0123456789abcdef", 1, 1);
    finds("key: sk-proj-0123456789abcdefghij", 1, 6);
    finds("hf_abcdefghijklmnopqrstuvwxyz", 1, 1);
    finds("id: AKIAIOSFODNN7EXAMPLE", 1, 5);
    finds("--api-key", 1, 1);
    finds("run: [x, --api-token, y]", 1, 10);
    finds("run: [x, --ssl-keyfile-password=y]", 1, 10);
    finds("run: [env, HF_TOKEN=geheim, x]", 1, 12);
    finds("run: [sh, -c, 'export AWS_SECRET_ACCESS_KEY=abcdef0; x']", 1, 23);
    finds("x\n'PGPASSWORD=geheim x'", 2, 2);
    finds("WANDB_API_KEY=0123456789", 1, 1);
    finds("http://h/v1?a=1&access_token=abcdefgh", 1, 17);
    finds("http://h/v1?key=abcdefg1", 1, 13);
    finds("extra: {api_key: geheim}", 1, 9);
    finds("'{\"api_key\": \"geheim\"}'", 1, 4);
    finds("x-goog-api-key: abcdef", 1, 1);
    finds("# password: geheim123", 1, 3);
    finds("Proxy-Authorization: Basic dXNlcjpwYXNz", 1, 1);
    finds("Cookie: session=0123456789", 1, 1);
    finds("x: https://me:a,b@h", 1, 9);
    finds("x: git+https://0123456789abcdef0123@h/x", 1, 13);
    finds("glpat-0123456789abcdefghij", 1, 1);
    finds("AIzaSy0123456789abcdefghijklmnopqrs-_", 1, 1);
    finds("[nvapi-0123456789abcdefghij]", 1, 2);
    finds("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl", 1, 1);
    finds("x\n-----BEGIN RSA PRIVATE KEY-----\nMII", 2, 1);
}

static void harmless_text_passes(void **state)
{
    (void)state;
    passes("");
    passes("api_key_env: OPENAI_API_KEY\napi_key_file: /run/key");
    passes("args: [--api-key-file, /run/key, --max-tokens, '5', --tokens, '9']");
    passes("base_url: http://127.0.0.1:8000/v1");
    passes("mail: a@b.c, http://host/path:x@y");
    passes("prompt: 'The bearer of this letter: authorization is needed.'");
    passes("model: sk-small, task-0123456789012345678901234567, hf_small");
    passes("my--token and x--api-key");
    passes(
        "args: [--pad-token, x, --tokenizer, abcdefgh, --stop-token=0123456789, --token-limit, 9]");
    passes("HF_TOKEN=$HF_TOKEN x; env: {MAX_TOKENS: 12345678}");
    passes("prompt: 'What is the password: something? The secret: nobody knows.'");
    passes("http://h/v1?key=value&n=12345678, tokens=12345678, token_file: agent.token");
    passes("token_env: PERJOULE_AGENT_TOKEN, max_tokens: 128000, api_key_env: MY_KEY_0123");
    passes("git+https://git@host/x, https://user@host");
    passes("run: [python3, -c, 'token = tokenizer.decode(ids)']");
    passes("eyJhbGciOiJIUzI1NiJ9, eyJ.a.b, -----BEGIN CERTIFICATE-----");
    passes("http://");
    passes("--");
    passes("sk-");
}

/* Text of a megabyte, from whoever: what takes the square of its length would take hours here. */
static void long_text_takes_no_longer(void **state)
{
    (void)state;
    static const char *const pieces[] = {
        "x",    "x.",   "token=", "eyJ", "eyJ.",        "a=b",  "--",
        "://a", "- x ", "?key=",  "x:",  "-----BEGIN ", "x@://"};
    enum { LEN = 1 << 20 };
    char *text = malloc(LEN + 1);
    assert_non_null(text);
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
        size_t n = strlen(pieces[i]);
        for (size_t k = 0; k < LEN; k++)
            text[k] = pieces[i][k % n];
        text[LEN] = '\0';
        passes(text);
    }
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(secrets_are_found),
        cmocka_unit_test(harmless_text_passes),
        cmocka_unit_test(long_text_takes_no_longer),
    };
    return cmocka_run_group_tests_name("secrets", tests, NULL, NULL);
}
