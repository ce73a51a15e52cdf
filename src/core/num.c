/* core/num.c - reading numbers; writing them is in num_format.c.
 *
 * The grammar is checked first, so that the conversion sees nothing but a plain decimal number.
 * Up to 15 digits with a power of ten up to 22 are converted by one exact multiplication or
 * division (Clinger 1990, doi:10.1145/93548.93557: both operands are exact doubles, so IEEE 754
 * rounds once); everything else goes to strtod_l with the C locale, which glibc rounds correctly
 * and which no setlocale of the host process can change.
 */
#include "core/num.h"

#include "core/num_locale.h"
#include "core/str.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Longest number that is read: more digits than any exact double has (1075) still fit. */
enum { TEXT_MAX = 1200 };

struct shape {
    bool valid; /* all of the text is a number */
    bool negative;
    bool small;      /* `digits` and `exponent` describe it exactly */
    uint64_t digits; /* all digits as one integer */
    int exponent;    /* value = digits * 10^exponent */
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Reads digits and at most one mark; returns the position after them. */
static size_t scan_digits(const char *text, size_t len, size_t i, char mark, struct shape *shape)
{
    size_t n_digits = 0;
    size_t n_significant = 0;
    bool fraction = false;
    for (; i < len; i++) {
        if (is_digit(text[i])) {
            n_digits++;
            if (n_significant || text[i] != '0')
                n_significant++;
            if (n_significant <= 18)
                shape->digits = shape->digits * 10 + (uint64_t)(text[i] - '0');
            if (fraction)
                shape->exponent--;
        } else if (text[i] == mark && !fraction) {
            fraction = true;
        } else {
            break;
        }
    }
    shape->valid = n_digits > 0;
    shape->small = n_significant <= 15;
    return i;
}

static size_t scan_exponent(const char *text, size_t len, size_t i, struct shape *shape)
{
    bool negative = false;
    int exponent = 0;
    i++;
    if (i < len && (text[i] == '+' || text[i] == '-'))
        negative = text[i++] == '-';
    size_t first = i;
    for (; i < len && is_digit(text[i]); i++) {
        if (exponent < 100000)
            exponent = exponent * 10 + (text[i] - '0');
    }
    shape->valid = shape->valid && i > first;
    shape->exponent += negative ? -exponent : exponent;
    return i;
}

static struct shape scan(const char *text, size_t len, char mark)
{
    struct shape shape = {0};
    size_t i = 0;
    if (i < len && (text[i] == '+' || text[i] == '-'))
        shape.negative = text[i++] == '-';
    i = scan_digits(text, len, i, mark, &shape);
    if (shape.valid && i < len && (text[i] == 'e' || text[i] == 'E'))
        i = scan_exponent(text, len, i, &shape);
    shape.valid = shape.valid && i == len;
    return shape;
}

/* Clinger's fast path; false when it does not apply. */
static bool convert_exactly(const struct shape *shape, double *value)
{
    static const double power[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                   1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                   1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    if (FLT_EVAL_METHOD != 0 || !shape->small || shape->exponent < -22 || shape->exponent > 22)
        return false;
    double magnitude = (double)shape->digits;
    if (shape->exponent < 0)
        magnitude /= power[-shape->exponent];
    else
        magnitude *= power[shape->exponent];
    *value = shape->negative ? -magnitude : magnitude;
    return true;
}

static pj_status refuse(const char *text, size_t len, char mark, struct pj_error *err)
{
    char shown[PJI_EXCERPT];
    pji_excerpt(text, len, shown);
    if (len == 0)
        return pji_fail(err, PJ_EINVAL, "empty text where a number is needed");
    char other = mark == '.' ? ',' : '.';
    struct shape swapped = scan(text, len, other);
    if (swapped.valid && memchr(text, other, len)) {
        if (mark == '.')
            return pji_fail(err, PJ_EINVAL,
                            "'%s' looks like a number with a decimal comma: write a decimal point, "
                            "or declare the comma for the whole table with --decimal-comma",
                            shown);
        return pji_fail(err, PJ_EINVAL,
                        "'%s' has a decimal point, but this table was declared to use a decimal "
                        "comma",
                        shown);
    }
    if (memchr(text, other, len) && is_digit(text[len - 1]))
        return pji_fail(err, PJ_EINVAL, "'%s' is not a number: write it without separators", shown);
    return pji_fail(err, PJ_EINVAL, "'%s' is not a number", shown);
}

static pj_status parse(const char *text, size_t len, char mark, double *value, struct pj_error *err)
{
    struct shape shape = scan(text, len, mark);
    if (!shape.valid)
        return refuse(text, len, mark, err);
    if (convert_exactly(&shape, value))
        return PJ_OK;
    char shown[PJI_EXCERPT];
    if (len >= TEXT_MAX)
        return pji_fail(err, PJ_EINVAL, "the number '%s' has more than %d characters",
                        pji_excerpt(text, len, shown), TEXT_MAX - 1);
    char copy[TEXT_MAX];
    memcpy(copy, text, len);
    copy[len] = '\0';
    char *at = memchr(copy, mark, len);
    if (at)
        *at = '.';
    double read = strtod_l(copy, NULL, pji_num_locale());
    if (isinf(read))
        return pji_fail(err, PJ_EINVAL, "the number '%s' is too large",
                        pji_excerpt(text, len, shown));
    *value = read;
    return PJ_OK;
}

pj_status pji_num_parse(const char *text, size_t len, double *value, struct pj_error *err)
{
    return parse(text, len, '.', value, err);
}

pj_status pji_num_parse_comma(const char *text, size_t len, double *value, struct pj_error *err)
{
    return parse(text, len, ',', value, err);
}

/* Sign and magnitude of an integer. */
static pj_status parse_magnitude(const char *text, size_t len, bool *negative, uint64_t *value,
                                 struct pj_error *err)
{
    char shown[PJI_EXCERPT];
    size_t i = 0;
    *negative = false;
    if (i < len && (text[i] == '+' || text[i] == '-'))
        *negative = text[i++] == '-';
    if (i == len)
        return pji_fail(err, PJ_EINVAL, "'%s' is not a whole number",
                        pji_excerpt(text, len, shown));
    *value = 0;
    for (; i < len; i++) {
        if (!is_digit(text[i]))
            return pji_fail(err, PJ_EINVAL, "'%s' is not a whole number",
                            pji_excerpt(text, len, shown));
        uint64_t digit = (uint64_t)(text[i] - '0');
        if (__builtin_mul_overflow(*value, (uint64_t)10, value) ||
            __builtin_add_overflow(*value, digit, value))
            return pji_fail(err, PJ_EINVAL, "the number '%s' is too large",
                            pji_excerpt(text, len, shown));
    }
    return PJ_OK;
}

pj_status pji_num_parse_i64(const char *text, size_t len, int64_t *value, struct pj_error *err)
{
    bool negative;
    uint64_t magnitude;
    pj_status status = parse_magnitude(text, len, &negative, &magnitude, err);
    if (status)
        return status;
    if (magnitude > (uint64_t)INT64_MAX + (negative ? 1 : 0)) {
        char shown[PJI_EXCERPT];
        return pji_fail(err, PJ_EINVAL, "the number '%s' is too large",
                        pji_excerpt(text, len, shown));
    }
    *value = negative ? (int64_t)(0 - magnitude) : (int64_t)magnitude;
    return PJ_OK;
}

pj_status pji_num_parse_u64(const char *text, size_t len, uint64_t *value, struct pj_error *err)
{
    bool negative;
    uint64_t magnitude;
    pj_status status = parse_magnitude(text, len, &negative, &magnitude, err);
    if (status)
        return status;
    if (negative) {
        char shown[PJI_EXCERPT];
        return pji_fail(err, PJ_EINVAL, "'%s' is negative where it must not be",
                        pji_excerpt(text, len, shown));
    }
    *value = magnitude;
    return PJ_OK;
}
