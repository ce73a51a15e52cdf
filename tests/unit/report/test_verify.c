/* Every digit of every file of a report, changed one at a time: each change is found, on its line,
 * with what was printed and what the records give.
 */
#include "report/verify_parts.h"

#include "platform/durable.h"
#include "report/plot.h"
#include "report/report.h"
#include "temp.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

struct made {
    char dir[TEMP_PATH];
    char study[TEMP_PATH + 16];
    char report[TEMP_PATH + 16];
    struct pji_store *store;
    struct pji_doc doc;
};

static void put_energy(struct made *m, int64_t attempt, const char *name, const char *domain,
                       double value_j)
{
    struct pj_energy e = {.value_j = value_j,
                          .u_ind_j = 0.01 * value_j,
                          .u_com_j = 0.02 * value_j,
                          .u_gain_j = 0.02 * value_j,
                          .origin = PJ_ORIGIN_COUNTER};
    snprintf(e.com_id, sizeof e.com_id, "meter");
    struct pji_energy_row row = {.phase = "measure",
                                 .task = "energy",
                                 .name = name,
                                 .domain = domain,
                                 .set = "rapl:package-0,rapl:dram",
                                 .in_total = strcmp(name, "total") != 0,
                                 .energy = e};
    assert_int_equal(pji_store_add_energy(m->store, attempt, &row, NULL), PJ_OK);
}

static void put_metric(struct made *m, int64_t attempt, const char *name, double value, double u)
{
    struct pji_metric_row row = {.task = "energy",
                                 .name = name,
                                 .value = value,
                                 .u_ind = u / 2,
                                 .u_com = u,
                                 .origin = u > 0 ? "counter" : "",
                                 .reason = ""};
    assert_int_equal(pji_store_add_metric(m->store, attempt, &row, NULL), PJ_OK);
}

static void put_trial(struct made *m, int64_t id, double energy_j)
{
    int64_t attempt = 0;
    assert_int_equal(pji_store_start_attempt(m->store, id, "n", 1, 2, &attempt, NULL), PJ_OK);
    put_energy(m, attempt, "total", "machine", energy_j);
    put_energy(m, attempt, "rapl:package-0", "package", 0.8 * energy_j);
    put_energy(m, attempt, "rapl:dram", "dram", 0.2 * energy_j);
    put_metric(m, attempt, "energy_j", energy_j, 0.02 * energy_j);
    put_metric(m, attempt, "j_per_token", energy_j / 128, 0.02 * energy_j / 128);
    put_metric(m, attempt, "dur_s", energy_j / 37, 0);
    assert_int_equal(
        pji_store_end_attempt(m->store, attempt, PJI_TRIAL_DONE, "", false, 3, 4, NULL), PJ_OK);
}

static void make(struct made *m)
{
    static const char *const levels[] = {"1", "a_b & 50 % \"x\", {y}"};
    static const double energies[] = {101.25, 52.5, 97.125, 55.75, 103.5, 49.875};
    struct pj_error err = {0};
    bool conclusive = false;
    *m = (struct made){0};
    temp_open(m->dir);
    snprintf(m->study, sizeof m->study, "%s/study", m->dir);
    snprintf(m->report, sizeof m->report, "%s/report", m->dir);
    assert_int_equal(pji_store_create(&m->store, m->study, NULL, &err), PJ_OK);
    assert_int_equal(pji_store_put_meta(m->store, "study", "known", &err), PJ_OK);
    assert_int_equal(pji_store_put_meta(m->store, "created_wall_ns", "1700000000000000000", &err),
                     PJ_OK);
    assert_int_equal(pji_store_add_factor(m->store, "level", levels, 2, &err), PJ_OK);
    for (int64_t i = 0; i < 6; i++) {
        struct pji_trial trial = {.id = i + 1,
                                  .cell = i % 2,
                                  .block = i / 2 + 1,
                                  .repetition = i / 2 + 1,
                                  .reason = "",
                                  .levels = &levels[i % 2]};
        assert_int_equal(pji_store_add_trial(m->store, &trial, &err), PJ_OK);
    }
    for (int64_t i = 0; i < 6; i++)
        put_trial(m, i + 1, energies[i]);
    struct pji_report_files files = {.dir = m->report};
    if (pji_report_doc(&m->doc, m->store, &files, &conclusive, &err) != PJ_OK)
        fail_msg("%s", err.text);
}

