/* report/plot.c - see plot.h. The script goes to gnuplot through an anonymous file on its standard
 * input; the same script runs once for each terminal (SVG, PNG).
 */
#include "report/plot.h"

#include "core/num.h"
#include "core/str.h"
#include "core/units.h"
#include "platform/process.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static const char *const colours[] = {"#0072B2", "#D55E00", "#009E73", "#CC79A7",
                                      "#E69F00", "#56B4E9", "#F0E442", "#000000"};
enum { N_COLOURS = sizeof colours / sizeof colours[0] };

/* A string in gnuplot's double quotes; enhanced markup is off. */
static void add_quoted(struct pji_str *out, const char *text)
{
    pji_str_addc(out, '"');
    for (const char *p = text; *p != '\0'; p++) {
        if (*p == '"' || *p == '\\')
            pji_str_addc(out, '\\');
        pji_str_addc(out, *p == '\n' ? ' ' : *p);
    }
    pji_str_addc(out, '"');
}

static void add_num(struct pji_str *out, double value)
{
    if (isfinite(value))
        pji_str_add_num(out, value);
    else
        pji_str_add(out, "NaN");
}

static pj_status run_gnuplot(const struct pji_str *script, struct pj_error *err)
{
    static const char *const argv[] = {"gnuplot", "-", NULL};
    enum { DEADLINE_S = 60 };
    int fd = memfd_create("plot", MFD_CLOEXEC);
    int sink = memfd_create("words", MFD_CLOEXEC);
    struct pji_process child = {0};
    pj_status status = PJ_OK;
    if (fd < 0 || sink < 0 || write(fd, script->text, script->len) != (ssize_t)script->len ||
        lseek(fd, 0, SEEK_SET) != 0)
        status = pji_fail_errno(err, errno, "cannot hand the plot to gnuplot");
    struct pji_spawn how = {.argv = argv, .fd_in = fd, .fd_out = sink, .fd_err = sink};
    if (status == PJ_OK) {
        status = pji_process_spawn(&child, &how, err);
        if (status == PJ_ENOTFOUND && err != NULL) {
            err->code = 0;
            status = pji_fail(err, PJ_ENOTFOUND,
                              "gnuplot is missing, so there are no pictures: install gnuplot-nox");
        }
    }
    if (status == PJ_OK) {
        status = pji_process_wait(&child, DEADLINE_S * PJI_NS_PER_S, err);
        if (status != PJ_OK) {
            pji_process_end(&child, 0);
        } else if (pji_process_exit_code(child.wait_status) != 0) {
            char words[300] = "";
            ssize_t n = pread(sink, words, sizeof words - 1, 0);
            words[n > 0 ? n : 0] = '\0';
            words[strcspn(words, "\n")] = '\0';
            status = pji_fail(err, PJ_EPEER, "gnuplot failed: %s", words);
        }
    }
    if (fd >= 0)
        close(fd);
    if (sink >= 0)
        close(sink);
    return status;
}

/* The body with each terminal in turn. */
static pj_status draw(const struct pji_str *body, const char *dir, const char *id, int height,
                      struct pj_error *err)
{
    struct pji_str script = {0};
    struct pji_str path = {0};
    static const char *const kinds[] = {"svg", "png"};
    for (size_t k = 0; k < 2; k++) {
        if (k == 0)
            pji_str_addf(&script,
                         "set terminal svg size 800,%d dynamic noenhanced font 'sans-serif,14' "
                         "background '#ffffff'\n",
                         height);
        else /* 1600 points wide: 200 dpi on an 8 inch column */
            pji_str_addf(&script,
                         "set terminal pngcairo size 1600,%d noenhanced font 'sans-serif,14' "
                         "fontscale 2 linewidth 2 pointscale 2 background '#ffffff'\n",
                         2 * height);
        pji_str_clear(&path);
        pji_str_addf(&path, "%s/%s.%s", dir, id, kinds[k]);
        pji_str_add(&script, "set output ");
        add_quoted(&script, pji_str_text(&path));
        pji_str_addc(&script, '\n');
        pji_str_addn(&script, body->text, body->len);
        pji_str_add(&script, "unset output\nreset\n");
    }
    pj_status status = pji_str_ok(body, err);
    if (status == PJ_OK)
        status = pji_str_ok(&script, err);
    if (status == PJ_OK)
        status = run_gnuplot(&script, err);
    pji_str_fini(&script);
    pji_str_fini(&path);
    return status;
}

/* Data of one treatment: its values, spread a little sideways, and its mean with the interval. */
static void add_points(struct pji_str *body, const struct pji_figure *f, size_t t, double *highest)
{
    pji_str_addf(body, "$points%zu << EOD\n", t);
    for (size_t i = 0; i < f->n; i++) {
        add_num(body, (double)t + 1 + ((double)(i % 5) - 2) * 0.05);
        pji_str_addc(body, ' ');
        add_num(body, f->values[i]);
        pji_str_addc(body, '\n');
        *highest = fmax(*highest, f->values[i]);
    }
    pji_str_addf(body, "EOD\n$mean%zu << EOD\n%zu ", t, t + 1);
    add_num(body, f->mean);
    pji_str_addc(body, ' ');
    add_num(body, f->lo);
    pji_str_addc(body, ' ');
    add_num(body, f->hi);
    pji_str_add(body, "\nEOD\n");
    *highest = isfinite(f->hi) ? fmax(*highest, f->hi) : *highest;
}

