#include "fake_tree.h"

#include "core/str.h"
#include "temp.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COLUMNS = 16 };

static const long long start_ms = 1760581917864; /* 2025-10-16 */
static const double interval_s = 0.2;

struct fake_run fake_plain(void)
{
    return (struct fake_run){
        .packages = 1, .gpus = 1, .cpu_w = 55, .modulus_j = 262144, .start_j = 1000};
}

struct sheet {
    char name[COLUMNS][40];
    double value[COLUMNS]; /* of the row under way */
    int n;
};

static int column(struct sheet *sheet, const char *name)
{
    snprintf(sheet->name[sheet->n], sizeof sheet->name[0], "%s", name);
    return sheet->n++;
}

/* Independent of any locale: the mark is put in by hand. */
static void add_number(struct pji_str *out, double value, const struct fake_run *run)
{
    char text[64];
    snprintf(text, sizeof text, "%.9f", value);
    if (value == floor(value))
        snprintf(text, sizeof text, "%.0f", value);
    char *point = strchr(text, '.');
    if (point != NULL && run->comma)
        *point = ',';
    bool quote = point != NULL && run->comma && run->separator == ',';
    pji_str_addf(out, quote ? "\"%s\"" : "%s", text);
}

static void add_row(struct pji_str *out, const struct sheet *sheet, const struct fake_run *run,
                    bool header)
{
    for (int i = 0; i < sheet->n; i++) {
        int c = run->reversed ? sheet->n - 1 - i : i;
        if (i > 0)
            pji_str_addc(out, run->separator);
        if (header)
            pji_str_add(out, sheet->name[c]);
        else
            add_number(out, sheet->value[c], run);
    }
    pji_str_add(out, run->crlf ? "\r\n" : "\n");
}

static double gpu_w(int gpu, int i)
{
    return 100 + 20 * gpu + (i > 50 ? 250 : 0) + 7 * sin(0.3 * i);
}

static double cpu_step_j(const struct fake_run *run, int package, int i)
{
    return (run->cpu_w + 5 * package) * (1 + 0.2 * sin(0.9 * i + package)) * interval_s;
}

static struct fake_truth write_samples(struct pji_str *csv, const struct fake_run *run)
{
    struct fake_truth truth = {0};
    struct sheet sheet = {.n = 0};
    double total_j[COLUMNS] = {0};
    int package[4] = {0}, gpu[4] = {0};
    int delta = column(&sheet, "Delta"), t = column(&sheet, "Time");
    for (int p = 0; p < run->packages; p++) {
        char name[40];
        snprintf(name, sizeof name,
                 run->packages > 1 ? "PACKAGE_%d_ENERGY (J)" : "PACKAGE_ENERGY (J)", p);
        package[p] = column(&sheet, name);
        total_j[p] = run->start_j + 100 * p;
    }
    int dram = column(&sheet, "DRAM_ENERGY (J)");
    for (int g = 0; g < run->gpus; g++) {
        char name[40];
        snprintf(name, sizeof name, "GPU%d_POWER (mWatts)", g);
        gpu[g] = column(&sheet, name);
    }
    int swap = column(&sheet, "USED_SWAP");
    if (run->bom)
        pji_str_add(csv, "\xef\xbb\xbf");
    add_row(csv, &sheet, run, true);
    for (int i = 0; i < FAKE_SAMPLES; i++) {
        sheet.value[delta] = 200;
        sheet.value[t] = (double)(start_ms + run->day * 86400000LL + i * 200);
        sheet.value[dram] = 0;
        sheet.value[swap] = 7340032;
        for (int p = 0; p < run->packages; p++) {
            double before = fmod(total_j[p], run->modulus_j);
            double step_j = i > 0 ? round(cpu_step_j(run, p, i) * 16384) / 16384 : 0;
            total_j[p] += step_j;
            truth.cpu_j += step_j;
            sheet.value[package[p]] = fmod(total_j[p], run->modulus_j);
            truth.wraps += sheet.value[package[p]] < before;
        }
        for (int g = 0; g < run->gpus; g++) {
            sheet.value[gpu[g]] = round(gpu_w(g, i) * 1000);
            if (i > 0)
                truth.gpu_j +=
                    (round(gpu_w(g, i) * 1000) + round(gpu_w(g, i - 1) * 1000)) / 2e3 * interval_s;
        }
        add_row(csv, &sheet, run, false);
    }
    return truth;
}

static void write_prompts(struct pji_str *tsv, const struct fake_run *run)
{
    long long first_s = (start_ms + run->day * 86400000LL) / 1000 + 11;
    const char *end = run->crlf ? "\r\n" : "\n";
    pji_str_addf(tsv, "start\tend\tprompt\tresponse\tresponse_tokens\taccuracy%s", end);
    for (int i = 0; i < 8; i++) {
        long long from = (first_s + 5 * i) * (run->prompts_ms ? 1000 : 1);
        long long to = (first_s + 5 * i + 5) * (run->prompts_ms ? 1000 : 1);
        pji_str_addf(tsv,
                     "%lld\t%lld\tDoes the word \xc3\xa9%d have the same meaning?\tanswer %d "
                     "of set %d\t%d\t%s%s",
                     from, to, i, i, run->answers, 100 + i,
                     i == 3 ? (run->comma ? "0,75" : "0.75") : "", end);
    }
}

struct fake_truth fake_write(const char *dir, const char *name, const struct fake_run *given)
{
    struct fake_run run = *given;
    struct pji_str text = {0};
    char path[256];
    run.separator = run.separator != 0 ? run.separator : ',';
    struct fake_truth truth = write_samples(&text, &run);
    snprintf(path, sizeof path, "%s/energibridge.csv", name);
    temp_write(dir, path, pji_str_text(&text));
    pji_str_clear(&text);
    write_prompts(&text, &run);
    snprintf(path, sizeof path, "%s/prompts_out.tsv", name);
    temp_write(dir, path, pji_str_text(&text));
    pji_str_clear(&text);
    pji_str_addf(&text, "Energy consumption in joules: %.6f for %.3f sec of execution.",
                 truth.cpu_j, (FAKE_SAMPLES - 1) * interval_s);
    snprintf(path, sizeof path, "%s/energibridge-summary.txt", name);
    temp_write(dir, path, pji_str_text(&text));
    pji_str_fini(&text);
    return truth;
}
