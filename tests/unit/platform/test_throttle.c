/* For how long a limit on a control group has held us back: where the two kinds of hierarchies
 * tell. */
#include "scripted_platform.h"

#include "platform/throttle.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void one(const char *groups, const char *const *files, int64_t want_ns)
{
    struct scripted *s = scripted_new();
    if (groups != NULL)
        scripted_file(s, "/proc/self/cgroup", groups);
    for (; *files != NULL; files += 2)
        scripted_file(s, files[0], files[1]);
    assert_int_equal(pji_throttled_ns(scripted_platform(s)), want_ns);
    assert_int_equal(scripted_open_handles(s), 0);
    scripted_free(s);
}

#define FILES(...) ((const char *const[]){__VA_ARGS__ NULL})
#define V2         "usage_usec 9\nnr_periods 3\nnr_throttled 2\nthrottled_usec 1500\n"
#define V1         "nr_periods 3\nnr_throttled 2\nthrottled_time 2500\n"

static void groups_that_are_held_back(void **state)
{
    (void)state;
    /* the unit's own limit and that of the slice above it */
    one("0::/a.slice/b.service\n",
        FILES("/sys/fs/cgroup/a.slice/b.service/cpu.stat", V2, "/sys/fs/cgroup/a.slice/cpu.stat",
              "throttled_usec 100\n", "/sys/fs/cgroup/cpu.stat", "usage_usec 5\n", ),
        1600000);
    /* a container: what it sees as the root is its group */
    one("0::/\n", FILES("/sys/fs/cgroup/cpu.stat", V2, ), 1500000);
    one("4:memory:/m\n1:cpu:/pj\n0::/\n",
        FILES("/sys/fs/cgroup/cpu/pj/cpu.stat", V1, "/sys/fs/cgroup/cpu/cpu.stat",
              "throttled_time 0\n", "/sys/fs/cgroup/cpu/m/cpu.stat", "throttled_time 7\n", ),
        2500);
    one("4:cpuset:/x\n2:cpu,cpuacct:/docker/1f", FILES("/sys/fs/cgroup/cpu,cpuacct/cpu.stat", V1, ),
        2500); /* the host's path, unseen here */
}

static void nobody_tells(void **state)
{
    (void)state;
    one(NULL, FILES(), 0);
    one("", FILES(), 0);
    one("0::/a\n", FILES(), 0);
    one("nonsense\n:::\n1:cpu\n", FILES("/sys/fs/cgroup/cpu/cpu.stat", V1, ), 0);
    one("1:cpuset:/\n", FILES("/sys/fs/cgroup/cpu/cpu.stat", V1, ), 0);
    one("0::/a\n", FILES("/sys/fs/cgroup/a/cpu.stat", "usage_usec 5\n", ), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(groups_that_are_held_back),
        cmocka_unit_test(nobody_tells),
    };
    return cmocka_run_group_tests_name("platform/throttle", tests, NULL, NULL);
}
