/* What tokens cost where several requests are in flight: a scripted server that batches, with known
 * joules per prompt token, per decoded token and base power, read by three kinds of sensors.
 */
#include "course.h"

#include "core/array.h"
#include "lab/slices.h"

#define PROMPT_J 0.03
#define DECODE_J 0.8
#define BASE_W   150.0

enum { STREAMS = 16, MOST_TOKENS = 400 };

struct server {
    struct course course;
    struct pji_load_result load;
    struct pji_request_record *active[STREAMS];
    int64_t t_ns;
    size_t next;
};

struct shape {
    size_t requests;
    double per_s; /* Poisson arrivals; 0: all at once, as a closed loop keeps an engine full */
    int64_t prompt_least, prompt_most, output_least, output_most;
};

static int64_t between(struct pji_prng *rng, int64_t least, int64_t most)
{
    return least + (int64_t)pji_prng_below(rng, (uint64_t)(most - least + 1));
}

/* Takes up what has arrived. */
static void take(struct server *s)
{
    for (size_t i = 0; i < STREAMS; i++) {
        bool here = s->next < s->load.n && s->load.records[s->next].sent_ns <= s->t_ns;
        if (s->active[i] == NULL && here)
            s->active[i] = &s->load.records[s->next++];
    }
}

/* One step of the engine: the prompt that waits longest, or a token for everybody. */
static void step(struct server *s, struct pji_prng *rng)
{
    struct pji_request_record *oldest = NULL;
    double noise = 1 + 0.03 * pji_prng_normal(rng), busy = 0;
    int64_t start_ns = s->t_ns;
    for (size_t i = 0; i < STREAMS; i++) {
        struct pji_request_record *r = s->active[i];
        bool waits = r != NULL && r->first_token_ns == 0;
        oldest = waits && (oldest == NULL || r->sent_ns < oldest->sent_ns) ? r : oldest;
        busy += r != NULL ? 1 : 0;
    }
    if (oldest != NULL) {
        s->t_ns += (int64_t)((double)oldest->prompt_tokens * 1e5);
        double dur_s = (double)(s->t_ns - start_ns) / 1e9;
        double power_w = BASE_W + (double)oldest->prompt_tokens * PROMPT_J / dur_s;
        course_until(&s->course, s->t_ns, noise * power_w);
        oldest->first_token_ns = s->t_ns;
        oldest->token_ns[oldest->n_tokens++] = s->t_ns;
        return;
    }
    s->t_ns += 12 * MS + (int64_t)(busy * 1e6);
    course_until(&s->course, s->t_ns,
                 noise * (BASE_W + busy * DECODE_J / ((double)(s->t_ns - start_ns) / 1e9)));
    for (size_t i = 0; i < STREAMS; i++) {
        struct pji_request_record *r = s->active[i];
        if (r == NULL)
            continue;
        r->token_ns[r->n_tokens++] = s->t_ns;
        r->last_token_ns = r->end_ns = s->t_ns;
        if ((int64_t)r->n_tokens == r->output_tokens)
            s->active[i] = NULL;
    }
}

static bool busy(const struct server *s)
{
    for (size_t i = 0; i < STREAMS; i++) {
        if (s->active[i] != NULL)
            return true;
    }
    return false;
}

static void serve(struct server *s, const struct shape *shape, struct pji_prng *rng)
{
    *s = (struct server){.load = {.n = shape->requests}, .t_ns = 500 * MS};
    s->load.records = calloc(shape->requests, sizeof *s->load.records);
    assert_non_null(s->load.records);
    for (size_t i = 0; i < shape->requests; i++) {
        struct pji_request_record *r = &s->load.records[i];
        r->prompt_tokens = between(rng, shape->prompt_least, shape->prompt_most);
        r->output_tokens = between(rng, shape->output_least, shape->output_most);
        r->cached_tokens = -1;
        r->token_ns = calloc(MOST_TOKENS, sizeof *r->token_ns);
        assert_non_null(r->token_ns);
    }
    int64_t due_ns = s->t_ns;
    for (size_t i = 0; i < shape->requests; i++) {
        s->load.records[i].sent_ns = due_ns;
        due_ns += shape->per_s > 0 ? (int64_t)(pji_prng_exponential(rng) / shape->per_s * 1e9) : 0;
    }
    course_init(&s->course, 130 * 1000 * MS);
    course_until(&s->course, s->t_ns, 80);
    s->load.start_ns = s->t_ns;
    for (take(s); busy(s) || s->next < s->load.n; take(s)) {
        if (busy(s)) {
            step(s, rng);
        } else { /* nothing to do: the base power alone */
            s->t_ns = s->load.records[s->next].sent_ns;
            course_until(&s->course, s->t_ns, BASE_W);
        }
    }
    s->load.end_ns = s->t_ns;
    course_until(&s->course, s->t_ns + 800 * MS, 80);
}

