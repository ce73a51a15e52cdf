/* support/comma_locale.h - puts the whole program into a locale with a decimal comma, as a host
 * that calls setlocale(LC_ALL, "de_DE.UTF-8") does. No such locale needs to be installed: the
 * 54 bytes of its LC_NUMERIC are written into a folder of the test.
 */
#ifndef TEST_SUPPORT_COMMA_LOCALE_H
#define TEST_SUPPORT_COMMA_LOCALE_H

#include <stdbool.h>

/* False when this C library refuses: then skip, saying so. printf("%.1f") gives a comma after. */
bool comma_locale_enter(void);
void comma_locale_leave(void);

#endif
