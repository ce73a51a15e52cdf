#include "task/score.h"

#include "core/array.h"
#include "core/num.h"
#include "task/task.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char *const names[PJI_SCORERS] = {
    [PJI_SCORER_CHOICE] = "choice", [PJI_SCORER_BINARY] = "binary",   [PJI_SCORER_EXACT] = "exact",
    [PJI_SCORER_F1] = "f1",         [PJI_SCORER_NUMERIC] = "numeric",
};

const char *pji_scorer_name(enum pji_scorer_kind kind)
{
    return names[kind];
}

/* ---- which part of the text counts ---- */

static const char *after_last(const char *text, const char *mark)
{
    const char *found = NULL;
    size_t n = strlen(mark);
    for (const char *p = text; *p && n > 0; p++)
        if (strncasecmp(p, mark, n) == 0)
            found = p + n;
    return found;
}

/* NULL: nothing counts. */
static const char *answer_part(const struct pji_scorer *scorer, const char *text)
{
    if (!text)
        return NULL;
    const char *thought = after_last(text, "</think>");
    if (thought)
        text = thought;
    if (after_last(text, "<think>"))
        return NULL;
    return scorer->answer_after ? after_last(text, scorer->answer_after) : text;
}

/* ---- words ---- */

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool is_punct(char c)
{
    return (c >= '!' && c <= '/') || (c >= ':' && c <= '@') || (c >= '[' && c <= '`') ||
           (c >= '{' && c <= '~');
}

static bool is_article(const char *word, size_t n)
{
    return (n == 1 && word[0] == 'a') || (n == 2 && memcmp(word, "an", 2) == 0) ||
           (n == 3 && memcmp(word, "the", 3) == 0);
}

static void add_words(struct pji_str *out, const char *text, size_t n, bool articles)
{
    size_t start = out->len;
    for (size_t i = 0; i <= n; i++) {
        char c = i < n ? text[i] : ' ';
        if (is_blank(c)) {
            size_t len = out->len - start;
            if (len > 0 && !articles && is_article(out->text + start, len)) {
                out->len = start;
                out->text[start] = '\0';
            } else if (len > 0) {
                pji_str_addc(out, ' ');
            }
            start = out->len;
        } else if (!is_punct(c)) {
            pji_str_addc(out, c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c);
        }
    }
}

/* Appends the words of text[0..n), each followed by one blank: articles where there are no others,
 * as in the "A" of a multiple choice. */
static void normalise(struct pji_str *out, const char *text, size_t n)
{
    size_t before = out->len;
    add_words(out, text, n, false);
    if (out->len == before)
        add_words(out, text, n, true);
}

/* The first line of text that has a word. */
static void first_line(struct pji_str *out, const char *text)
{
    while (*text && out->len == 0) {
        size_t n = strcspn(text, "\n");
        normalise(out, text, n);
        text += n + (text[n] == '\n');
    }
}

struct words {
    const char *p;
    size_t n;
};

static struct words next_word(const char **at)
{
    struct words w = {*at, strcspn(*at, " ")};
    *at += w.n + ((*at)[w.n] == ' ');
    return w;
}

static size_t count_words(const char *text)
{
    size_t n = 0;
    while (next_word(&text).n > 0)
        n++;
    return n;
}

static size_t times_in(const char *text, struct words word)
{
    size_t n = 0;
    for (struct words w; (w = next_word(&text)).n > 0;)
        n += w.n == word.n && memcmp(w.p, word.p, w.n) == 0;
    return n;
}

/* Words that both have, as often as both have them. */
static size_t common_words(const char *a, const char *b)
{
    size_t n = 0;
    const char *at = a;
    for (struct words w; (w = next_word(&at)).n > 0;) {
        size_t before = 0;
        for (const char *p = a; p < w.p;) {
            struct words earlier = next_word(&p);
            before += earlier.n == w.n && memcmp(earlier.p, w.p, w.n) == 0;
        }
        n += before < times_in(b, w);
    }
    return n;
}

static double f1_of(const char *answer, const char *gold)
{
    size_t a = count_words(answer), g = count_words(gold);
    double common = (double)common_words(answer, gold);
    if (a == 0 || g == 0)
        return a == g ? 1.0 : 0.0;
    return 2.0 * common / (double)(a + g);
}

