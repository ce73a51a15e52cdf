/* /proc/cpuinfo of x86 (arch/x86/kernel/cpu/proc.c): one block for each hardware thread; "siblings"
 * are the threads and "cpu cores" the cores of its socket. The file of a big server has half a
 * megabyte and takes the kernel milliseconds, so only the first block is read where
 * /sys/devices/system/cpu/online tells how many threads there are; otherwise all of it, counting
 * distinct physical ids. Arm has neither names nor sockets there: the threads are counted.
 */
#include "sources/cpu_info.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNK = 8192, MAX_SOCKETS = 64, MAX_BYTES = 8 << 20 };

struct scan {
    struct pji_cpu_info *info;
    int processors;
    uint64_t sockets_seen; /* bit set of physical ids */
};

static bool has_word(const char *text, const char *word)
{
    size_t len = strlen(word);

    for (const char *at = strstr(text, word); at; at = strstr(at + len, word)) {
        if ((at == text || at[-1] == ' ') && (at[len] == '\0' || at[len] == ' '))
            return true;
    }
    return false;
}

static void take_line(struct scan *scan, char *line)
{
    struct pji_cpu_info *info = scan->info;
    char *value = strchr(line, ':');
    size_t key_len;

    if (!value)
        return;
    key_len = (size_t)(value - line);
    while (key_len > 0 && isspace((unsigned char)line[key_len - 1]))
        key_len--;
    line[key_len] = '\0';
    value++;
    while (*value == ' ')
        value++;
    if (strcmp(line, "processor") == 0) {
        scan->processors++;
    } else if (strcmp(line, "physical id") == 0) {
        long id = strtol(value, NULL, 10);

        if (id >= 0 && id < MAX_SOCKETS)
            scan->sockets_seen |= UINT64_C(1) << id;
    } else if (scan->processors > 1) {
        return; /* the rest is taken from the first block */
    } else if (strcmp(line, "vendor_id") == 0) {
        (void)snprintf(info->vendor, sizeof info->vendor, "%s", value);
    } else if (strcmp(line, "model name") == 0) {
        pji_cpu_short_name(value, info->name);
    } else if (strcmp(line, "cpu family") == 0) {
        info->family = (int)strtol(value, NULL, 10);
    } else if (strcmp(line, "model") == 0) {
        info->model = (int)strtol(value, NULL, 10);
    } else if (strcmp(line, "stepping") == 0) {
        info->stepping = (int)strtol(value, NULL, 10);
    } else if (strcmp(line, "microcode") == 0) {
        (void)snprintf(info->microcode, sizeof info->microcode, "%s", value);
    } else if (strcmp(line, "siblings") == 0) {
        info->threads = (int)strtol(value, NULL, 10);
    } else if (strcmp(line, "cpu cores") == 0) {
        info->cores = (int)strtol(value, NULL, 10);
    } else if (strcmp(line, "flags") == 0) {
        info->virtual_machine = has_word(value, "hypervisor");
    }
}

/* Feeds lines to take_line until the end of the file or, with `first_only`, of the first block. A
 * line longer than the buffer (none is) loses its tail. */
static void scan_file(const struct pji_platform *platform, struct scan *scan, bool first_only)
{
    char buffer[CHUNK + 1];
    size_t held = 0;
    off_t offset = 0;
    int handle = platform->ops->open(platform->context, "/proc/cpuinfo");

    if (handle < 0)
        return;
    while (offset < MAX_BYTES) {
        ssize_t got =
            platform->ops->pread(platform->context, handle, buffer + held, CHUNK - held, offset);
        char *line = buffer;
        char *end;

        if (got <= 0)
            break;
        offset += got;
        held += (size_t)got;
        buffer[held] = '\0';
        for (; (end = memchr(line, '\n', held - (size_t)(line - buffer))) != NULL; line = end + 1) {
            *end = '\0';
            if (first_only && *line == '\0' && scan->processors > 0)
                goto out;
            take_line(scan, line);
        }
        held -= (size_t)(line - buffer);
        if (held == CHUNK)
            held = 0;
        memmove(buffer, line, held);
    }
out:
    platform->ops->close(platform->context, handle);
}

