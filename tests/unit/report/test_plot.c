/* Every kind of picture: drawn in every format, says its n, the same bytes anywhere, texts are only
 * texts, and a missing gnuplot is an error that says what to install.
 */
#include "report/plot.h"

#include "gallery.h"
#include "platform/durable.h"
#include "temp.h"

#include <fcntl.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static bool no_gnuplot(void)
{
    char version[64];
    return pji_plots_version(version, sizeof version, NULL) == PJ_ENOTFOUND;
}

static struct pji_plots *open_plots(const char *dir, unsigned formats)
{
    struct pji_plots *plots = NULL;
    struct pji_plots_how how = {
        .dir = dir, .formats = formats, .stamp_wall_ns = INT64_C(1700000000000000000)};
    assert_int_equal(pji_plots_open(&plots, &how, NULL), PJ_OK);
    return plots;
}

enum { ALL = PJI_PLOT_SVG | PJI_PLOT_PNG | PJI_PLOT_PDF };

static void draw_all(const char *dir, size_t groups, unsigned formats)
{
    struct pj_error err = {0};
    struct pji_plots *plots = open_plots(dir, formats);
    if (gallery_add(plots, groups == 2 ? "two" : "thirty", groups, &err) != PJ_OK ||
        pji_plots_draw(plots, &err) != PJ_OK)
        fail_msg("%s", err.text);
    pji_plots_close(plots);
}

static char *read_picture(const char *dir, const char *prefix, const char *kind, const char *suffix,
                          size_t *len)
{
    char path[256];
    char *bytes = NULL;
    snprintf(path, sizeof path, "%s/%s-%s.%s", dir, prefix, kind, suffix);
    if (pji_read_file(path, 64 << 20, &bytes, len, NULL) != PJ_OK)
        fail_msg("%s is not there", path);
    return bytes;
}

static void check_svg(const char *dir, const char *prefix, const char *kind)
{
    size_t len = 0;
    char *svg = read_picture(dir, prefix, kind, "svg", &len);
    assert_non_null(svg);
    if (strstr(svg, "</svg>") == NULL)
        fail_msg("%s-%s is cut off", prefix, kind);
    if (strstr(svg, "n = ") == NULL)
        fail_msg("%s-%s does not say its n", prefix, kind);
    if (strstr(svg, "NaN") != NULL || strstr(svg, "nan") != NULL)
        fail_msg("%s-%s has a NaN", prefix, kind);
    free(svg);
}

static void check_png(const char *dir, const char *prefix, const char *kind)
{
    size_t len = 0;
    char *png = read_picture(dir, prefix, kind, "png", &len);
    const unsigned char *chunk = (const unsigned char *)png + 33;
    assert_true(len > 1000);
    assert_memory_equal(chunk + 4, "pHYs", 4);
    /* 200 dots an inch are 7874 a metre; CRC-32 of that chunk by zlib's crc32 */
    static const unsigned char phys[] = {0, 0, 0x1e, 0xc2, 0, 0, 0x1e, 0xc2, 1};
    assert_memory_equal(chunk + 8, phys, sizeof phys);
    static const unsigned char crc[] = {0x6e, 0xd0, 0x75, 0x3e};
    assert_memory_equal(chunk + 17, crc, sizeof crc);
    free(png);
}

static void check_pdf(const char *dir, const char *prefix, const char *kind)
{
    size_t len = 0;
    char *pdf = read_picture(dir, prefix, kind, "pdf", &len);
    if (memmem(pdf, len, "/CreationDate (D:20231114221320", 31) == NULL)
        fail_msg("%s-%s.pdf is not dated by the study", prefix, kind);
    free(pdf);
}

static void compare(const char *a, const char *b, const char *prefix, const char *suffix)
{
    for (size_t k = 0; gallery_kinds[k] != NULL; k++) {
        size_t a_len = 0;
        size_t b_len = 0;
        char *one = read_picture(a, prefix, gallery_kinds[k], suffix, &a_len);
        char *other = read_picture(b, prefix, gallery_kinds[k], suffix, &b_len);
        if (a_len != b_len || memcmp(one, other, a_len) != 0)
            fail_msg("%s-%s.%s differs between folders", prefix, gallery_kinds[k], suffix);
        free(one);
        free(other);
    }
}

