/* cli/cmd_analyse.c - perjoule analyse TABLE.csv|STUDY: statistics of groups and of linear models.
 */
#include "cli/commands_lab.h"
#include "cli/run_session.h"

#include "analysis/analyse.h"
#include "analysis/declared.h"
#include "analysis/protocol.h"
#include "analysis/stored.h"
#include "core/array.h"
#include "core/json.h"
#include "core/num.h"
#include "platform/durable.h"
#include "report/protocol_plots.h"
#include "store/export.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct pji_option options[] = {
    {"response", 'y', "Y", "the column that is explained"},
    {"by", 'g', "G", "compare Y between the groups of this column"},
    {"paired-by", 0, "S", "each value of S (columns with commas) is one block of all groups"},
    {"correlate", 0, "X", "correlation of Y with X, within the groups of G if given"},
    {"model", 'm', "FORMULA", "'log(Y) ~ A*B + x + (1|S)' instead of the above"},
    {"factor", 0, "F", "this column of numbers is a factor of the model (may be repeated)"},
    {"emmeans", 0, "'A|B'", "marginal means of A within B as well (may be repeated)"},
    {"levels", 0, "'G=L,M,H'", "order of levels, and only these (may be repeated)"},
    {"where", 'w', "EXPR", "only rows for which it holds: 'task in (\"CB\") and tokens > 9'"},
    {"tests", 't', "LIST", "groups of results, with commas between them (default: all)"},
    {"protocol", 'p', "NAME|FILE",
     "a study's whole analysis from a protocol: 'greenlab' or a YAML file"},
    {"out", 'o', "DIR", "with --protocol: the folder of its tables"},
    {"no-plots", 0, NULL, "with --protocol: tables only"},
    {"dpi", 0, "N", "of the pictures of --protocol, 150 to 300 (default 200)"},
    {"equivalence", 0, "LOW,HIGH", "limits within which a difference of Y does not matter (TOST)"},
    {"seed", 0, "N", "of the bootstrap (--tests bootstrap; default 1)"},
    {"adjust", 0, "METHOD",
     "conclude from p-values adjusted by BH, Holm, Bonferroni, BY, Hochberg, Hommel or Tukey "
     "(default: the study's plan)"},
    {"unit", 0, "COL",
     "rows with one value of it are one unit measured repeatedly (default: 'run')"},
    {"force", 0, NULL, "print p-values also where a finding forbids a conclusion"},
    {"json", 0, "FILE", "write the results as JSON; - for standard output"},
    {"separator", 0, "C", "between the fields of the table (default ',')"},
    {"decimal-comma", 0, NULL, "numbers of the table have a decimal comma"},
    {0},
};

enum { MAX_REPEATED = 32, PROTOCOL_BYTES_MOST = 1 << 20 };

static int fail(const struct pj_error *err, pj_status rc)
{
    fprintf(stderr, "perjoule: %s\n", err->text);
    return rc == PJ_EINVAL || rc == PJ_ENOTFOUND ? 2 : 1;
}

static pj_status collect(void *context, const char *text, size_t len, struct pj_error *err)
{
    struct pji_str *out = context;
    pji_str_addn(out, text, len);
    return pji_str_ok(out, err);
}

struct input {
    bool study; /* the table is the export of one; the rest is there then */
    struct pji_table table;
    struct pji_summary summary;
    struct pji_declared declared;
    json_t *stored; /* findings recorded with it */
};

/* The export of a study, read back as a table, and what its records say. */
static pj_status read_study(const char *dir, struct input *in, struct pj_error *err)
{
    struct pji_store *store = NULL;
    struct pji_str text = {0};
    pj_status rc = pji_store_open(&store, dir, PJI_STORE_READ, &pji_cli_log, err);
    if (rc)
        return rc;
    rc = pji_store_export(store, PJI_EXPORT_CSV, collect, &text, err);
    if (!rc)
        rc = pji_summary_make(&in->summary, store, err);
    if (!rc)
        rc = pji_declared_read(&in->declared, store, err);
    if (!rc)
        rc = pji_stored_findings(store, &in->stored, err);
    (void)pji_store_close(store, NULL);
    FILE *file = rc ? NULL : fmemopen(text.text, text.len, "r");
    if (!rc && !file)
        rc = pji_fail_errno(err, errno, "the export of %s cannot be read back", dir);
    if (file) {
        rc = pji_table_read(&in->table, file, dir, ',', err);
        fclose(file);
    }
    pji_str_fini(&text);
    return rc;
}

