/* Factor levels in values. "${name}" anywhere in a scalar, or "$name" when it is all of it; "$${"
 * is a literal "${" and a whole "$$name" a literal "$name", so that shell text can be written. */
#include "lab/internal.h"

#include "core/array.h"

#include <stdlib.h>
#include <string.h>

size_t pji_name_len(const char *text)
{
    static const char first[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_";
    static const char rest[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789";
    return strspn(text, first) ? strspn(text, rest) : 0;
}

static bool is_whole_name(const char *text)
{
    size_t len = pji_name_len(text);
    return len > 0 && text[len] == '\0';
}

size_t pji_factor_find(const struct pji_study *study, const char *name, size_t len)
{
    size_t f = 0;
    while (f < study->n_factors && !(strlen(study->factors[f].name) == len &&
                                     strncmp(study->factors[f].name, name, len) == 0))
        f++;
    return f;
}

pj_status pji_unknown_factor(const struct pji_study *study, const char *name, size_t len,
                             struct pj_error *err)
{
    char word[64];
    size_t n = len < sizeof word ? len : sizeof word - 1;
    memcpy(word, name, n);
    word[n] = '\0';
    const char **names = pji_zalloc(study->n_factors + 1, sizeof *names, err);
    if (!names)
        return PJ_ENOMEM;
    for (size_t f = 0; f < study->n_factors; f++)
        names[f] = study->factors[f].name;
    const char *nearest = len > 1 ? pji_str_nearest(word, names) : NULL; /* any letter is near */
    free(names);
    if (nearest)
        return pji_fail(err, PJ_EINVAL, "unknown factor '%s', did you mean '%s'?", word, nearest);
    return pji_fail(err, PJ_EINVAL, "unknown factor '%s': it is not among the factors", word);
}

/* What a scalar is made of: fn gets literal text (factor == SIZE_MAX) or a factor. */
typedef void piece_fn(void *context, const char *text, size_t len, size_t factor);

static pj_status reference(const struct pji_study *study, const char *name, size_t len,
                           piece_fn *fn, void *context, struct pj_error *err)
{
    size_t f = pji_factor_find(study, name, len);
    if (f == study->n_factors) {
        pj_status st = pji_unknown_factor(study, name, len, err);
        return st;
    }
    fn(context, name, len, f);
    return PJ_OK;
}

static pj_status each_piece(const struct pji_study *study, const char *text, piece_fn *fn,
                            void *context, struct pj_error *err)
{
    if (text[0] == '$' && is_whole_name(text + 1))
        return reference(study, text + 1, strlen(text + 1), fn, context, err);
    if (text[0] == '$' && text[1] == '$' && is_whole_name(text + 2)) {
        fn(context, text + 1, strlen(text + 1), SIZE_MAX);
        return PJ_OK;
    }
    while (*text) {
        const char *mark = strstr(text, "${");
        if (!mark) {
            fn(context, text, strlen(text), SIZE_MAX);
            break;
        }
        if (mark > text && mark[-1] == '$') {
            fn(context, text, (size_t)(mark - 1 - text), SIZE_MAX);
            fn(context, "${", 2, SIZE_MAX);
            text = mark + 2;
            continue;
        }
        fn(context, text, (size_t)(mark - text), SIZE_MAX);
        size_t len = pji_name_len(mark + 2);
        if (len == 0 || mark[2 + len] != '}')
            return pji_fail(err, PJ_EINVAL,
                            "'%.20s' does not name a factor as ${name}: write $${ for a literal ${",
                            mark);
        pj_status st = reference(study, mark + 2, len, fn, context, err);
        if (st)
            return st;
        text = mark + 2 + len + 1;
    }
    return PJ_OK;
}

struct filler {
    struct pji_str out;
    const struct pji_study *study;
    const char *const *levels;
};

static void fill_piece(void *context, const char *text, size_t len, size_t factor)
{
    struct filler *fill = context;
    if (factor == SIZE_MAX)
        pji_str_addn(&fill->out, text, len);
    else
        pji_str_add(&fill->out,
                    fill->levels ? fill->levels[factor] : fill->study->factors[factor].levels[0]);
}

pj_status pji_study_fill(const struct pji_study *study, const struct pji_yaml *scalar,
                         const char *const *levels, char **out, struct pj_error *err)
{
    struct filler fill = {.study = study, .levels = levels};
    *out = NULL;
    if (scalar->kind != PJI_YAML_SCALAR)
        return pji_fail(err, PJ_EINVAL, "a single value is expected here");
    pji_str_add(&fill.out, "");
    pj_status st = each_piece(study, scalar->text, fill_piece, &fill, err);
    if (st == PJ_OK)
        st = pji_str_ok(&fill.out, err);
    if (st == PJ_OK)
        *out = pji_str_take(&fill.out);
    pji_str_fini(&fill.out);
    return st;
}

/* ---- which factors are named ---- */

static void mark_piece(void *context, const char *text, size_t len, size_t factor)
{
    bool *used = context;
    (void)text;
    (void)len;
    if (factor != SIZE_MAX)
        used[factor] = true;
}

void pji_study_uses(const struct pji_study *study, const struct pji_yaml *node, bool *used)
{
    if (!node)
        return;
    if (node->kind == PJI_YAML_SCALAR)
        each_piece(study, node->text, mark_piece, used, NULL);
    for (size_t i = 0; i < node->n && node->kind != PJI_YAML_SCALAR; i++)
        pji_study_uses(study, &node->items[i], used);
}

static void ignore_piece(void *context, const char *text, size_t len, size_t factor)
{
    (void)context;
    (void)text;
    (void)len;
    (void)factor;
}

bool pji_study_check_names(struct pji_study *study, const struct pji_yaml *node)
{
    bool good = true;
    struct pj_error why = {0};
    if (node->kind == PJI_YAML_SCALAR) {
        good = each_piece(study, node->text, ignore_piece, NULL, &why) == PJ_OK;
        if (!good)
            pji_study_error(study, node, "%s", why.text);
        return good;
    }
    for (size_t i = 0; i < node->n; i++)
        good &= pji_study_check_names(study, &node->items[i]);
    return good;
}
