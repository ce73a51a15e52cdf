/* fuzz/fuzz_num.c - numbers from any bytes: what is accepted must agree with strtod on the same
 * text, and must survive being written and read again.
 */
#include "core/num.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds)
        abort();
}

static void check_text(const char *text, size_t size)
{
    struct pj_error err = {0};
    double value;
    int64_t whole;
    uint64_t positive;
    pj_status status = pji_num_parse(text, size, &value, &err);
    must(status == PJ_OK || (status == PJ_EINVAL && err.text[0]));
    if (status == PJ_OK) {
        char *copy = strndup(text, size);
        must(copy != NULL);
        double expected = strtod(copy, NULL); /* the C locale is in force here */
        must(memcmp(&value, &expected, sizeof value) == 0);
        free(copy);
    }
    pj_status comma = pji_num_parse_comma(text, size, &value, NULL);
    must(comma == PJ_OK || comma == PJ_EINVAL);
    if (pji_num_parse_i64(text, size, &whole, NULL) == PJ_OK)
        must(status == PJ_OK);
    if (pji_num_parse_u64(text, size, &positive, NULL) == PJ_OK)
        must(status == PJ_OK);
}

static void check_value(double value)
{
    char text[PJI_NUM_TEXT];
    double back;
    size_t len = pji_num_format(value, text);
    must(len < sizeof text && text[len] == '\0');
    if (isfinite(value)) {
        must(pji_num_parse(text, len, &back, NULL) == PJ_OK);
        must(memcmp(&value, &back, sizeof value) == 0);
    }
    for (int digits = 0; digits <= 18; digits++) {
        len = pji_num_format_digits(value, digits, text);
        must(len < sizeof text && text[len] == '\0');
        len = pji_num_format_fixed(value, digits, text);
        must(len < sizeof text && text[len] == '\0');
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    double value;
    check_text((const char *)data, size);
    if (size >= sizeof value) {
        memcpy(&value, data, sizeof value);
        check_value(value);
    }
    return 0;
}
