/* Wrong study files: every mistake is an error with its place, the offending text and, where there
 * is one, a suggestion. Each row is a file and what must be said of it.
 */
#include <stdio.h>

#include "lab/study.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#define HEAD    "study: x\nfactors: {size: [1B, 3B]}\nrepetitions: 2\n"
#define CMD     "engine: {kind: command, run: [echo, $size]}\n"
#define SERVE   "engine: {kind: openai, base_url: 'http://127.0.0.1:1/v1'}\nload: {kind: closed}\n"
#define TASK    "task: {items: i.jsonl}\n"
#define PROGRAM "engine: {kind: command, run: [x, $size], protocol: jsonl}\nload: {kind: closed}\n"

struct row {
    const char *text;  /* the file */
    const char *place; /* "line:column" of the first error */
    const char *says;
};

static const struct row rows[] = {
    /* whole file */
    {"- a\n- b\n", "1:1", "a study file is a mapping"},
    {"study: [\n", "2:1", ""},
    {"study: x\nstudy: y\n", "2:1", "study"},
    {"study: x\nfactors: {a: [1]}\nrepetition: 2\n" CMD, "3:1",
     "unknown key 'repetition', did you mean 'repetitions'?"},
    {HEAD CMD "repetitoins: 3\n", "5:1", "unknown key 'repetitoins' in a study file"},
    {HEAD CMD "zzz: 3\n", "5:1", "unknown key 'zzz'"},
    {"factors: {a: [1]}\nrepetitions: 2\n" CMD, "1:1", "'study' is missing"},
    {"study: x\nrepetitions: 2\n" CMD, "1:1", "'factors' is missing"},
    {"study: x\nfactors: {a: [1]}\n" CMD, "1:1", "'repetitions' is missing"},
    {HEAD, "1:1", "'engine' is missing"},
    {"study:\nfactors: {a: [1]}\nrepetitions: 2\n" CMD, "1:1", "study is empty"},
    {"study: [a]\nfactors: {size: [1]}\nrepetitions: 2\n" CMD, "1:8", "not a list"},
    {HEAD CMD "question: {a: b}\n", "5:11", "question must be a single value"},
    /* repetitions */
    {"study: x\nfactors: {size: [1]}\nrepetitions: 0\n" CMD, "3:14", "from 1 to 100000, not '0'"},
    {"study: x\nfactors: {size: [1]}\nrepetitions: -1\n" CMD, "3:14", "'-1'"},
    {"study: x\nfactors: {size: [1]}\nrepetitions: 2.5\n" CMD, "3:14", "'2.5'"},
    {"study: x\nfactors: {size: [1]}\nrepetitions: three\n" CMD, "3:14", "'three'"},
    {"study: x\nfactors: {size: [1]}\nrepetitions: 99999999999999999999\n" CMD, "3:14",
     "whole number"},
    {"study: x\nfactors: {size: [1]}\nrepetitions: [2]\n" CMD, "3:14", "single value"},
    /* factors */
    {"study: x\nfactors: [a]\nrepetitions: 2\n" CMD, "2:10", "factors must map names"},
    {"study: x\nfactors: {}\nrepetitions: 2\n" CMD, "2:10", "factors must map names"},
    {"study: x\nfactors: {size: 1}\nrepetitions: 2\n" CMD, "2:17", "write size: [a, b]"},
    {"study: x\nfactors: {size: []}\nrepetitions: 2\n" CMD, "2:17", "needs a list of levels"},
    {"study: x\nfactors: {size: [1, [2]]}\nrepetitions: 2\n" CMD, "2:21", "a level of factor"},
    {"study: x\nfactors: {size: [1, '']}\nrepetitions: 2\n" CMD, "2:21", "is empty"},
    {"study: x\nfactors: {size: [1, 2, 1]}\nrepetitions: 2\n" CMD, "2:24",
     "level '1' of factor 'size' is there twice"},
    {"study: x\nfactors: {size: [1], size: [2]}\nrepetitions: 2\n" CMD, "2:22", "size"},
    {"study: x\nfactors: {2x: [1]}\nrepetitions: 2\n" CMD, "2:11", "'2x' cannot name a factor"},
    {"study: x\nfactors: {a.b: [1]}\nrepetitions: 2\n" CMD, "2:11", "'a.b' cannot name"},
    {"study: x\nfactors: {block: [1]}\nrepetitions: 2\n" CMD, "2:11", "column of that name"},
    {"study: x\nfactors: {a: [1], A: [1]}\nrepetitions: 2\n" CMD, "2:19", "capitals only"},
    /* exclusions */
    {HEAD "exclude: {size: [3B]}\n" CMD, "4:10", "exclude must be a list"},
    {HEAD "exclude: [3B]\n" CMD, "4:11", "must map factors to levels"},
    {HEAD "exclude: [{}]\n" CMD, "4:11", "must map factors to levels"},
    {HEAD "exclude: [{sise: [3B]}]\n" CMD, "4:12", "unknown factor 'sise', did you mean 'size'?"},
    {HEAD "exclude: [{size: [4B]}]\n" CMD, "4:19", "no level '4B': it has 1B, 3B"},
    {HEAD "exclude: [{size: []}]\n" CMD, "4:18", "needs a list of levels"},
    {HEAD "exclude: [{size: [1B]}, {size: 3B}]\n" CMD, "4:10", "leave no combination"},
    {HEAD "order:\n" CMD, "4:1", "order must be a mapping"},
    {HEAD "order:\n  seed:\n" CMD, "5:3", "order seed is empty"},
    /* order, phases, limits, meter */
    {HEAD CMD "order: 3\n", "5:8", "order must be a mapping"},
    {HEAD CMD "order: {seed: -1}\n", "5:15", "not '-1'"},
    {HEAD CMD "order: {seed: 18446744073709551616}\n", "5:15", "2^64-1"},
    {HEAD CMD "order: {blocks: day}\n", "5:17", "must be repetition or none, not 'day'"},
    {HEAD CMD "order: {sede: 1}\n", "5:9", "did you mean 'seed'?"},
    {HEAD CMD "phases: {idle: 10}\n", "5:16", "write 10s for seconds"},
    {HEAD CMD "phases: {idle: -1s}\n", "5:16", "'-1s' is not a duration"},
    {HEAD CMD "phases: {idle: '1,5s'}\n", "5:16", "'1,5s' is not a duration"},
    {HEAD CMD "phases: {warmup: 1s}\n", "5:18", "no meaning for engine kind 'command'"},
    {HEAD CMD "limits: {trial: 0s}\n", "5:17", "limit trial must lie between"},
    {HEAD CMD "limits: {attempts: 0}\n", "5:20", "from 1 to 1000, not '0'"},
    {HEAD CMD "limits: {trail: 5m}\n", "5:10", "did you mean 'trial'?"},
    {HEAD CMD "meter: {interval: 1us}\n", "5:19", "meter interval must lie between"},
    /* the machine at rest */
    {HEAD CMD "phases: {cooldown: {until: setled}}\n", "5:28", "must be settled, not 'setled'"},
    {HEAD CMD "phases: {cooldown: {max: 5m}}\n", "5:20", "cooldown needs until: settled"},
    {HEAD CMD "phases: {cooldown: {until: settled, mx: 5m}}\n", "5:37", "did you mean 'max'?"},
    {HEAD CMD "phases: {cooldown: {until: settled, max: 5}}\n", "5:42", "write 5s for seconds"},
    {HEAD CMD "phases: {cooldown: {until: settled, max: 500ms}}\n", "5:42", "cooldown max"},
    {HEAD CMD "phases: {cooldown: {until: settled, max: 30s}}\n", "5:42", "never be settled"},
    {HEAD CMD "phases: {cooldown: {until: settled, over: 2h}}\n", "5:43", "cooldown over"},
    {HEAD CMD "phases: {cooldown: [settled]}\n", "5:20", "single value"},
    {HEAD CMD "phases: {idle: {until: settled}}\n", "5:16", "single value"},
    {HEAD CMD "baseline: {idel: 30s}\n", "5:12", "did you mean 'idle'?"},
    {HEAD CMD "baseline: {every: 10m}\n", "5:11", "baseline needs idle"},
    {HEAD CMD "baseline: thirty\n", "5:11", "'thirty' is not a duration"},
    {HEAD CMD "baseline: 0s\n", "5:11", "baseline idle must lie between"},
    {HEAD CMD "baseline: {idle: 30s, before: trial}\n", "5:31", "must be block, not 'trial'"},
    {HEAD CMD "baseline: {idle: 30s, every: 45m}\n", "5:30", "baseline every must lie between"},
    {HEAD CMD "meter: {interval: 10s}\nbaseline: 30s\n", "6:11", "fewer than 10 readings"},
    {HEAD CMD "baseline: [30s]\n", "5:11", "baseline"},
    /* engine */
    {HEAD "engine: command\n", "4:9", "engine must be a mapping"},
    {HEAD "engine: {run: [a]}\n", "4:9", "engine needs a kind"},
    {HEAD "engine: {kind: lamacpp}\n", "4:16", "'lamacpp', did you mean 'llamacpp'?"},
    {HEAD "engine: {kind: zzz}\n", "4:16", "known are"},
    {HEAD "engine: {kind: command}\n", "4:9", "needs 'run"},
    /* nested factors, interleaving */
    {"study: x\nfactors: {a: [1, 2], b: {nested_in: a, levels: {'1': [x]}}}\nrepetitions: 2\n" CMD,
     "2:48", "factor 'b' has no levels for 'a' = '2'"},
    {"study: x\nfactors: {a: [1], b: {nested_in: a, levels: {'1.0': [x]}}}\nrepetitions: 2\n" CMD,
     "2:46", "factor 'a' has no level '1.0'"},
    {"study: x\nfactors: {a: [1], b: {nested_in: a, levels: {1: []}}}\nrepetitions: 2\n" CMD,
     "2:49", "needs a list of levels for each level of 'a'"},
    {"study: x\nfactors: {a: [1], b: {nested_in: a, levels: {1: [x, x]}}}\nrepetitions: 2\n" CMD,
     "2:53", "there twice"},
    {"study: x\nfactors: {b: {nested_in: a, levels: {1: [x]}}, a: [1]}\nrepetitions: 2\n" CMD,
     "2:26", "unknown factor 'a'"},
    {"study: x\nfactors: {b: {nested_in: b, levels: {1: [x]}}}\nrepetitions: 2\n" CMD, "2:26",
     "unknown factor 'b'"},
    {"study: x\nfactors: {a: [1], b: {nested_in: a}}\nrepetitions: 2\n" CMD, "2:22",
     "a nested factor names its parent"},
    {"study: x\nfactors: {a: [1], b: {nested: a, levels: {1: [x]}}}\nrepetitions: 2\n" CMD, "2:23",
     "unknown key 'nested'"},
    {HEAD CMD "order: {interleave: sise}\n", "5:21", "unknown factor 'sise'"},
    {HEAD CMD "order: {interleave: []}\n", "5:21", "interleave must name factors"},
    {HEAD CMD "order: {interleave: size, blocks: none}\n", "5:21",
     "interleave needs blocks: repetition"},
    {HEAD "engine: {kind: command, run: echo}\n", "4:30", "must be a list"},
    {HEAD "engine: {kind: command, run: []}\n", "4:30", "empty list"},
    {HEAD "engine: {kind: command, run: [a], rnu: b}\n", "4:35", "unknown key 'rnu'"},
    {HEAD "engine: {kind: command, run: [a, {b: c}]}\n", "4:30", "list of values"},
    {HEAD "engine: {kind: command, run: [a, '${sise}']}\n", "4:34",
     "unknown factor 'sise', did you mean 'size'?"},
    {HEAD "engine: {kind: command, run: [a, $sise]}\n", "4:34", "unknown factor 'sise'"},
    {HEAD "engine: {kind: command, run: [a, 'x${size']}\n", "4:34", "write $${ for a literal ${"},
    {HEAD "engine: {kind: command, run: [a, '${}']}\n", "4:34", "does not name a factor"},
    {HEAD "engine: {kind: openai}\nload: {}\n" TASK, "4:9", "needs 'base_url'"},
    {HEAD "engine: {kind: openai, base_url: $size}\nload: {}\n" TASK, "4:34", "'"},
    /* load and task */
    {HEAD CMD "load: {kind: closed}\n", "5:7", "load has no meaning for engine kind 'command'"},
    {HEAD CMD TASK, "5:7", "task has no meaning"},
    {HEAD CMD TASK, "5:7", "one that answers items says protocol: jsonl"},
    {HEAD "engine: {kind: command, run: [x], protocol: json}\n" TASK, "4:45",
     "unknown protocol 'json'"},
    {HEAD "engine: {kind: command, run: [x], protocol: $size}\n" TASK, "4:45",
     "unknown protocol '$size'"},
    {HEAD "engine: {kind: openai, protocol: jsonl}\nload: {kind: closed}\n" TASK, "4:24",
     "unknown key 'protocol'"},
    {HEAD PROGRAM "task: {items: i.jsonl, max_tokens: 3}\n", "6:36",
     "max_tokens has no meaning for engine kind 'command': its program gets the item alone"},
    {HEAD PROGRAM "task: {items: i.jsonl, shots: 3, examples: e, gold: g}\n", "6:31",
     "examples need a prompt to stand before"},
    {HEAD PROGRAM "task: [{name: a, items: i}, {name: b, items: i, api: chat}]\n", "6:54",
     "api has no meaning"},
    {HEAD "engine: {kind: command, run: [x], protocol: jsonl}\nload: {slo: {tpot: 1s}}\n" TASK,
     "5:20", "tpot has no meaning"},
    {HEAD "engine: {kind: openai, base_url: 'http://h/v1'}\n" TASK, "1:1", "'load' is missing"},
    {HEAD SERVE, "1:1", "'task' is missing"},
    {HEAD "engine: {kind: openai, base_url: 'http://h/v1'}\nload: {kind: open}\n" TASK, "5:14",
     "unknown load kind 'open'"},
    {HEAD "engine: {kind: openai, base_url: 'http://h/v1'}\nload: {concurrency: 0}\n" TASK, "5:21",
     "from 1 to 100000, not '0'"},
    {HEAD "engine: {kind: openai, base_url: 'http://h/v1'}\nload: {concurrency: $size}\n" TASK,
     "5:21", "not '1B'"},
    {HEAD SERVE "task: x\n", "6:7", "task must be a mapping"},
    {HEAD SERVE "task: []\n", "6:7", "empty list"},
    {HEAD SERVE "task: {prompt: x}\n", "6:7", "needs items"},
    {HEAD SERVE "task: {items: i.jsonl, promt: x}\n", "6:24", "did you mean 'prompt'?"},
    {HEAD SERVE "task: [{items: a}, {items: b}]\n", "6:8", "needs a name"},
    {HEAD SERVE "task: [{name: t, items: a}, {name: t, items: b}]\n", "6:36",
     "two tasks are named 't'"},
    {HEAD SERVE "task: {name: a b, items: a}\n", "6:14", "cannot name a task"},
    {HEAD SERVE "task: {items: '${size}.jsonl'}\n", "6:15", "items cannot name factor 'size'"},
    {HEAD SERVE "task: {items: a, max_tokens: 0}\n", "6:30", "not '0'"},
    {HEAD SERVE "task: {items: a, max_tokens: $size}\n", "6:30", "not '1B' (filled into '$size')"},
    {HEAD SERVE "task: {items: a, temperature: hot}\n", "6:31", "'hot'"},
    {HEAD SERVE "task: {items: a, temperature: '0,7'}\n", "6:31", "'0,7'"},
    {HEAD SERVE "task: {items: a, ignore_eos: yes}\n", "6:30", "must be false or true"},
    {HEAD SERVE "task: {items: a, api: chats}\n", "6:23", "completions or chat, not 'chats'"},
    {HEAD SERVE "task: {items: a, limit: -1}\n", "6:25", "'-1'"},
    {HEAD SERVE "task: {items: a, seed: x}\n", "6:24", "'x'"},
    {HEAD SERVE "task: {items: a, choices: [a]}\n", "6:7", "needs gold"},
    {HEAD SERVE "task: {items: a, gold: g, choices: a}\n", "6:36", "list of answers"},
    {HEAD SERVE "task: {items: a, gold: g, choices: [a, a]}\n", "6:36", "there twice"},
    {HEAD SERVE "task: {items: a, extra: [1]}\n", "6:25", "extra must be a mapping"},
    {HEAD SERVE "task: {items: a, stop: ''}\n", "6:24", "stop is empty"},
};

