/* sources/amd_select.h - which AMD GPUs a ROCm program would see.
 *
 * ROCm documentation, "GPU isolation techniques", and the runtimes themselves (ROCR-Runtime,
 * RvdFilter; clr, the list of ordinals). Two filters, one after the other:
 *
 * ROCR_VISIBLE_DEVICES  unset: all; empty: none; else a list of indices (strtol, the whole entry)
 *     and of beginnings of UUIDs that are unique, mixed as one likes, in any case and with blanks
 *     around them. An invalid entry, or one that names a GPU again, ends the list.
 * HIP_VISIBLE_DEVICES, where that is unset or empty CUDA_VISIBLE_DEVICES: indices among what the
 *     first filter left, as the runtime prints them (no blanks, no sign), or whole UUIDs. Empty is
 *     as unset. An invalid entry ends the list, a repeated one is skipped.
 *
 * Indices count the nodes with compute units in the driver's topology (/sys/class/kfd), whose
 * properties tell UUID ("GPU-" and 16 hexadecimal digits) and bus address. Nodes that this process
 * may not read are not there for the runtime either.
 */
#ifndef PJI_SOURCES_AMD_SELECT_H
#define PJI_SOURCES_AMD_SELECT_H

#include "meter/source.h"

enum { PJI_AMD_NODES = 64 };

struct pji_amd_node {
    uint64_t bdf;  /* domain << 32 | bus << 8 | device << 3 */
    char uuid[24]; /* "GPU-0123456789abcdef", "" where the chip has none */
};

enum pji_amd_note {
    PJI_AMD_NOTE_NONE,
    PJI_AMD_NOTE_INVALID,   /* an invalid entry ended the list */
    PJI_AMD_NOTE_DUPLICATE, /* a GPU named again ended the list */
    PJI_AMD_NOTE_UNRESOLVED /* the topology cannot be read: all GPUs count as visible */
};

struct pji_amd_selection {
    size_t n;
    unsigned int index[PJI_AMD_NODES]; /* into the nodes, in the program's order */
    enum pji_amd_note note;
    const char *variable; /* that the note is about, a static string */
    char entry[48];
};

struct pji_amd_visibility {
    struct pji_amd_node nodes[PJI_AMD_NODES];
    size_t n;
    bool filtered; /* a variable hides some; else everything is visible, also what has no node */
    struct pji_amd_selection selection;
};

/* Values of the variables, NULL: unset. Pure; n <= PJI_AMD_NODES. */
void pji_amd_select(const struct pji_amd_node *nodes, size_t n, const char *rocr, const char *hip,
                    const char *cuda, struct pji_amd_selection *out);

/* Reads the topology and applies the variables of env. */
void pji_amd_visibility_read(const struct pji_source_env *env, struct pji_amd_visibility *out);
/* Whether the GPU at this bus address, or a partition of it, is visible. */
bool pji_amd_visible(const struct pji_amd_visibility *visibility, uint64_t bdf);
/* Its UUID, "" when unknown. */
const char *pji_amd_uuid(const struct pji_amd_visibility *visibility, uint64_t bdf);
/* "0000:c1:00.0" as bdf (function left out); false when it is no bus address. */
bool pji_amd_address(const char *text, uint64_t *bdf);
void pji_amd_address_text(uint64_t bdf, char text[24]);

#endif
