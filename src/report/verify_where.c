/* report/verify_where.c - names the place of a number in a report and the records behind it. Places
 * are found in the report as it should be, whose structure is known.
 */
#include "report/verify_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct place {
    size_t row; /* of the table, SIZE_MAX: a heading */
    size_t column;
    const struct pji_block *table; /* NULL: not in a table */
};

static const char *find(const char *text, size_t len, const char *words)
{
    return memmem(text, len, words, strlen(words));
}

static size_t count(const char *text, size_t len, const char *words)
{
    size_t n = 0;
    for (const char *at = find(text, len, words); at != NULL;
         at = find(at + 1, len - (size_t)(at + 1 - text), words))
        n++;
    return n;
}

static bool starts(const struct pji_lines *lines, size_t line, const char *words)
{
    return lines->len[line] >= strlen(words) && memcmp(lines->at[line], words, strlen(words)) == 0;
}

static const struct pji_block *block_of(const struct pji_doc *doc, const char *id, size_t len)
{
    for (size_t i = 0; i < doc->n; i++) {
        const struct pji_block *b = &doc->blocks[i];
        if (b->id != NULL && strlen(b->id) == len && memcmp(b->id, id, len) == 0 &&
            (b->kind == PJI_BLOCK_TABLE || b->kind == PJI_BLOCK_DATA))
            return b;
    }
    return NULL;
}

/* ---- tables by format ---- */

static void place_html(const struct pji_verify_file *f, size_t line, size_t offset, struct place *p)
{
    const struct pji_lines *l = &f->expected;
    if (!starts(l, line, "<tr"))
        return;
    size_t up = line;
    while (up > 0 && find(l->at[up], l->len[up], "<table id=\"") == NULL) {
        if (starts(l, up, "<tbody>"))
            p->row = line - up - 1;
        up--;
    }
    const char *id = find(l->at[up], l->len[up], "<table id=\"");
    if (id == NULL)
        return;
    id += strlen("<table id=\"");
    p->table = block_of(f->doc, id, strcspn(id, "\""));
    size_t cells = count(l->at[line], offset, "<td");
    p->column = cells > 0 ? cells - 1 : 0;
}

/* The table of its own file: CSV from line 1, LaTeX after \midrule. */
static void place_file(const struct pji_verify_file *f, size_t line, size_t offset, struct place *p)
{
    const struct pji_lines *l = &f->expected;
    const struct pji_block *b = block_of(f->doc, f->base, strlen(f->base));
    bool quoted = false;
    if (b == NULL)
        return;
    if (f->kind == PJI_VERIFY_CSV) {
        p->table = b;
        p->row = line > 0 ? line - 1 : SIZE_MAX;
        for (size_t i = 0; i < offset; i++) {
            quoted = l->at[line][i] == '"' ? !quoted : quoted;
            p->column += l->at[line][i] == ',' && !quoted ? 1 : 0;
        }
        return;
    }
    size_t up = line;
    while (up > 0 && !starts(l, up, "\\midrule"))
        up--;
    if (up == 0 || starts(l, line, "\\"))
        return;
    p->table = b;
    p->row = line - up - 1;
    p->column = count(l->at[line], offset, " & ");
}

static void place_markdown(const struct pji_verify_file *f, size_t line, size_t offset,
                           struct place *p)
{
    const struct pji_lines *l = &f->expected;
    size_t tables = 0;
    size_t rule = 0;
    if (!starts(l, line, "| "))
        return;
    for (size_t up = 0; up < line; up++) {
        if (starts(l, up, "|--")) {
            tables++;
            rule = up;
        }
    }
    for (size_t i = 0; i < f->doc->n && p->table == NULL; i++) {
        const struct pji_block *b = &f->doc->blocks[i];
        if (b->kind == PJI_BLOCK_TABLE && !b->page_only && b->n_columns > 0 && --tables == 0)
            p->table = b;
    }
    p->row = line - rule - 1;
    p->column = count(l->at[line], offset, " | ");
}

/* ---- texts ---- */

/* Do both say the same, leaving out everything but letters and digits? */
static bool same_words(const char *a, size_t a_len, const char *b)
{
    size_t i = 0;
    for (;; i++, b++) {
        while (i < a_len && !((a[i] >= '0' && a[i] <= '9') || (a[i] >= 'A' && a[i] <= 'z')))
            i++;
        while (*b != '\0' && !((*b >= '0' && *b <= '9') || (*b >= 'A' && *b <= 'z')))
            b++;
        if (i >= a_len || *b == '\0')
            return i >= a_len && *b == '\0';
        while (i < a_len && a[i] == '\\')
            i++;
        if (i >= a_len || a[i] != *b)
            return false;
    }
}

