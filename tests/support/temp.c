/* support/temp.c - see temp.h. Below TMPDIR, else /tmp. */
#include "temp.h"

#include "platform/durable.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void give_up(const char *what, const char *path)
{
    fprintf(stderr, "temp: cannot %s %s\n", what, path);
    abort();
}

void temp_open(char dir[TEMP_PATH])
{
    const char *base = getenv("TMPDIR");
    if (!base || strlen(base) > TEMP_PATH - 24)
        base = "/tmp";
    (void)snprintf(dir, TEMP_PATH, "%s/perjoule-test-XXXXXX", base);
    if (!mkdtemp(dir))
        give_up("make", dir);
}

void temp_write(const char *dir, const char *path, const char *text)
{
    char full[4096];
    int n = snprintf(full, sizeof full, "%s/%s", dir, path);
    if (n < 0 || n >= (int)sizeof full)
        give_up("name", path);
    char *slash = strrchr(full, '/');
    *slash = '\0';
    if (pji_make_dirs(full, NULL))
        give_up("make", full);
    *slash = '/';
    FILE *file = fopen(full, "wbe");
    if (!file || fputs(text, file) < 0 || fclose(file) != 0)
        give_up("write", full);
}

void temp_close(const char *dir)
{
    if (pji_remove_tree(dir, NULL))
        give_up("remove", dir);
}
