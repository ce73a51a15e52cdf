/* Two looks at the GPUs and what lies between them: what is understood of an event, whose the
 * processes are, and that what nobody knows stays unknown. */
#include "evidence/gpu.h"
#include "scripted_platform.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define OWN   100
#define FIRST "pid:[4026531836]"

static struct pji_gpu_looks parse(const char *gpus)
{
    struct pji_gpu_looks looks;
    char text[2048];
    snprintf(text, sizeof text, "{\"name\": \"look\", \"seen\": [{\"gpus\": [%s]}]}", gpus);
    json_t *event = pji_json_parse(text, strlen(text), "test", NULL);
    assert_non_null(event);
    pji_gpu_looks_parse(&looks, event);
    json_decref(event);
    return looks;
}

static void an_event_is_understood(void **state)
{
    (void)state;
    struct pji_gpu_looks looks =
        parse("{\"gpu\": \"gpu-3\", \"reasons\": 4, \"thermal_ns\": 7, \"limit_mw\": 700000,"
              " \"ecc_uncorrected\": 0, \"processes\": [5, 6, -1, \"x\"], \"xids\": [31, 79],"
              " \"unread\": {\"remapped\": \"Not Supported\", \"power_ns\": \"Unknown Error\"}}");
    assert_int_equal(looks.n, 1);
    const struct pji_gpu_look *g = &looks.gpus[0];
    assert_string_equal(g->gpu, "gpu-3");
    assert_true(g->reasons == 4 && g->thermal_ns == 7 && g->limit_mw == 700000);
    assert_true(g->ecc_uncorrected == 0 && g->power_ns == -1 && g->remapped == -1);
    assert_true(g->n_pids == 2 && g->pids[0] == 5 && g->pids[1] == 6);
    assert_int_equal(g->xid, 79);
    assert_string_equal(g->unread, "remapped (Not Supported), power_ns (Unknown Error)");
}

static void nonsense_is_unknown(void **state)
{
    (void)state;
    struct pji_gpu_looks looks =
        parse("{\"reasons\": -4, \"limit_mw\": \"x\", \"processes\": {}, \"unread\": 5}, 7");
    assert_int_equal(looks.n, 2);
    for (size_t i = 0; i < 2; i++) {
        const struct pji_gpu_look *g = &looks.gpus[i];
        assert_true(g->reasons == -1 && g->limit_mw == -1 && g->n_pids == -1 && g->xid == -1);
    }
    pji_gpu_looks_parse(&looks, NULL);
    assert_int_equal(looks.n, 0);
    struct pji_str many = {0};
    for (int i = 0; i < 40; i++)
        pji_str_addf(&many, "%s{\"gpu\": \"gpu-%d\"}", i > 0 ? "," : "", i);
    looks = parse(pji_str_text(&many));
    assert_int_equal(looks.n, PJI_GPUS);
    pji_str_fini(&many);
}

static struct pji_host_state host_with(struct scripted *s)
{
    struct pji_host_state host = {0};
    assert_int_equal(pji_host_read(&host, scripted_platform(s), NULL), PJ_OK);
    return host;
}

static void process(struct scripted *s, int pid, const char *name, int parent)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    scripted_filef(s, path, "%d (%s) S %d 1 1 0 -1 4194304 10 20 0 0 1 0 1 0 20 0 1 0 9 1 2\n", pid,
                   name, parent);
}

/* What compare says of a GPU with these processes, on a machine with these pids. */
static struct pji_gpu_change whose(const char *pids, const char *name_space, int64_t own)
{
    struct pji_gpu_change changes[PJI_GPUS];
    char gpu[256];
    struct scripted *s = scripted_new();
    process(s, OWN, "perjoule-lab", 1);
    process(s, 101, "keeper", OWN);
    process(s, 102, "server", 101);
    process(s, 200, "stranger", 1);
    scripted_link(s, "/proc/self/ns/pid", name_space);
    struct pji_host_state host = host_with(s);
    snprintf(gpu, sizeof gpu, "{\"gpu\": \"gpu-0\", \"processes\": %s}", pids);
    struct pji_gpu_looks before = parse("{\"gpu\": \"gpu-0\", \"processes\": []}");
    struct pji_gpu_looks after = parse(gpu);
    assert_int_equal(pji_gpu_compare(&before, &host, &after, &host, own, changes), 1);
    pji_host_fini(&host);
    scripted_free(s);
    return changes[0];
}

