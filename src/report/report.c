/* report/report.c - see report.h. */
#include "report/report.h"

#include "analysis/curve.h"
#include "analysis/summary.h"
#include "platform/durable.h"
#include "report/compose.h"
#include "report/figures.h"
#include "report/plot.h"

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

/* Pictures are worth having but not worth failing for: without gnuplot the report says so. */
static bool draw_distribution(const struct pji_summary *summary,
                              const struct pji_report_files *files)
{
    struct pj_error why = {0};
    const char *name = NULL;
    const char *task = pji_report_headline(summary, &name);
    if (task == NULL || files->dir == NULL)
        return false;
    const struct pji_figure_name *title = pji_figure_name_find(name);
    pj_status status = pji_plot_distribution(
        summary, task, name, title != NULL ? title->axis : name, files->dir, "distribution", &why);
    if (status != PJ_OK)
        pji_log(files->log, PJI_LOG_WARNING, "%s", why.text);
    return status == PJ_OK;
}

static bool draw_trace(const struct pji_summary *summary, struct pji_store *store,
                       const struct pji_report_files *files)
{
    struct pj_error why = {0};
    struct pji_curve curve;
    if (summary->example_attempt == 0 || files->dir == NULL)
        return false;
    pj_status status = pji_curve_make(&curve, store, summary->example_attempt, &why);
    if (status == PJI_CURVE_NONE)
        return false;
    if (status == PJ_OK) {
        status = curve.n > 0 ? pji_plot_curve(&curve, files->dir, "trace", &why) : PJI_CURVE_NONE;
        pji_curve_fini(&curve);
    }
    if (status < 0 && why.code != PJ_ENOTFOUND) /* a missing gnuplot was said already */
        pji_log(files->log, PJI_LOG_WARNING, "%s", why.text);
    return status == PJ_OK;
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
        bool distribution = draw_distribution(&summary, files);
        bool trace = draw_trace(&summary, store, files);
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
