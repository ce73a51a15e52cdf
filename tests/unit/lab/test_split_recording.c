/* Prefill and decode of a real decoder on a recorded H200, split from two of its sensors: power
 * samples every 20 ms, and the energy counter that steps every 100 ms. Both ways must agree within
 * what they state, and with the samples' own windows.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lab/spans.h"
#include "lab/split.h"

#include "shared.h"
#include "sources/nvml_rows.h"

#include <math.h>
#include <string.h>

#define RECORDING "nvml-traces/h200-counter-20ms.csv"
#define PHASES    "nvml-traces/h200-counter-20ms.phases.csv"
#define MS        INT64_C(1000000)

enum { MOST = 32 };

/* Prefills of one batch and prompt, each followed by its decode. */
struct group {
    long long batch, prompt;
    struct pji_request_record records[MOST];
    int64_t token_ns[MOST][2];
    size_t n;
};

static struct pji_series samples, counter;
static struct group groups[MOST];
static size_t n_groups;

static void put(struct pji_series *s, int64_t t_ns, int64_t value)
{
    struct pji_reading r = {.t_ns = t_ns, .value = value};
    assert_int_equal(pji_series_add(s, &r, NULL), PJ_OK);
}

static void read_line(const char *line, long long *offset_ns)
{
    char kind[16];
    long long before_ns = 0, after_ns = 0, value = 0, device_us = 0;
    const char *found = strstr(line, "realtime_minus_monotonic_ns ");
    if (found != NULL)
        *offset_ns = atoll(found + strlen("realtime_minus_monotonic_ns "));
    else if (sscanf(line, "%15[^,],%lld,%lld,%lld,%lld", kind, &before_ns, &after_ns, &value,
                    &device_us) == 5) {
        if (strcmp(kind, "counter") == 0)
            put(&counter, before_ns + (after_ns - before_ns) / 2, value * 1000);
        else if (strcmp(kind, "buffer") == 0)
            put(&samples, device_us * 1000 - *offset_ns, value);
    }
}

static void read_phase(const char *line)
{
    char name[40];
    long long start_ns = 0, end_ns = 0, batch = 0, prompt = 0;
    if (sscanf(line, "%39[^,],%lld,%lld,batch=%lld,prompt=%lld", name, &start_ns, &end_ns, &batch,
               &prompt) != 5)
        return;
    bool prefill = strcmp(name, "prefill") == 0;
    size_t last = n_groups > 0 ? n_groups - 1 : 0;
    if (prefill &&
        (n_groups == 0 || groups[last].batch != batch || groups[last].prompt != prompt)) {
        last = n_groups++;
        assert_true(n_groups < MOST);
        groups[last] = (struct group){.batch = batch, .prompt = prompt};
    }
    struct group *g = &groups[last];
    struct pji_request_record *r = &g->records[g->n];
    int64_t *token_ns = g->token_ns[g->n];
    assert_true(g->n + 1 < MOST);
    if (prefill) {
        *r = (struct pji_request_record){.sent_ns = start_ns,
                                         .prompt_tokens = batch * prompt,
                                         .cached_tokens = -1,
                                         .output_tokens = 2,
                                         .n_tokens = 2,
                                         .token_ns = token_ns};
        return;
    }
    r->first_token_ns = token_ns[0] = start_ns;
    r->last_token_ns = r->end_ns = token_ns[1] = end_ns;
    g->n++;
}

static bool each_line(const char *name, long long *offset_ns)
{
    char path[4096], line[256];
    if (!pjt_shared(path, sizeof path, name))
        return false;
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    while (fgets(line, sizeof line, file) != NULL) {
        if (offset_ns != NULL)
            read_line(line, offset_ns);
        else
            read_phase(line);
    }
    fclose(file);
    return true;
}

