/* What /proc/cpuinfo and /proc/stat say, and the table of CPUs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "rig.h"
#include "sources/cpu_info.h"
#include "sources/cpu_stat.h"
#include "sources/cpu_tdp.h"

#include <errno.h>
#include <string.h>

static void names_are_shortened(void **state)
{
    static const char *const pairs[][2] = {
        {"Intel(R) Xeon(R) Gold 6248 CPU @ 2.50GHz", "xeon gold 6248"},
        {"Intel(R) Xeon(R) CPU E5-2680 v4 @ 2.40GHz", "xeon e5-2680 v4"},
        {"Intel(R) Xeon(R) CPU E3-1240 V2 @ 3.40GHz", "xeon e3-1240 v2"},
        {"INTEL(R) XEON(R) PLATINUM 8568Y+", "xeon platinum 8568y+"},
        {"11th Gen Intel(R) Core(TM) i7-1165G7 @ 2.80GHz", "core i7-1165g7"},
        {"12th Gen Intel(R) Core(TM) i9-12900K", "core i9-12900k"},
        {"Intel(R) Core(TM) Ultra 7 155H", "core ultra 7 155h"},
        {"AMD EPYC 7742 64-Core Processor", "epyc 7742"},
        {"AMD Ryzen Threadripper 1950X 16-Core Processor", "ryzen threadripper 1950x"},
        {"AMD Ryzen 7 5825U with Radeon Graphics", "ryzen 7 5825u"},
        {"AMD Ryzen 5 PRO 4650G with Radeon Graphics", "ryzen 5 pro 4650g"},
        {"", ""},
        {"   ", ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        char name[PJI_CPU_NAME];

        pji_cpu_short_name(pairs[i][0], name);
        assert_string_equal(name, pairs[i][1]);
    }
}

static void long_names_fit(void **state)
{
    char name[PJI_CPU_NAME], text[600];

    (void)state;
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    pji_cpu_short_name(text, name);
    assert_true(strlen(name) < sizeof name);
    for (size_t i = 3; i < sizeof text - 1; i += 4)
        text[i] = ' ';
    pji_cpu_short_name(text, name);
    assert_true(strlen(name) < sizeof name);
}

static void the_table_is_sorted_and_known_parts_are_in_it(void **state)
{
    static const struct {
        const char *name;
        int tdp_w;
    } known[] = {{"xeon e3-1240 v2", 69},
                 {"ryzen threadripper 1950x", 180},
                 {"epyc 7742", 225},
                 {"xeon gold 6248", 150},
                 {"core i7-6700k", 91}};

    (void)state;
    assert_true(pji_cpu_tdp_count > 500);
    for (size_t i = 1; i < pji_cpu_tdp_count; i++)
        assert_true(strcmp(pji_cpu_tdp_table[i - 1].name, pji_cpu_tdp_table[i].name) < 0);
    for (size_t i = 0; i < pji_cpu_tdp_count; i++) {
        assert_in_range(pji_cpu_tdp_table[i].tdp_w, 3, 600);
        assert_in_range(pji_cpu_tdp_table[i].year, 2008, 2026);
    }
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        const struct pji_cpu_tdp *row = pji_cpu_tdp_find(known[i].name);

        assert_non_null(row);
        assert_int_equal(row->tdp_w, known[i].tdp_w);
    }
    assert_null(pji_cpu_tdp_find(""));
    assert_null(pji_cpu_tdp_find("epyc"));
    assert_null(pji_cpu_tdp_find("zzz"));
}

static void assert_info(struct scripted *s, int sockets, int cores, int threads)
{
    struct pji_cpu_info info;

    pji_cpu_info_read(scripted_platform(s), &info);
    assert_int_equal(info.sockets, sockets);
    assert_int_equal(info.cores, cores);
    assert_int_equal(info.threads, threads);
    assert_int_equal(scripted_open_handles(s), 0);
}

static void sockets_are_counted(void **state)
{
    struct scripted *s = scripted_new();

    (void)state;
    assert_info(s, 0, 0, 0); /* nothing there */
    rig_cpuinfo(s, "GenuineIntel", "Intel(R) Xeon(R) Gold 6248 CPU @ 2.50GHz", 85, 2, 20, false);
    assert_info(s, 2, 20, 40);
    /* the short way: one block and the list of CPUs */
    scripted_file(s, "/sys/devices/system/cpu/online", "0-39,40-79\n");
    assert_info(s, 2, 20, 40);
    scripted_file(s, "/sys/devices/system/cpu/online", "0-159\n");
    assert_info(s, 4, 20, 40);
    scripted_file(s, "/sys/devices/system/cpu/online", "nonsense\n");
    assert_info(s, 2, 20, 40);
    scripted_free(s);
}

