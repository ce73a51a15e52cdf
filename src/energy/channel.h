/* energy/channel.h - a channel is a const row: what a number is, before any number was read.
 *
 * Sources declare channels; the trace header carries them; everything after reads them from there,
 * so a live measurement and a replayed file run through the same code.
 */
#ifndef PJI_ENERGY_CHANNEL_H
#define PJI_ENERGY_CHANNEL_H

#include "perjoule/energy.h"

#include "core/json.h"

#include <stddef.h>
#include <stdint.h>

enum pji_channel_kind {
    PJI_COUNTER, /* accumulates; may wrap at `modulus` */
    PJI_GAUGE    /* a momentary value */
};

enum pji_channel_role {
    PJI_ROLE_ENERGY,      /* COUNTER in uJ: enters the ledger */
    PJI_ROLE_POWER,       /* GAUGE in mW: integrated (zero-order hold), enters the ledger */
    PJI_ROLE_UNCERTAINTY, /* COUNTER in uJ: accumulated common standard uncertainty of `companion`
                           */
    PJI_ROLE_AUX          /* anything else worth keeping: utilisation, temperature, clocks */
};

/* How a domain stands to others; decides which domains may be added (energy/ledger.h). */
enum pji_domain_kind {
    PJI_DOMAIN_MACHINE,
    PJI_DOMAIN_PSYS,
    PJI_DOMAIN_PACKAGE,
    PJI_DOMAIN_CORE,
    PJI_DOMAIN_UNCORE,
    PJI_DOMAIN_DRAM,
    PJI_DOMAIN_GPU,
    PJI_DOMAIN_OTHER
};

struct pji_channel {
    char name[64];   /* unique in a trace: "rapl:package-0", "nvml:0:energy" */
    char source[24]; /* "rapl_powercap" */
    char domain[48]; /* node in the ledger tree: "package-0", "package-0/core", "gpu-0" */
    char parent[48]; /* its parent node: "machine", "package-0" */
    enum pji_domain_kind domain_kind;
    enum pji_channel_kind kind;
    enum pji_channel_role role;
    char unit[8]; /* "uJ", "mW", "ppm", "mC", "MHz" */
    enum pj_origin origin;
    int64_t modulus;    /* COUNTER: the value wraps to 0 after modulus - 1; 0: never wraps */
    int64_t refresh_ns; /* the instrument's own update period; 0: unknown */
    double quantum;     /* smallest step, in `unit` */
    double gain_rel;    /* k=1 relative gain uncertainty (common to all windows) */
    double offset_mw;   /* k=1 offset uncertainty as a power, mW (common to all windows) */
    int64_t average_ns; /* GAUGE: a value is the mean over this past time; 0: momentary, unknown */
    int64_t lag_ns;     /* the value describes the past by this much (corrected for) */
    int64_t edge_u_ns;  /* k=1 rest of that lag, for each window edge */
    double cap_mw;      /* physically possible power, mW; 0: unknown */
    int32_t companion; /* index of the ENERGY channel that a ROLE_UNCERTAINTY channel belongs to, or
                          for an alternative reading of the same domain the preferred channel; -1 */
    char com_id[PJ_COM_ID]; /* instrument identity shared by all its windows and all trials */
    char device[64];        /* what a person recognises: "GPU-5b…", CPU model, zone path */
};

enum pji_reading_status {
    PJI_READ_OK = 0,
    PJI_READ_FAILED = 1, /* errno in `value`: bridged until the next good reading */
    PJI_READ_GONE = 2    /* the channel ended (ENODEV); nothing more will come */
};

struct pji_reading {
    int64_t t_ns;  /* middle of the read, CLOCK_MONOTONIC (device time mapped to it) */
    int64_t value; /* in the channel's unit; errno when FAILED or GONE */
    int32_t channel;
    enum pji_reading_status status;
};

/* Rows of what exists or should exist here but cannot be read, and why. */
struct pji_missing {
    char domain[48]; /* "package-0", "gpu" */
    char source[24];
    enum pji_domain_kind domain_kind;
    char reason[160]; /* "permission denied: /sys/… is readable by root only" */
    char fix[160];    /* the least-privilege remedy in one line, "" when there is none */
};

const char *pji_domain_kind_name(enum pji_domain_kind kind);
/* A name as part of a com_id: '+' and '@', which mean something there, become '-'. */
void pji_com_id_name(char *out, size_t size, const char *name);

/* A channel as a JSON object of the trace header, and back (unknown keys are ignored, so that a
 * later version's rows can be read). New reference; NULL on lack of memory. */
json_t *pji_channel_to_json(const struct pji_channel *channel);
pj_status pji_channel_from_json(struct pji_channel *channel, const json_t *object,
                                struct pj_error *err);
json_t *pji_missing_to_json(const struct pji_missing *missing);
pj_status pji_missing_from_json(struct pji_missing *missing, const json_t *object,
                                struct pj_error *err);
/* {"value", "u", "u_ind", "u_com", "u_gain", "origin", "quality": ["wrap", …], "com_id"} in joules;
 * a missing energy is {"value": null, …, "reason": …}. New reference. */
json_t *pji_energy_to_json(const struct pj_energy *energy);
pj_status pji_energy_from_json(struct pj_energy *energy, const json_t *object,
                               struct pj_error *err);

#endif
