#include "raw/runner_table.h"

#include "core/array.h"
#include "core/csv.h"
#include "core/num.h"
#include "core/str.h"
#include "core/units.h"
#include "platform/durable.h"
#include "store/columns.h"
#include "store/store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { COLUMNS_MOST = 4096, ROWS_MOST = 1000000, FACTORS_MOST = 64 };

struct row {
    char **fields; /* n_columns */
    int64_t combination, repetition;
    size_t line;
};

struct table {
    const struct pji_runner_options *options;
    struct pji_runner_result *result;
    char path[PATH_MAX];
    char **names; /* of the columns */
    size_t n_columns, cap_columns;
    struct row *rows;
    size_t n, cap;
    size_t id_column, done_column;
    size_t factors[FACTORS_MOST];
    size_t n_factors;
    int64_t wall_ns; /* of the table's last change */
    struct pji_store *store;
    struct pj_error *err;
};

/* ---- reading ---- */

static char **copy_fields(const struct pji_csv_row *row, struct pj_error *err)
{
    char **out = pji_zalloc(row->n + 1, sizeof *out, err);
    for (size_t i = 0; i < row->n && out; i++) {
        out[i] = pji_dup(row->fields[i], err);
        if (!out[i]) {
            for (size_t k = 0; k < i; k++)
                free(out[k]);
            free(out);
            return NULL;
        }
    }
    return out;
}

static bool find_column(const struct table *t, const char *name, size_t len, size_t *column)
{
    for (*column = 0; *column < t->n_columns; (*column)++)
        if (strlen(t->names[*column]) == len && memcmp(t->names[*column], name, len) == 0)
            return true;
    return false;
}

/* Texts go into JSON as they are. */
static pj_status check_text(const struct table *t, const struct pji_csv_row *row)
{
    for (size_t i = 0; i < row->n; i++)
        if (pji_utf8_span(row->fields[i], row->lens[i]) < row->lens[i])
            return pji_fail(t->err, PJ_EINVAL,
                            "%s:%zu: field %zu is not UTF-8: convert the table, for example with "
                            "iconv -f latin1 -t utf-8",
                            t->path, row->line, i + 1);
    return PJ_OK;
}

static pj_status name_column(struct table *t, size_t i)
{
    char name[32];
    snprintf(name, sizeof name, "column_%zu", i + 1);
    free(t->names[i]);
    t->names[i] = pji_dup(name, t->err);
    t->result->nameless++;
    return t->names[i] ? PJ_OK : PJ_ENOMEM;
}

static pj_status take_head(struct table *t, const struct pji_csv_row *row)
{
    size_t twin;
    pj_status st = check_text(t, row);
    if (st)
        return st;
    if (row->n > COLUMNS_MOST)
        return pji_fail(t->err, PJ_EINVAL, "%s has more than %d columns", t->path, COLUMNS_MOST);
    t->names = copy_fields(row, t->err);
    if (!t->names)
        return PJ_ENOMEM;
    t->n_columns = row->n;
    for (size_t i = 0; i < row->n; i++) {
        if (t->names[i][0] == '\0' && (st = name_column(t, i)) != PJ_OK)
            return st;
        if (find_column(t, t->names[i], strlen(t->names[i]), &twin) && twin < i)
            return pji_fail(t->err, PJ_EINVAL, "%s: two columns are named '%s'", t->path,
                            t->names[i]);
    }
    if (!find_column(t, "__run_id", 8, &t->id_column) ||
        !find_column(t, "__done", 6, &t->done_column))
        return pji_fail(t->err, PJ_EINVAL,
                        "%s is no run table of Experiment Runner: it needs the columns __run_id "
                        "and __done",
                        t->path);
    return PJ_OK;
}