static int load(void **state)
{
    (void)state;
    long long offset_ns = 0;
    static const struct pji_nvml_identity gpu = {.uuid = "GPU-recorded"};
    const struct pji_nvml_gpu_facts facts = {.identity = &gpu,
                                             .cap_mw = 1000000,
                                             .spacing_ns = 20 * MS,
                                             .counter_refresh_ns = 100 * MS,
                                             .counter_poll_ns = 20 * MS};
    struct pji_channel c, p;
    pji_nvml_row(&p, PJI_NVML_ROW_POWER, &facts, -1);
    pji_nvml_row(&c, PJI_NVML_ROW_ENERGY, &facts, -1);
    assert_int_equal(pji_series_init(&samples, &p, true, NULL), PJ_OK);
    assert_int_equal(pji_series_init(&counter, &c, true, NULL), PJ_OK);
    if (each_line(RECORDING, &offset_ns))
        (void)each_line(PHASES, NULL);
    return 0;
}

static int unload(void **state)
{
    (void)state;
    pji_series_fini(&samples);
    pji_series_fini(&counter);
    return 0;
}

static void split(struct group *g, const struct pji_series *series,
                  struct pj_energy parts[PJI_STAGES], struct pj_energy *whole)
{
    struct pji_load_result load = {.records = g->records, .n = g->n};
    struct pji_spans spans;
    int64_t start_ns = g->records[0].sent_ns, end_ns = g->records[g->n - 1].end_ns;
    pji_series_window(series, NULL, start_ns, end_ns, whole);
    assert_int_equal(pji_spans_make(&spans, &load, start_ns, end_ns, true, NULL), PJ_OK);
    assert_int_equal(spans.requests, g->n);
    assert_int_equal(pji_split_series(series, whole, &spans, parts, NULL), PJ_OK);
    pji_spans_fini(&spans);
}

/* Without what both share: the sensor's gain. */
static double own_u(const struct pj_energy *e)
{
    double com2 = e->u_com_j * e->u_com_j - e->u_gain_j * e->u_gain_j;
    return sqrt(e->u_ind_j * e->u_ind_j + fmax(com2, 0));
}

static void both_sensors_agree(void **state)
{
    (void)state;
    static const char *const names[] = {"prefill", "decode"};
    size_t compared = 0, agree = 0, told = 0;
    if (samples.n == 0 || n_groups == 0) {
        print_message("# skipped: %s is not here\n", RECORDING);
        skip();
    }
    for (size_t i = 0; i < n_groups; i++) {
        struct pj_energy a[PJI_STAGES], b[PJI_STAGES], whole;
        split(&groups[i], &samples, a, &whole);
        if (a[0].origin != PJ_ORIGIN_MISSING && a[1].origin != PJ_ORIGIN_MISSING)
            assert_true(fabs(a[0].value_j + a[1].value_j + a[2].value_j - whole.value_j) <
                        1e-6 * whole.value_j);
        split(&groups[i], &counter, b, &whole);
        for (size_t k = 0; k < 2; k++) {
            print_message("# batch %lld, prompt %lld, %zu times, %s: samples %.1f +- %.1f J, "
                          "counter %.1f +- %.1f J%s%s\n",
                          groups[i].batch, groups[i].prompt, groups[i].n, names[k], a[k].value_j,
                          1.96 * own_u(&a[k]), b[k].value_j, 1.96 * own_u(&b[k]),
                          a[k].reason[0] != '\0' ? "; samples: " : "", a[k].reason);
            assert_true(a[k].origin != PJ_ORIGIN_MISSING || a[k].reason[0] != '\0');
            assert_true(b[k].origin != PJ_ORIGIN_MISSING || b[k].reason[0] != '\0');
            told += a[k].origin != PJ_ORIGIN_MISSING ? 1 : 0;
            if (a[k].origin == PJ_ORIGIN_MISSING || b[k].origin == PJ_ORIGIN_MISSING)
                continue;
            compared++;
            agree += fabs(a[k].value_j - b[k].value_j) <= 1.96 * hypot(own_u(&a[k]), own_u(&b[k]))
                         ? 1
                         : 0;
        }
    }
    print_message("# %zu of %zu splits agree, %zu of %zu told by the samples\n", agree, compared,
                  told, 2 * n_groups);
    assert_true(compared >= 6 && agree == compared && told >= 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_sensors_agree),
    };
    return cmocka_run_group_tests_name("split_recording", tests, load, unload);
}