/* Number of CPUs in a list such as "0-3,8-11"; 0 when it cannot be read. */
static int online_threads(const struct pji_platform *platform)
{
    char text[1024];
    const char *at = text;
    int count = 0;

    if (pji_read_text(platform, "/sys/devices/system/cpu/online", text, sizeof text, NULL, NULL))
        return 0;
    while (isdigit((unsigned char)*at)) {
        char *end;
        long first = strtol(at, &end, 10);
        long last = first;

        if (*end == '-')
            last = strtol(end + 1, &end, 10);
        if (last < first)
            return 0;
        count += (int)(last - first + 1);
        at = *end == ',' ? end + 1 : end;
    }
    return count;
}

/* FNV-1a of 32 bits. */
static void read_machine(const struct pji_platform *platform, char *out, size_t size)
{
    static const char *const paths[] = {"/etc/machine-id", "/var/lib/dbus/machine-id",
                                        "/proc/sys/kernel/random/boot_id"};
    char text[64] = "";
    uint32_t hash = UINT32_C(2166136261);

    for (size_t i = 0; i < sizeof paths / sizeof paths[0] && strlen(text) < 32; i++) {
        if (pji_read_text(platform, paths[i], text, sizeof text, NULL, NULL))
            text[0] = '\0';
    }
    if (strlen(text) < 32) /* "uninitialized", or nothing */
        return;
    for (const char *at = text; *at; at++)
        hash = (hash ^ (unsigned char)*at) * UINT32_C(16777619);
    (void)snprintf(out, size, "%08x", hash);
}

void pji_cpu_info_read(const struct pji_platform *platform, struct pji_cpu_info *info)
{
    struct scan scan = {.info = info};
    int online = online_threads(platform);

    *info = (struct pji_cpu_info){.family = -1, .model = -1, .stepping = -1};
    read_machine(platform, info->machine, sizeof info->machine);
    scan_file(platform, &scan, online > 0);
    if (online > 0 && info->threads > 0) {
        info->sockets = (online + info->threads / 2) / info->threads;
    } else {
        if (online > 0) { /* no "siblings" here: count instead */
            scan = (struct scan){.info = info};
            scan_file(platform, &scan, false);
        }
        info->sockets = __builtin_popcountll(scan.sockets_seen);
    }
    if (info->sockets < 1 && scan.processors > 0)
        info->sockets = 1;
    if (info->threads < 1 && info->sockets > 0)
        info->threads = scan.processors / info->sockets;
    if (info->cores < 1)
        info->cores = info->threads;
}

/* ---- names ---- */

static bool is_noise(const char *word)
{
    static const char *const noise[] = {"intel", "amd", "cpu",     "processor", "gen",
                                        "with",  "apu", "genuine", NULL};
    size_t len = strlen(word);

    for (size_t i = 0; noise[i]; i++) {
        if (strcmp(word, noise[i]) == 0)
            return true;
    }
    /* "16-core", "12th" (of "12th gen") */
    if (len > 5 && isdigit((unsigned char)word[0]) && strcmp(word + len - 5, "-core") == 0)
        return true;
    return len <= 4 && len > 2 && isdigit((unsigned char)word[0]) &&
           strcmp(word + len - 2, "th") == 0;
}

/* The next word of a model name in lower case without trade marks; "" at the end. */
static const char *next_word(const char *at, char *word, size_t size)
{
    size_t n = 0;

    while (*at == ' ')
        at++;
    while (*at != '\0' && *at != ' ') {
        if (strncasecmp(at, "(R)", 3) == 0) {
            at += 3;
        } else if (strncasecmp(at, "(TM)", 4) == 0) {
            at += 4;
        } else {
            if (n + 1 < size)
                word[n++] = (char)tolower((unsigned char)*at);
            at++;
        }
    }
    word[n] = '\0';
    return at;
}

void pji_cpu_short_name(const char *model_name, char out[PJI_CPU_NAME])
{
    size_t n = 0;
    char word[PJI_CPU_NAME];

    out[0] = '\0';
    while (*model_name) {
        size_t len;

        model_name = next_word(model_name, word, sizeof word);
        len = strlen(word);
        /* the frequency or the graphics end the name */
        if (strcmp(word, "@") == 0 || strcmp(word, "radeon") == 0 || strcmp(word, "w/") == 0)
            break;
        if (len == 0 || is_noise(word))
            continue;
        if (n + len + 2 > PJI_CPU_NAME)
            break;
        if (n > 0)
            out[n++] = ' ';
        memcpy(out + n, word, len + 1);
        n += len;
    }
}
