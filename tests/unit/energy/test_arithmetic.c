/* Sums, differences and ratios of energies, and their JSON. */
#include "feed.h"

static struct pj_energy make(double value, double u_ind, double u_com, double u_gain,
                             const char *com_id)
{
    struct pj_energy e = {.value_j = value,
                          .u_ind_j = u_ind,
                          .u_com_j = u_com,
                          .u_gain_j = u_gain,
                          .origin = PJ_ORIGIN_COUNTER};
    snprintf(e.com_id, sizeof e.com_id, "%s", com_id);
    return e;
}

static void one_instrument_adds_linearly(void **state)
{
    (void)state;
    struct pj_energy sum = {0}, a = make(10, 3, 1, 0.8, "A"), b = make(20, 4, 2, 1.6, "A");
    pji_energy_add(&sum, &a);
    pji_energy_add(&sum, &b);
    assert_near(sum.value_j, 30, 0);
    assert_near(sum.u_ind_j, 5, 1e-12);
    assert_near(sum.u_com_j, 3, 1e-12);
    assert_near(sum.u_gain_j, 2.4, 1e-12);
    assert_near(pj_energy_u(&sum), sqrt(34), 1e-12);
    assert_string_equal(sum.com_id, "A");
    assert_int_equal(sum.quality, 0);
    assert_string_equal(sum.reason, "");
}

static void two_instruments_add_in_quadrature(void **state)
{
    (void)state;
    struct pj_energy sum = {0}, a = make(10, 3, 3, 3, "B"), b = make(20, 4, 4, 4, "A");
    b.origin = PJ_ORIGIN_MODELLED;
    b.quality = PJ_QUALITY_WRAP;
    pji_energy_add(&sum, &a);
    pji_energy_add(&sum, &b);
    assert_near(sum.u_com_j, 5, 1e-12);
    assert_string_equal(sum.com_id, "A+B");
    assert_int_equal(sum.origin, PJ_ORIGIN_MODELLED);
    assert_int_equal(sum.quality, PJ_QUALITY_WRAP);
    struct pj_energy other = {0}; /* the order does not matter for the name */
    pji_energy_add(&other, &b);
    pji_energy_add(&other, &a);
    assert_string_equal(other.com_id, "A+B");
    /* two such sums share both instruments */
    pji_energy_add(&sum, &other);
    assert_near(sum.u_com_j, 10, 1e-12);
    assert_string_equal(sum.com_id, "A+B");
    /* one of them again: the upper bound */
    pji_energy_add(&sum, &a);
    assert_near(sum.u_com_j, 13, 1e-12);
}

/* "CLASS@INSTANCE": of shared and independent the larger one is taken. */
static void instruments_of_one_class_never_profit(void **state)
{
    (void)state;
    struct pj_energy sum = {0}, a = make(10, 3, 3, 3, "rapl:x:package@1:package-0");
    struct pj_energy b = make(20, 4, 4, 4, "rapl:x:package@2:package-0"), out;
    struct pj_energy dram = make(1, 0, 2, 2, "rapl:x:dram@1:dram-0");
    struct pji_ratio ratio;
    pji_energy_add(&sum, &a);
    pji_energy_add(&sum, &b);
    assert_near(sum.u_com_j, 7, 1e-12);
    assert_string_equal(sum.com_id, "rapl:x:package@*");
    pji_energy_add(&sum, &a); /* one of them again, and the sum of both: the upper bound */
    assert_near(sum.u_com_j, 10, 1e-12);
    pji_energy_add(&sum, &dram); /* another class: in quadrature */
    assert_near(sum.u_com_j, sqrt(104), 1e-12);
    assert_string_equal(sum.com_id, "rapl:x:dram@1:dram-0+rapl:x:package@*");
    /* two sockets of one machine keep the machine's name, another machine's socket does not */
    struct pj_energy own = a, next = make(20, 4, 4, 4, "rapl:x:package@1:package-1");
    pji_energy_add(&own, &next);
    assert_near(own.u_com_j, 7, 1e-12);
    assert_string_equal(own.com_id, "rapl:x:package@1:*");
    pji_energy_add(&own, &a);
    assert_string_equal(own.com_id, "rapl:x:package@1:*");
    assert_int_equal(pji_energy_ratio(&ratio, &own, &own, NULL), PJ_OK);
    assert_false(ratio.cancelled);
    pji_energy_add(&own, &b);
    assert_near(own.u_com_j, 14, 1e-12);
    assert_string_equal(own.com_id, "rapl:x:package@*");
    pji_energy_sub(&out, &b, &a); /* nothing cancels between instances */
    assert_near(out.u_com_j, 5, 1e-12);
    assert_int_equal(pji_energy_ratio(&ratio, &a, &b, NULL), PJ_OK);
    assert_near(ratio.u_com, 0.5 * hypot(0.3, 0.2), 1e-12);
    assert_false(ratio.cancelled);
    b = a;
    b.value_j = 20;
    b.u_com_j = b.u_gain_j = 6;
    assert_int_equal(pji_energy_ratio(&ratio, &a, &b, NULL), PJ_OK);
    assert_near(ratio.u_com, 0, 1e-12); /* one instance: its gain does */
    assert_true(ratio.cancelled);
    /* sums over a class do not know their shares */
    assert_int_equal(pji_energy_ratio(&ratio, &sum, &sum, NULL), PJ_OK);
    assert_false(ratio.cancelled);
}

