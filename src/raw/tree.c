#include "raw/tree.h"

#include "core/array.h"
#include "core/num.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

const char *const pji_raw_file_names[PJI_RAW_FILES] = {
    "energibridge.csv", "energibridge-summary.txt", "prompts_out.tsv"};

static bool take_number(const char **at, int64_t *value)
{
    size_t len = strspn(*at, "0123456789");
    if (len == 0 || pji_num_parse_i64(*at, len, value, NULL) != PJ_OK)
        return false;
    *at += len;
    return true;
}

bool pji_raw_key_parse(const char *name, int64_t *run, int64_t *repetition)
{
    static const char middle[] = "_repetition_";
    if (strncmp(name, "run_", 4) != 0)
        return false;
    name += 4;
    if (!take_number(&name, run) || strncmp(name, middle, strlen(middle)) != 0)
        return false;
    name += strlen(middle);
    return take_number(&name, repetition) && *name == '\0';
}

int pji_raw_natural(const char *a, const char *b)
{
    while (*a != '\0' && *b != '\0') {
        if (isdigit((unsigned char)*a) && isdigit((unsigned char)*b)) {
            size_t n_a, n_b;
            a += strspn(a, "0");
            b += strspn(b, "0");
            n_a = strspn(a, "0123456789");
            n_b = strspn(b, "0123456789");
            int order = n_a != n_b ? (n_a > n_b ? 1 : -1) : strncmp(a, b, n_a);
            if (order != 0)
                return order;
            a += n_a;
            b += n_b;
        } else if (*a != *b) {
            return (unsigned char)*a > (unsigned char)*b ? 1 : -1;
        } else {
            a++;
            b++;
        }
    }
    return *a != '\0' ? 1 : (*b != '\0' ? -1 : 0);
}

static int by_key(const void *x, const void *y)
{
    const struct pji_raw_folder *a = x, *b = y;
    if ((a->run < 0) != (b->run < 0))
        return a->run < 0 ? 1 : -1;
    if (a->run != b->run)
        return a->run > b->run ? 1 : -1;
    if (a->repetition != b->repetition)
        return a->repetition > b->repetition ? 1 : -1;
    int order = pji_raw_natural(a->name, b->name);
    return order != 0 ? order : strcmp(a->name, b->name);
}

static char *join(const char *a, const char *b, struct pj_error *err)
{
    struct pji_str text = {0};
    pji_str_addf(&text, "%s/%s", a, b);
    char *path = pji_str_take(&text);
    if (path == NULL)
        pji_error_set(err, PJ_ENOMEM, 0, "out of memory");
    return path;
}

static pj_status add_folder(struct pji_raw_tree *tree, const char *path, struct pj_error *err)
{
    size_t top = strlen(tree->top);
    const char *name = path[top] == '/' ? path + top + 1 : ".";
    const char *slash = strrchr(name, '/');
    pj_status status =
        pji_array_reserve(&tree->folders, &tree->cap, tree->n + 1, sizeof *tree->folders, err);
    if (status)
        return status;
    struct pji_raw_folder *folder = &tree->folders[tree->n];
    *folder = (struct pji_raw_folder){.path = pji_dup(path, err), .name = pji_dup(name, err)};
    tree->n++;
    if (folder->path == NULL || folder->name == NULL)
        return PJ_ENOMEM;
    if (!pji_raw_key_parse(slash != NULL ? slash + 1 : name, &folder->run, &folder->repetition))
        folder->run = folder->repetition = -1;
    return PJ_OK;
}

static pj_status walk(struct pji_raw_tree *tree, const char *path, int depth, struct pj_error *err);

static pj_status visit(struct pji_raw_tree *tree, const char *path, const struct dirent *entry,
                       int depth, bool *is_run, struct pj_error *err)
{
    struct stat info;
    for (size_t i = 0; i < PJI_RAW_FILES; i++)
        *is_run = *is_run || strcmp(entry->d_name, pji_raw_file_names[i]) == 0;
    if (entry->d_name[0] == '.' || depth == 0)
        return PJ_OK;
    char *below = join(path, entry->d_name, err);
    if (below == NULL)
        return PJ_ENOMEM;
    pj_status status = PJ_OK;
    if (lstat(below, &info) == 0 && S_ISDIR(info.st_mode))
        status = walk(tree, below, depth - 1, err);
    free(below);
    return status;
}

/* Its copies of raw files are no runs. */
static bool is_study(const char *path)
{
    struct stat info;
    char *database = join(path, "study.sqlite", NULL);
    bool found = database != NULL && lstat(database, &info) == 0;
    free(database);
    return found;
}

static pj_status walk(struct pji_raw_tree *tree, const char *path, int depth, struct pj_error *err)
{
    int64_t run = 0, repetition = 0;
    const char *slash = strrchr(path, '/');
    bool is_run = pji_raw_key_parse(slash != NULL ? slash + 1 : path, &run, &repetition);
    if (is_study(path))
        return PJ_OK;
    DIR *folder = opendir(path);
    if (folder == NULL && depth == PJI_RAW_DEPTH)
        return pji_fail_errno(err, errno, "cannot read the folder %s", path);
    if (folder == NULL) /* it may be a run: it will fail as one, and be named */
        return add_folder(tree, path, err);
    pj_status status = PJ_OK;
    for (struct dirent *entry = readdir(folder); entry != NULL && status == PJ_OK;
         entry = readdir(folder))
        status = visit(tree, path, entry, depth, &is_run, err);
    (void)closedir(folder);
    return status == PJ_OK && is_run ? add_folder(tree, path, err) : status;
}

pj_status pji_raw_tree_read(struct pji_raw_tree *tree, const char *top, struct pj_error *err)
{
    size_t len = strlen(top);
    while (len > 1 && top[len - 1] == '/')
        len--;
    *tree = (struct pji_raw_tree){.top = pji_dupn(top, len, err)};
    if (tree->top == NULL)
        return PJ_ENOMEM;
    pj_status status = walk(tree, tree->top, PJI_RAW_DEPTH, err);
    if (status == PJ_OK && tree->n == 0)
        status = pji_fail(err, PJ_EINVAL, "%s holds no run: no folder below it has %s, %s or %s",
                          tree->top, pji_raw_file_names[0], pji_raw_file_names[1],
                          pji_raw_file_names[2]);
    if (status == PJ_OK)
        qsort(tree->folders, tree->n, sizeof *tree->folders, by_key);
    return status;
}

void pji_raw_tree_fini(struct pji_raw_tree *tree)
{
    for (size_t i = 0; i < tree->n; i++) {
        free(tree->folders[i].path);
        free(tree->folders[i].name);
    }
    free(tree->folders);
    free(tree->top);
    *tree = (struct pji_raw_tree){0};
}
