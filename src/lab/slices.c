/* lab/slices.c - see slices.h. */
#include "lab/slices.h"

#include "core/array.h"
#include "core/units.h"
#include "lab/spans.h"
#include "lab/steps.h"
#include "stats/hac.h"
#include "stats/quantile.h"
#include "stats/student.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Slices span some readings, so that what an edge of one is uncertain by stays small, and more than
 * a prefill, whose place is known to its own length only; but there must be enough of them. */
enum { LEAST_SLICES = 20, WANTED_SLICES = 60, STEPS_OF_SLICE = 5, EDGES_OF_SLICE = 10 };

#define MOST_U_SHARE 0.25

struct slicing {
    const struct pji_trace *trace;
    const bool *in_total;
    const struct pji_load_result *load;
    int64_t start_ns, end_ns;
    int64_t *t_ns; /* n + 1 edges */
    bool *left_out;
    double *tokens[PJI_SLOPES]; /* PROMPT and DECODE: of each slice */
    double *energy_j;
    size_t n;
    int64_t edge_u_ns; /* the largest of the channels */
    int64_t *stamps;   /* of all tokens of requests that tell, in order */
    size_t n_stamps;
};

/* Where tokens are put: as usual; those of a chunk in all the time since the chunk before; those of
 * a prompt since the last token of any request, because it waited until then. */
enum placing { USUAL, EVEN, LATE };

/* ---- where slices begin ---- */

static size_t readings_inside(const struct pji_series *s, int64_t start_ns, int64_t end_ns)
{
    return pji_point_after(s, end_ns) - pji_point_after(s, start_ns);
}

/* The channel of the total that is read least often. */
static const struct pji_series *slowest(struct slicing *s)
{
    const struct pji_series *found = NULL;
    size_t fewest = SIZE_MAX;
    for (size_t i = 0; i < s->trace->header.n_channels; i++) {
        const struct pji_series *series = &s->trace->series[i];
        if (!s->in_total[i])
            continue;
        size_t n = readings_inside(series, s->start_ns, s->end_ns);
        if (series->channel.edge_u_ns > s->edge_u_ns)
            s->edge_u_ns = series->channel.edge_u_ns;
        if (n < fewest) {
            fewest = n;
            found = series;
        }
    }
    return found;
}

static double median_prefill_ns(const struct pji_load_result *load, double *scratch)
{
    size_t n = 0;
    double median = 0;
    for (size_t i = 0; i < load->n; i++) {
        const struct pji_request_record *r = &load->records[i];
        if (r->error == NULL && r->first_token_ns > r->sent_ns)
            scratch[n++] = (double)(r->first_token_ns - r->sent_ns);
    }
    return n > 0 && pji_quantile(scratch, n, 0.5, &median, NULL) == PJ_OK ? median : 0;
}

static pj_status cut(struct slicing *s, const struct pji_series *clock, struct pj_error *err)
{
    size_t readings = readings_inside(clock, s->start_ns, s->end_ns);
    double dur_ns = (double)(s->end_ns - s->start_ns), step_ns = dur_ns / (double)(readings + 1);
    double *scratch = pji_zalloc(s->load->n + 1, sizeof *scratch, err);
    if (scratch == NULL)
        return PJ_ENOMEM;
    double length_ns = fmax(STEPS_OF_SLICE * step_ns, EDGES_OF_SLICE * (double)s->edge_u_ns);
    length_ns = fmax(length_ns, 2 * median_prefill_ns(s->load, scratch));
    length_ns = fmax(fmin(length_ns, dur_ns / WANTED_SLICES), 2 * step_ns);
    free(scratch);
    s->t_ns = pji_zalloc(readings + 2, sizeof *s->t_ns, err);
    if (s->t_ns == NULL)
        return PJ_ENOMEM;
    size_t k = pji_point_after(clock, s->start_ns), edges = 0;
    for (; k < clock->n && clock->points[k].t_ns <= s->end_ns; k++) {
        int64_t t_ns = clock->points[k].t_ns;
        /* as near to the length as the readings allow */
        if (edges == 0 || (double)(t_ns - s->t_ns[edges - 1]) > length_ns - step_ns / 2)
            s->t_ns[edges++] = t_ns;
    }
    s->n = edges > 0 ? edges - 1 : 0;
    return PJ_OK;
}