static size_t source_of_text(const struct pji_verify_file *f, size_t line)
{
    for (size_t i = 0; i < f->doc->n; i++) {
        const struct pji_block *b = &f->doc->blocks[i];
        if (b->source == 0 || b->text == NULL)
            continue;
        if (same_words(f->expected.at[line], f->expected.len[line], b->text))
            return b->source;
        bool own = b->id != NULL && strcmp(b->id, f->base) == 0;
        if (own && (b->kind == PJI_BLOCK_FIGURE || b->kind == PJI_BLOCK_PARAGRAPH))
            return b->source;
        if (f->kind == PJI_VERIFY_SVG && strncmp(b->text, f->base, 100) == 0)
            return b->source;
    }
    return 0;
}

/* The link around the number, or the row of the list of sources. */
static size_t source_of_link(const struct pji_lines *l, size_t line, size_t offset)
{
    const char *text = l->at[line];
    const char *last = NULL;
    const char *words = "href=\"#s";
    for (const char *at = find(text, offset, words); at != NULL;
         at = find(at + 1, offset - (size_t)(at + 1 - text), words))
        last = at + strlen(words);
    if (last == NULL && starts(l, line, "<tr id=\"s"))
        last = text + strlen("<tr id=\"s");
    return last != NULL ? strtoul(last, NULL, 10) : 0;
}

static void add_excerpt(struct pji_str *out, const char *text, size_t len, size_t offset)
{
    const size_t around = 28;
    size_t from = offset > around ? offset - around : 0;
    size_t n = len - from < 2 * around ? len - from : 2 * around;
    while (from > 0 && ((unsigned char)text[from] & 0xC0) == 0x80)
        from--;
    pji_str_add(out, "near \"");
    pji_verify_excerpt(out, text + from, n);
    pji_str_addc(out, '"');
}

static void describe_cell(const struct place *p, struct pji_str *where)
{
    const struct pji_block *b = p->table;
    char cut[PJI_EXCERPT];
    pji_str_addf(where, "table %s", b->id);
    if (p->row != SIZE_MAX && p->row * b->n_columns < b->n_cells) {
        const struct pji_cell *cells = &b->cells[p->row * b->n_columns];
        bool data = b->kind == PJI_BLOCK_DATA;
        pji_str_addf(where, ", row %zu (%s", p->row + 1,
                     pji_excerpt(cells[0].text, strlen(cells[0].text), cut));
        for (size_t c = 1; c < b->n_columns && c < (data ? 6 : 2) && cells[c].source == 0; c++)
            pji_str_addf(where, ", %s", pji_excerpt(cells[c].text, strlen(cells[c].text), cut));
        pji_str_add(where, ")");
    }
    if (p->column < b->n_columns)
        pji_str_addf(where, ", column %s", b->columns[p->column].title);
}

void pji_verify_where(const struct pji_verify_file *f, size_t line, size_t offset,
                      struct pji_str *where, struct pji_str *records)
{
    struct place p = {.row = SIZE_MAX};
    size_t source = 0;
    if (line >= f->expected.n) {
        pji_str_add(where, "at the end");
        return;
    }
    if (f->kind == PJI_VERIFY_HTML)
        place_html(f, line, offset, &p);
    else if (f->kind == PJI_VERIFY_MD)
        place_markdown(f, line, offset, &p);
    else if (f->kind == PJI_VERIFY_CSV || f->kind == PJI_VERIFY_TEX)
        place_file(f, line, offset, &p);
    if (p.table != NULL) {
        describe_cell(&p, where);
        size_t cell = p.row == SIZE_MAX ? SIZE_MAX : p.row * p.table->n_columns + p.column;
        if (cell < p.table->n_cells)
            source = p.table->cells[cell].source;
        bool of_trial = strcmp(p.table->id, "records") == 0 || strcmp(p.table->id, "values") == 0;
        if (of_trial && cell < p.table->n_cells)
            pji_str_addf(records, "trial %s", p.table->cells[p.row * p.table->n_columns].text);
    } else if (f->kind == PJI_VERIFY_SVG) {
        pji_str_addf(where, "picture %s, ", f->base);
        add_excerpt(where, f->expected.at[line], f->expected.len[line], offset);
    } else {
        add_excerpt(where, f->expected.at[line], f->expected.len[line], offset);
    }
    if (source == 0 && f->kind == PJI_VERIFY_HTML)
        source = source_of_link(&f->expected, line, offset);
    if (source == 0 && p.table == NULL)
        source = source_of_text(f, line);
    if (records->len == 0)
        pji_doc_source_text(f->doc, source, records);
}
