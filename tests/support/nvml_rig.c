#include "nvml_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../fakes/fake_nvml.h"
#include "scripted_platform.h"
#include "sources/table.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern char **environ;

void nvml_rig_library(char *path, size_t size, bool old)
{
    const char *build = getenv("PERJOULE_BUILD_ROOT");
    snprintf(path, size, "%s/tests/fakes/fake_nvml%s.so", build ? build : "build",
             old ? "_old" : "");
}

/* The platform's functions get the scripted machine as context: this is how they find the rig. */
static struct nvml_rig *current;

/* ---- libraries: the real loader; clocks: the rig's ---- */

static void *lib_open(void *context, const char *name, char *why, size_t size)
{
    (void)context;
    void *library = strchr(name, '/') ? dlopen(name, RTLD_NOW | RTLD_LOCAL) : NULL;
    if (!library)
        snprintf(why, size, "%s: cannot open shared object file", name);
    return library;
}

static void *lib_symbol(void *context, void *library, const char *symbol)
{
    (void)context;
    if (current->hidden && strcmp(current->hidden, symbol) == 0)
        return NULL;
    return dlsym(library, symbol);
}

static void lib_close(void *context, void *library)
{
    (void)context;
    dlclose(library);
}

static int64_t clock_ns(void *context, enum pji_clock clock)
{
    (void)context;
    return clock == PJI_CLOCK_REALTIME ? current->wall_ns : current->mono_ns;
}

/* ---- life ---- */

static void keep_line(void *context, enum pji_log_level level, const char *text)
{
    struct nvml_rig *rig = context;
    (void)level;
    snprintf(rig->said, sizeof rig->said, "%s", text);
}

void nvml_rig_setup(struct nvml_rig *rig)
{
    static char path[512];
    memset(rig, 0, sizeof *rig);
    for (char **variable = environ; *variable;) {
        char name[64];
        if (strncmp(*variable, "FAKE_NVML_", 10) != 0) {
            variable++;
            continue;
        }
        snprintf(name, sizeof name, "%.*s", (int)strcspn(*variable, "="), *variable);
        unsetenv(name);
        variable = environ;
    }
    rig->machine = scripted_new();
    rig->mono_ns = INT64_C(1000) * 1000000000;
    rig->wall_ns = INT64_C(1795254670) * 1000000000;
    current = rig;
    rig->ops = *scripted_platform(rig->machine)->ops;
    rig->ops.lib_open = lib_open;
    rig->ops.lib_symbol = lib_symbol;
    rig->ops.lib_close = lib_close;
    rig->ops.clock_ns = clock_ns;
    rig->platform = *scripted_platform(rig->machine);
    rig->platform.ops = &rig->ops;
    rig->log = (struct pji_log){.write = keep_line, .context = rig};
    nvml_rig_library(path, sizeof path, false);
    rig->env =
        (struct pji_source_env){.platform = &rig->platform, .log = &rig->log, .nvml_path = path};
    rig->state = calloc(1, pji_source_nvml.state_size);
    rig->readings = calloc(NVML_RIG_READINGS, sizeof *rig->readings);
    assert_non_null(rig->state);
    assert_non_null(rig->readings);
}

/* Points the fake at this rig's clocks, or back at the machine's. */
static void share_clock(struct nvml_rig *rig, bool share)
{
    fake_nvml_use_clock_fn *use_clock = NULL;
    void *symbol = rig->library ? dlsym(rig->library, "fake_nvml_use_clock") : NULL;
    memcpy(&use_clock, &symbol, sizeof use_clock);
    if (use_clock)
        use_clock(share ? &rig->mono_ns : NULL, share ? &rig->wall_ns : NULL);
}

void nvml_rig_open(struct nvml_rig *rig)
{
    struct pj_error err = {0};
    if (rig->env.nvml_path)
        rig->library = dlopen(rig->env.nvml_path, RTLD_NOW | RTLD_LOCAL);
    share_clock(rig, true);
    if (pji_source_nvml.open(rig->state, &rig->env, &rig->table, &err))
        fail_msg("open: %s", err.text);
    rig->open = true;
}

void nvml_rig_close(struct nvml_rig *rig)
{
    if (rig->open)
        pji_source_nvml.close(rig->state);
    rig->open = false;
}

void nvml_rig_teardown(struct nvml_rig *rig)
{
    nvml_rig_close(rig);
    share_clock(rig, false);
    if (rig->library)
        dlclose(rig->library);
    assert_int_equal(scripted_open_handles(rig->machine), 0);
    scripted_free(rig->machine);
    pji_channel_table_fini(&rig->table);
    free(rig->state);
    free(rig->readings);
}

/* ---- time and readings ---- */

void nvml_rig_read(struct nvml_rig *rig, bool edge)
{
    struct pji_reading_sink sink = {
        .readings = rig->readings + rig->n, .cap = NVML_RIG_READINGS - rig->n, .edge = edge};
    size_t most = pji_source_nvml.burst * rig->table.n;
    sink.cap = sink.cap < most ? sink.cap : most;
    assert_int_equal(pji_source_nvml.read(rig->state, &sink, NULL), PJ_OK);
    rig->n += sink.n;
    rig->dropped += sink.dropped;
}

void nvml_rig_advance(struct nvml_rig *rig, int64_t dur_ns)
{
    rig->mono_ns += dur_ns;
    rig->wall_ns += dur_ns;
}

void nvml_rig_run(struct nvml_rig *rig, int64_t dur_ns)
{
    for (int64_t t_ns = 0; t_ns < dur_ns; t_ns += 100000000) {
        nvml_rig_advance(rig, 100000000);
        nvml_rig_read(rig, false);
    }
}

int32_t nvml_rig_channel(const struct nvml_rig *rig, const char *name)
{
    for (size_t i = 0; i < rig->table.n; i++)
        if (strcmp(rig->table.channels[i].name, name) == 0)
            return (int32_t)i;
    fail_msg("there is no channel %s", name);
    return -1;
}

size_t nvml_rig_count(const struct nvml_rig *rig, int32_t channel, enum pji_reading_status status)
{
    size_t n = 0;
    for (size_t i = 0; i < rig->n; i++)
        n += rig->readings[i].channel == channel && rig->readings[i].status == status;
    return n;
}

uint64_t nvml_rig_calls(const struct nvml_rig *rig, const char *call)
{
    fake_nvml_calls_fn *calls = NULL;
    void *symbol = dlsym(rig->library, "fake_nvml_calls");
    assert_non_null(symbol);
    memcpy(&calls, &symbol, sizeof calls);
    return calls(call);
}

const struct pji_missing *nvml_rig_missing(const struct nvml_rig *rig)
{
    assert_int_equal(rig->table.n_missing, 1);
    return &rig->table.missing[0];
}