static bool check_row(const struct row *row)
{
    bool good = true;
    struct pji_study study;
    struct pj_error err = {0};
    char start[64];
    pj_status st = pji_study_parse(&study, row->text, strlen(row->text), "dir/s.yaml", &err);
    snprintf(start, sizeof start, "dir/s.yaml:%s: ", row->place);
    if (st != PJ_EINVAL || strncmp(err.text, start, strlen(start)) != 0 ||
        !strstr(err.text, row->says)) {
        print_error("said %d %s\n  not %s…%s\n%s\n", st, err.text, start, row->says, row->text);
        good = false;
    }
    for (size_t i = 1; i < study.errors.n; i++) /* in the order of the file */
        assert_true(study.errors.items[i - 1].line <= study.errors.items[i].line);
    pji_study_fini(&study);
    return good;
}

static void test_rows(void **state)
{
    bool good = true;
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        good &= check_row(&rows[i]);
    assert_true(good);
}

/* All mistakes at once, in the order of the file, and no more than the stated number. */
static void test_many(void **state)
{
    static const char text[] = "study: x\n"
                               "factors: {size: [1B]}\n"
                               "exclude: [{sise: [1B]}]\n"
                               "repetitions: none\n"
                               "engine: {kind: comand}\n"
                               "limits: {trial: 5, meter: x}\n";
    static const size_t lines[] = {3, 4, 5, 6, 6};
    struct pji_study study;
    struct pj_error err = {0};
    char many[4096] = HEAD CMD;
    (void)state;
    assert_int_equal(pji_study_parse(&study, text, strlen(text), "s.yaml", &err), PJ_EINVAL);
    assert_int_equal(study.errors.n, 5);
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(study.errors.items[i].line, lines[i]);
    assert_string_equal(err.text, study.errors.items[0].text);
    pji_study_fini(&study);
    for (int i = 0; i < 50; i++)
        snprintf(many + strlen(many), sizeof many - strlen(many), "qqq%d: 1\n", i);
    assert_int_equal(pji_study_parse(&study, many, strlen(many), "s.yaml", NULL), PJ_EINVAL);
    assert_int_equal(study.errors.n, PJI_STUDY_PROBLEMS);
    pji_study_fini(&study);
}

static void test_bytes(void **state)
{
    struct pji_study study;
    struct pj_error err = {0};
    (void)state;
    assert_int_equal(pji_study_parse(&study, "study: \0x", 9, "s.yaml", &err), PJ_EINVAL);
    assert_non_null(strstr(err.text, "NUL"));
    pji_study_fini(&study);
    err = (struct pj_error){0};
    size_t len = (4 << 20) + 1;
    char *much = test_malloc(len);
    memset(much, '#', len);
    assert_int_equal(pji_study_parse(&study, much, len, "s.yaml", &err), PJ_EINVAL);
    assert_string_equal(err.text, "s.yaml is larger than 4194304 bytes");
    pji_study_fini(&study);
    test_free(much);
    err = (struct pj_error){0};
    assert_int_equal(pji_study_read(&study, "/no/such/study.yaml", &err), PJ_ENOTFOUND);
    assert_non_null(strstr(err.text, "/no/such/study.yaml"));
    pji_study_fini(&study);
    err = (struct pj_error){0};
    assert_true(pji_study_read(&study, "/", &err) < 0);
    pji_study_fini(&study);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
