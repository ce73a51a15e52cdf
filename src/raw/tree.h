/* raw/tree.h - the folders of runs below a folder.
 *
 * A run is a folder, at any depth down to PJI_RAW_DEPTH, that holds at least one of the three
 * files, or whose name is run_I_repetition_J. Symbolic links to folders are not followed, hidden
 * folders not entered. Order: by I, then J, then name.
 */
#ifndef PJI_RAW_TREE_H
#define PJI_RAW_TREE_H

#include "core/str.h"

#include <stdbool.h>

#include <stdint.h>

enum { PJI_RAW_DEPTH = 8 };

enum pji_raw_file {
    PJI_RAW_SAMPLES, /* energibridge.csv */
    PJI_RAW_SUMMARY, /* energibridge-summary.txt */
    PJI_RAW_PROMPTS, /* prompts_out.tsv */
    PJI_RAW_FILES
};
extern const char *const pji_raw_file_names[PJI_RAW_FILES];

struct pji_raw_folder {
    char *path;              /* of the folder */
    char *name;              /* below the top, "." for the top itself: the run's key */
    int64_t run, repetition; /* from the name; -1: it does not say */
};

struct pji_raw_tree {
    char *top;
    struct pji_raw_folder *folders;
    size_t n, cap;
};

pj_status pji_raw_tree_read(struct pji_raw_tree *tree, const char *top, struct pj_error *err);
void pji_raw_tree_fini(struct pji_raw_tree *tree);

/* run_I_repetition_J, I and J without sign: false for any other text. */
bool pji_raw_key_parse(const char *name, int64_t *run, int64_t *repetition);
/* As people order: numbers inside by their value. */
int pji_raw_natural(const char *a, const char *b);

#endif
