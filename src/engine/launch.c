#include "engine/launch.h"

#include "engine/server.h"

#include <stdlib.h>
#include <string.h>

void pji_engine_path(struct pji_str *out, const char *study_dir, const char *path)
{
    struct pji_str joined = {0};
    if (path[0] != '/' && study_dir != NULL)
        pji_str_addf(&joined, "%s/", study_dir);
    pji_str_add(&joined, path);
    const char *name = strrchr(pji_str_text(&joined), '/');
    char *folder = NULL;
    if (name != NULL && joined.text != NULL && name != joined.text) {
        joined.text[name - joined.text] = '\0';
        folder = realpath(joined.text, NULL);
        joined.text[name - joined.text] = '/';
    }
    if (folder != NULL)
        pji_str_addf(out, "%s%s", folder, name);
    else
        pji_str_add(out, pji_str_text(&joined));
    free(folder);
    pji_str_fini(&joined);
}

void pji_argv_text(struct pji_str *out, const char *const *argv, const char *port)
{
    for (size_t i = 0; argv[i] != NULL; i++)
        pji_str_addf(out, "%s%s", i > 0 ? " " : "", argv[i] == port ? "*" : argv[i]);
}

pj_status pji_choose_port(const char *host, int64_t *port, struct pj_error *err)
{
    if (*port != 0) {
        if (pji_port_is_free(host, (int)*port))
            return PJ_OK;
        return pji_fail(err, PJ_EBUSY,
                        "port %lld on %s is in use; leave 'port' out and a free one is chosen",
                        (long long)*port, host);
    }
    int chosen = 0;
    pj_status rc = pji_free_port(host, &chosen, err);
    *port = chosen;
    return rc;
}
