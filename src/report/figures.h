/* report/figures.h - how the figures of a study are called, which unit they have and which of them
 * a report shows: one table.
 */
#ifndef PJI_REPORT_FIGURES_H
#define PJI_REPORT_FIGURES_H

#include <stdbool.h>
#include <stddef.h>

struct pji_figure_name {
    const char *name;  /* "j_per_token" */
    const char *title; /* "J/token" */
    const char *words; /* "energy per output token" */
    const char *axis;  /* "energy per output token, J" */
    const char *lower; /* how a ratio below 1 is called: "less", "faster", … */
    const char *higher;
};

/* What a figure or a statistic is, in one sentence. */
struct pji_definition {
    const char *key, *title, *text;
};
/* The i-th definition: figures first, then statistics; NULL past the last. */
const struct pji_definition *pji_definition_at(size_t i);
const struct pji_definition *pji_definition_find(const char *key);

/* The i-th figure in the order of the report; NULL past the last. */
const struct pji_figure_name *pji_figure_name_at(size_t i);
const struct pji_figure_name *pji_figure_name_find(const char *name);

#endif
