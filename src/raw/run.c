#include "raw/run.h"

#include "core/units.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const pji_raw_phase_names[PJI_RAW_PHASES] = {"trial", "load", "measure", "unload"};

/* ---- reading ---- */

struct reader {
    struct pji_raw_run *run;
    const char *folder, *shown;
    bool decimal_comma;
    struct pj_error *err;
};

typedef pj_status read_fn(struct pji_raw_run *run, struct pji_raw_source *source,
                          struct pj_error *err);

static pj_status read_samples(struct pji_raw_run *run, struct pji_raw_source *source,
                              struct pj_error *err)
{
    return pji_raw_samples_read(&run->samples, source, err);
}

static pj_status read_summary(struct pji_raw_run *run, struct pji_raw_source *source,
                              struct pj_error *err)
{
    return pji_raw_summary_read(&run->summary, source, err);
}

static pj_status read_prompts(struct pji_raw_run *run, struct pji_raw_source *source,
                              struct pj_error *err)
{
    return pji_raw_prompts_read(&run->prompts, source, err);
}

static pj_status read_file(struct reader *reader, enum pji_raw_file file, read_fn *read)
{
    struct pji_str path = {0}, shown = {0};
    struct pji_raw_source source = {.decimal_comma = reader->decimal_comma};
    pji_str_addf(&path, "%s/%s", reader->folder, pji_raw_file_names[file]);
    pji_str_addf(&shown, "%s/%s", reader->shown, pji_raw_file_names[file]);
    pj_status status = pji_str_ok(&path, reader->err);
    if (status == PJ_OK)
        status = pji_str_ok(&shown, reader->err);
    if (status == PJ_OK) {
        source.path = path.text;
        source.shown = shown.text;
        status = read(reader->run, &source, reader->err);
        if (status != PJ_OK)
            reader->run->reason = source.reason;
    }
    pji_str_fini(&path);
    pji_str_fini(&shown);
    return status;
}

/* ---- the measured window ---- */

static pj_status find_window(struct pji_raw_run *run, const char *shown, struct pj_error *err)
{
    const struct pji_raw_samples *s = &run->samples;
    const struct pji_raw_prompts *p = &run->prompts;
    int64_t start_ns = p->items[0].start_ns, end_ns = p->items[0].end_ns;
    for (size_t i = 1; i < p->n; i++) {
        start_ns = p->items[i].start_ns < start_ns ? p->items[i].start_ns : start_ns;
        end_ns = p->items[i].end_ns > end_ns ? p->items[i].end_ns : end_ns;
    }
    size_t first = 0, last = s->n - 1;
    while (first < s->n && s->t_ns[first] < start_ns)
        first++;
    while (last > 0 && s->t_ns[last] > end_ns)
        last--;
    int64_t edge_ns = p->resolution_ns + 2 * (int64_t)(run->samples.interval_s * 1e9);
    bool reached = first < last && s->t_ns[last] > s->t_ns[first] &&
                   start_ns >= s->t_ns[0] - edge_ns && end_ns <= s->t_ns[s->n - 1] + edge_ns;
    if (!reached) {
        char back[96] = "";
        run->reason = "window_not_recorded";
        if (s->backward > 0)
            snprintf(back, sizeof back, "; the clock went back there, and %zu rows are left out",
                     s->backward);
        return pji_fail(err, PJ_EINVAL,
                        "%s: the prompts (%.3f s to %.3f s of the recording) are not within the "
                        "%.3f s that %s recorded%s",
                        shown, pji_s_from_ns(start_ns - s->t_ns[0]),
                        pji_s_from_ns(end_ns - s->t_ns[0]),
                        pji_s_from_ns(s->t_ns[s->n - 1] - s->t_ns[0]),
                        pji_raw_file_names[PJI_RAW_SAMPLES], back);
    }
    run->first = first;
    run->last = last;
    /* a gap at an edge of the window is one in it: the samples there stand for the prompts in it */
    if (first > 0 && s->t_ns[first] - start_ns > edge_ns)
        run->max_gap_ns = s->t_ns[first] - s->t_ns[first - 1];
    if (last + 1 < s->n && end_ns - s->t_ns[last] > edge_ns &&
        s->t_ns[last + 1] - s->t_ns[last] > run->max_gap_ns)
        run->max_gap_ns = s->t_ns[last + 1] - s->t_ns[last];
    for (size_t i = first + 1; i <= last; i++) {
        int64_t gap_ns = s->t_ns[i] - s->t_ns[i - 1];
        run->max_gap_ns = gap_ns > run->max_gap_ns ? gap_ns : run->max_gap_ns;
    }
    return PJ_OK;
}

