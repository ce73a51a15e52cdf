/* The energy of a piece of a program: one window, its parts, its total.
 *
 *     cc window.c $(pkg-config --cflags --libs perjoule) -o window && ./window
 *
 * An argument is a folder to read instead of the machine (its sys, proc and dev), for tests.
 * Exit code 0: there is a value; 3: there is none, and it was said why.
 */
#include <perjoule/perjoule.h>

#include <stdio.h>
#include <stdlib.h>

/* What shall be measured. */
static double work(void)
{
    volatile double sum = 0;

    for (int i = 1; i < 100000000; i++)
        sum += 1.0 / i;
    return sum;
}

/* Never a bare number: with its interval, its origin, and what happened to it. */
static void print_energy(const char *what, const struct pj_energy *energy)
{
    if (!pj_energy_valid(energy)) {
        printf("%-24s missing: %s\n", what, energy->reason);
        return;
    }
    printf("%-24s %.4g J +- %.2g J (95 %%), %s", what, energy->value_j, 1.96 * pj_energy_u(energy),
           pj_origin_name(energy->origin));
    for (unsigned i = 0; i < 32; i++) {
        const char *flag = pj_quality_name(energy->quality & (1u << i));

        if (flag)
            printf(", %s", flag);
    }
    printf("\n");
}

static int failed(const struct pj_error *err)
{
    fprintf(stderr, "window: %s\n", err->text);
    return 1;
}

int main(int argc, char **argv)
{
    struct pj_session_options options = {
        .size = sizeof options,
        .interval_ns = 10000000,
        .root = argc > 1 ? argv[1] : NULL,
        /* the library does not read the environment: we decide what it hears of it */
        .cuda_visible_devices = getenv("CUDA_VISIBLE_DEVICES"),
        .cuda_device_order = getenv("CUDA_DEVICE_ORDER"),
    };
    struct pj_error err = {0};
    struct pj_session *session = NULL;
    struct pj_result *result = NULL;
    pj_window window = 0;
    int code;

    if (pj_session_open(&session, &options, &err))
        return failed(&err);
    for (size_t i = 0; i < pj_session_missing_count(session); i++) {
        const struct pj_missing *missing = pj_session_missing(session, i);

        printf("not read: %s (%s): %s\n", missing->domain, missing->instrument, missing->reason);
    }
    if (pj_window_begin(session, "work", &window, &err))
        goto out;
    (void)work();
    if (pj_window_end(session, window, &err))
        goto out;
    if (pj_window_read(session, window, -1, &result, &err) < 0)
        goto out;
    for (size_t i = 0; i < result->part_count; i++) {
        const struct pj_part *part = pj_result_part(result, i);

        print_energy(part->source->name, &part->energy);
    }
    printf("%s, %.3f s, %s:\n", result->name, (double)(result->end_ns - result->start_ns) / 1e9,
           result->label);
    print_energy("total", &result->total);
out:
    code = err.code ? failed(&err) : pj_energy_valid(&result->total) ? 0 : 3;
    pj_result_free(result);
    pj_session_close(session);
    return code;
}