static void add_energies(struct slicing *s)
{
    for (size_t i = 0; i < s->trace->header.n_channels; i++) {
        for (size_t k = 0; k < s->n && s->in_total[i]; k++)
            s->energy_j[k] += pji_curve_j(&s->trace->series[i], s->t_ns[k + 1]) -
                              pji_curve_j(&s->trace->series[i], s->t_ns[k]);
    }
    for (size_t k = 0; k < s->n; k++)
        s->left_out[k] = s->left_out[k] || !isfinite(s->energy_j[k]);
}

/* ---- tokens ---- */

/* First slice that ends after t_ns. */
static size_t slice_at(const struct slicing *s, int64_t t_ns)
{
    size_t low = 0, high = s->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (s->t_ns[middle + 1] <= t_ns)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void spread(const struct slicing *s, double *to, int64_t from_ns, int64_t to_ns,
                   double tokens)
{
    for (size_t k = slice_at(s, from_ns); k < s->n && s->t_ns[k] < to_ns; k++) {
        int64_t a = s->t_ns[k] > from_ns ? s->t_ns[k] : from_ns;
        int64_t b = s->t_ns[k + 1] < to_ns ? s->t_ns[k + 1] : to_ns;
        to[k] += b > a ? tokens * (double)(b - a) / (double)(to_ns - from_ns) : 0;
    }
}

static bool tells(const struct pji_request_record *r)
{
    return r->error == NULL && r->prompt_tokens > 0 && r->output_tokens > 0 &&
           r->first_token_ns > r->sent_ns && r->n_tokens > 0 &&
           (r->output_tokens == 1 || r->token_ns[r->n_tokens - 1] > r->first_token_ns);
}

static void leave_out(struct slicing *s, int64_t from_ns, int64_t to_ns)
{
    for (size_t k = slice_at(s, from_ns); k < s->n && s->t_ns[k] < to_ns; k++)
        s->left_out[k] = true;
}

/* The usual time between two reads with text of one answer; 0: there were not two. */
static pj_status usual_gap(const struct pji_request_record *r, double *gap_ns, struct pj_error *err)
{
    size_t n = 0;
    double *gaps = pji_zalloc(r->n_tokens + 1, sizeof *gaps, err);
    *gap_ns = 0;
    if (gaps == NULL)
        return PJ_ENOMEM;
    for (size_t i = 1; i < r->n_tokens; i++) {
        if (r->token_ns[i] > r->token_ns[i - 1])
            gaps[n++] = (double)(r->token_ns[i] - r->token_ns[i - 1]);
    }
    pj_status status = n > 0 ? pji_quantile(gaps, n, 0.5, gap_ns, err) : PJ_OK;
    free(gaps);
    return status;
}

/* Tokens of chunks with one time stamp were all made since the stamp before, and where that is
 * longer ago than usual (prefill of others held them up) in the usual time; even: or in all of it.
 */
static pj_status add_decode(const struct slicing *s, const struct pji_request_record *r,
                            int64_t delay_ns, bool even, struct pj_error *err)
{
    double each = (double)(r->output_tokens - 1) / (double)(r->n_tokens > 1 ? r->n_tokens - 1 : 1);
    double gap_ns = 0;
    int64_t since_ns = r->token_ns[0];
    pj_status status = usual_gap(r, &gap_ns, err);
    for (size_t i = 1; i < r->n_tokens && status == PJ_OK;) {
        size_t same = i;
        while (same < r->n_tokens && r->token_ns[same] == r->token_ns[i])
            same++;
        int64_t from_ns = r->token_ns[i] > since_ns ? since_ns : r->sent_ns;
        int64_t usual_ns = r->token_ns[i] - (int64_t)gap_ns;
        from_ns = !even && gap_ns >= 1 && usual_ns > from_ns ? usual_ns : from_ns;
        spread(s, s->tokens[PJI_SLOPE_DECODE], from_ns + delay_ns, r->token_ns[i] + delay_ns,
               each * (double)(same - i));
        since_ns = r->token_ns[i];
        i = same;
    }
    return status;
}

static int by_first_token(const void *a, const void *b)
{
    const struct pji_request_record *const *x = a, *const *y = b;
    return ((*x)->first_token_ns > (*y)->first_token_ns) -
           ((*x)->first_token_ns < (*y)->first_token_ns);
}

static pj_status find_stamps(struct slicing *s, struct pj_error *err)
{
    size_t n = 0;
    for (size_t i = 0; i < s->load->n; i++)
        n += s->load->records[i].n_tokens;
    s->stamps = pji_zalloc(n + 1, sizeof *s->stamps, err);
    if (s->stamps == NULL)
        return PJ_ENOMEM;
    for (size_t i = 0; i < s->load->n; i++) {
        const struct pji_request_record *r = &s->load->records[i];
        for (size_t k = 0; k < r->n_tokens && tells(r); k++)
            s->stamps[s->n_stamps++] = r->token_ns[k];
    }
    if (s->n_stamps > 1)
        qsort(s->stamps, s->n_stamps, sizeof *s->stamps, pji_i64_order);
    return PJ_OK;
}

/* The last stamp before t_ns, at least from_ns. */
static int64_t stamp_before(const struct slicing *s, int64_t from_ns, int64_t t_ns)
{
    size_t low = 0, high = s->n_stamps;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (s->stamps[middle] < t_ns)
            low = middle + 1;
        else
            high = middle;
    }
    return low > 0 && s->stamps[low - 1] > from_ns ? s->stamps[low - 1] : from_ns;
}

