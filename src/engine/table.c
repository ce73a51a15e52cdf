/* engine/table.c - every kind of engine: one row each, and one more for each protocol of a kind. */
#include "engine/kinds.h"

#include <string.h>

static const struct pji_engine_ops *const table[] = {
    &pji_engine_llamacpp, &pji_engine_vllm,          &pji_engine_openai,
    &pji_engine_command,  &pji_engine_command_lines, NULL,
};

const struct pji_engine_ops *const *pji_engine_table(void)
{
    return table;
}

const struct pji_engine_ops *pji_engine_find(const char *kind)
{
    for (size_t i = 0; table[i] != NULL; i++)
        if (strcmp(table[i]->kind, kind) == 0)
            return table[i];
    return NULL;
}

const struct pji_engine_ops *pji_engine_speaking(const char *kind, const char *protocol)
{
    for (size_t i = 0; table[i] != NULL; i++)
        if (strcmp(table[i]->kind, kind) == 0 && table[i]->protocol != NULL &&
            strcmp(table[i]->protocol, protocol) == 0)
            return table[i];
    return NULL;
}

int pji_engine_alive_fd(const struct pji_engine_ops *ops, void *state)
{
    return ops->alive_fd != NULL ? ops->alive_fd(state) : -1;
}
