/* platform/platform.c - conveniences that work on any platform table. */
#include "platform/platform.h"

#include "core/num.h"
#include "core/str.h"

#include <errno.h>
#include <string.h>

/* Fills the buffer from offset 0 on; the number of bytes or a negative errno. */
static ssize_t read_all(const struct pji_platform *platform, int handle, char *buffer, size_t size)
{
    size_t len = 0;
    while (len < size) {
        ssize_t n =
            platform->ops->pread(platform->context, handle, buffer + len, size - len, (off_t)len);
        if (n < 0)
            return n;
        if (n == 0)
            break;
        len += (size_t)n;
    }
    return (ssize_t)len;
}

pj_status pji_read_text(const struct pji_platform *platform, const char *path, char *buffer,
                        size_t size, size_t *len, struct pj_error *err)
{
    if (size == 0)
        return pji_fail(err, PJ_EINVAL, "no room to read %s", path);
    buffer[0] = '\0';
    int handle = platform->ops->open(platform->context, path);
    if (handle < 0)
        return pji_fail_errno(err, -handle, "cannot open %s", path);
    ssize_t n = read_all(platform, handle, buffer, size);
    platform->ops->close(platform->context, handle);
    if (n < 0) {
        buffer[0] = '\0';
        return pji_fail_errno(err, (int)-n, "cannot read %s", path);
    }
    size_t got = (size_t)n;
    if (got == size) {
        buffer[0] = '\0';
        return pji_fail(err, PJ_EINVAL, "%s holds more than %zu bytes, which nobody expects there",
                        path, size - 1);
    }
    if (got > 0 && buffer[got - 1] == '\n')
        got--;
    buffer[got] = '\0';
    if (len)
        *len = got;
    return PJ_OK;
}

pj_status pji_read_i64(const struct pji_platform *platform, const char *path, int64_t *value,
                       struct pj_error *err)
{
    char text[64];
    size_t len;
    pj_status status = pji_read_text(platform, path, text, sizeof text, &len, err);
    if (status)
        return status;
    while (len > 0 && (text[len - 1] == ' ' || text[len - 1] == '\t'))
        len--;
    size_t from = 0;
    while (from < len && (text[from] == ' ' || text[from] == '\t'))
        from++;
    struct pj_error cause = {0};
    status = pji_num_parse_i64(text + from, len - from, value, &cause);
    if (status)
        return pji_fail(err, status, "%s: %s", path, cause.text);
    return PJ_OK;
}

bool pji_path_exists(const struct pji_platform *platform, const char *path)
{
    char target[2];
    ssize_t n = platform->ops->readlink(platform->context, path, target, sizeof target);
    if (n == -EINVAL)
        return true; /* it is there and not a link */
    if (n < 0)
        return false;
    int handle = platform->ops->open(platform->context, path);
    if (handle >= 0)
        platform->ops->close(platform->context, handle);
    return handle >= 0 || (handle != -ENOENT && handle != -ENOTDIR && handle != -ELOOP);
}

int pji_pread_u64(const struct pji_platform *platform, int handle, uint64_t *value)
{
    char text[32];
    ssize_t n = platform->ops->pread(platform->context, handle, text, sizeof text, 0);
    if (n < 0)
        return (int)n;
    size_t len = (size_t)n;
    while (len > 0 && (text[len - 1] == '\n' || text[len - 1] == ' '))
        len--;
    if (len == 0 || len == sizeof text)
        return -EBADMSG;
    uint64_t read = 0;
    for (size_t i = 0; i < len; i++) {
        unsigned digit = (unsigned)(unsigned char)text[i] - '0';
        if (digit > 9 || __builtin_mul_overflow(read, (uint64_t)10, &read) ||
            __builtin_add_overflow(read, (uint64_t)digit, &read))
            return -EBADMSG;
    }
    *value = read;
    return 0;
}

int pji_path_mode(const struct pji_platform *platform, const char *path, struct pji_file_mode *out)
{
    if (!platform->ops->mode)
        return -ENOSYS;
    return platform->ops->mode(platform->context, path, out);
}
