/* report/latex.c - tables for LaTeX with booktabs and text for \input: every character that TeX
 * reads as a command is escaped, the few symbols that our own texts use become commands, other
 * UTF-8 is left to the document's input encoding. Columns of long words get a width, so that tables
 * stay on the page.
 */
#include "report/doc.h"

#include <stdio.h>
#include <string.h>

enum { LONG_WORDS = 36 /* characters from which a column breaks its lines */ };

static const struct symbol {
    const char *from, *to;
} symbols[] = {
    {"\\", "\\textbackslash{}"},
    {"{", "\\{"},
    {"}", "\\}"},
    {"$", "\\$"},
    {"&", "\\&"},
    {"#", "\\#"},
    {"%", "\\%"},
    {"_", "\\_"},
    {"^", "\\textasciicircum{}"},
    {"~", "\\textasciitilde{}"},
    {"<", "\\textless{}"},
    {">", "\\textgreater{}"},
    {"|", "\\textbar{}"},
    {"\"", "\\textquotedbl{}"},
    {"`", "\\textasciigrave{}"},
    {"[", "{[}"}, /* after \\ a bracket would be an argument */
    {"]", "{]}"},
    {"\xe2\x80\x93", "--"},
    {"\xc2\xb1", "\\ensuremath{\\pm}"},
    {"\xc2\xb5", "\\ensuremath{\\mu}"},
    {"\xe2\x89\xa4", "\\ensuremath{\\leq}"},
    {"\xe2\x89\xa5", "\\ensuremath{\\geq}"},
    {"\xe2\x80\xa6", "\\ldots{}"},
    {"\n", " "},
    {"\r", " "},
    {"\t", " "},
};

void pji_doc_latex_text(const char *text, struct pji_str *out)
{
    while (*text != '\0') {
        const struct symbol *found = NULL;
        for (size_t i = 0; i < sizeof symbols / sizeof symbols[0] && found == NULL; i++) {
            if (strncmp(text, symbols[i].from, strlen(symbols[i].from)) == 0)
                found = &symbols[i];
        }
        if (found != NULL) {
            pji_str_add(out, found->to);
            text += strlen(found->from);
        } else if ((unsigned char)*text < 0x20 || *text == 0x7F) {
            pji_str_addc(out, '?');
            text++;
        } else {
            pji_str_addc(out, *text++);
        }
    }
}

static bool is_long(const struct pji_block *b, size_t column)
{
    for (size_t i = column; i < b->n_cells; i += b->n_columns) {
        if (pji_text_width(b->cells[i].text) > LONG_WORDS)
            return true;
    }
    return false;
}

static void put_columns(struct pji_str *out, const struct pji_block *b)
{
    size_t n_long = 0;
    for (size_t c = 0; c < b->n_columns; c++)
        n_long += is_long(b, c) ? 1 : 0;
    for (size_t c = 0; c < b->n_columns; c++) {
        if (is_long(b, c))
            pji_str_addf(out, "p{%.2f\\linewidth}", 0.6 / (double)n_long);
        else
            pji_str_addc(out, b->columns[c].right ? 'r' : 'l');
    }
}

void pji_doc_latex_table(const struct pji_block *b, struct pji_str *out)
{
    if (b->n_columns == 0)
        return;
    pji_str_addf(out, "%% Needs \\usepackage{booktabs} and \\usepackage[T1]{fontenc}.\n"
                      "\\begin{table}\n\\centering\n\\caption{");
    pji_doc_latex_text(b->text, out);
    pji_str_addf(out, "}\n\\label{tab:%s}\n\\small\n\\begin{tabular}{", b->id);
    put_columns(out, b);
    pji_str_add(out, "}\n\\toprule\n");
    for (size_t c = 0; c < b->n_columns; c++) {
        pji_str_add(out, c > 0 ? " & " : "");
        pji_doc_latex_text(b->columns[c].title, out);
    }
    pji_str_add(out, " \\\\\n\\midrule\n");
    for (size_t i = 0; i < b->n_cells; i++) {
        size_t c = i % b->n_columns;
        pji_str_add(out, c > 0 ? " & " : "");
        pji_doc_latex_text(b->cells[i].text, out);
        if (c + 1 == b->n_columns)
            pji_str_add(out, " \\\\\n");
    }
    pji_str_add(out, "\\bottomrule\n\\end{tabular}\n\\end{table}\n");
}
