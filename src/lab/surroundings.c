#include "lab/surroundings.h"

#include <unistd.h>

void pji_surroundings_begin(struct pji_surroundings *s, const char *root)
{
    if (!s->open)
        s->open = pji_platform_open_real(&s->platform, root, NULL) == PJ_OK;
    if (s->open && pji_host_read(&s->before, &s->platform, NULL) != PJ_OK)
        pji_host_fini(&s->before);
}

void pji_surroundings_end(struct pji_surroundings *s, bool ours, struct pji_host_change *change)
{
    struct pji_host_state after = {0};
    *change = (struct pji_host_change){0};
    if (s->open && s->before.t_ns != 0 && pji_host_read(&after, &s->platform, NULL) == PJ_OK)
        pji_host_compare(&s->before, &after, ours ? getpid() : 0, change);
    pji_host_fini(&after);
}

void pji_surroundings_close(struct pji_surroundings *s)
{
    pji_host_fini(&s->before);
    if (s->open)
        pji_platform_close_real(&s->platform);
    s->open = false;
}
