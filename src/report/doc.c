/* report/doc.c - see doc.h. */
#include "report/doc.h"

#include "core/array.h"
#include "core/csv.h"
#include "core/num.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void pji_doc_fini(struct pji_doc *doc)
{
    for (size_t i = 0; i < doc->n; i++) {
        struct pji_block *b = &doc->blocks[i];
        for (size_t c = 0; c < b->n_cells; c++) {
            free(b->cells[c].text);
            free(b->cells[c].raw);
        }
        for (size_t c = 0; c < b->n_columns; c++) {
            free(b->columns[c].title);
            free(b->columns[c].name);
        }
        free(b->cells);
        free(b->columns);
        free(b->id);
        free(b->text);
    }
    for (size_t i = 0; i < doc->n_sources; i++) {
        free(doc->sources[i].statistic);
        free(doc->sources[i].figure);
        free(doc->sources[i].task);
        free(doc->sources[i].trials);
    }
    free(doc->sources);
    free(doc->blocks);
    *doc = (struct pji_doc){0};
}

static struct pji_block *add_block(struct pji_doc *doc, enum pji_block_kind kind)
{
    if (doc->status != PJ_OK)
        return NULL;
    doc->status = pji_array_reserve(&doc->blocks, &doc->cap, doc->n + 1, sizeof *doc->blocks, NULL);
    if (doc->status != PJ_OK)
        return NULL;
    struct pji_block *block = &doc->blocks[doc->n++];
    *block = (struct pji_block){.kind = kind, .source = doc->source};
    return block;
}

static char *copy(struct pji_doc *doc, const char *text)
{
    char *dup = pji_dup(text, NULL);
    if (dup == NULL)
        doc->status = PJ_ENOMEM;
    return dup;
}

void pji_doc_name(struct pji_doc *doc, const char *id)
{
    if (doc->status == PJ_OK && doc->n > 0 && doc->blocks[doc->n - 1].id == NULL)
        doc->blocks[doc->n - 1].id = copy(doc, id);
}

static bool same_source(const struct pji_source *s, const char *statistic, const char *figure,
                        const char *task, const int64_t *trials, size_t n)
{
    return s->n_trials == n && strcmp(s->statistic, statistic) == 0 &&
           strcmp(s->figure, figure) == 0 && strcmp(s->task, task) == 0 &&
           (n == 0 || memcmp(s->trials, trials, n * sizeof *trials) == 0);
}

void pji_doc_source(struct pji_doc *doc, const char *statistic, const char *figure,
                    const char *task, const int64_t *trials, size_t n)
{
    if (doc->status != PJ_OK)
        return;
    for (size_t i = 0; i < doc->n_sources; i++) {
        if (same_source(&doc->sources[i], statistic, figure, task, trials, n)) {
            doc->source = i + 1;
            return;
        }
    }
    doc->status = pji_array_reserve(&doc->sources, &doc->cap_sources, doc->n_sources + 1,
                                    sizeof *doc->sources, NULL);
    if (doc->status != PJ_OK)
        return;
    struct pji_source *s = &doc->sources[doc->n_sources++];
    *s = (struct pji_source){.statistic = copy(doc, statistic),
                             .figure = copy(doc, figure),
                             .task = copy(doc, task),
                             .trials = pji_zalloc(n + 1, sizeof *trials, NULL),
                             .n_trials = n};
    if (s->trials == NULL)
        doc->status = PJ_ENOMEM;
    else if (n > 0)
        memcpy(s->trials, trials, n * sizeof *trials);
    doc->source = doc->n_sources;
}

void pji_doc_no_source(struct pji_doc *doc)
{
    doc->source = 0;
}

void pji_doc_source_text(const struct pji_doc *doc, size_t source, struct pji_str *out)
{
    enum { SHOWN = 12 };
    if (source == 0 || source > doc->n_sources)
        return;
    const struct pji_source *s = &doc->sources[source - 1];
    pji_str_add(out, s->statistic);
    if (s->figure[0] != '\0')
        pji_str_addf(out, " of %s", s->figure);
    if (s->task[0] != '\0')
        pji_str_addf(out, ", task %s", s->task);
    for (size_t i = 0; i < s->n_trials && i < SHOWN; i++)
        pji_str_addf(out, "%s%lld",
                     i > 0             ? ", "
                     : s->n_trials > 1 ? ", trials "
                                       : ", trial ",
                     (long long)s->trials[i]);
    if (s->n_trials > SHOWN)
        pji_str_addf(out, " and %zu more", s->n_trials - SHOWN);
}