/* run_I_repetition_J; older versions write run_I. */
static bool parse_id(const char *text, int64_t *combination, int64_t *repetition)
{
    static const char middle[] = "_repetition_";
    if (strncmp(text, "run_", 4) != 0)
        return false;
    size_t n = strspn(text + 4, "0123456789");
    const char *rest = text + 4 + n;
    *repetition = 0;
    if (pji_num_parse_i64(text + 4, n, combination, NULL) != PJ_OK)
        return false;
    if (*rest == '\0')
        return true;
    return strncmp(rest, middle, sizeof middle - 1) == 0 &&
           strspn(rest + sizeof middle - 1, "0123456789") == strlen(rest + sizeof middle - 1) &&
           pji_num_parse_i64(rest + sizeof middle - 1, strlen(rest + sizeof middle - 1), repetition,
                             NULL) == PJ_OK;
}

static pj_status take_row(struct table *t, const struct pji_csv_row *row)
{
    if (row->n != t->n_columns)
        return pji_fail(t->err, PJ_EINVAL, "%s:%zu: %zu fields below %zu columns", t->path,
                        row->line, row->n, t->n_columns);
    if (t->n >= ROWS_MOST)
        return pji_fail(t->err, PJ_EINVAL, "%s has more than %d rows", t->path, ROWS_MOST);
    pj_status st = check_text(t, row);
    if (st == PJ_OK)
        st = pji_array_reserve(&t->rows, &t->cap, t->n + 1, sizeof *t->rows, t->err);
    if (st)
        return st;
    struct row *r = &t->rows[t->n];
    *r = (struct row){.fields = copy_fields(row, t->err), .line = row->line};
    if (!r->fields)
        return PJ_ENOMEM;
    t->n++;
    if (!parse_id(r->fields[t->id_column], &r->combination, &r->repetition))
        return pji_fail(t->err, PJ_EINVAL, "%s:%zu: '%.60s' is not run_I_repetition_J", t->path,
                        row->line, r->fields[t->id_column]);
    const char *done = r->fields[t->done_column];
    if (strcmp(done, "DONE") != 0 && strcmp(done, "TODO") != 0)
        return pji_fail(t->err, PJ_EINVAL, "%s:%zu: __done is '%.60s', not DONE or TODO", t->path,
                        row->line, done);
    return PJ_OK;
}

static pj_status read_table(struct table *t)
{
    struct pji_csv *csv = NULL;
    struct pji_csv_row row;
    struct stat info;
    FILE *file = fopen(t->path, "re");
    if (!file)
        return pji_fail_errno(t->err, errno, "%s cannot be read: name the folder of an experiment",
                              t->path);
    if (fstat(fileno(file), &info) == 0)
        t->wall_ns = (int64_t)info.st_mtim.tv_sec * PJI_NS_PER_S + info.st_mtim.tv_nsec;
    pj_status st = pji_csv_open(&csv, file, t->path, ',', t->err);
    while (st == PJ_OK && (st = pji_csv_read(csv, &row, t->err)) == PJ_OK)
        st = t->names ? take_row(t, &row) : take_head(t, &row);
    pji_csv_close(csv);
    fclose(file);
    if (st == PJI_CSV_END)
        st = t->n > 0
                 ? PJ_OK
                 : pji_fail(t->err, PJ_EINVAL, "%s holds no row: nothing was planned", t->path);
    return st;
}

/* ---- factors ---- */

static int by_run(const void *a, const void *b)
{
    const struct row *x = *(const struct row *const *)a, *y = *(const struct row *const *)b;
    if (x->combination != y->combination)
        return x->combination < y->combination ? -1 : 1;
    return (x->repetition > y->repetition) - (x->repetition < y->repetition);
}

static int by_levels(const void *a, const void *b, void *context)
{
    const struct row *x = *(const struct row *const *)a, *y = *(const struct row *const *)b;
    const struct table *t = context;
    int order = 0;
    for (size_t f = 0; f < t->n_factors && order == 0; f++)
        order = strcmp(x->fields[t->factors[f]], y->fields[t->factors[f]]);
    return order;
}

