/* Prefill and decode on devices drawn at random: powers, lengths of prompts and answers, jitter,
 * ramps, late first tokens, failed requests and answers that came at once, read by three kinds of
 * sensors. The truth is in the 95 % intervals, which are not many times too wide either.
 */
#include "course.h"

#include "lab/spans.h"
#include "lab/split.h"

enum { DEVICES = 60, LONGEST = 4400 };

struct device {
    double idle_w, decode_w, prefill_w;
    double token_ms, itl_ms, gap_ms, ramp, late_ms, noise;
    int64_t least_prompt, most_prompt, least_output, most_output;
    size_t requests;
};

static double between(struct pji_prng *rng, double a, double b)
{
    return a + (b - a) * pji_prng_unit(rng);
}

static void draw(struct device *d, struct pji_prng *rng)
{
    bool long_prompts = pji_prng_unit(rng) < 0.5;
    *d = (struct device){.idle_w = between(rng, 50, 120),
                         .decode_w = between(rng, 150, 500),
                         .token_ms = between(rng, 0.05, 0.2),
                         .itl_ms = between(rng, 6, 25),
                         .gap_ms = between(rng, 0.1, 20),
                         .ramp = between(rng, 0, 0.6),
                         .late_ms = between(rng, 0, 4),
                         .noise = between(rng, 0, 0.06),
                         .least_prompt = long_prompts ? 1024 : 16,
                         .most_prompt = long_prompts ? 1100 : 8192,
                         .least_output = (int64_t)between(rng, 8, 64),
                         .requests = (size_t)between(rng, 12, 50)};
    d->prefill_w = d->decode_w * between(rng, 0.8, 2.5);
    d->most_output = d->least_output + (int64_t)between(rng, 0, 100);
}

static void put_tokens(const struct device *d, struct pji_prng *rng, struct pji_request_record *r)
{
    r->output_tokens = d->least_output + (int64_t)pji_prng_below(
                                             rng, (uint64_t)(d->most_output - d->least_output + 1));
    r->n_tokens = (size_t)r->output_tokens;
    r->token_ns = calloc(r->n_tokens, sizeof *r->token_ns);
    assert_non_null(r->token_ns);
    r->token_ns[0] = r->first_token_ns;
    for (size_t i = 1; i < r->n_tokens; i++) {
        double gap_ms = d->itl_ms * (1 + 0.1 * pji_prng_normal(rng));
        gap_ms *= pji_prng_unit(rng) < 0.01 ? 3 : 1;
        r->token_ns[i] = r->token_ns[i - 1] + (int64_t)(fmax(gap_ms, 1) * 1e6);
    }
    r->last_token_ns = r->end_ns = r->token_ns[r->n_tokens - 1];
}

/* One request from t_ns; what it truly took is added to true_j if it belongs to the pool. */
static void serve(struct course *course, const struct device *d, struct pji_prng *rng, int64_t t_ns,
                  struct pji_request_record *r, double true_j[2])
{
    static char broken[] = "broken";
    double low = log((double)d->least_prompt), high = log((double)d->most_prompt);
    double prompt = floor(exp(between(rng, low, high))), vary = 1 + 0.02 * pji_prng_normal(rng);
    int64_t first_ns = t_ns + (int64_t)((8 + d->late_ms + prompt * d->token_ms) * 1e6);
    int64_t over_ns = first_ns - (int64_t)(d->late_ms * 1e6);
    *r = (struct pji_request_record){.sent_ns = t_ns,
                                     .first_token_ns = first_ns,
                                     .prompt_tokens = (int64_t)prompt,
                                     .cached_tokens = -1};
    put_tokens(d, rng, r);
    for (int64_t t = t_ns; t < over_ns; t += MS)
        course_until(course, t + MS < over_ns ? t + MS : over_ns,
                     d->prefill_w * vary * (1 - d->ramp * exp(-(double)(t - t_ns) / 5e6)));
    for (int64_t t = over_ns; t < r->end_ns; t += 5 * MS)
        course_until(course, t + 5 * MS < r->end_ns ? t + 5 * MS : r->end_ns,
                     d->decode_w * vary * (1 + d->noise * pji_prng_normal(rng)));
    if (pji_prng_unit(rng) < 0.03) {
        r->error = broken;
    } else if (pji_prng_unit(rng) < 0.03) { /* its first token came with its last */
        for (size_t i = 0; i < r->n_tokens; i++)
            r->token_ns[i] = r->end_ns;
        r->first_token_ns = r->end_ns;
    } else {
        true_j[0] += course_j(course, t_ns, first_ns);
        true_j[1] += course_j(course, first_ns, r->end_ns);
    }
}

