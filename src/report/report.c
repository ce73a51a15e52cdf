/* report/report.c - see report.h. */
#include "report/report.h"

#include "analysis/summary.h"
#include "platform/durable.h"
#include "report/compose.h"
#include "report/study_plots.h"

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

/* The tables as CSV and, but for data and facts of one machine, as LaTeX. */
static pj_status write_tables(const struct pji_doc *doc, const char *dir, struct pj_error *err)
{
    struct pji_str text = {0};
    pj_status status = PJ_OK;
    for (size_t i = 0; i < doc->n && status == PJ_OK; i++) {
        const struct pji_block *b = &doc->blocks[i];
        if (b->kind != PJI_BLOCK_TABLE && b->kind != PJI_BLOCK_DATA)
            continue;
        pji_str_clear(&text);
        pji_doc_csv(b, &text);
        status = write_file(dir, b->id, ".csv", &text, err);
        if (status != PJ_OK || b->kind != PJI_BLOCK_TABLE || b->page_only)
            continue;
        pji_str_clear(&text);
        pji_doc_latex_table(b, &text);
        status = write_file(dir, b->id, ".tex", &text, err);
    }
    pji_str_fini(&text);
    return status;
}

static pj_status write_methods(const struct pji_doc *doc, const char *dir, struct pj_error *err)
{
    struct pji_str text = {0};
    pj_status status = PJ_OK;
    for (size_t i = 0; i < doc->n && status == PJ_OK; i++) {
        const struct pji_block *b = &doc->blocks[i];
        if (b->kind != PJI_BLOCK_PARAGRAPH || b->id == NULL)
            continue;
        pji_str_clear(&text);
        pji_doc_latex_text(b->text, &text);
        pji_str_addc(&text, '\n');
        status = write_file(dir, b->id, ".tex", &text, err);
    }
    pji_str_fini(&text);
    return status;
}

static pj_status write_files(const struct pji_doc *doc, const struct pji_summary *summary,
                             const char *dir, struct pj_error *err)
{
    struct pji_str text = {0};
    pj_status status = pji_doc_html(doc, summary->study, dir, &text, err);
    if (status == PJ_OK)
        status = write_file(dir, "report", ".html", &text, err);
    pji_str_clear(&text);
    pji_doc_markdown(doc, &text);
    if (status == PJ_OK)
        status = write_file(dir, "report", ".md", &text, err);
    if (status == PJ_OK)
        status = write_tables(doc, dir, err);
    if (status == PJ_OK)
        status = write_methods(doc, dir, err);
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

/* Pictures are worth having but not worth failing for: without them the report says why. */
static pj_status draw(const struct pji_summary *summary, struct pji_store *store,
                      const struct pji_report_files *files, struct pji_drawn *drawn)
{
    struct pj_error why = {0};
    *drawn = (struct pji_drawn){0};
    if (files->dir == NULL)
        return PJ_OK;
    if (files->no_pictures) {
        drawn->why_none = files->no_pictures;
        return PJ_OK;
    }
    pj_status status = pji_study_plots(summary, store, files->dir, files->undrawn, drawn, &why);
    if (status == PJ_ENOMEM)
        return status;
    if (status != PJ_OK)
        pji_log(files->log, PJI_LOG_WARNING, "%s", why.text);
    else if (drawn->why_none != NULL)
        pji_log(files->log, PJI_LOG_WARNING, "no pictures: %s", drawn->why_none);
    return PJ_OK;
}

pj_status pji_report_doc(struct pji_doc *doc, struct pji_store *store,
                         const struct pji_report_files *files, bool *conclusive,
                         struct pj_error *err)
{
    struct pji_summary summary;
    struct pji_drawn drawn;
    *doc = (struct pji_doc){0};
    pj_status status = pji_summary_make(&summary, store, err);
    if (status != PJ_OK)
        return status;
    *conclusive = is_conclusive(&summary);
    if (files->dir != NULL)
        status = pji_make_dirs(files->dir, err);
    if (status == PJ_OK)
        status = draw(&summary, store, files, &drawn);
    if (status == PJ_OK) {
        doc->no_images = files->undrawn;
        pji_report_compose(doc, &summary, &drawn);
        status = doc->status;
    }
    if (status == PJ_ENOMEM)
        status = pji_fail(err, PJ_ENOMEM, "out of memory");
    if (status == PJ_OK && files->dir != NULL)
        status = write_files(doc, &summary, files->dir, err);
    pji_summary_fini(&summary);
    return status;
}

pj_status pji_report_make(struct pji_store *store, const struct pji_report_files *files,
                          struct pji_str *text, bool *conclusive, struct pj_error *err)
{
    struct pji_doc doc;
    pj_status status = pji_report_doc(&doc, store, files, conclusive, err);
    if (status == PJ_OK)
        pji_doc_text(&doc, files->width, files->colour, text);
    pji_doc_fini(&doc);
    return status;
}
