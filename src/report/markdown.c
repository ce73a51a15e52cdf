/* report/markdown.c - a report as GitHub's Markdown (GFM), short enough for a pull request: what is
 * only for the page or for programs is left out. Every character that Markdown or HTML would read
 * as markup is escaped.
 */
#include "report/doc.h"

#include <string.h>

static void put_text(struct pji_str *out, const char *text)
{
    for (const char *p = text; *p != '\0'; p++) {
        if (*p == '\n' || *p == '\r')
            pji_str_addc(out, ' ');
        else if (*p == '<')
            pji_str_add(out, "&lt;");
        else if (*p == '&')
            pji_str_add(out, "&amp;");
        else if (strchr("\\`*_[]|~#@>", *p) != NULL)
            pji_str_addf(out, "\\%c", *p);
        else
            pji_str_addc(out, *p);
    }
}

static void put_table(struct pji_str *out, const struct pji_block *b)
{
    if (b->n_columns == 0)
        return;
    if (b->text[0] != '\0') {
        put_text(out, b->text);
        pji_str_add(out, "\n\n");
    }
    for (size_t c = 0; c < b->n_columns; c++) {
        pji_str_add(out, c == 0 ? "| " : " | ");
        put_text(out, b->columns[c].title);
    }
    pji_str_add(out, " |\n");
    for (size_t c = 0; c < b->n_columns; c++)
        pji_str_add(out, b->columns[c].right ? "|--:" : "|---");
    pji_str_add(out, "|\n");
    for (size_t i = 0; i < b->n_cells; i++) {
        size_t c = i % b->n_columns;
        pji_str_add(out, c == 0 ? "| " : " | ");
        put_text(out, b->cells[i].text);
        if (c + 1 == b->n_columns)
            pji_str_add(out, " |\n");
    }
    pji_str_addc(out, '\n');
}

static void put_line(struct pji_str *out, const char *before, const char *text, const char *after)
{
    pji_str_add(out, before);
    put_text(out, text);
    pji_str_add(out, after);
}

static void put_block(struct pji_str *out, const struct pji_block *b)
{
    switch (b->kind) {
    case PJI_BLOCK_TITLE:
        put_line(out, "# ", b->text, "\n\n");
        break;
    case PJI_BLOCK_HEADING:
        put_line(out, "## ", b->text, "\n\n");
        break;
    case PJI_BLOCK_LEAD:
        put_line(out, "**", b->text, "**\n\n");
        break;
    case PJI_BLOCK_WARNING:
        put_line(out, "> ", b->text, "\n\n");
        break;
    case PJI_BLOCK_PARAGRAPH:
        put_line(out, "", b->text, "\n\n");
        break;
    case PJI_BLOCK_CODE:
        pji_str_addf(out, "```\n%s\n```\n\n", b->text);
        break;
    case PJI_BLOCK_TABLE:
        if (!b->page_only)
            put_table(out, b);
        break;
    case PJI_BLOCK_DATA:
        break;
    case PJI_BLOCK_FIGURE:
        put_line(out, "![", b->text, "](");
        pji_str_addf(out, "%s.png)\n\n", b->id);
        break;
    }
}

void pji_doc_markdown(const struct pji_doc *doc, struct pji_str *out)
{
    for (size_t i = 0; i < doc->n; i++)
        put_block(out, &doc->blocks[i]);
}
