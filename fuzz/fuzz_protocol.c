/* fuzz/fuzz_protocol.c - protocol files (docs/protocols.md): any text is a protocol or an error
 * with words; what is a protocol is answered on a small table, or refused with words, and its files
 * and its summary can be written.
 */
#include "analysis/protocol.h"
#include "core/str.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char table_text[] = "run,repetition,mode,machine,task,energy,tokens,time(s),__done\n"
                                 "a,1,fast,m1,CB,10,100,\"1,5\",DONE\n"
                                 "a,2,fast,m1,CB,10.5,100,\"1,6\",DONE\n"
                                 "b,1,fast,m2,RTE,12,110,\"1,7\",DONE\n"
                                 "b,2,fast,m2,RTE,12.25,111,\"1,8\",DONE\n"
                                 "c,1,slow,m1,CB,15,120,\"2,1\",DONE\n"
                                 "c,2,slow,m1,CB,15.5,121,\"2,2\",DONE\n"
                                 "d,1,slow,m2,RTE,17,130,\"2,3\",DONE\n"
                                 "d,2,slow,m2,RTE,,131,\"2,4\",TODO\n"
                                 "d,3,slow,m2,RTE,17.5,132,\"2,5\",DONE\n";

static void must(bool holds)
{
    if (!holds)
        abort();
}

static pj_status take(void *context, const char *path, const char *text, size_t len,
                      struct pj_error *err)
{
    (void)context;
    (void)err;
    must(path[0] != '\0' && path[0] != '/' && strstr(path, "..") == NULL && strlen(text) == len);
    return PJ_OK;
}

static void answer(const struct pji_protocol *protocol, const struct pji_protocol_data *data)
{
    struct pj_error err = {0};
    struct pji_str text = {0};
    json_t *answers = NULL;
    bool conclusive = true;
    if (pji_protocol_run(protocol, data, &answers, &conclusive, &err) != PJ_OK) {
        must(err.text[0] != '\0' && answers == NULL);
        return;
    }
    must(json_array_size(answers) == protocol->questions);
    must(pji_protocol_files(answers, take, NULL, &err) == PJ_OK);
    pji_protocol_text(protocol, answers, 100, true, &text);
    must(text.len > 0);
    pji_str_fini(&text);
    json_decref(answers);
}

static void use(const struct pji_protocol *protocol)
{
    struct pji_protocol_data data = {.left_out = 0};
    struct pji_table table;
    struct pj_error err = {0};
    FILE *file = fmemopen((void *)(uintptr_t)table_text, sizeof table_text - 1, "r");
    must(file != NULL && pji_table_read(&table, file, "t.csv", ',', &err) == PJ_OK);
    fclose(file);
    if (pji_protocol_data_make(&data, protocol, &table, &err) == PJ_OK)
        answer(protocol, &data);
    else
        must(err.text[0] != '\0');
    pji_protocol_data_fini(&data);
    pji_table_fini(&table);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pji_protocol *protocol = calloc(1, sizeof *protocol);
    struct pj_error err = {0};
    must(protocol != NULL);
    if (pji_protocol_parse(protocol, (const char *)data, size, "fuzz", &err) == PJ_OK) {
        must(protocol->questions > 0 && protocol->name != NULL);
        use(protocol);
        pji_protocol_fini(protocol);
    } else {
        must(err.code != 0 && err.text[0] != '\0');
    }
    free(protocol);
    return 0;
}
