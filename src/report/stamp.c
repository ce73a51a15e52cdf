/* report/stamp.c - what gnuplot's libraries leave out of a PNG (its resolution: PNG specification,
 * chunk pHYs, pixels per metre; CRC-32 of annex D) or put into a PDF from the clock (CreationDate,
 * PDF 32000-1 7.9.4).
 */
#include "report/gnuplot.h"

#include "core/units.h"
#include "platform/durable.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { PNG_HEAD = 33 /* signature and IHDR */, PHYS = 21, LIMIT = 64 << 20 };

static uint32_t crc32_of(const unsigned char *bytes, size_t len)
{
    uint32_t crc = 0xFFFFFFFFU;
    for (size_t i = 0; i < len; i++) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; bit++)
            crc = (crc >> 1) ^ ((crc & 1U) != 0 ? 0xEDB88320U : 0);
    }
    return ~crc;
}

static void put_u32(unsigned char *out, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        out[i] = (unsigned char)(value >> (24 - 8 * i));
}

/* Pictures are drawn again from records at any time: plain writes, no fsync for each. */
static pj_status overwrite(const char *path, const char *a, size_t a_len, const void *b,
                           size_t b_len, const char *c, size_t c_len, struct pj_error *err)
{
    FILE *file = fopen(path, "wbe");
    if (file == NULL)
        return pji_fail_errno(err, errno, "cannot write %s", path);
    bool ok = fwrite(a, 1, a_len, file) == a_len && fwrite(b, 1, b_len, file) == b_len &&
              fwrite(c, 1, c_len, file) == c_len;
    ok = fclose(file) == 0 && ok;
    return ok ? PJ_OK : pji_fail_errno(err, errno, "cannot write %s", path);
}

pj_status pji_png_stamp(const char *path, int dpi, struct pj_error *err)
{
    unsigned char chunk[PHYS] = {0, 0, 0, 9, 'p', 'H', 'Y', 's'};
    char *bytes = NULL;
    size_t len = 0;
    pj_status status = pji_read_file(path, LIMIT, &bytes, &len, err);
    if (status != PJ_OK)
        return status;
    if (len < PNG_HEAD || memcmp(bytes + 12, "IHDR", 4) != 0) {
        free(bytes);
        return pji_fail(err, PJ_EPEER, "gnuplot wrote no PNG to %s", path);
    }
    uint32_t per_metre = (uint32_t)((double)dpi / 0.0254 + 0.5);
    put_u32(chunk + 8, per_metre);
    put_u32(chunk + 12, per_metre);
    chunk[16] = 1; /* the unit is the metre */
    put_u32(chunk + 17, crc32_of(chunk + 4, 13));
    status = overwrite(path, bytes, PNG_HEAD, chunk, PHYS, bytes + PNG_HEAD, len - PNG_HEAD, err);
    free(bytes);
    return status;
}

static pj_status overwrite_at(const char *path, size_t offset, const char *text, size_t len,
                              struct pj_error *err)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    bool ok = fd >= 0 && pwrite(fd, text, len, (off_t)offset) == (ssize_t)len;
    if (fd >= 0)
        ok = close(fd) == 0 && ok;
    return ok ? PJ_OK : pji_fail_errno(err, errno, "cannot write %s", path);
}

pj_status pji_pdf_stamp(const char *path, int64_t wall_ns, struct pj_error *err)
{
    static const char key[] = "/CreationDate (D:";
    enum { DIGITS = 14 };
    char date[32] = "";
    char *bytes = NULL;
    size_t len = 0;
    struct tm utc;
    time_t wall_s = (time_t)(wall_ns / PJI_NS_PER_S);
    if (gmtime_r(&wall_s, &utc) == NULL || strftime(date, sizeof date, "%Y%m%d%H%M%S", &utc) != 14)
        return pji_fail(err, PJ_EINVAL, "the study's time stamp is no date");
    pj_status status = pji_read_file(path, LIMIT, &bytes, &len, err);
    if (status != PJ_OK)
        return status;
    char *at = memmem(bytes, len, key, sizeof key - 1);
    if (at == NULL || (size_t)(at - bytes) + sizeof key + DIGITS > len)
        status = pji_fail(err, PJ_EPEER, "there is no creation date in %s", path);
    else
        status = overwrite_at(path, (size_t)(at - bytes) + sizeof key - 1, date, DIGITS, err);
    free(bytes);
    return status;
}