static void run(struct course *course, const struct device *d, struct pji_prng *rng,
                struct pji_load_result *load, double true_j[2])
{
    double each_ms = LONGEST + (double)d->most_output * d->itl_ms * 1.6;
    *load = (struct pji_load_result){.n = d->requests};
    load->records = calloc(load->n, sizeof *load->records);
    assert_non_null(load->records);
    course_init(course, (int64_t)((double)load->n * each_ms * 1e6) + 3000 * MS);
    int64_t t_ns = 1500 * MS;
    course_until(course, t_ns, d->idle_w);
    load->start_ns = t_ns;
    true_j[0] = true_j[1] = 0;
    for (size_t i = 0; i < load->n; i++) {
        serve(course, d, rng, t_ns, &load->records[i], true_j);
        load->end_ns = load->records[i].end_ns;
        t_ns = load->end_ns + (int64_t)(2e6 * d->gap_ms * pji_prng_unit(rng));
        course_until(course, t_ns, d->idle_w);
    }
    course_until(course, t_ns + 1000 * MS, d->idle_w);
}

struct tally {
    size_t covered, n;
    double half, off;
};

static void one(enum sensor sensor, struct pji_prng *rng, struct tally tally[2])
{
    struct device device;
    struct course course;
    struct pji_load_result load;
    struct pji_series series;
    struct pji_spans spans;
    struct pj_energy parts[PJI_STAGES], whole;
    double true_j[2];
    draw(&device, rng);
    run(&course, &device, rng, &load, true_j);
    course_read(&course, sensor, rng, course_end_ns(&course), &series);
    pji_series_window(&series, NULL, load.start_ns, load.end_ns, &whole);
    assert_int_equal(pji_spans_make(&spans, &load, load.start_ns, load.end_ns, true, NULL), PJ_OK);
    assert_int_equal(pji_split_series(&series, &whole, &spans, parts, NULL), PJ_OK);
    for (size_t k = 0; k < 2; k++) {
        if (parts[k].origin == PJ_ORIGIN_MISSING)
            continue;
        double u_j = pj_energy_u(&parts[k]), off_j = fabs(parts[k].value_j - true_j[k]);
        tally[k].n++;
        tally[k].covered += off_j <= 1.96 * u_j ? 1 : 0;
        tally[k].half += 196 * u_j / true_j[k];
        tally[k].off += 100 * off_j / true_j[k];
    }
    assert_true(fabs(parts[0].value_j + parts[1].value_j + parts[2].value_j - whole.value_j) <
                1e-6 * whole.value_j);
    pji_spans_fini(&spans);
    pji_series_fini(&series);
    course_fini(&course);
    for (size_t i = 0; i < load.n; i++)
        free(load.records[i].token_ns);
    free(load.records);
}

static void intervals_cover(void **state)
{
    static const char *const names[] = {"prefill", "decode"};
    bool good = true;
    (void)state;
    for (enum sensor sensor = 0; sensor < SENSORS; sensor++) {
        struct pji_prng rng;
        struct tally tally[2] = {{0}};
        pji_prng_init(&rng, 77 + (uint64_t)sensor, "split_random");
        for (size_t i = 0; i < DEVICES; i++)
            one(sensor, &rng, tally);
        for (size_t k = 0; k < 2; k++) {
            double n = (double)tally[k].n, half = tally[k].half / n, off = tally[k].off / n;
            print_message("# %s, %s: %zu of %zu intervals cover, half-width %.1f %%, mean "
                          "distance from the truth %.1f %%\n",
                          sensor_name(sensor), names[k], tally[k].covered, tally[k].n, half, off);
            good = good && (double)tally[k].covered >= 0.93 * n && n >= 0.95 * DEVICES;
            good = good && half < 10 * off;
        }
    }
    assert_true(good);
}

/* NVML's PowerUsage on most GPUs: the mean of a second, every 100 ms. No delay undoes that. */
static void means_over_longer_than_the_readings_are_refused(void **state)
{
    (void)state;
    struct pji_channel channel = sensor_channel(SENSOR_SAMPLES);
    struct pji_series series;
    struct pj_energy parts[PJI_STAGES], whole = {.value_j = 1, .origin = PJ_ORIGIN_INTEGRATED};
    struct pji_tile tiles[] = {{0, PJI_STAGE_PREFILL}, {900 * MS, PJI_STAGE_DECODE}};
    struct pji_spans spans = {
        .end_ns = 5000 * MS, .tiles = tiles, .n = 2, .requests = 1, .decode_tokens = 5};
    channel.refresh_ns = 100 * MS;
    channel.lag_ns = 550 * MS;
    assert_int_equal(pji_series_init(&series, &channel, true, NULL), PJ_OK);
    for (int64_t t = 0; t < 70; t++)
        course_put(&series, t * 100 * MS, 200000);
    assert_int_equal(pji_split_series(&series, &whole, &spans, parts, NULL), PJ_OK);
    print_message("# %s\n", parts[PJI_STAGE_PREFILL].reason);
    for (size_t k = 0; k < 2; k++) {
        assert_int_equal(parts[k].origin, PJ_ORIGIN_MISSING);
        assert_non_null(strstr(parts[k].reason, "means over about 1000 ms"));
    }
    pji_series_fini(&series);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(intervals_cover),
        cmocka_unit_test(means_over_longer_than_the_readings_are_refused),
    };
    return cmocka_run_group_tests_name("split_random", tests, NULL, NULL);
}