/* Two packages and a GPU against the same: what the class shares does not shrink with its number.
 */
static void shares_of_a_class_count_as_one_where_that_is_more(void **state)
{
    (void)state;
    struct pj_energy a[] = {make(10, 0, 1, 1, "p@1"), make(10, 0, 1, 1, "p@2"),
                            make(10, 0, 0, 0, "g")};
    struct pj_energy b[] = {make(10, 0, 1, 1, "p@1"), make(10, 0, 1, 1, "p@2"),
                            make(70, 0, 0, 0, "g")};
    struct pji_ratio ratio;
    assert_int_equal(pji_energy_ratio_parts(&ratio, a, 3, b, 3, NULL), PJ_OK);
    double each = 1.0 / 90 - 30.0 / 90 / 90;
    assert_near(ratio.u_com, 2 * each, 1e-12);
    assert_true(ratio.cancelled);
    /* apart where that is more: shares that move against each other */
    b[0] = make(20, 0, 2, 2, "p@1");
    b[1] = make(0, 0, 0, 0, "p@2");
    b[2].value_j = 10;
    assert_int_equal(pji_energy_ratio_parts(&ratio, a, 3, b, 3, NULL), PJ_OK);
    assert_near(ratio.u_com, sqrt(2) / 30, 1e-12);
}

/* What old traces have: a name without a class is one instrument, as it was. */
static void a_name_without_a_class_is_one_instrument(void **state)
{
    (void)state;
    struct pj_energy sum = {0}, old = make(10, 0, 3, 3, "rapl:x:package-0");
    struct pj_energy other = make(10, 0, 4, 4, "rapl:x:package@1:package-0");
    pji_energy_add(&sum, &old);
    pji_energy_add(&sum, &other);
    assert_near(sum.u_com_j, 5, 1e-12);
    char name[16];
    pji_com_id_name(name, sizeof name, "8480c+ @ home, long");
    assert_string_equal(name, "8480c- - home, ");
}

static void a_missing_part_is_said(void **state)
{
    (void)state;
    struct pj_energy sum = {0}, a = make(10, 3, 1, 1, "A"), gone;
    pji_energy_missing(&gone, "no permission");
    pji_energy_add(&sum, &gone);
    assert_int_equal(sum.origin, PJ_ORIGIN_MISSING);
    assert_string_equal(sum.reason, "no permission");
    pji_energy_add(&sum, &a);
    pji_energy_add(&sum, &gone);
    assert_near(sum.value_j, 10, 0);
    assert_int_equal(sum.origin, PJ_ORIGIN_COUNTER);
    assert_int_equal(sum.quality, PJ_QUALITY_PARTIAL);
    assert_string_equal(sum.reason, "no permission");
}

static void long_names_become_a_digest(void **state)
{
    (void)state;
    struct pj_energy x = {0}, y = {0};
    for (int i = 0; i < 8; i++) {
        char id[PJ_COM_ID];
        snprintf(id, sizeof id, "nvml:GPU-%d-0123456789abcdef-0123456789abcdef", i);
        struct pj_energy e = make(1, 0, 1, 1, id);
        pji_energy_add(&x, &e);
        pji_energy_add(&y, &e);
    }
    assert_memory_equal(x.com_id, "sum:", 4);
    assert_string_equal(x.com_id, y.com_id);
    assert_near(x.u_com_j, sqrt(8), 1e-12);
}