/* Another folder, time zone, locale and terminal of gnuplot. */
static void the_same_bytes_elsewhere(const char *dir)
{
    char other[TEMP_PATH];
    temp_open(other);
    setenv("TZ", "Asia/Kathmandu", 1);
    setenv("LC_ALL", "de_DE.UTF-8", 1);
    setenv("GNUTERM", "dumb", 1);
    draw_all(other, 2, ALL);
    unsetenv("TZ");
    unsetenv("LC_ALL");
    unsetenv("GNUTERM");
    compare(dir, other, "two", "svg");
    compare(dir, other, "two", "png");
    compare(dir, other, "two", "pdf");
    temp_close(other);
}

static void every_kind_in_every_format_and_the_same_bytes_anywhere(void **state)
{
    char dir[TEMP_PATH];
    (void)state;
    if (no_gnuplot())
        skip();
    temp_open(dir);
    draw_all(dir, 2, ALL);
    draw_all(dir, 30, PJI_PLOT_SVG);
    for (size_t k = 0; gallery_kinds[k] != NULL; k++) {
        check_svg(dir, "two", gallery_kinds[k]);
        check_svg(dir, "thirty", gallery_kinds[k]);
        check_png(dir, "two", gallery_kinds[k]);
        check_pdf(dir, "two", gallery_kinds[k]);
    }
    the_same_bytes_elsewhere(dir);
    temp_close(dir);
}

static void texts_are_only_texts(void **state)
{
    char dir[TEMP_PATH];
    char label[256];
    struct pj_error err = {0};
    (void)state;
    if (no_gnuplot())
        skip();
    temp_open(dir);
    snprintf(label, sizeof label,
             "it's \"q\" `touch %s/ran` @m {/Bold b}_x 100%%g \\n <&> \xff \x01 ü\nnext", dir);
    double values[] = {1, 2, 3};
    struct pji_sample groups[] = {{.label = label, .values = values, .n = 3}};
    struct pji_plot plot = {
        .id = "odd'name `x`", .title = label, .caption = label, .x_axis = label, .y_axis = label};
    struct pji_plots *plots = open_plots(dir, PJI_PLOT_SVG);
    assert_int_equal(pji_plot_box(plots, &plot, groups, 1, &err), PJ_OK);
    assert_int_equal(
        pji_plot_qq(plots, &(struct pji_plot){.id = "sub/qq", .y_axis = label}, groups, 1, &err),
        PJ_OK);
    if (pji_plots_draw(plots, &err) != PJ_OK)
        fail_msg("%s", err.text);
    pji_plots_close(plots);
    char path[256];
    snprintf(path, sizeof path, "%s/ran", dir);
    assert_int_not_equal(access(path, F_OK), 0);
    snprintf(path, sizeof path, "%s/odd'name `x`.svg", dir);
    char *svg = NULL;
    size_t len = 0;
    assert_int_equal(pji_read_file(path, 1 << 20, &svg, &len, &err), PJ_OK);
    assert_non_null(strstr(svg, "{/Bold b}_x 100%g"));
    assert_non_null(strstr(svg, "&lt;&amp;"));
    free(svg);
    snprintf(path, sizeof path, "%s/sub/qq.svg", dir);
    assert_int_equal(access(path, F_OK), 0);
    temp_close(dir);
}

static void without_gnuplot_the_error_says_what_to_install(void **state)
{
    char dir[TEMP_PATH];
    char empty[TEMP_PATH + 8];
    struct pj_error err = {0};
    double values[] = {1, 2, 3};
    struct pji_sample groups[] = {{.label = "a", .values = values, .n = 3}};
    (void)state;
    temp_open(dir);
    snprintf(empty, sizeof empty, "%s/bin", dir);
    assert_int_equal(pji_make_dirs(empty, NULL), PJ_OK);
    char link[TEMP_PATH + 16];
    snprintf(link, sizeof link, "%s/env", empty);
    assert_int_equal(symlink("/usr/bin/env", link), 0);
    char *before = strdup(getenv("PATH") != NULL ? getenv("PATH") : "");
    setenv("PATH", empty, 1);
    struct pji_plots *plots = open_plots(dir, PJI_PLOT_SVG);
    assert_int_equal(
        pji_plot_box(plots, &(struct pji_plot){.id = "a", .x_axis = "J"}, groups, 1, &err), PJ_OK);
    assert_int_equal(pji_plots_draw(plots, &err), PJ_ENOTFOUND);
    assert_non_null(strstr(err.text, "install gnuplot"));
    pji_plots_close(plots);
    setenv("PATH", before, 1);
    free(before);
    temp_close(dir);
}

