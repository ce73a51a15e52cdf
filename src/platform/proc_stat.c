#include "platform/proc_stat.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PARENT = 4, GROUP = 5, USER = 14, WAITED_SYSTEM = 17, START = 22 };

/* The name in field 2 may hold blanks and parentheses: what follows is counted from the last ")".
 */
static bool parse(char *text, struct pji_proc_stat *out)
{
    long long field[START + 1] = {0};
    char *open = strchr(text, '(');
    char *shut = strrchr(text, ')');
    if (open == NULL || shut == NULL || shut < open || sscanf(shut + 1, " %c", &out->state) != 1)
        return false;
    *shut = '\0';
    snprintf(out->name, sizeof out->name, "%.15s", open + 1);
    char *at = shut + 1 + strspn(shut + 1, " ") + 1;
    for (size_t i = PARENT; i <= START; i++) {
        char *end = NULL;
        field[i] = strtoll(at, &end, 10);
        if (end == at)
            return false;
        at = end;
    }
    out->parent = (pid_t)field[PARENT];
    out->group = (pid_t)field[GROUP];
    out->own_ticks = (uint64_t)field[USER] + (uint64_t)field[USER + 1];
    out->waited_ticks = (uint64_t)field[WAITED_SYSTEM - 1] + (uint64_t)field[WAITED_SYSTEM];
    out->start_ticks = (uint64_t)field[START];
    return true;
}

bool pji_proc_stat_read(const struct pji_platform *platform, pid_t pid, struct pji_proc_stat *out)
{
    char path[40];
    char text[1024];
    snprintf(path, sizeof path, "/proc/%ld/stat", (long)pid);
    *out = (struct pji_proc_stat){.pid = pid};
    return pji_read_text(platform, path, text, sizeof text, NULL, NULL) == PJ_OK &&
           parse(text, out);
}