static void reasons_are_cut_to_fit(void **state)
{
    (void)state;
    char long_text[500];
    memset(long_text, 'x', sizeof long_text - 1);
    long_text[sizeof long_text - 1] = '\0';
    struct pj_energy e;
    pji_energy_missing(&e, long_text);
    assert_int_equal(strlen(e.reason), PJ_REASON - 1);
}

static void difference_of_one_instrument(void **state)
{
    (void)state;
    struct pj_energy a = make(100, 3, 5, 4, "A"), b = make(50, 4, 3.6055512754639891, 2, "A"), d;
    pji_energy_sub(&d, &a, &b);
    assert_near(d.value_j, 50, 0);
    assert_near(d.u_ind_j, 5, 1e-12);
    assert_near(d.u_gain_j, 2, 1e-12);
    assert_near(d.u_com_j, 2, 1e-9); /* the offsets, 3 each, cancel */
    struct pj_energy other = make(50, 4, 12, 2, "B");
    pji_energy_sub(&d, &a, &other);
    assert_near(d.u_com_j, 13, 1e-12);
    assert_string_equal(d.com_id, "A+B");
    struct pj_energy gone;
    pji_energy_missing(&gone, "why");
    pji_energy_sub(&d, &a, &gone);
    assert_int_equal(d.origin, PJ_ORIGIN_MISSING);
    assert_string_equal(d.reason, "why");
}

static void ratio_cancels_the_gain(void **state)
{
    (void)state;
    struct pji_ratio r;
    struct pj_error err = {0};
    struct pj_energy a = make(200, 2, 10, 10, "A"), b = make(100, 1, 5, 5, "A");
    assert_int_equal(pji_energy_ratio(&r, &a, &b, &err), PJ_OK);
    assert_near(r.value, 2, 0);
    assert_near(r.u_ind, 2 * hypot(0.01, 0.01), 1e-12);
    assert_near(r.u_com, 0, 1e-12);
    assert_true(r.cancelled);
    /* an offset does not: it weighs more on the smaller one */
    a.u_com_j = hypot(10, 3);
    b.u_com_j = hypot(5, 3);
    assert_int_equal(pji_energy_ratio(&r, &a, &b, &err), PJ_OK);
    assert_near(r.u_com, 2 * fabs(3.0 / 200 - 3.0 / 100), 1e-9);
    /* two instruments: nothing cancels */
    struct pj_energy c = make(100, 1, 5, 5, "B");
    a.u_com_j = 10;
    assert_int_equal(pji_energy_ratio(&r, &a, &c, &err), PJ_OK);
    assert_near(r.u_com, 2 * hypot(0.05, 0.05), 1e-12);
    assert_false(r.cancelled);
    /* sums over the same set may have other shares: nothing is claimed to cancel */
    struct pj_energy p = make(200, 2, 10, 10, "A+B"), q = make(100, 1, 5, 5, "A+B");
    assert_int_equal(pji_energy_ratio(&r, &p, &q, &err), PJ_OK);
    assert_false(r.cancelled);
    assert_near(r.u_com, 2 * hypot(0.05, 0.05), 1e-12);
}

static void ratio_needs_two_numbers(void **state)
{
    (void)state;
    struct pji_ratio r;
    struct pj_error err = {0};
    struct pj_energy a = make(0, 2, 1, 1, "A"), b = make(10, 1, 1, 1, "A"), gone;
    assert_int_equal(pji_energy_ratio(&r, &a, &b, &err), PJ_OK);
    assert_near(r.value, 0, 0);
    assert_near(r.u_ind, 0.2, 1e-12);
    assert_int_equal(pji_energy_ratio(&r, &b, &a, &err), PJ_EINVAL);
    assert_true(isnan(r.value));
    pji_energy_missing(&gone, "it broke");
    err = (struct pj_error){0};
    assert_int_equal(pji_energy_ratio(&r, &gone, &b, &err), PJ_EINVAL);
    assert_non_null(strstr(err.text, "it broke"));
}

