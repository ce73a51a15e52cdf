/* Appending to an emissions.csv that others write too. One write(2) with O_APPEND under flock(2):
 * two of us never mix. A file is never changed but at its end; what does not fit is renamed, and
 * renameat2(2) with RENAME_NOREPLACE never hits an earlier backup.
 */
#include "cli/emissions.h"

#include "cli/lean.h"
#include "core/csv.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

pj_status pji_emissions_check(const char *path, struct pj_error *err)
{
    int fd = open(path, O_RDWR | O_APPEND | O_CLOEXEC);
    char folder[PATH_MAX];
    char *slash;

    if (fd >= 0) {
        (void)close(fd);
        return PJ_OK;
    }
    if (errno != ENOENT)
        return pji_fail_errno(err, errno, "cannot append to '%s'", path);
    (void)snprintf(folder, sizeof folder, "%s", path);
    slash = strrchr(folder, '/');
    if (slash)
        slash[slash == folder] = '\0';
    if (access(slash ? folder : ".", W_OK | X_OK) < 0)
        return pji_fail_errno(err, errno, "cannot create '%s'", path);
    return PJ_OK;
}

/* The columns of the file that fd is: n = 0 for an empty one; a column that nobody knows is -1. */
static pj_status read_order(int fd, const char *path, struct pji_emissions_order *order,
                            struct pj_error *err)
{
    int copy = dup(fd);
    FILE *file = copy >= 0 ? fdopen(copy, "r") : NULL;
    struct pji_csv *csv = NULL;
    struct pji_csv_row row;
    pj_status status;

    order->n = 0;
    if (!file) {
        if (copy >= 0)
            (void)close(copy);
        return pji_fail_errno(err, errno, "cannot read '%s'", path);
    }
    status = pji_csv_open(&csv, file, path, ',', err);
    if (!status)
        status = pji_csv_read(csv, &row, NULL);
    for (size_t i = 0; status == PJ_OK && i < row.n; i++) {
        if (order->n < PJI_EMISSIONS_COLUMNS)
            order->columns[order->n++] = pji_emissions_find(row.fields[i]);
        else
            order->columns[0] = -1; /* too many: no schema */
    }
    if (status < 0 && status != PJ_ENOMEM) { /* not even a CSV: a file of somebody else */
        order->n = 1;
        order->columns[0] = -1;
        status = PJ_OK;
    }
    pji_csv_close(csv);
    (void)fclose(file);
    return status < 0 ? status : PJ_OK;
}

static pj_status set_aside(const char *path, struct pj_error *err)
{
    char backup[PATH_MAX + 32];

    (void)snprintf(backup, sizeof backup, "%s.bak", path);
    for (int i = 0; i < INT_MAX; i++) {
        if (renameat2(AT_FDCWD, path, AT_FDCWD, backup, RENAME_NOREPLACE) == 0)
            return PJ_OK;
        if (errno != EEXIST)
            break;
        (void)snprintf(backup, sizeof backup, "%s_%d.bak", path, i);
    }
    return pji_fail_errno(err, errno, "cannot rename '%s' to '%s'", path, backup);
}

/* A last line that somebody's crash cut off must not swallow ours. */
static bool ends_inside_a_line(int fd)
{
    struct stat st;
    char last;

    return fstat(fd, &st) == 0 && st.st_size > 0 && pread(fd, &last, 1, st.st_size - 1) == 1 &&
           last != '\n';
}

static pj_status write_row(int fd, const char *path, int schema, struct pji_emissions_order *order,
                           const struct pji_emissions_row *row, struct pj_error *err)
{
    struct pji_str text = {0};
    pj_status status;
    int failed;

    if (order->n == 0) {
        pji_emissions_order_of(order, schema);
        pji_emissions_header_text(order, &text);
    } else if (ends_inside_a_line(fd)) {
        pji_str_addc(&text, '\n');
    }
    pji_emissions_row_text(order, row, &text);
    status = pji_str_ok(&text, err);
    failed = status ? 0 : pji_lean_write(fd, pji_str_text(&text), text.len);
    if (failed)
        status = pji_fail_errno(err, failed, "cannot append to '%s'", path);
    pji_str_fini(&text);
    return status;
}

/* Opens and locks; *stale: somebody renamed the file before we had the lock. */
static pj_status open_locked(int *fd, const char *path, bool *stale, struct pj_error *err)
{
    struct stat ours, theirs;

    *stale = false;
    *fd = open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
    if (*fd < 0)
        return pji_fail_errno(err, errno, "cannot append to '%s'", path);
    while (flock(*fd, LOCK_EX) < 0) {
        if (errno != EINTR)
            break; /* a file system without locks: a single write is all that we can do */
    }
    *stale = fstat(*fd, &ours) < 0 || stat(path, &theirs) < 0 || ours.st_ino != theirs.st_ino ||
             ours.st_dev != theirs.st_dev;
    return PJ_OK;
}

pj_status pji_emissions_append(const char *path, int schema, const struct pji_emissions_row *row,
                               struct pj_error *err)
{
    pj_status status = PJ_OK;
    bool done = false;

    while (!done && !status) {
        struct pji_emissions_order order = {.n = 0};
        bool stale;
        int fd;

        status = open_locked(&fd, path, &stale, err);
        if (status)
            return status;
        if (!stale)
            status = read_order(fd, path, &order, err);
        if (!stale && !status && order.n > 0 && pji_emissions_schema_of(&order) != schema) {
            status = set_aside(path, err);
            stale = true; /* once more, with a file of our own */
        }
        if (!stale && !status) {
            status = write_row(fd, path, schema, &order, row, err);
            done = true;
        }
        (void)close(fd);
    }
    return status;
}
