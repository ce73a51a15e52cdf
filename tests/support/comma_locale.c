/* support/comma_locale.c - see comma_locale.h. The layout of glibc's compiled locales: a magic
 * number that depends on the category, the number of items, their offsets, the items.
 */
#include "comma_locale.h"

#include "temp.h"

#include <locale.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct numeric {
    uint32_t magic, n, offsets[6];
    char point[2], separator[2], grouping[4];
    uint32_t point_wide, separator_wide;
    char codeset[6];
};

static bool write_numeric(const char *path)
{
    const struct numeric numeric = {
        .magic = UINT32_C(0x20031115) ^ 1,
        .n = 6,
        .offsets = {offsetof(struct numeric, point), offsetof(struct numeric, separator),
                    offsetof(struct numeric, grouping), offsetof(struct numeric, point_wide),
                    offsetof(struct numeric, separator_wide), offsetof(struct numeric, codeset)},
        .point = ",",
        .separator = ".",
        .grouping = "\003\003",
        .point_wide = ',',
        .separator_wide = '.',
        .codeset = "UTF-8"};
    FILE *file = fopen(path, "wbe");
    if (!file)
        return false;
    size_t size = offsetof(struct numeric, codeset) + sizeof numeric.codeset;
    bool good = fwrite(&numeric, 1, size, file) == size;
    return fclose(file) == 0 && good;
}

bool comma_locale_enter(void)
{
    char dir[TEMP_PATH];
    char path[TEMP_PATH + 32];
    char shown[8];
    temp_open(dir);
    (void)snprintf(path, sizeof path, "%s/comma", dir);
    bool good = mkdir(path, 0777) == 0;
    (void)snprintf(path, sizeof path, "%s/comma/LC_NUMERIC", dir);
    good = good && write_numeric(path) && setenv("LOCPATH", dir, 1) == 0 &&
           setlocale(LC_NUMERIC, "comma") != NULL;
    temp_close(dir);
    (void)snprintf(shown, sizeof shown, "%.1f", 1.5);
    return good && strcmp(shown, "1,5") == 0;
}

void comma_locale_leave(void)
{
    (void)setlocale(LC_NUMERIC, "C");
    (void)unsetenv("LOCPATH");
}