static void ratio_of_sums_knows_the_shares(void **state)
{
    (void)state;
    struct pji_ratio r;
    struct pj_error err = {0};
    /* the same shares in both: the gains cancel */
    struct pj_energy a[2] = {make(60, 1, 6, 6, "A"), make(40, 1, 2, 2, "B")};
    struct pj_energy b[2] = {make(30, 1, 3, 3, "A"), make(20, 1, 1, 1, "B")};
    assert_int_equal(pji_energy_ratio_parts(&r, a, 2, b, 2, &err), PJ_OK);
    assert_near(r.value, 2, 1e-12);
    assert_near(r.u_com, 0, 1e-12);
    assert_true(r.cancelled);
    /* other shares: what is left is the difference of the sensitivities, 10 % and 5 % gains */
    struct pj_energy c[2] = {make(20, 1, 2, 2, "A"), make(30, 1, 1.5, 1.5, "B")};
    assert_int_equal(pji_energy_ratio_parts(&r, a, 2, c, 2, &err), PJ_OK);
    double from_a = 2 * 0.1 * (0.6 - 0.4), from_b = 2 * 0.05 * (0.4 - 0.6);
    assert_near(r.u_com, hypot(from_a, from_b), 1e-12);
    assert_true(r.cancelled);
    pji_energy_missing(&c[1], "it broke");
    assert_int_equal(pji_energy_ratio_parts(&r, a, 2, c, 2, &err), PJ_EINVAL);
}

/* ---- JSON ---- */

static void energies_survive_json(void **state)
{
    (void)state;
    struct pj_energy a = make(0.1 + 0.2, 1e-9, 1.0 / 3, 0.25, "rapl:package-0"), b;
    a.quality = (PJ_QUALITY_SUSPEND << 1) - 1; /* every flag */
    a.origin = PJ_ORIGIN_INTEGRATED;
    snprintf(a.reason, sizeof a.reason, "a part is missing");
    json_t *json = pji_energy_to_json(&a);
    struct pj_error err = {0};
    assert_int_equal(json_array_size(json_object_get(json, "quality")), 9);
    assert_int_equal(pji_energy_from_json(&b, json, &err), PJ_OK);
    assert_memory_equal(&a, &b, sizeof a);
    assert_near(json_number_value(json_object_get(json, "u")), pj_energy_u(&a), 0);
    json_decref(json);
}

static void missing_is_null_never_zero(void **state)
{
    (void)state;
    struct pj_energy a, b;
    struct pj_error err = {0};
    pji_energy_missing(&a, "not measured here");
    json_t *json = pji_energy_to_json(&a);
    struct pji_str text = {0};
    pji_json_write(&text, json, 0);
    assert_string_equal(pji_str_text(&text),
                        "{\"value\": null, \"u\": null, \"u_ind\": null, \"u_com\": null, "
                        "\"u_gain\": null, \"origin\": \"missing\", \"quality\": [], "
                        "\"com_id\": \"\", \"reason\": \"not measured here\"}");
    assert_int_equal(pji_energy_from_json(&b, json, &err), PJ_OK);
    assert_memory_equal(&a, &b, sizeof a);
    pji_str_fini(&text);
    json_decref(json);
}

static void wrong_energies_are_refused(void **state)
{
    (void)state;
    const char *const bad[] = {
        "[]",
        "{}",
        "{\"origin\":\"guess\",\"value\":1,\"u_ind\":0,\"u_com\":0}",
        "{\"origin\":\"counter\",\"value\":null,\"u_ind\":0,\"u_com\":0}",
        "{\"origin\":\"counter\",\"value\":1,\"u_ind\":-1,\"u_com\":0}",
        "{\"origin\":\"counter\",\"value\":1,\"u_ind\":0}",
        "{\"origin\":\"counter\",\"value\":1,\"u_ind\":0,\"u_com\":0,\"quality\":\"wrap\"}",
        "{\"origin\":\"counter\",\"value\":1,\"u_ind\":0,\"u_com\":0,\"quality\":[1]}",
        "{\"origin\":\"counter\",\"value\":1,\"u_ind\":0,\"u_com\":0,\"com_id\":"
        "\"0123456789012345678901234567890123456789012345678901234567890123456789\"}",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct pj_error err = {0};
        struct pj_energy e;
        json_t *json = pji_json_parse(bad[i], strlen(bad[i]), "test", &err);
        assert_non_null(json);
        assert_int_equal(pji_energy_from_json(&e, json, &err), PJ_EINVAL);
        json_decref(json);
    }
}

