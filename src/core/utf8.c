/* core/utf8.c - RFC 3629, table of well-formed sequences in its section 4. */
#include "core/str.h"

/* Length of the well-formed sequence at the front, 0 when there is none. */
static size_t sequence(const unsigned char *at, size_t left)
{
    unsigned char lowest = 0x80;
    unsigned char highest = 0xbf;
    size_t more;
    if (at[0] < 0x80)
        return 1;
    if (at[0] < 0xc2 || at[0] > 0xf4)
        return 0;
    if (at[0] < 0xe0) {
        more = 1;
    } else if (at[0] < 0xf0) {
        more = 2;
        if (at[0] == 0xe0)
            lowest = 0xa0;
        else if (at[0] == 0xed)
            highest = 0x9f;
    } else {
        more = 3;
        if (at[0] == 0xf0)
            lowest = 0x90;
        else if (at[0] == 0xf4)
            highest = 0x8f;
    }
    if (left < more + 1 || at[1] < lowest || at[1] > highest)
        return 0;
    for (size_t i = 2; i <= more; i++) {
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    }
    return more + 1;
}

size_t pji_utf8_span(const char *text, size_t len)
{
    const unsigned char *bytes = (const unsigned char *)text;
    size_t i = 0;
    while (i < len) {
        size_t n = sequence(bytes + i, len - i);
        if (n == 0)
            break;
        i += n;
    }
    return i;
}
