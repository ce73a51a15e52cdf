/* core/json_write.c - JSON text (RFC 8259) from a jansson tree. Keys keep their insertion order,
 * text stays UTF-8, only what must be escaped is.
 */
#include "core/json.h"

#include "core/num.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

static void write_value(struct pji_str *out, const json_t *value, int indent, int depth);

static void write_text(struct pji_str *out, const char *text, size_t len)
{
    static const char hex[] = "0123456789abcdef";
    static const char special[] = "\b\f\n\r\t\"\\";
    static const char names[] = "bfnrt\"\\";
    pji_str_addc(out, '"');
    size_t from = 0;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c >= 0x20 && c != '"' && c != '\\')
            continue;
        pji_str_addn(out, text + from, i - from);
        from = i + 1;
        const char *known = c ? strchr(special, c) : NULL;
        if (known) {
            char escape[2] = {'\\', names[known - special]};
            pji_str_addn(out, escape, 2);
        } else {
            char escape[6] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};
            pji_str_addn(out, escape, 6);
        }
    }
    pji_str_addn(out, text + from, len - from);
    pji_str_addc(out, '"');
}

static void write_real(struct pji_str *out, double value)
{
    /* a plain "-0" would be read back as the integer 0 */
    if (fabs(value) <= 0 && signbit(value))
        pji_str_add(out, "-0.0");
    else
        pji_str_add_num(out, value);
}

static void new_line(struct pji_str *out, int indent, int depth)
{
    if (indent <= 0)
        return;
    pji_str_addc(out, '\n');
    for (int i = 0; i < indent * depth; i++)
        pji_str_addc(out, ' ');
}

static void write_array(struct pji_str *out, const json_t *array, int indent, int depth)
{
    size_t n = json_array_size(array);
    pji_str_addc(out, '[');
    for (size_t i = 0; i < n; i++) {
        if (i)
            pji_str_add(out, indent > 0 ? "," : ", ");
        new_line(out, indent, depth + 1);
        write_value(out, json_array_get(array, i), indent, depth + 1);
    }
    if (n)
        new_line(out, indent, depth);
    pji_str_addc(out, ']');
}

static void write_object(struct pji_str *out, const json_t *object, int indent, int depth)
{
    json_t *walked = (json_t *)(uintptr_t)object; /* jansson's iterator only lacks the const */
    bool first = true;
    pji_str_addc(out, '{');
    for (void *at = json_object_iter(walked); at; at = json_object_iter_next(walked, at)) {
        if (!first)
            pji_str_add(out, indent > 0 ? "," : ", ");
        first = false;
        new_line(out, indent, depth + 1);
        const char *key = json_object_iter_key(at);
        write_text(out, key, strlen(key));
        pji_str_add(out, ": ");
        write_value(out, json_object_iter_value(at), indent, depth + 1);
    }
    if (!first)
        new_line(out, indent, depth);
    pji_str_addc(out, '}');
}

static void write_value(struct pji_str *out, const json_t *value, int indent, int depth)
{
    if (!value) {
        pji_str_add(out, "null");
        return;
    }
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        write_object(out, value, indent, depth);
        break;
    case JSON_ARRAY:
        write_array(out, value, indent, depth);
        break;
    case JSON_STRING:
        write_text(out, json_string_value(value), json_string_length(value));
        break;
    case JSON_INTEGER:
        pji_str_addf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        break;
    case JSON_REAL:
        write_real(out, json_real_value(value));
        break;
    case JSON_TRUE:
        pji_str_add(out, "true");
        break;
    case JSON_FALSE:
        pji_str_add(out, "false");
        break;
    case JSON_NULL:
        pji_str_add(out, "null");
        break;
    }
}

void pji_json_write(struct pji_str *out, const json_t *value, int indent)
{
    write_value(out, value, indent, 0);
}
