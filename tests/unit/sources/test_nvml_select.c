/* CUDA_VISIBLE_DEVICES and CUDA_DEVICE_ORDER by CUDA's own rule. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sources/nvml_select.h"

#include <stdio.h>
#include <string.h>

/* four GPUs; NVML's order is not that of the bus, to see that the bus decides */
static const struct pji_nvml_identity machine[] = {
    {.uuid = "GPU-8932f937-d72c-4106-c12f-20bd9faed9f6", .name = "A", .bus = 0x41},
    {.uuid = "GPU-8932f937-0000-4106-c12f-20bd9faed9f6", .name = "A", .bus = 0x1b},
    {.uuid = "GPU-11112222-d72c-4106-c12f-20bd9faed9f6", .name = "A", .bus = 0x1b, .domain = 1},
    {.uuid = "GPU-33334444-d72c-4106-c12f-20bd9faed9f6", .name = "A", .bus = 0x1b, .device = 1},
};
/* positions in `machine` in PCI order: 1, 3, 0, 2 */

struct fixture {
    const char *visible;
    const char *expected; /* indices into `machine` */
    enum pji_nvml_note note;
    const char *entry;
};

static void select_and_print(const char *visible, const char *order,
                             struct pji_nvml_selection *selection, char *text, size_t size)
{
    size_t len = 0;
    pji_nvml_select(machine, 4, visible, order, selection);
    text[0] = '\0';
    for (size_t i = 0; i < selection->n; i++)
        len += (size_t)snprintf(text + len, size - len, "%s%u", i ? " " : "", selection->index[i]);
}

static void check(const struct fixture *fixtures, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct pji_nvml_selection selection;
        char text[64];
        select_and_print(fixtures[i].visible, "PCI_BUS_ID", &selection, text, sizeof text);
        if (strcmp(text, fixtures[i].expected) != 0 || selection.note != fixtures[i].note)
            print_error("CUDA_VISIBLE_DEVICES=%s\n",
                        fixtures[i].visible ? fixtures[i].visible : "(unset)");
        assert_string_equal(text, fixtures[i].expected);
        assert_int_equal(selection.note, fixtures[i].note);
        if (fixtures[i].entry)
            assert_string_equal(selection.entry, fixtures[i].entry);
        assert_false(selection.order_unsure);
        /* GPUs of one model: the order that is CUDA's default cannot be told apart from the bus's
         */
        for (int k = 0; k < 2; k++) {
            select_and_print(fixtures[i].visible, k ? "FASTEST_FIRST" : NULL, &selection, text,
                             sizeof text);
            assert_string_equal(text, fixtures[i].expected);
            assert_int_equal(selection.note, fixtures[i].note);
        }
    }
}

static void whole_lists(void **state)
{
    (void)state;
    const struct fixture fixtures[] = {
        {NULL, "1 3 0 2", PJI_NVML_NOTE_NONE, NULL},
        {"", "", PJI_NVML_NOTE_NONE, NULL},
        {"  ", "", PJI_NVML_NOTE_NONE, NULL},
        {"0", "1", PJI_NVML_NOTE_NONE, NULL},
        {"3", "2", PJI_NVML_NOTE_NONE, NULL},
        {"0,1,2,3", "1 3 0 2", PJI_NVML_NOTE_NONE, NULL},
        {"2,0", "0 1", PJI_NVML_NOTE_NONE, NULL},
        {" 2 , 0 ", "0 1", PJI_NVML_NOTE_NONE, NULL},
        {"\t2,\n0\n", "0 1", PJI_NVML_NOTE_NONE, NULL},
        {" \n", "", PJI_NVML_NOTE_NONE, NULL},
        {"0 1", "1", PJI_NVML_NOTE_NONE, NULL},
        {" GPU-3 ,\tGPU-1\n", "3 2", PJI_NVML_NOTE_NONE, NULL},
        {"+1", "3", PJI_NVML_NOTE_NONE, NULL},
        {"1gpu,2nd", "3 0", PJI_NVML_NOTE_NONE, NULL},
        {"GPU-8932f937-d72c-4106-c12f-20bd9faed9f6", "0", PJI_NVML_NOTE_NONE, NULL},
        {"GPU-8932f937-0", "1", PJI_NVML_NOTE_NONE, NULL},
        {"GPU-3,GPU-1", "3 2", PJI_NVML_NOTE_NONE, NULL},
    };
    check(fixtures, sizeof fixtures / sizeof fixtures[0]);
}