/* All tokens, as the readings show them: later by delay_ns. */
static pj_status add_tokens(struct slicing *s, int64_t delay_ns, enum placing placing,
                            struct pj_error *err)
{
    size_t n = 0;
    int64_t before_ns = 0;
    const struct pji_request_record **told =
        pji_zalloc(s->load->n + 1, sizeof(struct pji_request_record *), err);
    if (told == NULL)
        return PJ_ENOMEM;
    memset(s->tokens[PJI_SLOPE_PROMPT], 0, s->n * sizeof(double));
    memset(s->tokens[PJI_SLOPE_DECODE], 0, s->n * sizeof(double));
    for (size_t i = 0; i < s->load->n; i++) {
        const struct pji_request_record *r = &s->load->records[i];
        if (r->sent_ns == 0)
            continue;
        if (tells(r))
            told[n++] = r;
        else
            leave_out(s, r->sent_ns, pji_request_end_ns(r));
    }
    if (n > 1)
        qsort(told, n, sizeof(struct pji_request_record *), by_first_token);
    pj_status status = PJ_OK;
    for (size_t i = 0; i < n && status == PJ_OK; i++) {
        const struct pji_request_record *r = told[i];
        int64_t from_ns = before_ns > r->sent_ns ? before_ns : r->sent_ns;
        from_ns = from_ns < r->first_token_ns ? from_ns : r->sent_ns;
        if (placing == LATE)
            from_ns = stamp_before(s, from_ns, r->first_token_ns);
        double cached = r->cached_tokens > 0 ? (double)r->cached_tokens : 0;
        spread(s, s->tokens[PJI_SLOPE_PROMPT], from_ns + delay_ns, r->first_token_ns + delay_ns,
               (double)r->prompt_tokens - cached);
        status = add_decode(s, r, delay_ns, placing == EVEN, err);
        before_ns = r->first_token_ns;
    }
    free(told);
    return status;
}

/* ---- the fit ---- */

static double slice_s(const struct slicing *s, size_t k)
{
    return pji_s_from_ns(s->t_ns[k + 1] - s->t_ns[k]);
}

static size_t used(const struct slicing *s)
{
    size_t n = 0;
    for (size_t k = 0; k < s->n; k++)
        n += s->left_out[k] ? 0 : 1;
    return n;
}

static bool any_tokens(const struct slicing *s)
{
    bool any = false;
    for (size_t k = 0; k < s->n; k++)
        any = any || (!s->left_out[k] && s->tokens[PJI_SLOPE_DECODE][k] > 0);
    return any;
}

/* Residuals hang together for about as long as a request and the next one last. */
static size_t lags_of(const struct slicing *s, size_t n)
{
    double sum_ns = 0, requests = 0;
    for (size_t i = 0; i < s->load->n; i++) {
        const struct pji_request_record *r = &s->load->records[i];
        sum_ns += r->sent_ns != 0 ? (double)(pji_request_end_ns(r) - r->sent_ns) : 0;
        requests += r->sent_ns != 0 ? 1 : 0;
    }
    double mean_ns = (double)(s->t_ns[s->n] - s->t_ns[0]) / (double)s->n;
    double own = requests > 0 ? 2 * sum_ns / requests / mean_ns : 0;
    return (size_t)fmin(fmax(4 * pow((double)n / 100, 2.0 / 9), own), (double)n / 8);
}

