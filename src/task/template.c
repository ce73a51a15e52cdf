/* task/template.c - {field} to text; see task.h. */
#include "task/task.h"

#include "task/path.h"

#include <string.h>

static void place(char *out, size_t size, const struct pji_item *item)
{
    struct pji_str text = {0};
    pji_str_addf(&text, "%s:%zu", item->file ? item->file : "item", item->line);
    size_t n = text.len < size ? text.len : size - 1;
    memcpy(out, pji_str_text(&text), n);
    out[n] = '\0';
    pji_str_fini(&text);
}

static pj_status fill(struct pji_str *out, const char *name, size_t len,
                      const struct pji_item *item, struct pj_error *err)
{
    char where[256];
    const json_t *value = len > 0 ? pji_path_get(item->fields, name, len) : NULL;
    int shown = len > 60 ? 60 : (int)len;
    if (value && pji_path_write(out, value))
        return PJ_OK;
    place(where, sizeof where, item);
    if (len == 0)
        return pji_fail(err, PJ_EINVAL,
                        "the template has {} without a name: write {field}, or {{}} "
                        "for braces");
    if (!value)
        return pji_fail(err, PJ_EINVAL,
                        "%s: the item has no field '%.*s', which the template names", where, shown,
                        name);
    return pji_fail(err, PJ_EINVAL, "%s: field '%.*s' is %s, and a template needs a text or number",
                    where, shown, name,
                    json_is_null(value)    ? "null"
                    : json_is_array(value) ? "a list"
                                           : "an object");
}

pj_status pji_template_render(const char *template_text, const struct pji_item *item, char **out,
                              struct pj_error *err)
{
    struct pji_str text = {0};
    pj_status status = PJ_OK;
    *out = NULL;
    pji_str_add(&text, ""); /* an empty template gives an empty prompt, not NULL */
    for (const char *p = template_text; !status && *p;) {
        size_t plain = strcspn(p, "{}");
        pji_str_addn(&text, p, plain);
        p += plain;
        if (!*p)
            break;
        if (p[1] == p[0]) {
            pji_str_addc(&text, *p);
            p += 2;
            continue;
        }
        size_t name = *p == '{' ? strcspn(p + 1, "{}\n") : 0;
        if (*p == '}' || p[1 + name] != '}')
            status = pji_fail(err, PJ_EINVAL,
                              "the template has a single '%c' at byte %zu: write {field}, or %c%c "
                              "for the brace itself",
                              *p, (size_t)(p - template_text) + 1, *p, *p);
        else
            status = fill(&text, p + 1, name, item, err);
        p += name + 2;
    }
    if (!status)
        status = pji_str_ok(&text, err);
    if (!status && !text.text)
        status = (*out = pji_dup("", err)) ? PJ_OK : PJ_ENOMEM;
    else if (!status)
        *out = pji_str_take(&text);
    pji_str_fini(&text);
    return status;
}
