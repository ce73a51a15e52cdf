/* Prefill and decode from one run, on a device whose true split is known: 95 % intervals cover, the
 * parts add up, the split agrees with the subtraction of a second pass with one token, and what the
 * readings cannot tell is missing.
 */
#include "course.h"

#include "lab/spans.h"
#include "lab/split.h"

struct run {
    struct course course;
    struct pji_load_result load;
    double true_j[2];
};

struct shape {
    size_t requests;
    double prefill_ms, decode_ms, spread; /* lengths vary by +- spread */
    double gap_ms;
    double ramp;    /* share of prefill's power that is not there at once */
    double late_ms; /* first tokens are read so long after prefill ended */
    bool one_token;
};

/* Power of one request: prefill may ramp up within some 5 ms; both vary from request to request and
 * slowly within. */
static int64_t serve(struct run *run, const struct shape *shape, struct pji_prng *rng, int64_t t_ns,
                     struct pji_request_record *r)
{
    double vary = 1 + 0.03 * pji_prng_normal(rng);
    double prefill_ms = shape->prefill_ms * (1 + shape->spread * (2 * pji_prng_unit(rng) - 1));
    double decode_ms = shape->decode_ms * (1 + shape->spread * (2 * pji_prng_unit(rng) - 1));
    int64_t first_ns = t_ns + (int64_t)(prefill_ms * 1e6);
    int64_t end_ns = first_ns + (int64_t)(shape->one_token ? 2e5 : decode_ms * 1e6);
    int64_t over_ns = first_ns - (int64_t)(shape->late_ms * 1e6);
    for (int64_t t = t_ns; t < over_ns; t += MS) {
        double ramp = 1 - shape->ramp * exp(-(double)(t - t_ns) / 5e6);
        course_until(&run->course, t + MS < over_ns ? t + MS : over_ns, 600 * vary * ramp);
    }
    for (int64_t t = over_ns; t < end_ns; t += 5 * MS)
        course_until(&run->course, t + 5 * MS < end_ns ? t + 5 * MS : end_ns,
                     350 * vary * (1 + 0.05 * pji_prng_normal(rng)));
    *r = (struct pji_request_record){.sent_ns = t_ns,
                                     .first_token_ns = first_ns,
                                     .last_token_ns = end_ns,
                                     .end_ns = end_ns,
                                     .prompt_tokens = 1024,
                                     .cached_tokens = -1,
                                     .output_tokens = shape->one_token ? 1 : 64,
                                     .n_tokens = shape->one_token ? 1 : 64};
    r->token_ns = calloc(64, sizeof *r->token_ns);
    assert_non_null(r->token_ns);
    for (int i = 0; i < 64; i++)
        r->token_ns[i] = first_ns + (end_ns - first_ns) * i / 63;
    run->true_j[0] += course_j(&run->course, t_ns, first_ns);
    run->true_j[1] += course_j(&run->course, first_ns, end_ns);
    return end_ns;
}

static void make(struct run *run, const struct shape *shape, struct pji_prng *rng)
{
    *run = (struct run){.load = {.n = shape->requests}};
    run->load.records = calloc(shape->requests, sizeof *run->load.records);
    assert_non_null(run->load.records);
    double each_ms = (shape->prefill_ms + shape->decode_ms) * (1 + shape->spread) + shape->gap_ms;
    course_init(&run->course, (int64_t)((double)(shape->requests + 4) * each_ms * 1e6) + 2000 * MS);
    int64_t t_ns = 1000 * MS;
    course_until(&run->course, t_ns, 80);
    run->load.start_ns = t_ns;
    for (size_t i = 0; i < shape->requests; i++) {
        t_ns = serve(run, shape, rng, t_ns, &run->load.records[i]);
        run->load.end_ns = t_ns;
        t_ns += (int64_t)(shape->gap_ms * 2e6 * pji_prng_unit(rng));
        course_until(&run->course, t_ns, 150);
    }
    course_until(&run->course, t_ns + 800 * MS, 80);
}

static void unmake(struct run *run)
{
    course_fini(&run->course);
    for (size_t i = 0; i < run->load.n; i++)
        free(run->load.records[i].token_ns);
    free(run->load.records);
}