/* ---- numbers ---- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Length of the number that begins at p (a digit), thousands separators in it. */
static size_t number_len(const char *p)
{
    size_t n = strspn(p, "0123456789");
    while (n <= 3 || p[n - 4] == ',') {
        if (p[n] != ',' || strspn(p + n + 1, "0123456789") != 3)
            break;
        n += 4;
    }
    if (p[n] == '.' && is_digit(p[n + 1]))
        n += 1 + strspn(p + n + 1, "0123456789");
    if (p[n] == 'e' || p[n] == 'E') {
        size_t sign = p[n + 1] == '-' || p[n + 1] == '+';
        if (is_digit(p[n + 1 + sign]))
            n += 1 + sign + strspn(p + n + 1 + sign, "0123456789");
    }
    return n;
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_minus(const char *text, const char *end)
{
    size_t before = (size_t)(end - text);
    size_t n = before >= 1 && end[-1] == '-' ? 1 : 0;
    if (before >= 3 && memcmp(end - 3, "\xe2\x88\x92", 3) == 0) /* U+2212 */
        n = 3;
    return n > 0 && (before == n ||
                     (!is_digit(end[-1 - (ptrdiff_t)n]) && !is_letter(end[-1 - (ptrdiff_t)n])));
}

/* ".5": a point without a digit in front of it. */
static bool is_bare_point(const char *text, const char *p)
{
    return p > text && p[-1] == '.' &&
           (p - 1 == text || (p[-2] != '.' && !is_digit(p[-2]) && !is_letter(p[-2])));
}

/* The last number of the text; its digits are no part of a word ("3B" is none, "12%" is one). */
static bool last_number(const char *text, double *value)
{
    bool found = false;
    for (const char *p = text; *p;) {
        if (!is_digit(*p)) {
            p++;
            continue;
        }
        bool point = is_bare_point(text, p);
        size_t n = point ? strspn(p, "0123456789") : number_len(p);
        bool word = (p > text && is_letter(p[-1])) || is_letter(p[n]);
        bool minus = is_minus(text, p - point);
        struct pji_str digits = {0};
        pji_str_add(&digits, point ? "0." : "");
        for (size_t i = 0; i < n; i++)
            if (p[i] != ',')
                pji_str_addc(&digits, p[i]);
        double v = 0;
        if (!word && pji_num_parse(pji_str_text(&digits), digits.len, &v, NULL) == PJ_OK) {
            *value = minus ? -v : v;
            found = true;
        }
        pji_str_fini(&digits);
        p += n;
    }
    return found;
}

static pj_status score_number(const struct pji_scorer *scorer, const char *part, const char *gold,
                              struct pji_scored *out, struct pji_str *answer, struct pj_error *err)
{
    double right = 0, said = 0;
    if (!last_number(gold, &right))
        return pji_fail(err, PJ_EINVAL, "the gold label '%.60s' is not a number", gold);
    out->parsable = last_number(part, &said);
    if (!out->parsable)
        return PJ_OK;
    pji_str_add_num(answer, said);
    double off = fabs(said - right);
    out->correct = off <= scorer->tolerance * fabs(right);
    return PJ_OK;
}

/* ---- one answer ---- */

static void score_choice(const struct pji_scorer *scorer, const char *part, const char *gold,
                         struct pji_scored *out, struct pji_str *answer)
{
    int choice = pji_choice_extract(part, scorer->choices, scorer->n_choices);
    if (choice < 0)
        return;
    out->parsable = true;
    out->correct = strcmp(scorer->choices[choice], gold) == 0;
    pji_str_add(answer, scorer->choices[choice]);
}

static void score_words(const struct pji_scorer *scorer, const char *part, const char *gold,
                        struct pji_scored *out, struct pji_str *answer)
{
    struct pji_str right = {0};
    first_line(answer, part);
    normalise(&right, gold, strlen(gold));
    out->parsable = answer->len > 0;
    out->correct = out->parsable && strcmp(pji_str_text(answer), pji_str_text(&right)) == 0;
    if (scorer->kind == PJI_SCORER_F1)
        out->f1 = out->parsable ? f1_of(pji_str_text(answer), pji_str_text(&right)) : 0.0;
    if (answer->len > 0) /* the blank behind the last word */
        answer->text[--answer->len] = '\0';
    pji_str_fini(&right);
}

pj_status pji_score(const struct pji_scorer *scorer, const char *text, const char *gold,
                    struct pji_scored *out, struct pj_error *err)
{
    struct pji_str answer = {0};
    const char *part = answer_part(scorer, text);
    pj_status status = PJ_OK;
    *out = (struct pji_scored){.f1 = scorer->kind == PJI_SCORER_F1 ? 0.0 : (double)NAN};
    switch (scorer->kind) {
    case PJI_SCORER_CHOICE:
    case PJI_SCORER_BINARY:
        score_choice(scorer, part ? part : "", gold, out, &answer);
        break;
    case PJI_SCORER_EXACT:
    case PJI_SCORER_F1:
        score_words(scorer, part ? part : "", gold, out, &answer);
        break;
    case PJI_SCORER_NUMERIC:
        status = score_number(scorer, part ? part : "", gold, out, &answer, err);
        break;
    }
    if (status == PJ_OK)
        status = pji_str_ok(&answer, err);
    if (status == PJ_OK) {
        out->answer = pji_dup(out->correct ? gold : pji_str_text(&answer), err);
        status = out->answer ? PJ_OK : PJ_ENOMEM;
    }
    pji_str_fini(&answer);
    return status;
}

void pji_scored_fini(struct pji_scored *score)
{
    free(score->answer);
    *score = (struct pji_scored){0};
}

/* ---- two classes ---- */

static double share(double part, double whole)
{
    return whole > 0 ? part / whole : (double)NAN;
}

struct pji_binary_figures pji_binary_figures(const struct pji_binary *c)
{
    double tp = (double)c->tp, fp = (double)c->fp, tn = (double)c->tn, fn = (double)c->fn;
    double positives = tp + fn + (double)c->lost_positive;
    double negatives = tn + fp + (double)c->lost_negative;
    double recall = share(tp, positives), specificity = share(tn, negatives);
    double spread = sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn));
    return (struct pji_binary_figures){
        .precision = share(tp, tp + fp),
        .recall = recall,
        .f1 = share(2 * tp, tp + fp + positives),
        .mcc = share(tp * tn - fp * fn, spread),
        .balanced_accuracy = (recall + specificity) / 2,
        .positive_rate = share(tp + fp, tp + fp + tn + fn),
        .always_positive_f1 = share(2 * positives, 2 * positives + negatives),
    };
}