static void whose_the_processes_are(void **state)
{
    (void)state;
    struct pji_gpu_change c = whose("[102]", FIRST, OWN);
    assert_true(c.ours == 1 && c.foreign_pid == 0 && c.nobodys == 0);
    c = whose("[102, 200]", FIRST, OWN);
    assert_true(c.ours == 1 && c.foreign_pid == 200 && c.nobodys == 0);
    assert_string_equal(c.foreign_name, "stranger");
    c = whose("[999]", FIRST, OWN); /* may not be seen, or is over */
    assert_true(c.ours == 0 && c.foreign_pid == 0 && c.nobodys == 1);
    c = whose("[200]", "pid:[4026532000]", OWN); /* a container: another 200 perhaps */
    assert_true(c.foreign_pid == 0 && c.nobodys == 1);
    c = whose("[102, 200]", "pid:[4026532000]", OWN); /* but here the numbers are the same */
    assert_true(c.ours == 1 && c.foreign_pid == 200);
    c = whose("[200]", FIRST, 0); /* an engine that is not ours: nothing is claimed */
    assert_true(c.foreign_pid == 0 && c.nobodys == 0 && c.ours == 0);
    c = whose("null", FIRST, OWN);
    assert_true(c.foreign_pid == 0 && c.nobodys == 0);
}

static void what_changed(void **state)
{
    struct pji_gpu_change changes[PJI_GPUS];
    struct pji_host_state host = {0};
    (void)state;
    struct pji_gpu_looks before =
        parse("{\"gpu\": \"gpu-0\", \"reasons\": 4, \"thermal_ns\": 10, \"ecc_corrected\": 5,"
              " \"ecc_uncorrected\": 1, \"limit_mw\": 7},"
              "{\"gpu\": \"gpu-7\"}");
    struct pji_gpu_looks after =
        parse("{\"gpu\": \"gpu-1\"},"
              "{\"gpu\": \"gpu-0\", \"reasons\": 64, \"thermal_ns\": 30, \"ecc_corrected\": 3,"
              " \"limit_mw\": 6}");
    assert_int_equal(pji_gpu_compare(&before, &host, &after, &host, 1, changes), 1);
    const struct pji_gpu_change *c = &changes[0];
    assert_string_equal(c->gpu, "gpu-0");
    /* the power limit just before or after is nothing; heat is */
    assert_int_equal(c->reasons, PJI_GPU_HW_THERMAL);
    assert_int_equal(c->thermal_ns, 20);
    assert_int_equal(c->ecc_corrected, -1);   /* counted back: the driver was loaded again */
    assert_int_equal(c->ecc_uncorrected, -1); /* could not be read any more */
    assert_true(c->limit_before_mw == 7 && c->limit_after_mw == 6);
    assert_true(isnan(c->capped_share));
}

static void throttle_channel(struct pji_channel *channel, const char *name, const char *gpu)
{
    *channel = (struct pji_channel){.role = PJI_ROLE_AUX, .kind = PJI_GAUGE, .companion = -1};
    snprintf(channel->name, sizeof channel->name, "%s", name);
    snprintf(channel->domain, sizeof channel->domain, "%s", gpu);
}

static void what_was_sampled_inside(void **state)
{
    struct pji_channel channels[3];
    struct pji_series series[3];
    (void)state;
    throttle_channel(&channels[0], "nvml:0:throttle", "gpu-0");
    throttle_channel(&channels[1], "nvml:1:throttle", "gpu-1");
    throttle_channel(&channels[2], "nvml:0:temp", "gpu-0");
    const int64_t values[][3] = {{0x40, 0x80, 0x8}, {4, 0x80, 0x8}, {0, 0, 0},
                                 {4, 0x80, 0x8},    {4, 0x80, 0x8}, {0x20, 0, 0}};
    for (size_t c = 0; c < 3; c++) {
        assert_int_equal(pji_series_init(&series[c], &channels[c], true, NULL), PJ_OK);
        for (size_t i = 0; i < 6; i++) {
            struct pji_reading r = {.t_ns = (int64_t)i + 1, .value = values[i][c]};
            assert_int_equal(pji_series_add(&series[c], &r, NULL), PJ_OK);
        }
    }
    struct pji_trace trace = {.series = series, .header = {.channels = channels, .n_channels = 3}};
    struct pji_gpu_change change = {.gpu = "gpu-0"};
    pji_gpu_sampled(&change, &trace, 2, 5); /* what is outside is not the window's */
    assert_int_equal(change.reasons, PJI_GPU_SW_POWER_CAP);
    assert_true(fabs(change.capped_share - 0.75) < 1e-12);
    pji_gpu_sampled(&change, &trace, 6, 6);
    assert_int_equal(change.reasons, PJI_GPU_SW_POWER_CAP | PJI_GPU_SW_THERMAL);
    pji_gpu_sampled(&change, &trace, 60, 70);
    assert_true(isnan(change.capped_share));
    for (size_t c = 0; c < 3; c++)
        pji_series_fini(&series[c]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_event_is_understood),  cmocka_unit_test(nonsense_is_unknown),
        cmocka_unit_test(whose_the_processes_are), cmocka_unit_test(what_changed),
        cmocka_unit_test(what_was_sampled_inside),
    };
    return cmocka_run_group_tests_name("gpu", tests, NULL, NULL);
}
