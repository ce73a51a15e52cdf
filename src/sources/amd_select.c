/* See amd_select.h. Topology: Documentation/gpu/amdgpu and drivers/gpu/drm/amd/amdkfd/
 * kfd_topology.c: nodes/N/properties holds "name value" lines; location_id is bus << 8 | devfn.
 */
#include "sources/amd_select.h"

#include "core/num.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define NODES "/sys/class/kfd/kfd/topology/nodes"

struct entry {
    const char *text;
    size_t len;
};

/* ---- the topology ---- */

static bool property(const char *text, const char *name, uint64_t *value)
{
    size_t len = strlen(name);

    for (const char *line = text; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, name, len) == 0 && line[len] == ' ')
            return pji_num_parse_u64(line + len + 1, strcspn(line + len + 1, "\n"), value, NULL) ==
                   PJ_OK;
    }
    return false;
}

static bool read_node(const struct pji_platform *platform, unsigned int number,
                      struct pji_amd_node *node)
{
    char path[96], text[4096];
    uint64_t simds = 0, location = 0, domain = 0, unique = 0;

    (void)snprintf(path, sizeof path, NODES "/%u/properties", number);
    if (pji_read_text(platform, path, text, sizeof text, NULL, NULL) ||
        !property(text, "simd_count", &simds) || simds == 0 ||
        !property(text, "location_id", &location))
        return false;
    if (!property(text, "domain", &domain))
        domain = 0;
    *node = (struct pji_amd_node){.bdf = domain << 32 | (location & 0xfff8)};
    if (property(text, "unique_id", &unique) && unique != 0)
        (void)snprintf(node->uuid, sizeof node->uuid, "GPU-%016" PRIx64, unique);
    return true;
}

struct numbers {
    unsigned int items[4 * PJI_AMD_NODES];
    size_t n;
};

static int visit_node(void *arg, const char *name)
{
    struct numbers *numbers = arg;

    if (strspn(name, "0123456789") == strlen(name) && strlen(name) < 6 &&
        numbers->n < sizeof numbers->items / sizeof numbers->items[0])
        numbers->items[numbers->n++] = (unsigned int)strtoul(name, NULL, 10);
    return 0;
}

static int compare(const void *a, const void *b)
{
    unsigned int x = *(const unsigned int *)a, y = *(const unsigned int *)b;

    return x < y ? -1 : x > y;
}

static size_t read_nodes(const struct pji_platform *platform, struct pji_amd_node *nodes)
{
    struct numbers numbers = {.n = 0};
    size_t n = 0;

    (void)platform->ops->list(platform->context, NODES, visit_node, &numbers);
    if (numbers.n > 1) /* 10 comes before 2 in a listing */
        qsort(numbers.items, numbers.n, sizeof numbers.items[0], compare);
    for (size_t i = 0; i < numbers.n && n < PJI_AMD_NODES; i++)
        n += read_node(platform, numbers.items[i], &nodes[n]);
    return n;
}

/* ---- the filters ---- */

static void note(struct pji_amd_selection *out, enum pji_amd_note what, const char *variable,
                 struct entry entry)
{
    out->note = what;
    out->variable = variable;
    (void)snprintf(out->entry, sizeof out->entry, "%.*s",
                   (int)(entry.len < sizeof out->entry ? entry.len : sizeof out->entry),
                   entry.text);
}

static bool next_entry(const char **rest, struct entry *entry)
{
    if (!*rest)
        return false;
    *entry = (struct entry){*rest, strcspn(*rest, ",")};
    *rest = (*rest)[entry->len] == ',' ? *rest + entry->len + 1 : NULL;
    return true;
}

static void trim(struct entry *entry)
{
    while (entry->len > 0 && isspace((unsigned char)entry->text[0])) {
        entry->text++;
        entry->len--;
    }
    while (entry->len > 0 && isspace((unsigned char)entry->text[entry->len - 1]))
        entry->len--;
}

static bool has(const struct pji_amd_selection *list, size_t n, unsigned int index)
{
    for (size_t i = 0; i < n; i++) {
        if (list->index[i] == index)
            return true;
    }
    return false;
}

/* The one node whose UUID begins with the entry, or with `whole` is it; -1: none or several. */
static long find_uuid(const struct pji_amd_node *nodes, size_t n, struct entry entry, bool whole)
{
    long found = -1;

    for (size_t i = 0; i < n; i++) {
        size_t len = strlen(nodes[i].uuid);

        if (entry.len > len || (whole && entry.len != len) ||
            (whole ? strncmp(nodes[i].uuid, entry.text, entry.len)
                   : strncasecmp(nodes[i].uuid, entry.text, entry.len)) != 0)
            continue;
        if (found >= 0)
            return whole ? found : -1;
        found = (long)i;
    }
    return found;
}

/* strtol with base 0 over the whole entry; -1 when it is not that. */
static long rocr_index(struct entry entry)
{
    char text[32], *end;
    long value;

    if (entry.len == 0 || entry.len >= sizeof text)
        return -1;
    memcpy(text, entry.text, entry.len);
    text[entry.len] = '\0';
    value = strtol(text, &end, 0);
    return end == text || *end != '\0' ? -1 : value;
}

