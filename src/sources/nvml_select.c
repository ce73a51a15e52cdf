/* CUDA's rule for visible devices: see nvml_select.h. */
#include "sources/nvml_select.h"

#include <stdlib.h>
#include <string.h>

struct entry {
    const char *text;
    size_t len;
};

static const char blanks[] = " \t\n\v\f\r"; /* isspace(3), as strtol skips them */

static bool before(const struct pji_nvml_identity *a, const struct pji_nvml_identity *b)
{
    if (a->domain != b->domain)
        return a->domain < b->domain;
    if (a->bus != b->bus)
        return a->bus < b->bus;
    return a->device < b->device;
}

/* Positions in order of the PCI bus; stable, so that unknown addresses stay in NVML's order. */
static void order_by_pci(const struct pji_nvml_identity *gpus, size_t n, unsigned int *order)
{
    for (size_t i = 0; i < n; i++) {
        size_t at = i;
        while (at > 0 && before(&gpus[i], &gpus[order[at - 1]])) {
            order[at] = order[at - 1];
            at--;
        }
        order[at] = (unsigned int)i;
    }
}

static bool same_model(const struct pji_nvml_identity *gpus, size_t n)
{
    for (size_t i = 1; i < n; i++)
        if (strcmp(gpus[i].name, gpus[0].name) != 0)
            return false;
    return true;
}

static bool starts(struct entry entry, const char *prefix)
{
    size_t len = strlen(prefix);
    return entry.len >= len && strncmp(entry.text, prefix, len) == 0;
}

/* The entry's index as strtol reads it; -1 when there is none. */
static long parse_index(struct entry entry)
{
    size_t i = 0;
    bool negative = false;
    if (i < entry.len && (entry.text[i] == '+' || entry.text[i] == '-'))
        negative = entry.text[i++] == '-';
    long value = -1;
    for (; i < entry.len && entry.text[i] >= '0' && entry.text[i] <= '9'; i++) {
        value = (value < 0 ? 0 : value) * 10 + (entry.text[i] - '0');
        if (value > 1000000)
            break;
    }
    return negative && value != 0 ? -1 : value;
}

/* The one GPU whose UUID begins with the entry; -1 when there is none or more than one. */
static long find_uuid(struct entry entry, const struct pji_nvml_identity *gpus, size_t n)
{
    long found = -1;
    for (size_t i = 0; i < n; i++) {
        if (strncmp(gpus[i].uuid, entry.text, entry.len) != 0)
            continue;
        if (gpus[i].uuid[entry.len] == '\0')
            return (long)i;
        if (found >= 0)
            return -1;
        found = (long)i;
    }
    return found;
}

static struct entry next_entry(const char **rest)
{
    const char *text = *rest + strspn(*rest, blanks);
    size_t len = strcspn(text, ",");
    *rest = text[len] == ',' ? text + len + 1 : NULL;
    while (len > 0 && strchr(blanks, text[len - 1]))
        len--;
    return (struct entry){text, len};
}

static void set_note(struct pji_nvml_selection *out, enum pji_nvml_note note, struct entry entry)
{
    out->note = note;
    size_t len = entry.len < sizeof out->entry - 1 ? entry.len : sizeof out->entry - 1;
    memcpy(out->entry, entry.text, len);
    out->entry[len] = '\0';
}

static bool chosen(const struct pji_nvml_selection *out, unsigned int index)
{
    for (size_t i = 0; i < out->n; i++)
        if (out->index[i] == index)
            return true;
    return false;
}

static void walk(const struct pji_nvml_identity *gpus, size_t n, const char *visible,
                 const unsigned int *order, struct pji_nvml_selection *out)
{
    const char *rest = visible;
    bool by_uuid = starts((struct entry){visible, strlen(visible)}, "GPU-");
    while (rest) {
        struct entry entry = next_entry(&rest);
        if (starts(entry, "MIG-")) {
            set_note(out, PJI_NVML_NOTE_MIG, entry);
            return;
        }
        long at = -1;
        if (by_uuid) {
            at = starts(entry, "GPU-") ? find_uuid(entry, gpus, n) : -1;
        } else {
            at = parse_index(entry);
            at = at >= 0 && (size_t)at < n ? (long)order[at] : -1;
        }
        if (at < 0) {
            set_note(out, PJI_NVML_NOTE_INVALID, entry);
            return;
        }
        if (chosen(out, (unsigned int)at)) {
            out->n = 0;
            set_note(out, PJI_NVML_NOTE_DUPLICATE, entry);
            return;
        }
        out->index[out->n++] = (unsigned int)at;
    }
}

void pji_nvml_select(const struct pji_nvml_identity *gpus, size_t n, const char *visible,
                     const char *order, struct pji_nvml_selection *out)
{
    unsigned int by_pci[PJI_NVML_GPUS];
    *out = (struct pji_nvml_selection){0};
    order_by_pci(gpus, n, by_pci);
    if (!visible) {
        memcpy(out->index, by_pci, n * sizeof by_pci[0]);
        out->n = n;
        return;
    }
    visible += strspn(visible, blanks);
    if (*visible == '\0')
        return;
    walk(gpus, n, visible, by_pci, out);
    bool pci_order = order && strcmp(order, "PCI_BUS_ID") == 0;
    bool by_index = strncmp(visible, "GPU-", 4) != 0;
    out->order_unsure = !pci_order && by_index && out->n > 0 && out->n < n && !same_model(gpus, n);
}