/* In rows sorted by run: is the column the same in all repetitions of each combination? */
static bool is_constant(const struct row *const *sorted, size_t n, size_t column)
{
    for (size_t i = 1; i < n; i++)
        if (sorted[i]->combination == sorted[i - 1]->combination &&
            strcmp(sorted[i]->fields[column], sorted[i - 1]->fields[column]) != 0)
            return false;
    return true;
}

/* Have no two combinations the same levels? firsts: room for one row of each. */
static bool tells_apart(struct table *t, const struct row *const *sorted, const struct row **firsts)
{
    size_t n = 0;
    for (size_t i = 0; i < t->n; i++)
        if (i == 0 || sorted[i]->combination != sorted[i - 1]->combination)
            firsts[n++] = sorted[i];
    qsort_r(firsts, n, sizeof(struct row *), by_levels, t);
    for (size_t i = 1; i < n; i++)
        if (by_levels(&firsts[i - 1], &firsts[i], t) == 0)
            return false;
    return true;
}

static pj_status add_factor(struct table *t, const struct row *const *sorted, size_t column)
{
    if (t->n_factors == FACTORS_MOST)
        return pji_fail(t->err, PJ_EINVAL, "%s: more than %d factors", t->path, FACTORS_MOST);
    for (size_t i = 0; i < t->n; i++)
        if (sorted[i]->fields[column][0] == '\0')
            return pji_fail(t->err, PJ_EINVAL, "%s:%zu: factor '%s' has no level", t->path,
                            sorted[i]->line, t->names[column]);
    t->factors[t->n_factors++] = column;
    return PJ_OK;
}

static pj_status named_factors(struct table *t, const struct row *const *sorted)
{
    pj_status st = PJ_OK;
    for (const char *p = t->options->factors; *p && st == PJ_OK;) {
        size_t len = strcspn(p, ","), column;
        if (!find_column(t, p, len, &column) || column == t->id_column || column == t->done_column)
            return pji_fail(t->err, PJ_EINVAL, "%s has no column '%.*s' for a factor", t->path,
                            (int)len, p);
        if (!is_constant(sorted, t->n, column))
            return pji_fail(t->err, PJ_EINVAL,
                            "%s: column '%s' differs between repetitions of one run: it is no "
                            "factor",
                            t->path, t->names[column]);
        st = add_factor(t, sorted, column);
        p += len + (p[len] == ',');
    }
    return st;
}

static pj_status find_factors(struct table *t, const struct row *const *sorted,
                              const struct row **firsts)
{
    for (size_t c = 0; c < t->n_columns; c++) {
        if (c == t->id_column || c == t->done_column)
            continue;
        if ((t->n_factors > 0 && tells_apart(t, sorted, firsts)) || !is_constant(sorted, t->n, c))
            break;
        pj_status st = add_factor(t, sorted, c);
        if (st)
            return st;
    }
    if (t->n_factors > 0 && tells_apart(t, sorted, firsts))
        return PJ_OK;
    return pji_fail(t->err, PJ_EINVAL,
                    "%s: the columns behind __done do not tell its runs apart: name the factors "
                    "with --factors a,b",
                    t->path);
}

static void append(char *list, size_t size, const char *text)
{
    size_t len = strlen(list);
    snprintf(list + len, size - len, "%s%s", len > 0 ? "," : "", text);
}

/* The export of a study has columns of its own, whose names no factor may have. */
static pj_status say_factor(struct table *t, size_t column)
{
    char *old = t->names[column], text[256];
    struct pji_str name = {0};
    if (!pji_column_is_fixed(old)) {
        append(t->result->factors, sizeof t->result->factors, old);
        return PJ_OK;
    }
    pji_str_addf(&name, "factor_%s", old);
    pj_status st = pji_str_ok(&name, t->err);
    if (st)
        return st;
    t->names[column] = pji_str_take(&name);
    snprintf(text, sizeof text, "%.100s as %.100s", old, t->names[column]);
    append(t->result->renamed, sizeof t->result->renamed, text);
    append(t->result->factors, sizeof t->result->factors, t->names[column]);
    free(old);
    return PJ_OK;
}

