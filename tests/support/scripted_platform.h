/* support/scripted_platform.h - a pji_platform whose machine is a script in memory: files, links,
 * errors, slowness, perf events, shared libraries and clocks.
 *
 *     struct scripted *s = scripted_new();
 *     scripted_file(s, "/sys/class/powercap/intel-rapl:0/name", "package-0\n");
 *     scripted_file(s, "/sys/class/powercap/intel-rapl:0/energy_uj", "100\n");
 *     source->open(state, &(struct pji_source_env){.platform = scripted_platform(s)}, …);
 *     scripted_then(s, "/sys/class/powercap/intel-rapl:0/energy_uj",
 *                   (struct scripted_step[]){{"200\n"}, {.sys_errno = EIO}, {"300\n"}}, 3);
 *     scripted_forget_counts(s);
 *     scripted_advance_ns(s, 1000000000);
 *     source->read(state, &sink, …);                           // reads 200
 *     assert_int_equal(scripted_counts(s, NULL).opens, 0);     // nothing was opened while sampling
 *     assert_int_equal(scripted_open_handles(s), 0);           // after close
 *     scripted_free(s);
 *
 * One read is one pread at offset 0; later offsets continue in what that read gave. Folders exist
 * when something lies in them (or scripted_dir made them); opening one is -EISDIR. Symbolic links
 * are followed everywhere, also inside a path. Nothing but the script's own calls and latencies
 * moves the clocks. All operations and functions may be called from any thread. A script that
 * cannot work (a path that does not start with '/', no memory) ends the test program with a
 * message.
 */
#ifndef TEST_SUPPORT_SCRIPTED_PLATFORM_H
#define TEST_SUPPORT_SCRIPTED_PLATFORM_H

#include "platform/platform.h"

struct scripted;

struct scripted *scripted_new(void);
void scripted_free(struct scripted *s);
/* Borrowed; valid until scripted_free. */
const struct pji_platform *scripted_platform(struct scripted *s);
void scripted_set_rooted(struct scripted *s, bool rooted);

/* ---- what exists ---- */

/* Creates or changes a file; a change is seen through handles that are open, and drops what
 * scripted_then had planned. */
void scripted_file(struct scripted *s, const char *path, const char *text);
void scripted_bytes(struct scripted *s, const char *path, const void *bytes, size_t len);
void scripted_filef(struct scripted *s, const char *path, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void scripted_dir(struct scripted *s, const char *path);
/* A symbolic link; a relative target is relative to the link's folder. */
void scripted_link(struct scripted *s, const char *path, const char *target);
/* Takes away the path and everything below; reads through open handles give -ENODEV from then on,
 * as sysfs does for a device that was unplugged. */
void scripted_remove(struct scripted *s, const char *path);

/* A file whose text is computed at each read: t_ns is MONOTONIC in the middle of the read's
 * latency. `read` prints into text (NUL-terminated) and returns 0 or a negative errno. It must not
 * call back into the script. */
typedef int scripted_read_fn(void *arg, int64_t t_ns, char *text, size_t size);
void scripted_computed(struct scripted *s, const char *path, scripted_read_fn *read, void *arg);

/* A perf event; pread yields the decimal `value` as one uint64_t. Returns a path (valid until
 * scripted_free) for the other functions: scripted_file(s, path, "456") changes the count,
 * scripted_fail_open(s, path, EACCES, -1) refuses it. An event that was not created: -ENOENT. */
const char *scripted_perf(struct scripted *s, uint32_t type, uint64_t config, int cpu,
                          const char *value);

/* A shared library under exactly this name; `symbols` ends with a NULL name and is borrowed. */
struct scripted_symbol {
    const char *name;
    void (*function)(void); /* cast from the real type */
};
void scripted_library(struct scripted *s, const char *name, const struct scripted_symbol *symbols);

/* ---- what goes wrong, and how long it takes ---- */

/* The next n opens (or lists) of the path fail with -sys_errno; n < 0: all of them; 0: none. */
void scripted_fail_open(struct scripted *s, const char *path, int sys_errno, int n);
/* The next n reads fail, also through handles that are open. */
void scripted_fail_read(struct scripted *s, const char *path, int sys_errno, int n);

/* What the next reads give, one step each; then the file keeps the last text. */
struct scripted_step {
    const char *text;   /* NULL: the text it had before */
    int sys_errno;      /* not 0: this read fails */
    int64_t latency_ns; /* added to the file's own latency for this read */
};
void scripted_then(struct scripted *s, const char *path, const struct scripted_step *steps,
                   size_t n);
/* Every read of the path advances MONOTONIC, REALTIME and BOOTTIME by this much, half of it before
 * the value is taken and half after. */
void scripted_latency(struct scripted *s, const char *path, int64_t latency_ns);

/* ---- clocks ---- */

/* At first: MONOTONIC and BOOTTIME 1000 s, REALTIME 1 700 000 000 s, the CPU clocks 0. */
void scripted_set_ns(struct scripted *s, enum pji_clock clock, int64_t t_ns);
/* MONOTONIC, REALTIME and BOOTTIME together: time passes. */
void scripted_advance_ns(struct scripted *s, int64_t dur_ns);
/* REALTIME and BOOTTIME without MONOTONIC: the machine was suspended. */
void scripted_suspend_ns(struct scripted *s, int64_t dur_ns);

/* ---- what was asked for ---- */

struct scripted_counts {
    size_t opens; /* opens of files and perf events, lists, readlinks and libraries, failed too */
    size_t reads; /* one for each pread at offset 0, failed ones too */
    size_t closes;
};
/* Of one path, or of everything (NULL). */
struct scripted_counts scripted_counts(struct scripted *s, const char *path);
void scripted_forget_counts(struct scripted *s);
/* Handles and libraries that are open now: 0 when everything was closed. */
size_t scripted_open_handles(struct scripted *s);

#endif