int64_t pji_raw_run_start(const struct pji_raw_run *run, enum pji_raw_phase phase)
{
    const struct pji_raw_samples *s = &run->samples;
    size_t i = phase == PJI_RAW_MEASURE ? run->first : (phase == PJI_RAW_UNLOAD ? run->last : 0);
    return s->t_ns[i];
}

int64_t pji_raw_run_end(const struct pji_raw_run *run, enum pji_raw_phase phase)
{
    const struct pji_raw_samples *s = &run->samples;
    size_t i =
        phase == PJI_RAW_LOAD ? run->first : (phase == PJI_RAW_MEASURE ? run->last : s->n - 1);
    return s->t_ns[i];
}

static void compute(struct pji_raw_run *run)
{
    for (enum pji_raw_phase phase = PJI_RAW_WHOLE; phase < PJI_RAW_PHASES; phase++) {
        int64_t stamp_ns = phase == PJI_RAW_WHOLE ? 0 : run->prompts.resolution_ns;
        pji_raw_energies_window(&run->energies, pji_raw_run_start(run, phase),
                                pji_raw_run_end(run, phase), stamp_ns, &run->windows[phase]);
    }
}

pj_status pji_raw_run_read(struct pji_raw_run *run, const char *folder, const char *shown,
                           bool decimal_comma, const struct pji_raw_domains *expected,
                           struct pj_error *err)
{
    struct reader reader = {run, folder, shown, decimal_comma, err};
    memset(run, 0, sizeof *run);
    pj_status status = read_file(&reader, PJI_RAW_SAMPLES, read_samples);
    if (status == PJ_OK)
        status = read_file(&reader, PJI_RAW_PROMPTS, read_prompts);
    if (status == PJ_OK)
        status = read_file(&reader, PJI_RAW_SUMMARY, read_summary);
    if (status == PJ_OK)
        status = find_window(run, shown, err);
    if (status == PJ_OK)
        status = pji_raw_energies_make(&run->energies, &run->samples, expected, err);
    if (status == PJ_EINVAL && run->reason == NULL)
        run->reason = "bad_number"; /* a column that no instrument can have written */
    if (status == PJ_OK)
        compute(run);
    return status;
}

void pji_raw_run_fini(struct pji_raw_run *run)
{
    pji_raw_samples_fini(&run->samples);
    pji_raw_prompts_fini(&run->prompts);
    pji_raw_energies_fini(&run->energies);
}

/* ---- other ways to add up a power ---- */

static bool is_gpu_power(const struct pji_raw_column *column)
{
    return column->kind == PJI_DOMAIN_GPU && column->power && !column->all_zero;
}

double pji_raw_gpu_hold_j(const struct pji_raw_run *run, size_t first, size_t last)
{
    const struct pji_raw_samples *s = &run->samples;
    double sum_j = 0;
    bool any = false;
    for (size_t c = 0; c < s->n_columns; c++) {
        const struct pji_raw_column *column = &s->columns[c];
        any = any || is_gpu_power(column);
        for (size_t i = first; i < last && is_gpu_power(column); i++)
            sum_j += column->values[i] * pji_s_from_ns(s->t_ns[i + 1] - s->t_ns[i]);
    }
    return any ? sum_j : (double)NAN;
}

double pji_raw_gpu_rows_j(const struct pji_raw_run *run, size_t first, size_t last,
                          double interval_s)
{
    const struct pji_raw_samples *s = &run->samples;
    double sum_w = 0;
    bool any = false;
    for (size_t c = 0; c < s->n_columns; c++) {
        const struct pji_raw_column *column = &s->columns[c];
        any = any || is_gpu_power(column);
        for (size_t i = first; i <= last && is_gpu_power(column); i++)
            sum_w += column->values[i];
    }
    return any ? sum_w * interval_s : (double)NAN;
}
