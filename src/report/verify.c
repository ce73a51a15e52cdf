/* report/verify.c - see verify.h. The report is made again in a scratch folder; what is given is
 * compared with that, file by file.
 */
#include "report/verify.h"

#include "core/array.h"
#include "platform/durable.h"
#include "report/plot.h"
#include "report/report.h"
#include "report/verify_parts.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { LIMIT = 256 << 20 };

static const struct suffix {
    const char *text;
    enum pji_verify_kind kind;
    bool text_file, picture;
} suffixes[] = {
    {".html", PJI_VERIFY_HTML, true, true}, {".md", PJI_VERIFY_MD, true, false},
    {".csv", PJI_VERIFY_CSV, true, false},  {".tex", PJI_VERIFY_TEX, true, false},
    {".svg", PJI_VERIFY_SVG, true, true},   {".png", PJI_VERIFY_SVG, false, true},
    {".pdf", PJI_VERIFY_SVG, false, true},
};

struct given {
    char *path;
    const char *name; /* in path, without folders */
    const struct suffix *suffix;
};

struct work {
    struct pji_verified *out;
    struct given *files;
    size_t n, cap;
    bool has_pictures; /* files that need gnuplot are given */
    bool no_gnuplot;
    char why_none[160]; /* the report says that it has no pictures */
    const char *scratch;
    struct pji_doc doc;
};

static const struct suffix *suffix_of(const char *name)
{
    size_t len = strlen(name);
    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
        size_t n = strlen(suffixes[i].text);
        if (len > n && strcmp(name + len - n, suffixes[i].text) == 0)
            return &suffixes[i];
    }
    return NULL;
}

static pj_status add_given(struct work *w, const char *path, struct pj_error *err)
{
    const char *slash = strrchr(path, '/');
    const struct suffix *suffix = suffix_of(path);
    if (suffix == NULL)
        return PJ_OK;
    pj_status status = pji_array_reserve(&w->files, &w->cap, w->n + 1, sizeof *w->files, err);
    if (status != PJ_OK)
        return status;
    char *own = pji_dup(path, err);
    if (own == NULL)
        return PJ_ENOMEM;
    w->files[w->n++] = (struct given){
        .path = own, .name = slash != NULL ? own + (slash - path) + 1 : own, .suffix = suffix};
    w->has_pictures = w->has_pictures || suffix->picture;
    return PJ_OK;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct given *)a)->path, ((const struct given *)b)->path);
}

static pj_status list_folder(struct work *w, const char *dir, struct pj_error *err)
{
    DIR *folder = opendir(dir);
    pj_status status = PJ_OK;
    if (folder == NULL)
        return pji_fail_errno(err, errno, "cannot read the folder %s", dir);
    for (const struct dirent *e = readdir(folder); e != NULL && status == PJ_OK;
         e = readdir(folder)) {
        struct pji_str path = {0};
        pji_str_addf(&path, "%s/%s", dir, e->d_name);
        status = pji_str_ok(&path, err);
        if (status == PJ_OK && e->d_name[0] != '.')
            status = add_given(w, pji_str_text(&path), err);
        pji_str_fini(&path);
    }
    closedir(folder);
    if (w->n > 0)
        qsort(w->files, w->n, sizeof *w->files, by_name);
    return status;
}

static pj_status list_given(struct work *w, const char *report, struct pj_error *err)
{
    struct stat st;
    if (stat(report, &st) != 0)
        return pji_fail(err, PJ_EINVAL, "there is no report %s", report);
    pj_status status =
        S_ISDIR(st.st_mode) ? list_folder(w, report, err) : add_given(w, report, err);
    if (status == PJ_OK && w->n == 0)
        status = pji_fail(err, PJ_EINVAL,
                          "%s is no report: give its folder, or a file of it (.html, .md, .csv, "
                          ".tex, .svg, .png, .pdf)",
                          report);
    return status;
}

static void copy_until(char *to, size_t size, const char *from, const char *end)
{
    size_t len = strcspn(from, end);
    len = len < size - 1 ? len : size - 1;
    memcpy(to, from, len);
    to[len] = '\0';
}

