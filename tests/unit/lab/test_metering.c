/* The meter as a child process: a trace that is not what the meter wrote is refused. The meter here
 * is the real one on a made machine, its output changed on the way by sed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/units.h"
#include "lab/metering.h"
#include "temp.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static char dir[TEMP_PATH];

static int make_machine(void **state)
{
    (void)state;
    temp_open(dir);
    temp_write(dir, "root/sys/class/powercap/intel-rapl:0/name", "package-0\n");
    temp_write(dir, "root/sys/class/powercap/intel-rapl:0/energy_uj", "123456789\n");
    temp_write(dir, "root/sys/class/powercap/intel-rapl:0/max_energy_range_uj", "262143328850\n");
    return 0;
}

static int remove_machine(void **state)
{
    (void)state;
    temp_close(dir);
    return 0;
}

/* Meters for a moment; the trace's fate in `err`. */
static pj_status meter_through(const char *sed, struct pj_error *err)
{
    char script[1024], program[TEMP_PATH + 8], trace_path[TEMP_PATH + 8], root[TEMP_PATH + 8];
    const char *build = getenv("PERJOULE_BUILD_ROOT");
    struct pji_metering *metering = NULL;
    struct pji_trace trace = {0};
    snprintf(script, sizeof script, "#!/bin/sh\n'%s/src/cli/perjoule' \"$@\" | sed -u '%s'\n",
             build ? build : "build", sed);
    temp_write(dir, "meter", script);
    snprintf(program, sizeof program, "%s/meter", dir);
    snprintf(trace_path, sizeof trace_path, "%s/trace", dir);
    snprintf(root, sizeof root, "%s/root", dir);
    assert_int_equal(chmod(program, 0755), 0);
    const struct pji_metering_config config = {.perjoule = program,
                                               .root = root,
                                               .trace_path = trace_path,
                                               .interval_ns = 50 * PJI_NS_PER_MS,
                                               .silence_ns = 60 * PJI_NS_PER_S};
    pj_status status = pji_metering_start(&metering, &config, err);
    if (status)
        fail_msg("%s", err->text);
    status = pji_metering_stop(metering, &trace, err);
    if (!status)
        pji_trace_fini(&trace);
    return status;
}

static void what_the_meter_wrote_is_taken(void **state)
{
    struct pj_error err = {0};
    (void)state;
    assert_int_equal(meter_through("", &err), PJ_OK);
}

static void a_changed_trace_is_refused(void **state)
{
    struct pj_error err = {0};
    (void)state;
    assert_int_equal(meter_through("s/123456789/123456788/", &err), PJ_EPEER);
    assert_non_null(strstr(err.text, "its digest does not fit"));
    assert_non_null(strstr(err.text, "/trace"));
}

static void a_trace_without_its_end_is_refused(void **state)
{
    struct pj_error err = {0};
    (void)state;
    assert_int_equal(meter_through("/\"footer\"/d", &err), PJ_EPEER);
    assert_non_null(strstr(err.text, "without finishing"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_the_meter_wrote_is_taken),
        cmocka_unit_test(a_changed_trace_is_refused),
        cmocka_unit_test(a_trace_without_its_end_is_refused),
    };
    return cmocka_run_group_tests(tests, make_machine, remove_machine);
}
