/* load/quote.c - text to a JSON string; declared in scan.h, whose opposite it is. */
#include "load/scan.h"

static void add_escape(struct pji_str *out, char c)
{
    static const char hex[] = "0123456789abcdef";
    unsigned char byte = (unsigned char)c;
    char text[6] = {'\\', 'u', '0', '0', hex[byte >> 4], hex[byte & 15]};
    if (c == '"' || c == '\\') {
        pji_str_addc(out, '\\');
        pji_str_addc(out, c);
    } else if (c == '\n') {
        pji_str_addn(out, "\\n", 2);
    } else {
        pji_str_addn(out, text, sizeof text);
    }
}

/* Bytes that may stand in a JSON string as they are. */
static size_t plain(const char *p, size_t len)
{
    size_t n = 0;
    while (n < len) {
        unsigned char c = (unsigned char)p[n];
        if (c >= 0x20 && c < 0x80 && c != '"' && c != '\\') {
            n++;
            continue;
        }
        size_t wide = c >= 0x80 ? pji_utf8_length(p + n, len - n) : 0;
        if (wide == 0)
            break;
        n += wide;
    }
    return n;
}

void pji_quote(struct pji_str *out, const char *text, size_t len)
{
    pji_str_addc(out, '"');
    while (len > 0) {
        size_t n = plain(text, len);
        if (n > 0)
            pji_str_addn(out, text, n);
        text += n;
        len -= n;
        if (len == 0)
            break;
        if ((unsigned char)*text >= 0x80)
            pji_str_add(out, "\xef\xbf\xbd");
        else
            add_escape(out, *text);
        text++;
        len--;
    }
    pji_str_addc(out, '"');
}
