#include "raw/prompts.h"

#include "core/array.h"
#include "core/units.h"
#include "platform/durable.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *pji_raw_task_of(const char *prompt)
{
    static const struct {
        const char *begin, *inside, *task;
    } forms[] = {
        {"Passage:", "Question:", "BoolQ"},
        {"What is the cause", "Choice 1:", "COPA"},
        {"What is the effect", "Choice 1:", "COPA"},
        {"Does the word", "same meaning", "WiC"},
    };
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        if (strncmp(prompt, forms[i].begin, strlen(forms[i].begin)) == 0 &&
            strstr(prompt, forms[i].inside) != NULL)
            return forms[i].task;
    }
    return "";
}

enum { START, END, PROMPT, RESPONSE, TOKENS, JUDGE, N_COLUMNS };

struct columns {
    int at[N_COLUMNS]; /* -1: none */
};

static pj_status find_columns(const struct pji_raw_table *table, struct columns *columns,
                              struct pj_error *err)
{
    static const char *const names[N_COLUMNS] = {"start",           "end",     "prompt", "response",
                                                 "response_tokens", "accuracy"};
    for (size_t i = 0; i < N_COLUMNS; i++) {
        columns->at[i] = pji_raw_table_find(table, names[i]);
        if (columns->at[i] < 0 && i < PROMPT) {
            table->source->reason = "missing_column";
            return pji_fail(err, PJ_EINVAL,
                            "%s has no column '%s': the prompts cannot be told from the loading",
                            table->source->shown, names[i]);
        }
    }
    return PJ_OK;
}

static pj_status take_digest(const struct pji_raw_table *table, int column,
                             char hex[PJI_SHA256_HEX], struct pj_error *err)
{
    if (column < 0)
        return PJ_OK;
    return pji_sha256_bytes(table->row.fields[column], table->row.lens[column], hex, err);
}

static pj_status take_tokens(const struct pji_raw_table *table, int column, int64_t *tokens,
                             struct pj_error *err)
{
    double value = (double)NAN;
    pj_status status = column < 0 ? PJ_OK : pji_raw_number(table, (size_t)column, &value, err);
    *tokens = -1;
    if (status || isnan(value))
        return status;
    if (value < 0 || value > 1e9 || value != floor(value)) {
        table->source->reason = "bad_number";
        return pji_fail(err, PJ_EINVAL, "%s:%zu, column '%s': %g is no count of tokens",
                        table->source->shown, table->row.line, table->names[column], value);
    }
    *tokens = (int64_t)value;
    return PJ_OK;
}

static pj_status take_prompt(struct pji_raw_prompts *prompts, const struct pji_raw_table *table,
                             const struct columns *columns, struct pj_error *err)
{
    struct pji_raw_prompt prompt = {.tokens = -1, .judge_score = (double)NAN};
    const int *at = columns->at;
    int64_t unit_ns = prompts->resolution_ns;
    pj_status status = pji_raw_time(table, (size_t)at[START], &unit_ns, &prompt.start_ns, err);
    if (status == PJ_OK)
        status = pji_raw_time(table, (size_t)at[END], &unit_ns, &prompt.end_ns, err);
    if (status == PJ_OK && prompt.end_ns < prompt.start_ns) {
        table->source->reason = "bad_time";
        status = pji_fail(err, PJ_EINVAL, "%s:%zu: this prompt ends before it starts",
                          table->source->shown, table->row.line);
    }
    if (status == PJ_OK)
        status = take_tokens(table, at[TOKENS], &prompt.tokens, err);
    if (status == PJ_OK && at[JUDGE] >= 0)
        status = pji_raw_number(table, (size_t)at[JUDGE], &prompt.judge_score, err);
    if (status == PJ_OK)
        status = take_digest(table, at[PROMPT], prompt.prompt_sha256, err);
    if (status == PJ_OK)
        status = take_digest(table, at[RESPONSE], prompt.output_sha256, err);
    if (status == PJ_OK)
        status = pji_array_reserve(&prompts->items, &prompts->cap, prompts->n + 1,
                                   sizeof *prompts->items, err);
    if (status)
        return status;
    if (prompts->n == 0 && at[PROMPT] >= 0)
        snprintf(prompts->task, sizeof prompts->task, "%s",
                 pji_raw_task_of(table->row.fields[at[PROMPT]]));
    prompts->resolution_ns = unit_ns;
    prompts->items[prompts->n++] = prompt;
    return PJ_OK;
}

static pj_status check_end(const struct pji_raw_table *table, struct pj_error *err)
{
    if (!table->unended_row)
        return PJ_OK;
    table->source->reason = "torn_file";
    return pji_fail(err, PJ_EINVAL,
                    "%s: the last line has no line end, so its last field '%s' may be cut off; "
                    "take the run's file again, or end the line if it is whole",
                    table->source->shown, table->names[table->n_names - 1]);
}

/* Times with a fraction are finer than their unit: see the fields themselves. */
static bool has_fraction(const struct pji_raw_prompts *prompts)
{
    for (size_t i = 0; i < prompts->n; i++) {
        if (prompts->items[i].start_ns % PJI_NS_PER_S != 0 ||
            prompts->items[i].end_ns % PJI_NS_PER_S != 0)
            return true;
    }
    return false;
}

