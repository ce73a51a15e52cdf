/* cli/help.c - help texts and the man page from the option tables (options.h). */
#include "cli/options.h"

#include <string.h>

enum { WIDTH = 79, HELP_COLUMN = 24 };

static const struct pji_option help_option = {"help", 'h', NULL, "print this help and exit"};

/* Columns of a UTF-8 text: continuation bytes take none. */
static size_t columns(const char *text, size_t len)
{
    size_t n = 0;

    for (size_t i = 0; i < len; i++)
        n += ((unsigned char)text[i] & 0xC0) != 0x80;
    return n;
}

/* text[0..len) wrapped at WIDTH; later lines are indented. */
static void wrap(FILE *out, const char *text, size_t len, size_t indent)
{
    const char *end = text + len;
    size_t column = indent;
    bool first = true;

    while (text < end) {
        const char *blank = memchr(text, ' ', (size_t)(end - text));
        size_t word = blank ? (size_t)(blank - text) : (size_t)(end - text);
        size_t wide = columns(text, word);

        if (!first && column + 1 + wide > WIDTH) {
            (void)fprintf(out, "\n%*s", (int)indent, "");
            column = indent;
        } else if (!first) {
            (void)fputc(' ', out);
            column++;
        }
        (void)fwrite(text, 1, word, out);
        column += wide;
        text += word + (blank ? 1 : 0);
        first = false;
    }
    (void)fputc('\n', out);
}

static void print_option(FILE *out, const struct pji_option *option)
{
    char letter[8] = "    ";
    char left[64];

    if (option->letter)
        (void)snprintf(letter, sizeof letter, "-%c, ", option->letter);
    (void)snprintf(left, sizeof left, "  %s--%s%s%s", letter, option->name, option->arg ? " " : "",
                   option->arg ? option->arg : "");
    if (strlen(left) + 2 > HELP_COLUMN)
        (void)fprintf(out, "%s\n%*s", left, HELP_COLUMN, "");
    else
        (void)fprintf(out, "%-*s", HELP_COLUMN, left);
    wrap(out, option->help, strlen(option->help), HELP_COLUMN);
}

void pji_command_help(const struct pji_command *command, const char *program, FILE *out)
{
    const char *text = command->details;

    int lead = fprintf(out, "usage: %s %s ", program, command->name);

    wrap(out, command->synopsis, strlen(command->synopsis), lead > 0 ? (size_t)lead : 0);
    (void)fputc('\n', out);
    wrap(out, command->about, strlen(command->about), 0);
    while (text && *text) {
        const char *end = strstr(text, "\n\n");

        (void)fputc('\n', out);
        wrap(out, text, end ? (size_t)(end - text) : strlen(text), 0);
        text = end ? end + 2 : NULL;
    }
    (void)fputs("\noptions:\n", out);
    for (const struct pji_option *o = command->options; o && o->name; o++)
        print_option(out, o);
    print_option(out, &help_option);
}

void pji_commands_list(const struct pji_command *const *commands, FILE *out)
{
    for (size_t i = 0; commands[i]; i++)
        (void)fprintf(out, "  %-12s %s\n", commands[i]->name, commands[i]->about);
}

/* ---- mdoc(7) ---- */

static void man_text(FILE *out, const char *text, size_t len)
{
    if (len > 0 && (*text == '.' || *text == '\''))
        (void)fputs("\\&", out);
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '\\')
            (void)fputs("\\e", out);
        else if (text[i] == '-')
            (void)fputs("\\-", out);
        else
            (void)fputc(text[i], out);
    }
    (void)fputc('\n', out);
}

void pji_command_man(const struct pji_command *command, const char *program, FILE *out)
{
    const char *text = command->details;

    (void)fputs(".Ss ", out);
    (void)fprintf(out, "%s ", program);
    man_text(out, command->name, strlen(command->name));
    (void)fputs(".D1 ", out);
    man_text(out, command->synopsis, strlen(command->synopsis));
    (void)fputs(".Pp\n", out);
    man_text(out, command->about, strlen(command->about));
    while (text && *text) {
        const char *end = strstr(text, "\n\n");

        (void)fputs(".Pp\n", out);
        man_text(out, text, end ? (size_t)(end - text) : strlen(text));
        text = end ? end + 2 : NULL;
    }
    (void)fputs(".Bl -tag -width Ds\n", out);
    for (const struct pji_option *o = command->options; o && o->name; o++) {
        (void)fprintf(out, ".It Fl \\-%s", o->name);
        if (o->letter)
            (void)fprintf(out, " , Fl %c", o->letter);
        if (o->arg)
            (void)fprintf(out, " Ar %s", o->arg);
        (void)fputc('\n', out);
        man_text(out, o->help, strlen(o->help));
    }
    (void)fputs(".El\n", out);
}
