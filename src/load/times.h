/* load/times.h - the times of a trace to replay, from CSV or JSON Lines.
 *
 * A file whose first byte that is not blank is '{' is JSON Lines: one object a line with a number
 * under `field`. Everything else is CSV with a header line, except that a file of one column may
 * lack it; every line has as many fields as the first. Without a field name the columns
 * "timestamp", "t", "time", "arrival_time" and "timestamp_ns" are tried, then the only column.
 * Times are numbers in the stated unit; they must not decrease. Errors name file and line.
 */
#ifndef PJI_LOAD_TIMES_H
#define PJI_LOAD_TIMES_H

#include "core/digest.h"
#include "core/error.h"

#include <stddef.h>
#include <stdint.h>

struct pji_times {
    int64_t *times_ns;
    size_t n, cap;
    char sha256[PJI_SHA256_HEX]; /* of the file */
};

enum { PJI_TIMES_MOST = 10000000 };

/* field NULL: as above. unit_ns: ns of one unit of the file's numbers; 0: not stated, which is a
 * second, but for "timestamp_ns". */
pj_status pji_times_read(struct pji_times *times, const char *path, const char *field,
                         double unit_ns, struct pj_error *err);
void pji_times_fini(struct pji_times *times);

#endif