static void nothing_to_draw_is_an_error_that_names_the_picture(void **state)
{
    struct pj_error err = {0};
    double values[] = {(double)NAN, (double)INFINITY};
    struct pji_sample groups[] = {{.label = "a", .values = values, .n = 2}, {.label = "b"}};
    struct pji_plot plot = {.id = "void"};
    (void)state;
    struct pji_plots *plots = open_plots("/nonexistent", PJI_PLOT_SVG);
    assert_int_equal(pji_plot_box(plots, &plot, groups, 2, &err), PJ_EINVAL);
    assert_non_null(strstr(err.text, "void"));
    assert_int_equal(pji_plot_density(plots, &plot, groups, 2, NULL), PJ_EINVAL);
    assert_int_equal(pji_plot_forest(plots, &plot,
                                     &(struct pji_plot_effect){"a", (double)NAN, 1, 1, 1}, 1, 1,
                                     NULL),
                     PJ_EINVAL);
    assert_int_equal(pji_plots_draw(plots, NULL), PJ_OK);
    pji_plots_close(plots);
}

/* One value, equal values, one group with nothing, tiny and huge numbers: still a picture. */
static void poor_data_still_draws(void **state)
{
    char dir[TEMP_PATH];
    struct pj_error err = {0};
    double one[] = {5};
    double same[] = {7, 7, 7};
    double huge[] = {1e-9, 3e8, (double)NAN};
    double negative[] = {-3, -2};
    struct pji_sample groups[] = {{.label = "one", .values = one, .n = 1},
                                  {.label = "same", .values = same, .n = 3},
                                  {.label = "none"},
                                  {.label = "huge", .values = huge, .n = 3},
                                  {.label = "negative", .values = negative, .n = 2}};
    (void)state;
    if (no_gnuplot())
        skip();
    temp_open(dir);
    struct pji_plots *plots = open_plots(dir, PJI_PLOT_SVG);
    for (size_t n = 1; n <= 5; n++) {
        char id[32];
        struct pji_plot plot = {.id = id, .x_axis = "J", .y_axis = "J", .log_x = true};
        snprintf(id, sizeof id, "box%zu", n);
        assert_int_equal(pji_plot_box(plots, &plot, groups, n, &err), PJ_OK);
        snprintf(id, sizeof id, "violin%zu", n);
        assert_int_equal(pji_plot_violin(plots, &plot, groups, n, &err), PJ_OK);
        snprintf(id, sizeof id, "qq%zu", n);
        assert_int_equal(pji_plot_qq(plots, &plot, groups, n, &err), PJ_OK);
        snprintf(id, sizeof id, "ecdf%zu", n);
        assert_int_equal(pji_plot_ecdf(plots, &plot, groups, n, &err), PJ_OK);
    }
    struct pji_plot_points points[] = {{"one", one, same, 1}, {"huge", huge, same, 3}};
    struct pji_plot plot = {.id = "scatter", .x_axis = "a", .y_axis = "b"};
    assert_int_equal(pji_plot_scatter(plots, &plot, points, 1, true, &err), PJ_OK);
    plot.id = "scatter2";
    assert_int_equal(pji_plot_scatter(plots, &plot, points, 2, true, &err), PJ_OK);
    if (pji_plots_draw(plots, &err) != PJ_OK)
        fail_msg("%s", err.text);
    pji_plots_close(plots);
    temp_close(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_in_every_format_and_the_same_bytes_anywhere),
        cmocka_unit_test(texts_are_only_texts),
        cmocka_unit_test(without_gnuplot_the_error_says_what_to_install),
        cmocka_unit_test(nothing_to_draw_is_an_error_that_names_the_picture),
        cmocka_unit_test(poor_data_still_draws),
    };
    return cmocka_run_group_tests_name("plot", tests, NULL, NULL);
}
