/* report/text.c - a report for a terminal: wrapped words, aligned tables. */
#include "report/doc.h"

#include <string.h>

size_t pji_text_width(const char *text)
{
    size_t width = 0;
    for (const char *p = text; *p != '\0'; p++)
        width += ((unsigned char)*p & 0xC0) != 0x80 ? 1 : 0; /* not a continuation byte */
    return width;
}

static void pad(struct pji_str *out, size_t n)
{
    for (size_t i = 0; i < n; i++)
        pji_str_addc(out, ' ');
}

/* Words of `text` in lines of at most `width` columns, each line after `indent` blanks. */
static void wrap(struct pji_str *out, const char *text, size_t width, size_t indent)
{
    size_t column = indent;
    pad(out, indent);
    const char *word = text;
    while (*word != '\0') {
        size_t len = strcspn(word, " ");
        struct pji_str one = {0};
        pji_str_addn(&one, word, len);
        size_t need = pji_text_width(pji_str_text(&one));
        pji_str_fini(&one);
        if (column > indent && column + 1 + need > width) {
            pji_str_addc(out, '\n');
            pad(out, indent);
            column = indent;
        } else if (column > indent) {
            pji_str_addc(out, ' ');
            column++;
        }
        pji_str_addn(out, word, len);
        column += need;
        word += len;
        while (*word == ' ')
            word++;
    }
    pji_str_addc(out, '\n');
}

static size_t column_width(const struct pji_block *b, size_t c)
{
    size_t width = pji_text_width(b->columns[c].title);
    for (size_t i = c; i < b->n_cells; i += b->n_columns) {
        size_t need = pji_text_width(b->cells[i].text);
        width = need > width ? need : width;
    }
    return width;
}

static void put_aligned(struct pji_str *out, const char *text, size_t width, bool right)
{
    size_t have = pji_text_width(text);
    size_t space = width > have ? width - have : 0;
    if (right)
        pad(out, space);
    pji_str_add(out, text);
    if (!right)
        pad(out, space);
}

static void trim_end(struct pji_str *out)
{
    while (out->len > 0 && out->text[out->len - 1] == ' ')
        out->text[--out->len] = '\0';
}

/* A table too wide for the terminal becomes one paragraph a row: "title: value" lines. */
static void put_rows(struct pji_str *out, const struct pji_block *b, size_t width)
{
    for (size_t i = 0; b->n_columns > 0 && i < b->n_cells; i++) {
        size_t c = i % b->n_columns;
        struct pji_str line = {0};
        if (c > 0)
            pji_str_addf(&line, "%s: ", b->columns[c].title);
        pji_str_add(&line, b->cells[i].text);
        wrap(out, pji_str_text(&line), width, c == 0 ? 2 : 6);
        pji_str_fini(&line);
    }
}

/* Words of the last column in what the others leave; further lines start below the first. */
static void put_last(struct pji_str *out, const char *text, size_t width, size_t indent)
{
    struct pji_str words = {0};
    wrap(&words, text, width, indent);
    pji_str_add(out, words.len > indent ? pji_str_text(&words) + indent : "\n");
    pji_str_fini(&words);
}

static void put_line(struct pji_str *out, const struct pji_block *b, size_t row, bool head,
                     size_t width, size_t before_last)
{
    pad(out, 2);
    for (size_t c = 0; c < b->n_columns; c++) {
        const char *text = head ? b->columns[c].title : b->cells[row * b->n_columns + c].text;
        bool last = c + 1 == b->n_columns;
        if (last && !b->columns[c].right) {
            put_last(out, text, width, before_last);
            return;
        }
        put_aligned(out, text, column_width(b, c), b->columns[c].right);
        pad(out, last ? 0 : 2);
    }
    trim_end(out);
    pji_str_addc(out, '\n');
}

static void put_table(struct pji_str *out, const struct pji_block *b, size_t width)
{
    enum { NARROWEST = 24 }; /* of a last column of words */
    size_t before_last = 2;
    if (b->text[0] != '\0')
        wrap(out, b->text, width, 0);
    if (b->n_columns == 0)
        return;
    const struct pji_column *last = &b->columns[b->n_columns - 1];
    for (size_t c = 0; c + 1 < b->n_columns; c++)
        before_last += column_width(b, c) + 2;
    size_t need = column_width(b, b->n_columns - 1);
    if (!last->right && need > NARROWEST)
        need = NARROWEST;
    if (before_last + need > width) {
        put_rows(out, b, width);
        return;
    }
    put_line(out, b, 0, true, width, before_last);
    for (size_t row = 0; row * b->n_columns < b->n_cells; row++)
        put_line(out, b, row, false, width, before_last);
}

static void put_styled(struct pji_str *out, const char *text, size_t width, const char *style,
                       bool colour)
{
    if (colour)
        pji_str_add(out, style);
    wrap(out, text, width, 0);
    if (colour)
        pji_str_add(out, "\033[0m");
}

void pji_doc_text(const struct pji_doc *doc, int width, bool colour, struct pji_str *out)
{
    size_t columns = width > 40 ? (size_t)width : 40;
    for (size_t i = 0; i < doc->n; i++) {
        const struct pji_block *b = &doc->blocks[i];
        if (b->page_only)
            continue;
        if (i > 0 && b->kind != PJI_BLOCK_FIGURE && b->kind != PJI_BLOCK_DATA)
            pji_str_addc(out, '\n');
        switch (b->kind) {
        case PJI_BLOCK_TITLE:
        case PJI_BLOCK_LEAD:
            put_styled(out, b->text, columns, "\033[1m", colour);
            break;
        case PJI_BLOCK_HEADING:
            put_styled(out, b->text, columns, "\033[1;4m", colour);
            break;
        case PJI_BLOCK_WARNING:
            put_styled(out, b->text, columns, "\033[33m", colour);
            break;
        case PJI_BLOCK_PARAGRAPH:
            wrap(out, b->text, columns, 0);
            break;
        case PJI_BLOCK_CODE:
            pji_str_addf(out, "  %s\n", b->text);
            break;
        case PJI_BLOCK_TABLE:
            put_table(out, b, columns);
            break;
        case PJI_BLOCK_DATA:
            break;
        case PJI_BLOCK_FIGURE:
            break; /* a terminal shows no pictures; their files are named at the end */
        }
    }
}