static pj_status read_table(const struct pji_args *args, const char *path, struct pji_table *table,
                            struct pj_error *err)
{
    const char *separator = pji_args_get(args, "separator");
    char c = ',';
    if (separator) {
        c = strcmp(separator, "\\t") == 0 ? '\t' : separator[0];
        if (c == '\0' || (c != '\t' && separator[1] != '\0') || c == '"')
            return pji_fail(err, PJ_EINVAL, "--separator takes one character, or \\t");
    }
    bool standard = strcmp(path, "-") == 0;
    FILE *file = standard ? stdin : fopen(path, "r");
    if (!file)
        return pji_fail_errno(err, errno, "cannot read %s", path);
    pj_status rc = pji_table_read(table, file, standard ? "standard input" : path, c, err);
    if (!standard)
        fclose(file);
    if (!rc)
        table->decimal_comma = pji_args_has(args, "decimal-comma");
    return rc;
}

static size_t repeated(const struct pji_args *args, const char *name, const char **out)
{
    size_t n = 0;
    while (n < MAX_REPEATED && pji_args_nth(args, name, n)) {
        out[n] = pji_args_nth(args, name, n);
        n++;
    }
    return n;
}

static pj_status write_json(const char *path, const json_t *result, struct pj_error *err)
{
    struct pji_str text = {0};
    pji_json_write(&text, result, 2);
    pji_str_addc(&text, '\n');
    pj_status rc = pji_str_ok(&text, err);
    if (!rc && strcmp(path, "-") != 0)
        rc = pji_durable_write(path, text.text, text.len, err);
    else if (!rc && (fwrite(text.text, 1, text.len, stdout) != text.len || fflush(stdout) != 0))
        rc = pji_fail_errno(err, errno, "the results could not be written to standard output");
    pji_str_fini(&text);
    return rc;
}

static int terminal_width(void)
{
    struct winsize size = {0};
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 40)
        return size.ws_col;
    return 120;
}

static pj_status put(const struct pji_str *text, struct pj_error *err)
{
    pj_status rc = pji_str_ok(text, err);
    if (!rc && (fputs(pji_str_text(text), stdout) == EOF || fflush(stdout) != 0))
        rc = pji_fail_errno(err, errno, "the results could not be written to standard output");
    return rc;
}

static pj_status print(const json_t *result, bool force, struct pj_error *err)
{
    struct pji_str text = {0};
    pji_analysis_text(result, terminal_width(), force, &text);
    pj_status rc = put(&text, err);
    pji_str_fini(&text);
    return rc;
}

/* "LOW,HIGH" and the seed */
static pj_status read_numbers(const struct pji_args *args, struct pji_analysis *request,
                              struct pj_error *err)
{
    const char *limits = pji_args_get(args, "equivalence");
    const char *seed = pji_args_get(args, "seed");
    const char *comma = limits ? strchr(limits, ',') : NULL;
    request->seed = 1;
    if (seed && pji_num_parse_u64(seed, strlen(seed), &request->seed, NULL))
        return pji_fail(err, PJ_EINVAL, "--seed is a whole number, not '%s'", seed);
    if (!limits)
        return PJ_OK;
    request->equivalence = true;
    if (!comma || pji_num_parse(limits, (size_t)(comma - limits), &request->low, NULL) ||
        pji_num_parse(comma + 1, strlen(comma + 1), &request->high, NULL))
        return pji_fail(err, PJ_EINVAL, "--equivalence takes two numbers, as in -0.5,0.5, not '%s'",
                        limits);
    return PJ_OK;
}

static int analyse(const struct pji_args *args, const struct input *in)
{
    const struct pji_declared *declared = &in->declared;
    struct pj_error err = {0};
    const char *levels[MAX_REPEATED];
    const char *factor[MAX_REPEATED];
    const char *emmeans[MAX_REPEATED];
    struct pji_str where = {0};
    const char *given = pji_args_get(args, "where");
    if (in->study) /* results of other trials are not results of the study */
        pji_str_addf(&where, given ? "state == 'done' and (%s)" : "state == 'done'", given);
    struct pji_analysis request = {
        .where = in->study ? pji_str_text(&where) : given,
        .tests = pji_args_get(args, "tests"),
        .levels = levels,
        .n_levels = repeated(args, "levels", levels),
        .response = pji_args_get(args, "response"),
        .by = pji_args_get(args, "by"),
        .paired_by = pji_args_get(args, "paired-by"),
        .correlate = pji_args_get(args, "correlate"),
        .model = pji_args_get(args, "model"),
        .factor = factor,
        .factors = repeated(args, "factor", factor),
        .emmeans = emmeans,
        .n_emmeans = repeated(args, "emmeans", emmeans),
        .filtered = given != NULL,
        .unit = pji_args_get(args, "unit"),
        .adjust = pji_args_get(args, "adjust"),
        .summary = in->study ? &in->summary : NULL,
    };
    json_t *result = NULL;
    bool conclusive = true;
    if (declared->plan && !request.response && !request.model && !request.by)
        pji_declared_request(declared, &request); /* nothing was asked: what was declared */
    pji_declared_judge(declared, &request);
    pj_status rc = read_numbers(args, &request, &err);
    if (!rc)
        rc = pji_analyse(&in->table, &request, &result, &conclusive, &err);
    const char *json = pji_args_get(args, "json");
    if (!rc && in->study)
        json_object_set_new(result, "plan", pji_declared_label(declared, &request));
    if (!rc)
        pji_stored_add(result, in->stored, &request, &conclusive);
    if (!rc)
        rc = json ? write_json(json, result, &err)
                  : print(result, pji_args_has(args, "force"), &err);
    json_decref(result);
    pji_str_fini(&where);
    if (rc)
        return fail(&err, rc);
    return conclusive ? 0 : 3;
}