/* What the page or the Markdown says about itself: its version, and why it has no pictures. */
static pj_status read_words(struct work *w, struct pj_error *err)
{
    static const char no_pictures[] = "No pictures: ";
    static const char generator[] = "content=\"perjoule ";
    pj_status status = PJ_OK;
    for (size_t i = 0; i < w->n && status == PJ_OK; i++) {
        char *text = NULL;
        size_t len = 0;
        enum pji_verify_kind kind = w->files[i].suffix->kind;
        if (kind != PJI_VERIFY_HTML && kind != PJI_VERIFY_MD)
            continue;
        status = pji_read_file(w->files[i].path, LIMIT, &text, &len, err);
        if (status != PJ_OK)
            break;
        const char *why = strstr(text, no_pictures);
        const char *version = strstr(text, generator);
        if (why != NULL)
            copy_until(w->why_none, sizeof w->why_none, why + sizeof no_pictures - 1, ".\n<");
        if (version != NULL && kind == PJI_VERIFY_HTML)
            copy_until(w->out->made_by, sizeof w->out->made_by, version + sizeof generator - 1,
                       "\"");
        free(text);
    }
    return status;
}

static pj_status make_again(struct work *w, struct pji_store *store, const struct pji_log *log,
                            struct pj_error *err)
{
    char version[64];
    bool conclusive = false;
    if (w->has_pictures && w->why_none[0] == '\0')
        w->no_gnuplot = pji_plots_version(version, sizeof version, NULL) != PJ_OK;
    struct pji_report_files files = {.dir = w->scratch,
                                     .undrawn = !w->has_pictures || w->no_gnuplot,
                                     .no_pictures = w->why_none[0] != '\0' ? w->why_none : NULL,
                                     .log = log};
    return pji_report_doc(&w->doc, store, &files, &conclusive, err);
}

static pj_status whole_file(struct work *w, const struct given *g, const char *words,
                            struct pj_error *err)
{
    return pji_verify_add(w->out, g->path, 0, words, NULL, NULL, "", err);
}

static pj_status compare_picture(struct work *w, const struct given *g, const char *given,
                                 size_t given_len, const char *expected, size_t expected_len,
                                 struct pj_error *err)
{
    char words[160];
    size_t at = 0;
    while (at < given_len && at < expected_len && given[at] == expected[at])
        at++;
    if (at == given_len && at == expected_len)
        return PJ_OK;
    snprintf(words, sizeof words,
             "is not the picture that the records give here (the first of the differing bytes is "
             "number %zu)",
             at + 1);
    return whole_file(w, g, words, err);
}

static pj_status compare_file(struct work *w, const struct given *g, const char *expected_path,
                              const char *name, struct pj_error *err)
{
    char *given = NULL;
    char *expected = NULL;
    size_t given_len = 0;
    size_t expected_len = 0;
    pj_status status = pji_read_file(g->path, LIMIT, &given, &given_len, err);
    if (status == PJ_OK)
        status = pji_read_file(expected_path, LIMIT, &expected, &expected_len, err);
    if (status == PJ_OK && !g->suffix->text_file) {
        status = compare_picture(w, g, given, given_len, expected, expected_len, err);
    } else if (status == PJ_OK) {
        struct pji_verify_file f = {.out = w->out,
                                    .doc = &w->doc,
                                    .name = g->path,
                                    .kind = g->suffix->kind,
                                    .without_pictures = w->no_gnuplot};
        copy_until(f.base, sizeof f.base, name, ".");
        status = pji_verify_text(&f, given, given_len, expected, expected_len, err);
    }
    free(given);
    free(expected);
    return status;
}

/* ---- a file under another name ---- */

/* Lines of `text` that stand at the same place in the file at `path`. */
static pj_status common_lines(const char *path, const struct pji_lines *given, size_t *n,
                              struct pj_error *err)
{
    struct pji_lines lines = {0};
    char *text = NULL;
    size_t len = 0;
    *n = 0;
    pj_status status = pji_read_file(path, LIMIT, &text, &len, err);
    if (status == PJ_OK)
        status = pji_lines_split(&lines, text, len, err);
    for (size_t i = 0; i < lines.n && i < given->n; i++)
        *n += lines.len[i] == given->len[i] && memcmp(lines.at[i], given->at[i], lines.len[i]) == 0;
    pji_lines_fini(&lines);
    free(text);
    return status;
}

