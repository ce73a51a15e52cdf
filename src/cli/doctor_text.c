/* The doctor's words for people: what the energy is worth here, the ladder of instruments, the
 * machine, other tools, GPUs. Lines end before column 80, but for those that are to be copied.
 */
#include "cli/doctor.h"

#include "core/num.h"

#include <string.h>

enum { WIDTH = 79, INDENT = 14 };

/* Words of `text`, broken before WIDTH; `at` is the column that the line has reached. */
static void add_words(struct pji_str *out, const char *text, size_t at, size_t indent)
{
    bool first = true;

    while (*text) {
        size_t len = strcspn(text, " ");

        if (!first && at + 1 + len > WIDTH) {
            pji_str_addf(out, "\n%*s", (int)indent, "");
            at = indent;
        } else if (!first) {
            pji_str_addc(out, ' ');
            at++;
        }
        pji_str_addn(out, text, len);
        at += len;
        text += len;
        text += strspn(text, " ");
        first = false;
    }
    pji_str_addc(out, '\n');
}

/* "  head        words of the text…" */
static void add_row(struct pji_str *out, const char *head, const char *text)
{
    size_t len = strlen(head);

    pji_str_addf(out, "  %-*s", INDENT - 2, head);
    if (len + 2 >= INDENT) {
        pji_str_addf(out, "\n%*s", INDENT, "");
    }
    add_words(out, text, INDENT, INDENT);
}

static void add_under(struct pji_str *out, const char *lead, const char *text)
{
    size_t len = strlen(lead);

    pji_str_addf(out, "%*s%s", INDENT, "", lead);
    add_words(out, text, INDENT + len, INDENT + 2);
}

/* ---- worth ---- */

static void add_power(struct pji_str *out, const char *when, const struct pji_cpu_power *power)
{
    const double values[] = {power->value_w, power->lo_w, power->hi_w};
    char text[3][PJI_NUM_TEXT];
    struct pji_str line = {0};

    for (size_t i = 0; i < 3; i++)
        (void)pji_num_format_digits(values[i], 3, text[i]);
    pji_str_addf(&line, "%s: %s W (95 %%: %s to %s W)", when, text[0], text[1], text[2]);
    add_under(out, "", pji_str_text(&line));
    out->failed = out->failed || line.failed;
    pji_str_fini(&line);
}

static const char *cpu_words(const struct pji_doctor *d)
{
    switch (d->cpu) {
    case PJI_WORTH_MEASURED:
        return "measured";
    case PJI_WORTH_MODELLED:
        return "a model of the utilisation, not a measurement: good for orders of magnitude and "
               "for comparing the same machine with itself, not for claims about joules";
    case PJI_WORTH_MISSING:
    case PJI_WORTH_NONE:
        return "missing: neither counter nor model";
    }
    return "";
}

static const char *memory_words(const struct pji_doctor *d)
{
    switch (d->memory) {
    case PJI_WORTH_MEASURED:
        return "measured";
    case PJI_WORTH_MODELLED:
        return "a range of watts for each GiB, not a measurement";
    case PJI_WORTH_MISSING:
    case PJI_WORTH_NONE:
        return "not in the total";
    }
    return "";
}

static const char *gpu_words(const struct pji_doctor *d)
{
    switch (d->gpu) {
    case PJI_WORTH_MEASURED:
        return "measured";
    case PJI_WORTH_MODELLED:
        return "modelled";
    case PJI_WORTH_MISSING:
        return "there, but not read: no total here is the machine's";
    case PJI_WORTH_NONE:
        return "none seen, or none visible to this process";
    }
    return "";
}

static void add_worth(const struct pji_doctor *d, struct pji_str *out)
{
    static const char *const when[] = {"idle", "half load", "full load"};

    pji_str_add(out, "What the energy is worth here\n");
    add_row(out, "processor", cpu_words(d));
    if (d->cpu == PJI_WORTH_MODELLED) {
        add_under(out, "model of ", d->model_of);
        for (size_t i = 0; i < 3; i++)
            add_power(out, when[i], &d->model[i]);
    }
    add_row(out, "memory", memory_words(d));
    add_row(out, "GPU", gpu_words(d));
}

