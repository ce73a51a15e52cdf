/* core/num.h - numbers in and out of text, independent of any locale, correctly rounded both ways.
 *
 * Reading accepts exactly: optional sign, decimal digits with an optional '.', optional exponent;
 * "inf", "nan" and hexadecimal are refused. Leading and trailing blanks are refused too: trimming
 * is the caller's decision. A decimal comma ("198,88") is an error whose message says that the
 * text looks like a decimal comma and how to declare it; it is never 19888 and never 198.
 */
#ifndef PJI_CORE_NUM_H
#define PJI_CORE_NUM_H

#include "core/error.h"

#include <stddef.h>
#include <stdint.h>

enum { PJI_NUM_TEXT = 40 };

/* Parse all of text[0..len). Overflow to infinity is PJ_EINVAL; underflow gives the nearest
 * denormal or 0. err names the offending text. */
pj_status pji_num_parse(const char *text, size_t len, double *value, struct pj_error *err);
/* The same for a table whose decimal mark was declared to be a comma. */
pj_status pji_num_parse_comma(const char *text, size_t len, double *value, struct pj_error *err);
pj_status pji_num_parse_i64(const char *text, size_t len, int64_t *value, struct pj_error *err);
pj_status pji_num_parse_u64(const char *text, size_t len, uint64_t *value, struct pj_error *err);

/* Shortest decimal text that reads back as exactly `value` (15 to 17 significant digits); plain
 * notation for 1e-5 <= |value| < 1e15, else exponent. value must be finite (a NaN gives "null").
 * Returns the length; out is NUL-terminated. */
size_t pji_num_format(double value, char out[PJI_NUM_TEXT]);
/* `value` with `digits` significant digits (1…17), trailing zeros kept (2.5 with 4 digits: 2.500),
 * notation as above: for people. */
size_t pji_num_format_digits(double value, int digits, char out[PJI_NUM_TEXT]);
/* `value` with `decimals` digits after the point (0…17), never "-0.00"; from 1e15 on as
 * pji_num_format. */
size_t pji_num_format_fixed(double value, int decimals, char out[PJI_NUM_TEXT]);

#endif
