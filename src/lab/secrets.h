/* lab/secrets.h - secrets in the text of a study file, which is kept word for word with its records
 * and goes wherever they go: API keys and passwords as options of a program, names and passwords in
 * addresses, headers of requests, and keys of the shapes that well-known services give out. Found
 * in comments too. A study that holds one is refused before anything is written.
 */
#ifndef PJI_LAB_SECRETS_H
#define PJI_LAB_SECRETS_H

#include <stdbool.h>
#include <stddef.h>

/* The first one in text[0..len): where it begins (from 1) and what it is, a static text that does
 * not repeat it. */
bool pji_secret_find(const char *text, size_t len, size_t *line, size_t *column, const char **what);

#endif