static void rocr_filter(const struct pji_amd_node *nodes, size_t n, const char *value,
                        struct pji_amd_selection *out)
{
    enum { UUID_LEAST = 5, UUID_MOST = 20 };
    static const char variable[] = "ROCR_VISIBLE_DEVICES";
    const char *rest = *value ? value : NULL;
    struct entry entry;

    while (out->n < n && next_entry(&rest, &entry)) {
        long at;

        trim(&entry);
        if (entry.len > 0 && toupper((unsigned char)entry.text[0]) == 'G')
            at = entry.len < UUID_LEAST || entry.len > UUID_MOST
                     ? -1
                     : find_uuid(nodes, n, entry, false);
        else
            at = rocr_index(entry);
        if (at < 0 || (size_t)at >= n) {
            note(out, PJI_AMD_NOTE_INVALID, variable, entry);
            return;
        }
        if (has(out, out->n, (unsigned int)at)) {
            note(out, PJI_AMD_NOTE_DUPLICATE, variable, entry);
            return;
        }
        out->index[out->n++] = (unsigned int)at;
    }
}

/* An index among `n`, written plainly: "0", "12"; -1 else. */
static long hip_index(struct entry entry)
{
    long value = 0;

    if (entry.len == 0 || entry.len > 4 || (entry.len > 1 && entry.text[0] == '0'))
        return -1;
    for (size_t i = 0; i < entry.len; i++) {
        if (!isdigit((unsigned char)entry.text[i]))
            return -1;
        value = value * 10 + (entry.text[i] - '0');
    }
    return value;
}

static void hip_filter(const struct pji_amd_node *nodes, const char *variable, const char *value,
                       struct pji_amd_selection *out)
{
    struct pji_amd_selection before = *out;
    struct pji_amd_node left[PJI_AMD_NODES];
    const char *rest = value;
    struct entry entry;

    for (size_t i = 0; i < before.n; i++)
        left[i] = nodes[before.index[i]];
    out->n = 0;
    while (next_entry(&rest, &entry)) {
        bool uuid = memmem(entry.text, entry.len, "GPU-", 4) != NULL;
        long at = uuid ? find_uuid(left, before.n, entry, true) : hip_index(entry);

        if (entry.len == 0 && !rest && out->n > 0)
            return; /* a comma at the end: nothing follows */
        if (at < 0 || (size_t)at >= before.n) {
            note(out, PJI_AMD_NOTE_INVALID, variable, entry);
            return;
        }
        if (!has(out, out->n, before.index[at]))
            out->index[out->n++] = before.index[at];
    }
}

void pji_amd_select(const struct pji_amd_node *nodes, size_t n, const char *rocr, const char *hip,
                    const char *cuda, struct pji_amd_selection *out)
{
    bool by_hip = hip && *hip;

    *out = (struct pji_amd_selection){0};
    if (rocr) {
        rocr_filter(nodes, n, rocr, out);
    } else {
        out->n = n;
        for (size_t i = 0; i < n; i++)
            out->index[i] = (unsigned int)i;
    }
    if (by_hip || (cuda && *cuda))
        hip_filter(nodes, by_hip ? "HIP_VISIBLE_DEVICES" : "CUDA_VISIBLE_DEVICES",
                   by_hip ? hip : cuda, out);
}

void pji_amd_visibility_read(const struct pji_source_env *env, struct pji_amd_visibility *out)
{
    const char *hip = env->hip_visible_devices, *rocr = env->rocr_visible_devices;
    const char *cuda = env->cuda_visible_devices;

    *out = (struct pji_amd_visibility){0};
    out->n = read_nodes(env->platform, out->nodes);
    pji_amd_select(out->nodes, out->n, rocr, hip, cuda, &out->selection);
    out->filtered = out->n > 0 && (rocr || (hip && *hip) || (cuda && *cuda));
    /* CUDA_VISIBLE_DEVICES alone may well be meant for others */
    if (out->n == 0 && (rocr || (hip && *hip)))
        out->selection.note = PJI_AMD_NOTE_UNRESOLVED;
}

bool pji_amd_visible(const struct pji_amd_visibility *visibility, uint64_t bdf)
{
    if (!visibility->filtered)
        return true;
    for (size_t i = 0; i < visibility->selection.n; i++) {
        if (visibility->nodes[visibility->selection.index[i]].bdf == bdf)
            return true;
    }
    return false;
}

const char *pji_amd_uuid(const struct pji_amd_visibility *visibility, uint64_t bdf)
{
    for (size_t i = 0; i < visibility->n; i++) {
        if (visibility->nodes[i].bdf == bdf)
            return visibility->nodes[i].uuid;
    }
    return "";
}

bool pji_amd_address(const char *text, uint64_t *bdf)
{
    unsigned int domain, bus, device, function;
    char rest;

    if (sscanf(text, "%8x:%2x:%2x.%1x%c", &domain, &bus, &device, &function, &rest) != 4)
        return false;
    *bdf = (uint64_t)domain << 32 | (uint64_t)bus << 8 | (uint64_t)device << 3;
    return true;
}

void pji_amd_address_text(uint64_t bdf, char text[24])
{
    (void)snprintf(text, 24, "%04" PRIx32 ":%02x:%02x.0", (uint32_t)(bdf >> 32),
                   (unsigned)(bdf >> 8 & 0xff), (unsigned)(bdf >> 3 & 0x1f));
}
