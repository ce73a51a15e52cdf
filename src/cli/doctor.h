/* cli/doctor.h - what `perjoule doctor` finds out before it tells anything, as plain rows. */
#ifndef PJI_CLI_DOCTOR_H
#define PJI_CLI_DOCTOR_H

#include "cli/instruments.h"
#include "core/json.h"
#include "sources/amd_select.h"
#include "sources/cpu_model.h"
#include "sources/energy_tools.h"
#include "sources/host_checks.h"
#include "sources/nvml_inventory.h"

enum { PJI_DOCTOR_RUNGS = 16, PJI_DOCTOR_REMEDIES = 3 };

/* How an instrument stands. */
enum pji_rung_state {
    PJI_RUNG_IN_USE,  /* at least one of its channels enters the total */
    PJI_RUNG_STANDBY, /* it can be read, but another instrument reads the same energy */
    PJI_RUNG_DENIED,  /* it is there, and this process may not read it */
    PJI_RUNG_FAULTY,  /* it should be there, and cannot be read for another reason */
    PJI_RUNG_ABSENT   /* nothing of its kind here */
};

/* A way to the permission, or a step of it; the smallest way first. */
struct pji_remedy {
    const char *lead; /* "fix", "and" (with the one before), "or" (in its place) */
    const char *kind; /* "capability", "udev rule in FILE", "group", "sysctl in FILE" */
    const char *text; /* a line to copy: a command, a rule, a setting */
};

struct pji_rung {
    const struct pji_source_ops *ops;
    enum pji_rung_state state;
    size_t n_channels, n_added;
    bool denied;                       /* some of it, whatever the state of the rest */
    const char *note;                  /* why it is absent, NULL: nothing to say */
    const struct pji_remedy *remedies; /* NULL, or PJI_DOCTOR_REMEDIES, those not used are {0} */
};

/* What the energy of a part is worth. */
enum pji_worth { PJI_WORTH_MEASURED, PJI_WORTH_MODELLED, PJI_WORTH_MISSING, PJI_WORTH_NONE };

struct pji_doctor_gpu {
    const struct pji_nvml_identity *identity;
    unsigned int number;
    bool selected;
    int persistence; /* 1 on, 0 off, -1 not told */
    char vbios[PJI_NVML_TEXT];
};

struct pji_doctor {
    const struct pji_source_env *env;
    const struct pji_channel_table *table;
    bool *in_total;
    struct pji_rung rungs[PJI_DOCTOR_RUNGS];
    size_t n_rungs;
    struct pji_check checks[PJI_HOST_CHECKS];
    size_t n_checks;
    struct pji_energy_tool tools[PJI_ENERGY_TOOLS];
    size_t n_tools;
    bool tools_known;
    enum pji_worth cpu, memory, gpu;
    struct pji_cpu_power model[3]; /* idle, half and full load, where the CPU is modelled */
    char model_of[64];
    bool calibrated;   /* the model rests on a calibration of this processor */
    bool persistenced; /* nvidia-persistenced runs */
    char driver[PJI_NVML_TEXT];
    struct pji_nvml_inventory *inventory; /* NULL: NVML was not loaded */
    struct pji_doctor_gpu gpus[PJI_NVML_GPUS];
    struct pji_nvml_selection selection; /* of those, by CUDA's variables */
    struct pji_amd_visibility amd;
};

/* Looks at everything. The instruments stay the caller's, and must outlive the doctor. */
pj_status pji_doctor_look(struct pji_doctor *doctor, const struct pji_instruments *instruments,
                          struct pj_error *err);
void pji_doctor_fini(struct pji_doctor *doctor);

/* Whether anything enters a total: else no measurement here can be valid. */
bool pji_doctor_can_measure(const struct pji_doctor *doctor);

/* What CUDA_VISIBLE_DEVICES could not do: a note on selection.entry ("order unsure": on the order
 * of unlike GPUs); NULL: nothing. */
const char *pji_doctor_selection_note(const struct pji_doctor *doctor);
const char *pji_rung_state_name(enum pji_rung_state state);
const char *pji_worth_name(enum pji_worth worth);

/* The object of docs/doctor.md. New reference; NULL on lack of memory. */
json_t *pji_doctor_json(const struct pji_doctor *doctor);
void pji_doctor_text(const struct pji_doctor *doctor, struct pji_str *out);

#endif