/* ---- a protocol ---- */

/* refused beside --protocol: the file says what is analysed */
static pj_status check_protocol(const struct pji_args *args, struct pj_error *err)
{
    static const char *const others[] = {"response", "by",     "paired-by", "correlate",
                                         "model",    "factor", "emmeans",   "levels",
                                         "tests",    "unit",   "where",     "adjust"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        if (pji_args_has(args, others[i]))
            return pji_fail(err, PJ_EINVAL,
                            "--%s does not go with --protocol: its file says what "
                            "is analysed",
                            others[i]);
    }
    if (!pji_args_has(args, "protocol"))
        return pji_fail(err, PJ_EINVAL, "--out, --no-plots and --dpi belong to --protocol");
    if (!pji_args_has(args, "out"))
        return pji_fail(err, PJ_EINVAL, "--protocol needs --out DIR: the folder for its tables");
    return PJ_OK;
}

static pj_status read_protocol(const char *name, struct pji_protocol *protocol,
                               struct pj_error *err)
{
    const char *builtin = pji_protocol_builtin(name);
    char *text = NULL;
    size_t len = 0;
    if (builtin)
        return pji_protocol_parse(protocol, builtin, strlen(builtin), name, err);
    if (!strchr(name, '/') && !strchr(name, '.'))
        return pji_fail(err, PJ_EINVAL,
                        "no protocol is named '%s': 'greenlab' comes with the "
                        "program, any other is a YAML file",
                        name);
    pj_status rc = pji_read_file(name, PROTOCOL_BYTES_MOST, &text, &len, err);
    if (!rc)
        rc = pji_protocol_parse(protocol, text, len, name, err);
    free(text);
    return rc;
}

struct folder {
    const char *dir;
    size_t files;
};

static pj_status write_table(void *context, const char *path, const char *text, size_t len,
                             struct pj_error *err)
{
    struct folder *folder = context;
    struct pji_str whole = {0};
    pji_str_addf(&whole, "%s/%s", folder->dir, path);
    pj_status rc = pji_str_ok(&whole, err);
    char *slash = rc ? NULL : strrchr(whole.text, '/');
    if (slash) {
        *slash = '\0';
        rc = pji_make_dirs(whole.text, err);
        *slash = '/';
    }
    FILE *file = rc ? NULL : fopen(whole.text, "wb");
    if (!rc && !file)
        rc = pji_fail_errno(err, errno, "cannot write %s", whole.text);
    bool written = file && fwrite(text, 1, len, file) == len;
    if (file && ((fclose(file) != 0) || !written))
        rc = pji_fail_errno(err, errno, "%s could not be written", whole.text);
    folder->files++;
    pji_str_fini(&whole);
    return rc;
}

static pj_status report_protocol(const struct pji_args *args, const struct pji_protocol *protocol,
                                 const json_t *answers, struct pj_error *err)
{
    const char *json = pji_args_get(args, "json");
    struct folder folder = {pji_args_get(args, "out"), 0};
    struct pji_str text = {0};
    pj_status rc = pji_protocol_files(answers, write_table, &folder, err);
    if (!rc && json)
        rc = write_json(json, answers, err);
    if (!rc && !(json && strcmp(json, "-") == 0)) {
        pji_protocol_text(protocol, answers, terminal_width(), pji_args_has(args, "force"), &text);
        pji_str_addf(&text, "\n%zu tables below %s\n", folder.files, folder.dir);
        rc = put(&text, err);
    }
    pji_str_fini(&text);
    return rc;
}

