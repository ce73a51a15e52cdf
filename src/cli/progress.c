/* cli/progress.c - see progress.h. */
#include "cli/progress.h"

#include "core/num.h"
#include "core/units.h"
#include "platform/clock.h"

#include <math.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

void pji_progress_init(struct pji_progress *progress, FILE *out)
{
    struct winsize size = {0};
    *progress = (struct pji_progress){.out = out,
                                      .terminal = isatty(fileno(out)) == 1,
                                      .lock = PTHREAD_MUTEX_INITIALIZER,
                                      .eta_s = (double)NAN};
    bool known = progress->terminal && ioctl(fileno(out), TIOCGWINSZ, &size) == 0;
    progress->width = known && size.ws_col > 20 ? size.ws_col : 80;
}

static void clear(struct pji_progress *p)
{
    if (p->line_open)
        fputs("\r\033[K", p->out);
    p->line_open = false;
}

void pji_progress_fini(struct pji_progress *progress)
{
    clear(progress);
    pthread_mutex_destroy(&progress->lock);
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

/* Takes from an event what the line says. */
static void take(struct pji_progress *p, const struct pji_run_event *e, int64_t t_ns)
{
    enum { BAR = 20 };
    char bar[BAR + 1];
    double share = (double)(e->index - 1) / (double)e->n;
    if (e->requests > 0 && e->phase != NULL && strcmp(e->phase, "measure") == 0)
        share += (double)e->requests_done / (double)e->requests / (double)e->n;
    size_t full = (size_t)lround(share * BAR);
    for (size_t i = 0; i < BAR; i++)
        bar[i] = i < full ? '#' : '.';
    bar[BAR] = '\0';
    /* what is waited for needs the room of the bar */
    bool waits = e->phase != NULL && strchr(e->phase, ':') != NULL;
    size_t len = (size_t)snprintf(p->head, sizeof p->head, "%s%s%s%zu/%zu  %s  %s",
                                  waits ? "" : "[", waits ? "" : bar, waits ? "" : "] ", e->index,
                                  e->n, e->treatment, e->phase != NULL ? e->phase : "");
    if (e->requests > 0 && len < sizeof p->head)
        snprintf(p->head + len, sizeof p->head - len, " %zu/%zu", e->requests_done, e->requests);
    p->power_w = e->power_w;
    p->energy_j = e->energy_j;
    if (isnan(p->eta_s) || isnan(e->eta_s) || p->eta_s < e->eta_s || p->eta_s > e->eta_s) {
        p->eta_s = e->eta_s; /* said anew, not again */
        p->eta_ns = t_ns;
    }
}

/* The figures first get their room, then the head as much as the terminal's width leaves. */
static void draw(struct pji_progress *p, int64_t t_ns)
{
    char tail[128] = "";
    char text[64];
    size_t len = 0;
    if (!isnan(p->power_w))
        len += (size_t)snprintf(tail + len, sizeof tail - len, "  %.1f W", p->power_w);
    if (!isnan(p->energy_j) && p->energy_j > 0) {
        format_energy(p->energy_j, text, sizeof text);
        len += (size_t)snprintf(tail + len, sizeof tail - len, "  %s", text);
    }
    if (!isnan(p->eta_s)) {
        format_duration(fmax(p->eta_s - pji_s_from_ns(t_ns - p->eta_ns), 0), text, sizeof text);
        len += (size_t)snprintf(tail + len, sizeof tail - len, "  ETA %s", text);
    }
    size_t room = (size_t)p->width - 1 > len ? (size_t)p->width - 1 - len : 0;
    size_t head = strlen(p->head);
    if (head > room)
        head = room;
    while (head > 0 && head < strlen(p->head) && ((unsigned char)p->head[head] & 0xC0) == 0x80)
        head--; /* not inside a character */
    fprintf(p->out, "\r%.*s%s\033[K", (int)head, p->head, tail);
    fflush(p->out);
    p->line_open = true;
    p->drawn_ns = t_ns;
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

static void take_event(struct pji_progress *p, const struct pji_run_event *event)
{
    int64_t t_ns = pji_clock_ns(CLOCK_MONOTONIC);
    bool bad = event->kind == PJI_RUN_TRIAL_END && event->state != PJI_TRIAL_DONE;
    if (!p->terminal || bad) {
        clear(p);
        plain(p, event);
        return;
    }
    take(p, event, t_ns);
    if (event->kind != PJI_RUN_PROGRESS || t_ns - p->drawn_ns >= PJI_NS_PER_S / 5)
        draw(p, t_ns);
}

void pji_progress_event(void *context, const struct pji_run_event *event)
{
    struct pji_progress *p = context;
    pthread_mutex_lock(&p->lock);
    take_event(p, event);
    pthread_mutex_unlock(&p->lock);
}

void pji_progress_power(void *context, double power_w)
{
    struct pji_progress *p = context;
    pthread_mutex_lock(&p->lock);
    int64_t t_ns = pji_clock_ns(CLOCK_MONOTONIC);
    p->power_w = power_w;
    if (p->line_open && t_ns - p->drawn_ns >= PJI_NS_PER_S / 2)
        draw(p, t_ns);
    pthread_mutex_unlock(&p->lock);
}