static char *formatted(struct pji_doc *doc, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));

static char *formatted(struct pji_doc *doc, const char *format, va_list args)
{
    struct pji_str text = {0};
    pji_str_addv(&text, format, args);
    if (text.text == NULL)
        pji_str_add(&text, "");
    char *taken = pji_str_take(&text);
    if (taken == NULL)
        doc->status = PJ_ENOMEM;
    return taken;
}

void pji_doc_add(struct pji_doc *doc, enum pji_block_kind kind, const char *format, ...)
{
    struct pji_block *block = add_block(doc, kind);
    va_list args;
    if (block == NULL)
        return;
    va_start(args, format);
    block->text = formatted(doc, format, args);
    va_end(args);
}

void pji_doc_figure(struct pji_doc *doc, const char *id, const char *caption)
{
    struct pji_block *block = add_block(doc, PJI_BLOCK_FIGURE);
    if (block == NULL)
        return;
    block->id = copy(doc, id);
    block->text = copy(doc, caption);
}

void pji_doc_table(struct pji_doc *doc, const char *id, const char *caption)
{
    struct pji_block *block = add_block(doc, PJI_BLOCK_TABLE);
    if (block == NULL)
        return;
    block->id = copy(doc, id);
    block->text = copy(doc, caption);
}

void pji_doc_data(struct pji_doc *doc, const char *id)
{
    struct pji_block *block = add_block(doc, PJI_BLOCK_DATA);
    if (block == NULL)
        return;
    block->id = copy(doc, id);
    block->text = copy(doc, "");
}

void pji_doc_column(struct pji_doc *doc, const char *title, const char *name, bool right)
{
    if (doc->status != PJ_OK)
        return;
    struct pji_block *b = &doc->blocks[doc->n - 1];
    struct pji_column *grown = realloc(b->columns, (b->n_columns + 1) * sizeof *grown);
    if (grown == NULL) {
        doc->status = PJ_ENOMEM;
        return;
    }
    b->columns = grown;
    grown[b->n_columns++] =
        (struct pji_column){.title = copy(doc, title), .name = copy(doc, name), .right = right};
}

static struct pji_cell *add_cell(struct pji_doc *doc)
{
    if (doc->status != PJ_OK)
        return NULL;
    struct pji_block *b = &doc->blocks[doc->n - 1];
    if (b->n_columns == 0) {
        doc->status = PJ_ESTATE;
        return NULL;
    }
    doc->status =
        pji_array_reserve(&b->cells, &b->cap_cells, b->n_cells + 1, sizeof *b->cells, NULL);
    if (doc->status != PJ_OK)
        return NULL;
    b->cells[b->n_cells] = (struct pji_cell){.source = doc->source};
    b->n_rows = b->n_cells / b->n_columns + 1;
    return &b->cells[b->n_cells++];
}

void pji_doc_cell(struct pji_doc *doc, const char *text)
{
    struct pji_cell *cell = add_cell(doc);
    if (cell != NULL)
        cell->text = copy(doc, text);
}

void pji_doc_cellf(struct pji_doc *doc, const char *format, ...)
{
    struct pji_cell *cell = add_cell(doc);
    va_list args;
    if (cell == NULL)
        return;
    va_start(args, format);
    cell->text = formatted(doc, format, args);
    va_end(args);
}

void pji_doc_num(struct pji_doc *doc, double value, int digits)
{
    char text[PJI_NUM_TEXT];
    struct pji_cell *cell = add_cell(doc);
    if (cell == NULL)
        return;
    if (!isfinite(value)) {
        cell->text = copy(doc, "–");
        cell->raw = copy(doc, "");
        return;
    }
    pji_num_format_digits(value, digits, text);
    cell->text = copy(doc, text);
    pji_num_format(value, text);
    cell->raw = copy(doc, text);
}

void pji_doc_csv(const struct pji_block *table, struct pji_str *out)
{
    for (size_t c = 0; c < table->n_columns; c++)
        pji_csv_add(out, table->columns[c].name, ',', c == 0);
    pji_str_add(out, "\r\n");
    for (size_t i = 0; table->n_columns > 0 && i < table->n_cells; i++) {
        const struct pji_cell *cell = &table->cells[i];
        size_t c = i % table->n_columns;
        pji_csv_add(out, cell->raw != NULL ? cell->raw : cell->text, ',', c == 0);
        if (c + 1 == table->n_columns)
            pji_str_add(out, "\r\n");
    }
}
