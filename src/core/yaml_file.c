/* core/yaml_file.c - a YAML file as a tree. Nobody writes 16 MiB of YAML by hand. */
#include "core/array.h"
#include "core/yaml.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { FILE_MAX = 16 * 1024 * 1024, CHUNK = 64 * 1024 };

static pj_status read_all(FILE *file, const char *path, char **text, size_t *len,
                          struct pj_error *err)
{
    size_t cap = 0;
    for (;;) {
        pj_status status = pji_array_reserve(text, &cap, *len + CHUNK, 1, err);
        if (status)
            return status;
        errno = 0;
        size_t n = fread(*text + *len, 1, CHUNK, file);
        *len += n;
        if (ferror(file))
            return pji_fail_errno(err, errno ? errno : EIO, "cannot read %s", path);
        if (*len > FILE_MAX)
            return pji_fail(err, PJ_EINVAL, "%s is larger than %d bytes", path, (int)FILE_MAX);
        if (n == 0)
            return PJ_OK;
    }
}

pj_status pji_yaml_read(struct pji_yaml_doc *doc, const char *path, struct pj_error *err)
{
    *doc = (struct pji_yaml_doc){0};
    FILE *file = fopen(path, "rbe");
    if (!file)
        return pji_fail_errno(err, errno, "cannot open %s", path);
    char *text = NULL;
    size_t len = 0;
    pj_status status = read_all(file, path, &text, &len, err);
    (void)fclose(file);
    if (!status)
        status = pji_yaml_parse(doc, text, len, path, err);
    free(text);
    return status;
}