static void invalid_tails(void **state)
{
    (void)state;
    const struct fixture fixtures[] = {
        {"0,2,-1,1", "1 0", PJI_NVML_NOTE_INVALID, "-1"},
        {"-1", "", PJI_NVML_NOTE_INVALID, "-1"},
        {"4", "", PJI_NVML_NOTE_INVALID, "4"},
        {"1,4,0", "3", PJI_NVML_NOTE_INVALID, "4"},
        {"1,,0", "3", PJI_NVML_NOTE_INVALID, ""},
        {"1,", "3", PJI_NVML_NOTE_INVALID, ""},
        {"NoDevFiles", "", PJI_NVML_NOTE_INVALID, "NoDevFiles"},
        {"99999999999999999999", "", PJI_NVML_NOTE_INVALID, "99999999999999999999"},
        {"GPU-8932f937", "", PJI_NVML_NOTE_INVALID, "GPU-8932f937"},
        {"GPU-3,GPU-8932f937,GPU-1", "3", PJI_NVML_NOTE_INVALID, "GPU-8932f937"},
        {"GPU-3,0", "3", PJI_NVML_NOTE_INVALID, "0"},
        {"0,GPU-3", "1", PJI_NVML_NOTE_INVALID, "GPU-3"},
        {"GPU-8932f937-d72c-4106-c12f-20bd9faed9f6x", "", PJI_NVML_NOTE_INVALID, NULL},
        {"gpu-33334444", "", PJI_NVML_NOTE_INVALID, NULL},
    };
    check(fixtures, sizeof fixtures / sizeof fixtures[0]);
}

static void duplicates_and_slices(void **state)
{
    (void)state;
    const struct fixture fixtures[] = {
        {"0,1,0", "", PJI_NVML_NOTE_DUPLICATE, "0"},
        {"GPU-3,GPU-33334444", "", PJI_NVML_NOTE_DUPLICATE, "GPU-33334444"},
        {"MIG-5a1f3c2e-0b7d-5c6e-9f10-2a3b4c5d6e7f", "", PJI_NVML_NOTE_MIG,
         "MIG-5a1f3c2e-0b7d-5c6e-9f10-2a3b4c5d6e7f"},
        {"MIG-GPU-8932f937-d72c-4106-c12f-20bd9faed9f6/1/0", "", PJI_NVML_NOTE_MIG, NULL},
        {"0,MIG-5a1f3c2e", "1", PJI_NVML_NOTE_MIG, NULL},
    };
    check(fixtures, sizeof fixtures / sizeof fixtures[0]);
}

static void fastest_first_is_unsure_only_where_it_matters(void **state)
{
    (void)state;
    struct pji_nvml_identity mixed[4];
    struct pji_nvml_selection selection;
    memcpy(mixed, machine, sizeof mixed);
    mixed[2].name[0] = 'B';

    pji_nvml_select(machine, 4, "0", NULL, &selection);
    assert_false(selection.order_unsure); /* one model: which of them is a matter of convention */
    pji_nvml_select(mixed, 4, "0", NULL, &selection);
    assert_true(selection.order_unsure);
    pji_nvml_select(mixed, 4, "0", "FASTEST_FIRST", &selection);
    assert_true(selection.order_unsure);
    pji_nvml_select(mixed, 4, "0", "PCI_BUS_ID", &selection);
    assert_false(selection.order_unsure);
    pji_nvml_select(mixed, 4, "3,2,1,0", NULL, &selection);
    assert_false(selection.order_unsure); /* all of them, in whatever order */
    pji_nvml_select(mixed, 4, "GPU-3", NULL, &selection);
    assert_false(selection.order_unsure);
    pji_nvml_select(mixed, 4, NULL, NULL, &selection);
    assert_false(selection.order_unsure);
}

static void no_gpu_at_all(void **state)
{
    (void)state;
    struct pji_nvml_selection selection;
    pji_nvml_select(NULL, 0, NULL, NULL, &selection);
    assert_int_equal(selection.n, 0);
    pji_nvml_select(NULL, 0, "0", NULL, &selection);
    assert_int_equal(selection.n, 0);
    assert_int_equal(selection.note, PJI_NVML_NOTE_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_lists),
        cmocka_unit_test(invalid_tails),
        cmocka_unit_test(duplicates_and_slices),
        cmocka_unit_test(fastest_first_is_unsure_only_where_it_matters),
        cmocka_unit_test(no_gpu_at_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