/* ---- ladder ---- */

static void add_channels(const struct pji_doctor *d, const struct pji_rung *rung,
                         struct pji_str *out)
{
    struct pji_str names = {0};

    for (size_t i = 0; i < d->table->n; i++) {
        const struct pji_channel *c = &d->table->channels[i];
        bool energy = c->role == PJI_ROLE_ENERGY || c->role == PJI_ROLE_POWER;

        if (energy && strcmp(c->source, rung->ops->name) == 0)
            pji_str_addf(&names, "%s%s%s", names.len ? " " : "", c->name,
                         d->in_total[i] ? "*" : "");
    }
    if (names.len > 0)
        add_under(out, "", pji_str_text(&names));
    out->failed = out->failed || names.failed;
    pji_str_fini(&names);
}

/* What is to be copied stands on a line of its own, unbroken. */
static void add_remedies(const struct pji_rung *rung, struct pji_str *out)
{
    for (size_t i = 0; rung->remedies && i < PJI_DOCTOR_REMEDIES && rung->remedies[i].kind; i++) {
        const struct pji_remedy *r = &rung->remedies[i];

        pji_str_addf(out, "%*s%s, ", INDENT, "", r->lead);
        add_words(out, r->kind, INDENT + strlen(r->lead) + 2, INDENT + 2);
        pji_str_addf(out, "%*s%s\n", INDENT + 4, "", r->text);
    }
}

static void add_rung(const struct pji_doctor *d, const struct pji_rung *rung, struct pji_str *out)
{
    pji_str_addf(out, "  %-*s%s: ", INDENT - 2, pji_rung_state_name(rung->state), rung->ops->name);
    add_words(out, rung->note ? rung->note : rung->ops->about, INDENT + strlen(rung->ops->name) + 2,
              INDENT);
    add_channels(d, rung, out);
    for (size_t i = 0; i < d->table->n_missing; i++) {
        const struct pji_missing *m = &d->table->missing[i];
        struct pji_str line = {0};

        if (strcmp(m->source, rung->ops->name) != 0)
            continue;
        pji_str_addf(&line, "%s: %s", m->domain, m->reason);
        add_under(out, "", pji_str_text(&line));
        if (m->fix[0] && !rung->remedies)
            add_under(out, "fix: ", m->fix);
        out->failed = out->failed || line.failed;
        pji_str_fini(&line);
    }
    add_remedies(rung, out);
}

/* ---- machine, tools, GPUs ---- */

static void add_check(const struct pji_check *check, struct pji_str *out)
{
    struct pji_str line = {0};

    pji_str_addf(&line, "%s: %s%s%s", check->title, check->value,
                 check->value[0] && check->text[0] ? ": " : "", check->text);
    add_row(out, pji_check_level_name(check->level), pji_str_text(&line));
    if (check->fix[0])
        add_under(out, "fix: ", check->fix);
    out->failed = out->failed || line.failed;
    pji_str_fini(&line);
}

static void add_tools(const struct pji_doctor *d, struct pji_str *out)
{
    pji_str_add(out, "\nOther energy tools\n");
    if (!d->tools_known)
        add_row(out, "unknown", "/proc cannot be listed");
    else if (d->n_tools == 0)
        add_row(out, "ok", "none of those we know runs (a library inside a program is not seen)");
    for (size_t i = 0; i < d->n_tools; i++) {
        struct pji_str line = {0};

        pji_str_addf(&line, "%s, pid %d: %s", d->tools[i].name, d->tools[i].pid,
                     d->tools[i].effect);
        add_row(out, "warning", pji_str_text(&line));
        out->failed = out->failed || line.failed;
        pji_str_fini(&line);
    }
}