static pj_status choose_factors(struct table *t)
{
    const struct row **sorted = pji_zalloc(t->n, 2 * sizeof(struct row *), t->err);
    if (!sorted)
        return PJ_ENOMEM;
    const struct row **firsts = sorted + t->n;
    for (size_t i = 0; i < t->n; i++)
        sorted[i] = &t->rows[i];
    qsort(sorted, t->n, sizeof(struct row *), by_run);
    pj_status st = PJ_OK;
    for (size_t i = 1; i < t->n && st == PJ_OK; i++)
        if (by_run(&sorted[i], &sorted[i - 1]) == 0)
            st = pji_fail(t->err, PJ_EINVAL, "%s:%zu: %s is there already on line %zu", t->path,
                          sorted[i]->line, sorted[i]->fields[t->id_column], sorted[i - 1]->line);
    if (st == PJ_OK)
        st = t->options->factors ? named_factors(t, sorted) : find_factors(t, sorted, firsts);
    if (st == PJ_OK && !tells_apart(t, sorted, firsts))
        st = pji_fail(t->err, PJ_EINVAL, "%s: two runs have the same levels of %s", t->path,
                      t->options->factors);
    free(sorted);
    for (size_t f = 0; f < t->n_factors && st == PJ_OK; f++)
        st = say_factor(t, t->factors[f]);
    return st;
}

/* ---- plan ---- */

static pj_status put_factors(struct table *t)
{
    pj_status st = PJ_OK;
    const char **levels = pji_zalloc(t->n, sizeof *levels, t->err);
    if (!levels)
        return PJ_ENOMEM;
    for (size_t f = 0; f < t->n_factors && st == PJ_OK; f++) {
        size_t n = 0;
        for (size_t i = 0; i < t->n; i++) {
            const char *text = t->rows[i].fields[t->factors[f]];
            size_t l = 0;
            while (l < n && strcmp(levels[l], text) != 0)
                l++;
            if (l == n)
                levels[n++] = text;
        }
        st = pji_store_add_factor(t->store, t->names[t->factors[f]], levels, n, t->err);
    }
    free(levels);
    return st;
}

static pj_status put_trials(struct table *t)
{
    pj_status st = PJ_OK;
    for (size_t i = 0; i < t->n && st == PJ_OK; i++) {
        const struct row *r = &t->rows[i];
        const char *levels[FACTORS_MOST];
        for (size_t f = 0; f < t->n_factors; f++)
            levels[f] = r->fields[t->factors[f]];
        struct pji_trial trial = {.id = (int64_t)i + 1,
                                  .cell = r->combination,
                                  .block = r->repetition + 1,
                                  .repetition = r->repetition + 1,
                                  .state = PJI_TRIAL_PLANNED,
                                  .reason = "",
                                  .levels = levels};
        st = pji_store_add_trial(t->store, &trial, t->err);
    }
    return st;
}

static pj_status put_meta(struct table *t)
{
    char wall[32], folder[PATH_MAX];
    char *path = realpath(t->options->dir, NULL);
    snprintf(folder, sizeof folder, "%s", path ? path : t->options->dir);
    const char *slash = strrchr(folder, '/');
    snprintf(wall, sizeof wall, "%lld", (long long)t->wall_ns);
    const char *const pairs[][2] = {
        {"study", slash && slash[1] ? slash + 1 : folder},
        {"question", ""},
        {"engine", "imported"},
        {"imported_from", folder},
        {"imported_format", "experiment-runner"},
        {"imported_factors", t->options->factors ? "named" : "found"},
        {"decimal_comma", t->options->decimal_comma ? "declared" : "refused"},
        {"clock", "wall"},
        {"tool", "perjoule " PJ_VERSION},
        {"created_wall_ns", wall},
    };
    pj_status st = PJ_OK;
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0] && st == PJ_OK; i++)
        st = pji_store_put_meta(t->store, pairs[i][0], pairs[i][1], t->err);
    free(path);
    return st;
}

