/* report/plots.c - the pictures of one folder as scripts for gnuplot: each picture's data once, its
 * body once for each format. PNG and PDF scale the picture units to 160 mm.
 */
#include "report/plot.h"

#include "core/array.h"
#include "core/units.h"
#include "platform/durable.h"
#include "platform/process.h"
#include "report/gnuplot.h"
#include "report/pictures.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* on a machine that is busy with other things even a version takes its time */
enum { DEFAULT_DPI = 200, MOST_SCRIPTS = 4, PICTURES_A_SCRIPT = 6, VERSION_S = 120 };
static const double width_in = 160 / 25.4;

static const struct format {
    unsigned bit;
    const char *suffix;
} formats[] = {{PJI_PLOT_SVG, "svg"}, {PJI_PLOT_PNG, "png"}, {PJI_PLOT_PDF, "pdf"}};
enum { N_FORMATS = sizeof formats / sizeof formats[0] };

pj_status pji_plots_open(struct pji_plots **out, const struct pji_plots_how *how,
                         struct pj_error *err)
{
    int dpi = how->dpi != 0 ? how->dpi : DEFAULT_DPI;
    *out = NULL;
    if (dpi < 150 || dpi > 300)
        return pji_fail(err, PJ_EINVAL, "pictures have 150 to 300 dots per inch, not %d", dpi);
    struct pji_plots *plots = pji_zalloc(1, sizeof *plots, err);
    if (plots == NULL)
        return PJ_ENOMEM;
    *plots = (struct pji_plots){.formats = how->formats,
                                .dpi = dpi,
                                .stamp_wall_ns = how->stamp_wall_ns,
                                .dir = pji_dup(how->dir, err)};
    if (plots->dir == NULL) {
        free(plots);
        return PJ_ENOMEM;
    }
    *out = plots;
    return PJ_OK;
}

static void forget(struct pji_plots *plots)
{
    while (plots->n > 0)
        pji_picture_drop(plots);
}

void pji_plots_close(struct pji_plots *plots)
{
    if (plots == NULL)
        return;
    forget(plots);
    free(plots->pictures);
    free(plots->dir);
    free(plots);
}

const char *pji_plots_n_text(const struct pji_plots *plots)
{
    return plots->n_text;
}

static void add_terminal(struct pji_str *script, const struct pji_plots *plots,
                         const struct pji_picture *p, unsigned bit)
{
    double scale = width_in * plots->dpi / PJI_PICTURE_WIDTH;
    double pt = width_in * 72 / PJI_PICTURE_WIDTH;
    if (bit == PJI_PLOT_SVG)
        pji_str_addf(script,
                     "set terminal svg size %d,%.0f dynamic noenhanced font 'sans-serif,11' "
                     "background '#ffffff'\n",
                     PJI_PICTURE_WIDTH, p->height);
    else if (bit == PJI_PLOT_PNG)
        pji_str_addf(script,
                     "set terminal pngcairo size %.0f,%.0f noenhanced font 'sans-serif,11' "
                     "fontscale %.6f linewidth %.6f pointscale %.6f background '#ffffff'\n",
                     PJI_PICTURE_WIDTH * scale, p->height * scale, 0.75 * scale, 0.75 * scale,
                     1.1 * scale);
    else
        pji_str_addf(script,
                     "set terminal pdfcairo size %.6fin,%.6fin noenhanced font 'sans-serif,11' "
                     "fontscale %.6f linewidth %.6f pointscale %.6f background '#ffffff'\n",
                     width_in, p->height / PJI_PICTURE_WIDTH * width_in, 0.75 * pt, 2 * pt,
                     1.3 * pt);
}

static void add_picture(struct pji_str *script, const struct pji_plots *plots,
                        const struct pji_picture *p)
{
    pji_str_addn(script, p->data.text, p->data.len);
    for (size_t f = 0; f < N_FORMATS; f++) {
        if ((plots->formats & formats[f].bit) == 0)
            continue;
        struct pji_str path = {0};
        pji_str_addf(&path, "%s.%s", p->id, formats[f].suffix);
        pji_str_add(script, "reset\nset encoding utf8\n");
        add_terminal(script, plots, p, formats[f].bit);
        pji_str_add(script, "set output ");
        pji_picture_quote(script, pji_str_text(&path));
        pji_str_addc(script, '\n');
        pji_str_addn(script, p->body.text, p->body.len);
        pji_str_add(script, "unset output\n");
        pji_str_fini(&path);
    }
}