static void split(const struct run *run, enum sensor sensor, struct pji_prng *rng,
                  struct pj_energy parts[PJI_STAGES], struct pj_energy *whole)
{
    struct pji_series series;
    struct pji_spans spans;
    course_read(&run->course, sensor, rng, course_end_ns(&run->course), &series);
    pji_series_window(&series, NULL, run->load.start_ns, run->load.end_ns, whole);
    assert_int_not_equal(whole->origin, PJ_ORIGIN_MISSING);
    assert_int_equal(
        pji_spans_make(&spans, &run->load, run->load.start_ns, run->load.end_ns, true, NULL),
        PJ_OK);
    assert_string_equal(spans.reason, "");
    assert_int_equal(spans.requests, run->load.n);
    assert_int_equal(pji_split_series(&series, whole, &spans, parts, NULL), PJ_OK);
    pji_spans_fini(&spans);
    pji_series_fini(&series);
}

struct tally {
    size_t n, covered, missing;
    double half, z2, bias;
};

static void count(struct tally *t, const struct pj_energy *e, double true_j)
{
    if (e->origin == PJ_ORIGIN_MISSING) {
        t->missing++;
        return;
    }
    double u_j = pj_energy_u(e), off_j = e->value_j - true_j;
    t->n++;
    t->covered += fabs(off_j) <= 1.96 * u_j ? 1 : 0;
    t->half += 1.96 * u_j / true_j;
    t->bias += off_j / true_j;
    t->z2 += off_j * off_j / (u_j * u_j);
}

static void say(const char *what, const char *part, const struct tally *t)
{
    double n = (double)t->n;
    print_message("# %s, %s: %zu of %zu intervals cover (%zu missing), half-width %.1f %%, rms of "
                  "error/u %.2f, mean error %+.2f %%\n",
                  what, part, t->covered, t->n, t->missing, 100 * t->half / n, sqrt(t->z2 / n),
                  100 * t->bias / n);
}

static void simulate(const struct shape *shape, enum sensor sensor, size_t rounds,
                     struct tally tally[2])
{
    struct pji_prng rng;
    pji_prng_init(&rng, 20261121 + (uint64_t)sensor, "split");
    memset(tally, 0, 2 * sizeof *tally);
    for (size_t i = 0; i < rounds; i++) {
        struct run run;
        struct pj_energy parts[PJI_STAGES], whole;
        make(&run, shape, &rng);
        split(&run, sensor, &rng, parts, &whole);
        count(&tally[0], &parts[PJI_STAGE_PREFILL], run.true_j[0]);
        count(&tally[1], &parts[PJI_STAGE_DECODE], run.true_j[1]);
        if (parts[0].origin != PJ_ORIGIN_MISSING && parts[1].origin != PJ_ORIGIN_MISSING &&
            parts[2].origin != PJ_ORIGIN_MISSING)
            assert_true(fabs(parts[0].value_j + parts[1].value_j + parts[2].value_j -
                             whole.value_j) < 1e-6 * whole.value_j);
        unmake(&run);
    }
    say(sensor_name(sensor), "prefill", &tally[0]);
    say(sensor_name(sensor), "decode", &tally[1]);
}

static void intervals_cover(void **state)
{
    (void)state;
    /* as 1024 tokens of an 8-billion-parameter decoder on an H200, and shorter than any step */
    static const struct shape shapes[] = {{30, 100, 600, 0.3, 2, 0, 0, false},
                                          {30, 100, 600, 0.3, 2, 0.6, 0, false},
                                          {30, 100, 600, 0.3, 2, 0, 4, false},
                                          {60, 40, 150, 0.5, 1, 0.6, 1, false}};
    for (size_t k = 0; k < 4; k++) {
        for (enum sensor sensor = 0; sensor < SENSORS; sensor++) {
            struct tally tally[2];
            simulate(&shapes[k], sensor, 40, tally);
            for (size_t i = 0; i < 2; i++) {
                assert_true((double)tally[i].covered >= 0.93 * (double)tally[i].n);
                assert_true(tally[i].n >= 38);
                if (k < 3)
                    assert_true(tally[i].half / (double)tally[i].n <= 0.05);
            }
        }
    }
}

