/* core/num_locale.h - the C locale as an object, for the number code of core/ only.
 *
 * glibc answers newlocale(LC_ALL_MASK, "C", 0) with its static C locale: no memory is taken and
 * none must be freed, so calling it for each number is cheap and needs no state of ours.
 */
#ifndef PJI_CORE_NUM_LOCALE_H
#define PJI_CORE_NUM_LOCALE_H

#include <locale.h>

static inline locale_t pji_num_locale(void)
{
    return newlocale(LC_ALL_MASK, "C", (locale_t)0);
}

#endif