/* ---- a run ---- */

static bool is_factor(const struct table *t, size_t column)
{
    for (size_t f = 0; f < t->n_factors; f++)
        if (t->factors[f] == column)
            return true;
    return column == t->id_column || column == t->done_column;
}

static pj_status put_result(struct table *t, const struct row *r, size_t column, int64_t attempt)
{
    const char *text = r->fields[column];
    size_t skip = strspn(text, " \t"), len = strlen(text + skip);
    struct pji_metric_row metric = {.task = "",
                                    .name = t->names[column],
                                    .value = (double)NAN,
                                    .origin = "",
                                    .reason = "the run table has no value"};
    struct pj_error why = {0};
    while (len > 0 && (text[skip + len - 1] == ' ' || text[skip + len - 1] == '\t'))
        len--;
    if (len > 0) {
        pj_status st = t->options->decimal_comma
                           ? pji_num_parse_comma(text + skip, len, &metric.value, &why)
                           : pji_num_parse(text + skip, len, &metric.value, &why);
        if (st != PJ_OK && t->options->decimal_comma) /* tables mix both marks */
            st = pji_num_parse(text + skip, len, &metric.value, &why);
        if (st != PJ_OK && strchr(text, ',') && strspn(text + skip, "+-0123456789.,") >= len)
            return pji_fail(t->err, PJ_EINVAL,
                            t->options->decimal_comma
                                ? "%s:%zu: '%.60s' of '%s' is no number, with a comma for its "
                                  "decimal mark or without: write it without groups of thousands"
                                : "%s:%zu: '%.60s' of '%s' has a comma: a decimal mark? Say so "
                                  "with --decimal-comma",
                            t->path, r->line, text, t->names[column]);
        if (st != PJ_OK) {
            metric.value = (double)NAN;
            metric.reason = "the run table has a text here, kept as a fact";
            char key[256];
            snprintf(key, sizeof key, "run_table.%.200s", t->names[column]);
            st = pji_store_put_fact(t->store, attempt, key, text, t->err);
            if (st)
                return st;
        } else {
            metric.reason = "";
        }
    }
    return pji_store_add_metric(t->store, attempt, &metric, t->err);
}

static bool is_plain(const char *name)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
    return name[0] != '.' && strspn(name, plain) == strlen(name);
}

/* Plain files of the run's folder; other names and kinds are counted, not kept. */
static pj_status keep_files(struct table *t, const struct row *r, int64_t attempt, size_t *kept)
{
    char folder[PATH_MAX], path[PATH_MAX];
    *kept = 0;
    if (snprintf(folder, sizeof folder, "%s/%s", t->options->dir, r->fields[t->id_column]) >=
        (int)sizeof folder)
        return PJ_OK;
    /* a link may lead anywhere: what is there is none of the experiment's files */
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    pj_status st = PJ_OK;
    if (fd >= 0 && !dir)
        close(fd);
    for (const struct dirent *e; dir && st == PJ_OK && (e = readdir(dir)) != NULL;) {
        struct stat info;
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        if (!is_plain(e->d_name) ||
            snprintf(path, sizeof path, "%s/%s", folder, e->d_name) >= (int)sizeof path ||
            lstat(path, &info) != 0 || !S_ISREG(info.st_mode)) {
            t->result->left_out++;
            continue;
        }
        st = pji_store_copy_artefact(t->store, attempt, e->d_name, path, NULL, t->err);
        (*kept)++;
    }
    if (dir)
        closedir(dir);
    return st;
}