/* Prefill as a second pass would have it: a run of the same prompts with one token each. Both runs
 * see the same instrument, but not at the same time: all of u counts. */
static void agrees_with_two_passes(void **state)
{
    (void)state;
    static const struct shape full = {30, 100, 600, 0, 0.2, 0.3, 1, false};
    static const struct shape single = {30, 100, 600, 0, 0.2, 0.3, 1, true};
    struct pji_prng rng;
    pji_prng_init(&rng, 5, "two passes");
    for (enum sensor sensor = 0; sensor < SENSORS; sensor++) {
        size_t agree[2] = {0};
        double half[2] = {0};
        enum { ROUNDS = 30 };
        for (size_t i = 0; i < ROUNDS; i++) {
            struct run a, b;
            struct pj_energy parts[PJI_STAGES], once[PJI_STAGES], whole, first, rest;
            make(&a, &full, &rng);
            make(&b, &single, &rng);
            split(&a, sensor, &rng, parts, &whole);
            split(&b, sensor, &rng, once, &first);
            pji_energy_sub(&rest, &whole, &first);
            /* requests vary by 3 % of some 58 J in either run */
            double by_u_j = hypot(hypot(whole.u_ind_j, first.u_ind_j), 0.03 * sqrt(60) * 58);
            double off_j[2] = {parts[0].value_j - first.value_j, parts[1].value_j - rest.value_j};
            for (size_t k = 0; k < 2; k++) {
                double u_j = hypot(pj_energy_u(&parts[k]), by_u_j);
                assert_int_not_equal(parts[k].origin, PJ_ORIGIN_MISSING);
                agree[k] += fabs(off_j[k]) <= 1.96 * u_j ? 1 : 0;
                half[k] += 196 * u_j / parts[k].value_j / ROUNDS;
            }
            unmake(&a);
            unmake(&b);
        }
        print_message(
            "# %s against two passes: prefill %zu, decode %zu of %d agree; combined half-width "
            "%.1f and %.1f %%\n",
            sensor_name(sensor), agree[0], agree[1], (int)ROUNDS, half[0], half[1]);
        assert_true(agree[0] >= 28 && agree[1] >= 28);
    }
}

static void what_the_readings_cannot_tell_is_missing(void **state)
{
    (void)state;
    static const struct shape even = {400, 3, 9, 0, 0.1, 0, 0, false}; /* 8 requests a step */
    static const struct shape few = {2, 100, 300, 0, 2, 0, 0, false};
    struct pji_prng rng;
    struct run run;
    struct pj_energy parts[PJI_STAGES], whole;
    pji_prng_init(&rng, 6, "missing");
    make(&run, &even, &rng);
    split(&run, SENSOR_RAPL, &rng, parts, &whole);
    assert_int_equal(parts[PJI_STAGE_PREFILL].origin, PJ_ORIGIN_MISSING);
    print_message("# %s\n", parts[PJI_STAGE_PREFILL].reason);
    assert_non_null(strstr(parts[PJI_STAGE_PREFILL].reason, "gpu is read every "));
    unmake(&run);
    make(&run, &few, &rng);
    split(&run, SENSOR_RAPL, &rng, parts, &whole);
    print_message("# %s\n", parts[PJI_STAGE_DECODE].reason);
    assert_non_null(strstr(parts[PJI_STAGE_DECODE].reason, "fewer than the 12"));
    unmake(&run);
}

/* Requests that fill the window leave no time between and after them, but a delay of the readings
 * does: the parts still add up (and nothing is written beside the columns: the sanitizers look). */
static void requests_may_fill_the_window(void **state)
{
    (void)state;
    static const struct shape shapes[] = {{1, 900, 1500, 0, 0, 0, 0, false},
                                          {3, 400, 700, 0.2, 0, 0.1, 0, false}};
    struct pji_prng rng;
    struct run run;
    struct pj_energy parts[PJI_STAGES], whole;
    pji_prng_init(&rng, 7, "full");
    for (size_t i = 0; i < 40; i++) {
        make(&run, &shapes[i % 2], &rng);
        split(&run, (enum sensor)(i % SENSORS), &rng, parts, &whole);
        unmake(&run);
        if (parts[PJI_STAGE_PREFILL].origin == PJ_ORIGIN_MISSING)
            continue;
        double sum_j = 0;
        for (size_t k = 0; k < PJI_STAGES; k++)
            sum_j += parts[k].origin != PJ_ORIGIN_MISSING ? parts[k].value_j : 0;
        assert_true(fabs(sum_j - whole.value_j) < 1e-6 * whole.value_j);
    }
}

