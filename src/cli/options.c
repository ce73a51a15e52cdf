/* cli/options.c - see options.h. */
#include "cli/options.h"

#include "core/str.h"

#include <string.h>

static size_t count(const struct pji_command *command)
{
    size_t n = 0;
    while (command->options != NULL && command->options[n].name != NULL)
        n++;
    return n;
}

static int find_long(const struct pji_command *command, const char *name, size_t len)
{
    for (size_t i = 0; i < count(command); i++) {
        const char *known = command->options[i].name;
        if (strlen(known) == len && memcmp(known, name, len) == 0)
            return (int)i;
    }
    return -1;
}

static int find_letter(const struct pji_command *command, char letter)
{
    for (size_t i = 0; i < count(command); i++) {
        if (command->options[i].letter != 0 && command->options[i].letter == letter)
            return (int)i;
    }
    return -1;
}

static pj_status unknown(const struct pji_command *command, const char *word, struct pj_error *err)
{
    const char *names[PJI_MAX_OPTIONS + 2] = {"help"};
    char name[64];
    size_t n = count(command);
    for (size_t i = 0; i < n; i++)
        names[i + 1] = command->options[i].name;
    names[n + 1] = NULL;
    snprintf(name, sizeof name, "%.*s", (int)strcspn(word + strspn(word, "-"), "="),
             word + strspn(word, "-"));
    const char *near = pji_str_nearest(name, names);
    if (near != NULL)
        return pji_fail(err, PJ_EINVAL, "%s: unknown option '%s', did you mean '--%s'?",
                        command->name, word, near);
    return pji_fail(err, PJ_EINVAL, "%s: unknown option '%s'; `perjoule %s --help` lists them",
                    command->name, word, command->name);
}

struct cursor {
    int argc, at;
    char **argv;
};

/* Sets option `index`; its value comes from behind '=' (given) or from the next word. */
static pj_status take(struct pji_args *args, int index, const char *given, struct cursor *c,
                      struct pj_error *err)
{
    const struct pji_option *option = &args->command->options[index];
    if (option->arg == NULL) {
        if (given != NULL)
            return pji_fail(err, PJ_EINVAL, "%s: --%s takes no value", args->command->name,
                            option->name);
        args->values[index] = "";
        return PJ_OK;
    }
    if (given == NULL) {
        if (c->at + 1 >= c->argc)
            return pji_fail(err, PJ_EINVAL, "%s: --%s needs a value (%s)", args->command->name,
                            option->name, option->arg);
        given = c->argv[++c->at];
    }
    args->values[index] = given;
    if (args->n_given == PJI_MAX_GIVEN)
        return pji_fail(err, PJ_EINVAL, "%s: more than %d options", args->command->name,
                        PJI_MAX_GIVEN);
    args->given[args->n_given].option = index;
    args->given[args->n_given++].value = given;
    return PJ_OK;
}

static pj_status take_long(struct pji_args *args, const char *word, struct cursor *c,
                           struct pj_error *err)
{
    const char *name = word + 2;
    size_t len = strcspn(name, "=");
    int index = find_long(args->command, name, len);
    if (index < 0 && len == 4 && memcmp(name, "help", 4) == 0)
        return PJI_ARGS_HELP;
    if (index < 0)
        return unknown(args->command, word, err);
    return take(args, index, name[len] == '=' ? name + len + 1 : NULL, c, err);
}

static pj_status take_short(struct pji_args *args, const char *word, struct cursor *c,
                            struct pj_error *err)
{
    int index = find_letter(args->command, word[1]);
    if (index < 0 && strcmp(word, "-h") == 0)
        return PJI_ARGS_HELP;
    if (index < 0)
        return unknown(args->command, word, err);
    return take(args, index, word[2] != '\0' ? word + 2 : NULL, c, err);
}

pj_status pji_args_parse(struct pji_args *args, const struct pji_command *command, int argc,
                         char **argv, struct pj_error *err)
{
    struct cursor c = {.argc = argc, .at = 1, .argv = argv};
    int kept = 1; /* positional words move to the front */
    *args = (struct pji_args){.command = command};
    for (; c.at < argc; c.at++) {
        const char *word = argv[c.at];
        bool is_option = word[0] == '-' && word[1] != '\0';
        if (strcmp(word, "--") == 0 || (!is_option && command->passthrough)) {
            int from = c.at + (is_option ? 1 : 0);
            while (from < argc)
                argv[kept++] = argv[from++];
            break;
        }
        if (!is_option) {
            argv[kept++] = argv[c.at];
            continue;
        }
        pj_status status =
            word[1] == '-' ? take_long(args, word, &c, err) : take_short(args, word, &c, err);
        if (status != PJ_OK)
            return status;
    }
    argv[kept] = NULL;
    args->rest = argv + 1;
    args->n_rest = (size_t)(kept - 1);
    return PJ_OK;
}

const char *pji_args_get(const struct pji_args *args, const char *name)
{
    int index = find_long(args->command, name, strlen(name));
    return index >= 0 ? args->values[index] : NULL;
}

const char *pji_args_nth(const struct pji_args *args, const char *name, size_t index)
{
    int option = find_long(args->command, name, strlen(name));
    for (size_t i = 0; i < args->n_given; i++) {
        if (args->given[i].option == option && index-- == 0)
            return args->given[i].value;
    }
    return NULL;
}

bool pji_args_has(const struct pji_args *args, const char *name)
{
    return pji_args_get(args, name) != NULL;
}

static const struct pji_command *find(const struct pji_command *const *commands, const char *name)
{
    for (size_t i = 0; commands[i] != NULL; i++) {
        if (strcmp(commands[i]->name, name) == 0)
            return commands[i];
    }
    return NULL;
}

static int unknown_command(const struct pji_command *const *commands, const char *program,
                           const char *name)
{
    const char *names[64];
    size_t n = 0;
    for (; commands[n] != NULL && n < 63; n++)
        names[n] = commands[n]->name;
    names[n] = NULL;
    const char *near = pji_str_nearest(name, names);
    fprintf(stderr, "%s: unknown command '%s'", program, name);
    if (near != NULL)
        fprintf(stderr, ", did you mean '%s'?\n", near);
    else
        fprintf(stderr, "; `%s help` lists them\n", program);
    return 2;
}

int pji_commands_run(const struct pji_command *const *commands, const char *program, int argc,
                     char **argv)
{
    struct pji_args args;
    struct pj_error err = {0};
    const struct pji_command *command = argc > 1 ? find(commands, argv[1]) : NULL;
    if (argc < 2) {
        fprintf(stderr, "usage: %s COMMAND [ARG...]\n\ncommands:\n", program);
        pji_commands_list(commands, stderr);
        return 2;
    }
    if (command == NULL)
        return unknown_command(commands, program, argc > 1 ? argv[1] : "");
    pj_status status = pji_args_parse(&args, command, argc - 1, argv + 1, &err);
    if (status == PJI_ARGS_HELP) {
        pji_command_help(command, program, stdout);
        return 0;
    }
    if (status != PJ_OK) {
        fprintf(stderr, "%s: %s\n", program, err.text);
        return 2;
    }
    return command->run(&args);
}
