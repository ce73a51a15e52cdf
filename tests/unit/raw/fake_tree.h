/* Folders of raw runs made for tests, with the energies that must come out: computed here from the
 * same powers, without wraps, series or ledger. */
#ifndef TEST_RAW_FAKE_TREE_H
#define TEST_RAW_FAKE_TREE_H

#include <stdbool.h>

enum { FAKE_SAMPLES = 300 };

struct fake_run {
    int packages, gpus;       /* 0 of a kind: no column */
    double cpu_w;             /* of each package */
    double modulus_j;         /* the counters wrap here */
    double start_j;           /* of package 0; others begin 100 J further on */
    char separator;           /* ',' when 0 */
    bool crlf, bom, reversed; /* reversed: columns from the last to the first */
    bool comma;               /* numbers with a decimal comma, quoted where needed */
    bool prompts_ms;          /* start and end in ms */
    int answers;              /* which of several sets of answers is given */
    int day;                  /* days after the first */
};

struct fake_truth {
    double cpu_j, gpu_j; /* of the whole recording */
    int wraps;
};

/* A plain run: one package, one GPU, no wrap. */
struct fake_run fake_plain(void);
/* Writes dir/name/{energibridge.csv,energibridge-summary.txt,prompts_out.tsv}. */
struct fake_truth fake_write(const char *dir, const char *name, const struct fake_run *run);

#endif
