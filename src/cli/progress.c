/* cli/progress.c - see progress.h. */
#include "cli/progress.h"

#include "core/num.h"
#include "core/units.h"

#include <math.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

void pji_progress_init(struct pji_progress *progress, FILE *out)
{
    struct winsize size = {0};
    *progress = (struct pji_progress){.out = out, .terminal = isatty(fileno(out)) == 1};
    bool known = progress->terminal && ioctl(fileno(out), TIOCGWINSZ, &size) == 0;
    progress->width = known && size.ws_col > 20 ? size.ws_col : 80;
}

void pji_progress_clear(struct pji_progress *progress)
{
    if (progress->line_open)
        fputs("\r\033[K", progress->out);
    progress->line_open = false;
}

static void format_duration(double dur_s, char *text, size_t size)
{
    long s = lround(dur_s);
    if (s >= 3600)
        snprintf(text, size, "%ld:%02ld:%02ld", s / 3600, s / 60 % 60, s % 60);
    else
        snprintf(text, size, "%ld:%02ld", s / 60, s % 60);
}

static void format_energy(double energy_j, char *text, size_t size)
{
    char number[PJI_NUM_TEXT];
    bool kilo = energy_j >= 10000;
    pji_num_format_digits(kilo ? energy_j / 1000 : energy_j, 4, number);
    snprintf(text, size, "%s %s", number, kilo ? "kJ" : "J");
}

static void draw(struct pji_progress *p, const struct pji_run_event *e)
{
    enum { BAR = 20 };
    char bar[BAR + 1];
    char line[512];
    char text[64];
    size_t len = 0;
    double share = (double)(e->index - 1) / (double)e->n;
    if (e->requests > 0 && e->phase != NULL && strcmp(e->phase, "measure") == 0)
        share += (double)e->requests_done / (double)e->requests / (double)e->n;
    size_t full = (size_t)lround(share * BAR);
    for (size_t i = 0; i < BAR; i++)
        bar[i] = i < full ? '#' : '.';
    bar[BAR] = '\0';
    len = (size_t)snprintf(line, sizeof line, "[%s] %zu/%zu  %s  %s", bar, e->index, e->n,
                           e->treatment, e->phase != NULL ? e->phase : "");
    if (e->requests > 0 && len < sizeof line)
        len += (size_t)snprintf(line + len, sizeof line - len, " %zu/%zu", e->requests_done,
                                e->requests);
    if (!isnan(e->power_w) && len < sizeof line)
        len += (size_t)snprintf(line + len, sizeof line - len, "  %.1f W", e->power_w);
    if (!isnan(e->energy_j) && e->energy_j > 0 && len < sizeof line) {
        format_energy(e->energy_j, text, sizeof text);
        len += (size_t)snprintf(line + len, sizeof line - len, "  %s", text);
    }
    if (!isnan(e->eta_s) && len < sizeof line) {
        format_duration(e->eta_s, text, sizeof text);
        len += (size_t)snprintf(line + len, sizeof line - len, "  ETA %s", text);
    }
    if (len >= (size_t)p->width)
        line[p->width - 1] = '\0';
    fprintf(p->out, "\r%s\033[K", line);
    fflush(p->out);
    p->line_open = true;
}

static void plain(struct pji_progress *p, const struct pji_run_event *e)
{
    char eta[32] = "";
    if (e->kind == PJI_RUN_TRIAL_START) {
        if (!isnan(e->eta_s)) {
            format_duration(e->eta_s, eta, sizeof eta);
            fprintf(p->out, "trial %zu/%zu  %s  (ETA %s)\n", e->index, e->n, e->treatment, eta);
        } else {
            fprintf(p->out, "trial %zu/%zu  %s\n", e->index, e->n, e->treatment);
        }
    } else if (e->kind == PJI_RUN_TRIAL_END) {
        bool reason = e->reason != NULL && e->reason[0] != '\0';
        fprintf(p->out, "trial %zu/%zu  %s  %s%s%s\n", e->index, e->n, e->treatment,
                pji_trial_state_name(e->state), reason ? ": " : "", reason ? e->reason : "");
    }
    fflush(p->out);
}

void pji_progress_event(void *context, const struct pji_run_event *event)
{
    struct pji_progress *p = context;
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    int64_t now_ns = (int64_t)now.tv_sec * PJI_NS_PER_S + now.tv_nsec;
    bool bad = event->kind == PJI_RUN_TRIAL_END && event->state != PJI_TRIAL_DONE;
    if (!p->terminal || bad) {
        pji_progress_clear(p);
        plain(p, event);
        return;
    }
    if (event->kind == PJI_RUN_PROGRESS && now_ns - p->drawn_ns < PJI_NS_PER_S / 5)
        return;
    p->drawn_ns = now_ns;
    draw(p, event);
}
