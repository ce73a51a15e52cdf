/* report/figures.c - see figures.h. */
#include "report/figures.h"

#include <string.h>

static const struct pji_figure_name names[] = {
    {"j_per_token", "J/token", "energy per output token", "energy per output token, J", "less",
     "more"},
    {"j_per_request", "J/request", "energy per request", "energy per request, J", "less", "more"},
    {"energy_j", "J/window", "energy of the measured window", "energy of the window, J", "less",
     "more"},
    {"dur_s", "window, s", "duration of the measured window", "duration of the window, s",
     "shorter", "longer"},
    {"output_tok_per_s", "tok/s", "output tokens per second", "output tokens per second", "slower",
     "faster"},
    {"ttft_s", "TTFT, s", "time to first token", "time to first token, s", "shorter", "longer"},
    {"tpot_s", "TPOT, s", "time per output token", "time per output token, s", "shorter", "longer"},
};

const struct pji_figure_name *pji_figure_name_at(size_t i)
{
    return i < sizeof names / sizeof names[0] ? &names[i] : NULL;
}

const struct pji_figure_name *pji_figure_name_find(const char *name)
{
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(names[i].name, name) == 0)
            return &names[i];
    }
    return NULL;
}
