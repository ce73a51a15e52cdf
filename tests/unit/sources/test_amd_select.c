/* ROCR_VISIBLE_DEVICES, HIP_VISIBLE_DEVICES and CUDA_VISIBLE_DEVICES by ROCm's own rules. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sources/amd_select.h"

#include <stdio.h>
#include <string.h>

static const struct pji_amd_node machine[] = {
    {.bdf = 0x300, .uuid = "GPU-18f2a5d1c0de0001"},
    {.bdf = 0x4300, .uuid = "GPU-18f2a5d1c0de0002"},
    {.bdf = 0x8300, .uuid = ""},
    {.bdf = 0xc300, .uuid = "GPU-99f2a5d1c0de0003"},
};

struct fixture {
    const char *rocr, *hip, *cuda;
    const char *expected;
    enum pji_amd_note note;
    const char *variable, *entry;
};

static void check(const struct fixture *fixtures, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const struct fixture *f = &fixtures[i];
        struct pji_amd_selection selection;
        char text[64] = "";
        size_t len = 0;

        pji_amd_select(machine, 4, f->rocr, f->hip, f->cuda, &selection);
        for (size_t k = 0; k < selection.n; k++)
            len += (size_t)snprintf(text + len, sizeof text - len, "%s%u", k ? " " : "",
                                    selection.index[k]);
        if (strcmp(text, f->expected) != 0 || selection.note != f->note)
            print_error("ROCR=%s HIP=%s CUDA=%s: %s, note %d\n", f->rocr ? f->rocr : "(unset)",
                        f->hip ? f->hip : "(unset)", f->cuda ? f->cuda : "(unset)", text,
                        (int)selection.note);
        assert_string_equal(text, f->expected);
        assert_int_equal(selection.note, f->note);
        if (f->variable)
            assert_string_equal(selection.variable, f->variable);
        if (f->entry)
            assert_string_equal(selection.entry, f->entry);
    }
}

#define ROCR "ROCR_VISIBLE_DEVICES"
#define HIP  "HIP_VISIBLE_DEVICES"
#define CUDA "CUDA_VISIBLE_DEVICES"

static void the_first_filter(void **state)
{
    const struct fixture fixtures[] = {
        {NULL, NULL, NULL, "0 1 2 3", PJI_AMD_NOTE_NONE, NULL, NULL},
        {"", NULL, NULL, "", PJI_AMD_NOTE_NONE, NULL, NULL},
        {"0", NULL, NULL, "0", PJI_AMD_NOTE_NONE, NULL, NULL},
        {"3,0", NULL, NULL, "3 0", PJI_AMD_NOTE_NONE, NULL, NULL},
        {" 2 ,\t1 ", NULL, NULL, "2 1", PJI_AMD_NOTE_NONE, NULL, NULL},
        {"0x2", NULL, NULL, "2", PJI_AMD_NOTE_NONE, NULL, NULL},
        {"GPU-18f2a5d1c0de0002", NULL, NULL, "1", PJI_AMD_NOTE_NONE, NULL, NULL},
        {"gpu-99", NULL, NULL, "3", PJI_AMD_NOTE_NONE, NULL, NULL},
        {"1,GPU-9,0", NULL, NULL, "1 3 0", PJI_AMD_NOTE_NONE, NULL, NULL},
        {"GPU-18f2", NULL, NULL, "", PJI_AMD_NOTE_INVALID, ROCR, "GPU-18f2"},
        {"GPU-", NULL, NULL, "", PJI_AMD_NOTE_INVALID, ROCR, "GPU-"},
        {"0,4,1", NULL, NULL, "0", PJI_AMD_NOTE_INVALID, ROCR, "4"},
        {"0,-1,1", NULL, NULL, "0", PJI_AMD_NOTE_INVALID, ROCR, "-1"},
        {"0,1gpu", NULL, NULL, "0", PJI_AMD_NOTE_INVALID, ROCR, "1gpu"},
        {"0,,1", NULL, NULL, "0", PJI_AMD_NOTE_INVALID, ROCR, ""},
        {"1,0,1,2", NULL, NULL, "1 0", PJI_AMD_NOTE_DUPLICATE, ROCR, "1"},
        {"0,GPU-18f2a5d1c0de0001", NULL, NULL, "0", PJI_AMD_NOTE_DUPLICATE, ROCR, NULL},
        {"0,1,2,3,0", NULL, NULL, "0 1 2 3", PJI_AMD_NOTE_NONE, NULL, NULL},
        {"99999999999999999999", NULL, NULL, "", PJI_AMD_NOTE_INVALID, ROCR, NULL},
    };

    (void)state;
    check(fixtures, sizeof fixtures / sizeof fixtures[0]);
}

static void the_second_filter(void **state)
{
    const struct fixture fixtures[] = {
        {NULL, "2,0", NULL, "2 0", PJI_AMD_NOTE_NONE, NULL, NULL},
        {NULL, "", NULL, "0 1 2 3", PJI_AMD_NOTE_NONE, NULL, NULL},
        {NULL, NULL, "3", "3", PJI_AMD_NOTE_NONE, NULL, NULL},
        {NULL, "", "3", "3", PJI_AMD_NOTE_NONE, NULL, NULL},
        {NULL, "1", "3", "1", PJI_AMD_NOTE_NONE, NULL, NULL},
        {NULL, "1,1,0", NULL, "1 0", PJI_AMD_NOTE_NONE, NULL, NULL},
        {NULL, "GPU-99f2a5d1c0de0003", NULL, "3", PJI_AMD_NOTE_NONE, NULL, NULL},
        {NULL, "GPU-99", NULL, "", PJI_AMD_NOTE_INVALID, HIP, "GPU-99"},
        {NULL, "0, 1", NULL, "0", PJI_AMD_NOTE_INVALID, HIP, " 1"},
        {NULL, "01", NULL, "", PJI_AMD_NOTE_INVALID, HIP, "01"},
        {NULL, "1,", NULL, "1", PJI_AMD_NOTE_NONE, NULL, NULL},
        {NULL, "-1", NULL, "", PJI_AMD_NOTE_INVALID, HIP, "-1"},
        {NULL, NULL, "0,MIG-1", "0", PJI_AMD_NOTE_INVALID, CUDA, "MIG-1"},
        {"3,1", "0", NULL, "3", PJI_AMD_NOTE_NONE, NULL, NULL},
        {"3,1", "1,0", NULL, "1 3", PJI_AMD_NOTE_NONE, NULL, NULL},
        {"3,1", "2", NULL, "", PJI_AMD_NOTE_INVALID, HIP, "2"},
        {"3", "GPU-18f2a5d1c0de0001", NULL, "", PJI_AMD_NOTE_INVALID, HIP, NULL},
        {"", "0", NULL, "", PJI_AMD_NOTE_INVALID, HIP, "0"},
    };

    (void)state;
    check(fixtures, sizeof fixtures / sizeof fixtures[0]);
}

static void addresses(void **state)
{
    uint64_t bdf = 0;

    (void)state;
    assert_true(pji_amd_address("0000:c1:00.0", &bdf));
    assert_int_equal(bdf, 0xc100);
    assert_true(pji_amd_address("00010000:03:1f.7", &bdf));
    assert_true(bdf == (UINT64_C(0x10000) << 32 | 0x3f8));
    assert_false(pji_amd_address("hwmon3", &bdf));
    assert_false(pji_amd_address("0000:c1:00", &bdf));
    assert_false(pji_amd_address("0000:c1:00.0x", &bdf));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_filter),
        cmocka_unit_test(the_second_filter),
        cmocka_unit_test(addresses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