/* The file of the report that has the most lines in common with one that was renamed; *found is
 * left alone when none has any. */
static pj_status search_likeness(struct work *w, const struct given *g, char *found, size_t size,
                                 struct pj_error *err)
{
    struct pji_lines lines = {0};
    struct work made = {0};
    char *text = NULL;
    size_t len = 0;
    size_t best = 0;
    pj_status status = pji_read_file(g->path, LIMIT, &text, &len, err);
    if (status == PJ_OK)
        status = pji_lines_split(&lines, text, len, err);
    if (status == PJ_OK)
        status = list_folder(&made, w->scratch, err);
    for (size_t i = 0; i < made.n && status == PJ_OK; i++) {
        size_t n = 0;
        if (made.files[i].suffix != g->suffix)
            continue;
        status = common_lines(made.files[i].path, &lines, &n, err);
        if (n > best)
            snprintf(found, size, "%s", made.files[i].name);
        best = n > best ? n : best;
    }
    for (size_t i = 0; i < made.n; i++)
        free(made.files[i].path);
    free(made.files);
    pji_lines_fini(&lines);
    free(text);
    return status;
}

static pj_status check_file(struct work *w, const struct given *g, struct pj_error *err)
{
    struct pji_str path = {0};
    struct stat st;
    size_t before = w->out->n;
    char name[256];
    pj_status status = PJ_OK;
    w->out->files++;
    snprintf(name, sizeof name, "%s", g->name);
    pji_str_addf(&path, "%s/%s", w->scratch, name);
    if (stat(pji_str_text(&path), &st) != 0 && g->suffix->text_file)
        status = search_likeness(w, g, name, sizeof name, err);
    pji_str_clear(&path);
    pji_str_addf(&path, "%s/%s", w->scratch, name);
    if (status != PJ_OK)
        w->out->bad_files++;
    else if (w->no_gnuplot && g->suffix->kind == PJI_VERIFY_SVG)
        status = whole_file(w, g, "cannot be drawn again: gnuplot is missing", err);
    else if (stat(pji_str_text(&path), &st) != 0)
        status =
            whole_file(w, g, "is no file of this study's report: nothing to compare it with", err);
    else
        status = compare_file(w, g, pji_str_text(&path), name, err);
    if (status == PJ_OK && w->no_gnuplot && g->suffix->kind == PJI_VERIFY_HTML)
        status =
            whole_file(w, g, "has pictures that cannot be drawn again: gnuplot is missing", err);
    w->out->bad_files += w->out->n > before ? 1 : 0;
    pji_str_fini(&path);
    return status;
}

pj_status pji_verify(struct pji_verified *out, const char *report, struct pji_store *store,
                     const char *scratch, const struct pji_log *log, struct pj_error *err)
{
    struct work w = {.out = out, .scratch = scratch};
    *out = (struct pji_verified){0};
    pj_status status = list_given(&w, report, err);
    if (status == PJ_OK)
        status = read_words(&w, err);
    if (status == PJ_OK)
        status = make_again(&w, store, log, err);
    for (size_t i = 0; i < w.n && status == PJ_OK; i++)
        status = check_file(&w, &w.files[i], err);
    for (size_t i = 0; i < w.n; i++)
        free(w.files[i].path);
    free(w.files);
    pji_doc_fini(&w.doc);
    if (status != PJ_OK)
        pji_verified_fini(out);
    return status;
}

void pji_verified_fini(struct pji_verified *verified)
{
    for (size_t i = 0; i < verified->n; i++) {
        free(verified->differences[i].file);
        free(verified->differences[i].where);
        free(verified->differences[i].printed);
        free(verified->differences[i].recomputed);
        free(verified->differences[i].records);
    }
    free(verified->differences);
    *verified = (struct pji_verified){0};
}