/* ---- spans ---- */

static struct pji_request_record record(int64_t sent_ms, int64_t first_ms, int64_t end_ms,
                                        int64_t *token_ns)
{
    token_ns[0] = first_ms * MS;
    token_ns[1] = end_ms * MS;
    return (struct pji_request_record){.sent_ns = sent_ms * MS,
                                       .first_token_ns = first_ms * MS,
                                       .last_token_ns = end_ms * MS,
                                       .end_ns = end_ms * MS,
                                       .prompt_tokens = 10,
                                       .cached_tokens = -1,
                                       .output_tokens = 2,
                                       .n_tokens = 2,
                                       .token_ns = token_ns};
}

static void check_spans(struct pji_load_result *load, size_t requests, size_t left_out,
                        const char *reason)
{
    struct pji_spans spans;
    assert_int_equal(pji_spans_make(&spans, load, 100 * MS, 1000 * MS, false, NULL), PJ_OK);
    if (strstr(spans.reason, reason) == NULL || (reason[0] == '\0' && spans.reason[0] != '\0'))
        fail_msg("%s", spans.reason);
    assert_int_equal(spans.requests, requests);
    assert_int_equal(spans.left_out, left_out);
    for (size_t i = 1; i < spans.n; i++)
        assert_true(spans.tiles[i].start_ns > spans.tiles[i - 1].start_ns);
    assert_true(spans.n == 0 || spans.tiles[0].start_ns == 100 * MS);
    assert_true(spans.n == 0 || spans.tiles[spans.n - 1].start_ns < 1000 * MS);
    pji_spans_fini(&spans);
}

static void only_requests_that_tell_are_cut(void **state)
{
    (void)state;
    int64_t tokens[2][2];
    struct pji_request_record r[2] = {record(100, 200, 300, tokens[0]),
                                      record(400, 500, 900, tokens[1])};
    struct pji_load_result load = {.records = r, .n = 2};
    check_spans(&load, 2, 0, "");
    r[1] = record(400, 500, 1000, tokens[1]); /* ends with the window: no tile without length */
    check_spans(&load, 2, 0, "");
    r[1] = record(400, 500, 900, tokens[1]);
    char broken[] = "broken";
    check_spans(&load, 2, 0, "");
    r[1].error = broken;
    check_spans(&load, 1, 1, "");
    r[0].error = broken;
    check_spans(&load, 0, 2, "no request succeeded");
    r[0].error = r[1].error = NULL;
    tokens[1][1] = tokens[1][0]; /* the first chunk shares its read with the second */
    check_spans(&load, 1, 1, "");
    tokens[0][1] = tokens[0][0];
    check_spans(&load, 0, 2, "first token of its own");
    r[0] = record(100, 200, 300, tokens[0]);
    r[1] = record(400, 500, 900, tokens[1]);
    r[0].output_tokens = r[1].output_tokens = -1;
    check_spans(&load, 0, 2, "no token counts");
    r[0].output_tokens = r[1].output_tokens = 40;
    check_spans(&load, 0, 2, "several tokens at once");
    r[0].output_tokens = r[1].output_tokens = 2;
    r[1].end_ns = 1100 * MS; /* beyond the window */
    check_spans(&load, 1, 1, "");
    r[1] = record(299, 500, 900, tokens[1]);
    check_spans(&load, 0, 0, "in flight at once");
    r[1].sent_ns = 0; /* never sent */
    check_spans(&load, 1, 0, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_requests_that_tell_are_cut),
        cmocka_unit_test(intervals_cover),
        cmocka_unit_test(agrees_with_two_passes),
        cmocka_unit_test(what_the_readings_cannot_tell_is_missing),
        cmocka_unit_test(requests_may_fill_the_window),
    };
    return cmocka_run_group_tests_name("split", tests, NULL, NULL);
}