static void unmake(struct made *m)
{
    pji_doc_fini(&m->doc);
    assert_int_equal(pji_store_close(m->store, NULL), PJ_OK);
    temp_close(m->dir);
}

static size_t line_of(const char *text, size_t offset)
{
    size_t line = 1;
    for (size_t i = 0; i < offset; i++)
        line += text[i] == '\n' ? 1 : 0;
    return line;
}

static char other_digit(char digit)
{
    return digit == '9' ? '0' : (char)(digit + 1);
}

/* What the finding must say of a changed digit. */
static void check_finding(const struct pji_verified *v, const char *name, const char *text,
                          size_t offset, bool in_picture)
{
    if (v->n == 0)
        fail_msg("%s: a change of '%c' at byte %zu was not found", name, text[offset], offset);
    const struct pji_difference *d = &v->differences[0];
    if (d->where[0] == '\0' || d->printed == NULL || strcmp(d->printed, d->recomputed) == 0)
        fail_msg("%s: the change at byte %zu is not named", name, offset);
    if (!in_picture && d->line != line_of(text, offset))
        fail_msg("%s: byte %zu is on line %zu, not %zu", name, offset, line_of(text, offset),
                 d->line);
}

static void change(const struct made *m, const char *name, enum pji_verify_kind kind,
                   const char *text, size_t len, size_t offset, bool in_picture)
{
    struct pji_verified v = {0};
    struct pji_verify_file f = {.out = &v, .doc = &m->doc, .name = name, .kind = kind};
    snprintf(f.base, sizeof f.base, "%.*s", (int)strcspn(name, "."), name);
    char *changed = malloc(len + 1);
    assert_non_null(changed);
    memcpy(changed, text, len + 1);
    changed[offset] = other_digit(text[offset]);
    assert_int_equal(pji_verify_text(&f, changed, len, text, len, NULL), PJ_OK);
    check_finding(&v, name, text, offset, in_picture);
    pji_verified_fini(&v);
    free(changed);
}

/* The number of digits changed. A picture inside a page is long: only some of its digits. */
static size_t change_every_digit(const struct made *m, const char *name, enum pji_verify_kind kind,
                                 size_t stride)
{
    char path[256];
    char *text = NULL;
    size_t len = 0;
    size_t n = 0;
    size_t seen = 0;
    bool in_picture = false;
    snprintf(path, sizeof path, "%s/%s", m->report, name);
    if (pji_read_file(path, 64 << 20, &text, &len, NULL) != PJ_OK)
        fail_msg("there is no %s", path);
    for (size_t i = 0; i < len; i++) {
        if (strncmp(text + i, ";base64,", 8) == 0)
            in_picture = true;
        if (text[i] == '"')
            in_picture = false;
        if (text[i] < '0' || text[i] > '9')
            continue;
        if (seen++ % (in_picture ? 997 : stride) != 0)
            continue;
        change(m, name, kind, text, len, i, in_picture);
        n++;
    }
    free(text);
    return n;
}

static void every_changed_digit_is_found(void **state)
{
    struct made m;
    (void)state;
    make(&m);
    assert_true(change_every_digit(&m, "report.md", PJI_VERIFY_MD, 1) > 100);
    assert_true(change_every_digit(&m, "figures.csv", PJI_VERIFY_CSV, 1) > 300);
    assert_true(change_every_digit(&m, "values.csv", PJI_VERIFY_CSV, 1) > 300);
    assert_true(change_every_digit(&m, "ratios.csv", PJI_VERIFY_CSV, 1) > 100);
    assert_true(change_every_digit(&m, "comparisons.tex", PJI_VERIFY_TEX, 1) > 40);
    assert_true(change_every_digit(&m, "treatments-energy.tex", PJI_VERIFY_TEX, 1) > 40);
    assert_true(change_every_digit(&m, "methods.tex", PJI_VERIFY_TEX, 1) > 10);
    assert_true(change_every_digit(&m, "report.html", PJI_VERIFY_HTML, 3) > 200);
    char version[64];
    if (pji_plots_version(version, sizeof version, NULL) == PJ_OK)
        assert_true(change_every_digit(&m, "distribution.svg", PJI_VERIFY_SVG, 11) > 100);
    unmake(&m);
}