static void fini(struct server *s)
{
    course_fini(&s->course);
    for (size_t i = 0; i < s->load.n; i++)
        free(s->load.records[i].token_ns);
    free(s->load.records);
}

static void fit(const struct server *s, enum sensor sensor, struct pji_prng *rng,
                struct pji_slopes *slopes)
{
    struct pji_series series;
    struct pji_channel channel = sensor_channel(sensor);
    struct pj_energy total;
    bool in_total = true;
    course_read(&s->course, sensor, rng, course_end_ns(&s->course), &series);
    struct pji_trace trace = {.header = {.channels = &channel, .n_channels = 1}, .series = &series};
    pji_series_window(&series, NULL, s->load.start_ns, s->load.end_ns, &total);
    assert_int_equal(pji_slopes_fit(slopes, &trace, &in_total, &total, &s->load, s->load.start_ns,
                                    s->load.end_ns, NULL),
                     PJ_OK);
    pji_series_fini(&series);
}

static void intervals_cover(void **state)
{
    (void)state;
    static const struct shape shape = {80, 1.5, 200, 1800, 10, 120};
    static const double truth[PJI_SLOPES] = {BASE_W, PROMPT_J, DECODE_J};
    static const char *const names[PJI_SLOPES] = {"base power", "prompt token", "decoded token"};
    enum { ROUNDS = 300 };
    bool good = true;
    for (enum sensor sensor = 0; sensor < SENSORS; sensor++) {
        struct pji_prng rng;
        size_t covered[PJI_SLOPES] = {0};
        double half[PJI_SLOPES] = {0}, bias[PJI_SLOPES] = {0}, slice_s = 0, condition = 0;
        pji_prng_init(&rng, 3 + (uint64_t)sensor, "slices");
        for (size_t i = 0; i < ROUNDS; i++) {
            struct server server;
            struct pji_slopes slopes;
            serve(&server, &shape, &rng);
            fit(&server, sensor, &rng, &slopes);
            assert_string_equal(slopes.reason, "");
            assert_true(slopes.slices >= 20);
            slice_s += slopes.slice_s / ROUNDS;
            condition += slopes.condition / ROUNDS;
            for (size_t j = 0; j < PJI_SLOPES; j++) {
                double u = hypot(slopes.u_ind[j], slopes.u_com[j]);
                covered[j] += fabs(slopes.value[j] - truth[j]) <= 1.96 * u ? 1 : 0;
                half[j] += 196 * u / truth[j] / ROUNDS;
                bias[j] += 100 * (slopes.value[j] / truth[j] - 1) / ROUNDS;
            }
            fini(&server);
        }
        for (size_t j = 0; j < PJI_SLOPES; j++) {
            print_message("# %s, %s: %zu of %d intervals cover, half-width %.1f %%, mean error "
                          "%+.1f %% (slices of %.2f s, condition number %.1f)\n",
                          sensor_name(sensor), names[j], covered[j], (int)ROUNDS, half[j], bias[j],
                          slice_s, condition);
            good = good && covered[j] >= 279; /* 93 % */
        }
    }
    assert_true(good);
}

/* Outputs that never end and prompts that come at once: every slice holds the same. */
static void even_load_is_refused(void **state)
{
    (void)state;
    static const struct shape even = {4, 0, 1000, 1000, 390, 390};
    struct pji_prng rng;
    struct server server;
    struct pji_slopes slopes;
    pji_prng_init(&rng, 9, "even");
    serve(&server, &even, &rng);
    server.load.start_ns += 1000 * MS; /* prefill is over */
    fit(&server, SENSOR_SAMPLES, &rng, &slopes);
    print_message("# %s\n", slopes.reason);
    assert_non_null(strstr(slopes.reason, "above 30"));
    assert_non_null(strstr(slopes.reason, "poisson, on-off or ramp load tells them apart"));
    fini(&server);
}

/* More requests at once than the server takes: they wait in it, and when a prompt is processed is
 * known to its wait only. That is in the interval, or too much of it: never a narrow wrong one. */
