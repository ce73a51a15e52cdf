#include "evidence/sensors.h"

#include <stdio.h>
#include <string.h>

/* A broken sensor shows the lowest or highest value that its register can hold. */
#define LEAST_MC (-40000)
#define MOST_MC  150000

enum { PATH = 192 };

static bool among(const char *text, const char *const *words, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(text, words[i]) == 0)
            return true;
    return false;
}

static bool of_processor(const char *chip)
{
    static const char *const chips[] = {"coretemp", "k10temp",     "k8temp",      "zenpower",
                                        "fam15h",   "cpu_thermal", "soc_thermal", "scpi_sensors",
                                        "amdgpu",   "nouveau",     "i915",        "xe"};
    return among(chip, chips, sizeof chips / sizeof chips[0]);
}

/* The label of a sensor that stands for a whole package. */
static bool of_package(const char *label)
{
    return strncmp(label, "Package id", 10) == 0 || strcmp(label, "Tctl") == 0 ||
           strcmp(label, "Tdie") == 0 || strcmp(label, "edge") == 0;
}

void pji_temps_put(struct pji_temps *temps, const char *name, double temp_c)
{
    size_t i = 0;
    while (i < temps->n && strcmp(temps->at[i].name, name) != 0)
        i++;
    if (i == PJI_TEMPS)
        return;
    snprintf(temps->at[i].name, sizeof temps->at[i].name, "%.63s", name);
    temps->at[i].temp_c = temp_c;
    temps->n += i == temps->n;
}

const struct pji_temp *pji_temps_find(const struct pji_temps *temps, const char *name)
{
    for (size_t i = 0; i < temps->n; i++)
        if (strcmp(temps->at[i].name, name) == 0)
            return &temps->at[i];
    return NULL;
}

/* ---- hwmon ---- */

struct reading {
    const struct pji_platform *platform;
    struct pji_temps *temps;
    const char *folder, *chip;
    unsigned number;    /* of chips of one name so far */
    bool packages_only; /* this pass takes labelled packages, the next one everything */
};

static bool read_temp(const struct pji_platform *platform, const char *path, double *temp_c)
{
    int64_t value = 0;
    if (pji_read_i64(platform, path, &value, NULL) != PJ_OK || value < LEAST_MC || value > MOST_MC)
        return false;
    *temp_c = (double)value / 1000;
    return true;
}

static int on_input(void *arg, const char *name)
{
    const struct reading *r = arg;
    size_t len = strlen(name);
    char path[PATH], label[48] = "", full[64];
    double temp_c = 0;
    if (strncmp(name, "temp", 4) != 0 || len < 6 || strcmp(name + len - 6, "_input") != 0)
        return 0;
    snprintf(path, sizeof path, "%s/%.*s_label", r->folder, (int)(len - 6), name);
    if (pji_read_text(r->platform, path, label, sizeof label, NULL, NULL) != PJ_OK)
        snprintf(label, sizeof label, "%.*s", (int)(len - 6), name);
    if (r->packages_only && !of_package(label))
        return 0;
    snprintf(path, sizeof path, "%s/%s", r->folder, name);
    snprintf(full, sizeof full, "%.14s-%u:%.40s", r->chip, r->number, label);
    if (read_temp(r->platform, path, &temp_c))
        pji_temps_put(r->temps, full, temp_c);
    return 0;
}

struct chips {
    const struct pji_platform *platform;
    struct pji_temps *temps;
    char names[PJI_TEMPS][32]; /* chips that were seen, to number equal ones */
    size_t n;
};

static int on_chip(void *arg, const char *name)
{
    struct chips *c = arg;
    char folder[96], path[PATH], chip[32];
    if (strncmp(name, "hwmon", 5) != 0 || strlen(name) > 60 || c->n == PJI_TEMPS)
        return 0;
    snprintf(folder, sizeof folder, "/sys/class/hwmon/%s", name);
    snprintf(path, sizeof path, "%s/name", folder);
    if (pji_read_text(c->platform, path, chip, sizeof chip, NULL, NULL) != PJ_OK ||
        !of_processor(chip))
        return 0;
    struct reading r = {.platform = c->platform,
                        .temps = c->temps,
                        .folder = folder,
                        .chip = chip,
                        .packages_only = true};
    for (size_t i = 0; i < c->n; i++)
        r.number += strcmp(c->names[i], chip) == 0;
    snprintf(c->names[c->n++], sizeof c->names[0], "%s", chip);
    size_t before = c->temps->n;
    (void)c->platform->ops->list(c->platform->context, folder, on_input, &r);
    r.packages_only = false;
    if (c->temps->n == before)
        (void)c->platform->ops->list(c->platform->context, folder, on_input, &r);
    return 0;
}

/* ---- thermal zones ---- */

static int on_zone(void *arg, const char *name)
{
    static const char *const foreign[] = {"iwlwifi", "ath1", "mt79", "BAT", "battery", "charger"};
    struct chips *c = arg;
    char path[PATH], type[40], full[64];
    double temp_c = 0;
    if (strncmp(name, "thermal_zone", 12) != 0 || strlen(name) > 60)
        return 0;
    snprintf(path, sizeof path, "/sys/class/thermal/%s/type", name);
    if (pji_read_text(c->platform, path, type, sizeof type, NULL, NULL) != PJ_OK)
        return 0;
    for (size_t i = 0; i < sizeof foreign / sizeof foreign[0]; i++)
        if (strncmp(type, foreign[i], strlen(foreign[i])) == 0)
            return 0;
    snprintf(path, sizeof path, "/sys/class/thermal/%s/temp", name);
    snprintf(full, sizeof full, "%.20s:%.40s", name, type);
    if (read_temp(c->platform, path, &temp_c))
        pji_temps_put(c->temps, full, temp_c);
    return 0;
}

void pji_temps_read(struct pji_temps *temps, const struct pji_platform *platform)
{
    struct chips c = {.platform = platform, .temps = temps};
    *temps = (struct pji_temps){0};
    (void)platform->ops->list(platform->context, "/sys/class/hwmon", on_chip, &c);
    if (temps->n == 0)
        (void)platform->ops->list(platform->context, "/sys/class/thermal", on_zone, &c);
}