static void add_axes(struct pji_str *body, const struct pji_summary *summary, const char *axis,
                     double highest)
{
    size_t n = summary->n_treatments;
    pji_str_addf(body, "set xrange [0.5:%zu.5]\nset yrange [0:", n);
    add_num(body, highest > 0 ? 1.05 * highest : 1);
    pji_str_add(body, "]\nset ylabel ");
    add_quoted(body, axis);
    pji_str_addf(body, "\nset grid ytics lc '#dddddd'\nset border 3\nset tics nomirror\n%s",
                 n > 4 ? "set xtics rotate by -30\n" : "");
    pji_str_add(body, "set xtics (");
    for (size_t t = 0; t < n; t++) {
        pji_str_add(body, t > 0 ? ", " : "");
        add_quoted(body, summary->treatments[t].label);
        pji_str_addf(body, " %zu", t + 1);
    }
    pji_str_add(body, ")\nset bars 2\nplot ");
}

pj_status pji_plot_distribution(const struct pji_summary *summary, const char *task,
                                const char *name, const char *axis, const char *dir, const char *id,
                                struct pj_error *err)
{
    struct pji_str body = {0};
    size_t n = summary->n_treatments;
    double highest = 0;
    bool first = true;
    for (size_t t = 0; t < n; t++) {
        const struct pji_figure *f = pji_summary_figure(&summary->treatments[t], task, name);
        if (f != NULL)
            add_points(&body, f, t, &highest);
    }
    add_axes(&body, summary, axis, highest);
    for (size_t t = 0; t < n; t++) {
        if (pji_summary_figure(&summary->treatments[t], task, name) == NULL)
            continue;
        const char *colour = colours[t % N_COLOURS];
        pji_str_addf(&body,
                     "%s$points%zu using 1:2 with points pt 6 lc '%s' notitle, $mean%zu using "
                     "($1+0.2):2:3:4 with yerrorbars pt 7 lw 2 lc '%s' notitle",
                     first ? "" : ", ", t, colour, t, colour);
        first = false;
    }
    pji_str_addc(&body, '\n');
    pj_status status = PJ_OK;
    if (first)
        status = pji_fail(err, PJ_EINVAL, "there is nothing to draw for %s", name);
    else
        status = draw(&body, dir, id, 420, err);
    pji_str_fini(&body);
    return status;
}

static void add_phases(struct pji_str *body, const struct pji_curve *curve)
{
    for (size_t i = 0; i < curve->n_phases; i++) {
        const struct pji_curve_phase *p = &curve->phases[i];
        const char *colour = strncmp(p->name, "measure", 7) == 0 ? "#cfe3f3" : "#eeeeee";
        pji_str_addf(body, "set object %zu rectangle from first ", i + 1);
        add_num(body, p->start_s);
        pji_str_add(body, ",graph 0 to first ");
        add_num(body, p->end_s);
        pji_str_addf(body, ",graph 1 fillcolor rgb '%s' fillstyle solid noborder behind\n", colour);
        pji_str_addf(body, "set label %zu ", i + 1);
        add_quoted(body, p->name);
        pji_str_add(body, " at first ");
        add_num(body, (p->start_s + p->end_s) / 2);
        /* Neighbouring names take turns in height, so that short phases stay readable. */
        static const char *const heights[] = {"1.03", "1.09", "1.15"};
        pji_str_addf(body, ",graph %s center font ',11'\n", heights[i % 3]);
    }
}

pj_status pji_plot_curve(const struct pji_curve *curve, const char *dir, const char *id,
                         struct pj_error *err)
{
    struct pji_str body = {0};
    pji_str_add(&body, "$power << EOD\n");
    for (size_t i = 0; i < curve->n; i++) { /* a value holds for its whole step */
        const double ends_s[2] = {i > 0 ? curve->t_s[i - 1] : curve->start_s, curve->t_s[i]};
        for (size_t k = 0; k < 2; k++) {
            add_num(&body, ends_s[k]);
            pji_str_addc(&body, ' ');
            add_num(&body, curve->power_w[i]);
            pji_str_addc(&body, '\n');
        }
    }
    pji_str_add(&body,
                "EOD\nset tmargin 4\nset yrange [0:*]\nset xlabel 'time, s'\nset xrange [0:");
    add_num(&body, curve->n > 0 ? curve->t_s[curve->n - 1] : 1);
    pji_str_add(&body, "]\n");
    pji_str_addf(&body, "set ylabel '%spower, W'\n", curve->modelled ? "modelled " : "");
    pji_str_add(&body, "set border 3\nset tics nomirror\nset grid ytics lc '#dddddd'\n");
    add_phases(&body, curve);
    pji_str_add(&body,
                "plot $power using 1:2 with filledcurves x1 fs transparent solid 0.25 noborder "
                "lc '#0072B2' notitle, $power using 1:2 with lines lw 1.5 lc '#0072B2' "
                "notitle\n");
    pj_status status = draw(&body, dir, id, 380, err);
    pji_str_fini(&body);
    return status;
}
