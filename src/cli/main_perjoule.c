/* The lean program: its own subcommands, and the way to perjoule-lab for all others, which it
 * becomes by exec, as git does with the programs in its libexec folder.
 */
#include "cli/commands_lean.h"
#include "cli/lean.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct pji_command *const commands[] = {
    &pji_cmd_measure,      &pji_cmd_devices, &pji_cmd_doctor,
    &pji_cmd_record,       &pji_cmd_replay,  &pji_cmd_model,
    &pji_cmd_energibridge, &pji_cmd_import,  NULL,
};

/* What perjoule-lab can do; it parses and explains them itself. */
static const struct {
    const char *name, *about;
} lab_commands[] = {
    {"check", "validate a study file and print its plan"},
    {"run", "run a study: plan its trials, measure each, keep every record"},
    {"resume", "go on with a study that was interrupted"},
    {"extend", "plan more repetitions or levels of a study that exists"},
    {"status", "show how far a study is"},
    {"export", "write the results of a study as CSV or JSON"},
    {"report", "analyse a study and write its report"},
    {"audit", "compare published figures with a study's and explain the differences by cause"},
    {"verify", "recompute every number of a report from the records"},
    {"analyse", "statistics of a table or a study: groups, linear and mixed models"},
    {"agent", "run trials on this machine for an orchestrator elsewhere"},
};

enum { N_LAB = sizeof lab_commands / sizeof lab_commands[0] };

/* ---- perjoule-lab ---- */

/* Folder of this program, without a slash at its end; false when the kernel does not say. */
static bool own_folder(char folder[PATH_MAX])
{
    ssize_t len = readlink("/proc/self/exe", folder, PATH_MAX - 1);
    char *slash;

    if (len <= 0)
        return false;
    folder[len] = '\0';
    slash = strrchr(folder, '/');
    if (!slash)
        return false;
    *slash = '\0';
    return true;
}

/* execs `folder`/`below`perjoule-lab; returns when that is not possible, with errno. */
static void try_lab(const char *folder, const char *below, char **argv)
{
    char path[PATH_MAX + 64];

    (void)snprintf(path, sizeof path, "%s/%sperjoule-lab", folder, below);
    (void)execv(path, argv);
}

static int become_lab(char **argv)
{
    const char *libexec = getenv("PERJOULE_LIBEXEC");
    char folder[PATH_MAX];

    if (libexec) {
        try_lab(libexec, "", argv);
    } else if (own_folder(folder)) {
        try_lab(folder, "", argv);
        if (errno == ENOENT)
            try_lab(folder, "../libexec/perjoule/", argv);
    }
    (void)fprintf(stderr,
                  "perjoule: cannot start perjoule-lab, which '%s' needs: %s; it belongs beside "
                  "perjoule, in ../libexec/perjoule or in $PERJOULE_LIBEXEC\n",
                  argv[1], strerror(errno));
    return PJI_EXIT_FAILED;
}

static bool is_lab(const char *name)
{
    for (size_t i = 0; i < N_LAB; i++) {
        if (strcmp(lab_commands[i].name, name) == 0)
            return true;
    }
    return false;
}

/* ---- help ---- */

static int flushed(void)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return PJI_EXIT_DONE;
    (void)fprintf(stderr, "perjoule: cannot write to standard output: %s\n", strerror(errno));
    return PJI_EXIT_FAILED;
}

static void overview(FILE *out)
{
    (void)fputs("usage: perjoule COMMAND [ARG...]\n\nmeasure:\n", out);
    pji_commands_list(commands, out);
    (void)fputs("\nexperiment:\n", out);
    for (size_t i = 0; i < N_LAB; i++)
        (void)fprintf(out, "  %-12s %s\n", lab_commands[i].name, lab_commands[i].about);
    (void)fputs("\n`perjoule help COMMAND` explains one of them.\n", out);
}

