/* See lean.h. */
#include "cli/lean.h"

#include "core/num.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

void pji_lean_say(const struct pji_args *args, const char *format, ...)
{
    struct pji_str text = {0};
    va_list list;

    pji_str_addf(&text, "perjoule %s: ", args->command->name);
    va_start(list, format);
    pji_str_addv(&text, format, list);
    va_end(list);
    pji_str_addc(&text, '\n');
    (void)pji_lean_write(STDERR_FILENO, pji_str_text(&text), text.len);
    pji_str_fini(&text);
}

int pji_lean_failed(const struct pji_args *args, const struct pj_error *err)
{
    pji_lean_say(args, "%s", err->text[0] ? err->text : pj_status_name(err->code));
    return err->code == PJ_EINVAL ? PJI_EXIT_USAGE : PJI_EXIT_FAILED;
}

int pji_lean_check_rest(const struct pji_args *args, size_t least, size_t most, const char *missing)
{
    if (args->n_rest < least) {
        pji_lean_say(args, "%s; usage: perjoule %s %s", missing, args->command->name,
                     args->command->synopsis);
        return PJI_EXIT_USAGE;
    }
    if (args->n_rest > most) {
        pji_lean_say(args, "unexpected argument '%s'", args->rest[most]);
        return PJI_EXIT_USAGE;
    }
    return PJI_EXIT_DONE;
}

int pji_lean_write(int fd, const char *text, size_t len)
{
    while (len > 0) {
        ssize_t wrote = write(fd, text, len);

        if (wrote < 0 && errno != EINTR)
            return errno;
        if (wrote > 0) {
            text += wrote;
            len -= (size_t)wrote;
        }
    }
    return 0;
}

int pji_lean_print(const struct pji_args *args, const struct pji_str *text)
{
    int failed = text->failed ? ENOMEM : pji_lean_write(STDOUT_FILENO, text->text, text->len);

    if (failed) {
        pji_lean_say(args, "cannot write the result: %s", strerror(failed));
        return PJI_EXIT_FAILED;
    }
    return PJI_EXIT_DONE;
}

pj_status pji_args_num(const struct pji_args *args, const char *name, double fallback,
                       double *value, struct pj_error *err)
{
    const char *text = pji_args_get(args, name);
    pj_status status;

    *value = fallback;
    if (!text)
        return PJ_OK;
    status = pji_num_parse(text, strlen(text), value, err);
    if (status)
        pji_error_prefix(err, "option --%s", name);
    return status;
}

pj_status pji_args_int(const struct pji_args *args, const char *name, int fallback, int *value,
                       struct pj_error *err)
{
    const char *text = pji_args_get(args, name);
    int64_t wide;
    pj_status status;

    *value = fallback;
    if (!text)
        return PJ_OK;
    status = pji_num_parse_i64(text, strlen(text), &wide, err);
    if (!status && (wide < INT_MIN || wide > INT_MAX))
        status = pji_fail(err, PJ_EINVAL, "'%s' is out of range", text);
    if (status)
        pji_error_prefix(err, "option --%s", name);
    else
        *value = (int)wide;
    return status;
}