static void change_in_file(const struct made *m, const char *name, const char *from, const char *to)
{
    char path[256];
    char *text = NULL;
    size_t len = 0;
    snprintf(path, sizeof path, "%s/%s", m->report, name);
    assert_int_equal(pji_read_file(path, 64 << 20, &text, &len, NULL), PJ_OK);
    char *at = strstr(text, from);
    if (at == NULL)
        fail_msg("'%s' is not in %s", from, name);
    else
        memcpy(at, to, strlen(to));
    assert_int_equal(pji_durable_write(path, text, len, NULL), PJ_OK);
    free(text);
}

static void verify_folder(struct made *m, struct pji_verified *v, const char *name)
{
    char scratch[TEMP_PATH];
    char path[256];
    struct pj_error err = {0};
    temp_open(scratch);
    snprintf(path, sizeof path, "%s%s%s", m->report, name[0] != '\0' ? "/" : "", name);
    if (pji_verify(v, path, m->store, scratch, NULL, &err) != PJ_OK)
        fail_msg("%s", err.text);
    temp_close(scratch);
}

static void a_finding_names_place_and_records(void **state)
{
    struct made m;
    struct pji_verified v;
    (void)state;
    make(&m);
    verify_folder(&m, &v, "");
    assert_int_equal(v.n, 0);
    assert_true(v.files > 15 && v.numbers > 500);
    pji_verified_fini(&v);
    /* the mean of 101.25, 97.125 and 103.5 is 100.625 */
    change_in_file(&m, "figures.csv", "100.625", "100.626");
    verify_folder(&m, &v, "");
    assert_int_equal(v.n, 1);
    assert_string_equal(v.differences[0].printed, "100.626");
    assert_string_equal(v.differences[0].recomputed, "100.625");
    assert_non_null(strstr(v.differences[0].where, "column mean"));
    assert_string_equal(v.differences[0].records, "mean of energy_j, task energy, trials 1, 3, 5");
    pji_verified_fini(&v);
    verify_folder(&m, &v, "report.html");
    assert_int_equal(v.n, 0);
    pji_verified_fini(&v);
    unmake(&m);
}

static void a_word_a_line_and_a_file_too(void **state)
{
    struct made m;
    struct pji_verified v;
    char from[256];
    char to[256];
    (void)state;
    make(&m);
    change_in_file(&m, "report.md", "less", "more"); /* the verdict */
    verify_folder(&m, &v, "report.md");
    assert_int_equal(v.n, 1);
    assert_string_equal(v.differences[0].printed, "more");
    pji_verified_fini(&v);
    change_in_file(&m, "ratios.csv", "\r\n", "\r\r"); /* two lines become one */
    verify_folder(&m, &v, "ratios.csv");
    assert_true(v.n >= 1);
    pji_verified_fini(&v);
    snprintf(from, sizeof from, "%s/figures.csv", m.report);
    snprintf(to, sizeof to, "%s/renamed.csv", m.report);
    change_in_file(&m, "figures.csv", "100.625", "100.725");
    assert_int_equal(rename(from, to), 0);
    verify_folder(&m, &v, "renamed.csv");
    assert_int_equal(v.n, 1);
    assert_string_equal(v.differences[0].printed, "100.725");
    pji_verified_fini(&v);
    unmake(&m);
}

static void a_report_without_pictures_is_verified_too(void **state)
{
    struct made m;
    struct pji_verified v;
    struct pji_doc doc;
    struct pj_error err = {0};
    bool conclusive = false;
    (void)state;
    make(&m);
    snprintf(m.report, sizeof m.report, "%s/bare", m.dir);
    struct pji_report_files files = {.dir = m.report,
                                     .no_pictures = "gnuplot is missing (install gnuplot-nox)"};
    assert_int_equal(pji_report_doc(&doc, m.store, &files, &conclusive, &err), PJ_OK);
    pji_doc_fini(&doc);
    verify_folder(&m, &v, "");
    assert_int_equal(v.n, 0);
    pji_verified_fini(&v);
    unmake(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_changed_digit_is_found),
        cmocka_unit_test(a_finding_names_place_and_records),
        cmocka_unit_test(a_word_a_line_and_a_file_too),
        cmocka_unit_test(a_report_without_pictures_is_verified_too),
    };
    return cmocka_run_group_tests_name("verify", tests, NULL, NULL);
}
