/* report/pictures.h - what struct pji_plots holds (room-internal). */
#ifndef PJI_REPORT_PICTURES_H
#define PJI_REPORT_PICTURES_H

#include "report/picture.h"

struct pji_plots {
    char *dir;
    unsigned formats;
    int dpi;
    int64_t stamp_wall_ns;
    struct pji_picture *pictures;
    size_t n, cap;
    char n_text[160];
};

#endif