static int man_page(void)
{
    (void)fputs(".Dd $Mdocdate$\n.Dt PERJOULE 1\n.Os\n.Sh NAME\n.Nm perjoule\n"
                ".Nd measure the energy of programs and of machine-learning inference\n"
                ".Sh SYNOPSIS\n.Nm\n.Ar COMMAND\n.Op Ar ARG ...\n.Sh COMMANDS\n",
                stdout);
    for (size_t i = 0; commands[i]; i++)
        pji_command_man(commands[i], "perjoule", stdout);
    (void)fputs(".Ss experiments\nThese start perjoule\\-lab; each explains itself with\n"
                ".Fl \\-help .\n.Bl -tag -width Ds\n",
                stdout);
    for (size_t i = 0; i < N_LAB; i++)
        (void)fprintf(stdout, ".It Cm %s\n%s\n", lab_commands[i].name, lab_commands[i].about);
    (void)fputs(".El\n", stdout);
    return flushed();
}

/* argv[1] is "help". */
static int help(int argc, char **argv)
{
    if (argc > 2 && strcmp(argv[2], "--man") == 0)
        return man_page();
    if (argc > 2) {
        /* NAME --help, which every command of both programs understands */
        char option[] = "--help";
        char *as_option[] = {argv[0], argv[2], option, NULL};

        if (is_lab(argv[2]))
            return become_lab(as_option);
        return pji_commands_run(commands, "perjoule", 3, as_option);
    }
    overview(stdout);
    return flushed();
}

static const char *nearest_command(const char *word)
{
    const char *names[sizeof commands / sizeof commands[0] + N_LAB] = {0};
    size_t n = 0;

    for (; commands[n]; n++)
        names[n] = commands[n]->name;
    for (size_t i = 0; i < N_LAB; i++)
        names[n++] = lab_commands[i].name;
    names[n] = NULL;
    return pji_str_nearest(word, names);
}

static bool is_lean(const char *name)
{
    for (size_t i = 0; commands[i]; i++) {
        if (strcmp(commands[i]->name, name) == 0)
            return true;
    }
    return false;
}

/* `import greenlab …` and `import experiment-runner …` make a study: that takes the lab. */
static bool imports_study(int argc, char **argv)
{
    for (int i = 2; i < argc && strcmp(argv[1], "import") == 0; i++) {
        if (strcmp(argv[i], "greenlab") == 0 || strcmp(argv[i], "experiment-runner") == 0 ||
            strcmp(argv[i], "judge") == 0)
            return true;
        if (strcmp(argv[i], "emissions") == 0)
            return false;
    }
    return false;
}

/* Under the name of another program, that program's command line: argv is shifted by one. */
static int as_energibridge(int argc, char **argv)
{
    char name[] = "energibridge";
    char **shifted = calloc((size_t)argc + 2, sizeof *shifted);
    int code;

    if (!shifted)
        return PJI_EXIT_OURS;
    shifted[0] = argv[0];
    shifted[1] = name;
    for (int i = 1; i < argc; i++)
        shifted[i + 1] = argv[i];
    code = pji_commands_run(commands, "perjoule", argc + 1, shifted);
    free(shifted);
    return code == PJI_EXIT_DONE ? flushed() : code;
}

static bool called_energibridge(const char *path)
{
    const char *slash = path ? strrchr(path, '/') : NULL;

    return path && strcmp(slash ? slash + 1 : path, "energibridge") == 0;
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "";
    const char *nearest;

    if (called_energibridge(argc > 0 ? argv[0] : NULL))
        return as_energibridge(argc, argv);
    if (imports_study(argc, argv))
        return become_lab(argv);
    if (is_lean(name)) {
        int code = pji_commands_run(commands, "perjoule", argc, argv);

        return code == PJI_EXIT_DONE ? flushed() : code;
    }
    if (is_lab(name))
        return become_lab(argv);
    if (strcmp(name, "help") == 0 || strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
        return help(argc, argv);
    if (strcmp(name, "--version") == 0 || strcmp(name, "version") == 0) {
        (void)puts("perjoule " PJ_VERSION);
        return flushed();
    }
    if (argc < 2) {
        overview(stderr);
        return PJI_EXIT_USAGE;
    }
    nearest = nearest_command(name);
    if (nearest)
        (void)fprintf(stderr, "perjoule: unknown command '%s', did you mean '%s'?\n", name,
                      nearest);
    else
        (void)fprintf(stderr, "perjoule: unknown command '%s'; `perjoule help` lists them\n", name);
    return PJI_EXIT_USAGE;
}