static pj_status read_rows(struct pji_raw_prompts *prompts, struct pji_raw_table *table,
                           struct pj_error *err)
{
    struct columns columns;
    pj_status status = find_columns(table, &columns, err);
    while (status == PJ_OK) {
        status = pji_raw_table_next(table, err);
        if (status == PJ_OK)
            status = take_prompt(prompts, table, &columns, err);
    }
    if (status == PJI_CSV_END)
        status = check_end(table, err);
    if (status == PJ_OK && prompts->n == 0) {
        table->source->reason = "no_prompts";
        status = pji_fail(err, PJ_EINVAL, "%s has no prompt", table->source->shown);
    }
    if (status)
        return status;
    if (prompts->resolution_ns == PJI_NS_PER_S && has_fraction(prompts))
        prompts->resolution_ns = PJI_NS_PER_MS;
    prompts->has_tokens = columns.at[TOKENS] >= 0;
    prompts->has_judge = columns.at[JUDGE] >= 0;
    return PJ_OK;
}

static pj_status read_as(struct pji_raw_prompts *prompts, struct pji_raw_source *source,
                         struct pj_error *err)
{
    struct pji_raw_table table;
    *prompts = (struct pji_raw_prompts){0};
    pj_status status = pji_raw_table_open(&table, source, err);
    if (status == PJ_OK)
        status = read_rows(prompts, &table, err);
    pji_raw_table_close(&table);
    return status;
}

/* A writer of TSV either quotes fields or writes quotes as they are; which one, the file does not
 * say. It is read in the first way, and where that breaks a rule in the second: it stands when
 * every line is then a whole record. */
pj_status pji_raw_prompts_read(struct pji_raw_prompts *prompts, struct pji_raw_source *source,
                               struct pj_error *err)
{
    struct pj_error first = {0};
    pj_status status = read_as(prompts, source, &first);
    bool broken =
        status == PJ_EINVAL && source->reason != NULL &&
        (strcmp(source->reason, "bad_record") == 0 || strcmp(source->reason, "torn_file") == 0);
    if (broken) {
        struct pji_raw_source again = *source;
        again.plain = true;
        pji_raw_prompts_fini(prompts);
        if (read_as(prompts, &again, NULL) == PJ_OK) {
            prompts->plain = true;
            return PJ_OK;
        }
        pji_raw_prompts_fini(prompts);
    }
    return status == PJ_OK ? PJ_OK : pji_fail(err, status, "%s", first.text);
}

void pji_raw_prompts_fini(struct pji_raw_prompts *prompts)
{
    free(prompts->items);
    *prompts = (struct pji_raw_prompts){0};
}

const char *pji_raw_prompts_task(const char *path)
{
    struct pji_raw_source source = {.path = path, .shown = path};
    struct pji_raw_table table;
    const char *task = "";
    pj_status status = pji_raw_table_open(&table, &source, NULL);
    int column = status == PJ_OK ? pji_raw_table_find(&table, "prompt") : -1;
    if (column >= 0 && pji_raw_table_next(&table, NULL) == PJ_OK)
        task = pji_raw_task_of(table.row.fields[column]);
    pji_raw_table_close(&table);
    return task;
}

/* ---- the summary: "Energy consumption in joules: X for Y sec of execution." ---- */

static pj_status number_after(const struct pji_raw_source *source, const char **text,
                              const char *words, double *value, struct pj_error *err)
{
    const char *at = strstr(*text, words);
    if (at == NULL)
        return PJ_ENOTFOUND;
    at += strlen(words);
    size_t len = strcspn(at, " \r\n");
    *text = at + len;
    if (len == 0)
        return PJ_ENOTFOUND;
    return pji_raw_parse(source, at, len, value, err);
}

pj_status pji_raw_summary_read(struct pji_raw_summary *summary, struct pji_raw_source *source,
                               struct pj_error *err)
{
    char *bytes = NULL;
    size_t len = 0;
    pj_status status = pji_raw_source_check(source, err);
    if (status == PJ_OK)
        status = pji_read_file(source->path, 1 << 20, &bytes, &len, err);
    if (status != PJ_OK)
        return status;
    struct pj_error why = {0};
    const char *text = bytes;
    status = number_after(source, &text, "joules: ", &summary->energy_j, &why);
    if (status == PJ_OK)
        status = number_after(source, &text, " for ", &summary->dur_s, &why);
    bool whole = status == PJ_OK && strstr(text, "execution") != NULL;
    if (!whole && len == 0) {
        source->reason = "empty_file";
        status = pji_fail(err, PJ_EINVAL, "%s is empty", source->shown);
    } else if (status != PJ_OK && why.code != 0) {
        source->reason = strstr(why.text, "decimal comma") ? "decimal_comma" : "bad_number";
        status = pji_fail(err, PJ_EINVAL, "%s:1: %s", source->shown, why.text);
    } else if (!whole) {
        source->reason = "torn_file";
        status = pji_fail(err, PJ_EINVAL,
                          "%s:1: '%.40s' is not 'Energy consumption in joules: X for Y sec of "
                          "execution'",
                          source->shown, bytes);
    }
    free(bytes);
    return status;
}