static void requests_that_wait_in_the_server(void **state)
{
    (void)state;
    static const struct shape shape = {80, 0, 200, 1800, 10, 120};
    static const double truth[PJI_SLOPES] = {BASE_W, PROMPT_J, DECODE_J};
    enum { ROUNDS = 24 };
    size_t covered[PJI_SLOPES] = {0}, told = 0;
    struct pji_prng rng;
    pji_prng_init(&rng, 12, "queue");
    for (size_t i = 0; i < ROUNDS; i++) {
        struct server server;
        struct pji_slopes slopes;
        serve(&server, &shape, &rng);
        fit(&server, (enum sensor)(i % SENSORS), &rng, &slopes);
        told += slopes.reason[0] == '\0' ? 1 : 0;
        for (size_t j = 0; j < PJI_SLOPES && slopes.reason[0] == '\0'; j++) {
            double u = hypot(slopes.u_ind[j], slopes.u_com[j]);
            covered[j] += fabs(slopes.value[j] - truth[j]) <= 1.96 * u ? 1 : 0;
        }
        if (slopes.reason[0] != '\0' && strstr(slopes.reason, "poisson, on-off or ramp") == NULL)
            fail_msg("%s", slopes.reason);
        fini(&server);
    }
    print_message("# waiting in the server: %zu of %d told, covered %zu, %zu and %zu\n", told,
                  (int)ROUNDS, covered[0], covered[1], covered[2]);
    for (size_t j = 0; j < PJI_SLOPES; j++)
        assert_true((double)covered[j] >= 0.93 * (double)told);
}

static void means_over_longer_than_the_readings_are_refused(void **state)
{
    (void)state;
    struct pji_channel channel = sensor_channel(SENSOR_SAMPLES);
    struct pji_series series;
    struct pji_slopes slopes;
    struct pj_energy total = {.value_j = 1, .origin = PJ_ORIGIN_INTEGRATED};
    struct pji_load_result load = {0};
    bool in_total = true;
    channel.refresh_ns = 100 * MS;
    channel.lag_ns = 550 * MS;
    assert_int_equal(pji_series_init(&series, &channel, true, NULL), PJ_OK);
    struct pji_trace trace = {.header = {.channels = &channel, .n_channels = 1}, .series = &series};
    assert_int_equal(pji_slopes_fit(&slopes, &trace, &in_total, &total, &load, 0, 1000 * MS, NULL),
                     PJ_OK);
    assert_non_null(strstr(slopes.reason, "gpu shows means over about 1000 ms"));
    pji_series_fini(&series);
}

static void short_windows_are_refused(void **state)
{
    (void)state;
    static const struct shape few = {4, 0, 300, 300, 20, 20};
    struct pji_prng rng;
    struct server server;
    struct pji_slopes slopes;
    pji_prng_init(&rng, 9, "short");
    serve(&server, &few, &rng);
    fit(&server, SENSOR_RAPL, &rng, &slopes);
    print_message("# %s\n", slopes.reason);
    assert_non_null(strstr(slopes.reason, "fewer than 20"));
    fini(&server);
}

/* Half of the requests tell no counts: what is left is right, or there is nothing. */
static void requests_that_tell_nothing_are_left_out(void **state)
{
    (void)state;
    static const struct shape shape = {120, 1.5, 200, 1800, 10, 60};
    struct pji_prng rng;
    struct server server;
    struct pji_slopes slopes, all;
    pji_prng_init(&rng, 10, "silent");
    serve(&server, &shape, &rng);
    fit(&server, SENSOR_RAPL, &rng, &all);
    for (size_t i = 0; i < 10; i++)
        server.load.records[i].output_tokens = -1;
    fit(&server, SENSOR_RAPL, &rng, &slopes);
    assert_string_equal(slopes.reason, "");
    assert_true(slopes.slices < all.slices);
    assert_true(fabs(slopes.value[PJI_SLOPE_DECODE] - DECODE_J) < 0.2 * DECODE_J);
    for (size_t i = 0; i < server.load.n; i++)
        server.load.records[i].output_tokens = -1;
    fit(&server, SENSOR_RAPL, &rng, &slopes);
    assert_non_null(strstr(slopes.reason, "no request tells"));
    fini(&server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(intervals_cover),
        cmocka_unit_test(even_load_is_refused),
        cmocka_unit_test(requests_that_wait_in_the_server),
        cmocka_unit_test(means_over_longer_than_the_readings_are_refused),
        cmocka_unit_test(short_windows_are_refused),
        cmocka_unit_test(requests_that_tell_nothing_are_left_out),
    };
    return cmocka_run_group_tests_name("slices", tests, NULL, NULL);
}
