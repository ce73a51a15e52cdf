#include "raw/outcome.h"

#include "core/array.h"
#include "core/units.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t head(const char *sha256)
{
    char text[17];
    snprintf(text, sizeof text, "%.16s", sha256);
    return strtoull(text, NULL, 16);
}

static pj_status take_answers(struct pji_raw_outcome *o, const struct pji_raw_prompts *prompts,
                              struct pj_error *err)
{
    o->answers = pji_zalloc(prompts->n, sizeof *o->answers, err);
    if (o->answers == NULL)
        return PJ_ENOMEM;
    o->has_judge = prompts->has_judge;
    for (size_t i = 0; i < prompts->n; i++) {
        const struct pji_raw_prompt *p = &prompts->items[i];
        if (p->output_sha256[0] != '\0')
            o->answers[o->n_answers++] = (struct pji_raw_answer){
                .prompt = p->prompt_sha256[0] != '\0' ? head(p->prompt_sha256) : i,
                .output = head(p->output_sha256),
                .day = (int32_t)(p->start_ns / PJI_NS_PER_S / 86400)};
        if (!isnan(p->judge_score)) {
            o->judged++;
            o->judge_sum += p->judge_score;
        }
    }
    return PJ_OK;
}

static double joules(const struct pj_energy *energy)
{
    return energy->origin != PJ_ORIGIN_MISSING ? energy->value_j : (double)NAN;
}

pj_status pji_raw_outcome_take(struct pji_raw_outcome *outcome, const struct pji_raw_run *run,
                               struct pj_error *err)
{
    struct pji_raw_outcome *o = outcome;
    o->summary_j = run->summary.energy_j;
    o->summary_dur_s = run->summary.dur_s;
    o->cpu_j = joules(&run->windows[PJI_RAW_WHOLE].cpu);
    o->energy_j = joules(&run->windows[PJI_RAW_MEASURE].total.energy);
    o->load_j = joules(&run->windows[PJI_RAW_LOAD].total.energy);
    o->dur_s = pji_s_from_ns(pji_raw_run_end(run, PJI_RAW_MEASURE) -
                             pji_raw_run_start(run, PJI_RAW_MEASURE));
    o->wraps = run->energies.wraps;
    o->backward = run->samples.backward;
    for (size_t c = 0; c < run->samples.n_columns; c++) {
        if (!run->samples.columns[c].all_zero)
            pji_raw_domains_add(&o->read, &run->samples.columns[c]);
    }
    for (size_t c = 0; c < run->energies.n; c++) {
        const struct pji_raw_modulus *m = &run->energies.modulus[c];
        o->falls += m->falls - m->wraps;
        if (m->wraps == 0 || o->modulus_j > 0 ||
            run->energies.channels[c].domain_kind != PJI_DOMAIN_PACKAGE)
            continue;
        o->modulus_j = m->modulus_j;
        o->unit_j = m->unit_j;
        o->wrap_step_w = m->step_w;
        o->wrap_usual_w = m->usual_w;
        snprintf(o->wrapped_domain, sizeof o->wrapped_domain, "%s",
                 run->energies.channels[c].domain);
    }
    pji_terms_take(&o->terms, run);
    return take_answers(o, &run->prompts, err);
}

void pji_raw_outcome_fini(struct pji_raw_outcome *outcome)
{
    free(outcome->answers);
    outcome->answers = NULL;
}
