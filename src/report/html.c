/* report/html.c - a report as one self-contained page: no script, no font, no address outside it.
 * Readable on a phone (tables scroll inside their own box), light and dark by the reader's setting,
 * and on paper. Pictures are embedded as data URIs (RFC 2397).
 */
#include "report/doc.h"

#include "platform/durable.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char style[] =
    ":root{color-scheme:light dark;--ink:#1a1a1a;--soft:#5c5c5c;--line:#d5d5d5;--back:#fff;"
    "--lead:#eef4fb;--warn:#fff4dc;--paper:#fff}\n"
    "@media(prefers-color-scheme:dark){:root{--ink:#e8e8e8;--soft:#a8a8a8;--line:#444;"
    "--back:#161616;--lead:#1d2a3a;--warn:#3a2f14}}\n"
    "*{box-sizing:border-box}\n"
    "body{margin:0 auto;padding:1rem;max-width:60rem;background:var(--back);color:var(--ink);"
    "font:16px/1.5 system-ui,sans-serif}\n"
    "h1{font-size:1.5rem;margin:.5rem 0}h2{font-size:1.15rem;margin:2rem 0 .5rem;"
    "border-bottom:1px solid var(--line)}\n"
    "p{margin:.6rem 0;overflow-wrap:anywhere}\n"
    ".lead{background:var(--lead);padding:.8rem 1rem;border-radius:.4rem;font-size:1.1rem}\n"
    ".warn{background:var(--warn);padding:.6rem 1rem;border-radius:.4rem}\n"
    ".box{overflow-x:auto;margin:.6rem 0}\n"
    "table{border-collapse:collapse;font-size:.9rem;font-variant-numeric:tabular-nums}\n"
    "caption{text-align:left;color:var(--soft);padding:.2rem 0;caption-side:top}\n"
    "th,td{padding:.3rem .7rem;border-bottom:1px solid var(--line);text-align:left;"
    "vertical-align:top}\n"
    "th{border-bottom:2px solid var(--line)}.r{text-align:right;white-space:nowrap}\n"
    "figure{margin:1rem 0}figure img{width:100%;height:auto;background:var(--paper);"
    "border-radius:.4rem}\n"
    "figcaption{color:var(--soft);font-size:.9rem}\n"
    "pre{overflow-x:auto;padding:.6rem 1rem;border:1px solid var(--line);border-radius:.4rem}\n"
    "@media print{body{max-width:none;font-size:10pt;background:#fff;color:#000}"
    "h2{break-after:avoid}table,figure{break-inside:avoid}.box{overflow:visible}}\n";

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

static void put_table(struct pji_str *out, const struct pji_block *b)
{
    pji_str_addf(out, "<div class=\"box\"><table id=\"%s\">\n", b->id);
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
            pji_str_add(out, "<tr>");
        element(out, b->columns[c].right ? "<td class=\"r\">" : "<td>", b->cells[i].text, "</td>");
        if (c + 1 == b->n_columns)
            pji_str_add(out, "</tr>\n");
    }
    pji_str_add(out, "</tbody></table></div>\n");
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
    pji_str_addf(&path, "%s/%s.svg", dir, b->id);
    pj_status status = pji_str_ok(&path, err);
    if (status == PJ_OK)
        status = pji_read_file(pji_str_text(&path), (size_t)16 << 20, &bytes, &len, err);
    if (status == PJ_OK) {
        element(out, "<figure><img alt=\"", b->text, "\" src=\"data:image/svg+xml;base64,");
        status = add_base64(out, bytes, len, err);
        element(out, "\">\n<figcaption>", b->text, "</figcaption></figure>\n");
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
        element(out, "<p class=\"lead\">", b->text, "</p>\n");
        break;
    case PJI_BLOCK_WARNING:
        element(out, "<p class=\"warn\">", b->text, "</p>\n");
        break;
    case PJI_BLOCK_PARAGRAPH:
        element(out, "<p>", b->text, "</p>\n");
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
    pji_str_addf(out, "<style>\n%s</style>\n</head>\n<body>\n", style);
    for (size_t i = 0; i < doc->n && status == PJ_OK; i++)
        status = put_block(out, &doc->blocks[i], dir, err);
    pji_str_add(out, "</body>\n</html>\n");
    return status == PJ_OK ? pji_str_ok(out, err) : status;
}