static pj_status fit_at(struct slicing *s, int64_t delay_ns, enum placing placing,
                        struct pji_hac *fit, struct pj_error *err)
{
    struct pji_matrix x = {0};
    size_t n = 0;
    *fit = (struct pji_hac){.condition = (double)NAN};
    pj_status status = add_tokens(s, delay_ns, placing, err);
    double *y = status == PJ_OK ? pji_zalloc(s->n + 1, sizeof *y, err) : NULL;
    if (status == PJ_OK)
        status = y != NULL ? pji_matrix_init(&x, used(s), PJI_SLOPES, err) : PJ_ENOMEM;
    for (size_t k = 0; k < s->n && status == PJ_OK; k++) {
        if (s->left_out[k])
            continue;
        *pji_matrix_at(&x, n, PJI_SLOPE_BASE) = slice_s(s, k);
        *pji_matrix_at(&x, n, PJI_SLOPE_PROMPT) = s->tokens[PJI_SLOPE_PROMPT][k];
        *pji_matrix_at(&x, n, PJI_SLOPE_DECODE) = s->tokens[PJI_SLOPE_DECODE][k];
        y[n++] = s->energy_j[k];
    }
    if (status == PJ_OK)
        status = pji_hac_fit(fit, &x, y, NULL, lags_of(s, n), err);
    pji_matrix_fini(&x);
    free(y);
    return status;
}

static pj_status add_change(struct slicing *s, int64_t delay_ns, enum placing placing, double by,
                            const struct pji_slopes *out, double change2[PJI_SLOPES],
                            struct pj_error *err)
{
    struct pji_hac fit;
    pj_status status = fit_at(s, delay_ns, placing, &fit, err);
    for (size_t j = 0; j < PJI_SLOPES && status == PJ_OK; j++)
        change2[j] += by * (fit.beta[j] - out->value[j]) * (fit.beta[j] - out->value[j]);
    pji_hac_fini(&fit);
    return status < 0 ? status : PJ_OK;
}

/* What the slopes become when the instrument's lag is another, within what it is known to, and when
 * tokens are put elsewhere in the time that they may have been made in. */
static pj_status add_placement(struct slicing *s, struct pji_slopes *out, struct pj_error *err)
{
    double change2[PJI_SLOPES] = {0};
    pj_status status = add_change(s, 0, EVEN, 1, out, change2, err);
    if (status == PJ_OK)
        status = add_change(s, 0, LATE, 1, out, change2, err);
    if (status == PJ_OK && s->edge_u_ns > 0)
        status = add_change(s, -s->edge_u_ns, USUAL, 0.5, out, change2, err);
    if (status == PJ_OK && s->edge_u_ns > 0)
        status = add_change(s, s->edge_u_ns, USUAL, 0.5, out, change2, err);
    for (size_t j = 0; j < PJI_SLOPES; j++)
        out->u_com[j] = sqrt(out->u_com[j] * out->u_com[j] + change2[j]);
    return status;
}

static void put_fit(struct pji_slopes *out, const struct pji_hac *fit,
                    const struct pj_energy *total)
{
    double blow = pji_t_quantile(0.975, fit->df) / 1.959963984540054;
    double common = total->value_j > 0 ? total->u_com_j / total->value_j : 0;
    for (size_t j = 0; j < PJI_SLOPES; j++) {
        out->value[j] = fit->beta[j];
        out->u_ind[j] = blow * sqrt(fmax(fit->cov[j + j * fit->p], 0));
        out->u_com[j] = common * fabs(fit->beta[j]);
    }
}

/* Base power or joules for each decoded token that are known to no better than a quarter tell
 * nothing; prompts may take too little to be seen. */
static void refuse_vague(struct pji_slopes *out)
{
    static const struct {
        enum pji_slope slope;
        const char *name;
    } told[] = {{PJI_SLOPE_BASE, "base power"}, {PJI_SLOPE_DECODE, "energy of a decoded token"}};
    for (size_t i = 0; i < 2 && out->reason[0] == '\0'; i++) {
        double u = hypot(out->u_ind[told[i].slope], out->u_com[told[i].slope]);
        double value = fmax(out->value[told[i].slope], 0);
        if (u <= MOST_U_SHARE * value)
            continue;
        snprintf(out->reason, sizeof out->reason,
                 "the slices do not tell the %s (%.3g, u %.2g): poisson, on-off or ramp load does, "
                 "or as many requests at once as the engine takes",
                 told[i].name, out->value[told[i].slope], u);
    }
}