static pj_status put_run(struct table *t, size_t i)
{
    const struct row *r = &t->rows[i];
    int64_t attempt = 0;
    size_t kept = 0;
    if (strcmp(r->fields[t->done_column], "DONE") != 0) {
        t->result->todo++;
        return PJ_OK;
    }
    pj_status st = pji_store_start_attempt(t->store, (int64_t)i + 1, r->fields[t->id_column], 0,
                                           t->wall_ns, &attempt, t->err);
    for (size_t c = 0; c < t->n_columns && st == PJ_OK; c++)
        if (!is_factor(t, c))
            st = put_result(t, r, c, attempt);
    if (st == PJ_OK)
        st = keep_files(t, r, attempt, &kept);
    if (st == PJ_OK && kept == 0) {
        t->result->without_folder++;
        st = pji_store_add_gate(t->store, attempt,
                                &(struct pji_gate_row){"run_folder_missing", "flag",
                                                       "the run table says DONE, but the run has "
                                                       "no folder or no file in it"},
                                t->err);
    }
    if (st == PJ_OK)
        st = pji_store_end_attempt(t->store, attempt, PJI_TRIAL_DONE, "", false, 0, t->wall_ns,
                                   t->err);
    t->result->done++;
    return st;
}

/* ---- all of it ---- */

static pj_status fill(struct table *t)
{
    pj_status st = pji_store_begin(t->store, t->err);
    if (st == PJ_OK)
        st = put_meta(t);
    if (st == PJ_OK)
        st = put_factors(t);
    if (st == PJ_OK)
        st = put_trials(t);
    for (size_t i = 0; i < t->n && st == PJ_OK; i++)
        st = put_run(t, i);
    if (st == PJ_OK)
        st = pji_store_commit(t->store, t->err);
    else
        pji_store_rollback(t->store);
    return st;
}

static pj_status build(struct table *t)
{
    char building[PATH_MAX];
    struct stat info;
    const char *out = t->options->out;
    if (lstat(out, &info) == 0)
        return pji_fail(t->err, PJ_EBUSY, "%s exists already: choose another folder with --out",
                        out);
    if (snprintf(building, sizeof building, "%s.building-%ld", out, (long)getpid()) >=
        (int)sizeof building)
        return pji_fail(t->err, PJ_EINVAL, "the folder name %s is too long", out);
    pji_store_clear_leftovers(out, t->options->log);
    pj_status st = pji_store_create(&t->store, building, t->options->log, t->err);
    if (st)
        return st;
    st = fill(t);
    pj_status closed = pji_store_close(t->store, st == PJ_OK ? t->err : NULL);
    st = st ? st : closed;
    if (st == PJ_OK)
        st = pji_durable_rename(building, out, true, t->err);
    if (st)
        (void)pji_remove_tree(building, NULL);
    return st;
}

pj_status pji_import_runner(const struct pji_runner_options *options,
                            struct pji_runner_result *result, struct pj_error *err)
{
    struct pj_error own = {0};
    struct table t = {.options = options, .result = result, .err = err ? err : &own};
    *result = (struct pji_runner_result){0};
    pj_status st = PJ_OK;
    if (snprintf(t.path, sizeof t.path, "%s/run_table.csv", options->dir) >= (int)sizeof t.path)
        st = pji_fail(t.err, PJ_EINVAL, "the folder name %s is too long", options->dir);
    if (st == PJ_OK)
        st = read_table(&t);
    if (st == PJ_OK)
        st = choose_factors(&t);
    if (st == PJ_OK)
        st = build(&t);
    result->rows = t.n;
    for (size_t i = 0; i < t.n; i++) {
        for (size_t c = 0; c < t.n_columns; c++)
            free(t.rows[i].fields[c]);
        free(t.rows[i].fields);
    }
    for (size_t c = 0; c < t.n_columns; c++)
        free(t.names[c]);
    free(t.names);
    free(t.rows);
    return st;
}