static pj_status make_folders(const struct pji_plots *plots, struct pj_error *err)
{
    pj_status status = PJ_OK;
    for (size_t i = 0; i < plots->n && status == PJ_OK; i++) {
        struct pji_str path = {0};
        const char *slash = strrchr(plots->pictures[i].id, '/');
        if (slash == NULL)
            continue;
        pji_str_addf(&path, "%s/", plots->dir);
        pji_str_addn(&path, plots->pictures[i].id, (size_t)(slash - plots->pictures[i].id));
        status = pji_str_ok(&path, err);
        if (status == PJ_OK)
            status = pji_make_dirs(pji_str_text(&path), err);
        pji_str_fini(&path);
    }
    return status;
}

static pj_status stamp(const struct pji_plots *plots, struct pj_error *err)
{
    pj_status status = PJ_OK;
    for (size_t i = 0; i < plots->n && status == PJ_OK; i++) {
        struct pji_str path = {0};
        if ((plots->formats & PJI_PLOT_PNG) != 0) {
            pji_str_addf(&path, "%s/%s.png", plots->dir, plots->pictures[i].id);
            status = pji_png_stamp(pji_str_text(&path), plots->dpi, err);
        }
        pji_str_clear(&path);
        if (status == PJ_OK && (plots->formats & PJI_PLOT_PDF) != 0) {
            pji_str_addf(&path, "%s/%s.pdf", plots->dir, plots->pictures[i].id);
            status = pji_pdf_stamp(pji_str_text(&path), plots->stamp_wall_ns, err);
        }
        pji_str_fini(&path);
    }
    return status;
}

pj_status pji_plots_draw(struct pji_plots *plots, struct pj_error *err)
{
    struct pji_str scripts[MOST_SCRIPTS] = {0};
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    size_t n = plots->n / PICTURES_A_SCRIPT + 1;
    n = n > (size_t)(cores > 0 ? cores : 1) ? (size_t)(cores > 0 ? cores : 1) : n;
    n = n > MOST_SCRIPTS ? MOST_SCRIPTS : n;
    if (plots->n == 0)
        return PJ_OK;
    pj_status status = make_folders(plots, err);
    for (size_t i = 0; i < plots->n; i++) {
        if (plots->pictures[i].data.failed || plots->pictures[i].body.failed)
            status = status != PJ_OK ? status : pji_fail(err, PJ_ENOMEM, "out of memory");
        add_picture(&scripts[i % n], plots, &plots->pictures[i]);
    }
    for (size_t i = 0; i < n && status == PJ_OK; i++)
        status = pji_str_ok(&scripts[i], err);
    if (status == PJ_OK)
        status = pji_gnuplot_run(scripts, n, plots->dir, err);
    if (status == PJ_OK)
        status = stamp(plots, err);
    for (size_t i = 0; i < n; i++)
        pji_str_fini(&scripts[i]);
    forget(plots);
    return status;
}

pj_status pji_plots_version(char *text, size_t size, struct pj_error *err)
{
    static const char *const argv[] = {"gnuplot", "--version", NULL};
    struct pji_process child = {0};
    int sink = memfd_create("version", MFD_CLOEXEC);
    text[0] = '\0';
    if (sink < 0)
        return pji_fail_errno(err, errno, "cannot ask gnuplot for its version");
    struct pji_spawn how = {.argv = argv, .fd_in = -1, .fd_out = sink, .fd_err = sink};
    pj_status status = pji_process_spawn(&child, &how, NULL);
    if (status != PJ_OK) {
        close(sink);
        return pji_fail(err, PJ_ENOTFOUND,
                        "gnuplot is missing, so there are no pictures: install gnuplot-nox");
    }
    status = pji_process_wait(&child, VERSION_S * PJI_NS_PER_S, err);
    pji_process_end(&child, 0);
    char words[128] = "";
    ssize_t n = status == PJ_OK ? pread(sink, words, sizeof words - 1, 0) : 0;
    words[n > 0 ? n : 0] = '\0';
    close(sink);
    words[strcspn(words, "\n")] = '\0';
    snprintf(text, size, "%s", strncmp(words, "gnuplot ", 8) == 0 ? words + 8 : words);
    return status;
}
