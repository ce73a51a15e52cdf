/* report/report.c - see report.h. */
#include "report/report.h"

#include "analysis/curve.h"
#include "analysis/summary.h"
#include "core/array.h"
#include "platform/durable.h"
#include "report/compose.h"
#include "report/figures.h"
#include "report/plot.h"

#include <stdlib.h>
#include <string.h>

static pj_status write_file(const char *dir, const char *name, const char *suffix,
                            const struct pji_str *text, struct pj_error *err)
{
    struct pji_str path = {0};
    pji_str_addf(&path, "%s/%s%s", dir, name, suffix);
    pj_status status = pji_str_ok(text, err);
    if (status == PJ_OK)
        status = pji_str_ok(&path, err);
    if (status == PJ_OK)
        status = pji_durable_write(pji_str_text(&path), pji_str_text(text), text->len, err);
    pji_str_fini(&path);
    return status;
}

/* ---- pictures: worth having but not worth failing for; without gnuplot the report says so ---- */

/* The headline figure of each treatment: every value, box, mean with its interval. */
static pj_status add_distribution(struct pji_plots *plots, const struct pji_summary *summary,
                                  struct pj_error *err)
{
    const char *name = NULL;
    const char *task = pji_report_headline(summary, &name);
    if (task == NULL)
        return PJI_CURVE_NONE;
    const struct pji_figure_name *title = pji_figure_name_find(name);
    struct pji_sample *groups = pji_zalloc(summary->n_treatments + 1, sizeof *groups, err);
    if (groups == NULL)
        return PJ_ENOMEM;
    for (size_t t = 0; t < summary->n_treatments; t++) {
        const struct pji_figure *f = pji_summary_figure(&summary->treatments[t], task, name);
        groups[t].label = summary->treatments[t].label;
        if (f == NULL)
            continue;
        groups[t] = (struct pji_sample){.label = summary->treatments[t].label,
                                        .values = f->values,
                                        .n = f->n,
                                        .has_mean = f->n > 0,
                                        .mean = f->mean,
                                        .lo = f->lo,
                                        .hi = f->hi};
    }
    struct pji_plot plot = {.id = "distribution", .x_axis = title != NULL ? title->axis : name};
    pj_status status = pji_plot_box(plots, &plot, groups, summary->n_treatments, err);
    free(groups);
    return status;
}

static pj_status add_trace(struct pji_plots *plots, const struct pji_summary *summary,
                           struct pji_store *store, struct pj_error *err)
{
    struct pji_curve curve;
    if (summary->example_attempt == 0)
        return PJI_CURVE_NONE;
    pj_status status = pji_curve_make(&curve, store, summary->example_attempt, err);
    if (status != PJ_OK)
        return status;
    struct pji_plot plot = {.id = "trace"};
    status = curve.n > 0 ? pji_plot_trace(plots, &plot, &curve, err) : PJI_CURVE_NONE;
    pji_curve_fini(&curve);
    return status;
}

static void draw(const struct pji_summary *summary, struct pji_store *store,
                 const struct pji_report_files *files, bool *distribution, bool *trace)
{
    struct pj_error why = {0};
    struct pji_plots *plots = NULL;
    struct pji_plots_how how = {.dir = files->dir,
                                .formats = PJI_PLOT_SVG | PJI_PLOT_PNG | PJI_PLOT_PDF,
                                .stamp_wall_ns = summary->created_wall_ns};
    *distribution = *trace = false;
    if (files->dir == NULL)
        return;
    pj_status status = pji_plots_open(&plots, &how, &why);
    if (status == PJ_OK) {
        *distribution = add_distribution(plots, summary, &why) == PJ_OK;
        *trace = add_trace(plots, summary, store, &why) == PJ_OK;
        if (why.code != 0)
            pji_log(files->log, PJI_LOG_WARNING, "%s", why.text);
        why = (struct pj_error){0};
        status = pji_plots_draw(plots, &why);
    }
    if (status != PJ_OK) {
        pji_log(files->log, PJI_LOG_WARNING, "%s", why.text);
        *distribution = *trace = false;
    }
    pji_plots_close(plots);
}

static pj_status write_files(const struct pji_doc *doc, const struct pji_summary *summary,
                             const struct pji_report_files *files, struct pj_error *err)
{
    struct pji_str text = {0};
    pj_status status = pji_doc_html(doc, summary->study, files->dir, &text, err);
    if (status == PJ_OK)
        status = write_file(files->dir, "report", ".html", &text, err);
    for (size_t i = 0; i < doc->n && status == PJ_OK; i++) {
        if (doc->blocks[i].kind != PJI_BLOCK_TABLE && doc->blocks[i].kind != PJI_BLOCK_DATA)
            continue;
        pji_str_clear(&text);
        pji_doc_csv(&doc->blocks[i], &text);
        status = write_file(files->dir, doc->blocks[i].id, ".csv", &text, err);
    }
    pji_str_fini(&text);
    return status;
}

static bool is_conclusive(const struct pji_summary *s)
{
    if (s->done == 0 || s->invalid > 0)
        return false;
    for (size_t i = 0; i < s->n_comparisons; i++) {
        if (s->comparisons[i].energy && s->comparisons[i].verdict == PJI_VERDICT_NONE)
            return false;
    }
    return true;
}

pj_status pji_report_make(struct pji_store *store, const struct pji_report_files *files,
                          struct pji_str *text, bool *conclusive, struct pj_error *err)
{
    struct pji_summary summary;
    struct pji_doc doc = {0};
    pj_status status = pji_summary_make(&summary, store, err);
    if (status != PJ_OK)
        return status;
    *conclusive = is_conclusive(&summary);
    if (files->dir != NULL)
        status = pji_make_dirs(files->dir, err);
    if (status == PJ_OK) {
        bool distribution = false;
        bool trace = false;
        draw(&summary, store, files, &distribution, &trace);
        pji_report_compose(&doc, &summary, trace, distribution);
        status = doc.status != PJ_OK ? pji_fail(err, PJ_ENOMEM, "out of memory") : PJ_OK;
    }
    if (status == PJ_OK)
        pji_doc_text(&doc, files->width, files->colour, text);
    if (status == PJ_OK && files->dir != NULL)
        status = write_files(&doc, &summary, files, err);
    pji_doc_fini(&doc);
    pji_summary_fini(&summary);
    return status;
}
