/* lab/request_records.c - requests and their answers, as records. */
#include "lab/request_records.h"

#include "core/digest.h"

#include <string.h>

pj_status pji_request_store(struct pji_store *store, int64_t attempt,
                            const struct pji_phase_data *phase, size_t i, struct pj_error *err)
{
    const struct pji_request_record *r = &phase->load.records[i];
    char sha256[PJI_SHA256_HEX] = "";
    pj_status status = PJ_OK;
    if (r->text != NULL)
        status = pji_sha256_bytes(r->text, strlen(r->text), sha256, err);
    struct pji_request_row row = {.phase = phase->name,
                                  .task =
                                      phase->run.task != NULL ? phase->run.task->spec->name : "",
                                  .sequence = (int64_t)i,
                                  .stream = r->stream,
                                  .item = phase->run.specs[r->spec].item,
                                  .scheduled_ns = r->scheduled_ns,
                                  .sent_ns = r->sent_ns,
                                  .first_token_ns = r->first_token_ns,
                                  .last_token_ns = r->last_token_ns,
                                  .prompt_tokens = r->prompt_tokens,
                                  .cached_tokens = r->cached_tokens,
                                  .output_tokens = r->output_tokens,
                                  .finish = r->finish,
                                  .text_sha256 = sha256,
                                  .text = r->text,
                                  .error = r->error != NULL ? r->error : "",
                                  .token_ns = r->token_ns,
                                  .n_tokens = r->n_tokens};
    return status == PJ_OK ? pji_store_add_request(store, attempt, &row, err) : status;
}

pj_status pji_answer_store(struct pji_store *store, int64_t attempt,
                           const struct pji_phase_data *phase, size_t i, struct pji_scores *scores,
                           struct pj_error *err)
{
    const struct pji_workload_task *task = phase->run.task;
    const struct pji_request_record *r = &phase->load.records[i];
    struct pji_scored scored = {0};
    if (task->spec->gold == NULL)
        return PJ_OK;
    const struct pji_item *item = &task->items.items[phase->run.items[r->spec]];
    pj_status status = pji_scores_add(scores, task, item, r, &scored, err);
    if (status == PJ_OK) {
        struct pji_answer_row row = {.task = task->spec->name,
                                     .item = item->id,
                                     .answer = scored.answer,
                                     .gold = item->gold,
                                     .parsable = scored.parsable,
                                     .correct = scored.correct};
        status = pji_store_add_answer(store, attempt, &row, err);
    }
    pji_scored_fini(&scored);
    return status;
}
