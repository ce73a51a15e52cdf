/* core/num_format.c - writing numbers, independent of any locale.
 *
 * printf's "%.*e" gives correctly rounded digits; the layout (plain or exponent) is ours, so that
 * the text is the same everywhere. The calling thread is switched to the C locale while printf
 * runs, because the decimal mark of printf is the host's.
 */
#include "core/num.h"

#include "core/num_locale.h"

#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DIGITS_MAX = 17, PLAIN_LOWEST = -5, PLAIN_HIGHEST = 15 };

struct decimal {
    bool negative;
    char digits[DIGITS_MAX + 1]; /* d1 d2 …: value = 0.d1d2… * 10^(exponent + 1) */
    size_t n;
    int exponent; /* of the first digit */
};

__attribute__((format(printf, 3, 4))) static int print_c(char *out, size_t size, const char *format,
                                                         ...)
{
    locale_t before = uselocale(pji_num_locale());
    va_list args;
    va_start(args, format);
    int n = vsnprintf(out, size, format, args);
    va_end(args);
    uselocale(before);
    return n;
}

/* `text` has the form [-]d[.ddd]e±xx. */
static void split(const char *text, struct decimal *decimal)
{
    decimal->negative = *text == '-';
    text += decimal->negative;
    decimal->n = 0;
    for (; *text && *text != 'e'; text++) {
        if (*text != '.' && decimal->n < DIGITS_MAX)
            decimal->digits[decimal->n++] = *text;
    }
    decimal->digits[decimal->n] = '\0';
    decimal->exponent = 0;
    if (*text == 'e') {
        bool negative = text[1] == '-';
        for (text += 2; *text; text++)
            decimal->exponent = decimal->exponent * 10 + (*text - '0');
        if (negative)
            decimal->exponent = -decimal->exponent;
    }
}

static void strip_zeros(struct decimal *decimal)
{
    while (decimal->n > 1 && decimal->digits[decimal->n - 1] == '0')
        decimal->n--;
    decimal->digits[decimal->n] = '\0';
}

static char *fill(char *out, char c, int n)
{
    for (int i = 0; i < n; i++)
        *out++ = c;
    return out;
}

static char *copy(char *out, const char *digits, size_t n)
{
    memcpy(out, digits, n);
    return out + n;
}

static size_t lay_plain(const struct decimal *d, char *out)
{
    char *end = out;
    if (d->negative)
        *end++ = '-';
    if (d->exponent < 0) {
        end = copy(end, "0.", 2);
        end = fill(end, '0', -d->exponent - 1);
        end = copy(end, d->digits, d->n);
    } else if ((size_t)d->exponent + 1 >= d->n) {
        end = copy(end, d->digits, d->n);
        end = fill(end, '0', d->exponent + 1 - (int)d->n);
    } else {
        size_t whole = (size_t)d->exponent + 1;
        end = copy(end, d->digits, whole);
        *end++ = '.';
        end = copy(end, d->digits + whole, d->n - whole);
    }
    *end = '\0';
    return (size_t)(end - out);
}

static size_t lay_exponent(const struct decimal *d, char *out)
{
    char *end = out;
    if (d->negative)
        *end++ = '-';
    *end++ = d->digits[0];
    if (d->n > 1) {
        *end++ = '.';
        end = copy(end, d->digits + 1, d->n - 1);
    }
    int n = snprintf(end, 8, "e%d", d->exponent);
    return (size_t)(end - out) + (size_t)n;
}

static size_t lay(const struct decimal *d, char out[PJI_NUM_TEXT])
{
    if (d->exponent >= PLAIN_LOWEST && d->exponent < PLAIN_HIGHEST)
        return lay_plain(d, out);
    return lay_exponent(d, out);
}

static size_t put(char out[PJI_NUM_TEXT], const char *text)
{
    size_t len = strlen(text);
    memcpy(out, text, len + 1);
    return len;
}

/* Whole numbers are the most frequent case by far and need no search. */
static size_t format_whole(double value, char out[PJI_NUM_TEXT])
{
    return (size_t)snprintf(out, PJI_NUM_TEXT, "%lld", (long long)value);
}

size_t pji_num_format(double value, char out[PJI_NUM_TEXT])
{
    if (!isfinite(value))
        return put(out, "null");
    double magnitude = fabs(value);
    if (magnitude <= 0)
        return put(out, signbit(value) ? "-0" : "0");
    if (magnitude < 1e15 && trunc(value) == value)
        return format_whole(value, out);
    char text[PJI_NUM_TEXT];
    /* 15 digits always survive text -> double -> text for normal numbers; denormals have fewer */
    for (int digits = magnitude < 0x1p-1022 ? 1 : 15; digits <= DIGITS_MAX; digits++) {
        print_c(text, sizeof text, "%.*e", digits - 1, value);
        double back = strtod_l(text, NULL, pji_num_locale());
        if (!(back < value) && !(back > value))
            break;
    }
    struct decimal decimal;
    split(text, &decimal);
    strip_zeros(&decimal);
    return lay(&decimal, out);
}

size_t pji_num_format_digits(double value, int digits, char out[PJI_NUM_TEXT])
{
    if (!isfinite(value))
        return put(out, "null");
    if (fabs(value) <= 0)
        return put(out, "0");
    digits = digits < 1 ? 1 : digits > DIGITS_MAX ? DIGITS_MAX : digits;
    char text[PJI_NUM_TEXT];
    print_c(text, sizeof text, "%.*e", digits - 1, value);
    struct decimal decimal;
    split(text, &decimal);
    return lay(&decimal, out);
}

size_t pji_num_format_fixed(double value, int decimals, char out[PJI_NUM_TEXT])
{
    if (!isfinite(value))
        return put(out, "null");
    if (fabs(value) >= 1e15)
        return pji_num_format(value, out);
    decimals = decimals < 0 ? 0 : decimals > DIGITS_MAX ? DIGITS_MAX : decimals;
    int n = print_c(out, PJI_NUM_TEXT, "%.*f", decimals, value);
    if (out[0] == '-' && strspn(out + 1, "0.") == (size_t)n - 1) {
        memmove(out, out + 1, (size_t)n); /* "-0.00" is only noise */
        n--;
    }
    return (size_t)n;
}