static void odd_cpuinfo_is_survived(void **state)
{
    struct scripted *s = scripted_new();
    struct pji_cpu_info info;

    (void)state;
    scripted_file(s, "/proc/cpuinfo",
                  "processor\t: 0\nBogoMIPS\t: 50.00\nCPU part\t: 0xd0c\n\n"
                  "processor\t: 1\nBogoMIPS\t: 50.00\nCPU part\t: 0xd0c\n\n");
    pji_cpu_info_read(scripted_platform(s), &info); /* Arm */
    assert_int_equal(info.sockets, 1);
    assert_int_equal(info.threads, 2);
    assert_string_equal(info.name, "");
    assert_string_equal(info.vendor, "");
    scripted_file(s, "/sys/devices/system/cpu/online", "0-1\n");
    assert_info(s, 1, 2, 2);
    scripted_file(s, "/proc/cpuinfo", "no colon here\n:::\nprocessor\nphysical id\t: 99999\n");
    pji_cpu_info_read(scripted_platform(s), &info);
    assert_true(info.sockets <= 1);
    scripted_fail_read(s, "/proc/cpuinfo", EIO, -1);
    pji_cpu_info_read(scripted_platform(s), &info);
    assert_int_equal(info.sockets, 0);
    scripted_free(s);
}

static void a_virtual_machine_is_seen(void **state)
{
    struct scripted *s = scripted_new();
    struct pji_cpu_info info;

    (void)state;
    rig_cpuinfo(s, "AuthenticAMD", "AMD EPYC", 17, 1, 2, true);
    pji_cpu_info_read(scripted_platform(s), &info);
    assert_true(info.virtual_machine);
    assert_string_equal(info.name, "epyc");
    assert_string_equal(info.vendor, "AuthenticAMD");
    assert_int_equal(info.model, 17);
    rig_cpuinfo(s, "AuthenticAMD", "AMD EPYC", 17, 1, 2, false);
    pji_cpu_info_read(scripted_platform(s), &info);
    assert_false(info.virtual_machine);
    scripted_free(s);
}

static void stat_lines_are_read(void **state)
{
    struct pji_cpu_stat stat;
    const char *full = "cpu  10 20 30 400 50 6 7 8 900 1000\ncpu0 1 2 3 4\n";
    const char *old = "cpu 1 2 3 4\n";

    (void)state;
    assert_int_equal(pji_cpu_stat_parse(full, strlen(full), &stat), 0);
    assert_int_equal(stat.busy, 10 + 20 + 30 + 6 + 7);
    assert_int_equal(stat.total, stat.busy + 400 + 50 + 8); /* steal is in it, guest is not */
    assert_int_equal(pji_cpu_stat_parse(old, strlen(old), &stat), 0);
    assert_int_equal(stat.busy, 6);
    assert_int_equal(stat.total, 10);
}

static void bad_stat_lines_are_refused(void **state)
{
    static const char *const bad[] = {"",
                                      "\n",
                                      "cpu",
                                      "cpu \n",
                                      "cpu 1 2 3\n",
                                      "cpu0 1 2 3 4\n",
                                      "cpu 1 2 3 4",
                                      "intr 1 2 3 4\n",
                                      "cpu a b c d\n",
                                      "cpu -1 2 3 4\n"};
    struct pji_cpu_stat stat;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(pji_cpu_stat_parse(bad[i], strlen(bad[i]), &stat), -EBADMSG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_shortened),
        cmocka_unit_test(long_names_fit),
        cmocka_unit_test(the_table_is_sorted_and_known_parts_are_in_it),
        cmocka_unit_test(sockets_are_counted),
        cmocka_unit_test(odd_cpuinfo_is_survived),
        cmocka_unit_test(a_virtual_machine_is_seen),
        cmocka_unit_test(stat_lines_are_read),
        cmocka_unit_test(bad_stat_lines_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