static pj_status fit(struct slicing *s, struct pji_slopes *out, const struct pj_energy *total,
                     struct pj_error *err)
{
    struct pji_hac middle;
    pj_status status = fit_at(s, 0, USUAL, &middle, err); /* marks what is left out, too */
    out->condition = middle.condition;
    out->slices = used(s);
    if (status < 0)
        return status;
    if (out->slices < LEAST_SLICES)
        snprintf(out->reason, sizeof out->reason,
                 "the window holds %zu slices whose tokens are known, fewer than %d", out->slices,
                 (int)LEAST_SLICES);
    else if (!any_tokens(s))
        snprintf(out->reason, sizeof out->reason,
                 "no request tells how many tokens it had and when they came");
    else if (status > 0 || out->condition > PJI_HAC_CONDITION)
        snprintf(
            out->reason, sizeof out->reason,
            "all slices hold time, prompt and decoded tokens in nearly the same shares (condition "
            "number %.0f, above %d): poisson, on-off or ramp load tells them apart",
            fmin(out->condition, 1e6), (int)PJI_HAC_CONDITION);
    status = PJ_OK;
    if (out->reason[0] == '\0') {
        put_fit(out, &middle, total);
        status = add_placement(s, out, err);
        refuse_vague(out);
    }
    pji_hac_fini(&middle);
    return status;
}

static pj_status allocate(struct slicing *s, struct pj_error *err)
{
    s->left_out = pji_zalloc(s->n + 1, sizeof *s->left_out, err);
    s->energy_j = pji_zalloc(s->n + 1, sizeof *s->energy_j, err);
    s->tokens[PJI_SLOPE_PROMPT] = pji_zalloc(s->n + 1, sizeof(double), err);
    s->tokens[PJI_SLOPE_DECODE] = pji_zalloc(s->n + 1, sizeof(double), err);
    return s->left_out != NULL && s->energy_j != NULL && s->tokens[PJI_SLOPE_PROMPT] != NULL &&
                   s->tokens[PJI_SLOPE_DECODE] != NULL
               ? PJ_OK
               : PJ_ENOMEM;
}

pj_status pji_slopes_fit(struct pji_slopes *slopes, const struct pji_trace *trace,
                         const bool *in_total, const struct pj_energy *total,
                         const struct pji_load_result *load, int64_t start_ns, int64_t end_ns,
                         struct pj_error *err)
{
    struct slicing s = {
        .trace = trace, .in_total = in_total, .load = load, .start_ns = start_ns, .end_ns = end_ns};
    *slopes = (struct pji_slopes){.condition = (double)NAN};
    const struct pji_series *clock = slowest(&s);
    if (total->origin == PJ_ORIGIN_MISSING || clock == NULL || end_ns <= start_ns) {
        snprintf(slopes->reason, sizeof slopes->reason, "%s",
                 total->reason[0] != '\0' ? total->reason : "the window has no energy");
        return PJ_OK;
    }
    for (size_t i = 0; i < trace->header.n_channels; i++) {
        const struct pji_channel *c = &trace->header.channels[i];
        if (!in_total[i] || pji_blur_ns(c) == 0)
            continue;
        snprintf(slopes->reason, sizeof slopes->reason,
                 "%.40s shows means over about %.4g ms, longer than the distance of its readings",
                 c->name, pji_ms_from_ns(pji_blur_ns(c)));
        return PJ_OK;
    }
    pj_status status = cut(&s, clock, err);
    if (status == PJ_OK)
        status = find_stamps(&s, err);
    if (status == PJ_OK)
        status = allocate(&s, err);
    if (status == PJ_OK && s.n < LEAST_SLICES) {
        snprintf(slopes->reason, sizeof slopes->reason,
                 "the window of %.3g s holds %zu slices of readings, fewer than %d",
                 pji_s_from_ns(end_ns - start_ns), s.n, (int)LEAST_SLICES);
    } else if (status == PJ_OK) {
        slopes->slice_s = pji_s_from_ns(s.t_ns[s.n] - s.t_ns[0]) / (double)s.n;
        add_energies(&s);
        status = fit(&s, slopes, total, err);
    }
    free(s.t_ns);
    free(s.stamps);
    free(s.left_out);
    free(s.energy_j);
    free(s.tokens[PJI_SLOPE_PROMPT]);
    free(s.tokens[PJI_SLOPE_DECODE]);
    return status;
}
