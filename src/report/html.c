/* report/html.c - a report as one self-contained page: no font and no address outside it, one small
 * script without which it says the same. Pictures are embedded as data URIs (RFC 2397). A number
 * from records is a link to its row in the list of sources, which leads on to the definition and to
 * each trial.
 */
#include "report/doc.h"

#include "platform/durable.h"
#include "report/figures.h"
#include "report/page.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void escape(struct pji_str *out, const char *text)
{
    for (const char *p = text; *p != '\0'; p++) {
        switch (*p) {
        case '<':
            pji_str_add(out, "&lt;");
            break;
        case '>':
            pji_str_add(out, "&gt;");
            break;
        case '&':
            pji_str_add(out, "&amp;");
            break;
        case '"':
            pji_str_add(out, "&quot;");
            break;
        default:
            pji_str_addc(out, *p);
            break;
        }
    }
}

static void element(struct pji_str *out, const char *open, const char *text, const char *close)
{
    pji_str_add(out, open);
    escape(out, text);
    pji_str_add(out, close);
}

static bool is_word(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
           (unsigned char)c >= 0x80;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Length of the number at text, 0: none. It ends where a word does not go on. */
static size_t number_at(const char *text)
{
    size_t n = strspn(text, "0123456789");
    if (n == 0)
        return 0;
    if (text[n] == '.' && is_digit(text[n + 1]))
        n += 1 + strspn(text + n + 1, "0123456789");
    if ((text[n] == 'e' || text[n] == 'E') &&
        (is_digit(text[n + 1]) ||
         ((text[n + 1] == '-' || text[n + 1] == '+') && is_digit(text[n + 2]))))
        n += 2 + strspn(text + n + 2, "0123456789");
    if (strncmp(text, "95 %", 4) == 0) /* the level of every interval, no result */
        return 0;
    return is_word(text[n]) ? 0 : n;
}

/* The text with each of its numbers as a link; target "": none. */
static void put_linked(struct pji_str *out, const char *text, const char *target)
{
    struct pji_str part = {0};
    const char *p = text;
    while (target[0] != '\0' && *p != '\0') {
        /* a level is no result, nor is the number of a device: "gpu-0" */
        bool named = p > text + 1 && p[-1] == '-' && is_word(p[-2]) && !is_digit(p[-2]);
        bool inside = named || (p > text && (is_word(p[-1]) || p[-1] == '='));
        size_t n = inside ? 0 : number_at(p);
        if (n == 0) {
            pji_str_addc(&part, *p++);
            continue;
        }
        escape(out, pji_str_text(&part));
        pji_str_clear(&part);
        pji_str_addf(out, "<a class=\"n\" href=\"#%s\">", target);
        pji_str_addn(out, p, n);
        pji_str_add(out, "</a>");
        p += n;
    }
    escape(out, target[0] != '\0' ? pji_str_text(&part) : text);
    pji_str_fini(&part);
}

/* Numbers lead to their source. */
static void put_text(struct pji_str *out, const char *text, size_t source)
{
    char target[32] = "";
    if (source > 0)
        snprintf(target, sizeof target, "s%zu", source);
    put_linked(out, text, target);
}

static void element_from(struct pji_str *out, const char *open, const char *text, size_t source,
                         const char *close)
{
    pji_str_add(out, open);
    put_text(out, text, source);
    pji_str_add(out, close);
}

/* A row is named by its first cell when that is another one than above. */
static void open_row(struct pji_str *out, const struct pji_block *b, size_t first)
{
    const char *name = b->cells[first].text;
    bool again = first >= b->n_columns && strcmp(b->cells[first - b->n_columns].text, name) == 0;
    pji_str_add(out, "<tr");
    if (b->row_mark[0] != '\0' && !again) {
        pji_str_addf(out, " id=\"%s", b->row_mark);
        escape(out, name);
        pji_str_addc(out, '"');
    }
    pji_str_addc(out, '>');
}

static const char *cell_open(const struct pji_block *b, size_t column, const char *text)
{
    enum { LONG = 32 }; /* words, not a number: they may break */
    if (!b->columns[column].right)
        return "<td>";
    return pji_text_width(text) > LONG ? "<td class=\"r w\">" : "<td class=\"r\">";
}

/* A number of a table of records is a record itself: it leads to what it is. */
static void put_cell(struct pji_str *out, const struct pji_block *b, size_t i)
{
    const struct pji_column *column = &b->columns[i % b->n_columns];
    const char *text = b->cells[i].text;
    bool record = b->row_mark[0] != '\0' && b->cells[i].source == 0;
    const struct pji_definition *d = record ? pji_definition_find(column->name) : NULL;
    char target[80] = "";
    if (d != NULL)
        snprintf(target, sizeof target, "def-%s", d->key);
    pji_str_add(out, cell_open(b, i % b->n_columns, text));
    if (d != NULL)
        put_linked(out, text, target);
    else
        put_text(out, text, b->cells[i].source);
    pji_str_add(out, "</td>");
}

static void put_table(struct pji_str *out, const struct pji_block *b)
{
    pji_str_add(out, "<div class=\"box\"><table id=\"");
    escape(out, b->id);
    pji_str_add(out, "\">\n");
    if (b->text[0] != '\0')
        element(out, "<caption>", b->text, "</caption>\n");
    pji_str_add(out, "<thead><tr>");
    for (size_t c = 0; c < b->n_columns; c++)
        element(out, b->columns[c].right ? "<th scope=\"col\" class=\"r\">" : "<th scope=\"col\">",
                b->columns[c].title, "</th>");
    pji_str_add(out, "</tr></thead>\n<tbody>\n");
    for (size_t i = 0; b->n_columns > 0 && i < b->n_cells; i++) {
        size_t c = i % b->n_columns;
        if (c == 0)
            open_row(out, b, i);
        put_cell(out, b, i);
        if (c + 1 == b->n_columns)
            pji_str_add(out, "</tr>\n");
    }
    pji_str_add(out, "</tbody></table></div>\n");
}

/* ---- sources and definitions ---- */

static void put_key(struct pji_str *out, const char *key)
{
    const struct pji_definition *d = pji_definition_find(key);
    if (d == NULL) {
        escape(out, key);
        return;
    }
    pji_str_addf(out, "<a href=\"#def-%s\">", d->key);
    escape(out, d->title);
    pji_str_add(out, "</a>");
}

static void put_source(struct pji_str *out, const struct pji_source *s, size_t number)
{
    pji_str_addf(out, "<tr id=\"s%zu\"><td class=\"r\">%zu</td><td>", number, number);
    put_key(out, s->statistic);
    pji_str_add(out, "</td><td>");
    put_key(out, s->figure);
    element(out, "</td><td>", s->task, "</td><td>");
    for (size_t i = 0; i < s->n_trials; i++)
        pji_str_addf(out, "%s<a href=\"#t%lld\">%lld</a>", i > 0 ? ", " : "",
                     (long long)s->trials[i], (long long)s->trials[i]);
    pji_str_add(out, "</td></tr>\n");
}

/* Does the page itself, not only a table for programs, have a number from it? */
static bool is_used(const struct pji_doc *doc, size_t source)
{
    for (size_t i = 0; i < doc->n; i++) {
        const struct pji_block *b = &doc->blocks[i];
        if (b->kind == PJI_BLOCK_DATA)
            continue;
        if (b->source == source)
            return true;
        for (size_t c = 0; c < b->n_cells; c++) {
            if (b->cells[c].source == source)
                return true;
        }
    }
    return false;
}

static void put_sources(struct pji_str *out, const struct pji_doc *doc)
{
    if (doc->n_sources > 0) {
        pji_str_add(out, "<h2>Where the numbers come from</h2>\n<div class=\"box\">"
                         "<table id=\"sources\">\n<caption>Each number above that is a link leads "
                         "here: what it is, of which figure, over which trials.</caption>\n"
                         "<thead><tr><th scope=\"col\" class=\"r\">source</th><th scope=\"col\">"
                         "statistic</th><th scope=\"col\">figure</th><th scope=\"col\">task</th>"
                         "<th scope=\"col\">trials</th></tr></thead>\n<tbody>\n");
        for (size_t i = 0; i < doc->n_sources; i++) {
            if (is_used(doc, i + 1))
                put_source(out, &doc->sources[i], i + 1);
        }
        pji_str_add(out, "</tbody></table></div>\n");
    }
    pji_str_add(out, "<h2>Definitions</h2>\n<dl>\n");
    for (size_t i = 0; pji_definition_at(i) != NULL; i++) {
        pji_str_addf(out, "<dt id=\"def-%s\">", pji_definition_at(i)->key);
        escape(out, pji_definition_at(i)->title);
        element(out, "</dt><dd>", pji_definition_at(i)->text, "</dd>\n");
    }
    pji_str_add(out, "</dl>\n");
}

static pj_status add_base64(struct pji_str *out, const char *bytes, size_t len,
                            struct pj_error *err)
{
    size_t size = 4 * ((len + 2) / 3) + 1;
    char *text = malloc(size);
    if (text == NULL || len > (size_t)INT32_MAX / 2) {
        free(text);
        return pji_fail(err, PJ_ENOMEM, "out of memory for a picture");
    }
    int n = EVP_EncodeBlock((unsigned char *)text, (const unsigned char *)bytes, (int)len);
    pji_str_addn(out, text, n > 0 ? (size_t)n : 0);
    free(text);
    return PJ_OK;
}

static pj_status put_figure(struct pji_str *out, const struct pji_block *b, const char *dir,
                            struct pj_error *err)
{
    struct pji_str path = {0};
    char *bytes = NULL;
    size_t len = 0;
    pji_str_addf(&path, "%s/%s.svg", dir != NULL ? dir : "", b->id);
    pj_status status = pji_str_ok(&path, err);
    if (status == PJ_OK && dir != NULL)
        status = pji_read_file(pji_str_text(&path), (size_t)16 << 20, &bytes, &len, err);
    if (status == PJ_OK) {
        element(out, "<figure><div><img alt=\"", b->text, "\" src=\"data:image/svg+xml;base64,");
        status = dir != NULL ? add_base64(out, bytes, len, err) : PJ_OK;
        element_from(out, "\"></div>\n<figcaption>", b->text, b->source,
                     "</figcaption></figure>\n");
    }
    free(bytes);
    pji_str_fini(&path);
    return status;
}

static pj_status put_block(struct pji_str *out, const struct pji_block *b, const char *dir,
                           struct pj_error *err)
{
    switch (b->kind) {
    case PJI_BLOCK_TITLE:
        element(out, "<h1>", b->text, "</h1>\n");
        break;
    case PJI_BLOCK_HEADING:
        element(out, "<h2>", b->text, "</h2>\n");
        break;
    case PJI_BLOCK_LEAD:
        element_from(out, "<p class=\"lead\">", b->text, b->source, "</p>\n");
        break;
    case PJI_BLOCK_WARNING:
        element_from(out, "<p class=\"warn\">", b->text, b->source, "</p>\n");
        break;
    case PJI_BLOCK_PARAGRAPH:
        element_from(out, "<p>", b->text, b->source, "</p>\n");
        break;
    case PJI_BLOCK_CODE:
        element(out, "<pre>", b->text, "</pre>\n");
        break;
    case PJI_BLOCK_TABLE:
        put_table(out, b);
        break;
    case PJI_BLOCK_DATA:
        break;
    case PJI_BLOCK_FIGURE:
        return put_figure(out, b, dir, err);
    }
    return PJ_OK;
}

pj_status pji_doc_html(const struct pji_doc *doc, const char *title, const char *dir,
                       struct pji_str *out, struct pj_error *err)
{
    pj_status status = PJ_OK;
    pji_str_add(out, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                     "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n");
    element(out, "<title>", title, "</title>\n");
    pji_str_addf(out,
                 "<meta name=\"generator\" content=\"perjoule %s\">\n<style>\n%s</style>\n"
                 "</head>\n<body>\n<button id=\"theme\" type=\"button\" hidden>light / dark"
                 "</button>\n",
                 PJ_VERSION, pji_page_style);
    for (size_t i = 0; i < doc->n && status == PJ_OK; i++)
        status = put_block(out, &doc->blocks[i], doc->no_images ? NULL : dir, err);
    put_sources(out, doc);
    pji_str_addf(out, "<script>\n%s</script>\n</body>\n</html>\n", pji_page_script);
    return status == PJ_OK ? pji_str_ok(out, err) : status;
}
