/* fuzz/fuzz_import.c - raw runs and published tables: any bytes are read or refused with words and
 * a reason; what is read gives energies that are finite, not negative and carry an uncertainty, and
 * the causes of every difference add up. The first byte chooses the file, the second the options.
 */
#include "raw/audit.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds)
        abort();
}

static void refused(pj_status status, const struct pj_error *err, const char *reason)
{
    must(status < 0 && err->code == status && err->text[0] != '\0' && reason != NULL);
}

static void check_energy(const struct pj_energy *energy)
{
    if (energy->origin == PJ_ORIGIN_MISSING) {
        must(energy->reason[0] != '\0');
        return;
    }
    must(isfinite(energy->value_j) && energy->value_j >= 0);
    must(isfinite(energy->u_ind_j) && energy->u_ind_j >= 0 && isfinite(energy->u_com_j));
}

static void samples(struct pji_raw_source *source)
{
    struct pji_raw_samples s;
    struct pji_raw_energies *energies = calloc(1, sizeof *energies);
    struct pji_raw_window *window = calloc(1, sizeof *window);
    const struct pji_raw_domains all = {0xff, 3, 3};
    struct pj_error err = {0};
    must(energies != NULL && window != NULL);
    pj_status status = pji_raw_samples_read(&s, source, &err);
    if (status == PJ_OK) {
        must(s.n >= 2 && s.interval_s > 0);
        must(pji_raw_energies_make(energies, &s, &all, &err) == PJ_OK);
        pji_raw_energies_window(energies, s.t_ns[0], s.t_ns[s.n - 1], 1000000000, window);
        check_energy(&window->total.energy);
        check_energy(&window->cpu);
        check_energy(&window->gpu);
        pji_raw_energies_fini(energies);
    } else {
        refused(status, &err, source->reason);
    }
    pji_raw_samples_fini(&s);
    free(energies);
    free(window);
}

static void prompts(struct pji_raw_source *source)
{
    struct pji_raw_prompts p;
    struct pji_raw_summary summary;
    struct pj_error err = {0};
    pj_status status = pji_raw_prompts_read(&p, source, &err);
    if (status == PJ_OK)
        must(p.n > 0 && p.items[0].end_ns >= p.items[0].start_ns);
    else
        refused(status, &err, source->reason);
    pji_raw_prompts_fini(&p);
    err = (struct pj_error){0}; /* the same bytes as a summary */
    status = pji_raw_summary_read(&summary, source, &err);
    if (status == PJ_OK)
        must(isfinite(summary.energy_j) && isfinite(summary.dur_s));
    else
        refused(status, &err, source->reason);
}

static void published(const char *path, bool comma)
{
    struct pji_runs_table table;
    struct pji_audit audit = {0};
    struct pj_error err = {0};
    if (pji_runs_table_read(&table, path, &err) != PJ_OK) {
        must(err.text[0] != '\0');
        return;
    }
    audit.runs = calloc(1, sizeof *audit.runs);
    must(audit.runs != NULL);
    audit.n_runs = 1;
    audit.runs[0] =
        (struct pji_audit_run){.name = strdup("run_0_repetition_0"),
                               .terms = {.known = true,
                                         .energy_j = 300,
                                         .u_j = 3,
                                         .tokens = 9,
                                         .dur_s = {10, 12},
                                         .cpu_j = {{{100, 90, -5, 5, 80}, {95}}, {{120}, {110}}},
                                         .gpu_j = {{200, 201, 202, 203}, {220}}}};
    pj_status status = pji_audit_match(&audit, &table, &err);
    if (status == PJ_OK)
        status = pji_audit_make(&audit, &table, NULL, comma, &err);
    must(status == PJ_OK || err.text[0] != '\0');
    for (size_t c = 0; c < audit.n_columns && status == PJ_OK; c++) {
        const struct pji_audit_row *row = &audit.columns[c].rows[0];
        uint64_t sum = 0;
        for (size_t k = 0; k < PJI_CAUSES; k++)
            sum += (uint64_t)row->cause_u6[k];
        must(sum == (uint64_t)row->difference_u6);
    }
    pji_audit_fini(&audit);
    pji_runs_table_fini(&table);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[64];
    if (size < 2)
        return 0;
    int fd = memfd_create("fuzz", MFD_CLOEXEC);
    must(fd >= 0);
    must(write(fd, data + 2, size - 2) == (ssize_t)(size - 2));
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    struct pji_raw_source source = {
        .path = path, .shown = "fuzz", .decimal_comma = (data[1] & 1) != 0};
    if (data[0] % 3 == 0)
        samples(&source);
    else if (data[0] % 3 == 1)
        prompts(&source);
    else
        published(path, source.decimal_comma);
    (void)close(fd);
    return 0;
}