static void add_gpu(const struct pji_doctor_gpu *gpu, struct pji_str *out)
{
    const struct pji_nvml_identity *id = gpu->identity;
    struct pji_str line = {0};

    pji_str_addf(&line, "gpu-%u: %s %s %s%s%s%s", gpu->number, id->name, id->uuid, id->pci,
                 gpu->vbios[0] ? ", VBIOS " : "", gpu->vbios,
                 id->mig ? ", partitioned (MIG): it is metered whole" : "");
    add_row(out, gpu->selected ? "metered" : "hidden", pji_str_text(&line));
    if (!gpu->selected)
        add_under(out, "", "CUDA_VISIBLE_DEVICES hides it");
    if (gpu->persistence == 0)
        add_under(out, "note: ",
                  "persistence mode is off: the driver unloads when nobody uses the GPU, so that "
                  "the first window has its start in it. fix: sudo systemctl enable --now "
                  "nvidia-persistenced, or sudo nvidia-smi -pm 1");
    out->failed = out->failed || line.failed;
    pji_str_fini(&line);
}

static void add_gpus(const struct pji_doctor *d, struct pji_str *out)
{
    if (!d->inventory || d->inventory->n == 0)
        return;
    pji_str_addf(out, "\nNVIDIA GPUs, driver %s, nvidia-persistenced %s\n",
                 d->driver[0] ? d->driver : "unknown", d->persistenced ? "runs" : "not seen");
    if (d->env->cuda_visible_devices)
        pji_str_addf(out, "  CUDA_VISIBLE_DEVICES=%s\n", d->env->cuda_visible_devices);
    if (d->env->cuda_device_order)
        pji_str_addf(out, "  CUDA_DEVICE_ORDER=%s\n", d->env->cuda_device_order);
    if (pji_doctor_selection_note(d)) {
        struct pji_str line = {0};

        if (d->selection.note != PJI_NVML_NOTE_NONE)
            pji_str_addf(&line, "'%s' ", d->selection.entry);
        pji_str_add(&line, pji_doctor_selection_note(d));
        add_row(out, "note", pji_str_text(&line));
        out->failed = out->failed || line.failed;
        pji_str_fini(&line);
    }
    for (size_t i = 0; i < d->inventory->n; i++)
        add_gpu(&d->gpus[i], out);
}

static void add_amd(const struct pji_doctor *d, struct pji_str *out)
{
    if (d->amd.n == 0)
        return;
    pji_str_add(out, "\nAMD GPUs of the compute driver\n");
    if (d->env->rocr_visible_devices)
        pji_str_addf(out, "  ROCR_VISIBLE_DEVICES=%s\n", d->env->rocr_visible_devices);
    if (d->env->hip_visible_devices)
        pji_str_addf(out, "  HIP_VISIBLE_DEVICES=%s\n", d->env->hip_visible_devices);
    if (d->env->cuda_visible_devices)
        pji_str_addf(out, "  CUDA_VISIBLE_DEVICES=%s\n", d->env->cuda_visible_devices);
    for (size_t i = 0; i < d->amd.n; i++) {
        char address[24];

        pji_amd_address_text(d->amd.nodes[i].bdf, address);
        pji_str_addf(out, "  %-*s%zu: %s %s\n", INDENT - 2,
                     pji_amd_visible(&d->amd, d->amd.nodes[i].bdf) ? "visible" : "hidden", i,
                     d->amd.nodes[i].uuid[0] ? d->amd.nodes[i].uuid : "(no UUID)", address);
    }
}

void pji_doctor_text(const struct pji_doctor *d, struct pji_str *out)
{
    add_worth(d, out);
    pji_str_add(out, "\nInstruments, in order of preference (* enters the total)\n");
    for (size_t i = 0; i < d->n_rungs; i++)
        add_rung(d, &d->rungs[i], out);
    pji_str_add(out, "\nThe machine\n");
    for (size_t i = 0; i < d->n_checks; i++)
        add_check(&d->checks[i], out);
    add_tools(d, out);
    add_gpus(d, out);
    add_amd(d, out);
}
