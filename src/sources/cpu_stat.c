/* proc(5), /proc/stat: user nice system idle iowait irq softirq steal guest guest_nice. Guest time
 * is contained in user and nice already. Steal is time in which the hypervisor ran somebody else:
 * not our work, so it is part of the whole and not of busy. Kernels before 2.6 lack the later
 * columns: the first four are required.
 */
#include "sources/cpu_stat.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

enum { USER, NICE, SYSTEM, IDLE, IOWAIT, IRQ, SOFTIRQ, STEAL, FIELDS };

/* Next decimal number on this line; false at its end. */
static bool next_number(const char **at, const char *end, uint64_t *value)
{
    const char *p = *at;

    while (p < end && *p == ' ')
        p++;
    if (p == end || *p < '0' || *p > '9')
        return false;
    for (*value = 0; p < end && *p >= '0' && *p <= '9'; p++)
        *value = *value * 10 + (uint64_t)(*p - '0');
    *at = p;
    return true;
}

int pji_cpu_stat_parse(const char *text, size_t len, struct pji_cpu_stat *out)
{
    const char *end = memchr(text, '\n', len);
    const char *at = text + 4;
    uint64_t field[FIELDS] = {0};
    int n = 0;

    if (!end || len < 4 || memcmp(text, "cpu ", 4) != 0)
        return -EBADMSG;
    while (n < FIELDS && next_number(&at, end, &field[n]))
        n++;
    if (n <= IDLE)
        return -EBADMSG;
    out->busy = field[USER] + field[NICE] + field[SYSTEM] + field[IRQ] + field[SOFTIRQ];
    out->total = out->busy + field[IDLE] + field[IOWAIT] + field[STEAL];
    return 0;
}