/* pictures beside the tables; without gnuplot the tables stand and the reason is said */
static pj_status draw_protocol(const struct pji_args *args, const struct pji_protocol *protocol,
                               const struct pji_protocol_data *data, const json_t *answers,
                               struct pj_error *err)
{
    const char *dpi = pji_args_get(args, "dpi");
    struct pji_plots_how how = {.dir = pji_args_get(args, "out"), .formats = PJI_PLOT_PNG};
    struct pji_plots *plots = NULL;
    int64_t value = 200;
    if (dpi && (pji_num_parse_i64(dpi, strlen(dpi), &value, NULL) || value < 150 || value > 300))
        return pji_fail(err, PJ_EINVAL, "--dpi is a whole number from 150 to 300, not '%s'", dpi);
    if (pji_args_has(args, "no-plots"))
        return PJ_OK;
    how.dpi = (int)value;
    struct pj_error why = {0};
    pj_status rc = pji_plots_open(&plots, &how, err);
    if (!rc)
        rc = pji_protocol_plots(plots, protocol, data, answers, err);
    if (!rc)
        rc = pji_plots_draw(plots, &why);
    if (rc == PJ_ENOTFOUND && why.text[0]) {
        fprintf(stderr, "perjoule: no pictures: %s\n", why.text);
        rc = PJ_OK;
    } else if (rc && why.text[0]) {
        rc = pji_fail(err, rc, "%s", why.text);
    }
    pji_plots_close(plots);
    return rc;
}

static int follow(const struct pji_args *args, const struct input *in)
{
    struct pj_error err = {0};
    struct pji_protocol *protocol = pji_zalloc(1, sizeof *protocol, &err);
    struct pji_protocol_data data = {.left_out = 0};
    json_t *answers = NULL;
    bool conclusive = true;
    pj_status rc =
        protocol ? read_protocol(pji_args_get(args, "protocol"), protocol, &err) : PJ_ENOMEM;
    if (!rc)
        rc = pji_protocol_data_make(&data, protocol, &in->table, &err);
    if (!rc)
        rc = pji_protocol_run(protocol, &data, &answers, &conclusive, &err);
    if (!rc)
        pji_stored_add_answers(answers, in->stored, &conclusive);
    if (!rc && in->study)
        pji_declared_label_answers(&in->declared, protocol, &data, &in->table, in->summary.done,
                                   answers);
    if (!rc)
        rc = report_protocol(args, protocol, answers, &err);
    if (!rc)
        rc = draw_protocol(args, protocol, &data, answers, &err);
    json_decref(answers);
    pji_protocol_data_fini(&data);
    if (protocol)
        pji_protocol_fini(protocol);
    free(protocol);
    if (rc)
        return fail(&err, rc);
    return conclusive ? 0 : 3;
}

static int run(const struct pji_args *args)
{
    struct pj_error err = {0};
    struct stat st;
    if (args->n_rest != 1) {
        fprintf(stderr, "perjoule: analyse takes one table (CSV) or the folder of one study\n");
        return 2;
    }
    bool protocol = pji_args_has(args, "protocol") || pji_args_has(args, "out") ||
                    pji_args_has(args, "no-plots") || pji_args_has(args, "dpi");
    if (protocol && check_protocol(args, &err))
        return fail(&err, PJ_EINVAL);
    struct input in = {.study = stat(args->rest[0], &st) == 0 && S_ISDIR(st.st_mode)};
    pj_status rc = in.study ? read_study(args->rest[0], &in, &err)
                            : read_table(args, args->rest[0], &in.table, &err);
    int code;
    if (rc)
        code = fail(&err, rc);
    else if (protocol)
        code = follow(args, &in);
    else
        code = analyse(args, &in);
    pji_table_fini(&in.table);
    pji_summary_fini(&in.summary);
    pji_declared_fini(&in.declared);
    json_decref(in.stored);
    return code;
}

const struct pji_command pji_cmd_analyse = {
    .name = "analyse",
    .synopsis = "TABLE.csv|STUDY --response Y --by G | --model FORMULA | --protocol P --out DIR",
    .about = "statistics of a table or a study: groups, linear and mixed models",
    .details =
        "With --by: descriptives, normality, equality of variances, one-way ANOVA, Kruskal-Wallis, "
        "comparisons of all pairs, contrasts. With --model: analysis of variance, coefficients, "
        "marginal means and contrasts, the aligned rank transform; with (1|S) a mixed model.\n\n"
        "Rows without a value in a column that is used are left out, and the result says how many. "
        "What speaks against a conclusion is printed as findings; where one forbids it, its code "
        "stands "
        "in the place of p-values (docs/statistics.md).\n\n"
        "With --protocol a file says what is analysed: columns, derived columns, research "
        "questions. "
        "Its tables go below --out, a summary to standard output (docs/protocols.md).\n\n"
        "Exit code 3: a finding forbids a conclusion, or a main test could not be computed.",
    .options = options,
    .run = run,
};
