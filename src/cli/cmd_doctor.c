/* perjoule doctor: what keeps this machine from giving good energies, and what to do about it. */
#include "cli/calibrate.h"
#include "cli/commands_lean.h"
#include "cli/doctor.h"
#include "cli/probe.h"

static const struct pji_option options[] = {
    {"json", 'j', NULL, "print JSON"},
    {"probe", 0, NULL, "measure refresh and cost of each instrument, and keep what GPUs show"},
    {"calibrate-model", 0, NULL,
     "load all CPUs for a while, and keep what they draw for the model"},
    {"seconds", 0, "S", "with --calibrate-model: of each of its two halves (default: 10)"},
    PJI_ROOT_OPTION,
    {0},
};

static int tell(const struct pji_args *args, const struct pji_doctor *doctor)
{
    struct pji_str out = {0};
    int code;

    if (pji_args_has(args, "json")) {
        json_t *object = pji_doctor_json(doctor);

        out.failed = !object;
        pji_json_write(&out, object, 2);
        pji_str_addc(&out, '\n');
        json_decref(object);
    } else {
        pji_doctor_text(doctor, &out);
    }
    code = pji_lean_print(args, &out);
    pji_str_fini(&out);
    if (code == PJI_EXIT_DONE && !pji_doctor_can_measure(doctor))
        return PJI_EXIT_INVALID;
    return code;
}

static int run(const struct pji_args *args)
{
    struct pji_instruments instruments;
    struct pji_doctor doctor = {0};
    struct pj_error err = {0};
    int code = pji_lean_check_rest(args, 0, 0, "");

    if (code)
        return code;
    if (pji_args_has(args, "calibrate-model") && pji_args_has(args, "probe")) {
        pji_lean_say(args, "--probe and --calibrate-model disturb each other: one after the other");
        return PJI_EXIT_USAGE;
    }
    if (pji_args_has(args, "calibrate-model"))
        return pji_calibrate(args);
    if (pji_args_has(args, "probe"))
        return pji_probe(args);
    if (pji_instruments_open(&instruments, args, NULL, &err))
        return pji_lean_failed(args, &err);
    if (pji_doctor_look(&doctor, &instruments, &err))
        code = pji_lean_failed(args, &err);
    else
        code = tell(args, &doctor);
    pji_doctor_fini(&doctor);
    pji_instruments_close(&instruments);
    return code;
}

const struct pji_command pji_cmd_doctor = {
    .name = "doctor",
    .synopsis = "[--probe | --calibrate-model [--seconds S]] [--json] [--root DIR]",
    .about = "explain what keeps this machine from good energies, and what to do",
    .details =
        "What the energy is worth here (measured or modelled), for each instrument whether it is "
        "in use or what denied it and the smallest permission that helps, the machine's settings "
        "that matter to measurements, other energy tools that run, and the GPUs.\n\n"
        "With --probe it reads each instrument as often as it can: the refresh of its values, "
        "median "
        "and 99th percentile of a read, for a GPU those of each call and over which time "
        "PowerUsage "
        "averages. What GPUs show is kept in the cache folder, by GPU, VBIOS and driver, and later "
        "measurements use it.\n\n"
        "With --calibrate-model it measures once, where the processor's energy counters can be "
        "read, its power idle and under full load, and keeps them in the cache folder: the model "
        "that stands in for the counters elsewhere and later uses them. It loads all CPUs for the "
        "time that it says first, asks nothing and can be stopped.\n\n"
        "Exit code: 0, or 3 where nothing can be measured at all, or what was measured is no "
        "calibration.",
    .options = options,
    .run = run,
};
