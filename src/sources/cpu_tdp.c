/* Binary search in the generated table. */
#include "sources/cpu_tdp.h"

#include <stdlib.h>
#include <string.h>

static int compare(const void *key, const void *row)
{
    return strcmp(key, ((const struct pji_cpu_tdp *)row)->name);
}

const struct pji_cpu_tdp *pji_cpu_tdp_find(const char *short_name)
{
    return bsearch(short_name, pji_cpu_tdp_table, pji_cpu_tdp_count, sizeof pji_cpu_tdp_table[0],
                   compare);
}