static void channels_survive_json(void **state)
{
    (void)state;
    struct pji_channel a = power_channel(), b;
    struct pj_error err = {0};
    a.quantum = 0.1;
    a.gain_rel = 1.0 / 3;
    a.lag_ns = -5;
    a.edge_u_ns = 6;
    json_t *json = pji_channel_to_json(&a);
    assert_int_equal(json_object_set_new(json, "later", json_true()), 0);
    assert_int_equal(pji_channel_from_json(&b, json, &err), PJ_OK);
    assert_memory_equal(&a, &b, sizeof a);
    json_decref(json);
}

/* Sets one key of a good row and expects a status. */
static void row_with(const char *key, json_t *value, pj_status expected)
{
    struct pji_channel a = power_channel(), b;
    struct pj_error err = {0};
    json_t *json = pji_channel_to_json(&a);
    assert_int_equal(json_object_set_new(json, key, value), 0);
    pj_status status = pji_channel_from_json(&b, json, &err);
    if (status != expected) {
        print_error("%s: %d %s\n", key, status, err.text);
    }
    assert_int_equal(status, expected);
    json_decref(json);
}

static void wrong_channels_are_refused(void **state)
{
    (void)state;
    char long_name[80];
    memset(long_name, 'n', sizeof long_name - 1);
    long_name[sizeof long_name - 1] = '\0';
    row_with("name", json_string(long_name), PJ_EINVAL);
    row_with("name", json_integer(1), PJ_EINVAL);
    row_with("kind", json_string("dial"), PJ_EINVAL);
    row_with("kind", json_string("counter"), PJ_EINVAL); /* of role power */
    row_with("origin", json_string("missing"), PJ_EINVAL);
    row_with("modulus", json_integer(-1), PJ_EINVAL);
    row_with("refresh_ns", json_integer(INT64_MAX), PJ_EINVAL);
    row_with("refresh_ns", json_string("1"), PJ_EINVAL);
    row_with("quantum", json_real(-0.5), PJ_EINVAL);
    row_with("cap_mw", json_null(), PJ_EINVAL);
    row_with("cap_mw", json_real(1e300), PJ_EINVAL);
    row_with("companion", json_integer(-2), PJ_EINVAL);
    row_with("companion", json_integer(INT64_C(1) << 40), PJ_EINVAL);
    /* of a later version */
    row_with("role", json_string("price"), PJ_OK);
    row_with("domain_kind", json_string("fan"), PJ_OK);
}

static void missing_rows_survive_json(void **state)
{
    (void)state;
    struct pji_missing a = {.domain = "gpu",
                            .source = "nvml",
                            .domain_kind = PJI_DOMAIN_GPU,
                            .reason = "no library",
                            .fix = "install it"},
                       b;
    struct pj_error err = {0};
    json_t *json = pji_missing_to_json(&a);
    assert_int_equal(pji_missing_from_json(&b, json, &err), PJ_OK);
    assert_memory_equal(&a, &b, sizeof a);
    json_decref(json);
    json = json_object();
    assert_int_equal(pji_missing_from_json(&b, json, &err), PJ_EINVAL);
    json_decref(json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_instrument_adds_linearly),
        cmocka_unit_test(two_instruments_add_in_quadrature),
        cmocka_unit_test(instruments_of_one_class_never_profit),
        cmocka_unit_test(shares_of_a_class_count_as_one_where_that_is_more),
        cmocka_unit_test(a_name_without_a_class_is_one_instrument),
        cmocka_unit_test(a_missing_part_is_said),
        cmocka_unit_test(long_names_become_a_digest),
        cmocka_unit_test(reasons_are_cut_to_fit),
        cmocka_unit_test(difference_of_one_instrument),
        cmocka_unit_test(ratio_cancels_the_gain),
        cmocka_unit_test(ratio_needs_two_numbers),
        cmocka_unit_test(ratio_of_sums_knows_the_shares),
        cmocka_unit_test(energies_survive_json),
        cmocka_unit_test(missing_is_null_never_zero),
        cmocka_unit_test(wrong_energies_are_refused),
        cmocka_unit_test(channels_survive_json),
        cmocka_unit_test(wrong_channels_are_refused),
        cmocka_unit_test(missing_rows_survive_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
